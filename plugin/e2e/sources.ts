// Logs, traces and profiles drawn by their Perses panels; several datasources in one conversation.
import { join } from 'node:path';

import { Locator } from 'playwright-core';
import { expect, it } from 'vitest';

import { PROJECT, prepare } from './dashboards';
import { Program, freePort, until } from './lib/processes';
import { REPO } from './lib/stack';
import { World, ask, cards, idle, last } from './lib/world';

const KINDS = { logs: 'LokiDatasource', traces: 'TempoDatasource', profiles: 'PyroscopeDatasource' };
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PROFILE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds{service_name="shop"}';

let server: Program | undefined;
let sourcesUrl = '';

function proxyTo(url: string, secret?: string): unknown {
  return { kind: 'HTTPProxy', spec: { url, headers: { Cookie: '' }, ...(secret && { secret }) } };
}

/** A server that speaks the APIs of Loki, Tempo and Pyroscope, and Perses's datasources for it. */
async function start(world: World): Promise<void> {
  if (server !== undefined) return;
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  sourcesUrl = url;
  server = Program.start(
    ['python3', '-m', 'fakes.sources', String(port)],
    join(world.folder, 'sources.log'),
    {
      PYTHONPATH: join(REPO, 'tests'),
      PYTHONDONTWRITEBYTECODE: '1',
    },
  );
  await until('the sources answer', async () => (await fetch(`${url}/loki/api/v1/labels`)).ok);
  for (const [name, kind] of Object.entries(KINDS)) {
    await world.stack.create('/api/v1/globaldatasources', {
      kind: 'GlobalDatasource',
      metadata: { name },
      spec: { default: true, plugin: { kind, spec: { proxy: proxyTo(url, 'no-user-token') } } },
    });
  }
}

export async function stopSources(): Promise<void> {
  await server?.stop();
  server = undefined;
}

