// Conversations of many messages: only what is near the part that is seen is made.
import { Locator, Page } from 'playwright-core';
import { expect, it } from 'vitest';

import { scriptPanels } from './chat';
import { apiOf, talk } from './lib/api';
import { PERSAI, World, last } from './lib/world';

const LATER = 20;

function scroller(page: Page): Locator {
  return page.getByTestId('messages');
}

/** Up one window; by how far what was then in the middle has moved once the messages around it were made. */
async function moved(page: Page): Promise<number> {
  return scroller(page).evaluate(async (box) => {
    const frames = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) await new Promise(requestAnimationFrame);
    };
    box.scrollTop -= box.clientHeight;
    const { left, top, width, height } = box.getBoundingClientRect();
    const middle = document.elementFromPoint(left + width / 2, top + height / 2)?.closest('article');
    const before = middle?.getBoundingClientRect().top ?? 0;
    await frames(12);
    return Math.abs((middle?.getBoundingClientRect().top ?? 0) - before);
  });
}

export function longTests(the: () => World): void {
  it.each([true, false])('makes what is near, and keeps its place (the browser helps: %s)', async (helps) => {
    const world = the();
    scriptPanels(world);
    world.stack.model.when('later', () => [
      ...Array.from({ length: 12 }, (_, i) => `A paragraph, the ${i}th, of an answer.\n\n`),
      '| job | up |\n|---|--:|\n| a | 1 |\n',
    ]);
    const questions = Array.from({ length: LATER }, (_, i) => `later ${i}`);
    const session = await talk(await apiOf(world.stack, 'demo'), ['How many samples?', ...questions]);
    const { page } = await world.come();
    // As Safari does: nothing is kept in its place but by us.
    if (!helps) {
      await page.addInitScript(() => {
        const { supports } = CSS;
        CSS.supports = (name: string, value?: string): boolean =>
          name !== 'overflow-anchor' && (value === undefined ? supports(name) : supports(name, value));
      });
    }
    const data = encodeURIComponent(JSON.stringify({ session }));
    await page.goto(`${world.stack.url}${PERSAI}&data=${data}`);
    if (!helps) await page.addStyleTag({ content: '* { overflow-anchor: none }' });
    await last(page).getByRole('cell').first().waitFor();
    const made = page.locator('article:not(.away)');
    const first = page.getByTestId('exchange').first();
    expect(await page.getByTestId('exchange').count()).toBe(LATER + 1);
    await expect.poll(() => made.count()).toBeLessThan(20);
    await expect
      .poll(() => scroller(page).evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight))
      .toBeLessThan(2);
    // What is away is found by the page's own search.
    expect(await first.textContent()).toContain('How many samples?');
    expect(await first.locator('canvas').count()).toBe(0);
    const atTop = (): Promise<boolean> => scroller(page).evaluate((box) => box.scrollTop <= 0);
    while (!(await atTop())) expect(await moved(page)).toBeLessThan(3);
    for (let again = 0; again < 2; again++) {
      await first.locator('canvas').first().waitFor();
      await first.getByText('steadily').waitFor();
      const { scrollHeight } = await scroller(page).evaluate(({ scrollHeight: h }) => ({ scrollHeight: h }));
      await page.getByRole('button', { name: 'To the latest message' }).click();
      await expect.poll(() => first.locator('canvas').count()).toBe(0);
      await last(page).getByRole('cell').first().waitFor();
      expect(await scroller(page).evaluate((box) => box.scrollHeight)).toBe(scrollHeight);
      await scroller(page).evaluate((box) => box.scrollTo(0, 0));
    }
  });

  it('keeps what was opened in a message, however far one goes', async () => {
    const world = the();
    const { page } = await world.come();
    await page.getByRole('button', { name: /^Long/ }).first().click();
    const first = page.getByTestId('exchange').first();
    await last(page).getByRole('cell').first().waitFor();
    await scroller(page).evaluate((box) => box.scrollTo(0, 0));
    const card = first.getByTestId('tool-card').first();
    const clock = card.getByRole('button', { name: 'Show over another time range' });
    const details = card.getByLabel('Arguments', { exact: true });
    const times = card.getByRole('combobox');
    const goAndLook = async (): Promise<void> => {
      await page.getByRole('button', { name: 'To the latest message' }).click();
      await expect.poll(() => page.getByTestId('exchange').nth(4).getAttribute('class')).toBe('away');
    };
    await clock.click();
    await times.first().waitFor();
    await goAndLook();
    expect(await times.count()).toBeGreaterThan(0);
    await clock.click();
    await card.getByRole('button', { name: 'Show the details' }).click();
    await details.waitFor();
    await goAndLook();
    expect(await details.count()).toBe(1);
  });
}
