// The unit of a query's values: what its call says, else what the names of its metrics and what is done with them say. Pure.
// A value is of some dimension: bytes and seconds to a power, counted things, and a scale (how much of the base unit 1 is).
import { parser } from '@prometheus-io/lezer-promql';

import { metricOf } from './metric';

type SyntaxNode = ReturnType<typeof parser.parse>['topNode'];

interface Dimension {
  readonly bytes: number;
  readonly seconds: number;
  /** What is counted: "requests", "counts" when it has no name of Perses's. */
  readonly counted?: string;
  readonly scale: number;
  /** A share of something: 0.25 is 25%. */
  readonly ratio?: boolean;
  /** A moment, in Unix time: it is no duration. */
  readonly moment?: boolean;
  /** A number that stands in the query. */
  readonly constant?: number;
  /** The first words of the metric's name: two of one family can be compared. */
  readonly family?: string;
}

type Known = Dimension | undefined;

const PLAIN: Dimension = { bytes: 0, seconds: 0, scale: 1 };

/** How a name ends, without _total, _sum, _bucket: the unit of what it measures. */
const SUFFIXES: ReadonlyArray<readonly [RegExp, Partial<Dimension>]> = [
  [
    /(^|_)(timestamp|boot_time|start_time|completion_time|created|mtime|not_(after|before)|cert_expiry|last(_\w+)?_time)(_seconds)?$|^node_time_seconds$/,
    { seconds: 1, moment: true },
  ],
  [/_bytes_per_second$/, { bytes: 1, seconds: -1 }],
  [/_(kilobytes|kb)$/, { bytes: 1, scale: 1000 }],
  [/_(kibibytes|kib)$/, { bytes: 1, scale: 1024 }],
  [/_(megabytes|mb)$/, { bytes: 1, scale: 1e6 }],
  [/_(mebibytes|mib)$/, { bytes: 1, scale: 1048576 }],
  [/(^|_)bytes(_(in|out|read|written|received|sent|used|free|total|available|limit|usage))?$/, { bytes: 1 }],
  [/_bits$/, { bytes: 1, scale: 1 / 8 }],
  [/_(milliseconds|millis|ms)$/, { seconds: 1, scale: 1e-3 }],
  [/_(microseconds|us)$/, { seconds: 1, scale: 1e-6 }],
  [/_(nanoseconds|ns)$/, { seconds: 1, scale: 1e-9 }],
  [/(^|_)seconds$/, { seconds: 1 }],
  [/_minutes$/, { seconds: 1, scale: 60 }],
  [/_hours$/, { seconds: 1, scale: 3600 }],
  [/_days$/, { seconds: 1, scale: 86400 }],
  [/_(ratio|utilization|utilisation)$/, { ratio: true }],
  [/_(percent|percentage|pct)$/, { ratio: true, scale: 0.01 }],
];

/** What Perses has a rate for. */
const COUNTED = ['requests', 'events', 'messages', 'ops', 'packets', 'reads', 'writes', 'records', 'rows'];

function countedOf(name: string): string {
  const found = COUNTED.find((word) => new RegExp(`(^|_)${word.replace(/s$/, 's?')}(_|$)`).test(name));
  return found ?? (/(^|_)operations?(_|$)/.test(name) ? 'ops' : 'counts');
}

function familyOf(name: string): string {
  return name.split('_').slice(0, 2).join('_');
}

/** Of a metric by name; `base`: of what it observes, for a histogram. */
function dimensionOf(name: string, base = false): Dimension {
  // A recording rule: level:metric:operations.
  const [, middle = '', operations = ''] = name.split(':');
  if (name.includes(':')) {
    const of = dimensionOf(middle === '' ? name.replaceAll(':', '_') : middle, base);
    return /(^|_)i?rate\d*/.test(operations)
      ? perSecond({ ...of, counted: of.counted ?? countedOf(middle) })
      : of;
  }
  const family = familyOf(name);
  if (!base && name.endsWith('_count'))
    return { ...PLAIN, counted: countedOf(name.replace(/_count$/, '')), family };
  if (!base && name.endsWith('_bucket')) return { ...PLAIN, counted: 'counts', family };
  const bare = name.replace(/_(total|sum|bucket|count|max|min|avg)$/, '');
  const [, unit] = SUFFIXES.find(([suffix]) => suffix.test(bare)) ?? [];
  if (unit !== undefined) return { ...PLAIN, family, ...unit };
  return { ...PLAIN, family, ...(name.endsWith('_total') ? { counted: countedOf(bare) } : {}) };
}

