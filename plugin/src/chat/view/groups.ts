// What of an answer stands where: lookups folded into one row, queries side by side when they are many, the rest as it
// was said. Pure.
import { isQueryTool } from '../tools/panels';
import { Block, Call, TurnStatus } from '../store/reduce';

export type Item =
  | { readonly kind: 'block'; readonly key: string; readonly block: Block; readonly compact: boolean }
  | {
      readonly kind: 'lookups';
      readonly key: string;
      readonly calls: readonly Call[];
      /** What was said on the way, and is not the answer. */
      readonly notes: readonly string[];
    };

/** With as many the charts are small, so that they and the conclusion are on one screen. */
const COMPACT_FROM = 3;
/** What is longer is part of the answer. */
const NOTE_CHARS_MAX = 400;

/** Drawn, proposed, cited or waiting: a card of its own. All else is how the model found its way. */
const SHOWN = new Set([
  'propose_panel',
  'propose_dashboard',
  'save_panel',
  'save_dashboard',
  'search_docs',
  'read_doc',
  'use_datasource',
]);

function isLookup({ name, state }: Call): boolean {
  return state !== 'awaiting' && !isQueryTool(name) && !SHOWN.has(name);
}

/** Lines, traces and profiles are read rather than seen at a glance. */
const READ = /^(?:loki|tempo|pyroscope)_/;

/** Small beside others; what is proposed is looked at for itself. */
function isSmall(block: Block): boolean {
  return (
    block.kind === 'call' &&
    isQueryTool(block.call.name) &&
    !READ.test(block.call.name) &&
    !SHOWN.has(block.call.name) &&
    block.call.state !== 'failed'
  );
}

function isNote(block: Block): boolean {
  return block.kind === 'text' && block.text.length <= NOTE_CHARS_MAX;
}

/** An answer of many queries that is over: first how it was found, then the charts, then what was concluded. */
function gathered(blocks: readonly Block[]): { rest: readonly Block[]; notes: readonly string[] } {
  const lastCall = blocks.findLastIndex(({ kind }) => kind === 'call');
  const before = blocks.slice(0, lastCall + 1);
  const notes = before.filter(isNote);
  const small = before.filter(isSmall);
  const other = before.filter((block) => !isNote(block) && !isSmall(block));
  return {
    rest: [...other, ...small, ...blocks.slice(lastCall + 1)],
    notes: notes.flatMap((block) => (block.kind === 'text' ? [block.text.trim()] : [])),
  };
}

export function itemsOf(blocks: readonly Block[], status: TurnStatus): readonly Item[] {
  const compact = blocks.filter(isSmall).length >= COMPACT_FROM;
  const lookups = blocks.flatMap((block) =>
    block.kind === 'call' && isLookup(block.call) ? [block.call] : [],
  );
  const isConcluded = status === 'done' && blocks.at(-1)?.kind === 'text';
  const { rest, notes } = compact && isConcluded ? gathered(blocks) : { rest: blocks, notes: [] };
  const items: Item[] = [];
  const row: Item = { kind: 'lookups', key: 'lookups', calls: lookups, notes };
  let isTold = lookups.length === 0 && notes.length === 0;
  for (const block of rest) {
    const folded = block.kind === 'call' && isLookup(block.call);
    // Reasoning and notices come before it; what was looked up before anything else.
    const isPlace = folded || (notes.length > 0 && (block.kind === 'call' || block.kind === 'text'));
    if (!isTold && isPlace) {
      items.push(row);
      isTold = true;
    }
    if (!folded) items.push({ kind: 'block', key: block.key, block, compact: compact && isSmall(block) });
  }
  return items;
}
