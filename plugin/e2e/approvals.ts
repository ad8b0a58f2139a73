// A call that waits for the person's yes.
import { expect, it } from 'vitest';

import { seriousFindings } from './chat';
import { PROJECT, keysOf, prepare } from './dashboards';
import { World, ask, idle, last } from './lib/world';

export function approvalTests(the: () => World): void {
  it('shows what would be saved, waits through a reload and in a second tab, and is decided once', async () => {
    const world = the();
    const { model } = world.stack;
    await prepare(world, 'approvals', 'Approvals');
    const args = {
      project: PROJECT,
      dashboard: 'approvals',
      title: 'Heap of Prometheus',
      query: 'go_memstats_heap_inuse_bytes{job="prometheus"}',
      unit: 'bytes',
    };
    model.when(
      'Save the heap',
      () => ['I would add it. ', { tool: 'save_panel', args }],
      () => ['It is saved.'],
    );
    const { page, context } = await world.come('admin');
    await ask(page, 'Save the heap');
    const approval = page.getByTestId('approval');
    await approval.getByText('Heap of Prometheus').first().waitFor();
    await approval.locator('canvas').first().waitFor();
    expect(JSON.parse(await approval.getByLabel('Arguments', { exact: true }).innerText())).toEqual(args);
    await world.shot('approval');
    expect(await seriousFindings(page)).toEqual([]);
    expect(await keysOf(world, 'approvals')).toHaveLength(2);
    await page.reload();
    await approval.getByRole('button', { name: 'Approve' }).waitFor();
    const other = await context.newPage();
    await other.goto(page.url());
    await other.getByTestId('approval').getByRole('button', { name: 'Refuse' }).waitFor();
    await approval.getByRole('button', { name: 'Approve' }).focus();
    await page.keyboard.press('Enter');
    for (const tab of [page, other]) {
      await last(tab).getByText('It is saved.').waitFor();
      await idle(tab);
      expect(await tab.getByTestId('approval').count()).toBe(0);
    }
    expect(await keysOf(world, 'approvals')).toHaveLength(3);
  });

  it('is seen to be decided in another browser, which nobody touches', async () => {
    const world = the();
    const args = { project: PROJECT, dashboard: 'approvals', title: 'Far', query: 'up' };
    world.stack.model.when(
      'Save it far away',
      () => [{ tool: 'save_panel', args }],
      () => ['It is saved far away.'],
    );
    const { page } = await world.come('admin');
    await ask(page, 'Save it far away');
    await page.getByTestId('approval').getByRole('button', { name: 'Refuse' }).waitFor();
    const { page: other } = await world.comeToo('admin', page.url());
    await other.getByTestId('approval').getByRole('button', { name: 'Refuse' }).waitFor();
    await page.getByTestId('approval').getByRole('button', { name: 'Refuse' }).click();
    for (const browser of [page, other]) {
      await last(browser).getByText('It is saved far away.').waitFor();
      await idle(browser);
      expect(await browser.getByTestId('approval').count()).toBe(0);
      await last(browser).getByText('said no').first().waitFor();
    }
  });

  it('changes nothing when it is refused', async () => {
    const world = the();
    world.stack.model.when(
      'Save nothing',
      () => [
        {
          tool: 'save_panel',
          args: { project: PROJECT, dashboard: 'approvals', title: 'No', query: 'up', kind: 'GaugeChart' },
        },
      ],
      () => ['Then I leave it.'],
    );
    const { page } = await world.come('admin');
    await ask(page, 'Save nothing');
    await page.getByTestId('approval').getByRole('button', { name: 'Refuse' }).click();
    await last(page).getByText('Then I leave it.').waitFor();
    expect(await keysOf(world, 'approvals')).toHaveLength(3);
  });
}
