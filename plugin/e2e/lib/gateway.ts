// A gateway whose turns a test scripts, for what a real model can't be asked for: a given number of tokens a
// second, an approval, a conversation of 500 messages. It speaks the HTTP API behind a real Perses.
import { IncomingMessage, Server, ServerResponse, createServer } from 'node:http';

type Json = Record<string, unknown>;

export interface Talk {
  readonly turn: Turn;
  readonly message: string;
  emit(payload: Json): void;
  text(text: string): void;
  step(type: 'inference' | 'tool_execution', id: string): void;
  /** A query tool's call: begins, and is answered. */
  query(query: string, options?: { tool?: string; minutes?: number; series?: number }): void;
  answer(content: string): void;
  wait(ms: number): Promise<void>;
}

interface Turn {
  readonly id: string;
  readonly sessionId: string;
  readonly events: Array<{ id: string; text: string }>;
  readonly readers: Set<ServerResponse>;
  state: 'running' | 'awaiting' | 'over';
  decisions: Json[];
  cancelled: boolean;
}

interface Session {
  id: string;
  title: string;
  messages: Json[];
  turn?: Turn;
  panels: Json;
  at: string;
}

export type Script = (talk: Talk) => Promise<void>;

async function bodyOf(request: IncomingMessage): Promise<Json> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return text === '' ? {} : (JSON.parse(text) as Json);
}

export class ScriptedGateway {
  readonly sessions = new Map<string, Session>();
  readonly turns = new Map<string, Turn>();
  private readonly keys = new Map<string, Json>();
  private count = 0;
  private server: Server | undefined;
  script: Script = async (talk) => talk.answer('Nothing is scripted.');
  datasource = '/proxy/globaldatasources/prometheus';
  url = '';

