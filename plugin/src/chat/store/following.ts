// There is one way to receive an answer: read the turn's events past the last id seen, until a final one. A dropped
// line, a reload, a second tab and a stream that Perses's proxy cut are all this same loop.
import { ApiError, GatewayClient } from '../../api/client';
import { EventId, isAfter } from '../../api/events';
import { StreamMessage, readStream } from '../../api/stream';
import { Exchange } from './exchanges';
import { perFrame } from './frames';
import { Patience, backoff } from './patience';
import { newTurn, reduce } from './reduce';
import { ConversationState, isGone, isOver, problemOf } from './state';

/** A turn that could not be followed is looked up again after this long. */
const GIVEN_UP_MS = 2_000;

/** The conversation that it is about. */
export interface FollowingHost {
  readonly client: GatewayClient;
  readonly silenceMs: number;
  readonly patience: Patience;
  readonly getSnapshot: () => ConversationState;
  /** Ends when another conversation takes this one's place on the page. */
  readonly getLife: () => AbortSignal;
  readonly set: (change: Partial<ConversationState>) => void;
  /** Changes one exchange, found by its key or its turn. */
  readonly change: (id: string, how: (exchange: Exchange) => Exchange) => void;
  /** Reads again what is stored. */
  readonly sync: () => Promise<void>;
  readonly onHeard: () => void;
  /** The turn now waits for its person; it is followed on. */
  readonly onRest: () => void;
  readonly onEnd: () => void;
  readonly onGone: () => void;
}

/** Where a turn's stream was read to. */
interface Cursor {
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

export class Following {
  private readonly frame = perFrame(() => this.flush());
  private cursor: Cursor | undefined;

  constructor(private readonly host: FollowingHost) {}

  /** The turn that is being followed. */
  get turnId(): string | undefined {
    return this.cursor?.turnId;
  }

  stop(): void {
    this.frame.cancel();
    this.cursor?.control.abort();
    this.cursor = undefined;
  }

  /** A turn that waits for its person is followed, too: the decision may be made here, in another tab or in another
   *  browser. */
  async follow(turnId: string): Promise<void> {
    if (this.cursor?.turnId === turnId) return; // this turn is being followed
    const status = this.shown(turnId)?.status;
    if (status === 'done' || status === 'cancelled') return; // final stays final
    this.cursor?.control.abort();
    const cursor: Cursor = {
      turnId,
      control: new AbortController(),
      last: undefined,
      queue: [],
      fresh: true,
      rests: undefined,
    };
    this.cursor = cursor;
    const { signal } = cursor.control;
    for (let attempt = 0; !signal.aborted; attempt++) {
      const before = cursor.last;
      let waitMs: number | undefined;
      try {
        if (await this.read(cursor)) return;
        // The stream ended without an end: a gateway that is going away, or a proxy that cut it. Or with a wait
        // for the person: asked for what comes behind that, the gateway keeps the line open until there is some.
        this.flush();
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ApiError && !error.transient) {
          this.giveUp(cursor, error);
          return;
        }
        waitMs = error instanceof ApiError ? error.retryAfterMs : undefined;
      }
      if (signal.aborted) return;
      if (cursor.last !== before) attempt = 0;
      if (this.awaits(cursor)) this.rest(cursor);
      else this.host.set({ line: 'reconnecting' });
      await this.host.patience.wait(waitMs ?? backoff(attempt), signal);
    }
  }

  /** Puts on the page what was read and is not there yet. */
  flush(): void {
    const { cursor } = this;
    if (cursor === undefined || cursor.queue.length === 0) return;
    const { queue, fresh, turnId } = cursor;
    cursor.queue = [];
    cursor.fresh = false;
    this.host.change(turnId, (exchange) => {
      let turn = fresh || exchange.turn === undefined ? newTurn(turnId) : exchange.turn;
      for (const { event } of queue) if (event !== undefined) turn = reduce(turn, event);
      return turn === exchange.turn ? exchange : { ...exchange, turn };
    });
  }

