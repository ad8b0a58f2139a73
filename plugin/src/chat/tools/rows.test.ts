import { describe, expect, it } from 'vitest';

import { rowsOf } from './rows';

describe('rowsOf', () => {
  it('makes a row of each log line, the newest first', () => {
    const streams = [
      { stream: { job: 'a', pod: 'p' }, lines: [['2026-03-01T10:00:00Z', 'old']] },
      { stream: { job: 'b' }, lines: [['2026-03-01T11:00:00Z', 'new'], 'odd'] },
      7,
    ];
    expect(rowsOf(JSON.stringify({ kind: 'logs', streams }))).toEqual({
      columns: ['time', 'line', 'stream'],
      cells: [
        ['2026-03-01T11:00:00Z', 'new', 'job=b'],
        ['2026-03-01T10:00:00Z', 'old', 'job=a, pod=p'],
        ['', '', 'job=b'],
      ],
    });
  });

  it('takes the list that a result is about, with all members', () => {
    const content = JSON.stringify({
      kind: 'trace',
      services: [{ service: 'shop' }],
      spans: [
        { name: 'GET', ms: 1 },
        { name: 'SELECT', error: true },
      ],
      notes: ['Of 9 spans 2 are shown.'],
    });
    expect(rowsOf(content)).toEqual({
      columns: ['name', 'ms', 'error'],
      cells: [
        ['GET', '1', ''],
        ['SELECT', '', 'true'],
      ],
    });
  });

  it.each(['', 'no JSON', '[]', '7', '{"kind":"x","notes":["a"],"list":[]}'])(
    'finds none in %s',
    (content) => {
      expect(rowsOf(content)).toBeUndefined();
    },
  );
});
