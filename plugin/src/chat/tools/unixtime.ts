// Values that are moments, as when a process began: Perses has no unit for them. Pure.
import { asList, asObject, asText } from '../../api/events';
import { locale } from '../../i18n/i18n';

export interface Moment {
  readonly labels: Readonly<Record<string, string>>;
  /** undefined: never, which is written as 0. */
  readonly at: Date | undefined;
  /** When it was asked for. */
  readonly asked: Date;
}

/** 1973 and 5138: what is outside is no moment, whatever its name says. */
const EARLIEST_MS = 1e11;
const LATEST_MS = 1e14;

/** Of an instant query's series, `scale` milliseconds a unit; undefined: not all of them are moments. */
export function momentsOf(data: unknown, scale: number | undefined): readonly Moment[] | undefined {
  if (scale === undefined) return undefined;
  const found: Moment[] = [];
  for (const one of asList(asObject(data)?.['series'])) {
    const series = asObject(one);
    const [asked, value] = asList(asList(series?.['values']).at(-1));
    if (typeof asked !== 'number' || typeof value !== 'number') return undefined;
    const ms = value * scale;
    if (value !== 0 && !(ms > EARLIEST_MS && ms < LATEST_MS)) return undefined;
    const labels = Object.entries(asObject(series?.['labels']) ?? {}).filter(([name]) => name !== '__name__');
    found.push({
      labels: Object.fromEntries(labels.map(([name, text]) => [name, asText(text)])),
      at: value === 0 ? undefined : new Date(ms),
      asked: new Date(asked),
    });
  }
  return found.length === 0 ? undefined : found;
}

const SPANS: ReadonlyArray<readonly [Intl.RelativeTimeFormatUnit, number]> = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
];

/** "3 minutes ago", "in 29 days": two of a unit at least, but of seconds. */
export function distance(at: Date, from: Date): string {
  const seconds = (at.getTime() - from.getTime()) / 1_000;
  const [unit, span] = SPANS.find(([, length]) => Math.abs(seconds) >= 2 * length) ?? ['second', 1];
  return new Intl.RelativeTimeFormat(locale()).format(Math.trunc(seconds / span), unit);
}
