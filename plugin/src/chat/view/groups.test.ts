import { describe, expect, it } from 'vitest';

import { Block, Call } from '../store/reduce';
import { Item, itemsOf } from './groups';

function call(name: string, id: string, state: Call['state'] = 'done'): Block {
  return { kind: 'call', key: `c/${id}`, call: { id, name, args: {}, state } };
}

function text(text: string): Block {
  return { kind: 'text', key: `t/${text}`, text, complete: true };
}

function told(items: readonly Item[]): readonly string[] {
  return items.map((item) => {
    if (item.kind === 'lookups')
      return ['lookups', ...item.calls.map(({ id }) => id), ...item.notes.map((note) => `(${note})`)].join(
        ' ',
      );
    return `${item.key}${item.compact ? ' small' : ''}`;
  });
}

describe('an answer', () => {
  it('has its lookups in one row, where the first one was', () => {
    const blocks = [
      text('a'),
      call('list_metrics', '1'),
      call('execute_range_query', '2'),
      call('describe_metric', '3', 'failed'),
      text('b'),
    ];
    expect(told(itemsOf(blocks, 'done'))).toEqual(['t/a', 'lookups 1 3', 'c/2', 't/b']);
  });

  it('keeps what is proposed, cited or waits for a yes by itself', () => {
    const blocks = [
      call('other_server__do', '1', 'awaiting'),
      call('search_docs', '2'),
      call('propose_panel', '3'),
      call('other_server__look', '4'),
    ];
    expect(told(itemsOf(blocks, 'awaiting'))).toEqual(['c/1', 'c/2', 'c/3', 'lookups 4']);
  });

  const six = [1, 2, 3, 4, 5, 6].flatMap((n) => [text(`look ${n}`), call('execute_range_query', `${n}`)]);

  it('of many queries has them side by side once it is over, before what was concluded', () => {
    expect(told(itemsOf([...six, text('So.')], 'done'))).toEqual([
      `lookups ${[1, 2, 3, 4, 5, 6]
        .map((n) => ` (look ${n})`)
        .join('')
        .trimStart()}`,
      ...[1, 2, 3, 4, 5, 6].map((n) => `c/${n} small`),
      't/So.',
    ]);
  });

  it('changes no order while it goes on, or when it has no end', () => {
    for (const status of ['running', 'failed', 'cancelled'] as const)
      expect(told(itemsOf(six, status)).slice(0, 3)).toEqual(['t/look 1', 'c/1 small', 't/look 2']);
    expect(told(itemsOf(six, 'done'))[0]).toBe('t/look 1');
  });

  it('keeps long texts, and failed queries as large as they are', () => {
    const long = 'x'.repeat(500);
    const blocks = [text(long), ...six, call('execute_range_query', '9', 'failed'), text('So.')];
    const items = told(itemsOf(blocks, 'done'));
    expect(items).toContain(`t/${long}`);
    expect(items).toContain('c/9');
  });

  it('of nothing is nothing', () => {
    expect(itemsOf([], 'running')).toEqual([]);
  });
});
