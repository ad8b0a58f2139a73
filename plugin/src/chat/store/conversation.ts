// The store of one conversation: sends, stops, keeps what was chosen; following.ts receives. It lives outside of React
// (useSyncExternalStore), so a stream outlives every redraw, and tells its listeners once a frame.
import { ApiError, Decision, GatewayClient, TurnContext, newIdempotencyKey } from '../../api/client';
import { asObject } from '../../api/events';
import { SessionDetail } from '../../api/sessions';
import { SILENCE_MS } from '../../api/stream';
import { ConversationContext, NO_CONTEXT, parseContext } from './chosen';
import { endOf } from './ending';
import { Exchange, exchangesOf, kept, mergeExchanges } from './exchanges';
import { Following } from './following';
import { Outgoing } from './onTheWay';
import { Patience } from './patience';
import { Pulse } from './pulse';
import { goOn, newTurn } from './reduce';
import { Sharing } from './sharing';
import { ConversationInfo, ConversationState, EMPTY, deleted, isGone, isOver, problemOf } from './state';
import { lookForTitle } from './titling';
import { WaitFacts } from './waits';
import { shorten } from '../../text';
import { t } from '../../i18n/i18n';

export interface SendOptions {
  readonly datasourcePath: string;
  readonly context?: TurnContext;
  readonly model?: string;
}

export interface ConversationOptions {
  readonly client: GatewayClient;
  /** The conversation got an id, or became another one (a fork). */
  readonly onSession?: (sessionId: string | undefined) => void;
  /** Something that the list of conversations shows has changed. */
  readonly onChange?: () => void;
  /** A question that is on its way, or could not be handed over; undefined: there is none any more. Kept elsewhere, it
   *  is not lost when the page goes: a sign-in that has expired ends it. */
  readonly onPending?: (text: string | undefined) => void;
  /** What was chosen before there is a conversation to keep it with, as it was stored; and where that is kept. */
  readonly chosen?: unknown;
  readonly onChosen?: (context: ConversationContext | undefined) => void;
  readonly silenceMs?: number;
}

const TITLE_MAX = 80;
const CHANNEL = 'persai';
/** How often is looked whether an answer that is stopped is over. */
const OVER_LOOK_MS = 50;

/** Other tabs that show the conversation look for it, and say that it is gone. */
export function tellDeleted(sessionId: string): void {
  if (typeof BroadcastChannel === 'undefined') return;
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage({ sessionId, deleted: true });
  channel.close();
}

export class Conversation {
  private state: ConversationState = EMPTY;
  private info: ConversationInfo = EMPTY;
  private readonly listeners = new Set<() => void>();
  private patches: Promise<unknown> = Promise.resolve();
  /** Ends everything that belongs to the conversation on the page when another one takes its place. */
  private life = new AbortController();
  private readonly outgoing = new Map<string, Outgoing>();
  private readonly channel: BroadcastChannel | undefined;
  private stopWanted = false;
  /** A branch that has no question of its own yet. */
  private unnamed: string | undefined;
  /** Since when there is nothing new to see. */
  private quietSince = Date.now();
  private readonly pulse: Pulse;
  private readonly patience = new Patience({
    onRetry: (retry) => this.set({ retry }),
    isStopped: () => this.stopWanted,
  });
  private readonly following: Following;
  readonly sharing: Sharing;

  constructor(private readonly options: ConversationOptions) {
    this.pulse = new Pulse({
      probe: (signal) => options.client.listModels(signal),
      onChange: (silentSince) => this.set({ silentSince }),
    });
    this.following = new Following({
      client: options.client,
      silenceMs: options.silenceMs ?? SILENCE_MS,
      patience: this.patience,
      getSnapshot: this.getSnapshot,
      getLife: () => this.life.signal,
      set: (change) => this.set(change),
      change: (id, how) => this.change(id, how),
      sync: () => this.sync(),
      onHeard: () => {
        this.quietSince = Date.now();
        this.pulse.heard();
      },
      onRest: () => this.rest(),
      onEnd: () => this.end(),
      onGone: () => this.gone(),
    });
    this.sharing = new Sharing({
      client: options.client,
      getSnapshot: this.getSnapshot,
      set: (change) => this.set(change),
      act: (action) => this.act(action),
      refresh: () => this.refresh(),
    });
    this.channel = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel(CHANNEL);
    this.channel?.addEventListener('message', this.onOtherTab);
    const chosen = asObject(options.chosen);
    if (chosen !== undefined) this.set({ context: parseContext(chosen) });
    globalThis.addEventListener?.('online', this.patience.wake);
    globalThis.document?.addEventListener('visibilitychange', this.onVisible);
  }

