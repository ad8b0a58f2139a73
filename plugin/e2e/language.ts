// The page in another language than English, on a telephone.
import { expect, it } from 'vitest';

import { de } from '../src/i18n/de';
import { en } from '../src/i18n/en';
import { World, last } from './lib/world';
import { drawn, findingsOf } from './chat';

/** What English alone says: in German it must not stand there. */
const ENGLISH: ReadonlySet<string> = new Set(
  Object.entries(en)
    .filter(([key, text]) => (de as Readonly<Record<string, string>>)[key] !== text && !text.includes('{{'))
    .map(([, text]) => text),
);

export function languageTests(the: () => World): void {
  it.each([1280, 390])('speaks German to a German browser, header and all, %i pixels wide', async (width) => {
    const world = the();
    world.stack.model.when(
      'Sprache',
      () => [{ tool: 'execute_range_query', args: { query: 'up', start: 'now-5m', step: '15s' } }],
      () => ['Alles läuft.'],
    );
    const { page } = await world.come('demo', { locale: 'de-AT', width });
    await page.getByRole('textbox', { name: de['composer.question'] }).waitFor();
    await page.getByRole('link', { name: de['page.explore'] }).waitFor();
    expect(await page.locator('html').getAttribute('lang')).toBe('de');
    const box = page.getByRole('textbox', { name: de['composer.question'] });
    await box.fill('Welche Sprache?');
    await box.press('Enter');
    await last(page).getByText('Alles läuft.').waitFor();
    await page.getByRole('button', { name: de['composer.send'] }).waitFor();
    const said = await page.evaluate(() => {
      const mine = [document.querySelector('header'), document.querySelector('[data-testid=persai]')];
      const found: string[] = [];
      for (const root of mine) {
        if (root === null) continue;
        const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) {
          const { parentElement, textContent } = walker.currentNode;
          // Titles of conversations are what people wrote.
          if (parentElement?.closest('[data-row]') === null) found.push(textContent?.trim() ?? '');
        }
        for (const element of root.querySelectorAll('[aria-label], [placeholder], [title]'))
          for (const name of ['aria-label', 'placeholder', 'title'])
            found.push(element.getAttribute(name) ?? '');
      }
      return found;
    });
    expect(said.filter((text) => ENGLISH.has(text))).toEqual([]);
    await drawn(page);
    expect(await findingsOf(page)).toEqual([]);
    const beyond = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(beyond).toBeLessThanOrEqual(0);
    await world.shot(`german-${width}`);
    // Another one, chosen: all of the page speaks it at once.
    if (width > 390) {
      await page.getByRole('button', { name: de['keys.open'] }).click();
      await page.getByRole('combobox', { name: de['keys.language'] }).click();
      await page.getByRole('option', { name: 'English' }).click();
      await page.getByRole('link', { name: 'Dashboards', exact: true }).waitFor();
      await page.getByRole('link', { name: 'Explore', exact: true }).waitFor();
    }
  });
}
