// A scripted gateway behind a Perses proxy, standing in for fetch: sessions in memory, turns whose events the
// test hands out one by one, lines that it cuts. It checks what a real one checks (ids, idempotency keys).
import { vi } from 'vitest';

import { Json, asObject } from '../api/events';

export const PROXY = '/proxy/globaldatasources/persai';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  readonly body: Json;
}

/** Makes `{"event":{"payload":…}}` of a payload. */
export function sse(id: string, payload: Json): string {
  return `id: ${id}\ndata: ${JSON.stringify({ event: { payload } })}\n\n`;
}

/** One turn's stored events; readers get what is past their Last-Event-ID, then what is added. */
export class FakeTurn {
  readonly events: Array<{ id: string; text: string }> = [];
  private readers = new Set<ReadableStreamDefaultController<Uint8Array>>();
  over = false;
  state = 'running';
  opened: Array<string | null> = [];
  private seq = 0;

  constructor(
    readonly id: string,
    readonly sessionId: string,
  ) {}

  emit(payload: Json, epoch = 1): void {
    const id = `${epoch}-${++this.seq}`;
    this.add(id, sse(id, payload));
    const type = payload['event_type'];
    if (
      type === 'turn_complete' ||
      type === 'turn_cancelled' ||
      type === 'error' ||
      type === 'turn_awaiting_input'
    ) {
      this.state = type === 'turn_awaiting_input' ? 'awaiting_input' : 'over';
      this.over = true;
      this.cut();
    }
  }

  add(id: string, text: string): void {
    this.events.push({ id, text });
    this.send(text);
  }

  /** Bytes that are not stored: pings, half messages. */
  send(text: string): void {
    for (const reader of this.readers) reader.enqueue(new TextEncoder().encode(text));
  }

  /** Ends every open line, as a gateway that goes away does. */
  cut(): void {
    for (const reader of this.readers) reader.close();
    this.readers.clear();
  }

  break(): void {
    for (const reader of this.readers) reader.error(new TypeError('network error'));
    this.readers.clear();
  }

  get lines(): number {
    return this.readers.size;
  }

  text(text: string, stepId = 's1', epoch = 1): void {
    const delta = { type: 'text', text };
    this.emit({ event_type: 'step_progress', step_type: 'inference', step_id: stepId, delta }, epoch);
  }

  answer(content: string, stepId = 's1', epoch = 1): void {
    const step = {
      step_type: 'inference',
      step_id: stepId,
      model_response: { content, stop_reason: 'end_of_turn' },
    };
    this.emit({ event_type: 'step_complete', step_details: step }, epoch);
    const output_message = { role: 'assistant', content, stop_reason: 'end_of_turn' };
    const usage = { input_tokens: 12, output_tokens: 34 };
    this.emit({ event_type: 'turn_complete', turn: { turn_id: this.id, output_message, usage } }, epoch);
  }

  open(after: string | null): ReadableStream<Uint8Array> {
    this.opened.push(after);
    const from = after === null ? 0 : this.events.findIndex(({ id }) => id === after) + 1;
    if (after !== null && from === 0) throw new Error(`Last-Event-ID ${after} was never sent`);
    let mine: ReadableStreamDefaultController<Uint8Array> | undefined;
    return new ReadableStream<Uint8Array>({
      start: (controller): void => {
        mine = controller;
        for (const { text } of this.events.slice(from)) controller.enqueue(new TextEncoder().encode(text));
        // Behind a wait for the person the line stays open: the decision is told on it.
        const waits = this.state === 'awaiting_input' && from === this.events.length && after !== null;
        if (this.over && !waits) controller.close();
        else this.readers.add(controller);
      },
      cancel: (): void => {
        for (const reader of this.readers) if (reader === mine) this.readers.delete(reader);
      },
    });
  }
}

interface FakeSession {
  id: string;
  title: string;
  messages: Json[];
  turn?: FakeTurn;
  model: string;
  panels: Json;
  context: Json;
  pinned: boolean;
  /** Versions of questions, and what the ones that are not shown lead to. */
  versions: string[][];
  away: Map<string, Json[]>;
}

function otherBody(): Response {
  return problem(422, 'idempotency_mismatch', 'This Idempotency-Key came before with another request');
}

export function problem(
  status: number,
  code: string,
  response: string,
  headers: Record<string, string> = {},
): Response {
  return Response.json({ detail: { response, code } }, { status, headers });
}

type Answer = Response | 'lost' | 'drop';

