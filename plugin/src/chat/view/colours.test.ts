import { describe, expect, it } from 'vitest';

import { partsOf } from './colours';

function coloured(text: string, language: string): readonly string[] {
  return partsOf(text, language).flatMap((part) => (part.class === '' ? [] : [`${part.class} ${part.text}`]));
}

describe('the colours of code', () => {
  it('of JSON', () => {
    expect(coloured('{"a": "b:1", "n": -1.5e3, "t": true}', 'json')).toEqual([
      'label "a"',
      'str "b:1"',
      'label "n"',
      'num -1.5e3',
      'label "t"',
      'fn true',
    ]);
  });

  it('of YAML', () => {
    expect(coloured('# what\ngroups:\n  - name: "x"\n    for: 5\n', 'yml')).toEqual([
      'comment # what',
      'label groups',
      'label name',
      'str "x"',
      'label for',
      'num 5',
    ]);
  });

  it('of LogQL', () => {
    expect(coloured('sum by (job) (rate({job="api"} |= `x` [5m]))', 'logql')).toEqual([
      'fn sum',
      'fn by',
      'fn rate',
      'label job',
      'op =',
      'str "api"',
      'op |=',
      'str `x`',
      'num 5m',
    ]);
  });

  it.each(['json', 'yaml', 'logql', 'sh', ''])('change no character of a text in %s', (language) => {
    for (const text of [
      '',
      '{"a":"',
      '"\\',
      ': :\n- -\n',
      '{a="b"} | json\n#',
      '\u0000'.repeat(9),
      'x'.repeat(30_000),
    ])
      expect(
        partsOf(text, language)
          .map((part) => part.text)
          .join(''),
      ).toBe(text);
  });
});
