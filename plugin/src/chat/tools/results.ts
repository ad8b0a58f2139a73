// What Perses's query plugins and the tools have brought, looked at before it is shown. Pure; data of plugins is not
// trusted to have the shape that it should.
import { asList, asObject, asText, parseJson } from '../../api/events';

/** With more samples than this a point for each would cost more than it shows. */
const POINTS_MAX = 20_000;

/** Nothing was found: no series with a value, no line, no trace, no profile. */
export function isEmptyResult(data: unknown): boolean {
  const result = asObject(data);
  if (result === undefined) return true;
  const { series, entries, logs, searchResult, trace, profile } = result;
  if (Array.isArray(series)) return !series.some((one) => hasSamples(one));
  if (Array.isArray(entries) || Array.isArray(logs))
    return asList(entries).length + asList(logs).length === 0;
  if (trace !== undefined && trace !== null) return false;
  if (Array.isArray(searchResult)) return searchResult.length === 0;
  const levels = asObject(profile)?.['stackTrace'];
  if (profile !== undefined) return levels === undefined || levels === null || isEmptyTree(levels);
  return false; // of a kind that we don't know
}

function hasSamples(one: unknown): boolean {
  const series = asObject(one);
  return asList(series?.['values']).length > 0 || asList(series?.['histograms']).length > 0;
}

/** There are series, and none has a value that could be drawn: 0 by 0 is no number, nor is 1 by 0. */
export function hasNoNumber(data: unknown): boolean {
  const series = asList(asObject(data)?.['series']).map(asObject);
  return (
    series.length > 0 &&
    series.every(
      (one) =>
        asList(one?.['histograms']).length === 0 &&
        asList(one?.['values']).every((sample) => !isNumber(asList(sample)[1])),
    )
  );
}

function isEmptyTree(levels: unknown): boolean {
  const tree = asObject(levels);
  return tree !== undefined && asList(tree['children']).length === 0 && !((tree['total'] as number) > 0);
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** The times at which a series has a value, in milliseconds. */
function timesOf(series: unknown): readonly number[] {
  return asList(asObject(series)?.['values']).flatMap((sample) => {
    const [at, value] = asList(sample);
    return isNumber(at) && isNumber(value) ? [at] : [];
  });
}

function stepOf(data: Readonly<Record<string, unknown>>, times: ReadonlyArray<readonly number[]>): number {
  const { stepMs } = data;
  if (isNumber(stepMs) && stepMs > 0) return stepMs;
  let least = Infinity;
  for (const own of times)
    own.forEach((at, i) => i > 0 && (least = Math.min(least, at - (own[i - 1] ?? at))));
  return least;
}

/** Is there a sample with a gap on both sides? A line through it has no length: without a point nothing is seen. */
export function hasLoneSample(data: unknown): boolean {
  const result = asObject(data);
  const times = asList(result?.['series']).map(timesOf);
  if (result === undefined || times.reduce((sum, own) => sum + own.length, 0) > POINTS_MAX) return false;
  const reach = stepOf(result, times) * 1.5;
  return times.some((own) =>
    own.some((at, i) => {
      const before = own[i - 1];
      const after = own[i + 1];
      return (before === undefined || at - before > reach) && (after === undefined || after - at > reach);
    }),
  );
}

const SAID = 'Datasource: ';

/** What the datasource said beside its data: that parts of it are missing, and its own words. */
export interface Said {
  readonly partial: boolean;
  readonly words: readonly string[];
}

/** Of a tool's answer, as the worker writes it. */
export function saidBy(content: string): Said {
  const result = asObject(parseJson(content));
  const notes = asList(result?.['notes']).map(asText);
  return {
    partial: result?.['partial'] === true,
    words: notes.filter((note) => note.startsWith(SAID)).map((note) => note.slice(SAID.length)),
  };
}