function perSecond(of: Dimension): Dimension {
  return { ...of, seconds: of.seconds - 1, ratio: false };
}

function isPlain({ bytes, seconds }: Dimension): boolean {
  return bytes === 0 && seconds === 0;
}

function isAlike(a: Dimension, b: Dimension): boolean {
  return a.bytes === b.bytes && a.seconds === b.seconds;
}

function near(a: number, b: number): boolean {
  return Math.abs(a - b) <= 1e-9 * Math.abs(b);
}

function multiplied(a: Dimension, b: Dimension): Known {
  if (a.constant !== undefined && b.constant !== undefined)
    return { ...PLAIN, constant: a.constant * b.constant };
  const [factor, of] = a.constant === undefined ? [b.constant, a] : [a.constant, b];
  if (factor !== undefined) {
    if (factor === 0) return undefined;
    // A hundred times a share is a percentage, also where nothing but that says that it is a share.
    const ratio = of.ratio === true || (isPlain(of) && of.counted === undefined && factor === 100);
    return { ...of, scale: of.scale / factor, ratio };
  }
  if (a.ratio === true) return { ...b, scale: a.scale * b.scale };
  if (b.ratio === true) return { ...a, scale: a.scale * b.scale };
  return {
    ...PLAIN,
    bytes: a.bytes + b.bytes,
    seconds: a.seconds + b.seconds,
    counted: isPlain(a) ? a.counted : b.counted,
    scale: a.scale * b.scale,
  };
}

function divided(a: Dimension, b: Dimension): Known {
  if (b.constant !== undefined) {
    if (a.constant !== undefined) return { ...PLAIN, constant: a.constant / b.constant };
    return b.constant === 0 ? undefined : { ...a, scale: a.scale * b.constant };
  }
  if (a.constant !== undefined) return undefined;
  const dimension = {
    ...PLAIN,
    bytes: a.bytes - b.bytes,
    seconds: a.seconds - b.seconds,
    scale: a.scale / b.scale,
  };
  // Bytes by a metric whose name says nothing (kube_pod_container_resource_limits): that one may be bytes, too.
  const isUnknown = isPlain(b) && b.family !== undefined && b.counted === undefined && b.ratio !== true;
  if (isUnknown && !isPlain(a)) return undefined;
  // Bytes of requests by requests are bytes: what was counted falls out.
  if (!isPlain(dimension)) return { ...dimension, counted: b.counted === undefined ? a.counted : undefined };
  const isKnown = !isPlain(a) || a.counted !== undefined;
  const isShare =
    isAlike(a, b) &&
    ((isKnown && (a.counted === undefined) === (b.counted === undefined)) ||
      (a.family !== undefined && a.family === b.family));
  return { ...dimension, ratio: isShare };
}

function added(a: Dimension, b: Dimension, minus: boolean): Known {
  if (a.constant !== undefined && b.constant !== undefined)
    return { ...PLAIN, constant: minus ? a.constant - b.constant : a.constant + b.constant };
  // A moment less a moment is a duration; a moment and a duration are a moment.
  if (a.moment === true || b.moment === true) {
    if (!isAlike(a, b) || !near(a.scale, b.scale)) return undefined;
    return { ...a, moment: !(minus && a.moment === true && b.moment === true) };
  }
  const [constant, of] = a.constant === undefined ? [b.constant, a] : [a.constant, b];
  if (constant !== undefined) {
    // 1 less a share, or 100 less a percentage, is a share.
    const share = minus && a.constant !== undefined && isPlain(of) && near(constant * of.scale, 1);
    return { ...of, ratio: of.ratio === true || (share && of.counted === undefined) };
  }
  return isAlike(a, b) && near(a.scale, b.scale)
    ? { ...a, ratio: a.ratio === true && b.ratio === true }
    : undefined;
}

