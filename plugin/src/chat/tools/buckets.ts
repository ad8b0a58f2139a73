// The buckets of a histogram over time as a grid, for a heatmap: classic ones (series by `le`, cumulative) and native ones.
// Pure; data of plugins is not trusted to have the shape that it should.
import { asList, asObject, asText } from '../../api/events';

export interface BucketGrid {
  /** In milliseconds, ascending. */
  readonly times: readonly number[];
  /** Each bucket's lower and upper bound, ascending. */
  readonly bounds: ReadonlyArray<readonly [number, number]>;
  /** [time's place, bucket's place, how much is in it], where there is something. */
  readonly cells: ReadonlyArray<readonly [number, number, number]>;
  readonly max: number;
}

const BUCKETS_MAX = 200;
const CELLS_MAX = 100_000;

function numberOf(value: unknown): number {
  if (typeof value === 'number') return value;
  const text = asText(value);
  return /^\+?inf/i.test(text) ? Infinity : Number(text === '' ? 'x' : text);
}

function boundKey(low: number, high: number): string {
  return `${low}/${high}`;
}

/** Bounds of all buckets, and of each time what is in which. */
interface Gathered {
  readonly bounds: Map<string, readonly [number, number]>;
  readonly counts: Map<number, Map<string, number>>;
}

function put(gathered: Gathered, at: number, low: number, high: number, count: number): void {
  const key = boundKey(low, high);
  gathered.bounds.set(key, [low, high]);
  const counts = gathered.counts.get(at) ?? new Map<string, number>();
  counts.set(key, (counts.get(key) ?? 0) + count);
  gathered.counts.set(at, counts);
}

/** Of cumulative series: what a bucket has more than the one below it. Series of one bound are added up. */
function gatherClassic(series: readonly unknown[], gathered: Gathered): void {
  const byBound = new Map<number, Map<number, number>>();
  for (const one of series) {
    const bound = numberOf(asObject(asObject(one)?.['labels'])?.['le']);
    if (Number.isNaN(bound)) continue;
    const sums = byBound.get(bound) ?? new Map<number, number>();
    byBound.set(bound, sums);
    for (const sample of asList(asObject(one)?.['values'])) {
      const [at, value] = asList(sample);
      if (typeof at === 'number' && typeof value === 'number' && Number.isFinite(value))
        sums.set(at, (sums.get(at) ?? 0) + value);
    }
  }
  const bounds = [...byBound.keys()].sort((a, b) => a - b);
  bounds.forEach((bound, i) => {
    const below = bounds[i - 1];
    const lower = below === undefined ? undefined : byBound.get(below);
    for (const [at, value] of byBound.get(bound) ?? [])
      put(gathered, at, below ?? Math.min(0, bound), bound, Math.max(0, value - (lower?.get(at) ?? 0)));
  });
}

function gatherNative(series: readonly unknown[], gathered: Gathered): void {
  for (const one of series)
    for (const tuple of asList(asObject(one)?.['histograms'])) {
      const [seconds, histogram] = asList(tuple);
      if (typeof seconds !== 'number') continue;
      for (const bucket of asList(asObject(histogram)?.['buckets'])) {
        const [, low, high, count] = asList(bucket).map(numberOf);
        if (low === undefined || high === undefined || !Number.isFinite(count)) continue;
        put(gathered, seconds * 1000, low, high, count ?? 0);
      }
    }
}

/** undefined: it holds no buckets, or more than can be told apart. */
export function bucketGrid(data: unknown): BucketGrid | undefined {
  const series = asList(asObject(data)?.['series']);
  const gathered: Gathered = { bounds: new Map(), counts: new Map() };
  if (series.some((one) => asList(asObject(one)?.['histograms']).length > 0)) gatherNative(series, gathered);
  else gatherClassic(series, gathered);
  const bounds = [...gathered.bounds.values()].sort(([a, b], [c, d]) => b - d || a - c);
  const times = [...gathered.counts.keys()].sort((a, b) => a - b);
  if (bounds.length < 2 || bounds.length > BUCKETS_MAX || bounds.length * times.length > CELLS_MAX)
    return undefined;
  const cells = times.flatMap((at, x) =>
    bounds.flatMap(([low, high], y): Array<[number, number, number]> => {
      const count = gathered.counts.get(at)?.get(boundKey(low, high)) ?? 0;
      return count > 0 ? [[x, y, count]] : [];
    }),
  );
  return { times, bounds, cells, max: cells.reduce((most, [, , count]) => Math.max(most, count), 0) };
}
