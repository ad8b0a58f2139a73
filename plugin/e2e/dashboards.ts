// Panels into dashboards, and dashboards before the model.
import { Page } from 'playwright-core';
import { expect, it } from 'vitest';

import { scriptPanels, seriousFindings } from './chat';
import { World, ask, idle, last } from './lib/world';

export const PROJECT = 'demo';

const panelOf = (name: string, query: string): unknown => ({
  kind: 'Panel',
  spec: {
    display: { name, description: `What ${name} is about` },
    plugin: { kind: 'TimeSeriesChart', spec: {} },
    queries: [
      { kind: 'TimeSeriesQuery', spec: { plugin: { kind: 'PrometheusTimeSeriesQuery', spec: { query } } } },
    ],
  },
});

function dashboard(name: string, title: string): unknown {
  const item = (key: string, x: number): unknown => ({
    x,
    y: 0,
    width: 12,
    height: 8,
    content: { $ref: `#/spec/panels/${key}` },
  });
  return {
    kind: 'Dashboard',
    metadata: { name, project: PROJECT },
    spec: {
      display: { name: title },
      duration: '30m',
      variables: [{ kind: 'TextVariable', spec: { name: 'job', value: 'prometheus' } }],
      panels: {
        up: panelOf('Targets that are up', 'sum(up{job="$job"}) * $factor'),
        heap: panelOf('Heap in use', 'go_memstats_heap_inuse_bytes'),
      },
      layouts: [
        {
          kind: 'Grid',
          spec: { display: { title: 'Overview' }, items: [item('up', 0), item('heap', 12)] },
        },
      ],
    },
  };
}

interface Stored {
  readonly metadata: { readonly version: number };
  readonly spec: {
    readonly panels: Readonly<
      Record<
        string,
        {
          readonly spec: {
            readonly plugin: { readonly kind: string };
            readonly queries: ReadonlyArray<{
              readonly spec: {
                readonly plugin: {
                  readonly spec: { readonly query: string; readonly datasource?: { readonly name: string } };
                };
              };
            }>;
          };
        }
      >
    >;
    readonly layouts: ReadonlyArray<{
      readonly spec: { readonly display?: { readonly title: string }; readonly items: readonly unknown[] };
    }>;
  };
}

async function stored(world: World, name: string): Promise<Stored> {
  const response = await world.stack.perses('admin', 'GET', `/api/v1/projects/${PROJECT}/dashboards/${name}`);
  return (await response.json()) as Stored;
}

export async function keysOf(world: World, name: string): Promise<readonly string[]> {
  return Object.keys((await stored(world, name)).spec.panels);
}

/** A dashboard of two panels, in a project with a variable that one of them uses. */
export async function prepare(world: World, name: string, title: string): Promise<void> {
  const there = await world.stack.perses('admin', 'GET', `/api/v1/projects/${PROJECT}`);
  if (!there.ok) {
    const project = { kind: 'Project', metadata: { name: PROJECT }, spec: { display: { name: 'Demo' } } };
    await world.stack.create('/api/v1/projects', project);
  }
  const variables = `/api/v1/projects/${PROJECT}/variables`;
  if (!(await world.stack.perses('admin', 'GET', `${variables}/factor`)).ok) {
    const metadata = { name: 'factor', project: PROJECT };
    const spec = { kind: 'TextVariable', spec: { value: '7' } };
    await world.stack.create(variables, { kind: 'Variable', metadata, spec });
  }
  await world.stack.create(`/api/v1/projects/${PROJECT}/dashboards`, dashboard(name, title));
}

/** Begins to add the last answer's first panel to the dashboard of this title. */
export async function addFirstPanel(page: Page, title: string): Promise<void> {
  await last(page).getByRole('button', { name: 'Add to dashboard' }).first().click();
  await page.getByLabel('Dashboard', { exact: true }).click();
  await page.getByRole('option', { name: title, exact: true }).click();
}

