// A text of markdown in pieces that can be drawn one by one: while an answer streams only the last one changes. What a
// piece refers to elsewhere (`[1]: https://…`) is put before it. Pure.
import { marked } from 'marked';

import { safeLink } from '../../text';

/** A footnote is drawn below everything and numbered in its order: such a text is one piece. */
const FOOTNOTE = /^ {0,3}\[\^[^\]\s]+\]:/m;
/** With more of them, the whole text is one piece: each block is searched for each. */
const DEFINITIONS_MAX = 200;

type Links = ReadonlyArray<readonly [string, { readonly href: string | null }]>;

/** How many <details> are open behind this block of HTML. */
function foldsOpened(raw: string): number {
  return (raw.match(/<details[\s>]/gi)?.length ?? 0) - (raw.match(/<\/details\s*>/gi)?.length ?? 0);
}

/** The definitions that a block refers to, as markdown. */
function definitionsFor(raw: string, links: Links): string {
  if (links.length === 0 || !raw.includes('[')) return '';
  const folded = raw.toLowerCase().replace(/\s+/g, ' ');
  return links
    .filter(([label]) => folded.includes(`[${label}]`))
    .map(([label, { href }]) => `[${label}]: <${(href ?? '').replace(/[<>\s]/g, encodeURIComponent)}>\n\n`)
    .join('');
}

const CELL = /(?<!\\)\|/g;
const PREFIX = /^[\s>*+-]*(\d+[.)]\s*)?\|/;
/** Quotes and lists that a line is in. */
const WITHIN = /^(?:[ \t]*(?:>|[-*+](?=[ \t])|\d{1,9}[.)](?=[ \t])))*[ \t]*/;
/** The line below a table's head. Each cell ends at a bar, so there is one way to read a line: with optional bars
 *  `|--------- x` took time exponential in its length. */
const RULE = /^\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
const FENCE = /^[\s>*+-]*(```+|~~~+)/;

function cellsOf(row: string): number {
  return row
    .replace(PREFIX, '')
    .replace(/(?<!\\)\|\s*$/, '')
    .split(CELL).length;
}

function barsInCode(row: string): string {
  return row.replace(/(?<!`)(`+)(?!`)(.*?[^`])\1(?!`)/g, (code) => code.replace(CELL, '\\|'));
}

function barsInQuotes(row: string): string {
  return row.replace(/(?<!\w)"[^"]*"/g, (quoted) => quoted.replace(CELL, '\\|'));
}

/** What is too much stands in the last cell. */
function barsAtEnd(row: string, columns: number): string {
  const begin = PREFIX.exec(row)?.[0] ?? '';
  const end = /(?<!\\)\|\s*$/.exec(row)?.[0] ?? '';
  const cells = row.slice(begin.length, row.length - end.length).split(CELL);
  if (cells.slice(columns).join('').trim() === '') return row;
  const last = cells.slice(columns - 1).join('\\|');
  return begin + [...cells.slice(0, columns - 1), last].join('|') + end;
}

/** Markdown parts a table's row at each bar, also in code, and drops the cells that the table has no column for: of
 *  `a|b` the rest of the row would be lost. Such a row's bars in code are its text, else those in quotes
 *  (`{code=~"4..|5.."}`), else the last ones. */
function wholeRow(row: string, columns: number): string {
  const inCode = barsInCode(row);
  if (cellsOf(inCode) <= columns) return inCode;
  const inQuotes = barsInQuotes(inCode);
  return cellsOf(inQuotes) === columns ? inQuotes : barsAtEnd(inCode, columns);
}

function withWholeRows(text: string): string {
  if (!text.includes('|')) return text;
  const lines = text.split('\n');
  let columns = 0;
  let fence = '';
  return lines
    .map((line, i) => {
      const mark = FENCE.exec(line)?.[1] ?? '';
      if (mark !== '' && (fence === '' || mark.startsWith(fence))) fence = fence === '' ? mark : '';
      if (fence !== '' || !line.includes('|')) columns = 0;
      else if (columns === 0 && RULE.test(line.replace(WITHIN, ''))) columns = cellsOf(lines[i - 1] ?? '');
      else if (columns > 0 && cellsOf(line) > columns) return wholeRow(line, columns);
      return line;
    })
    .join('\n');
}

