// HTML in a model's markdown. A few tags are drawn, as GitHub draws them; everything else between angle brackets
// (`<namespace>`, `List<String>`, a comment, a tag without its end) is text that the person is meant to read. No element is
// made of anything else, and none with an attribute of the text's choosing. Pure.
import { htmlFlow } from 'micromark-core-commonmark';
import type { Html, Link, Nodes, Paragraph, Parents, PhrasingContent, RootContent } from 'mdast';
import type { Code, Effects, Extension, State, TokenizeContext } from 'micromark-util-types';

import { appPath, safeLink } from '../../text';

/** Drawn within a line, when they are closed within it. */
const INLINE: ReadonlySet<string> = new Set(
  'b strong i em u s strike del ins sub sup kbd q samp var code tt mark small'.split(' '),
);
const VOID: ReadonlySet<string> = new Set(['br', 'wbr']);
/** Drawn around blocks. */
const FOLD = 'details';
const FOLD_TITLE = 'summary';
/** Attributes that say how a tag looks; whatever they say, it is drawn as ours. `if a<b then x else y>z` reads as <b>
 *  with five attributes, and is text. */
const LOOKS = /^(\s+(class|id|style|title|align|clear|dir|lang)\s*=\s*("[^"]*"|'[^']*'))*$/i;
const OPEN = /(^|\s)open(\s*=\s*\S+)?(?=\s|$)/i;
/** What tagsToElements() makes, for who checks the tree after it. */
export const TAGS: readonly string[] = [...INLINE, ...VOID, FOLD, FOLD_TITLE];

const LESS_THAN = 60;
const SLASH = 47;

/** Markdown takes any tag that begins a line as a block of HTML, and reads no markdown in it. Here only <details> and
 *  <summary> are blocks; a line that begins with another one is an ordinary line. */
export function foldsOnly(): Extension {
  return {
    disable: { null: ['htmlFlow'] },
    flow: {
      [LESS_THAN]: {
        ...htmlFlow,
        name: 'foldFlow',
        tokenize(this: TokenizeContext, effects: Effects, ok: State, nok: State): State {
          const block = htmlFlow.tokenize.call(this, effects, ok, nok);
          return effects.check({ tokenize: foldTag, partial: true }, block, nok);
        },
      },
    },
  };
}

/** `<details`, `</summary`, …: the rest of the tag is not looked at. */
function foldTag(effects: Effects, ok: State, nok: State): State {
  let name = '';
  const end = (code: Code): State | undefined => {
    const letter = code !== null && code > 0 ? String.fromCharCode(code) : '';
    if (/^[A-Za-z]$/.test(letter)) {
      name += letter.toLowerCase();
      effects.consume(code);
      return name.length > FOLD.length ? nok : end;
    }
    effects.exit('data');
    return name === FOLD || name === FOLD_TITLE ? ok(code) : nok(code);
  };
  const afterOpen = (code: Code): State | undefined => {
    if (code !== SLASH) return end(code);
    effects.consume(code);
    return end;
  };
  return (code) => {
    effects.enter('data');
    effects.consume(code);
    return afterOpen;
  };
}

/** An element; mdast-util-to-hast makes of it what `data` says. */
interface Tag {
  readonly type: 'tag';
  readonly children: RootContent[];
  readonly data: { readonly hName: string; readonly hProperties: Record<string, unknown> };
}

type Piece =
  | { readonly kind: 'node'; readonly node: RootContent }
  | { readonly kind: 'text'; readonly source: string }
  | { readonly kind: 'void'; readonly name: string }
  | { readonly kind: 'open'; readonly name: string; readonly source: string; readonly isOpen: boolean }
  | { readonly kind: 'close'; readonly name: string; readonly source: string };

const TAG = /<(\/?)([A-Za-z][A-Za-z0-9]*)(\s[^<>]*?)?\s*(\/?)>/g;

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: '\u00a0',
  hellip: '…',
  ndash: '–',
  mdash: '—',
  rarr: '→',
  times: '×',
  deg: '°',
  micro: 'µ',
  le: '≤',
  ge: '≥',
};

/** `#39` or `#x27`; undefined: no character has that number. */
function numbered(entity: string): string | undefined {
  const code = /^#x/i.test(entity) ? parseInt(entity.slice(2), 16) : Number(entity.slice(1));
  const isCharacter = code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  return isCharacter ? String.fromCodePoint(code) : undefined;
}

