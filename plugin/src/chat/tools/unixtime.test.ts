import { expect, it } from 'vitest';

import { distance, momentsOf } from './unixtime';

const ASKED = Date.parse('2026-01-02T03:04:05Z');

function series(...values: readonly unknown[]): unknown {
  return {
    series: values.map((value, i) => ({
      name: 'x',
      labels: { __name__: 'x', job: `j${i}` },
      values: [[ASKED, value]],
    })),
  };
}

it('reads moments, and 0 as never', () => {
  const found = momentsOf(series(ASKED / 1_000 - 180, 0), 1_000);
  expect(found?.map(({ labels }) => labels)).toEqual([{ job: 'j0' }, { job: 'j1' }]);
  expect(found?.map(({ at }) => at?.toISOString())).toEqual(['2026-01-02T03:01:05.000Z', undefined]);
});

it.each([[series(12)], [series(ASKED / 1_000, NaN)], [series(Infinity)], [series('x')], [series()], [{}]])(
  'knows what is no moment: %j',
  (data) => {
    expect(momentsOf(data, 1_000)).toBeUndefined();
    expect(momentsOf(data, undefined)).toBeUndefined();
  },
);

it.each([
  [-180, '3 minutes ago'],
  [-90, '90 seconds ago'],
  [0, 'in 0 seconds'],
  [29.5 * 86_400, 'in 29 days'],
  [-400 * 86_400, '13 months ago'],
  [-3 * 31_536_000, '3 years ago'],
])('%d seconds are %s', (seconds, text) => {
  expect(distance(new Date(ASKED + seconds * 1_000), new Date(ASKED))).toBe(text);
});
