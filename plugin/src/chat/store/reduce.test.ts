import { describe, expect, it } from 'vitest';

import { TurnEvent } from '../../api/events';
import { progressOf } from './plan';
import { Turn, blocksOf, newTurn, reduce, statusOf } from './reduce';

function play(events: readonly TurnEvent[], from: Turn = newTurn('t')): Turn {
  return events.reduce(reduce, from);
}

const text = (stepId: string, words: string): TurnEvent => ({
  type: 'step_progress',
  stepType: 'inference',
  stepId,
  delta: { type: 'text', text: words },
});
const start = (
  stepId: string,
  attempt = 1,
  stepType: 'inference' | 'tool_execution' = 'inference',
): TurnEvent => ({
  type: 'step_start',
  stepType,
  stepId,
  attempt,
});
const said = (stepId: string, content: string): TurnEvent => ({
  type: 'step_complete',
  stepType: 'inference',
  stepId,
  content,
  stopReason: 'end_of_turn',
});
const call = (
  stepType: 'inference' | 'tool_execution',
  stepId: string,
  state: 'writing' | 'running' | 'done' | 'failed',
  args = '{"query":"up"}',
): TurnEvent => ({
  type: 'step_progress',
  stepType,
  stepId,
  delta: { type: 'tool_call', callId: 'c1', name: 'execute_range_query', args, state },
});
const ran = (stepId: string): TurnEvent => ({
  type: 'step_complete',
  stepType: 'tool_execution',
  stepId,
  calls: [{ callId: 'c1', name: 'execute_range_query', args: { query: 'up' } }],
  responses: [
    {
      callId: 'c1',
      name: 'execute_range_query',
      content: '{}',
      failed: false,
      durationMs: 3,
      datasource: '',
    },
  ],
});
const answered = (content: string): TurnEvent => ({
  type: 'turn_complete',
  turnId: 't',
  content,
  usage: { inputTokens: 1, outputTokens: 2 },
});

function textOf(turn: Turn): string {
  return blocksOf(turn)
    .map((block) => {
      if (block.kind === 'call') return `[${block.call.name} ${block.call.state}]`;
      return block.kind === 'plan' ? `[plan ${progressOf(block.steps)}]` : block.text;
    })
    .join('|');
}