export function dashboardTests(the: () => World): void {
  it('get all panels of an answer, and the panels have data', async () => {
    const world = the();
    await prepare(world, 'targets', 'Targets');
    scriptPanels(world);
    const { page } = await world.come('admin');
    await ask(page, 'How many samples?');
    await last(page).getByText('steadily').waitFor();
    await idle(page);
    await page.getByRole('button', { name: 'Add all 2 panels to a dashboard' }).click();
    await page.getByLabel('Title of the dashboard').fill('Samples of the test');
    await world.shot('add-to-dashboard');
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await page.getByText('2 panels are in the dashboard').waitFor();
    const { panels } = (await stored(world, 'Samples_of_the_test')).spec;
    expect(Object.values(panels).map(({ spec }) => spec.plugin.kind)).toEqual([
      'TimeSeriesChart',
      'BarChart',
    ]);
    for (const { spec } of Object.values(panels)) {
      const { query, datasource } = spec.queries[0]?.spec.plugin.spec ?? { query: '' };
      const through = `/proxy/globaldatasources/${datasource?.name ?? ''}/api/v1/query?${new URLSearchParams({ query })}`;
      const answer = (await (await world.stack.perses('admin', 'GET', through)).json()) as {
        data: { result: unknown[] };
      };
      expect(answer.data.result.length, query).toBeGreaterThan(0);
    }
  });

  it('get one panel below what they have; what somebody else changed meanwhile stays', async () => {
    const world = the();
    const { page } = await world.come('admin');
    await ask(page, 'How many samples?');
    await last(page).getByText('steadily').waitFor();
    await idle(page);
    await addFirstPanel(page, 'Targets');
    await page.getByLabel('Title of the panel').fill('Samples');
    // Somebody else changes it after this page has read it.
    const theirs = (await stored(world, 'targets')) as unknown as { spec: { display: { name: string } } };
    theirs.spec.display.name = 'Targets, renamed meanwhile';
    const path = `/api/v1/projects/${PROJECT}/dashboards/targets`;
    expect((await world.stack.perses('admin', 'PUT', path, theirs)).ok).toBe(true);
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await page.getByText('The panel is in the dashboard').waitFor();
    const { spec } = await stored(world, 'targets');
    expect((spec as unknown as { display: { name: string } }).display.name).toBe(
      'Targets, renamed meanwhile',
    );
    expect(Object.keys(spec.panels)).toHaveLength(3);
    expect(spec.layouts[0]?.spec.items).toHaveLength(3);
  });

  it('are not changed for who may not, and that is said', async () => {
    const world = the();
    const { page } = await world.come('demo');
    await ask(page, 'How many samples?');
    await last(page).getByText('steadily').waitFor();
    await idle(page);
    await last(page).getByRole('button', { name: 'Add to dashboard' }).first().click();
    await page.getByLabel('Title of the dashboard').fill('Not allowed');
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await page.getByText(`does not let you change dashboards in the project ${PROJECT}`).waitFor();
  });

  it('go before the model as context, and no longer when they are removed', async () => {
    const world = the();
    const { model } = world.stack;
    await prepare(world, 'context', 'Nodes in use');
    model.when('about', () => ['It is about targets.']);
    const { page } = await world.come('demo');
    await page.getByRole('button', { name: 'Add context' }).click();
    await page.getByLabel('Dashboard', { exact: true }).click();
    await page.getByRole('option', { name: 'Nodes in use' }).click();
    await page.getByLabel('Heap in use').uncheck();
    await page.getByText(/queries of 1 of 2 panels go along.*about \d+ tokens/).waitFor();
    await page.getByLabel('job', { exact: true }).fill('node');
    await world.shot('add-context');
    expect(await seriousFindings(page)).toEqual([]);
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    const chip = page.getByTestId('attachment');
    await chip.waitFor();
    await ask(page, 'What is this about?');
    await last(page).getByText('It is about targets.').waitFor();
    await idle(page);
    const { beside } = model.prompts.at(-1) ?? { beside: '' };
    expect(beside).toContain('"title":"Targets that are up"');
    expect(beside).toContain('sum(up{job=\\"$job\\"}) * $factor');
    expect(beside).toContain('"variables":{"job":"node","factor":"7"}');
    expect(beside).not.toContain('Heap in use');
    await page.reload();
    await chip.waitFor();
    await chip.focus();
    await page.keyboard.press('Delete');
    await expect.poll(() => chip.count()).toBe(0);
    await ask(page, 'And what is this about?');
    await expect.poll(() => page.getByText('It is about targets.').count()).toBe(2);
    expect(model.prompts.at(-1)?.beside).not.toContain('Targets that are up');
  });
}
