import { describe, expect, it } from 'vitest';

import { SessionSummary } from '../../api/sessions';
import { groupsOf, marked } from './days';

const NOW = new Date(2026, 2, 30, 0, 30); // the day after a clock was moved, in Europe

function session(sessionId: string, date: Date): SessionSummary {
  return {
    sessionId,
    title: '',
    startedAt: '',
    updatedAt: Number.isNaN(date.getTime()) ? '' : date.toISOString(),
    turns: 1,
    snippet: '',
    pinned: false,
  };
}

describe('conversations', () => {
  it('stand by their days', () => {
    const sessions = [
      session('now', NOW),
      session('skewed', new Date(2026, 2, 30, 9)),
      session('late', new Date(2026, 2, 29, 23, 59)),
      session('week', new Date(2026, 2, 24)),
      session('month', new Date(2026, 2, 23, 23)),
      session('older', new Date(2026, 1, 3)),
      session('oldest', new Date(2025, 1, 3)),
      session('unknown', new Date(Number.NaN)),
    ];
    expect(
      groupsOf(sessions, NOW).map(({ title, sessions: own }) => [title, ...own.map((one) => one.sessionId)]),
    ).toEqual([
      ['Today', 'now', 'skewed'],
      ['Yesterday', 'late'],
      ['Last 7 days', 'week'],
      ['Last 30 days', 'month'],
      ['February 2026', 'older'],
      ['February 2025', 'oldest'],
      ['Older', 'unknown'],
    ]);
    expect(groupsOf([], NOW)).toEqual([]);
  });
});

describe('what was searched', () => {
  it.each([
    ['Is the API up?', 'api', ['Is the ', '*API', ' up?']],
    ['a+b (c)', 'a+b (c', ['*a+b', ' ', '*(c', ')']],
    ['nothing', '  ', ['nothing']],
    ['', 'x', []],
  ])('stands out in "%s"', (text, query, parts) => {
    expect(marked(text, query).map((part) => (part.hit ? `*${part.text}` : part.text))).toEqual(parts);
  });
});
