// What a query is about, in words: the heading of its card where the model has given none. Pure.
import { parser } from '@prometheus-io/lezer-promql';

import { metricOf, unquoted } from './metric';
import { t } from '../../i18n/i18n';

type SyntaxNode = ReturnType<typeof parser.parse>['topNode'];

const QUERY_CHARS_MAX = 8_000;
const WORDS_MAX = 90;

interface Told {
  what: string;
  by: readonly string[];
  top: number;
  quantile: number | undefined;
  isCount: boolean;
}

const UNITS = /_(bytes|seconds|milliseconds|ms|percent|ratio)$/;

/** `node_memory_MemAvailable_bytes` → `node memory MemAvailable`. */
export function metricInWords(name: string): string {
  const bare = name
    .split(':')
    .filter((_part, i, all) => all.length < 3 || i === 1)
    .join(' ')
    .replace(/_(total|bucket|count|sum)$/, '')
    .replace(UNITS, '');
  return (bare === '' ? name : bare).replace(/[._]/g, ' ').trim();
}

function textOf(query: string, node: SyntaxNode | null): string {
  return node === null ? '' : query.slice(node.from, node.to);
}

/** What the first metric is, and what the outermost functions make of it. */
function read(query: string): Told {
  const told: Told = { what: '', by: [], top: 0, quantile: undefined, isCount: false };
  const metrics = new Set<string>();
  parser.parse(query).iterate({
    enter: ({ node, name }) => {
      if (name === 'VectorSelector') {
        const metric = metricOf(textOf(query, node));
        if (metric !== '') metrics.add(metricInWords(metric));
      }
      if (name === 'AggregateExpr') {
        const operator = textOf(query, node.getChild('AggregateOp')).toLowerCase();
        const first = textOf(
          query,
          node.getChild('FunctionCallBody')?.getChild('NumberDurationLiteral') ?? null,
        );
        if (operator === 'topk' && told.top === 0) told.top = Number(first);
        if (operator === 'count') told.isCount = true;
        const modifier = node.getChild('AggregateModifier');
        if (told.by.length === 0 && modifier !== null && /^\s*by/i.test(textOf(query, modifier)))
          told.by = textOf(query, modifier)
            .replace(/^\s*by\s*\(|\)\s*$/gi, '')
            .split(',')
            .map((one) => unquoted(one.trim()))
            .filter((one) => one !== '' && one !== 'le');
      }
      if (
        name === 'FunctionCall' &&
        /^histogram_quantile$/.test(textOf(query, node.getChild('FunctionIdentifier')))
      ) {
        const first = Number(
          textOf(query, node.getChild('FunctionCallBody')?.getChild('NumberDurationLiteral') ?? null),
        );
        if (Number.isFinite(first)) told.quantile = first;
      }
    },
  });
  told.what = [...metrics].slice(0, 2).join(' / ');
  return told;
}

function capital(text: string): string {
  return text.charAt(0).toLocaleUpperCase() + text.slice(1);
}

/** undefined: it has no metric that could be named. */
export function titleOfPromQL(query: string): string | undefined {
  if (query.length > QUERY_CHARS_MAX) return undefined;
  const { what, by, top, quantile, isCount } = read(query);
  if (what === '' || what.length > WORDS_MAX) return undefined;
  let title = what;
  if (quantile !== undefined && quantile >= 0 && quantile <= 1)
    title = t('title.quantile', { percent: Number((quantile * 100).toFixed(4)), what: title });
  else if (isCount) title = t('title.count', { what: title });
  if (Number.isSafeInteger(top) && top > 0) title = t('title.top', { top, what: title });
  if (by.length > 0) title = t('title.by', { what: title, labels: by.join(', ') });
  return capital(title);
}
