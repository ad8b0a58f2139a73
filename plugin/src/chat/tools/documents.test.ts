import { describe, expect, it } from 'vitest';

import { citationsOf } from './documents';
import { Call } from '../store/reduce';

function callOf(name: string, content: unknown): Call {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  const result = { callId: 'c', name, content: text, failed: false, durationMs: 1, datasource: '' };
  return { id: 'c', name, args: {}, state: 'done', result };
}

describe('citations', () => {
  it('are file, heading and line of each section that was found', () => {
    const found = [
      { file: 'runbooks/Down.md', heading: 'Down > Do', line: 12, is_the_runbook: true, text: 'Restart.' },
      { file: 'a.txt', heading: '', line: 1, text: 'x' },
    ];
    expect(citationsOf(callOf('search_docs', { kind: 'documents', found, files: 2, notes: [] }))).toEqual([
      { file: 'runbooks/Down.md', heading: 'Down > Do', line: 12, text: 'Restart.', isRunbook: true },
      { file: 'a.txt', heading: '', line: 1, text: 'x', isRunbook: false },
    ]);
  });

  it('are the document that was read', () => {
    const read = { kind: 'document', file: 'a.md', heading: 'Do', text: 'Restart.\n', notes: [] };
    expect(citationsOf(callOf('read_doc', read))).toEqual([
      { file: 'a.md', heading: 'Do', line: 0, text: 'Restart.\n', isRunbook: false },
    ]);
  });

  it.each([
    callOf('search_docs', 'x'),
    callOf('search_docs', { found: [null, 7, { heading: 'x' }] }),
    callOf('search_docs', { found: 'x' }),
    callOf('read_doc', '{"kind":"document","text":"x"}'),
    callOf('list_metrics', { found: [{ file: 'a' }] }),
    { ...callOf('read_doc', { file: 'a.md' }), state: 'failed' as const },
  ])('are made of nothing else', (call) => {
    expect(citationsOf(call)).toEqual([]);
  });

  it('are bounded', () => {
    const found = Array.from({ length: 500 }, () => ({ file: 'a.md', text: '' }));
    expect(citationsOf(callOf('search_docs', { found }))).toHaveLength(22);
  });
});
