import { describe, expect, it } from 'vitest';

import { hasLoneSample, hasNoNumber, isEmptyResult } from './results';

const series = (...values: unknown[]): unknown => ({ name: 'x', values });

describe('isEmptyResult', () => {
  it.each([
    undefined,
    null,
    { series: [] },
    { series: [series()] },
    { series: [null] },
    { entries: [] },
    { searchResult: [] },
    { profile: null },
    { profile: { stackTrace: null } },
    { profile: { stackTrace: { total: 0, children: [] } } },
  ])('is true of %j', (data) => expect(isEmptyResult(data)).toBe(true));

  it.each([
    { series: [series(), series([0, 1])] },
    { series: [{ values: [], histograms: [[0, {}]] }] },
    { entries: [{}] },
    { searchResult: [{}] },
    { trace: { resourceSpans: [] } },
    { profile: { stackTrace: { total: 3 } } },
    { something: 'new' },
  ])('is false of %j', (data) => expect(isEmptyResult(data)).toBe(false));
});

describe('hasLoneSample', () => {
  it.each([
    { stepMs: 10, series: [series([0, 1], [10, 1], [50, 1])] },
    { stepMs: 10, series: [series([0, 1], [30, 1], [40, 1])] },
    { stepMs: 10, series: [series([0, 1])] },
    { stepMs: 10, series: [series([0, 1], [10, 1], [20, null], [30, 1], [40, null])] },
    { stepMs: 10, series: [series([0, 1], [10, 1]), series([20, 1], [40, 1])] },
    { series: [series([0, 1], [10, 1], [50, 1])] },
  ])('sees one in %j', (data) => expect(hasLoneSample(data)).toBe(true));

  it.each([
    undefined,
    { series: [] },
    { series: [null, series()] },
    { stepMs: 10, series: [series([0, 1], [10, 2], [20, 3])] },
    { stepMs: 10, series: [series([0, 1], [10, 2], [50, 3], [60, 4])] },
    { series: [series([0, 1], [10, 2])] },
    { stepMs: 10, series: [series(...Array.from({ length: 20_001 }, (_, i) => [i * 100, 1]))] },
  ])('sees none in %#', (data) => expect(hasLoneSample(data)).toBe(false));
});

describe('hasNoNumber', () => {
  it.each([
    { series: [series([0, NaN], [1, null])] },
    { series: [series([0, Infinity]), series([0, -Infinity])] },
    { series: [series()] },
  ])('is true of %#', (data) => expect(hasNoNumber(data)).toBe(true));

  it.each([
    undefined,
    { series: [] },
    { series: [series([0, NaN], [1, 0])] },
    { series: [series([0, NaN]), series([0, 1])] },
    { series: [{ values: [], histograms: [[0, {}]] }] },
    { entries: [{}] },
  ])('is false of %#', (data) => expect(hasNoNumber(data)).toBe(false));
});
