// Who asked their system for less motion gets none from us.
import { Page } from 'playwright-core';
import { expect, it } from 'vitest';

import { Piece } from './lib/model';
import { World, ask, last } from './lib/world';

const WORDS = Array.from({ length: 30 }, (_, i) => `step${i + 1}`);

function* slowly(): Iterable<Piece> {
  for (const word of WORDS) {
    yield `${word} `;
    yield 100;
  }
}

/** How many parts of ours move now. */
async function moving(page: Page): Promise<number> {
  return await page.evaluate(
    () =>
      document
        .querySelector('[data-testid=persai]')
        ?.getAnimations({ subtree: true })
        .filter((animation) => animation.playState === 'running').length ?? -1,
  );
}

export function motionTests(the: () => World): void {
  it.each([true, false])('is none for who wants less of it: %s', async (still) => {
    const world = the();
    world.stack.model.when(
      'little by little',
      () => [
        { tool: 'list_metrics', args: { pattern: 'up' } },
        { tool: 'list_label_names', args: { metric: 'up' } },
      ],
      () => slowly(),
    );
    const { page } = await world.come('demo', { still });
    await ask(page, 'Tell it little by little');
    await last(page).getByText('step3').waitFor();
    const seen = await moving(page);
    if (still) expect(seen).toBe(0);
    else expect(seen).toBeGreaterThan(0);
    await last(page).getByText('step30').waitFor();
    await last(page).getByRole('button', { expanded: false }).first().click();
    if (still) expect(await moving(page)).toBe(0);
  });

  it('is none of the drawer of conversations', async () => {
    const { page } = await the().come('demo', { still: true, width: 390 });
    await page.getByRole('button', { name: 'Conversations' }).click();
    await page.getByRole('searchbox').waitFor();
    expect(await page.evaluate(() => document.getAnimations().length)).toBe(0);
  });
}
