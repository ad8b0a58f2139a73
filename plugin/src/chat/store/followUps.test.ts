import { describe, expect, it } from 'vitest';

import { followUpsOf, withoutFollowUps } from './followUps';

const ANSWER = 'Those named pump do.';

describe('questions to ask next', () => {
  it.each([
    [`${ANSWER}\n\n\`\`\`next\nSince when?\n- Which node?\n2. Is it the deploy?\n\`\`\``, ANSWER],
    [`${ANSWER}\n\`\`\`next  \nSince when?\nWhich node?\nIs it the deploy?\nA fourth?`, ANSWER],
    [
      `${ANSWER}\n\`\`\`next\nSince when?\nWhich node?\n\nSince when?\nIs it the deploy?\n\`\`\`\n\n> A note.`,
      `${ANSWER}\n\n> A note.`,
    ],
  ])('are no part of %j', (text, rest) => {
    expect(withoutFollowUps(text)).toBe(rest);
    expect(followUpsOf(text)).toEqual(['Since when?', 'Which node?', 'Is it the deploy?']);
  });

  it.each([ANSWER, 'Use `next`:\n```js\nnext();\n```', 'a ```next in a line', ''])(
    'are not in %j',
    (text) => {
      expect(withoutFollowUps(text)).toBe(text);
      expect(followUpsOf(text)).toEqual([]);
    },
  );

  it('leaves out what is too long to be one, and empty lines', () => {
    expect(followUpsOf(`\`\`\`next\n${'x'.repeat(161)}\n\n1. \n\`\`\``)).toEqual([]);
  });

  it('never shows the block while it is being written', () => {
    const text = `${ANSWER}\n\n\`\`\`next\nSince when?\n\`\`\``;
    for (let n = ANSWER.length + 5; n <= text.length; n++)
      expect(withoutFollowUps(text.slice(0, n), false).trimEnd()).toBe(ANSWER);
    expect(withoutFollowUps(`${ANSWER}\n\`\`\`py`, false)).toBe(`${ANSWER}\n\`\`\`py`);
  });
});

it('is found where lines end with CR LF', () => {
  const text = 'a\r\n```next\r\nWhy?\r\nSince when?\r\n```\r\n';
  expect(followUpsOf(text)).toEqual(['Why?', 'Since when?']);
  expect(withoutFollowUps(text)).toBe('a');
  expect(withoutFollowUps('a\r\n```next\r\nWh', false)).toBe('a');
});
