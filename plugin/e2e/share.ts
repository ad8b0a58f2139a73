// What one does with an answer: rate it, share the conversation, save it; and finds it again.
import { expect, it } from 'vitest';

import { World, ask, idle, last } from './lib/world';
import { drawn, findingsOf } from './chat';

export function shareTests(the: () => World): void {
  it('is rated, found by what was said in it, saved, shared to be read, and shared no more', async () => {
    const world = the();
    world.stack.model.when(
      'narwhals',
      () => [{ tool: 'execute_range_query', args: { query: 'up', start: 'now-5m', step: '15s' } }],
      () => ['A **tusk** is a tooth.'],
    );
    const { page } = await world.come();
    await ask(page, 'What of narwhals?');
    await last(page).getByText('tusk').waitFor();
    await idle(page);
    // The price of the scripted models is not known.
    await last(page)
      .getByText(/^– · [\d.k]+ tokens$/)
      .waitFor();

    const bad = last(page).getByRole('button', { name: 'Bad answer' });
    await bad.click();
    const dialog = page.getByRole('dialog', { name: 'What was wrong?' });
    await dialog.getByRole('textbox').fill('It has no tusk');
    await dialog.getByRole('button', { name: 'Send feedback' }).click();
    await page.reload();
    await expect.poll(() => bad.getAttribute('aria-pressed')).toBe('true');
    const good = last(page).getByRole('button', { name: 'Good answer' });
    await good.click();
    await expect.poll(() => good.getAttribute('aria-pressed')).toBe('true');
    expect(await bad.getAttribute('aria-pressed')).toBe('false');

    const list = page.getByRole('navigation', { name: 'Conversations' });
    await list.getByRole('list', { name: 'Today' }).waitFor();
    await list.getByRole('searchbox').fill('tooth');
    await list.locator('mark', { hasText: 'tooth' }).waitFor();
    await world.shot('found');
    await list.getByRole('searchbox').fill('');

    await page.getByRole('button', { name: 'Share and export' }).click();
    const sharing = page.getByRole('dialog', { name: 'Share and export' });
    const saved = page.waitForEvent('download');
    await sharing.getByRole('button', { name: 'Markdown' }).click();
    expect((await saved).suggestedFilename()).toMatch(/\.md$/);
    await sharing.getByRole('button', { name: 'Create link' }).click();
    const link = await sharing.getByRole('textbox', { name: 'Link' }).inputValue();
    await drawn(page);
    expect(await findingsOf(page)).toEqual([]);
    await world.shot('share');

    const reader = await world.comeToo('admin', link);
    await reader.page.getByText('demo shares this conversation with you').waitFor();
    await reader.page.getByText('tusk').waitFor();
    await reader.page.getByTestId('query-panel').first().waitFor();
    expect(await reader.page.getByRole('textbox', { name: 'Question' }).count()).toBe(0);
    for (const name of ['Edit and ask again', 'Ask it again', 'Good answer'])
      expect(await reader.page.getByRole('button', { name }).count()).toBe(0);
    await drawn(reader.page);
    expect(await findingsOf(reader.page)).toEqual([]);

    await sharing.getByRole('button', { name: 'Stop sharing' }).click();
    await sharing.getByRole('button', { name: 'Create link' }).waitFor();
    await reader.page.reload();
    await reader.page.getByText('not shared with you').waitFor();
    await reader.page.getByRole('button', { name: 'My conversations' }).click();
    await reader.page.getByRole('textbox', { name: 'Question' }).waitFor();
  });
}