  private shown(turnId: string): Exchange['turn'] {
    return this.host.getSnapshot().exchanges.find(({ turn }) => turn?.id === turnId)?.turn;
  }

  private awaits({ turnId }: Cursor): boolean {
    return this.shown(turnId)?.status === 'awaiting';
  }

  /** Told once each time. */
  private rest(cursor: Cursor): void {
    if (cursor.rests === cursor.last) return;
    cursor.rests = cursor.last;
    this.host.onRest();
  }

  /** Reads until the line ends. True: the turn is over and nothing more is to come. */
  private async read(cursor: Cursor): Promise<boolean> {
    const { client, silenceMs, getSnapshot, set } = this.host;
    const { sessionId } = getSnapshot();
    const { signal } = cursor.control;
    if (sessionId === undefined) return true;
    const body = await client.openEvents(sessionId, cursor.turnId, cursor.last, signal);
    if (getSnapshot().line !== 'live' && !this.awaits(cursor)) set({ line: 'live' });
    for await (const messages of readStream(body, silenceMs, signal)) {
      if (signal.aborted) return true;
      for (const message of messages) {
        if (message.id !== undefined) {
          if (!isAfter(message.id, cursor.last)) continue; // seen already
          cursor.last = message.id;
        }
        if (message.event?.type === 'error' && message.event.code === 'history_lost') {
          this.startOver(cursor);
          return false;
        }
        cursor.queue.push(message);
      }
      this.host.onHeard();
      this.frame.request();
      const ended = messages.findLast(({ event }) => event !== undefined)?.event?.type;
      const over = ended === 'turn_complete' || ended === 'turn_cancelled' || ended === 'error';
      if (over) {
        this.end(cursor);
        return true;
      }
      if (getSnapshot().line === 'idle') set({ line: 'live' });
    }
    return false;
  }

  /** The store lost what we saw: our view is dropped and read anew. */
  private startOver(cursor: Cursor): void {
    cursor.queue = [];
    cursor.last = undefined;
    cursor.fresh = true;
  }

  private end(cursor: Cursor): void {
    this.flush();
    if (this.cursor === cursor) this.cursor = undefined;
    this.host.onEnd();
  }

  /** The turn can't be followed any more. What is stored of it can still be read. */
  private giveUp(cursor: Cursor, error: ApiError): void {
    this.flush();
    if (this.cursor === cursor) this.cursor = undefined;
    if (error.status === 404) void this.lookFor(cursor.turnId, error);
    else if (error.status === 401) this.host.set({ line: 'signed_out', stopping: false });
    else this.fail(cursor.turnId, error);
  }

  /** The turn is not known: perhaps because all of the conversation is gone. */
  private async lookFor(turnId: string, error: ApiError): Promise<void> {
    const { client, getSnapshot, getLife, onGone } = this.host;
    const { sessionId } = getSnapshot();
    const signal = getLife();
    if (sessionId === undefined) return;
    const why: unknown = await client.getSession(sessionId, signal).then(
      () => error,
      (reason: unknown) => reason,
    );
    if (signal.aborted) return;
    if (isGone(why)) onGone();
    else this.fail(turnId, error);
  }

  private fail(turnId: string, error: ApiError): void {
    const { change, set, patience, getLife, sync } = this.host;
    change(turnId, (exchange) =>
      isOver(exchange.turn)
        ? exchange
        : {
            ...exchange,
            turn: { ...(exchange.turn ?? newTurn(turnId)), status: 'failed', error: problemOf(error) },
          },
    );
    set({ line: 'idle', stopping: false });
    // Not at once: a gateway that refuses a turn's events and calls it running would be asked without end.
    const signal = getLife();
    void patience.wait(GIVEN_UP_MS, signal).then(() => (signal.aborted ? undefined : sync()));
  }
}
