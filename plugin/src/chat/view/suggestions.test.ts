import { describe, expect, it } from 'vitest';

import { suggestionsOf } from './suggestions';

const NOTHING = { products: [], firing: [], onDashboard: false };

describe('suggestions', () => {
  it.each([
    [
      ['Prometheus'],
      ['Which targets are up', 'How busy', 'What uses the most memory', 'Has anything changed'],
    ],
    [
      ['Loki', 'Tempo'],
      ['Which services log', 'Which traces', 'What is new in the logs', 'Which requests failed'],
    ],
    [['Pyroscope'], ['Which functions', 'Has anything changed']],
    [
      ['Unknown', 'AlertManager', 'AlertManager'],
      ['Which alerts', 'Has anything changed'],
    ],
    [[], ['Has anything changed']],
  ])('fit the datasources %j', (products, begins) => {
    const found = suggestionsOf({ ...NOTHING, products });
    expect(found).toHaveLength(begins.length);
    begins.forEach((begin, i) => expect(found[i]).toContain(begin));
  });

  it('are about what is firing first, and leave room for others', () => {
    const firing = ['A', '{{name}}\u202eB', 'C', 'D'];
    const found = suggestionsOf({ products: ['Prometheus'], firing, onDashboard: false });
    expect(found).toHaveLength(4);
    expect(found[0]).toBe('Why is A firing?');
    expect(found[1]).toMatch(/^Why is \{\{name\}\}.*B firing/);
    expect(found[1]).not.toContain('\u202e');
    expect(found[2]).toContain('Which targets');
  });

  it('are about the dashboard where the chat is in one', () => {
    const found = suggestionsOf({ products: ['Prometheus'], firing: [], onDashboard: true });
    expect(found).toHaveLength(2);
    expect(found[0]).toContain('this dashboard');
  });
});
