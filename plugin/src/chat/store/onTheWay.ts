// What a conversation has sent and not been told of yet, and where it reads what comes back.
import { EventId } from '../../api/events';
import { StreamMessage } from '../../api/stream';
import type { SendOptions } from './conversation';

/** A question on its way: its keys make sure that however often it is sent, it is asked once. */
export interface Outgoing {
  readonly key: string;
  readonly text: string;
  readonly options: SendOptions;
  /** Of its conversation, and the model that it was asked for with: with another one it is another request. */
  sessionKey: string;
  sessionModel: string | undefined;
  readonly insteadOf: string | undefined;
  readonly turnKey: string;
}

/** Where a turn's stream was read to. */
export interface Cursor {
  readonly turnId: string;
  readonly control: AbortController;
  last: EventId | undefined;
  /** Read from the stream and not yet drawn. */
  queue: StreamMessage[];
  /** What is on the page is not from this stream; the first events replace it. */
  fresh: boolean;
  /** The event at which the turn began to wait for its person, once that was told. */
  rests: EventId | undefined;
}
