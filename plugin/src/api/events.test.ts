import { describe, expect, it } from 'vitest';

import { isAfter, isFinal, parseEvent, parseEventId } from './events';

function wire(payload: unknown): string {
  return JSON.stringify({ event: { payload } });
}

describe('event ids', () => {
  it('are an epoch and a sequence number', () => {
    expect(parseEventId('3-120')).toEqual({ epoch: 3, seq: 120 });
  });

  it.each(['', '3', '3-', '-1', '3-x', ' 3-1', '3-1-2', '1e3-2', '1234567890123456-1', undefined])(
    'refuse %s',
    (text) => {
      expect(parseEventId(text)).toBeUndefined();
    },
  );

  it('are ordered by epoch first', () => {
    expect(isAfter({ epoch: 2, seq: 1 }, { epoch: 1, seq: 99 })).toBe(true);
    expect(isAfter({ epoch: 1, seq: 100 }, { epoch: 2, seq: 1 })).toBe(false);
    expect(isAfter({ epoch: 1, seq: 9 }, { epoch: 1, seq: 9 })).toBe(false);
    expect(isAfter({ epoch: 1, seq: 10 }, { epoch: 1, seq: 9 })).toBe(true);
    expect(isAfter({ epoch: 0, seq: 0 }, undefined)).toBe(true);
  });
});

describe('parseEvent', () => {
  it.each([
    '',
    'null',
    '[]',
    '{',
    '{"event":null}',
    '{"event":{"payload":[]}}',
    wire({ event_type: 'from_the_future' }),
    wire({ event_type: 'step_start', step_type: 'dreaming' }),
    wire({ event_type: 'step_progress', step_type: 'inference', step_id: 's' }),
    wire({ event_type: 'step_progress', step_type: 'inference', delta: { type: 'smell' } }),
    wire({ event_type: 'step_complete', step_details: 7 }),
  ])('makes nothing of %s', (data) => {
    expect(parseEvent(data)).toBeUndefined();
  });

  it('never throws, whatever the types are', () => {
    const odd = [null, 1, 'x', true, [], {}, [[]], [null], { type: 'text' }];
    const types = [
      'turn_start',
      'step_start',
      'step_progress',
      'step_complete',
      'turn_complete',
      'turn_awaiting_input',
      'error',
    ];
    for (const event_type of types) {
      for (const value of odd) {
        const payload = {
          event_type,
          step_type: 'tool_execution',
          step_id: value,
          delta: value,
          turn: value,
          attempt: value,
        };
        parseEvent(wire({ ...payload, step_details: value, code: value, message: value }));
        const step_details = {
          step_type: 'tool_execution',
          tool_calls: value,
          tool_responses: value,
          step_id: value,
        };
        parseEvent(wire({ ...payload, step_details }));
      }
    }
  });

  it('reads tool calls with their arguments, whether text or object', () => {
    const tool_calls = [
      { call_id: 'a', tool_name: 'q', arguments: '{"query":"up"}' },
      { call_id: 'b', tool_name: 'q', arguments: { query: 'up' } },
      { call_id: 'c', tool_name: 'q', arguments: 'not json' },
      { call_id: '', tool_name: 'q' },
      'nonsense',
    ];
    const tool_responses = [
      { call_id: 'a', tool_name: 'q', content: [{ type: 'text', text: '1' }, 'x'], failed: true },
    ];
    const step_details = { step_type: 'tool_execution', step_id: 's', tool_calls, tool_responses };
    const event = parseEvent(wire({ event_type: 'step_complete', step_details }));
    expect(event).toMatchObject({
      calls: [
        { callId: 'a', args: { query: 'up' } },
        { callId: 'b', args: { query: 'up' } },
        { callId: 'c', args: 'not json' },
      ],
      responses: [{ callId: 'a', content: '1x', failed: true }],
    });
  });

  it('knows which events end a stream', () => {
    expect(isFinal({ type: 'turn_cancelled' })).toBe(true);
    expect(isFinal({ type: 'error', code: 'x', message: '' })).toBe(true);
    expect(isFinal({ type: 'turn_awaiting_input', turnId: 't', calls: [] })).toBe(true);
    expect(isFinal({ type: 'turn_start', turnId: 't', sessionId: 's' })).toBe(false);
  });
});

it.each([
  ['{"event_type":"turn_complete","turn":{"output_message":{"content":', '}}}'],
  [
    '{"event_type":"step_progress","step_type":"inference","step_id":"1","delta":{"type":"tool_call","arguments":',
    '}}',
  ],
])('skips what is nested too deep to be walked: %s', (before, after) => {
  const deep = '['.repeat(100_000) + ']'.repeat(100_000);
  expect(parseEvent(`{"event":{"payload":${before}${deep}${after}}}`)).toBeUndefined();
});