  async start(port: number): Promise<void> {
    const server = createServer((request, response) => {
      this.answer(request, response).catch((error: unknown) => {
        response.writeHead(500).end(String(error));
      });
    });
    this.server = server;
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${port}`;
  }

  async stop(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise((resolve) =>
      this.server === undefined ? resolve(undefined) : this.server.close(resolve),
    );
  }

  /** Cuts every open line, as a gateway that is killed does. */
  cutLines(): void {
    for (const turn of this.turns.values()) {
      for (const reader of turn.readers) reader.destroy();
      turn.readers.clear();
    }
  }

  private nextId(): string {
    this.count += 1;
    return this.count.toString(16).padStart(32, '0');
  }

  addSession(title: string, messages: Json[] = []): Session {
    const session: Session = { id: this.nextId(), title, messages, panels: {}, at: new Date().toISOString() };
    this.sessions.set(session.id, session);
    return session;
  }

  addMessage(session: Session, message: Json): void {
    const id = String(session.messages.length + 1);
    session.messages.push({
      message_id: id,
      at: new Date().toISOString(),
      pinned: false,
      excluded: false,
      ...message,
    });
  }

  private send(turn: Turn, payload: Json): void {
    const id = `1-${turn.events.length + 1}`;
    const text = `id: ${id}\ndata: ${JSON.stringify({ event: { payload } })}\n\n`;
    turn.events.push({ id, text });
    for (const reader of turn.readers) reader.write(text);
  }

  private end(turn: Turn, state: Turn['state']): void {
    turn.state = state;
    for (const reader of turn.readers) reader.end();
    turn.readers.clear();
  }

  private talk(session: Session, turn: Turn, message: string): Talk {
    let step = 's0';
    let calls = 0;
    const emit = (payload: Json): void => {
      if (turn.state === 'running' && !turn.cancelled) this.send(turn, payload);
    };
    return {
      turn,
      message,
      emit,
      step: (type, id) => {
        step = id;
        emit({ event_type: 'step_start', step_type: type, step_id: id, attempt: 1 });
      },
      text: (text) =>
        emit({
          event_type: 'step_progress',
          step_type: 'inference',
          step_id: step,
          delta: { type: 'text', text },
        }),
      query: (query, { tool = 'execute_range_query', minutes = 30, series = 2 } = {}) => {
        calls += 1;
        const call_id = `${turn.id}-${calls}`;
        const args = { query, start: `now-${minutes}m`, end: 'now', step: '15s' };
        const call = { call_id, tool_name: tool, arguments: args };
        const content = JSON.stringify({ series: Array.from({ length: series }, () => ({})) });
        const response = {
          call_id,
          tool_name: tool,
          content,
          failed: false,
          duration_ms: 12,
          datasource: this.datasource,
        };
        const id = `tools-${calls}`;
        emit({ event_type: 'step_start', step_type: 'tool_execution', step_id: id, attempt: 1 });
        const delta = { type: 'tool_call', ...call, arguments: JSON.stringify(args), state: 'running' };
        emit({ event_type: 'step_progress', step_type: 'tool_execution', step_id: id, delta });
        const step_details = {
          step_type: 'tool_execution',
          step_id: id,
          tool_calls: [call],
          tool_responses: [response],
        };
        emit({ event_type: 'step_complete', step_details });
        this.addMessage(session, { role: 'assistant', turn_id: turn.id, content: '', tool_calls: [call] });
        this.addMessage(session, { role: 'tool', turn_id: turn.id, content: '', tool_responses: [response] });
      },
      answer: (content) => {
        const step_details = {
          step_type: 'inference',
          step_id: step,
          model_response: { content, stop_reason: 'stop' },
        };
        emit({ event_type: 'step_complete', step_details });
        if (turn.cancelled) return;
        this.addMessage(session, { role: 'assistant', turn_id: turn.id, content, tool_calls: [] });
        const usage = { input_tokens: 1200, output_tokens: 340 };
        const output_message = { role: 'assistant', content, stop_reason: 'stop' };
        emit({ event_type: 'turn_complete', turn: { turn_id: turn.id, output_message, usage } });
        this.end(turn, 'over');
      },
      wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    };
  }

  private startTurn(session: Session, message: string): Turn {
    const turn: Turn = {
      id: this.nextId(),
      sessionId: session.id,
      events: [],
      readers: new Set(),
      state: 'running',
      decisions: [],
      cancelled: false,
    };
    this.turns.set(turn.id, turn);
    session.turn = turn;
    if (session.title === '') session.title = message.slice(0, 60);
    session.at = new Date().toISOString();
    this.addMessage(session, { role: 'user', turn_id: turn.id, content: message });
    this.send(turn, { event_type: 'turn_start', turn_id: turn.id, session_id: session.id });
    void this.script(this.talk(session, turn, message));
    return turn;
  }

  /** Ends a turn as awaiting the person's decision; resolves with it. */
  async awaitDecision(talk: Talk, call: Json): Promise<boolean> {
    const { turn } = talk;
    const output_message = { role: 'assistant', content: '', stop_reason: 'tool_calls' };
    this.send(turn, {
      event_type: 'turn_awaiting_input',
      turn: { turn_id: turn.id, output_message, tool_calls: [call] },
    });
    this.end(turn, 'awaiting');
    while (turn.decisions.length === 0) await talk.wait(20);
    return turn.decisions[0]?.['approve'] === true;
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://gateway');
    const { method = 'GET' } = request;
    const body = await bodyOf(request);
    const reply = (status: number, value: unknown): void => {
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
    };
    const refuse = (status: number, code: string, text: string): void => {
      reply(status, { detail: { response: text, code } });
    };
    const once = (make: () => Json): Json => {
      const key = String(request.headers['idempotency-key'] ?? this.nextId());
      const known = this.keys.get(key) ?? make();
      this.keys.set(key, known);
      return known;
    };
    const [, kind, sessionId = '', what, id = '', verb] = url.pathname.split('/');
    if (kind === 'models') return reply(200, [{ id: 'demo/small', default: true }, { id: 'demo/large' }]);
    if (kind === 'sessions') {
      const query = (url.searchParams.get('q') ?? '').toLowerCase();
      const found = [...this.sessions.values()].filter((session) =>
        JSON.stringify(session.title).toLowerCase().includes(query),
      );
      found.sort((a, b) => b.at.localeCompare(a.at));
      return reply(
        200,
        found.map(({ id: session_id, title, messages, at }) => ({
          session_id,
          session_name: title,
          title,
          started_at: at,
          updated_at: at,
          turns: messages.filter(({ role }) => role === 'user').length,
        })),
      );
    }
    if (kind === 'session' && sessionId === '') {
      return reply(
        201,
        once(() => ({ session_id: this.addSession('').id })),
      );
    }
    const session = this.sessions.get(sessionId);
    if (kind !== 'session' || session === undefined)
      return refuse(404, 'session_not_found', 'Session not found');
    if (what === undefined) {
      if (method === 'DELETE') this.sessions.delete(sessionId);
      if (method === 'PATCH') Object.assign(session, body);
      const { title, panels, messages, turn } = session;
      const state =
        turn === undefined || turn.state === 'over' ? null : { turn_id: turn.id, state: turn.state };
      return reply(200, { session_id: sessionId, title, model: '', panels, messages, turn: state });
    }
    if (what === 'fork') {
      const at = session.messages.findIndex(({ message_id }) => message_id === String(body['message_id']));
      const copy = this.addSession(session.title, structuredClone(session.messages.slice(0, at)));
      return reply(201, { session_id: copy.id });
    }
    if (what === 'message') {
      const at = session.messages.findIndex(({ message_id }) => message_id === id);
      if (at < 0) return refuse(404, 'message_not_found', 'Message not found');
      if (method === 'DELETE') session.messages.splice(at, 1);
      else Object.assign(session.messages[at] ?? {}, body);
      return reply(200, {});
    }
    if (id === '') {
      const turn = once(() => ({ turn_id: this.startTurn(session, String(body['message'])).id }));
      return reply(202, { ...turn, session_id: sessionId });
    }
    const turn = this.turns.get(id);
    if (turn === undefined) return refuse(404, 'turn_not_found', 'Turn not found');
    if (verb === 'cancel') {
      this.send(turn, { event_type: 'turn_cancelled', turn_id: turn.id });
      turn.cancelled = true;
      this.end(turn, 'over');
      return reply(202, {});
    }
    if (verb === 'resume') {
      if (turn.state !== 'awaiting') return refuse(409, 'turn_over', 'The turn is over');
      turn.state = 'running';
      turn.decisions = body['decisions'] as Json[];
      return reply(202, {});
    }
    const last = request.headers['last-event-id'];
    const from = last === undefined ? 0 : turn.events.findIndex((event) => event.id === last) + 1;
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    for (const { text } of turn.events.slice(from)) response.write(text);
    if (turn.state !== 'running') {
      response.end();
      return;
    }
    turn.readers.add(response);
    response.on('close', () => turn.readers.delete(response));
  }
}
