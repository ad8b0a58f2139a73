import { readFileSync } from 'node:fs';

import { expect, it } from 'vitest';

import { countInvisible, plain, revealed } from './invisible';

function listed(): ReadonlySet<number> {
  const codes = new Set<number>();
  for (const line of readFileSync(new URL('../../proto/golden/invisible.txt', import.meta.url), 'utf8').split(
    '\n',
  )) {
    const [, first, last = first] = /^([0-9A-F]{4,6})(?:\.\.([0-9A-F]{4,6}))?/.exec(line) ?? [];
    if (first === undefined) continue;
    for (let code = parseInt(first, 16); code <= parseInt(last ?? first, 16); code++) codes.add(code);
  }
  return codes;
}

it("knows the worker's list, no more and no less", () => {
  const codes = listed();
  expect(codes.size).toBeGreaterThan(100_000);
  const wrong: number[] = [];
  for (let code = 0; code <= 0x10ffff; code++)
    if ((countInvisible(String.fromCodePoint(code)) === 1) !== codes.has(code)) wrong.push(code);
  expect(wrong).toEqual([]);
});

it('writes out what can not be seen', () => {
  const text = 'a\u200bb\u{e0041}c\u00add\u202ee\ufe0ff\ud800g\u3164\n\tä 🙂';
  expect(
    revealed(text)
      .map((part) => part.text)
      .join(''),
  ).toBe('a‹U+200B›b‹U+E0041›c‹U+00AD›d‹U+202E›e‹U+FE0F›f‹U+D800›g‹U+3164›\n\tä 🙂');
  expect(revealed(text).filter(({ hidden }) => hidden)).toHaveLength(7);
  expect(countInvisible(text)).toBe(7);
  expect(revealed('')).toEqual([]);
});

it('replaces in ordinary text what deceives, and leaves emoji and scripts whole', () => {
  expect(plain('a\u202eb\u200bc\u0007d\ufeff')).toBe('a\ufffdb\ufffdc\ufffdd\ufffd');
  expect(plain('tag\u{e0041}\u{e0042} soft\u00adhyphen \u3164')).toBe(
    'tag\ufffd\ufffd soft\ufffdhyphen \ufffd',
  );
  for (const text of ['a\tb\nc ä 🙂', '❤️', '👨‍👩‍👧‍👦', 'می‌خواهم', '\ue0a0']) expect(plain(text)).toBe(text);
});

it('takes the end of a line for one, and a return within it for what deceives', () => {
  expect(plain('a\r\nb\r\n')).toBe('a\nb\n');
  expect(plain('safe\rmore')).toBe('safe\ufffdmore');
});
