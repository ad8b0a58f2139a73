// The stack of compose/run, all of it real (Redis, Prometheus, Perses with our plugin and page, gateway, workers), on
// ports and in a folder of its own. Only the model is the test's.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { ScriptedModel } from './model';
import { Program, freePort, until } from './processes';

export const REPO = resolve(import.meta.dirname ?? __dirname, '../../..');
const STATE =
  process.env['PERSAI_STATE'] ??
  join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local/state'), 'persai');

/** Runs a script of the repository; its messages are shown, the last line of its output is its result. */
export async function lastLine(script: string, ...args: readonly string[]): Promise<string> {
  const child = spawn(join(REPO, script), args, { stdio: ['ignore', 'pipe', 'inherit'], cwd: REPO });
  let output = '';
  child.stdout.on('data', (data: Buffer) => {
    output += data.toString();
  });
  const code = await new Promise<number | null>((done, reject) => {
    child.once('error', reject);
    child.once('close', done);
  });
  if (code !== 0) throw new Error(`${script} failed`);
  return output.trim().split('\n').at(-1) ?? '';
}

/** What Perses is served with: a small page of ours, or its own web UI. */
export type Ui = 'web-page' | 'full-ui';

/** What compose/run installs and builds, unless tests/run has done so and says where. */
async function prepared(ui: Ui): Promise<Record<string, string>> {
  const page = await lastLine(`compose/perses/${ui}`);
  const given = process.env['PERSAI_BIN_DIR'];
  if (given === undefined) await lastLine('compose/run', 'prepare');
  return {
    PERSAI_STATE: STATE,
    PERSAI_BIN_DIR: given ?? join(STATE, 'bin'),
    PERSAI_PLUGINS_DIR: await lastLine('compose/perses/plugins'),
    PERSAI_PERSES_BIN: await lastLine('compose/perses/build', page),
  };
}

interface Status {
  readonly phase: string;
  readonly ports: Readonly<Record<string, number>>;
  readonly programs: Readonly<Record<string, { readonly pid: number; readonly restarts: number }>>;
}

export class Stack {
  private constructor(
    private readonly program: Program,
    readonly folder: string,
    readonly model: ScriptedModel,
  ) {}

  static async start(ui: Ui): Promise<Stack> {
    const env = await prepared(ui);
    const model = new ScriptedModel();
    await model.start();
    const folder = join(tmpdir(), `persai-e2e-${randomBytes(4).toString('hex')}`);
    mkdirSync(folder, { mode: 0o700 });
    const models = join(folder, 'models.json');
    writeFileSync(
      models,
      JSON.stringify([
        { name: 'large', provider: 'openai', model: 'large', base_url: model.url, window: 100_000 },
      ]),
    );
    const program = Program.start(
      ['python3', join(REPO, 'compose/lib/stack.py'), 'up'],
      join(folder, 'stack.log'),
      {
        ...env,
        PERSAI_STACK: folder,
        PERSAI_PORT: String(await freePort()),
        PERSAI_MODELS: models,
        OPENAI_BASE_URL: model.url,
        PERSAI_DEFAULT_MODEL: 'openai/small',
        PERSAI_USER_TURNS_PER_MINUTE: '0', // a long conversation is asked for faster than a person asks
        PERSAI_USER_TOKENS: '50000000', // more than all tests need: what is left is shown
        PERSAI_CHECK_ANSWERS: 'false', // what the model says is made up
        LOG_LEVEL: 'info',
      },
    );
    const stack = new Stack(program, folder, model);
    try {
      await until('the stack is ready', async () => stack.status.phase === 'ready', 120_000);
    } catch (error) {
      const log = readFileSync(join(folder, 'stack.log'), 'utf8');
      await stack.stop();
      throw new Error(`${String(error)}\n${log}`);
    }
    return stack;
  }

  private get status(): Status {
    return JSON.parse(readFileSync(join(this.folder, 'status.json'), 'utf8')) as Status;
  }

  private at(name: string): string {
    return `http://127.0.0.1:${this.status.ports[name]}`;
  }

  get url(): string {
    return this.at('perses');
  }

  get prometheus(): string {
    return this.at('prometheus');
  }

  password(user: string): string {
    return readFileSync(join(this.folder, `${user}-password`), 'utf8').trim();
  }

  /** kill -9; the supervisor of compose/run starts it again. */
  async kill(name: string): Promise<void> {
    const { pid, restarts } = this.status.programs[name] ?? { pid: 0, restarts: 0 };
    if (pid === 0) throw new Error(`${name} does not run`);
    process.kill(pid, 'SIGKILL');
    await until(
      `${name} is started again`,
      async () => (this.status.programs[name]?.restarts ?? 0) > restarts,
    );
  }

  /** Stops it in its tracks, its lines open; call what is returned to let it go on. */
  freeze(name: string): () => void {
    const { pid } = this.status.programs[name] ?? { pid: 0 };
    if (pid === 0) throw new Error(`${name} does not run`);
    process.kill(pid, 'SIGSTOP');
    return () => process.kill(pid, 'SIGCONT');
  }

  /** Perses's API as a user of it. */
  async perses(user: string, method: string, path: string, body?: unknown): Promise<Response> {
    const login = await fetch(`${this.url}/api/auth/providers/native/login`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ login: user, password: this.password(user) }),
    });
    const { access_token: token } = (await login.json()) as { access_token: string };
    return fetch(this.url + path, {
      method,
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  }

  /** An object of Perses, made by the administrator. */
  async create(path: string, body: unknown): Promise<void> {
    const response = await this.perses('admin', 'POST', path, body);
    if (!response.ok) throw new Error(`Perses refused ${path}: ${response.status} ${await response.text()}`);
  }

  async query(path: string, parameters: Readonly<Record<string, string>>): Promise<Array<[number, number]>> {
    const response = await fetch(`${this.prometheus}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const { data } = (await response.json()) as {
      data: { result: Array<{ value?: [number, string]; values?: Array<[number, string]> }> };
    };
    const series = data.result[0];
    const points = series?.values ?? (series?.value === undefined ? [] : [series.value]);
    return points.map(([at, value]) => [at, Number(value)]);
  }

  async stop(): Promise<void> {
    await this.program.stop();
    await this.model.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
