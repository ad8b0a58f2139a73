// The plugin's archive, as a Perses server loads it: unpacked by the server itself, its schemas compiled, and the
// examples beside them taken or refused when a datasource is made.
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { Program, freePort, until } from './lib/processes';
import { REPO, lastLine } from './lib/stack';

const EXAMPLES = join(REPO, 'plugin/schemas/persai-datasource/tests');

let folder = '';
let url = '';
let perses: Program | undefined;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'persai-archive-'));
  for (const name of ['archives', 'plugins']) mkdirSync(join(folder, name));
  await lastLine('plugin/build', join(folder, 'archives', 'PersAI.tar.gz'));
  const page = await lastLine('compose/perses/web-page');
  const binary = await lastLine('compose/perses/build', page); // the one that the stack has, too
  const config = join(folder, 'perses.yaml');
  writeFileSync(
    config,
    JSON.stringify({
      database: { file: { folder: join(folder, 'data'), extension: 'yaml', case_sensitive: true } },
      plugin: { path: join(folder, 'plugins'), archive_paths: [join(folder, 'archives')] },
      frontend: { explorer: { enable: true } },
    }),
  );
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  perses = Program.start(
    [binary, '-config', config, '-web.listen-address', `127.0.0.1:${port}`],
    join(folder, 'perses.log'),
  );
  await until('Perses answers', async () => (await fetch(`${url}/api/v1/health`)).ok);
});

afterAll(async () => {
  await perses?.stop();
  rmSync(folder, { recursive: true, force: true });
});

it('is loaded from its archive, with both of its plugins', async () => {
  const plugins = (await (await fetch(`${url}/api/v1/plugins`)).json()) as Array<{
    metadata: { name: string; version: string };
    spec: { plugins: Array<{ kind: string; spec: { name: string } }> };
    status?: { isLoaded: boolean; error?: string };
  }>;
  const ours = plugins.find(({ metadata }) => metadata.name === 'PersAI');
  expect(ours?.status?.error ?? '').toBe('');
  expect(ours?.status?.isLoaded).toBe(true);
  expect(ours?.spec.plugins.map(({ kind, spec }) => `${kind} ${spec.name}`)).toEqual([
    'Explore PersAIExplorer',
    'Datasource PersAIDatasource',
  ]);
  const manifest = await fetch(`${url}/plugins/PersAI/mf-manifest.json`);
  expect(((await manifest.json()) as { name: string }).name).toBe('PersAI');
});

const examples = ['valid', 'invalid'].flatMap((kind) =>
  readdirSync(join(EXAMPLES, kind)).map((file) => [kind, file] as const),
);

it.each(examples)('has a schema for which the example %s/%s is that', async (kind, file) => {
  const plugin = JSON.parse(readFileSync(join(EXAMPLES, kind, file), 'utf8')) as unknown;
  const name = basename(file, '.json');
  const response = await fetch(`${url}/api/v1/globaldatasources`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      kind: 'GlobalDatasource',
      metadata: { name },
      spec: { default: false, plugin },
    }),
  });
  expect(response.status, await response.text()).toBe(kind === 'valid' ? 200 : 400);
});
