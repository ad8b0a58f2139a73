import { describe, expect, it } from 'vitest';

import { seriesCount, trimmed } from './trim';

describe('series that are too many', () => {
  const data = {
    stepMs: 5,
    series: [3, 9, 1, 7].map((last) => ({
      values: [
        [0, 99],
        [1, last],
        [2, null],
      ],
    })),
  };

  it('are those with the highest last values, in their order', () => {
    expect(trimmed(data, 2).series.map(({ values }) => values[1]?.[1])).toEqual([9, 7]);
    expect(trimmed(data, 2, true).series.map(({ values }) => values[1]?.[1])).toEqual([3, 1]);
    expect(trimmed(data, 2).stepMs).toBe(5);
  });

  it('are left as they are when they are few, and counted', () => {
    expect(trimmed(data, 4)).toBe(data);
    expect(seriesCount(data)).toBe(4);
    for (const other of [undefined, null, {}, { series: 'x' }]) {
      expect(trimmed(other, 2)).toBe(other);
      expect(seriesCount(other)).toBe(0);
    }
  });
});