export function sourceTests(the: () => World): void {
  it('are drawn by the panels of their kinds, each with the datasource that was asked', async () => {
    const world = the();
    await start(world);
    world.stack.model.when(
      'slow carts',
      () => [
        { tool: 'loki_query', args: { query: '{job="api"} |= "deadlock"', start: 'now-30m' } },
        { tool: 'loki_query', args: { query: 'sum by (level) (count_over_time({job="api"}[5m]))' } },
        { tool: 'tempo_search', args: { query: '{ status = error }' } },
        { tool: 'tempo_trace', args: { trace_id: TRACE } },
        { tool: 'pyroscope_top_functions', args: { query: PROFILE } },
      ],
      () => ['The table orders is **locked**.'],
    );
    const { page, errors, foreign } = await world.come();
    await ask(page, 'Why are there slow carts?');
    await last(page).getByText('locked').waitFor();
    await idle(page);
    const [lines, rates] = [cards(page, 'loki_query').first(), cards(page, 'loki_query').last()];
    const [found, trace, top] = [
      cards(page, 'tempo_search'),
      cards(page, 'tempo_trace'),
      cards(page, 'pyroscope_top_functions'),
    ];
    const see = async (where: Locator, what: Locator): Promise<void> => {
      await where.scrollIntoViewIfNeeded();
      await what.first().waitFor();
    };
    await see(lines, lines.getByTestId('query-panel').getByText('deadlock in orders'));
    await see(rates, rates.locator('canvas'));
    await see(found, found.getByTestId('query-panel').getByText('GET /cart'));
    await world.shot('traces');
    await see(trace, trace.getByTestId('query-panel').getByText('SELECT'));
    await world.shot('trace');
    await see(top, top.getByTestId('query-panel').getByText('checkout'));
    await world.shot('profile');
    const used = await last(page).getByTestId('used-datasource').allTextContents();
    expect(used).toEqual(['logs', 'logs', 'traces', 'traces', 'profiles']);
    expect(await last(page).getByTestId('undrawn').count()).toBe(0);
    // Loki's plugin has no explorer in this version: no link that leads nowhere.
    expect(await last(page).getByRole('link', { name: 'Open in Explore' }).count()).toBe(3);
    await found.getByRole('link', { name: 'Open in Explore' }).click();
    await page.waitForURL('**/explore?explorer=Tempo-TempoExplorer*');
    await page.getByText('GET /cart').first().waitFor();
    await page.locator('canvas').first().waitFor(); // its scatter chart
    expect(errors).toEqual([]);
    expect(foreign).toEqual([]);
  });

  it('go into a dashboard, and the dashboard shows them', async () => {
    const world = the();
    await start(world);
    await prepare(world, 'carts', 'Carts');
    world.stack.model.when(
      'lines',
      () => [
        { tool: 'loki_query', args: { query: '{job="api"} |= "deadlock"' } },
        { tool: 'tempo_search', args: { query: '{ status = error }' } },
      ],
      () => ['There are some.'],
    );
    const { page, errors } = await world.come('admin');
    await ask(page, 'Show lines');
    await last(page).getByText('There are some.').waitFor();
    await idle(page);
    await page.getByRole('button', { name: 'Add all 2 panels to a dashboard' }).click();
    await page.getByLabel('Dashboard', { exact: true }).click();
    await page.getByRole('option', { name: 'Carts', exact: true }).click();
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await page.getByRole('button', { name: 'Show it' }).click();
    await page.waitForURL(`**/projects/${PROJECT}/dashboards/carts*`);
    await page.getByText('deadlock in orders').first().waitFor();
    await page.getByText('GET /cart').first().waitFor();
    await world.shot('dashboard-logs');
    expect(errors).toEqual([]);
  });

  it('of a project are drawn too, and go into dashboards of that project only', async () => {
    const world = the();
    await start(world);
    await prepare(world, 'own', 'Own logs');
    const path = `/api/v1/projects/${PROJECT}/datasources`;
    const spec = { default: false, plugin: { kind: 'LokiDatasource', spec: { proxy: proxyTo(sourcesUrl) } } };
    await world.stack.create(path, {
      kind: 'Datasource',
      metadata: { name: 'own-logs', project: PROJECT },
      spec,
    });
    world.stack.model.when(
      'our own',
      () => [{ tool: 'loki_query', args: { query: '{job="api"} |= "deadlock"', datasource: 'own-logs' } }],
      () => ['Our own lines.'],
    );
    const { page, errors } = await world.come('admin');
    await ask(page, 'Show our own logs');
    // The model named it, and its server would get the sign-in: the person is asked first.
    const approval = page.getByTestId('approval');
    await approval.getByText('own-logs').first().waitFor();
    await approval.getByRole('button', { name: 'Approve' }).click();
    await last(page).getByText('Our own lines.').waitFor();
    await idle(page);
    await last(page).getByTestId('query-panel').getByText('deadlock in orders').first().waitFor();
    expect(await last(page).getByTestId('used-datasource').textContent()).toBe(`${PROJECT} / own-logs`);
    await last(page).getByRole('button', { name: 'Add to dashboard' }).click();
    await page.getByRole('combobox', { name: 'Project' }).click();
    await page.getByRole('option', { name: 'PersAI', exact: true }).click();
    await page.getByText(`own-logs belongs to the project ${PROJECT}`).waitFor();
    expect(await page.getByRole('button', { name: 'Add', exact: true }).isDisabled()).toBe(true);
    await page.getByRole('combobox', { name: 'Project' }).click();
    await page.getByRole('option', { name: 'Demo', exact: true }).click();
    await page.getByLabel('Title of the dashboard').fill('Own lines');
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await page.getByRole('button', { name: 'Show it' }).click();
    await page.waitForURL('**/dashboards/Own_lines*');
    await page.getByText('deadlock in orders').first().waitFor();
    expect(errors).toEqual([]);
  });

  it('that cannot be drawn, for want of a plugin, are a table', async () => {
    const world = the();
    await start(world);
    world.stack.model.when(
      'undrawn',
      () => [{ tool: 'tempo_search', args: { query: '{ status = error }' } }],
      () => ['One trace.'],
    );
    const { page } = await world.come();
    await page.route('**/api/v1/plugins', async (route) => {
      const response = await route.fetch();
      const plugins = (await response.json()) as Array<{ metadata: { name: string } }>;
      await route.fulfill({ json: plugins.filter(({ metadata }) => metadata.name !== 'TraceTable') });
    });
    await page.reload();
    await ask(page, 'Show undrawn');
    await last(page).getByText('One trace.').waitFor();
    await last(page).getByText('does not have the plugin TraceTable').waitFor();
    await last(page).getByRole('cell', { name: TRACE }).waitFor();
    expect(await last(page).getByTestId('query-panel').count()).toBe(0);
  });

  it('are picked for a conversation, several of them, and stay picked', async () => {
    const world = the();
    await start(world);
    const { model } = world.stack;
    model.when('everywhere', () => ['I look everywhere.']);
    const { page } = await world.come();
    const picker = page.getByRole('combobox', { name: 'Datasources' });
    await picker.click();
    await page.getByRole('option', { name: 'logs', exact: true }).click();
    await page.getByRole('option', { name: 'traces', exact: true }).click();
    await world.shot('datasources');
    await page.keyboard.press('Escape');
    expect(await picker.textContent()).toBe('prometheus + 2');
    await ask(page, 'Look everywhere');
    await last(page).getByText('I look everywhere.').waitFor();
    const { beside } = model.prompts.at(-1) ?? { beside: '' };
    expect(beside).toContain('Datasource in use: /proxy/globaldatasources/prometheus');
    for (const name of ['logs', 'traces'])
      expect(beside).toContain(`Another datasource: /proxy/globaldatasources/${name}`);
    expect(beside).not.toContain('globaldatasources/profiles');
    await page.reload();
    await last(page).getByText('I look everywhere.').waitFor();
    expect(await picker.textContent()).toBe('prometheus + 2');
  });
}
