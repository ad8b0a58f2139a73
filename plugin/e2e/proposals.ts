// Panels and dashboards that the model proposes, and a dashboard that it would make.
import { expect, it } from 'vitest';

import { PROJECT, keysOf, prepare } from './dashboards';
import { World, ask, cards, idle, last } from './lib/world';

const HEAP = 'go_memstats_heap_inuse_bytes{job="prometheus"}';

const panels = Array.from({ length: 8 }, (_, i) => ({
  title: `Panel ${i + 1}`,
  query: `${HEAP} * ${i + 1}`,
  unit: 'bytes',
  group: i < 4 ? 'First' : 'Second',
}));

const boardArgs = (title: string): Record<string, unknown> => ({ project: PROJECT, title, panels });

export function proposalTests(the: () => World): void {
  it('are drawn, and made when the person wants them', async () => {
    const world = the();
    await prepare(world, 'proposals', 'Proposals');
    const gauge = { title: 'Heap, as a gauge', query: HEAP, kind: 'GaugeChart', unit: 'bytes' };
    world.stack.model.when(
      'Propose a panel',
      () => [
        {
          tool: 'show_plan',
          args: {
            steps: [
              { step: 'Look at the heap', state: 'done' },
              { step: 'Propose', state: 'doing' },
            ],
          },
        },
        { tool: 'propose_panel', args: gauge },
        { tool: 'propose_dashboard', args: boardArgs('Memory, proposed') },
      ],
      () => ['Here they are.'],
    );
    const { page, errors } = await world.come('admin');
    await ask(page, 'Propose a panel and a dashboard');
    await last(page).getByText('Here they are.').waitFor();
    await idle(page);
    await page.getByTestId('plan').getByText('1 of 2 done').waitFor();
    await page.getByTestId('plan').getByText('Propose', { exact: true }).waitFor();
    const one = cards(page, 'propose_panel');
    await one.getByText('Heap, as a gauge').first().waitFor();
    await one.scrollIntoViewIfNeeded();
    await one.locator('canvas').first().waitFor();
    await one.getByRole('button', { name: 'Add to dashboard' }).click();
    await page.getByLabel('Title of the panel').waitFor();
    expect(await page.getByLabel('Title of the panel').inputValue()).toBe('Heap, as a gauge');
    await page.getByRole('button', { name: 'Cancel' }).click();

    const board = page.getByTestId('proposed-dashboard');
    expect(await board.getByTestId('draft-panel').count()).toBe(8);
    await board.scrollIntoViewIfNeeded();
    await board.locator('canvas').first().waitFor();
    expect(await board.getByTestId('query-panel').count()).toBe(6);
    await world.shot('proposal');
    await board.getByRole('button', { name: 'Draw the other 2 panels' }).click();
    await expect.poll(() => board.getByTestId('query-panel').count()).toBe(8);
    await board.getByRole('button', { name: 'Make this dashboard' }).click();
    await expect.poll(() => page.getByLabel('Title of the dashboard').inputValue()).toBe('Memory, proposed');
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await page.getByText('8 panels are in the dashboard Memory, proposed').waitFor();
    const path = `/api/v1/projects/${PROJECT}/dashboards/Memory_proposed`;
    const made = (await (await world.stack.perses('admin', 'GET', path)).json()) as {
      spec: { layouts: Array<{ spec: { display: { title: string }; items: unknown[] } }> };
    };
    expect(made.spec.layouts.map(({ spec }) => [spec.display.title, spec.items.length])).toEqual([
      ['First', 4],
      ['Second', 4],
    ]);
    expect(errors).toEqual([]);
  });

  it('that the model would save are seen before the yes, and found after it', async () => {
    const world = the();
    const { model } = world.stack;
    model.when(
      'Save a dashboard',
      () => [{ tool: 'save_dashboard', args: boardArgs('Memory, saved') }],
      () => ['It is made.'],
    );
    model.when(
      'Save it over',
      () => [{ tool: 'save_dashboard', args: boardArgs('Memory, saved') }],
      () => ['There is one already.'],
    );
    const { page, errors } = await world.come('admin');
    await ask(page, 'Save a dashboard');
    const approval = page.getByTestId('approval');
    await approval.getByText('wants to make the new dashboard Memory, saved').waitFor();
    await approval.getByText(`New: ${PROJECT} / Memory_saved, 8 panels`).waitFor();
    expect(await approval.getByTestId('draft-panel').count()).toBe(8);
    await approval.getByTestId('draft-panel').first().scrollIntoViewIfNeeded();
    await approval.locator('canvas').first().waitFor();
    expect(await approval.getByText('already').count()).toBe(0);
    await world.shot('approval-dashboard');
    await approval.getByRole('button', { name: 'Approve' }).click();
    await last(page).getByText('It is made.').waitFor();
    await idle(page);
    expect(await keysOf(world, 'Memory_saved')).toHaveLength(8);
    await ask(page, 'Save it over');
    // What could not be done is not asked about.
    await last(page).getByText('There is one already.').waitFor();
    expect(await approval.count()).toBe(0);
    await idle(page);
    await page.getByRole('link', { name: 'Show the dashboard' }).click();
    await page.waitForURL(`**/projects/${PROJECT}/dashboards/Memory_saved*`);
    await page.getByText('Panel 1', { exact: true }).waitFor();
    expect(errors).toEqual([]);
  });
}
