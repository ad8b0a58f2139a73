// A real Perses with a real Prometheus behind it and our plugin in it, as compose/perses builds them.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { Program, freePort, until } from './processes';

const REPO = resolve(import.meta.dirname ?? __dirname, '../../..');

export const PASSWORDS: Readonly<Record<string, string>> = {
  admin: 'admin-of-the-test',
  demo: 'demo-of-the-test',
};

/** Runs a build; its messages are shown, the last line of its output is its result. */
async function lastLine(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], cwd: REPO });
  let output = '';
  child.stdout.on('data', (data: Buffer) => {
    output += data.toString();
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`${command} failed`);
  return output.trim().split('\n').at(-1) ?? '';
}

export interface PersesStack {
  readonly url: string;
  readonly prometheus: string;
  stop(): Promise<void>;
}

async function login(url: string, user: string): Promise<Response> {
  return fetch(`${url}/api/auth/providers/native/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ login: user, password: PASSWORDS[user] }),
  });
}

/** `gatewayUrl`: where the PersAI datasource leads. */
export async function startPerses(gatewayUrl: string): Promise<PersesStack> {
  const page = await lastLine(join(REPO, 'plugin/build'), ['--page']);
  const binary = await lastLine(join(REPO, 'compose/perses/build'), [page]);
  const folder = mkdtempSync(join(tmpdir(), 'persai-e2e-'));
  await lastLine(join(REPO, 'compose/perses/plugins'), [join(folder, 'plugins')]);
  const programs: Program[] = [];
  const stop = async (): Promise<void> => {
    for (const program of programs.toReversed()) await program.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const prometheusPort = await freePort();
    const prometheus = `http://127.0.0.1:${prometheusPort}`;
    writeFileSync(
      join(folder, 'prometheus.yml'),
      JSON.stringify({
        global: { scrape_interval: '1s' },
        scrape_configs: [
          { job_name: 'prometheus', static_configs: [{ targets: [`127.0.0.1:${prometheusPort}`] }] },
        ],
      }),
    );
    programs.push(
      Program.start(
        [
          'prometheus',
          `--config.file=${join(folder, 'prometheus.yml')}`,
          `--storage.tsdb.path=${join(folder, 'tsdb')}`,
          `--web.listen-address=127.0.0.1:${prometheusPort}`,
        ],
        join(folder, 'prometheus.log'),
      ),
    );
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    provision(folder, prometheus, gatewayUrl);
    mkdirSync(join(folder, 'archives'));
    writeFileSync(
      join(folder, 'perses.yaml'),
      JSON.stringify({
        security: {
          encryption_key: '0123456789abcdef0123456789abcdef',
          enable_auth: true,
          cookie: { same_site: 'lax', secure: false },
          authentication: {
            access_token_ttl: '15m',
            refresh_token_ttl: '24h',
            disable_sign_up: true,
            providers: { enable_native: true },
          },
          authorization: { provider: { native: { enable: true } } },
        },
        database: { file: { folder: join(folder, 'data'), extension: 'yaml' } },
        provisioning: { interval: '8760h', folders: [join(folder, 'provisioning')] },
        plugin: { path: join(folder, 'plugins'), archive_paths: [join(folder, 'archives')] },
        frontend: { explorer: { enable: true } },
      }),
    );
    // Perses reads the roles once, maybe before it has provisioned them (with files as its database it does not
    // look again): the first start provisions, the second one has them.
    for (const start of ['first', 'second']) {
      const program = Program.start(
        [binary, '-config', join(folder, 'perses.yaml'), '-web.listen-address', `127.0.0.1:${port}`],
        join(folder, `perses-${start}.log`),
      );
      await until('Perses answers and has the plugin', async () => {
        const plugins = (await (await fetch(`${url}/api/v1/plugins`)).json()) as Array<{
          metadata: { name: string };
        }>;
        return plugins.some(({ metadata }) => metadata.name === 'PersAI');
      });
      await until('Perses has provisioned', async () => (await login(url, 'demo')).ok);
      if (start === 'first') await program.stop();
      else programs.push(program);
    }
    await until('Prometheus has data', async () => {
      const answer = (await (
        await fetch(`${prometheus}/api/v1/query?query=count_over_time(up[1m])>2`)
      ).json()) as {
        data: { result: unknown[] };
      };
      return answer.data.result.length > 0;
    });
    return { url, prometheus, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function provision(folder: string, prometheusUrl: string, gatewayUrl: string): void {
  const provisioning = join(folder, 'provisioning');
  mkdirSync(provisioning);
  const proxy = (kind: string, url: string, secret?: string): unknown => ({
    kind,
    spec: {
      proxy: {
        kind: 'HTTPProxy',
        spec: { url, ...(secret === undefined ? {} : { secret, headers: { Cookie: '' } }) },
      },
    },
  });
  const read = [
    'Dashboard',
    'Datasource',
    'Folder',
    'GlobalDatasource',
    'GlobalVariable',
    'Project',
    'Variable',
  ];
  const entities: Array<[kind: string, name: string, spec: unknown]> = [
    ...Object.entries(PASSWORDS).map(([name, password]): [string, string, unknown] => [
      'User',
      name,
      { nativeProvider: { password } },
    ]),
    ['GlobalRole', 'administrator', { permissions: [{ actions: ['*'], scopes: ['*'] }] }],
    ['GlobalRole', 'reader', { permissions: [{ actions: ['read'], scopes: read }] }],
    [
      'GlobalRoleBinding',
      'administrators',
      { role: 'administrator', subjects: [{ kind: 'User', name: 'admin' }] },
    ],
    ['GlobalRoleBinding', 'readers', { role: 'reader', subjects: [{ kind: 'User', name: 'demo' }] }],
    ['GlobalSecret', 'none', { authorization: { type: 'Bearer', credentials: 'none' } }],
    [
      'GlobalDatasource',
      'prometheus',
      { default: true, plugin: proxy('PrometheusDatasource', prometheusUrl, 'none') },
    ],
    ['GlobalDatasource', 'persai', { default: true, plugin: proxy('PersAIDatasource', gatewayUrl) }],
    ['Project', 'demo', { display: { name: 'Demo' } }],
  ];
  entities.forEach(([kind, name, spec], i) => {
    const text = JSON.stringify({ kind, metadata: { name }, spec });
    writeFileSync(join(provisioning, `${String(i).padStart(2, '0')}-${kind}-${name}.yaml`), text);
  });
}