describe('reduce', () => {
  it('plays a whole turn: text, a tool, the answer', () => {
    const turn = play([
      start('s1'),
      text('s1', 'Let me '),
      text('s1', 'look.'),
      call('inference', 's1', 'writing'),
      said('s1', 'Let me look.'),
      start('s2', 1, 'tool_execution'),
      call('tool_execution', 's2', 'running'),
      ran('s2'),
      start('s3'),
      text('s3', 'All up.'),
      said('s3', 'All up.'),
      answered('All up.'),
    ]);
    expect(turn.status).toBe('done');
    expect(turn.usage).toEqual({ inputTokens: 1, outputTokens: 2 });
    expect(textOf(turn)).toBe('Let me look.|[execute_range_query done]|All up.');
  });

  it('replaces the text of a step that is run again, and what came after it', () => {
    const turn = play([start('s1', 1), text('s1', 'half of'), start('s1', 2), text('s1', 'The whole')]);
    expect(textOf(turn)).toBe('The whole');
    const later = play([start('s1', 1), text('s1', 'a'), start('s2', 1), text('s2', 'b'), start('s1', 2)]);
    expect(later.steps).toHaveLength(1);
  });

  it('does not go back to an older attempt, nor begin the same one twice', () => {
    const turn = play([start('s1', 2), text('s1', 'new')]);
    expect(reduce(turn, start('s1', 1))).toBe(turn);
    expect(reduce(turn, start('s1', 2))).toBe(turn);
  });

  it('never changes a complete step', () => {
    const turn = play([start('s1'), said('s1', 'final')]);
    for (const event of [start('s1', 9), text('s1', 'more'), said('s1', 'other')])
      expect(reduce(turn, event)).toBe(turn);
  });

  it.each([
    answered('x'),
    { type: 'turn_cancelled' } as const,
    { type: 'error', code: 'c', message: 'm' } as const,
  ])('takes nothing after the final event $type', (final) => {
    const turn = play([start('s1'), text('s1', 'x'), final]);
    for (const event of [text('s1', 'y'), start('s9'), answered('z'), ran('s2')])
      expect(reduce(turn, event)).toBe(turn);
  });

  it('shows the answer of a turn whose steps were not seen', () => {
    expect(textOf(play([answered('Only the end')]))).toBe('Only the end');
    expect(textOf(play([start('s1'), text('s1', 'Only the'), answered('Only the end')]))).toBe(
      'Only the end',
    );
    expect(textOf(play([start('s1'), said('s1', 'Once'), answered('Once')]))).toBe('Once');
    expect(textOf(play([said('s1', 'Look'), ran('s2'), answered('Seen')]))).toBe(
      'Look|[execute_range_query done]|Seen',
    );
  });

  it('keeps what did not change identical', () => {
    const before = play([start('s1'), said('s1', 'a'), start('s2')]);
    const after = reduce(before, text('s2', 'b'));
    expect(after.steps[0]).toBe(before.steps[0]);
    expect(after.steps[1]).not.toBe(before.steps[1]);
  });

  it('takes the arguments of a call that is being written as all so far', () => {
    const turn = play([
      start('s1'),
      call('inference', 's1', 'writing', '{"que'),
      call('inference', 's1', 'writing'),
    ]);
    expect(turn.steps[0]?.calls).toHaveLength(1);
    expect(turn.steps[0]?.calls[0]?.args).toEqual({ query: 'up' });
  });

  it('draws a call that is told on without an id once, and where it runs', () => {
    const written = (args: string): TurnEvent => ({
      type: 'step_progress',
      stepType: 'inference',
      stepId: 's1',
      delta: { type: 'tool_call', callId: '', name: 'execute_range_query', args, state: 'writing' },
    });
    const writing = play([start('s1'), written('{"q'), written('{"query":"u'), written('{"query":"up"}')]);
    expect(writing.steps[0]?.calls).toHaveLength(1);
    expect(writing.steps[0]?.calls[0]?.args).toEqual({ query: 'up' });
    const running = play(
      [said('s1', ''), start('s2', 1, 'tool_execution'), call('tool_execution', 's2', 'running')],
      writing,
    );
    expect(blocksOf(running).map(({ key }) => key)).toEqual(['c/c1']);
  });

  it('keeps the key of a call while it is written, run and done', () => {
    const keys = [
      [start('s1'), call('inference', 's1', 'writing')],
      [said('s1', '')],
      [start('s2', 1, 'tool_execution'), call('tool_execution', 's2', 'running')],
      [ran('s2')],
    ].reduce<{ turn: Turn; keys: string[] }>(
      ({ turn, keys: seen }, events) => {
        const next = play(events, turn);
        return { turn: next, keys: [...seen, ...blocksOf(next).map(({ key }) => key)] };
      },
      { turn: newTurn('t'), keys: [] },
    ).keys;
    expect(new Set(keys)).toEqual(new Set(['c/c1']));
    expect(keys).toHaveLength(4);
  });

  it('marks a call without an answer as failed', () => {
    const lost: TurnEvent = {
      type: 'step_complete',
      stepType: 'tool_execution',
      stepId: 's',
      calls: [{ callId: 'c', name: 'n', args: {} }],
      responses: [],
    };
    expect(play([lost]).steps[0]?.calls[0]?.state).toBe('failed');
  });

  it('waits for the person, and goes on after the decision', () => {
    const asked: TurnEvent = {
      type: 'turn_awaiting_input',
      turnId: 't',
      calls: [{ callId: 'c1', name: 'save_panel', args: {} }],
    };
    const waiting = play([start('s1'), said('s1', 'I would save it.'), asked]);
    expect(waiting.status).toBe('awaiting');
    expect(textOf(waiting)).toBe('I would save it.|[save_panel awaiting]');
    expect(reduce(waiting, asked)).toBe(waiting);
    const done = play(
      [start('s2', 1, 'tool_execution'), ran('s2'), start('s3'), answered('Saved.')],
      waiting,
    );
    expect(done.status).toBe('done');
    expect(textOf(done)).toBe('I would save it.|[execute_range_query done]|Saved.');
  });

  it('drops calls that were written but never run when the turn ends', () => {
    const turn = play([
      start('s1'),
      text('s1', 'Hm'),
      call('inference', 's1', 'writing'),
      { type: 'turn_cancelled' },
    ]);
    expect(textOf(turn)).toBe('Hm');
  });
});

