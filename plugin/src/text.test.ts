import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { appPath, fitting, plain, safeLink, shorten, usageText, wellFormed } from './text';

describe('safeLink', () => {
  it.each(['https://example.org/a?b#c', 'http://example.org', 'HTTPS://example.org/'])(
    'lets %s through',
    (href) => {
      expect(safeLink(href)?.host).toBe('example.org');
    },
  );

  it.each([
    undefined,
    '',
    '//example.org',
    '/relative',
    'relative',
    '#fragment',
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    'java\nscript:alert(1)',
    ' javascript:alert(1)',
    'data:text/html,<script>alert(1)</script>',
    'vbscript:x',
    'file:///etc/passwd',
    'ftp://example.org',
    'https:example.org',
    'https:/example.org',
    'https:\\\\example.org',
    'https:///example.org',
    'https://user:password@example.org',
    'https://example.org\t/x',
    'https://',
    'blob:https://example.org/x',
  ])('refuses %s', (href) => {
    expect(safeLink(href)).toBeUndefined();
  });
});

describe('appPath', () => {
  const origin = 'https://perses.example';

  beforeEach(() => vi.stubGlobal('location', { origin }));
  afterEach(() => vi.unstubAllGlobals());

  it.each([
    ['/projects/p/dashboards/d?var=x#y', '/projects/p/dashboards/d?var=x#y'],
    ['/explore', '/explore'],
    [`${origin}/explore?explorer=x`, '/explore?explorer=x'],
  ])('leads %s to %s', (href, path) => {
    expect(appPath(href)).toBe(path);
  });

  it.each([
    undefined,
    '',
    'projects',
    '/',
    '/api/v1/projects',
    '/projectsx',
    '/proxy/globaldatasources/x',
    '/projects/../api/v1/x',
    '/projects/%2e%2e/api/v1/x',
    '//evil.example/projects',
    '/\\evil.example/projects',
    '\\/evil.example/projects',
    '/projects\n/x',
    '@evil.example/projects',
    'https://evil.example/projects',
    'javascript:/projects',
  ])('refuses %s', (href) => {
    expect(appPath(href)).toBeUndefined();
  });
});

describe('plain', () => {
  it('shows what would deceive the reader', () => {
    expect(plain('a\u202eb\u200bc\u0007d\ufeff')).toBe('a\ufffdb\ufffdc\ufffdd\ufffd');
    expect(plain('a\tb\nc ä 🙂')).toBe('a\tb\nc ä 🙂');
  });
});

describe('shorten', () => {
  const family = '👨‍👩‍👧‍👦';
  it.each([
    ['abc', 3, 'abc'],
    ['abcd', 3, 'ab…'],
    ['ab🙂d', 4, 'ab…'],
    ['ab🙂cd', 5, 'ab🙂…'],
    [`abcdefghij${family}x`, 12, 'abcdefghij…'],
    [`abcdefghij🇩🇪x`, 13, 'abcdefghij…'],
    ['abcde\u0301f', 6, 'abcd…'],
    ['ab\r\nc', 4, 'ab…'],
    ['', 0, ''],
    ['x', 0, '…'],
  ])('cuts %j at %i between two characters', (text, max, shown) => {
    expect(shorten(text, max)).toBe(shown);
  });

  it('still cuts a letter with more accents than there is room, and never makes half a character', () => {
    const heap = 'a' + '\u0301'.repeat(500);
    expect(shorten(heap, 100)).toHaveLength(100);
    const crowd = family.repeat(100);
    for (let max = 1; max < 60; max++) {
      const cut = shorten(crowd, max);
      expect(cut.length).toBeLessThanOrEqual(max);
      expect(wellFormed(cut)).toBe(cut);
    }
  });
});

describe('wellFormed', () => {
  it('replaces halves of characters only', () => {
    expect(wellFormed('a\ud83d b\ude42 \ude42\ud83d 🙂 \ud83d')).toBe(
      'a\ufffd b\ufffd \ufffd\ufffd 🙂 \ufffd',
    );
  });
});

describe('what an answer used', () => {
  it.each([
    [{ inputTokens: 11_000, outputTokens: 1_234, cost: 0.0123 }, '$0.012 · 12k tokens'],
    [{ inputTokens: 0, outputTokens: 1, cost: 0 }, '$0.00 · 1 token'],
    [{ inputTokens: 900, outputTokens: 99, cost: 0.000001 }, '< $0.0001 · 999 tokens'],
    [{ inputTokens: 1_500_000, outputTokens: 0, cost: 12.345 }, '$12.35 · 1.5M tokens'],
    [{ inputTokens: 5, outputTokens: 5, cost: 0.999 }, '$0.999 · 10 tokens'],
    [{ inputTokens: 5, outputTokens: 5 }, '– · 10 tokens'],
    [{ inputTokens: 0, outputTokens: 0, cost: 0 }, ''],
    [undefined, ''],
  ])('%j is said as "%s"', (usage, text) => {
    expect(usageText(usage)).toBe(text);
  });
});

it.each([
  ['abcdef', 3, 'abc'],
  ['abc', 3, 'abc'],
  ['维护中', 8, '维护'],
  ['维护中', 9, '维护中'],
  ['a😀b', 4, 'a'],
  ['', 3, ''],
])('fitting: %s in %i bytes', (text, bytesMax, kept) => {
  expect(fitting(text, bytesMax)).toBe(kept);
});
