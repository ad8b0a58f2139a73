// The page of those who administrate this Perses.
import { expect, it } from 'vitest';

import { PERSAI, World, ask, idle, last } from './lib/world';
import { findingsOf } from './chat';
import { unclipped } from './narrow';

export function adminTests(the: () => World): void {
  it('is shown to administrators: what runs, what is off, what is used', async () => {
    const world = the();
    const { model } = world.stack;
    const held: { open?: () => void } = {};
    model.when('held for the page', () => [
      'It begins. ',
      new Promise<void>((done) => {
        held.open = done;
      }),
      'It ends.',
    ]);
    model.when('is counted', () => ['Counted.']);
    const { page } = await world.come('admin');
    await ask(page, 'What is counted?');
    await last(page).getByText('Counted.').waitFor();
    await idle(page);
    const { page: theirs } = await world.comeToo('demo', world.stack.url + PERSAI);
    await ask(theirs, 'What is held for the page?');
    await last(theirs).getByText('It begins.').waitFor();
    expect(await theirs.getByRole('button', { name: 'Administration' }).count()).toBe(0);

    await page.getByRole('button', { name: 'Administration' }).click();
    const dialog = page.getByRole('dialog', { name: 'Administration' });
    const running = dialog.getByRole('region', { name: 'Running now' });
    await running.getByText('demo').waitFor();
    const used = dialog.getByRole('table', { name: 'Model' });
    await used.getByText('openai/small').waitFor();
    await dialog.getByRole('combobox', { name: 'What', exact: true }).fill('tool:save_panel');
    await dialog.getByRole('textbox', { name: 'What people are told' }).fill('Not before Monday.');
    await dialog.getByRole('button', { name: 'Switch off' }).click();
    await dialog.getByText('Not before Monday.').waitFor();
    await world.shot('admin');
    expect(await findingsOf(page)).toEqual([]);

    await running.getByRole('button', { name: 'Stop' }).click();
    await last(theirs).getByText('Stopped').waitFor();
    held.open?.();
    await dialog.getByText('Nothing is running.').waitFor();
    await dialog.getByRole('button', { name: 'Switch on' }).click();
    await dialog.getByText('Everything is on.').waitFor();
  });

  it('fits a narrow window, in the dark too, and says what a switch may not be called', async () => {
    const world = the();
    const { page } = await world.come('admin', { width: 390, height: 800 });
    await page.getByRole('button', { name: 'Dark theme' }).click();
    await page.getByRole('button', { name: 'Administration' }).click();
    const dialog = page.getByRole('dialog', { name: 'Administration' });
    await dialog.getByRole('combobox', { name: 'What', exact: true }).fill('nonsense');
    await dialog.getByRole('textbox', { name: 'What people are told' }).fill('Why.');
    await dialog.getByRole('button', { name: 'Switch off' }).click();
    await dialog.getByRole('alert').first().waitFor();
    await world.shot('admin-narrow-dark');
    expect(await unclipped(dialog)).toBe(true);
    expect(await findingsOf(page)).toEqual([]);
  });
}
