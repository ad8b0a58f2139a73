// The name of the metric that a vector selector asks for. Pure.

const STRING = String.raw`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|` + '`[^`]*`';
/** A matcher, or a string alone, which is the metric's name: `{"http.server.duration", job="x"}`. */
const MATCHER = new RegExp(String.raw`(?:(${STRING}|[\w.:-]+)\s*(=~|!~|!=|=)\s*)?(${STRING})`, 'g');

/** Without the quotes of the query language; what has none is as it is. */
export function unquoted(text: string): string {
  if (!/^["'`]/.test(text)) return text;
  const inside = text.slice(1, -1);
  return text.startsWith('`') ? inside : inside.replace(/\\(.)/g, '$1');
}

/** Of a selector's text: `name{…}`, `{"name", …}`, `{__name__="name", …}`; empty: it has none. */
export function metricOf(selector: string): string {
  const [bare = ''] = /^[^{}\s]+/.exec(selector) ?? [];
  if (bare !== '') return bare;
  for (const [, label, operator, value = ''] of selector.matchAll(MATCHER)) {
    const isName = label === undefined || (unquoted(label) === '__name__' && operator === '=');
    if (isName) return unquoted(value);
  }
  return '';
}
