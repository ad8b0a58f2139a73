// @vitest-environment jsdom
import { render, screen } from '@testing-library/react';
import { describe, expect, it } from 'vitest';

import { splitBlocks } from './blocks';
import { Markdown } from './Markdown';

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
    ['**中文（说明）**后面有字', '中文（说明）', '后面有字'],
    ['这是**“负载”**的平均值', '“负载”', '这是的平均值'],
    ['**メモリ（RSS）**は3.2 GiBです。', 'メモリ（RSS）', 'は3.2 GiBです。'],
    ['最大は**92.5%**です', '92.5%', '最大はです'],
    ['**`node_load1`**は高い', 'node_load1', 'は高い'],
    ['**부하(load)**가 높습니다', '부하(load)', '가 높습니다'],
  ])('sees what is strong where no space stands around it: %s', (text, strong, rest) => {
    for (const complete of [true, false]) {
      const page = show(text, complete);
      expect(page.querySelector('strong')?.textContent).toBe(strong);
      page.querySelector('strong')?.remove();
      expect(page.textContent).toBe(rest);
    }
    expect(show('a**b(c)**d').textContent).toBe('a**b(c)**d'); // as CommonMark has it
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
      expect(page.innerHTML).not.toMatch(/<[^>]* on\w+=/);
      expect(page.textContent).toContain(html);
    }
  });

  it.each([
    ['kubectl -n <namespace> get pod <pod>'],
    ['hosts: <none>'],
    ['<none>\nand **more**', '<none>\nand more'],
    ['if a<b then x else y>z'],
    ['a <b and b> c, <i x=1>'],
    ['List<String>, Map<String, List<Integer>>, vector<i>, Vec<u>, Option<code>, Box<p>'],
    ['<!-- a comment --> and text'],
    ['<!-- one\n\ntwo -->'],
    ['<?php echo 1 ?> <!DOCTYPE html> <![CDATA[x]]>'],
    ['</b> closes nothing'],
    ['<Pod>'],
    ['curl <host:port>/metrics and <mailto:me>'],
    ['a <b>c'],
    ['<summary>x</summary>'],
    ['in a line <details> and <summary>'],
    ['<div align="center">\n\nx\n\n</div>', '<div align="center">x</div>'],
    ['<b onclick="alert(1)">x</b>'],
    ['| a | b |\n|---|---|\n| <none> | <pod>/<name> |', 'ab<none><pod>/<name>'],
    ['- <a>\n- <b>', '\n<a>\n<b>\n'],
    ['# <title>', '<title>'],
    ['**<namespace>**', '<namespace>'],
    ['[x](https://e.org) <y>', 'x (e.org) <y>'],
  ])('loses no word of %s', (text, shown = text) => {
    const words = (from: string): string => from.replace(/\s+/g, ' ').trim();
    for (const complete of [true, false])
      expect(words(show(text, complete).textContent ?? '')).toBe(words(shown));
  });

  it.each([
    ['[error]: timeout'],
    ['[x]: <pod>'],
    ['a\n\n[WARN]: disk/full "x"\n\nb', 'a[WARN]: disk/full "x"b'],
    ['[1]: javascript:alert(1)'],
    ['[^1]: a note that nothing refers to'],
    ['See[^a].\n\n[^a]: A.\n\n[^b]: B **c**.', 'See1.[^b]: B **c**.FootnotesA. ↩'],
  ])('loses no definition: %s', (text, shown = text) => {
    const words = (from: string): string => from.replace(/\s+/g, '');
    for (const complete of [true, false])
      expect(words(show(text, complete).textContent ?? '')).toBe(words(shown));
  });

  it('keeps bars in code in their cell where the row would lose one', () => {
    const page = show(
      '| q | r |\n|---|---|\n| `a|b` | c |\n| ``x{a=~"`|b|c"}`` | `d` |\n| `p\\|q` | e |\n| `a | b` |',
    );
    expect([...page.querySelectorAll('td')].map(({ textContent }) => textContent)).toEqual([
      'a|b',
      'c',
      'x{a=~"`|b|c"}',
      'd',
      'p|q',
      'e',
      '`a',
      'b`',
    ]);
    const listed = show('- x\n\n  | q |\n  |---|\n  | `a|b` |');
    expect(listed.querySelector('td')?.textContent).toBe('a|b');
  });

  it.each([
    ['sum(rate(x{code=~"4..|5.."}[5m])) | 3', ['sum(rate(x{code=~"4..|5.."}[5m]))', '3']],
    ['x | y | z', ['x', 'y | z']],
    ['a || b', ['a', '| b']],
    ['5" | 6" | 7', ['5"', '6" | 7']],
    ['x | y | |', ['x', 'y']],
    ['`a|b` | c | "d|e" | f', ['a|b', 'c | "d|e" | f']],
    ['a \\| b | c | [d](https://e.org)', ['a | b', 'c | d (e.org)']],
  ])('loses no cell of a row that has more than its table: %s', (row, cells) => {
    for (const text of [
      `| q | r |\n|---|---|\n| ${row} |\n| 1 | 2 |`,
      `q | r\n--|--\n${row}\n1 | 2`,
      `> - | q | r |\n>   |---|---|\n>   | ${row} |\n>   | 1 | 2 |`,
    ]) {
      const found = [...show(text).querySelectorAll('td')].map(({ textContent }) => textContent);
      expect(found).toEqual([...cells, '1', '2']);
    }
    expect(show(`\`\`\`\n| q |\n|---|\n| ${row} |\n\`\`\``).querySelector('pre')?.textContent).toContain(row);
  });

  it.each([
    ['f[i](j) and array[0](x)'],
    ['see [the book](docs/run.md#a "T"), [me](mailto:me@e.org)'],
    ['[**b** `c`](run.md)', '[b c](run.md)'],
    ['[x](javascript:alert(1)) [y](data:text/html,<b>)'],
    ['| a |\n|---|\n| m[i](j) |', 'am[i](j)'],
    ['[Summary](#summary)', 'Summary'],
    ['[CPU](/explore?a=b)', 'CPU'],
  ])('shows what leads nowhere as it is written: %s', (text, shown = text) => {
    expect(show(text).textContent?.trim()).toBe(shown);
  });

  it.each([
    ['[GET]: https://e.org/a', '[GET]: https://e.org/a (e.org)'],
    [
      '[GET]: https://e.org/a\n[get]: https://e.org/b',
      '[GET]: https://e.org/a (e.org)\n[get]: https://e.org/b (e.org)',
    ],
    [
      'See [m].\n\n[m]: https://e.org/a\n\n[M]: https://e.org/b',
      'See m (e.org).[M]: https://e.org/b (e.org)',
    ],
    ['- [a]: https://e.org/a\n- b', '\n[a]: https://e.org/a (e.org)\nb\n'],
    ['> [a]: <https://e.org/a> "T"', '\n[a]: https://e.org/a (e.org) "T"\n'],
  ])('shows a definition that nothing refers to: %j', (text, shown) => {
    for (const complete of [true, false]) {
      expect(show(text, complete).textContent).toBe(shown);
    }
    expect(show(`\`\`\`\n${text}\n\`\`\``).querySelector('pre')?.textContent).toBe(text);
  });

  it('reads lines that end as HTTP and Windows write them', () => {
    const page = show(
      'a\r\nb\r\n\r\n| q |\r\n|---|\r\n| `x|y` |\r\n\r\n```http\r\nHTTP/1.1 200 OK\r\n\r\n{}\r\n```\r\n',
    );
    expect(page.textContent).not.toContain('\ufffd');
    expect(page.querySelector('p')?.textContent).toBe('a\nb');
    expect(page.querySelector('td')?.textContent).toBe('x|y');
    expect(page.querySelector('pre')?.textContent).toBe('HTTP/1.1 200 OK\n\n{}');
  });

  it('takes no link out of code that is still open', () => {
    expect(show('`[c](d', false).textContent).toBe('[c](d');
    expect(show('```\n[c](https://e', false).querySelector('pre')?.textContent).toBe('[c](https://e');
    expect(show('```\n| a |\n|---|\n| `x|y` |\n```').querySelector('pre')?.textContent).toBe(
      '| a |\n|---|\n| `x|y` |',
    );
  });

  it('lets the text say in which direction it reads', () => {
    const page = show('مرحبا\n\n- واحد\n\n# عنوان\n\n| أ |\n|---|\n| ب |');
    for (const name of ['p', 'li', 'h3', 'th', 'td'])
      expect(page.querySelector(name)?.getAttribute('dir'), name).toBe('auto');
  });

  it.each([
    'rate(x[5m]) and arr[i and [l](https://e.org/x) end',
    'see [5m] or ![a',
    'use [text](https://e.org/a) and x',
  ])('shows no half of a link, and every bracket, while it streams: %s', (text) => {
    for (let end = 1; end <= text.length; end++) {
      const part = text.slice(0, end);
      const shown = show(part, false).textContent ?? '';
      expect(shown).not.toContain('streamdown');
      const whole = part
        .replace(/\[(l|text)\](\(https:[^)]*\)?| ?\(h?t?t?p?s?$)/, (link, name: string) =>
          link.endsWith(')') ? `${name} (e.org)` : name,
        )
        .replaceAll('`', '')
        .trim();
      expect(shown.trim()).toBe(whole.replace(/\[(l|text)\]\($/, '$1'));
    }
  });

  it('shows a tag that is half there while it streams', () => {
    const text = 'get pod <pod> and <b>bold</b> and <!-- x --> end';
    for (let end = 0; end <= text.length; end++) {
      const shown = show(text.slice(0, end), false).textContent ?? '';
      const expected = text.slice(0, end).replace('<b>bold</b>', 'bold');
      expect(shown.trim()).toBe(expected.trim());
    }
  });

  it('draws the few tags that GitHub draws, too', () => {
    const page = show(
      'a<br>b<br/>c H<sub>2</sub>O x<sup>2</sup> <kbd>Ctrl</kbd> <b>**bold** <i>i</i></b> <CODE>x <b>y</b></CODE>',
    );
    expect(page.querySelectorAll('br')).toHaveLength(2);
    for (const name of ['sub', 'sup', 'kbd', 'b > strong', 'b > i', 'code'])
      expect(page.querySelector(name), name).not.toBeNull();
    expect(page.textContent).toContain('x y');
    expect(page.textContent).not.toMatch(/[<>]/);
    expect(show('| a |\n|---|\n| x<br>y |').querySelector('td > br')).not.toBeNull();
  });

  it('folds details, with markdown in them', () => {
    const page = show(
      'before\n\n<details>\n<summary>CPU &amp; more <b>x</b></summary>\n\n- one\n\n```\n<pod>\n```\n\n<details open><summary>inner</summary>text</details>\n\n</details>\n\nafter **it**',
    );
    const outer = page.querySelector('details');
    expect(outer?.hasAttribute('open')).toBe(false);
    expect(outer?.querySelector('summary')?.textContent).toBe('CPU & more x');
    expect(outer?.querySelector('li')?.textContent).toBe('one');
    expect(outer?.querySelector('pre')?.textContent).toBe('<pod>');
    const inner = outer?.querySelector('details');
    expect(inner?.hasAttribute('open')).toBe(true);
    expect(inner?.querySelector('p')?.textContent).toBe('text');
    expect(page.textContent?.endsWith('after it')).toBe(true);
    expect(outer?.contains(page.querySelector('p:last-child > strong'))).toBe(false);
    expect(
      show('<details><summary>s</summary>\n\nnot closed', false).querySelector('details > p')?.textContent,
    ).toBe('not closed');
  });

  it.each([
    ['<details class="x">', false],
    ['<details id=x markdown="1">', false],
    ['<details style="color: red" OPEN class="y">', true],
    ['<details class="open">', false],
    ['<details data-x="is open now">', false],
    ['<details\n  class="x"\n  open="">', true],
    ['<details onclick="alert(1)" onToggle=alert(1)>', false],
  ])('folds %s, and takes nothing else from it', (tag, isOpen) => {
    for (const text of [`${tag}<summary class="s">S</summary>\n\ntext\n\n</details>\n\nafter`]) {
      const page = show(text);
      const fold = page.querySelector('details');
      expect(fold?.getAttributeNames()).toEqual(isOpen ? ['open'] : []);
      expect(fold?.querySelector('summary')?.getAttributeNames()).toEqual([]);
      expect(page.textContent?.replaceAll('\n', '')).toBe('Stextafter');
    }
  });

  it('takes how a tag looks from no text', () => {
    const page = show('<kbd class="x">Ctrl</kbd> <sub style=\'color:red\'>a</sub> b<br clear="all">c');
    for (const name of ['kbd', 'sub', 'br'])
      expect(page.querySelector(name)?.getAttributeNames(), name).toEqual([]);
    expect(page.textContent).toBe('Ctrl a bc');
  });

  it.each([
    ['note', 'Note'],
    ['tip', 'Tip'],
    ['important', 'Important'],
    ['warning', 'Warning'],
    ['caution', 'Caution'],
  ])('draws a quote that begins with %s', (name, title) => {
    for (const mark of [name.toUpperCase(), name]) {
      for (const after of ['\n> text **b**', '  \n> text **b**', '\n>\n> text **b**']) {
        const box = show(`> [!${mark}]${after}\n>\n> - one\n>   - two`).querySelector('blockquote');
        expect(box?.firstElementChild?.textContent).toBe(title);
        expect(box?.querySelector('svg')).not.toBeNull();
        expect(box?.querySelector('strong')?.textContent).toBe('b');
        expect(box?.querySelectorAll('li')).toHaveLength(2);
        expect(box?.textContent).not.toContain('[!');
      }
    }
    const fold = show(`<details><summary>s</summary>\n\n> [!${name}]\n> x\n\n</details>`);
    expect(fold.querySelector('details blockquote')?.firstElementChild?.textContent).toBe(title);
  });

  it.each([
    '> [!NOTE] more in the line',
    '> [!NOTE]',
    '> [!OTHER]\n> x',
    '> [!NOTE]**b**',
    '> x\n> [!NOTE]',
    '> `[!NOTE]`\n> x',
    '[!NOTE]\nx',
    '> [!constructor]\n> x',
  ])('leaves %j as it is', (text) => {
    const page = show(text);
    expect(page.querySelector('svg')).toBeNull();
    expect(page.textContent?.trim()).toBe(text.replace(/^> /gm, '').replace(/[*`]/g, ''));
  });

  it('shows what GitHub shows of code, of quotes and of words between colons', () => {
    for (const text of ['~~~\ncode ``` x\n~~~', '~~~\ncode ``` x', '````\ncode ``` x'])
      expect(show(text, false).querySelector('pre')?.textContent).toBe('code ``` x');
    expect(show(':rocket: at 10:30:15').textContent).toBe(':rocket: at 10:30:15');
    expect(
      show('> - a\n>   - b\n>     1. c\n>        ```\n>        x\n>        ```').querySelector(
        'ul ul ol pre',
      ),
    ).not.toBeNull();
    const page = show('see www.example.org, https://example.org/a_b_c. <https://example.org/?q=x>');
    expect([...page.querySelectorAll('a')].map((link) => link.getAttribute('href'))).toEqual([
      'http://www.example.org/',
      'https://example.org/a_b_c',
      'https://example.org/?q=x',
    ]);
  });

  it.each([
    ['<details><summary>S</summary>\n\ncontent **here**</details>\n\nafter', 'content here'],
    ['<details>\n<summary>S</summary>\n\n- a\n- b</details>\n\nafter', '\na\nb\n'],
    ['<details><summary>S</summary>\n\nx <pod></details>  \nafter', 'x <pod>'],
  ])('ends a fold behind its last word: %j', (text, inside) => {
    for (const complete of [true, false]) {
      const page = show(text, complete);
      expect(page.querySelector('details')?.textContent).toBe(`S${inside}`);
      expect(page.textContent).not.toContain('</details>');
      expect(page.lastElementChild?.lastElementChild?.textContent?.trim()).toBe('after');
    }
  });

  it.each([
    '`a</details>` and b</details>',
    '```\na</details>\n```',
    'a</details>',
    '<details><summary>S</summary>\n\nthe tag `</details>`\n\n</details>',
  ])('takes no end of a fold out of what is none: %j', (text) => {
    expect(show(text).textContent).toContain('</details>');
  });

  it('reads entities in a fold as everywhere', () => {
    for (const entities of [
      'it&#39;s &#x3C;x&gt; &hellip; &le; &#x1F600;',
      '&#0; &#xD800; &#9999999; &nothing;',
    ]) {
      const fold = show(`<details><summary>${entities}</summary>\n\nx\n\n</details>`);
      const wanted = entities.startsWith('it') ? "it's <x> … ≤ 😀" : entities;
      expect(fold.querySelector('summary')?.textContent).toBe(wanted);
      expect(fold.querySelector('x')).toBeNull();
    }
  });

  it.each(['10~20 ms and 30~40 ms', '~/a and ~/b', 'a ~b~ c'])('strikes nothing out of %s', (text) => {
    for (const complete of [true, false]) {
      const page = show(text, complete);
      expect(page.querySelector('del')).toBeNull();
      expect(page.textContent).toBe(text);
    }
    expect(show('~~gone~~').querySelector('del')?.textContent).toBe('gone');
  });

  it('finds what a link refers to, wherever that stands', () => {
    const page = show('See [the manual][m], [m] and [M][].\n\nmore\n\n[m]: https://example.org/a "T"\n');
    const links = [...page.querySelectorAll('a')].map((link) => link.getAttribute('href'));
    expect(links).toEqual(['https://example.org/a', 'https://example.org/a', 'https://example.org/a']);
    expect(show('[x][1]\n\n[1]: javascript:alert(1)').querySelector('a')).toBeNull();
    expect(show('[not there][1] and a[5m]').textContent).toBe('[not there][1] and a[5m]');
    expect(show('```\nx[m]\n\n[m]: https://e.org', false).querySelector('pre')?.textContent).toBe(
      'x[m]\n\n[m]: https://e.org',
    );
  });

  it('numbers footnotes, each text its own', () => {
    const text = 'One[^a] and two[^b].\n\n[^b]: Second.\n\nmore\n\n[^a]: First, with `code`.';
    const page = show(`${text}`);
    const other = show(text);
    expect([...page.querySelectorAll('sup')].map(({ textContent }) => textContent)).toEqual(['1', '2']);
    expect([...page.querySelectorAll('.footnotes li p')].map((one) => one.textContent)).toEqual([
      'First, with code. ↩',
      'Second. ↩',
    ]);
    const ids = [page, other].flatMap((one) => [...one.querySelectorAll('[id]')].map(({ id }) => id));
    expect(ids.length).toBe(4);
    expect(new Set(ids).size).toBe(ids.length);
    expect(page.querySelectorAll('sup button')).toHaveLength(2);
    expect(show('Not there[^x].').textContent).toBe('Not there[^x].');
  });

  it('ticks what is done', () => {
    const boxes = [...show('- [x] a\n- [ ] b').querySelectorAll('input')];
    expect(boxes.map(({ checked, disabled }) => [checked, disabled])).toEqual([
      [true, true],
      [false, true],
    ]);
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

  it.each([
    `|${'-'.repeat(2_000)} x |`,
    `a|b\n${'- '.repeat(2_000)}| x`,
    `|${' -'.repeat(2_000)}x|`,
    `a|b\n${'-'.repeat(2_000)}|${'-:'.repeat(2_000)}`,
    `${' '.repeat(5_000)}|${'> '.repeat(2_000)}`,
    `|a|\n|-|\n|${'"|'.repeat(2_000)}${'`|'.repeat(1_000)}`,
    `${'['.repeat(5_000)}]: https://e.org`,
  ])('takes time in proportion to a line: %#', (text) => {
    const began = performance.now();
    splitBlocks(text);
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  it('splits into blocks that together are the text', () => {
    const text = 'a\n\nb\n\n```\nx\n\ny\n```\n\n- 1\n- 2\n';
    expect(splitBlocks(text).join('')).toBe(text);
  });
});