/** Text in a block of HTML is the one place where markdown leaves them to us. */
function withoutEntities(text: string): string {
  return text.replace(/&(#\d{1,7}|#[xX][\da-fA-F]{1,6}|[a-z]+);/g, (whole, name: string) => {
    if (name.startsWith('#')) return numbered(name) ?? whole;
    return Object.hasOwn(ENTITIES, name) ? (ENTITIES[name] ?? whole) : whole;
  });
}

function tagPiece(match: RegExpMatchArray, inBlock: boolean): Piece {
  const [source, slash, given = '', attributes = ''] = match;
  const name = given.toLowerCase();
  const isFold = inBlock && (name === FOLD || name === FOLD_TITLE);
  const isOpen = name === FOLD && OPEN.test(attributes.replace(/"[^"]*"|'[^']*'/g, '""'));
  const isDrawn = isFold || ((INLINE.has(name) || VOID.has(name)) && LOOKS.test(attributes.trimEnd()));
  if (!isDrawn) return { kind: 'text', source };
  if (VOID.has(name)) return slash === '' ? { kind: 'void', name } : { kind: 'text', source };
  return slash === '' ? { kind: 'open', name, source, isOpen } : { kind: 'close', name, source };
}

function piecesOf(html: Html, inBlock: boolean): readonly Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  const text = (end: number): void => {
    const source = html.value.slice(at, end);
    if (source !== '' && !(inBlock && source.trim() === ''))
      pieces.push({ kind: 'text', source: inBlock ? withoutEntities(source) : source });
  };
  for (const match of html.value.matchAll(TAG)) {
    text(match.index);
    pieces.push(tagPiece(match, inBlock));
    at = match.index + match[0].length;
  }
  text(html.value.length);
  return pieces;
}

interface Frame {
  readonly name: string;
  readonly source: string;
  readonly isOpen: boolean;
  readonly nodes: RootContent[];
}

function textNode(value: string): RootContent {
  return { type: 'text', value };
}

function element(
  name: string,
  children: RootContent[],
  hProperties: Record<string, unknown> = {},
): RootContent {
  const tag: Tag = { type: 'tag', children, data: { hName: name, hProperties } };
  return tag as unknown as RootContent;
}

/** What is open and never closed is text, but for <details>, which ends where what it is in ends. */
function closeLast(frames: Frame[], closing?: string): void {
  const frame = frames.pop();
  const parent = frames.at(-1);
  if (frame === undefined || parent === undefined) return;
  const { name, source, isOpen, nodes } = frame;
  const isDrawn = name === FOLD || (closing !== undefined && (name !== FOLD_TITLE || parent.name === FOLD));
  if (isDrawn) parent.nodes.push(element(name, nodes, isOpen ? { open: true } : {}));
  else parent.nodes.push(textNode(source), ...nodes, ...(closing === undefined ? [] : [textNode(closing)]));
}

function fold(pieces: readonly Piece[]): RootContent[] {
  const root: Frame = { name: '', source: '', isOpen: false, nodes: [] };
  const frames: Frame[] = [root];
  for (const piece of pieces) {
    const nodes = frames.at(-1)?.nodes ?? root.nodes;
    if (piece.kind === 'node') nodes.push(piece.node);
    else if (piece.kind === 'text') nodes.push(textNode(piece.source));
    else if (piece.kind === 'void') nodes.push(element(piece.name, []));
    else if (piece.kind === 'open') frames.push({ ...piece, nodes: [] });
    else {
      const at = frames.findLastIndex(({ name }) => name === piece.name);
      if (at <= 0) nodes.push(textNode(piece.source));
      else {
        while (frames.length > at + 1) closeLast(frames);
        closeLast(frames, piece.source);
      }
    }
  }
  while (frames.length > 1) closeLast(frames);
  return root.nodes;
}

const PHRASING = new Set(['text', 'emphasis', 'strong', 'delete', 'inlineCode', 'break', 'link', 'image']);

function isPhrasing(node: RootContent): boolean {
  const { type, data } = node as unknown as Tag;
  return (
    PHRASING.has(type) || ((type as string) === 'tag' && data.hName !== FOLD && data.hName !== FOLD_TITLE)
  );
}

