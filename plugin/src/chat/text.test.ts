import { describe, expect, it } from 'vitest';

import { plain, safeLink } from './text';

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

describe('plain', () => {
  it('shows what would deceive the reader', () => {
    expect(plain('a\u202eb\u200bc\u0007d\ufeff')).toBe('a\ufffdb\ufffdc\ufffdd\ufffd');
    expect(plain('a\tb\nc ä 🙂')).toBe('a\tb\nc ä 🙂');
  });
});
