// The plugin's archive, as a Perses server loads it: unpacked by the server itself, its schemas compiled, and the
// examples beside them taken or refused when a datasource is made.
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { Program, freePort, until } from './lib/processes';
import { REPO, lastLine } from './lib/stack';

const SCHEMAS = join(REPO, 'plugin/schemas');

let folder = '';
let url = '';
let perses: Program | undefined;

/** Perses checks no dashboard before it has schemas of variables and queries: one of each, that nothing uses. */
function writeStub(stub: string): void {
  const plugins = ['Variable', 'TimeSeriesQuery'].map((kind) => ({
    kind,
    spec: { name: `Stub${kind}`, display: { name: kind } },
  }));
  mkdirSync(join(stub, 'schemas'), { recursive: true });
  const version = '0.1.0';
  const manifest = { id: 'Stub', name: 'Stub', metaData: { buildInfo: { buildVersion: version } } };
  const about = { name: 'stub', version, perses: { schemasPath: 'schemas', plugins } };
  writeFileSync(join(stub, 'mf-manifest.json'), JSON.stringify(manifest));
  writeFileSync(join(stub, 'package.json'), JSON.stringify(about));
  for (const { spec } of plugins) {
    mkdirSync(join(stub, 'schemas', spec.name));
    const schema = `package model\n\nkind: "${spec.name}"\nspec: {}\n`;
    writeFileSync(join(stub, 'schemas', spec.name, 'schema.cue'), schema);
  }
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'persai-archive-'));
  for (const name of ['archives', 'plugins']) mkdirSync(join(folder, name));
  writeStub(join(folder, 'plugins', 'stub'));
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

it('is loaded from its archive, with all of its plugins', async () => {
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
    'Panel PersAIChatPanel',
  ]);
  const manifest = await fetch(`${url}/plugins/PersAI/mf-manifest.json`);
  expect(((await manifest.json()) as { name: string }).name).toBe('PersAI');
});

function examplesOf(schema: string): ReadonlyArray<readonly [string, string, unknown]> {
  return ['valid', 'invalid'].flatMap((kind) => {
    const folder = join(SCHEMAS, schema, 'tests', kind);
    return readdirSync(folder).map(
      (file) => [kind, file, JSON.parse(readFileSync(join(folder, file), 'utf8')) as unknown] as const,
    );
  });
}

async function create(path: string, kind: string, metadata: object, spec: unknown): Promise<Response> {
  return fetch(`${url}/api/v1/${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ kind, metadata, spec }),
  });
}

it.each(examplesOf('persai-datasource'))(
  'has a schema for which the datasource %s/%s is that',
  async (kind, file, plugin) => {
    const spec = { default: false, plugin };
    const name = basename(file, '.json');
    const response = await create('globaldatasources', 'GlobalDatasource', { name }, spec);
    expect(response.status, await response.text()).toBe(kind === 'valid' ? 200 : 400);
  },
);

it.each(examplesOf('persai-chat-panel'))(
  'has a schema for which the panel %s/%s is that',
  async (kind, file, plugin) => {
    await create('projects', 'Project', { name: 'examples' }, {}); // it may be there already
    const spec = {
      duration: '1h',
      panels: { chat: { kind: 'Panel', spec: { display: { name: 'Chat' }, plugin } } },
      layouts: [],
    };
    const metadata = { name: basename(file, '.json'), project: 'examples' };
    const response = await create('projects/examples/dashboards', 'Dashboard', metadata, spec);
    const said = await response.text();
    expect(response.status, said).toBe(kind === 'valid' ? 200 : 400);
    if (kind === 'invalid') expect(said).toContain('invalid panel');
  },
);
