// Dialogs in a window as narrow as a telephone's.
import { Locator } from 'playwright-core';
import { expect, it } from 'vitest';

import { findingsOf } from './chat';
import { World, ask, idle, last } from './lib/world';

/** All of it can be seen without moving it sideways; a table that is moved on its own is no harm. */
export async function unclipped(dialog: Locator): Promise<boolean> {
  const body = dialog.locator('.MuiDialogContent-root');
  return body.evaluate((element) => element.scrollWidth <= element.clientWidth);
}

export function narrowTests(the: () => World): void {
  it.each([false, true])('has dialogs that fit into it, dark: %s', async (dark) => {
    const world = the();
    world.stack.model.when('narrow window', () => ['It fits.']);
    const { page } = await world.come('admin', { width: 390, height: 800, dark });
    await ask(page, 'What of a narrow window?');
    await last(page).getByText('It fits.').waitFor();
    await idle(page);
    // What is left of the day's budget is told beside what was used.
    await page.getByRole('button', { name: /^What the model sees.*\d+M tokens left today/ }).waitFor();
    const wide: string[] = [];
    const findings: string[] = [];
    const openers = [/^Administration/, /^Share and export/, /^What the model sees/, /^Add context/, /^Keys/];
    for (const name of openers) {
      await page.getByRole('button', { name }).first().click();
      const dialog = page.getByRole('dialog');
      await dialog.locator('.MuiDialogContent-root').waitFor();
      if (!(await unclipped(dialog))) wide.push(String(name));
      await page.waitForFunction(() => document.getAnimations().length === 0);
      findings.push(...(await findingsOf(page)).map((finding) => `${name}: ${finding}`));
      await world.shot(`narrow-${name.source.slice(1).replaceAll(' ', '-')}${dark ? '-dark' : ''}`);
      await dialog.getByRole('button', { name: 'Close' }).first().click();
      await dialog.waitFor({ state: 'detached' });
    }
    expect(wide).toEqual([]);
    expect(findings).toEqual([]);
  });

  it.each(['en-US', 'de-DE', 'es-ES'])('shows all of the page, and words whole: %s', async (locale) => {
    const world = the();
    const words = ['node-exporter', 'prometheus', 'kubernetes', 'availability', 'milliseconds', 'configured'];
    world.stack.model.when('wide table', () => [
      `| ${words.join(' | ')} |\n|${'---|'.repeat(words.length)}\n| ${words.join(' | ')} |\n\nThat is all.`,
    ]);
    const { page } = await world.come('demo', { width: 390, height: 844, locale });
    const log = page.getByTestId('messages');
    const heading = log.getByRole('heading').first();
    await heading.waitFor();
    await expect.poll(async () => (await log.getByRole('button').count()) > 2).toBe(true);
    await page.waitForFunction(() => document.getAnimations().length === 0);
    const [title, box] = [await heading.boundingBox(), await log.boundingBox()];
    expect(title?.y ?? 0).toBeGreaterThanOrEqual(box?.y ?? 1e9);
    const refresh = await page.getByText('Off', { exact: true }).first().boundingBox();
    expect((refresh?.x ?? 0) + (refresh?.width ?? 1e9)).toBeLessThanOrEqual(390);
    await world.shot(`narrow-empty-${locale}`);
    const question = page.locator('textarea:visible').first();
    await question.fill('A wide table');
    await question.press('Enter');
    await last(page).getByText('That is all.').waitFor();
    const cells = last(page).locator('td');
    for (const cell of await cells.all()) expect((await cell.boundingBox())?.height).toBeLessThan(50);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    await world.shot(`narrow-table-${locale}`);
  });
}