const DEFINITION = /^((?: {0,3}|[ \t]*(?:[-*+>]|\d+[.)])[ \t>]*))\[(?!\^)([^[\]]+)\](?=:[ \t]*<?https?:)/i;

function foldedLabel(label: string): string {
  return label.trim().toLowerCase().replace(/\s+/g, ' ');
}

/** `[GET]: https://…`, which nothing refers to, or a second one of the same name, reads as something that is not shown: it
 *  is text. */
function withUnusedDefinitions(text: string): string {
  if (!/\]:[ \t]*<?https?:/i.test(text)) return text;
  const lines = text.split('\n');
  const rest = lines.map((line) => line.replace(DEFINITION, '$1')).join('\n');
  const used = new Set([...rest.matchAll(/\[([^[\]]+)\]/g)].map(([, label = '']) => foldedLabel(label)));
  let fence = '';
  return lines
    .map((line) => {
      const mark = FENCE.exec(line)?.[1] ?? '';
      if (mark !== '' && (fence === '' || mark.startsWith(fence))) fence = fence === '' ? mark : '';
      const label = fence === '' ? DEFINITION.exec(line)?.[2] : undefined;
      // Of two of a name the first one counts.
      return label === undefined || used.delete(foldedLabel(label))
        ? line
        : line.replace(DEFINITION, '$1\\[$2]');
    })
    .join('\n');
}

const OPENS_FOLD = /^[ \t]*(?:[-*+>]|\d+[.)])?[ \t]*<details(?=[\s>])/i;
const ENDS_FOLD = /^(.*\S)[ \t]*<\/details[ \t]*>[ \t]*$/i;

/** `- the last item</details>`: markdown takes a tag for a block's only where it begins the line, and GitHub ends the
 *  fold here all the same. */
function withFoldsEnded(text: string): string {
  if (!/<\/details/i.test(text)) return text;
  let open = 0;
  let fence = '';
  return text
    .split('\n')
    .map((line) => {
      const mark = FENCE.exec(line)?.[1] ?? '';
      if (mark !== '' && (fence === '' || mark.startsWith(fence))) fence = fence === '' ? mark : '';
      if (fence !== '' || mark !== '') return line;
      const before = ENDS_FOLD.exec(line)?.[1];
      const isOfText = before !== undefined && open > 0 && !/^\s*<|`[^`]*$/.test(before);
      open = Math.max(0, open + (OPENS_FOLD.test(line) ? 1 : 0) + Math.min(0, foldsOpened(line)));
      return isOfText ? `${before}\n\n</details>` : line;
    })
    .join('\n');
}

export function splitBlocks(given: string): readonly string[] {
  const text = withFoldsEnded(withWholeRows(withUnusedDefinitions(given)));
  if (FOOTNOTE.test(text)) return [text];
  const tokens = marked.lexer(text, { gfm: true });
  // What leads nowhere is no definition but text (tags.ts).
  const links: Links = Object.entries(tokens.links).filter(([, { href }]) => safeLink(href ?? ''));
  if (links.length > DEFINITIONS_MAX) return [text];
  const blocks: string[] = [];
  let open = 0;
  for (const { type, raw } of tokens) {
    // Only whole lines are pieces: marked ends a `<?…?>` in the middle of one.
    const goesOn = open > 0 || blocks.at(-1)?.endsWith('\n') === false;
    blocks.push((goesOn ? (blocks.pop() ?? '') : '') + raw);
    if (type === 'html') open = Math.max(0, open + foldsOpened(raw));
  }
  return blocks.map((raw) => definitionsFor(raw, links) + raw);
}
