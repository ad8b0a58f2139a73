// The keyboard, what is completed and recognised, code in answers, and why one waits.
import { Page } from 'playwright-core';
import { expect, it } from 'vitest';

import { World, ask, idle, last } from './lib/world';
import { findingsOf, seriousFindings } from './chat';

export function keyTests(the: () => World): void {
  it('says why one waits, also when the gateway is frozen', async () => {
    const world = the();
    let open = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      open = resolve;
    });
    world.stack.model.when('slow', () => [held, 'At last.']);
    const { page } = await world.come();
    await ask(page, 'A slow one');
    const status = page.getByRole('status', { name: 'What the assistant does' });
    await status.getByText('The model has not begun to answer yet').waitFor({ timeout: 10_000 });
    await page
      .getByTestId('wait-time')
      .getByText(/for \d+ s/)
      .waitFor();
    let comer: Page | undefined;
    const thaw = world.stack.freeze('gateway');
    try {
      await status.getByText('PersAI does not answer').waitFor({ timeout: 15_000 });
      await page.getByRole('button', { name: 'Stop waiting' }).waitFor();
      await world.shot('frozen');
      expect(await seriousFindings(page)).toEqual([]);
      // Who comes meanwhile is told, too.
      const other = await world.comeToo('demo', page.url());
      await other.page.getByRole('heading', { name: 'PersAI does not answer' }).waitFor({ timeout: 10_000 });
      comer = other.page;
    } finally {
      thaw();
    }
    open();
    await comer?.getByRole('textbox', { name: 'Question' }).waitFor();
    await last(page).getByText('At last.').waitFor();
    await idle(page);
  });

  it('is gone through by the keyboard: edit, skip, list, help', async () => {
    const world = the();
    world.stack.model.when('keyboard', () => ['Typed.']);
    const { page } = await world.come();
    await ask(page, 'By keyboard');
    await last(page).getByText('Typed.').waitFor();
    await idle(page);
    const box = page.getByRole('textbox', { name: 'Question' });
    await box.focus();
    await last(page).getByRole('button', { name: 'Edit and ask again' }).waitFor();
    await page.keyboard.press('ArrowUp');
    const editor = page.getByRole('textbox', { name: 'Edit the question' });
    await editor.waitFor();
    await editor.press('Escape');
    await page.getByRole('button', { name: 'Skip to the question' }).focus();
    await page.keyboard.press('Enter');
    await expect.poll(() => box.evaluate((element) => element === document.activeElement)).toBe(true);
    const rows = page.locator('[data-row]');
    await expect.poll(() => rows.and(page.locator('[tabindex="0"]')).count()).toBe(1);
    await rows.and(page.locator('[tabindex="0"]')).focus();
    await page.keyboard.press('F2');
    await page.getByRole('dialog', { name: 'Rename the conversation' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('log', { name: 'Conversation' }).focus();
    await page.keyboard.press('?');
    const help = page.getByRole('dialog', { name: 'Keys and commands' });
    await help.getByText('/investigate').waitFor();
    await world.shot('keys');
    expect(await seriousFindings(page)).toEqual([]);
  });

  it('completes commands, metrics and dashboards, and knows what is pasted', async () => {
    const world = the();
    world.stack.model.when('explain what it shows', () => ['It is explained.']);
    const { page, context } = await world.come();
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    const box = page.getByRole('textbox', { name: 'Question' });
    await box.pressSequentially('/inv');
    await page.getByRole('option', { name: '/investigate' }).waitFor();
    await world.shot('commands');
    await box.press('Enter');
    await expect.poll(() => box.inputValue()).toBe('Investigate, step by step and with a plan: ');
    await box.pressSequentially('@prom');
    await expect.poll(() => page.getByRole('option').count()).toBe(8);
    expect(await findingsOf(page)).toEqual([]);
    await box.pressSequentially('etheus_tsdb_head_ser');
    await page
      .getByRole('option', { name: /^prometheus_tsdb_head_series/ })
      .first()
      .waitFor();
    await box.press('Tab');
    await expect.poll(() => box.inputValue()).toContain('prometheus_tsdb_head_series');
    await box.fill('');
    await page.evaluate(() => navigator.clipboard.writeText('sum by (job) (up{job="prometheus"})'));
    await box.press('Control+v');
    const hint = page.getByTestId('pasted');
    await hint.getByText('This is PromQL.').waitFor();
    await hint.getByRole('button', { name: 'Run and explain it' }).click();
    await last(page).getByText('It is explained.').waitFor();
    await idle(page);
    expect(await box.inputValue()).toBe('');
    // As long as Grafana's are: its looks stay here, its panels' queries go.
    world.stack.model.when('panels of this Grafana', () => ['It is taken over.']);
    const panels = Array.from({ length: 60 }, (_, i) => ({
      title: `P${i}`,
      targets: [{ expr: `rate(x{a="${i}"}[5m])` }],
      options: 'x'.repeat(2_000),
    }));
    const board = JSON.stringify({ title: 'Node', schemaVersion: 39, panels });
    await page.evaluate((text) => navigator.clipboard.writeText(text), board);
    await box.press('Control+v');
    await hint.getByText('This is a dashboard of Grafana. It is long').waitFor();
    expect(await page.getByText('too long').count()).toBe(0);
    await hint.getByRole('button', { name: 'Make a dashboard of it here' }).click();
    await last(page).getByText('It is taken over.').waitFor();
    await idle(page);
    expect(world.stack.model.prompts.at(-1)?.messages.at(-1)?.text).toContain('rate(x{a=\\"59\\"}[5m])');
  });

  it('has code with its language; a query is drawn where it stands', async () => {
    const world = the();
    const query = 'sum by (job) (up)';
    world.stack.model.when('code', () => [
      `Use this:\n\n\`\`\`promql\n${query}\n\`\`\`\n\n\`\`\`yaml\ngroups:\n  - name: x\n\`\`\`\n\n`,
      '```logql\n{app="x"}\n```\n\nIt is in [the projects](/projects), not in [the API](/api/v1/projects).',
    ]);
    const { page, errors } = await world.come();
    await ask(page, 'Show me code');
    await last(page).getByText('promql', { exact: true }).waitFor();
    await last(page).getByText('yaml', { exact: true }).waitFor();
    await idle(page);
    // Nothing here could draw the lines.
    expect(await last(page).getByRole('link', { name: 'Open in Explore' }).count()).toBe(1);
    await last(page).getByRole('button', { name: 'Draw here' }).click();
    await last(page).getByTestId('query-panel').locator('canvas').first().waitFor();
    await world.shot('code');
    expect(await seriousFindings(page)).toEqual([]);
    expect(await last(page).getByRole('link', { name: 'the API' }).count()).toBe(0);
    await page.evaluate(() => Object.assign(window, { stayed: true }));
    await last(page).getByRole('link', { name: 'the projects' }).click();
    await page.waitForURL('**/projects');
    expect(await page.evaluate(() => 'stayed' in window)).toBe(true);
    expect(errors).toEqual([]);
  });
}
