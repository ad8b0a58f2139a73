import { expect, it, vi } from 'vitest';

import { parseBudget } from '../../api/budget';
import { budgetText } from './useBudget';

vi.mock('@tanstack/react-query', () => ({ useQuery: vi.fn() }));

const left = (body: unknown, isPriced = true): string => budgetText(parseBudget(body), isPriced);
const cost = { most: 1, left: 0.25 };

it('says what is left of what is limited, and nothing where nothing is', () => {
  expect(left({ cost, tokens: { most: 20_000, left: 12_345 } })).toBe('$0.25 · 12k tokens left today');
  expect(left({ tokens: { most: 10, left: 0 } })).toBe('0 tokens left today');
  expect(left({ tokens: { most: 10, left: 1 } })).toBe('1 token left today');
  expect(left({ cost: { most: 1, left: 0 } })).toBe('$0.00 left today');
  expect(left({ resets_at: '2026-03-02T00:00:00Z' })).toBe('');
  expect(budgetText(undefined, true)).toBe('');
});

it('says "–" of the cost of a model without a price', () => {
  expect(left({ cost }, false)).toBe('– left today');
  expect(left({ cost, tokens: { most: 10, left: 5 } }, false)).toBe('– · 5 tokens left today');
});

it.each([
  null,
  [],
  'x',
  { tokens: 3, cost: { left: -1 } },
  { tokens: { left: 'many' }, cost: { left: NaN } },
])('takes %j for no limit', (body) => {
  expect(left(body)).toBe('');
});
