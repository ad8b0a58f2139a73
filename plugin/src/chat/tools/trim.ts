// Of very many series those that matter most: a chart of hundreds of lines shows nothing and costs much. Pure.
import { asList, asObject } from '../../api/events';

export const SERIES_SHOWN = 12;
export const SERIES_SHOWN_SMALL = 6;

/** The last value of a series that is a number. */
function lastOf(series: unknown): number {
  const values = asList(asObject(series)?.['values']);
  for (let i = values.length - 1; i >= 0; i--) {
    const value = asList(values[i])[1];
    if (typeof value === 'number' && Number.isFinite(value)) return value;
  }
  return -Infinity;
}

export function seriesCount(data: unknown): number {
  return asList(asObject(data)?.['series']).length;
}

/** The series with the highest last values, in their own order; `least`: the lowest. */
export function trimmed<T>(data: T, max: number, least = false): T {
  const series = asList(asObject(data)?.['series']);
  if (series.length <= max) return data;
  const ranked = series.map((one, i) => ({ i, last: lastOf(one) }));
  ranked.sort((a, b) => (least ? a.last - b.last : b.last - a.last) || a.i - b.i);
  const kept = new Set(ranked.slice(0, max).map(({ i }) => i));
  return { ...data, series: series.filter((_one, i) => kept.has(i)) };
}