describe('a plan', () => {
  const planned = (...states: readonly string[]): { steps: unknown } => ({
    steps: states.map((state) => ({ step: 'Look', state })),
  });
  const shown = (
    stepId: string,
    callId: string,
    args: unknown,
    state: 'running' | 'failed' = 'running',
  ): TurnEvent => ({
    type: 'step_progress',
    stepType: 'tool_execution',
    stepId,
    delta: { type: 'tool_call', callId, name: 'show_plan', args: JSON.stringify(args), state },
  });

  it('is drawn once, where it was shown first, as it was shown last', () => {
    const first = [start('s2', 1, 'tool_execution'), shown('s2', 'p1', planned('doing', 'todo'))];
    expect(textOf(play(first))).toBe('[plan 0 of 2 done]');
    const later = [
      ...first,
      start('s4', 1, 'tool_execution'),
      call('tool_execution', 's4', 'running'),
      shown('s4', 'p2', planned('done', 'doing')),
    ];
    expect(textOf(play(later))).toBe('[plan 1 of 2 done]|[execute_range_query running]');
  });

  it('that is being written leaves the one before it; one that failed is a failed call', () => {
    const events = [
      start('s2', 1, 'tool_execution'),
      shown('s2', 'p1', planned('done', 'todo')),
      shown('s2', 'p2', 'half of it'),
      shown('s2', 'p3', planned('done'), 'failed'),
    ];
    expect(textOf(play(events))).toBe('[plan 1 of 2 done]|[show_plan failed]');
    expect(textOf(play([start('s2', 1, 'tool_execution'), shown('s2', 'p1', {})]))).toBe('');
  });
});

describe('an event that lacks something', () => {
  it('takes nothing away that was said', () => {
    const silent = { ...said('s1', ''), content: undefined } as TurnEvent;
    const told = [start('s1'), text('s1', 'So it is.')];
    expect(textOf(play([...told, silent]))).toBe('So it is.');
    expect(textOf(play([...told, silent, answered('So it is.')]))).toBe('So it is.');
    expect(textOf(play([...told, said('s1', ''), answered('So it is.')]))).toBe('So it is.');
    expect(textOf(play([...told, said('s1', 'So.'), answered('')]))).toBe('So.');
  });
});

describe('a notice', () => {
  it('is told with its step, and dropped when that is run again', () => {
    const notice = (words: string): TurnEvent => ({
      type: 'step_progress',
      stepType: 'inference',
      stepId: 's1',
      delta: { type: 'notice', text: words },
    });
    const told = [start('s1'), notice('Summarised.'), notice('Left out.'), text('s1', 'So')];
    expect(textOf(play(told))).toBe('Summarised.\nLeft out.|So');
    expect(textOf(play([...told, said('s1', 'So.')]))).toBe('Summarised.\nLeft out.|So.');
    expect(textOf(play([...told, start('s1', 2)]))).toBe('');
  });
});

describe('statusOf', () => {
  it('says what the turn is at', () => {
    expect(statusOf(newTurn('t'))).toBe('Thinking');
    expect(statusOf(play([start('s1'), text('s1', 'x')]))).toBe('Answering');
    expect(statusOf(play([start('s1'), call('inference', 's1', 'writing')]))).toBe('Writing a query');
    expect(statusOf(play([start('s2', 1, 'tool_execution'), call('tool_execution', 's2', 'running')]))).toBe(
      'Running up',
    );
    expect(statusOf(play([answered('x')]))).toBe('');
  });
});
