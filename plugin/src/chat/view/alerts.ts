// `> [!NOTE]` and its like: a quote whose first line is one of these marks and nothing else is drawn with its title, as
// GitHub draws it. Pure.
import type { Blockquote, Nodes, Parents } from 'mdast';

export const ALERTS = ['note', 'tip', 'important', 'warning', 'caution'] as const;
export type Alert = (typeof ALERTS)[number];

const MARK = /^\[!(\w+)\][ \t]*(?:\n|$)/;

export function isAlert(name: unknown): name is Alert {
  return (ALERTS as readonly unknown[]).includes(name);
}

function markAlert(quote: Blockquote): void {
  const [first] = quote.children;
  if (first?.type !== 'paragraph') return;
  const [text, next] = first.children;
  const [mark = '', word = ''] = text?.type === 'text' ? (MARK.exec(text.value) ?? []) : [];
  const name = word.toLowerCase();
  if (text?.type !== 'text' || !isAlert(name)) return;
  const isWholeText = mark.length === text.value.length;
  const endsLine = !isWholeText || next === undefined || next.type === 'break' || mark.endsWith('\n');
  const isAlone = isWholeText && next === undefined && quote.children.length === 1;
  if (!endsLine || isAlone) return;
  if (!isWholeText) text.value = text.value.slice(mark.length);
  else first.children.splice(0, next?.type === 'break' ? 2 : 1);
  if (first.children.length === 0) quote.children.shift();
  quote.data = { ...quote.data, hProperties: { dataAlert: name } };
}

function visit(parent: Parents): void {
  if (parent.type === 'blockquote') markAlert(parent);
  for (const node of parent.children) if ('children' in node) visit(node);
}

/** A plugin of remark: marks such quotes with `data-alert`. */
export function quotesToAlerts(): (tree: Nodes) => void {
  return (tree) => {
    if ('children' in tree) visit(tree);
  };
}
