import { describe, expect, it } from 'vitest';

import { planOf, progressOf } from './plan';

describe('a plan', () => {
  it('is read from the call, and says how far it is', () => {
    const steps = planOf({
      steps: [
        { step: 'Look', state: 'done' },
        { step: 'Query', state: 'doing' },
        { step: 'Guess', state: 'dropped' },
        { step: 'Conclude', state: 'whatever' },
      ],
    });
    expect(steps?.map(({ text, state }) => `${text} ${state}`)).toEqual([
      'Look done',
      'Query doing',
      'Guess dropped',
      'Conclude todo',
    ]);
    expect(progressOf(steps ?? [])).toBe('1 of 3 done');
  });

  it.each(['{"steps":[{"st', {}, null, { steps: 'x' }, { steps: [] }, { steps: [null, 7, { step: 1 }] }])(
    'is not made of %j',
    (args) => {
      expect(planOf(args)).toBeUndefined();
    },
  );

  it('is bounded', () => {
    expect(planOf({ steps: Array.from({ length: 99 }, () => ({ step: 'x' })) })).toHaveLength(12);
  });
});
