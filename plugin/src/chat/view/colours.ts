// The parts of a text in JSON, YAML or LogQL, for their colours. No grammar: what is not known is left as it is. Pure.

export type PartClass = 'fn' | 'str' | 'num' | 'label' | 'op' | 'comment' | '';

export interface Part {
  readonly text: string;
  readonly class: PartClass;
}

const STRING = String.raw`"(?:[^"\\\n]|\\.)*"`;

/** Each alternative is a class, in its order. */
const RULES: Readonly<Record<string, { readonly pattern: RegExp; readonly classes: readonly PartClass[] }>> =
  {
    json: {
      pattern: new RegExp(
        `(${STRING}(?=\\s*:))|(${STRING})|(-?\\b\\d+(?:\\.\\d+)?(?:[eE][+-]?\\d+)?\\b)|\\b(true|false|null)\\b`,
        'g',
      ),
      classes: ['label', 'str', 'num', 'fn'],
    },
    yaml: {
      pattern: new RegExp(
        `((?:^|(?<=\\s))#.*$)|((?<=^[\\s-]*)[\\w./-]+(?=:(?:\\s|$)))|(${STRING}|'[^'\\n]*')|(?<=:\\s+|-\\s+)(-?\\d+(?:\\.\\d+)?)(?=\\s*$)|\\b(true|false|null)\\b`,
        'gm',
      ),
      classes: ['comment', 'label', 'str', 'num', 'fn'],
    },
    logql: {
      pattern: new RegExp(
        '(#.*$)|(' +
          STRING +
          '|`[^`]*`)|\\b(sum|avg|min|max|count|topk|bottomk|rate|count_over_time|bytes_rate|bytes_over_time|sum_over_time|avg_over_time|max_over_time|min_over_time|quantile_over_time|absent_over_time|by|without|json|logfmt|pattern|regexp|unpack|line_format|label_format|unwrap|decolorize|drop|keep)\\b|(\\w+)(?=\\s*(?:=~|!~|!=|=))|(\\b\\d+(?:\\.\\d+)?(?:ms|[smhdwy])?\\b)|(\\|=|\\|~|!=|!~|=~|\\||=)',
        'gm',
      ),
      classes: ['comment', 'str', 'fn', 'label', 'num', 'op'],
    },
  };

const NAMES: Readonly<Record<string, string>> = { yml: 'yaml', loki: 'logql', jsonc: 'json' };
const CHARS_MAX = 20_000;

export function partsOf(text: string, language: string): readonly Part[] {
  const rule = RULES[NAMES[language] ?? language];
  if (rule === undefined || text.length > CHARS_MAX) return [{ text, class: '' }];
  const parts: Part[] = [];
  let at = 0;
  for (const match of text.matchAll(rule.pattern)) {
    const which = match.slice(1).findIndex((part) => part !== undefined);
    if (match[0] === '') continue;
    if (match.index > at) parts.push({ text: text.slice(at, match.index), class: '' });
    parts.push({ text: match[0], class: rule.classes[which] ?? '' });
    at = match.index + match[0].length;
  }
  if (at < text.length) parts.push({ text: text.slice(at), class: '' });
  return parts;
}
