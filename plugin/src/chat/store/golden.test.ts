// The streams that the gateway's own tests write (proto/golden), read by the plugin.
import { readFileSync, readdirSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { isFinal } from '../../api/events';
import { StreamMessage, readStream } from '../../api/stream';
import { Turn, blocksOf, newTurn, reduce } from './reduce';

const FOLDER = new URL('../../../../proto/golden/', import.meta.url);

async function messagesOf(name: string): Promise<StreamMessage[]> {
  const bytes = readFileSync(new URL(name, FOLDER));
  const messages: StreamMessage[] = [];
  for await (const batch of readStream(new Response(new Uint8Array(bytes)).body ?? new ReadableStream())) {
    messages.push(...batch);
  }
  return messages;
}

async function played(name: string): Promise<Turn> {
  const messages = await messagesOf(name);
  return messages.reduce(
    (turn, { event }) => (event === undefined ? turn : reduce(turn, event)),
    newTurn(''),
  );
}

function shown(turn: Turn): string {
  return blocksOf(turn)
    .map((block) => {
      if (block.kind === 'call') return `[${block.call.name} ${block.call.state}]`;
      return 'text' in block ? block.text : '';
    })
    .join('|');
}

describe('the golden streams', () => {
  it.each(readdirSync(FOLDER).filter((name) => name.endsWith('.sse')))(
    '%s: every event is known, every id is after the last',
    async (name) => {
      const messages = await messagesOf(name);
      expect(messages.length).toBeGreaterThan(1);
      for (const { id, event } of messages) {
        expect(id).toBeDefined();
        expect(event).toBeDefined();
      }
      expect((await played(name)).status).not.toBe('running');
    },
  );

  it('are an answer', async () => {
    const turn = await played('answer.sse');
    expect(shown(turn)).toBe('All targets are **up** 🟢\n\n| a | b |\n');
    expect(turn.usage).toEqual({ inputTokens: 321, outputTokens: 45 });
  });

  it('have each event of the table, and the plugin knows it and whether it is the last', async () => {
    const table = readFileSync(new URL('../events.def', FOLDER), 'utf8');
    const finals = new Map(
      [...table.matchAll(/^EVENT\((\w+), ([01]),/gm)].map(([, name, last]) => [name, last === '1']),
    );
    const streams = readdirSync(FOLDER).filter((name) => name.endsWith('.sse'));
    const events = (await Promise.all(streams.map(messagesOf))).flat().map(({ event }) => event);
    expect(finals.size).toBeGreaterThan(5);
    expect(new Set(events.map((event) => event?.type))).toEqual(new Set(finals.keys()));
    for (const event of events) expect(event && isFinal(event)).toBe(finals.get(event?.type ?? ''));
  });

  it('are an answer with a tool', async () => {
    const turn = await played('tools.sse');
    expect(shown(turn)).toBe('I should query up.|Let me look.|[execute_range_query done]|Nothing is down.');
    const call = turn.steps.flatMap(({ calls }) => calls).find(({ state }) => state === 'done');
    expect(call).toMatchObject({
      args: { query: 'up', step: '15s' },
      result: { durationMs: 41, datasource: '/proxy/globaldatasources/prometheus' },
    });
  });

  it('are a step that was run again', async () => {
    expect(shown(await played('second_attempt.sse'))).toBe('This one was.');
  });

  it('are a wait for approval, a cancel, an error', async () => {
    const awaiting = await played('awaiting.sse');
    expect(awaiting.status).toBe('awaiting');
    expect(shown(awaiting)).toBe('Shall I save it?|[save_panel awaiting]');
    expect((await played('cancelled.sse')).status).toBe('cancelled');
    expect(shown(await played('cancelled.sse'))).toBe('Half an ans');
    expect((await played('error.sse')).error).toEqual({
      code: 'model_unavailable',
      message: "The model can't be reached",
    });
  });
});
