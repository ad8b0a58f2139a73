// A model whose answers a test scripts: a server with OpenAI's Chat Completions API, streaming, with tool calls. It is
// the one part of the browser tests' stack that is not real: all else is what compose/run starts.
import { IncomingMessage, Server, ServerResponse, createServer } from 'node:http';

type Json = Record<string, unknown>;

export interface Call {
  readonly tool: string;
  readonly args: Json;
}

/** A text, a tool call, a pause in milliseconds, or what the test opens. */
export type Piece = string | number | Call | Promise<void>;

export interface Prompt {
  readonly model: string;
  readonly system: string;
  /** What PersAI says beside the question: the time, the datasources, what the person looks at, metrics that may fit. */
  readonly beside: string;
  /** Role and text of each message but the first, the system's; of questions what the person wrote. */
  readonly messages: ReadonlyArray<{ readonly role: string; readonly text: string }>;
}

/** Stands behind a question, or alone where the model is told what is wrong with its answer. */
const BESIDE = /(?:\n\n|^)\[Said by PersAI/;

/** How PersAI asks for a conversation's title. */
const TITLE = 'Write the title of a conversation';

export class ScriptedModel {
  readonly prompts: Prompt[] = [];
  /** What conversations are called whose question has this word; others keep their question's beginning. */
  readonly titles = new Map<string, string>();
  url = '';
  private readonly scripts = new Map<string, ReadonlyArray<() => Iterable<Piece>>>();
  private server: Server | undefined;
  private calls = 0;

  /**
   * A question that has this word gets these replies: the first one, after its tools the second one, and so on; the
   * last one stays. Of several words that it has, the longest counts.
   */
  when(word: string, ...replies: ReadonlyArray<() => Iterable<Piece>>): void {
    this.scripts.set(word, replies);
  }

  async start(): Promise<void> {
    const server = createServer((request, response) => {
      this.answer(request, response).catch(() => response.destroy());
    });
    this.server = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    this.url = `http://127.0.0.1:${address.port}/v1`;
  }

  async stop(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise((resolve) =>
      this.server === undefined ? resolve(undefined) : this.server.close(resolve),
    );
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'GET') {
      const data = ['small', 'large'].map((id) => ({ id, object: 'model' }));
      response
        .writeHead(200, { 'Content-Type': 'application/json' })
        .end(JSON.stringify({ object: 'list', data }));
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString()) as Json;
    const [system, ...told] = (body['messages'] as Json[]).map((message) => ({
      role: String(message['role']),
      text: String(message['content'] ?? ''),
    }));
    const messages = told.map(({ role, text }) => ({
      role,
      text: role === 'user' ? (text.split(BESIDE)[0] ?? '') : text,
    }));
    const asked = messages.findLastIndex(({ role, text }) => role === 'user' && text !== '');
    if (system?.text.startsWith(TITLE) === true) {
      const word = [...this.titles.keys()].find((one) => messages[asked]?.text.includes(one) === true);
      await this.write(response, String(body['model']), [this.titles.get(word ?? '') ?? ''], 100);
      return;
    }
    this.prompts.push({
      model: String(body['model']),
      system: system?.text ?? '',
      beside: told[asked]?.text.slice(messages[asked]?.text.length) ?? '',
      messages,
    });
    const question = messages[asked]?.text ?? '';
    const turn = messages.slice(asked).filter(({ role }) => role === 'assistant').length;
    const words = [...this.scripts.keys()].filter((word) => question.includes(word));
    const script = this.scripts.get(words.sort((a, b) => b.length - a.length)[0] ?? '');
    const reply =
      script?.[Math.min(turn, script.length - 1)] ??
      ((): Iterable<Piece> => ['Nothing is scripted for this.']);
    await this.write(response, String(body['model']), reply(), JSON.stringify(messages).length);
  }

  private async write(
    response: ServerResponse,
    model: string,
    reply: Iterable<Piece>,
    promptChars: number,
  ): Promise<void> {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    const base = { id: 'scripted', object: 'chat.completion.chunk', created: 1, model };
    const send = (choices: unknown, more: Json = {}): void => {
      response.write(`data: ${JSON.stringify({ ...base, choices, ...more })}\n\n`);
    };
    const delta = (value: Json, finish: string | null = null): void =>
      send([{ index: 0, delta: value, finish_reason: finish }]);
    delta({ role: 'assistant', content: null });
    let written = 0;
    let called = 0;
    for (const piece of reply) {
      if (response.destroyed) return;
      if (typeof piece === 'number') await new Promise((resolve) => setTimeout(resolve, piece));
      else if (typeof piece === 'string') {
        written += piece.length;
        delta({ content: piece });
      } else if (piece instanceof Promise) await piece;
      else {
        const id = `call_${++this.calls}`;
        const index = called++;
        const args = JSON.stringify(piece.args);
        const half = args.length / 2;
        const part = (value: Json): void => delta({ tool_calls: [{ index, ...value }] });
        part({ id, type: 'function', function: { name: piece.tool, arguments: '' } });
        part({ function: { arguments: args.slice(0, half) } });
        part({ function: { arguments: args.slice(half) } });
      }
    }
    delta({}, called > 0 ? 'tool_calls' : 'stop');
    const prompt_tokens = Math.ceil(promptChars / 4);
    const completion_tokens = Math.ceil(written / 4) + 10 * called;
    send([], {
      usage: { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens },
    });
    response.end('data: [DONE]\n\n');
  }
}