export class FakeGateway {
  readonly sessions = new Map<string, FakeSession>();
  readonly turns = new Map<string, FakeTurn>();
  readonly requests: SeenRequest[] = [];
  /** Called before the normal answer: a Response replaces it, "lost" means done but the answer never
   *  arrives, "drop" means not done at all. */
  before: (request: SeenRequest) => Answer | undefined = () => undefined;
  private readonly byKey = new Map<string, { asked: string; made: Json }>();
  private count = 0;

  install(): this {
    vi.stubGlobal('fetch', (url: string, init: RequestInit = {}) => this.fetch(url, init));
    return this;
  }

  count_of(method: string, path: RegExp): number {
    return this.requests.filter((request) => request.method === method && path.test(request.path)).length;
  }

  get lastTurn(): FakeTurn {
    const turn = [...this.turns.values()].at(-1);
    if (turn === undefined) throw new Error('no turn was started');
    return turn;
  }

  addSession(id: string, messages: Json[], title = 'A talk'): FakeSession {
    const session: FakeSession = {
      id,
      title,
      messages,
      model: '',
      panels: {},
      context: {},
      pinned: false,
      versions: [],
      away: new Map(),
    };
    this.sessions.set(id, session);
    return session;
  }

  startTurn(sessionId: string, message: string): FakeTurn {
    const session = this.sessions.get(sessionId);
    if (session === undefined) throw new Error(`no session ${sessionId}`);
    const turn = new FakeTurn(`turn${++this.count}`, sessionId);
    this.turns.set(turn.id, turn);
    session.turn = turn;
    session.messages.push({
      message_id: `m${++this.count}`,
      role: 'user',
      turn_id: turn.id,
      content: message,
    });
    return turn;
  }

  private putAway(session: FakeSession, id: string): void {
    const at = session.messages.findIndex((message) => message['message_id'] === id);
    if (at >= 0) session.away.set(id, session.messages.splice(at));
  }

  private addVersion(session: FakeSession, insteadOf: string): void {
    const group = session.versions.find((one) => one.includes(insteadOf));
    const next = String(session.messages.findLast(({ role }) => role === 'user')?.['message_id']);
    if (group === undefined) session.versions.push([insteadOf, next]);
    else group.push(next);
  }

  /** What a worker stores when the turn's answer is final. */
  store(turn: FakeTurn, content: string): void {
    const session = this.sessions.get(turn.sessionId);
    session?.messages.push({ message_id: `m${++this.count}`, role: 'assistant', turn_id: turn.id, content });
  }

  private async fetch(url: string, init: RequestInit): Promise<Response> {
    if (!url.startsWith(`${PROXY}/`)) throw new Error(`a request left the proxy: ${url}`);
    const [path = '', query = ''] = url.slice(PROXY.length).split('?');
    const body = typeof init.body === 'string' ? (asObject(JSON.parse(init.body)) ?? {}) : {};
    const request: SeenRequest = {
      method: init.method ?? 'GET',
      path,
      query: new URLSearchParams(query),
      headers: new Headers(init.headers),
      body,
    };
    this.requests.push(request);
    if (init.signal?.aborted === true) throw new DOMException('aborted', 'AbortError');
    const instead = this.before(request);
    if (instead === 'drop') throw new TypeError('Failed to fetch');
    if (instead !== undefined && instead !== 'lost') return instead;
    const response = this.answer(request);
    if (instead === 'lost') throw new TypeError('Failed to fetch');
    return response;
  }

  /** undefined: the key came before with another body. */
  private once(request: SeenRequest, make: () => Json): Json | undefined {
    const key = request.headers.get('Idempotency-Key');
    if (key === null) return make();
    const asked = JSON.stringify([request.path, request.body]);
    const before = this.byKey.get(key);
    if (before !== undefined) return before.asked === asked ? before.made : undefined;
    const made = make();
    this.byKey.set(key, { asked, made });
    return made;
  }

