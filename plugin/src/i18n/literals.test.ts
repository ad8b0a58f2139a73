// What a person reads stands in the files of languages and nowhere else: the sources are read as TypeScript reads them.
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const SRC = resolve(__dirname, '..');
/** Attributes and properties whose text is read by a person. */
const READ = new Set([
  'aria-label',
  'aria-description',
  'alt',
  'helperText',
  'label',
  'placeholder',
  'primary',
  'secondary',
  'title',
  'titleAccess',
  'header',
]);
/** Not ours to translate: what Perses itself shows of its own, names of products, the tests' own. */
const LEFT_OUT = /units\.ts$|tags\.ts$|stream\.ts$|\.test\.tsx?$|\/test\/|\/i18n\/|\.d\.ts$/;

function filesOf(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesOf(path);
    return /\.tsx?$/.test(entry.name) && !LEFT_OUT.test(path) ? [path] : [];
  });
}

const PRODUCTS = new Set(['Perses', 'PersAI']);

/** Words, not names of fields, units or signs. */
function isWords(text: string): boolean {
  return /[A-Za-z]{2,}/.test(text) && !PRODUCTS.has(text.trim()) && !/^[a-z0-9_.:/-]+$/.test(text.trim());
}

/** A sentence wherever it stands: a capital, and words after it. */
function isSentence(text: string): boolean {
  return /^[A-Z][a-z']+( [\w'’,/;:-]+)+[.?!…]?$/.test(text.trim()) || /[a-z] [a-z]+ [a-z]+/.test(text);
}

/** Lists of names, and what a browser reads. */
const NO_SENTENCE = /^(a blockquote|table tbody|noopener)/;

function isThrown(node: ts.Node): boolean {
  for (let at: ts.Node | undefined = node; at !== undefined; at = at.parent)
    if (ts.isThrowStatement(at)) return true;
  return false;
}

function textsOf(node: ts.Node): readonly string[] {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return [node.text];
  if (ts.isTemplateExpression(node))
    return [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)];
  return [];
}

function isReadHere(node: ts.Node): boolean {
  for (let at: ts.Node = node; at.parent !== undefined; at = at.parent) {
    const { parent } = at;
    if (ts.isCallExpression(parent) || ts.isBinaryExpression(parent) || ts.isElementAccessExpression(parent))
      return false;
    if (ts.isJsxAttribute(parent)) return READ.has(parent.name.getText());
    if (ts.isPropertyAssignment(parent)) return READ.has(parent.name.getText().replace(/['"]/g, ''));
    if (ts.isJsxExpression(parent) && (ts.isJsxElement(parent.parent) || ts.isJsxFragment(parent.parent)))
      return true;
    if (ts.isStatement(parent) && !ts.isReturnStatement(parent)) return false;
  }
  return false;
}

/** `titleAccess="done"`: a word is no name of a field there. */
function isWordRead({ parent }: ts.Node, text: string): boolean {
  return ts.isJsxAttribute(parent) && READ.has(parent.name.getText()) && /^[a-z]{2,}$/.test(text);
}

function literalsOf(path: string): readonly string[] {
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const tell = (node: ts.Node, text: string): void => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart());
    found.push(`${relative(SRC, path)}:${line + 1}: ${text.trim()}`);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) return;
    if (ts.isJsxText(node) && isWords(node.text)) tell(node, node.text);
    for (const text of textsOf(node)) {
      const isRead = isWordRead(node, text) || (isWords(text) && !NO_SENTENCE.test(text) && isReadHere(node));
      if (isRead || (isSentence(text) && !NO_SENTENCE.test(text) && !isThrown(node))) tell(node, text);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

describe('a source', () => {
  it('holds nothing that a person reads', () => {
    expect(filesOf(SRC).flatMap(literalsOf)).toEqual([]);
  });
});