/** Aggregations and functions whose result is a plain number, whatever they are given. */
const NUMBERS = new Set(
  (
    'count count_values group absent absent_over_time count_over_time changes resets present_over_time sgn ' +
    'stdvar stdvar_over_time hour minute month year day_of_month day_of_week day_of_year days_in_month ' +
    'ln log2 log10 exp sqrt'
  ).split(' '),
);
const RATES = new Set(['rate', 'irate', 'deriv']);
const MOMENTS = new Set(['timestamp']);

interface Reader {
  readonly text: (node: SyntaxNode) => string;
}

function argumentsOf(node: SyntaxNode): readonly SyntaxNode[] {
  const found: SyntaxNode[] = [];
  for (let child = node.getChild('FunctionCallBody')?.firstChild ?? null; child; child = child.nextSibling)
    if (/Expr|Selector|Call|Literal/.test(child.name) && child.name !== 'StringLiteral') found.push(child);
  return found;
}

/** As our rules read it: OpenTelemetry's dots are underscores there. */
function nameOf(reader: Reader, node: SyntaxNode): string {
  return metricOf(reader.text(node)).replaceAll('.', '_');
}

/** Every metric that is asked for below a node. */
function metricsBelow(reader: Reader, node: SyntaxNode): readonly string[] {
  const names: string[] = [];
  node.cursor().iterate((at) => {
    if (at.from >= node.to) return false;
    if (at.name === 'VectorSelector') names.push(nameOf(reader, at.node));
    return undefined;
  });
  return names;
}

function ofFunction(reader: Reader, node: SyntaxNode, name: string): Known {
  const given = argumentsOf(node);
  if (name === 'time') return { ...PLAIN, seconds: 1, moment: true };
  if (NUMBERS.has(name)) return { ...PLAIN };
  if (MOMENTS.has(name)) return { ...PLAIN, seconds: 1, moment: true };
  if (name === 'histogram_fraction') return { ...PLAIN, ratio: true };
  if (/^histogram_(quantile|avg|sum|stddev|stdvar)$/.test(name)) {
    const [metric] = metricsBelow(reader, node);
    return metric === undefined ? undefined : { ...dimensionOf(metric, true), family: undefined };
  }
  if (name === 'histogram_count') {
    const [inner] = given;
    const isRate = inner !== undefined && /^\s*(rate|irate)\b/.test(reader.text(inner));
    return { ...PLAIN, counted: 'counts', seconds: isRate ? -1 : 0 };
  }
  const inner = given
    .map((one) => dimension(reader, one))
    .find((one) => one !== undefined && one.constant === undefined);
  if (RATES.has(name)) return inner && perSecond(inner);
  if (name === 'scalar' || name === 'vector') return inner ?? dimension(reader, given[0] ?? node);
  return inner;
}

function ofBinary(reader: Reader, node: SyntaxNode): Known {
  const { firstChild, lastChild } = node;
  if (firstChild === null || lastChild === null) return undefined;
  const operator = reader.text(firstChild.nextSibling ?? firstChild).trim();
  const left = dimension(reader, firstChild);
  const right = dimension(reader, lastChild);
  if (/^(==|!=|>=?|<=?)$/.test(operator)) {
    if (node.getChild('BoolModifier') !== null) return { ...PLAIN };
    return left?.constant === undefined ? left : right;
  }
  if (/^(and|or|unless)$/i.test(operator)) return left;
  if (left === undefined || right === undefined) return undefined;
  switch (operator) {
    case '*':
      return multiplied(left, right);
    case '/':
      return divided(left, right);
    case '+':
    case '-':
      return added(left, right, operator === '-');
    case '%':
      return left;
    default:
      return undefined;
  }
}

