// A text of markdown in pieces that can be drawn one by one: while an answer streams only the last one changes. What a
// piece refers to elsewhere (`[1]: https://…`) is put before it. Pure.
import { marked } from 'marked';

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

export function splitBlocks(text: string): readonly string[] {
  if (FOOTNOTE.test(text)) return [text];
  const tokens = marked.lexer(text, { gfm: true });
  const links: Links = Object.entries(tokens.links);
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
