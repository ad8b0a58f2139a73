// What was pasted: a query, an alert, a dashboard of Grafana's. Pure.
import { parser } from '@prometheus-io/lezer-promql';

import { asList, asObject, asText, parseJson } from '../../api/events';

export type Pasted = 'promql' | 'logql' | 'alert' | 'grafana';

const CHARS_MAX = 16_000;

function isValidPromQL(text: string): boolean {
  let valid = true;
  parser.parse(text).iterate({
    enter: ({ type }) => {
      if (type.isError) valid = false;
      return valid;
    },
  });
  return valid;
}

/** A word alone could be anything. */
const QUERY_MARK = /[[({]|\bby\b/;

function ofJson(text: string): Pasted | undefined {
  const value = parseJson(text);
  const first = asObject(value) ?? asObject(asList(value)[0]);
  if (first === undefined) return undefined;
  const labels = asObject(first['labels']) ?? asObject(first['commonLabels']);
  const inner = asObject(asObject(asList(first['alerts'])[0])?.['labels']);
  if (asText(labels?.['alertname']) !== '' || asText(inner?.['alertname']) !== '') return 'alert';
  const board = asObject(first['dashboard']) ?? first;
  const panels = [...asList(board['panels']), ...asList(board['rows'])];
  if (panels.length > 0 && (board['schemaVersion'] !== undefined || board['templating'] !== undefined))
    return 'grafana';
  return panels.some((one) => asList(asObject(one)?.['targets']).length > 0) ? 'grafana' : undefined;
}

/** undefined: words. */
export function pastedAs(text: string): Pasted | undefined {
  const given = text.trim();
  if (given === '' || given.length > CHARS_MAX) return undefined;
  if (/^[[{]/.test(given)) {
    const json = ofJson(given);
    if (json !== undefined) return json;
  }
  if (
    /^\{.*\}/s.test(given) &&
    /\|[=~]|\|\s*(json|logfmt|line_format|pattern|regexp|unwrap)\b|^\{[^}]*\}\s*$/.test(given) &&
    /=/.test(given)
  )
    return /__name__/.test(given) ? 'promql' : 'logql';
  return QUERY_MARK.test(given) && isValidPromQL(given) ? 'promql' : undefined;
}
