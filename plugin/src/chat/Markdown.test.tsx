// @vitest-environment jsdom
import { render, screen } from '@testing-library/react';
import { describe, expect, it } from 'vitest';

import { Markdown, splitBlocks } from './Markdown';

function show(text: string, complete = true): HTMLElement {
  return render(<Markdown text={text} complete={complete} />).container;
}

describe('Markdown', () => {
  it('draws tables, code and emphasis', () => {
    const page = show(
      '# Title\n\n| a | b |\n|---|--:|\n| 1 | **2** |\n\n```promql\nrate(x[5m])\n```\n\n`inline`',
    );
    expect(page.querySelectorAll('td')).toHaveLength(2);
    expect(page.querySelector('td strong')?.textContent).toBe('2');
    expect(page.querySelector('pre')?.textContent).toBe('rate(x[5m])');
    expect(page.querySelector('pre .fn')?.textContent).toBe('rate');
    expect(screen.getByRole('button', { name: 'Copy the code' })).toBeInTheDocument();
  });

  it.each([
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '<iframe src="https://evil.example"></iframe>',
    '<a href="javascript:alert(1)">x</a>',
    '<svg onload=alert(1)>',
    '<style>*{display:none}</style>',
    '<form action="https://evil.example"><input></form>',
  ])('keeps raw HTML out of the page: %s', (html) => {
    for (const text of [html, `before ${html} after`, `| a |\n|---|\n| ${html} |`]) {
      const page = show(text);
      expect(page.querySelector('script,img,iframe,svg:not(.MuiSvgIcon-root),style,form,input,a')).toBeNull();
      expect(page.innerHTML).not.toMatch(/ on\w+=/);
    }
  });

  it.each([
    '![x](https://evil.example/pixel.png)',
    '![x](//evil.example/pixel.png)',
    '![x](data:image/png;base64,AAAA)',
    '[![x](https://evil.example/pixel.png)](https://evil.example)',
    '![x][1]\n\n[1]: https://evil.example/pixel.png',
  ])('loads no image: %s', (text) => {
    expect(show(text).querySelector('img,picture,source')).toBeNull();
  });

  it.each([
    '[x](javascript:alert(1))',
    '[x](data:text/html,x)',
    '[x](//evil.example)',
    '[x](/api/v1/x)',
    '<javascript:alert(1)>',
  ])('makes no link of %s', (text) => {
    expect(show(text).querySelector('a')).toBeNull();
  });

  it('shows where a link leads', () => {
    show('[the manual](https://example.org/a)');
    const link = screen.getByRole('link', { name: 'the manual' });
    expect(link).toHaveAttribute('href', 'https://example.org/a');
    expect(link).toHaveAttribute('rel', 'noopener noreferrer nofollow');
    expect(link).toHaveAttribute('target', '_blank');
    expect(screen.getByText('(example.org)')).toBeInTheDocument();
  });

  it('closes what is still open while it streams', () => {
    expect(show('This is **bol', false).querySelector('strong')?.textContent).toBe('bol');
    expect(show('This is **bol', true).querySelector('strong')).toBeNull();
  });

  it('never throws, wherever a stream is cut', () => {
    const text =
      '# T\n\n- [x] a\n- b `c`\n\n> q\n\n| a | b |\n|---|---|\n| [l](https://e.org) | ~~x~~ |\n\n```\ncode\n```\n\n[^1] \\( x \\) <b>';
    for (let end = 0; end <= text.length; end++) show(text.slice(0, end), false);
  });

  it('splits into blocks that together are the text', () => {
    const text = 'a\n\nb\n\n```\nx\n\ny\n```\n\n- 1\n- 2\n';
    expect(splitBlocks(text).join('')).toBe(text);
  });
});
