import { describe, expect, it } from 'vitest';

import { StreamMessage, readStream } from './stream';

function bodyOf(...chunks: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller): void {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

async function all(body: ReadableStream<Uint8Array>): Promise<StreamMessage[]> {
  const messages: StreamMessage[] = [];
  for await (const batch of readStream(body)) messages.push(...batch);
  return messages;
}

const TEXT =
  ': ping\n\nid: 1-1\ndata: {"event":{"payload":{"event_type":"turn_start","turn_id":"t","session_id":"s"}}}\n\n' +
  'id: 1-2\ndata: {"event":{"payload":{"event_type":"step_progress","step_type":"inference","step_id":"i","delta":{"type":"text","text":"€ 🙂"}}}}\n\n' +
  'id: 1-3\ndata: {"event":{"payload":{"event_type":"new_thing"}}}\n\n';

describe('readStream', () => {
  it('reads the same messages wherever the bytes are split', async () => {
    const bytes = new TextEncoder().encode(TEXT);
    const whole = await all(bodyOf(bytes));
    expect(whole.map(({ id }) => id?.seq)).toEqual([1, 2, 3]);
    expect(whole[1]?.event).toMatchObject({ delta: { text: '€ 🙂' } });
    expect(whole[2]?.event).toBeUndefined();
    for (let at = 0; at <= bytes.length; at++) {
      expect(await all(bodyOf(bytes.slice(0, at), bytes.slice(at)))).toEqual(whole);
    }
    expect(await all(bodyOf(...Array.from(bytes, (byte) => Uint8Array.of(byte))))).toEqual(whole);
  });

  it('gives all messages of one read as one batch', async () => {
    const batches: number[] = [];
    for await (const batch of readStream(bodyOf(new TextEncoder().encode(TEXT)))) batches.push(batch.length);
    expect(batches).toEqual([3]);
  });

  it('does not give out a message that was cut off', async () => {
    const bytes = new TextEncoder().encode(TEXT);
    expect((await all(bodyOf(bytes.slice(0, bytes.length - 2)))).map(({ id }) => id?.seq)).toEqual([1, 2]);
  });

  it('fails on a line that says nothing for too long', async () => {
    const silent = new ReadableStream<Uint8Array>();
    await expect(readStream(silent, 20).next()).rejects.toThrow('nothing was heard');
  });

  it('gives the connection back when the reader stops early', async () => {
    let cancelled = false;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode(TEXT)),
      cancel: () => {
        cancelled = true;
      },
    });
    for await (const _batch of readStream(body)) break;
    expect(cancelled).toBe(true);
  });

  it('does not gather a message without end', async () => {
    const chunk = new TextEncoder().encode('data: ' + 'x'.repeat(1024 * 1024));
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller): void {
        sent += 1;
        controller.enqueue(chunk);
      },
    });
    await expect(all(body)).rejects.toThrow('without end');
    expect(sent).toBeLessThan(12);
  });
});

it('reads a giant message in many pieces in time in proportion to its length', async () => {
  const bytes = new TextEncoder().encode(`id: 1-1\r\ndata: ${'é'.repeat(3_000_000)}\r\n\r\n: ping\n\n`);
  const pieces = Array.from({ length: Math.ceil(bytes.length / 1_021) }, (_one, i) =>
    bytes.subarray(i * 1_021, (i + 1) * 1_021),
  );
  const began = performance.now();
  expect((await all(bodyOf(...pieces))).map(({ id }) => id?.seq)).toEqual([1]);
  expect(performance.now() - began).toBeLessThan(4_000); // it was 21 s
});