  private answer(request: SeenRequest): Response {
    const [, kind, sessionId = '', what, id = '', verb] = request.path.split('/');
    if (kind === 'models') return Response.json([{ id: 'demo/one', default: true }, { id: 'demo/two' }]);
    if (kind === 'sessions') {
      return Response.json(
        [...this.sessions.values()]
          .filter(({ pinned }) => pinned || request.query.get('keep') !== 'true')
          .map((session) => ({
            keep: session.pinned,
            session_id: session.id,
            session_name: session.title,
            title: session.title,
            turns: session.messages.filter(({ role }) => role === 'user').length,
          })),
      );
    }
    if (kind !== 'session') return problem(404, 'not_found', 'There is nothing here');
    if (sessionId === '') {
      const made = this.once(request, () => ({
        session_id: this.addSession(`sess${++this.count}`, [], '').id,
      }));
      return made === undefined ? otherBody() : Response.json(made, { status: 201 });
    }
    const session = this.sessions.get(sessionId);
    if (session === undefined) return problem(404, 'session_not_found', 'Session not found');
    if (what === undefined) return this.aboutSession(request, session);
    if (what === 'fork') {
      const at = session.messages.findIndex(
        (message) => message['message_id'] === request.body['message_id'],
      );
      const copy = this.addSession(
        `sess${++this.count}`,
        session.messages.slice(0, at),
        `${session.title} (copy)`,
      );
      return Response.json({ session_id: copy.id }, { status: 201 });
    }
    if (what === 'message') return this.aboutMessage(request, session, id);
    if (id === '') {
      const { turn } = session;
      const key = request.headers.get('Idempotency-Key') ?? '';
      if (turn?.over === false && !this.byKey.has(key))
        return problem(409, 'turn_running', 'A turn is still running');
      if (!(request.query.get('datasource_path') ?? '').startsWith('/proxy/')) {
        return problem(400, 'no_datasource_path', 'No datasource path provided');
      }
      const made = this.once(request, () => {
        const insteadOf = request.body['instead_of'];
        if (typeof insteadOf === 'string') this.putAway(session, insteadOf);
        const started = this.startTurn(sessionId, String(request.body['message']));
        if (typeof insteadOf === 'string') this.addVersion(session, insteadOf);
        return { turn_id: started.id, session_id: sessionId };
      });
      return made === undefined ? otherBody() : Response.json(made, { status: 202 });
    }
    return this.aboutTurn(request, session, this.turns.get(id), verb);
  }

  private aboutSession(request: SeenRequest, session: FakeSession): Response {
    if (request.method === 'DELETE') {
      this.sessions.delete(session.id);
      return Response.json({});
    }
    if (request.method === 'PATCH') {
      session.title = String(request.body['title'] ?? session.title);
      session.model = String(request.body['model'] ?? session.model);
      session.pinned = request.body['keep'] === undefined ? session.pinned : request.body['keep'] === true;
      session.panels = asObject(request.body['panels']) ?? session.panels;
      session.context = asObject(request.body['context']) ?? session.context;
      return Response.json({});
    }
    const { turn } = session;
    return Response.json({
      session_id: session.id,
      title: session.title,
      model: session.model,
      panels: session.panels,
      context: session.context,
      versions: session.versions,
      messages: session.messages,
      turn: turn === undefined ? null : { turn_id: turn.id, state: turn.state },
    });
  }

  private aboutMessage(request: SeenRequest, session: FakeSession, id: string): Response {
    if (request.body['shown'] === true) {
      const group = session.versions.find((one) => one.includes(id)) ?? [];
      for (const other of group) if (other !== id) this.putAway(session, other);
      session.messages.push(...(session.away.get(id) ?? []));
      session.away.delete(id);
      return Response.json({});
    }
    const at = session.messages.findIndex((message) => message['message_id'] === id);
    if (at < 0) return problem(404, 'message_not_found', 'Message not found');
    if (request.method === 'DELETE') session.messages.splice(at, 1);
    else session.messages[at] = { ...session.messages[at], ...request.body };
    return Response.json({});
  }

  private aboutTurn(
    request: SeenRequest,
    session: FakeSession,
    turn: FakeTurn | undefined,
    verb: string | undefined,
  ): Response {
    if (turn === undefined || turn.sessionId !== session.id)
      return problem(404, 'turn_not_found', 'Turn not found');
    if (verb === 'cancel') {
      if (turn.over) return problem(409, 'turn_over', 'The turn is over');
      turn.emit({ event_type: 'turn_cancelled', turn_id: turn.id });
      return Response.json({}, { status: 202 });
    }
    if (verb === 'resume') {
      if (turn.state !== 'awaiting_input') return problem(409, 'turn_over', 'The turn is over');
      turn.over = false;
      turn.state = 'running';
      return Response.json({}, { status: 202 });
    }
    const body = turn.open(request.headers.get('Last-Event-ID'));
    return new Response(body, { headers: { 'Content-Type': 'text/event-stream; charset=utf-8' } });
  }
}
