import { VariableStateMap } from '@perses-dev/plugin-system';
import { describe, expect, it } from 'vitest';

import { aboutOf } from './about';

function stateOf(values: Record<string, string | string[] | null>): VariableStateMap {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value, loading: false }]));
}

describe('aboutOf', () => {
  it('tells the dashboard and the values of its variables', () => {
    const state = stateOf({
      job: 'node',
      instance: ['a', 'b'],
      unset: null,
      __project: 'shop',
      __dashboard: 'nodes',
      __interval: '1m',
    });
    expect(aboutOf(state)).toEqual({
      dashboard: { project: 'shop', name: 'nodes' },
      variables: { job: 'node', instance: ['a', 'b'] },
    });
  });

  it('tells nothing where there is nothing, and never too much', () => {
    expect(aboutOf({})).toEqual({});
    expect(aboutOf(stateOf({ __project: 'shop' }))).toEqual({});
    const many =
      aboutOf(stateOf({ a: Array.from({ length: 99 }, () => 'x'.repeat(999)) })).variables?.['a'] ?? [];
    expect(many).toHaveLength(50);
    expect(many[0]).toHaveLength(500);
  });
});
