// What was pasted: a query, an alert, a dashboard of Grafana's; and what of it goes along with a question. Pure.
import { parser } from '@prometheus-io/lezer-promql';

import { asList, asObject, asText, parseJson } from '../../api/events';

export type Pasted = 'promql' | 'logql' | 'alert' | 'grafana';

/** Parsing takes time in proportion to the text. */
const QUERY_CHARS_MAX = 16_000;
/** Dashboards of Grafana's are large. */
const JSON_CHARS_MAX = 4_000_000;

/** As Grafana's editor has them: a time that depends on the graph, or a variable. */
const GRAFANA_TIME = /(?<=[[:])\s*\$(?:\w+|\{\w+\})\s*(?=[\]:])/g;

/** A word alone could be anything, and two with a sign between them a sum in somebody's words. */
const QUERY_MARK = /[[({]|\bby\b|\boffset\b|^[a-z_:][\w:]*\s*(?:[=!<>]=|[<>])\s*-?[\d.]+$/;

function isValidPromQL(text: string): boolean {
  let valid = true;
  let named = 0;
  let selectors = 0;
  parser.parse(text).iterate({
    enter: ({ type, node }) => {
      if (type.isError) valid = false;
      if (type.name === 'VectorSelector') {
        selectors += 1;
        if (
          !text.slice(node.from, node.to).startsWith('{') ||
          /__name__|^\{\s*["']/.test(text.slice(node.from, node.to))
        )
          named += 1;
      }
      return valid;
    },
  });
  // Numbers without a metric are a sum; selectors without any name of a metric are Loki's.
  return valid && (selectors === 0 ? /[a-z]/i.test(text) : named > 0);
}

const LOGQL_STAGE =
  /\|[=~]|\|\s*(?:json|logfmt|line_format|label_format|pattern|regexp|unpack|unwrap|decolorize|drop|keep)\b/;
/** A selector, first of all or in what counts its lines. */
const LOGQL_START = /^(?:\{|[a-z_]+\b[^{]*\(\s*\{|[a-z_]+\s+(?:by|without)\s*\()/;
const LOGQL_RANGE = /\(\s*\{[^}]*=[^}]*\}\s*\[/;

function isLogQL(text: string): boolean {
  if (!/\{[^}]*=[^}]*\}/.test(text) || /__name__|\{\s*["']/.test(text)) return false;
  return (
    LOGQL_START.test(text) && (LOGQL_STAGE.test(text) || /^\{[^}]*\}$/.test(text) || LOGQL_RANGE.test(text))
  );
}

function isAlert(value: unknown): boolean {
  return asText(asObject(asObject(value)?.['labels'])?.['alertname']) !== '';
}

function hasTargets(panel: unknown): boolean {
  return asList(asObject(panel)?.['targets']).length > 0;
}

function ofJson(text: string): Pasted | undefined {
  const value = parseJson(text);
  const first = asObject(value) ?? asObject(asList(value)[0]);
  if (first === undefined) return undefined;
  const common = asText(asObject(first['commonLabels'])?.['alertname']) !== '';
  // One of them, Alertmanager's notification, or what Prometheus answers.
  const listed = [...asList(first['alerts']), ...asList(asObject(first['data'])?.['alerts'])];
  if (common || isAlert(first) || isAlert(listed[0])) return 'alert';
  const board = asObject(first['dashboard']) ?? first;
  const panels = panelsOf(board);
  if (panels.length > 0 && (board['schemaVersion'] !== undefined || board['templating'] !== undefined))
    return 'grafana';
  return panels.some(hasTargets) || (hasTargets(board) && asText(board['type']) !== '')
    ? 'grafana'
    : undefined;
}

/** Those of rows, too: a row that is folded has them within, as had all rows of old. */
function panelsOf(
  board: Readonly<Record<string, unknown>>,
): ReadonlyArray<Readonly<Record<string, unknown>>> {
  return [...asList(board['panels']), ...asList(board['rows'])].flatMap((one) => {
    const panel = asObject(one);
    if (panel === undefined) return [];
    const within = asList(panel['panels'])
      .map(asObject)
      .filter((inner) => inner !== undefined);
    return within.length > 0 ? within : [panel];
  });
}

/** undefined: words. */
export function pastedAs(text: string): Pasted | undefined {
  const given = text.trim();
  if (given === '' || given.length > JSON_CHARS_MAX) return undefined;
  if (/^[[{]/.test(given)) {
    const json = ofJson(given);
    if (json !== undefined) return json;
  }
  if (given.length > QUERY_CHARS_MAX) return undefined;
  if (/^\s*(?:-\s*)?alert:\s*\S/m.test(given) && /^\s*expr:/m.test(given)) return 'alert';
  const query = given.replaceAll(GRAFANA_TIME, '5m');
  if (isLogQL(query)) return 'logql';
  return QUERY_MARK.test(query) && isValidPromQL(query) ? 'promql' : undefined;
}

/** What is kept of a panel: what it shows, not how it looks. */
function shortPanel(panel: Readonly<Record<string, unknown>>): unknown {
  const { title, type, description, targets, fieldConfig } = panel;
  const unit = asObject(asObject(fieldConfig)?.['defaults'])?.['unit'];
  const queries = asList(targets).map((one) => {
    const { expr, query, legendFormat } = asObject(one) ?? {};
    return { expr, query, legendFormat };
  });
  return { title, type, description, unit, targets: queries };
}

/** A dashboard of Grafana's that is too long: its variables, and of its panels the first that find room. */
export function shortened(text: string, charsMax: number): string {
  const value = asObject(parseJson(text));
  const board = asObject(value?.['dashboard']) ?? value;
  if (board === undefined) return text.slice(0, charsMax);
  const all = panelsOf(board).filter(({ type }) => type !== 'row');
  const variables = asList(asObject(board['templating'])?.['list']).map((one) => {
    const { name, type, query, definition } = asObject(one) ?? {};
    return { name, type, query: definition ?? query };
  });
  const written = (count: number): string => {
    const panels = all.slice(0, count).map(shortPanel);
    const left = all.length - count;
    return JSON.stringify({
      title: board['title'],
      variables,
      panels,
      ...(left > 0 ? { panelsLeftOut: left } : {}),
    });
  };
  let [fits, tooMany] = [0, all.length + 1];
  while (tooMany - fits > 1) {
    const middle = Math.floor((fits + tooMany) / 2);
    if (written(middle).length <= charsMax) fits = middle;
    else tooMany = middle;
  }
  return written(fits).slice(0, charsMax);
}