/** Where blocks stand, words stand in paragraphs. */
function inParagraphs(nodes: readonly RootContent[]): RootContent[] {
  const result: RootContent[] = [];
  for (const node of nodes) {
    const last = result.at(-1);
    if (!isPhrasing(node)) {
      const { type, data, children } = node as unknown as Tag;
      if ((type as string) === 'tag' && data.hName === FOLD)
        children.splice(0, Infinity, ...inParagraphs(children));
      result.push(node);
    } else if (last?.type === 'paragraph' && last.position === undefined) {
      last.children.push(node as PhrasingContent);
    } else {
      const paragraph: Paragraph = { type: 'paragraph', children: [node as PhrasingContent] };
      result.push(paragraph);
    }
  }
  return result;
}

const BLOCK_PARENTS = new Set(['root', 'blockquote', 'listItem', 'footnoteDefinition']);

/** `<host:port>` and `<mailto:me>` read as links that lead nowhere: they keep their brackets. */
function bracketsOf(link: Link, source: string): string | undefined {
  const text = sourceOf(link, source);
  return text.startsWith('<') && text.endsWith('>') && safeLink(link.url) === undefined ? text : undefined;
}

/** `f[i](j)`, `[x](runbook.md)`: a link that leads nowhere is what was written. Undefined: it leads somewhere, or to a
 *  heading, whose words are in the text. */
function restOf(link: Link, source: string): string | undefined {
  const last = link.children.at(-1)?.position?.end.offset;
  const text = sourceOf(link, source);
  const isShown = safeLink(link.url) !== undefined || appPath(link.url) !== undefined;
  if (isShown || last === undefined || link.url.startsWith('#') || !text.startsWith('[')) return undefined;
  return source.slice(last, link.position?.end.offset);
}

/** `[error]: timeout` and a note that nothing refers to read as something that is not shown: they are text. */
function isUnused(node: RootContent, referred: ReadonlySet<string>): boolean {
  if (node.type === 'definition') return safeLink(node.url) === undefined;
  return node.type === 'footnoteDefinition' && !referred.has(node.identifier);
}

function referredBy(parent: Parents, found: Set<string> = new Set()): ReadonlySet<string> {
  for (const node of parent.children) {
    if (node.type === 'footnoteReference') found.add(node.identifier);
    if ('children' in node) referredBy(node, found);
  }
  return found;
}

function sourceOf(node: RootContent, source: string): string {
  return source.slice(node.position?.start.offset ?? 0, node.position?.end.offset ?? 0);
}

function visit(parent: Parents, source: string, referred: ReadonlySet<string>): void {
  const inBlock = BLOCK_PARENTS.has(parent.type);
  let changed = false;
  const pieces = (parent.children as readonly RootContent[]).flatMap((node): readonly Piece[] => {
    if (node.type === 'html') {
      changed = true;
      return piecesOf(node, inBlock);
    }
    const brackets = node.type === 'link' ? bracketsOf(node, source) : undefined;
    if (brackets !== undefined) {
      changed = true;
      return [{ kind: 'text', source: brackets }];
    }
    const rest = node.type === 'link' ? restOf(node, source) : undefined;
    if (node.type === 'link' && rest !== undefined) {
      changed = true;
      visit(node, source, referred);
      const children = node.children.map((child): Piece => ({ kind: 'node', node: child }));
      return [{ kind: 'text', source: '[' }, ...children, { kind: 'text', source: rest }];
    }
    if (isUnused(node, referred)) {
      changed = true;
      return [{ kind: 'text', source: sourceOf(node, source) }];
    }
    if ('children' in node) visit(node, source, referred);
    return [{ kind: 'node', node }];
  });
  if (!changed) return;
  const nodes = fold(pieces);
  (parent as { children: RootContent[] }).children = inBlock ? inParagraphs(nodes) : nodes;
}

/** A plugin of remark: after it no HTML is left in the tree. */
export function tagsToElements(this: unknown): (tree: Nodes, file: { value: unknown }) => void {
  const data = (this as { data(): { micromarkExtensions?: Extension[] } }).data();
  (data.micromarkExtensions ??= []).push(foldsOnly());
  return (tree, file) => {
    if ('children' in tree) visit(tree, String(file.value), referredBy(tree));
  };
}