  dispose(): void {
    this.leave();
    this.pulse.stop();
    this.life.abort();
    this.channel?.close();
    globalThis.removeEventListener?.('online', this.patience.wake);
    globalThis.document?.removeEventListener('visibilitychange', this.onVisible);
    this.listeners.clear();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly getSnapshot = (): ConversationState => this.state;

  readonly getInfo = (): ConversationInfo => this.info;

  /** True while a question is on its way or being answered. */
  get busy(): boolean {
    return this.state.line === 'sending' || !isOver(this.state.exchanges.at(-1)?.turn);
  }

  /** True while calls wait for the person. */
  get awaiting(): boolean {
    return this.state.exchanges.at(-1)?.turn?.status === 'awaiting';
  }

  /** For why the person waits; what it says changes with time. */
  get waiting(): WaitFacts {
    const { line, exchanges, retry, silentSince } = this.state;
    return { line, turn: exchanges.at(-1)?.turn, quietSince: this.quietSince, silentSince, retry };
  }

  /** What is waited for is tried now. */
  hurry(): void {
    this.patience.wake();
  }

  /** Shows a stored conversation, and goes on with its answer when one is running. undefined: a new one. */
  async open(sessionId: string | undefined): Promise<void> {
    this.leave();
    this.options.onChosen?.(undefined); // it was for the conversation that had not begun
    this.set({ ...EMPTY, sessionId, loading: sessionId !== undefined });
    if (sessionId !== undefined) await this.load(sessionId);
  }

  /** Shows what another person shares. It is read, and nothing else. */
  async openShared(shareId: string): Promise<void> {
    this.leave();
    this.set({ ...EMPTY, loading: true });
    const { signal } = this.life;
    try {
      const read = (): Promise<SessionDetail> => this.options.client.getShared(shareId, signal);
      const { turn: _running, ...detail } = await this.patience.persist(read, signal);
      if (signal.aborted) return;
      const { title, panels, sharedBy } = detail;
      this.set({ loading: false, title, panels, sharedBy, exchanges: exchangesOf(detail) });
    } catch (error) {
      if (!signal.aborted) this.set({ loading: false, problem: problemOf(error) });
    }
  }

  /** Asks. Resolves when the question was accepted, or is shown as not sent. */
  async send(text: string, options: SendOptions, insteadOf?: string): Promise<void> {
    const message = text.trim();
    if (message === '' || this.busy || this.state.loading) return;
    const outgoing: Outgoing = {
      key: `new/${newIdempotencyKey()}`,
      text: message,
      options,
      sessionKey: newIdempotencyKey(),
      sessionModel: this.state.model || options.model,
      insteadOf,
      turnKey: newIdempotencyKey(),
    };
    this.outgoing.set(outgoing.key, outgoing);
    this.options.onPending?.(message);
    const exchange: Exchange = {
      key: outgoing.key,
      question: {
        messageId: '',
        text: message,
        at: new Date().toISOString(),
        pinned: false,
        excluded: false,
      },
      answerIds: [],
      answerPinned: false,
      answerExcluded: false,
    };
    this.set({ exchanges: [...this.state.exchanges.filter(({ unsent }) => unsent === undefined), exchange] });
    await this.submit(outgoing);
    await this.nameBranch(message);
  }

  /** Sends a question again that was not accepted: under the same key, so it is asked once. */
  async resend(key: string): Promise<void> {
    const outgoing = this.outgoing.get(key);
    if (outgoing === undefined || this.busy) return;
    await this.submit(outgoing);
    await this.nameBranch(outgoing.text);
  }

  discardUnsent(key: string): void {
    const instead = this.outgoing.get(key)?.insteadOf !== undefined;
    this.outgoing.delete(key);
    this.options.onPending?.(undefined);
    this.set({ exchanges: this.state.exchanges.filter((exchange) => exchange.key !== key) });
    if (instead) void this.sync(); // what it was to replace
  }

  /** Asks an earlier question again, or another in its place. What came of the earlier one is kept: a version. */
  async askInstead({ key, question }: Exchange, text: string, options: SendOptions): Promise<void> {
    const { sessionId, exchanges } = this.state;
    const at = exchanges.findIndex((exchange) => exchange.key === key);
    if (sessionId === undefined || question.messageId === '' || this.busy || at < 0) return;
    this.set({ exchanges: exchanges.slice(0, at) });
    await this.send(text, options, question.messageId);
  }

  /** Shows another version of a question, with what came of it. */
  async showVersion(messageId: string): Promise<void> {
    const { sessionId } = this.state;
    if (sessionId === undefined || this.busy) return;
    await this.act(async () => {
      await this.options.client.patchMessage(sessionId, messageId, { shown: true });
      await this.sync();
      this.tellOthers();
    });
  }

  /** Asks a question again that got no answer: it takes the place of the failed one. */
  async retry(exchange: Exchange, options: SendOptions): Promise<void> {
    const { sessionId } = this.state;
    if (sessionId === undefined || this.busy) return;
    if (exchange.versions !== undefined) {
      await this.askInstead(exchange, exchange.question.text, options); // the others stay
      return;
    }
    await this.act(async () => {
      const ids = [...exchange.answerIds, exchange.question.messageId].filter((id) => id !== '');
      for (const id of ids) await this.options.client.deleteMessage(sessionId, id);
      this.set({ exchanges: this.state.exchanges.filter(({ key }) => key !== exchange.key) });
      await this.send(exchange.question.text, options);
    });
  }

  /** Stops the answer that is under way and asks its question again, of another model. */
  async askOther(model: string, options: SendOptions): Promise<void> {
    const turnId = this.state.exchanges.at(-1)?.turn?.id;
    const { signal } = this.life;
    if (turnId === undefined) return;
    const turnOf = (): Exchange | undefined => this.state.exchanges.find(({ turn }) => turn?.id === turnId);
    await this.setModel(model);
    await this.stop();
    while (!isOver(turnOf()?.turn) && this.state.stopping) await this.patience.wait(OVER_LOOK_MS, signal);
    await this.sync(); // the ids of what is to be replaced
    const exchange = turnOf();
    if (signal.aborted || exchange === undefined || !isOver(exchange.turn)) return;
    await this.retry(exchange, { ...options, model });
  }

  /** A copy of the conversation up to before this question, to go on from there. */
  async fork(exchange: Exchange): Promise<void> {
    const { sessionId } = this.state;
    if (sessionId === undefined || exchange.question.messageId === '') return;
    await this.act(async () => {
      await this.openFork(sessionId, exchange);
      this.options.onChange?.();
    });
  }

  private async openFork(sessionId: string, { question }: Exchange): Promise<void> {
    const fork = await this.options.client.forkSession(sessionId, question.messageId);
    await this.open(fork);
    this.options.onSession?.(fork);
    this.unnamed = fork;
  }

  /** A branch has the name of what it was made of until its first own question was taken. */
  private async nameBranch(text: string): Promise<void> {
    const { sessionId, exchanges } = this.state;
    if (this.unnamed === undefined || this.unnamed !== sessionId) return;
    if (exchanges.at(-1)?.unsent !== undefined) return;
    this.unnamed = undefined;
    await this.rename(shorten(text, TITLE_MAX));
  }

  /** Cancels the answer on the server. The stream then ends with turn_cancelled. */
  async stop(): Promise<void> {
    if (!this.busy || this.state.stopping) return;
    this.stopWanted = true;
    this.set({ stopping: true });
    this.patience.wake(); // a question that is still to be sent again is not
    await this.cancelIfWanted();
  }

  /** What the person says to one call. The gateway takes the decisions on all that wait at once, so they are sent
   *  with the last one. */
  async decide(callId: string, approve: boolean): Promise<void> {
    const { sessionId } = this.state;
    const turn = this.state.exchanges.at(-1)?.turn;
    if (sessionId === undefined || turn?.status !== 'awaiting') return;
    const waiting = turn.steps.flatMap(({ calls }) => calls).filter(({ state }) => state === 'awaiting');
    const choices = { ...this.state.choices, [callId]: approve };
    this.set({ choices });
    const decisions = waiting.flatMap(({ id, awaited }): Decision[] => {
      const choice = choices[id];
      return choice === undefined ? [] : [{ callId: id, approve: choice, hash: awaited?.hash ?? '' }];
    });
    if (decisions.length < waiting.length) return;
    await this.act(async () => {
      try {
        await this.options.client.resumeTurn(sessionId, turn.id, decisions);
      } catch (error) {
        this.set({ choices: {} });
        // Decided before, in another tab, or too late: what happened is read, and said.
        if (!(error instanceof ApiError && error.status === 409)) throw error;
        await this.load(sessionId);
        if (error.code === 'already_decided' || error.code === 'decision_expired') throw error;
        return;
      }
      this.change(turn.id, (exchange) => ({
        ...exchange,
        turn: exchange.turn?.status === 'awaiting' ? goOn(exchange.turn) : exchange.turn,
      }));
      this.set({ choices: {} });
      this.tellOthers();
      this.patience.wake(); // a line that is about to be tried again is tried now
      void this.following.follow(turn.id);
    });
  }

  async setFlags(ids: readonly string[], flags: { pinned?: boolean; excluded?: boolean }): Promise<void> {
    const { sessionId } = this.state;
    if (sessionId === undefined) return;
    await this.act(async () => {
      for (const id of ids) await this.options.client.patchMessage(sessionId, id, flags);
      await this.sync();
    });
  }

  async remove(exchange: Exchange): Promise<void> {
    const { sessionId } = this.state;
    if (sessionId === undefined || this.busy) return;
    await this.act(async () => {
      const ids = [...exchange.answerIds, exchange.question.messageId].filter((id) => id !== '');
      for (const id of ids) await this.options.client.deleteMessage(sessionId, id);
      await this.sync();
    });
  }

  async rename(title: string): Promise<void> {
    const { sessionId } = this.state;
    if (sessionId === undefined) return;
    await this.act(async () => {
      await this.patch(sessionId, { title });
      this.set({ title });
      this.options.onChange?.();
    });
  }

  /** How a call's panel is shown is kept with the conversation. */
  async setPanel(callId: string, settings: unknown): Promise<void> {
    const panels = { ...this.state.panels, [callId]: settings };
    this.set({ panels });
    const { sessionId } = this.state;
    if (sessionId !== undefined) await this.act(() => this.patch(sessionId, { panels }));
  }

  /** The datasource and the dashboards that the next questions go with. */
  async setContext(context: ConversationContext): Promise<void> {
    this.set({ context });
    const { sessionId } = this.state;
    if (sessionId === undefined) this.options.onChosen?.(context);
    else await this.act(() => this.patch(sessionId, { context }));
  }

  async setModel(model: string): Promise<void> {
    this.set({ model });
    const { sessionId } = this.state;
    if (sessionId !== undefined) await this.act(() => this.patch(sessionId, { model }));
  }

  /** Reads again what is stored: another part of the page has changed it. */
  async refresh(): Promise<void> {
    await this.sync();
  }

  clearNotice(): void {
    this.set({ notice: undefined });
  }

  // ---- what happens underneath ----

  private set(change: Partial<ConversationState>): void {
    const before = this.state;
    this.state = { ...before, ...change };
    const names = Object.keys(change) as Array<keyof ConversationState>;
    if (names.some((name) => name !== 'exchanges' && before[name] !== this.state[name]))
      this.info = this.state;
    if (before.line !== this.state.line) this.listen();
    for (const listener of this.listeners) listener();
  }

  /** While something is on its way its gateway is listened for. */
  private listen(): void {
    this.quietSince = Date.now();
    const { line } = this.state;
    if (line === 'idle' || line === 'signed_out') this.pulse.stop();
    else this.pulse.start();
  }

  /** An action of the person's whose failure is a notice, not a broken page. */
  private async act(action: () => Promise<void>): Promise<void> {
    this.set({ notice: undefined });
    try {
      await action();
    } catch (error) {
      if (this.life.signal.aborted) return;
      if (isGone(error)) this.gone();
      else this.set({ notice: problemOf(error) });
    }
  }

  /** One after the other: what was chosen last is what stays stored. */
  private patch(sessionId: string, change: Record<string, unknown>): Promise<void> {
    const done = this.patches.then(() => this.options.client.patchSession(sessionId, change));
    this.patches = done.catch(() => undefined);
    return done;
  }

  private leave(): void {
    this.life.abort();
    this.life = new AbortController();
    this.following.stop();
    this.outgoing.clear();
    this.stopWanted = false;
  }

  private async load(sessionId: string): Promise<void> {
    const { signal } = this.life;
    try {
      const detail = await this.patience.persist(
        () => this.options.client.getSession(sessionId, signal),
        signal,
      );
      if (signal.aborted) return;
      this.set({ sessionId, loading: false, problem: undefined });
      this.take(detail);
      await this.learnEnd(sessionId);
    } catch (error) {
      if (signal.aborted) return;
      this.set({ loading: false });
      if (isGone(error) && this.state.exchanges.length > 0) this.gone();
      else this.set({ problem: problemOf(error) });
    }
  }

  /** Of the last question, when nothing of an answer is stored. */
  private async learnEnd(sessionId: string): Promise<void> {
    const { client, silenceMs = SILENCE_MS } = this.options;
    const { signal } = this.life;
    const last = this.state.exchanges.at(-1)?.turn;
    if (last?.error?.code !== 'unanswered') return;
    const turn = await endOf(client, sessionId, last.id, silenceMs, signal);
    if (turn === undefined || signal.aborted) return;
    this.change(last.id, (exchange) => (exchange.turn === last ? { ...exchange, turn } : exchange));
  }

  /** Reads the stored conversation again, quietly: ids and titles that the events do not carry. */
  private async sync(): Promise<void> {
    const { sessionId } = this.state;
    const { signal } = this.life;
    if (sessionId === undefined) return;
    try {
      const detail = await this.options.client.getSession(sessionId, signal);
      if (!signal.aborted) this.take(detail);
    } catch (error) {
      // What is on the page stays right; the next sync tells the rest.
      if (!signal.aborted && isGone(error)) this.gone();
    }
  }

  /** The conversation is not there any more. What is on the page can still be read. */
  private gone(): void {
    this.following.flush();
    this.following.stop();
    this.stopWanted = false;
    const exchanges = this.state.exchanges.map((exchange): Exchange => {
      const { turn } = exchange;
      const isCut =
        turn?.status === 'running' || turn?.status === 'awaiting' || turn?.error?.code === 'turn_not_found';
      return isCut ? { ...exchange, turn: { ...turn, status: 'failed', error: deleted() } } : exchange;
    });
    this.set({ exchanges, problem: deleted(), line: 'idle', stopping: false, notice: undefined });
    this.options.onChange?.();
  }

  /** What is stored, laid over what is on the page; a turn that is not over is followed. */
  private take(detail: SessionDetail): void {
    const { state } = this;
    const { title, model, panels, usage, turn } = detail;
    this.set({
      problem: undefined,
      title,
      model,
      usage,
      // All messages are drawn with these: the same again must be the same object.
      panels: kept(state.panels, panels),
      context: kept(state.context, parseContext(detail.context)),
      exchanges: mergeExchanges(state.exchanges, exchangesOf(detail), this.following.turnId),
    });
    // Replayed from its start: what the stored messages do not hold yet is in the events.
    if (turn !== undefined && turn.state !== 'over') void this.following.follow(turn.turnId);
  }

  private async submit(outgoing: Outgoing): Promise<void> {
    const { client, onSession } = this.options;
    const { signal } = this.life;
    const { datasourcePath, context, model } = outgoing.options;
    this.stopWanted = false;
    this.set({ line: 'sending', stopping: false });
    this.change(outgoing.key, (exchange) => ({ ...exchange, unsent: undefined }));
    try {
      let { sessionId } = this.state;
      if (sessionId === undefined) {
        const wanted = this.state.model || model;
        if (wanted !== outgoing.sessionModel) {
          outgoing.sessionKey = newIdempotencyKey();
          outgoing.sessionModel = wanted;
        }
        const { sessionKey } = outgoing;
        sessionId = await this.patience.persist(
          () => client.createSession({ model: wanted, idempotencyKey: sessionKey }),
          signal,
        );
        if (signal.aborted) return;
        this.set({ sessionId });
        onSession?.(sessionId);
        await this.keepContext(sessionId);
        if (signal.aborted) return;
      }
      const { text: message, insteadOf } = outgoing;
      const request = { sessionId, message, datasourcePath, context, model, insteadOf };
      const turnId = await this.patience.persist(
        () => client.startTurn({ ...request, idempotencyKey: outgoing.turnKey }),
        signal,
      );
      if (signal.aborted) return;
      this.outgoing.delete(outgoing.key);
      this.options.onPending?.(undefined);
      this.change(outgoing.key, (exchange) => ({ ...exchange, turn: newTurn(turnId) }));
      this.tellOthers();
      this.options.onChange?.();
      void this.following.follow(turnId);
      await this.cancelIfWanted();
    } catch (error) {
      if (signal.aborted) return;
      const problem = this.stopWanted
        ? { code: 'stopped', message: t('conversation.stoppedBeforeItWas') }
        : problemOf(error);
      const signedOut = error instanceof ApiError && error.status === 401;
      this.set({ line: signedOut ? 'signed_out' : 'idle', stopping: false });
      this.change(outgoing.key, (exchange) => ({ ...exchange, unsent: problem }));
      if (error instanceof ApiError && error.code === 'turn_running') await this.sync();
      if (isGone(error)) this.gone();
    }
  }

  /** What was chosen before the conversation had an id. */
  private async keepContext(sessionId: string): Promise<void> {
    const { context } = this.state;
    if (context === NO_CONTEXT) return;
    await this.act(() => this.patch(sessionId, { context }));
    this.options.onChosen?.(undefined);
  }

  private async cancelIfWanted(): Promise<void> {
    const { sessionId } = this.state;
    const turn = this.state.exchanges.at(-1)?.turn;
    if (!this.stopWanted || sessionId === undefined || isOver(turn) || turn === undefined) return;
    this.stopWanted = false;
    const { signal } = this.life;
    try {
      await this.patience.persist(() => this.options.client.cancelTurn(sessionId, turn.id), signal);
    } catch (error) {
      if (signal.aborted) return;
      // It was over before: the stream tells how.
      const over = error instanceof ApiError && (error.status === 404 || error.status === 409);
      this.set({ stopping: false, notice: over ? undefined : problemOf(error) });
    }
  }

  /** The turn now waits for its person. */
  private rest(): void {
    this.set({ line: 'idle', stopping: false });
    this.tellOthers();
    void this.sync().then(() => this.options.onChange?.());
  }

  private end(): void {
    this.stopWanted = false;
    this.set({ line: 'idle', stopping: false });
    this.tellOthers();
    const { signal } = this.life;
    void this.sync().then(() => {
      this.options.onChange?.();
      return lookForTitle({
        getSnapshot: this.getSnapshot,
        wait: (ms) => this.patience.wait(ms, signal),
        isQuiet: () => !signal.aborted && !this.busy,
        sync: () => this.sync(),
        onTitle: () => this.options.onChange?.(),
      });
    });
  }

  /** Signed in again: goes on with what was interrupted. */
  async signedIn(): Promise<void> {
    const { sessionId, line } = this.state;
    if (line !== 'signed_out') return;
    this.set({ line: 'idle' });
    if (sessionId !== undefined) await this.load(sessionId);
  }

  /** Changes one exchange, found by its key or its turn. */
  private change(id: string, how: (exchange: Exchange) => Exchange): void {
    const exchanges = this.state.exchanges.map((exchange) =>
      exchange.key === id || exchange.turn?.id === id ? how(exchange) : exchange,
    );
    this.set({ exchanges });
  }

  private readonly onVisible = (): void => {
    if (globalThis.document.visibilityState !== 'visible') return;
    this.patience.wake();
    if (this.state.line === 'signed_out') void this.signedIn();
    else if (!this.busy && !this.state.loading) void this.sync();
  };

  private tellOthers(): void {
    this.channel?.postMessage({ sessionId: this.state.sessionId });
  }

  private readonly onOtherTab = (message: MessageEvent<unknown>): void => {
    const data = message.data as { sessionId?: unknown; deleted?: unknown } | undefined;
    if (data?.sessionId === undefined || data.sessionId !== this.state.sessionId) return;
    if (!this.busy || data.deleted === true) void this.sync();
  };
}
