import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { inLines, jsonAt } from './source';

describe('jsonAt', () => {
  it.each([
    ['{"a":1}', ['a'], '1'],
    [' { "a" : [ 1 , {"b" : 12345678901234567890 } ] , "c":2}', ['a', 1, 'b'], '12345678901234567890'],
    ['{"a":1,"a":{"x":1.50}}', ['a'], '{"x":1.50}'],
    ['{"a":{"x":1,"x":2}}', ['a'], '{"x":1,"x":2}'],
    ['{"\\u0061":"}\\"]","b":true}', ['a'], '"}\\"]"'],
    ['[[],{},"",null]', [3], 'null'],
    ['{"a":1}', ['b'], undefined],
    ['{"a":1}', ['a', 'b'], undefined],
    ['[1]', [1], undefined],
    ['{}', ['a'], undefined],
    ['7', [], '7'],
  ])('of %j at %j is %j', (text, path, part) => expect(jsonAt(text, path)).toBe(part));

  it('is what JSON.parse() finds, in any JSON', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), fc.constantFrom(0, 1, 2), (text, indent) => {
        const spaced = JSON.stringify(JSON.parse(text), null, indent);
        const look = (value: unknown, path: ReadonlyArray<string | number>): void => {
          expect(JSON.parse(jsonAt(spaced, path) ?? '')).toEqual(value);
          if (typeof value === 'object' && value !== null)
            for (const [key, one] of Object.entries(value)) look(one, [...path, key]);
        };
        look(JSON.parse(spaced), []);
      }),
    );
  });
});

describe('inLines', () => {
  it('changes nothing but space between the parts', () => {
    expect(inLines('{"a":[],"b":{},"c":[1.50,"x: {y},\\" z"],"c":12345678901234567890}')).toBe(
      '{\n  "a": [],\n  "b": {},\n  "c": [\n    1.50,\n    "x: {y},\\" z"\n  ],\n  "c": 12345678901234567890\n}',
    );
    expect(inLines('"a  b"')).toBe('"a  b"');
  });

  it('is as JSON.stringify() writes it', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const value: unknown = JSON.parse(text);
        expect(inLines(JSON.stringify(value))).toBe(JSON.stringify(value, null, 2));
      }),
    );
  });
});

it('is not made of space, however deep it goes', () => {
  const deep = '['.repeat(20_000) + ']'.repeat(20_000);
  expect(inLines(deep).replace(/\s/g, '')).toBe(deep);
  expect(inLines(deep).length).toBeLessThan(100 * deep.length);
});
