import { describe, expect, it } from 'vitest';

import { Step, Turn, newTurn } from './reduce';
import { WaitFacts, waitOf } from './waits';

const NOW = 100_000;

function step(change: Partial<Step>): Step {
  return {
    id: 's',
    type: 'inference',
    attempt: 1,
    complete: false,
    text: '',
    reasoning: '',
    calls: [],
    ...change,
  };
}

function turnOf(...steps: readonly Step[]): Turn {
  return { ...newTurn('t'), steps };
}

function facts(change: Partial<WaitFacts>): WaitFacts {
  return {
    line: 'live',
    turn: newTurn('t'),
    quietSince: NOW - 2_000,
    silentSince: undefined,
    retry: undefined,
    ...change,
  };
}

const call = { id: 'c', name: 'execute_range_query', args: {}, state: 'running' as const };

describe('why one waits', () => {
  it.each([
    ['a worker', facts({}), 'wait.worker'],
    ['the model', facts({ turn: turnOf(step({})) }), 'wait.model'],
    ['the model, asked again', facts({ turn: turnOf(step({ attempt: 2 })) }), 'wait.again'],
    ['the rest of a text', facts({ turn: turnOf(step({ text: 'a' })) }), 'wait.more'],
    [
      'a datasource',
      facts({ turn: turnOf(step({ type: 'tool_execution', calls: [call] })) }),
      'wait.datasource',
    ],
    ['tools', facts({ turn: turnOf(step({ type: 'tool_execution' })) }), 'wait.tools'],
    [
      'the model, after tools',
      facts({ turn: turnOf(step({ type: 'tool_execution', complete: true })) }),
      'wait.model',
    ],
    ['the question to be taken', facts({ line: 'sending', turn: undefined }), 'wait.sending'],
    ['the line', facts({ line: 'reconnecting' }), 'wait.line'],
    ['a gateway that is frozen', facts({ silentSince: NOW - 5_000 }), 'wait.silent'],
  ])('%s', (_what, given, key) => {
    expect(waitOf(given, NOW)?.key).toBe(key);
  });

  it.each([
    ['queue_full', 'wait.queue'],
    ['no_worker', 'wait.noWorker'],
    ['rate_limited', 'wait.limited'],
    ['budget_exceeded', 'wait.budget'],
    ['network', 'wait.silent'],
    ['unreachable', 'wait.silent'],
    ['a new one', 'wait.silent'],
  ])('a try that was refused: %s, at once and with its next time', (code, key) => {
    const retry = { code, sinceMs: NOW - 100, untilMs: NOW + 5_000 };
    expect(waitOf(facts({ line: 'sending', turn: undefined, quietSince: NOW, retry }), NOW)).toEqual({
      key,
      sinceMs: NOW - 100,
      untilMs: NOW + 5_000,
      canHurry: true,
    });
  });

  it('is not told of what is short, over, or told elsewhere', () => {
    expect(waitOf(facts({ quietSince: NOW - 1_000 }), NOW)).toBeUndefined();
    expect(waitOf(facts({ turn: { ...newTurn('t'), status: 'done' } }), NOW)).toBeUndefined();
    expect(waitOf(facts({ line: 'idle', turn: undefined }), NOW)).toBeUndefined();
    expect(waitOf(facts({ line: 'signed_out' }), NOW)).toBeUndefined();
    expect(waitOf(facts({ turn: turnOf(step({ wait: { text: 'x', ms: 1 } })) }), NOW)).toBeUndefined();
    expect(waitOf(facts({ turn: turnOf(step({ complete: true, text: 'a' })) }), NOW)).toBeUndefined();
  });
});
