// Bytes of a text/event-stream → checked events. Ends when the stream ends; a silent line is an error, so
// that the caller reconnects (the gateway pings every 15 s).
import { createParser } from 'eventsource-parser';

import { EventId, TurnEvent, parseEvent, parseEventId } from './events';

export interface StreamMessage {
  readonly id: EventId | undefined;
  /** undefined: an event of a newer gateway; its id still counts. */
  readonly event: TurnEvent | undefined;
}

/** Three missed pings. */
export const SILENCE_MS = 45_000;
/** One message is never longer: a server that sends no line end must not fill the memory. */
const MESSAGE_CHARS_MAX = 8 * 1024 * 1024;

export class StreamError extends Error {
  override readonly name = 'StreamError';
}

async function readOrSilent(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  silenceMs: number,
): Promise<ReadableStreamReadResult<Uint8Array>> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new StreamError('nothing was heard on the line')), silenceMs);
  });
  try {
    return await Promise.race([reader.read(), silence]);
  } finally {
    clearTimeout(timer);
  }
}

/** Yields the messages of each read together: one wake-up, one batch. An abort ends it without an error. */
export async function* readStream(
  body: ReadableStream<Uint8Array>,
  silenceMs: number = SILENCE_MS,
  signal?: AbortSignal,
): AsyncGenerator<readonly StreamMessage[]> {
  let batch: StreamMessage[] = [];
  let pending = 0;
  const parser = createParser({
    onEvent: (message) => {
      pending = 0;
      batch.push({ id: parseEventId(message.id), event: parseEvent(message.data) });
    },
    onComment: () => {
      pending = 0;
    },
  });
  const decoder = new TextDecoder();
  let line: string[] = []; // the pieces of one that has not ended: the parser would look at all of them for each
  const reader = body.getReader();
  const stop = (): void => {
    reader.cancel().catch(() => undefined); // a line that is already broken has nothing to give back
  };
  signal?.addEventListener('abort', stop, { once: true });
  try {
    while (signal?.aborted !== true) {
      const { done, value } = await readOrSilent(reader, silenceMs);
      if (done) return;
      const text = decoder.decode(value, { stream: true });
      pending += text.length;
      line.push(text);
      if (/[\r\n]/.test(text)) {
        parser.feed(line.join(''));
        line = [];
      }
      if (pending > MESSAGE_CHARS_MAX) throw new StreamError('a message without end');
      if (batch.length > 0) {
        const messages = batch;
        batch = [];
        yield messages;
      }
    }
  } finally {
    signal?.removeEventListener('abort', stop);
    stop(); // also when the caller leaves the loop early: the connection is given back
  }
}
