// What a conversation has sent and not been told of yet.
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
