import { expect, it } from 'vitest';

import { begin, end } from './thought';

it('counts from when a thought was first seen to when it was over, once', () => {
  begin('a', 1_000);
  begin('a', 5_000);
  expect(end('a', false, 2_000)).toBeUndefined();
  expect(end('a', true, 13_400)).toBe(12);
  expect(end('a', true, 99_000)).toBe(12);
  expect(end('stored', true, 99_000)).toBeUndefined();
});

it('forgets the oldest of very many', () => {
  for (let i = 0; i < 300; i++) begin(`n${i}`, 0);
  expect(end('n0', true, 5_000)).toBeUndefined();
  expect(end('n299', true, 5_000)).toBe(5);
});
