import { describe, expect, it } from 'vitest';

import { bucketGrid } from './buckets';

function classic(bounds: Readonly<Record<string, readonly number[]>>): unknown {
  return {
    series: Object.entries(bounds).map(([le, values]) => ({
      labels: { le },
      values: values.map((value, i) => [i * 1000, value]),
    })),
  };
}

describe('the buckets of a histogram', () => {
  it('are what each has more than the one below it, in the order of their bounds', () => {
    const grid = bucketGrid(classic({ '+Inf': [10, 12], '0.5': [8, 8], '0.1': [3, 0] }));
    expect(grid?.bounds).toEqual([
      [0, 0.1],
      [0.1, 0.5],
      [0.5, Infinity],
    ]);
    expect(grid?.times).toEqual([0, 1000]);
    expect(grid?.cells).toEqual([
      [0, 0, 3],
      [0, 1, 5],
      [0, 2, 2],
      [1, 1, 8],
      [1, 2, 4],
    ]);
    expect(grid?.max).toBe(8);
  });

  it('are added up over series of the same bound, and never below zero', () => {
    const data = {
      series: [1, 2].flatMap((k) => [
        { labels: { le: '1', job: `${k}` }, values: [[0, 5]] },
        { labels: { le: '2', job: `${k}` }, values: [[0, 4]] },
      ]),
    };
    expect(bucketGrid(data)?.cells).toEqual([[0, 0, 10]]);
  });

  it('of native histograms are taken as they are', () => {
    const histograms = [
      [
        5,
        {
          count: '3',
          sum: '1',
          buckets: [
            [0, '0.5', '1', '2'],
            [0, '1', '2', '1'],
          ],
        },
      ],
    ];
    expect(bucketGrid({ series: [{ values: [], histograms }] })).toEqual({
      times: [5000],
      bounds: [
        [0.5, 1],
        [1, 2],
      ],
      cells: [
        [0, 0, 2],
        [0, 1, 1],
      ],
      max: 2,
    });
  });

  it.each([
    undefined,
    null,
    {},
    { series: 7 },
    { series: [{}] },
    { series: [{ labels: { le: 'x' }, values: [[0, 1]] }] },
    { series: [null, { labels: null, values: [[null, 'x']] }] },
  ])('are not found in %j', (data) => {
    expect(bucketGrid(data)).toBeUndefined();
  });
});