function dimension(reader: Reader, node: SyntaxNode): Known {
  switch (node.name) {
    case 'NumberDurationLiteral':
    case 'NumberLiteral': {
      const constant = Number(reader.text(node));
      return Number.isFinite(constant) ? { ...PLAIN, constant } : undefined;
    }
    case 'VectorSelector': {
      const name = nameOf(reader, node);
      return name === '' ? undefined : dimensionOf(name);
    }
    case 'AggregateExpr': {
      const name = reader.text(node.getChild('AggregateOp') ?? node).toLowerCase();
      if (NUMBERS.has(name)) return { ...PLAIN };
      const last = argumentsOf(node).at(-1);
      return last && dimension(reader, last);
    }
    case 'FunctionCall':
      return ofFunction(reader, node, reader.text(node.getChild('FunctionIdentifier') ?? node));
    case 'BinaryExpr':
      return ofBinary(reader, node);
    case 'UnaryExpr': {
      const of = node.lastChild === null ? undefined : dimension(reader, node.lastChild);
      return of?.constant === undefined ? of : { ...of, constant: -of.constant };
    }
    default:
      // In brackets, over a time, at another time: what is in it.
      return /Expr|Selector|PromQL/.test(node.name) && node.firstChild !== null
        ? dimension(reader, node.firstChild)
        : undefined;
  }
}

const TIMES: ReadonlyArray<readonly [number, string]> = [
  [1, 'seconds'],
  [1e-3, 'milliseconds'],
  [60, 'minutes'],
  [3600, 'hours'],
  [86400, 'days'],
];

/** As Perses calls it; undefined: it has none for it. */
function unitOf(of: Dimension): string | undefined {
  const { bytes, seconds, scale } = of;
  if (of.moment === true || of.constant !== undefined) return undefined;
  if (of.ratio === true && isPlain(of)) {
    if (near(scale, 1)) return 'percent-decimal';
    return near(scale, 0.01) ? 'percent' : undefined;
  }
  if (bytes === 1 && seconds === 0) return near(scale, 1) ? 'bytes' : undefined;
  if (bytes === 1 && seconds === -1) {
    if (near(scale, 1)) return 'bytes/sec';
    return near(scale, 1 / 8) ? 'bits/sec' : undefined;
  }
  if (bytes === 0 && seconds === 1) return TIMES.find(([factor]) => near(scale, factor))?.[1];
  if (bytes === 0 && seconds === -1 && near(scale, 1)) return `${of.counted ?? 'counts'}/sec`;
  return undefined;
}

/** Parsing takes time in proportion to the text. */
const QUERY_CHARS_MAX = 8_000;

export function unitOfPromQL(query: string): string | undefined {
  if (query.length > QUERY_CHARS_MAX) return undefined;
  const reader: Reader = { text: ({ from, to }) => query.slice(from, to) };
  const of = dimension(reader, parser.parse(query).topNode);
  return of && unitOf(of);
}

/** Whose values are moments, in Unix time: how many milliseconds 1 of them is. */
export function momentOfPromQL(query: string): number | undefined {
  if (query.length > QUERY_CHARS_MAX) return undefined;
  const reader: Reader = { text: ({ from, to }) => query.slice(from, to) };
  const of = dimension(reader, parser.parse(query).topNode);
  return of?.moment === true && of.bytes === 0 && of.seconds === 1 ? of.scale * 1_000 : undefined;
}

/** Of what a histogram measures, whose buckets a query asks for. */
export function unitOfBuckets(query: string): string | undefined {
  if (query.length > QUERY_CHARS_MAX) return undefined;
  const reader: Reader = { text: ({ from, to }) => query.slice(from, to) };
  const [metric] = metricsBelow(reader, parser.parse(query).topNode);
  return metric === undefined ? undefined : unitOf(dimensionOf(metric, true));
}

/** Of LogQL's queries of numbers: what its outermost range function says. */
export function unitOfLogQL(query: string): string | undefined {
  const name = /\b(bytes_rate|bytes_over_time|rate_counter|rate|count_over_time)\s*\(/.exec(query)?.[1];
  if (/unwrap/.test(query) || /[/*]/.test(query.replace(/"(?:[^"\\]|\\.)*"|`[^`]*`/g, ''))) return undefined;
  if (/\b(count|stdvar)\s*(\(|by\b|without\b)/.test(query)) return undefined; // how many series there are
  if (name === 'bytes_rate') return 'bytes/sec';
  if (name === 'bytes_over_time') return 'bytes';
  return name === 'rate' || name === 'rate_counter' ? 'counts/sec' : undefined;
}
