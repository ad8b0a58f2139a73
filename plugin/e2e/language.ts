// The page in another language than English, on a telephone.
import { expect, it } from 'vitest';

import { de } from '../src/i18n/de';
import { en } from '../src/i18n/en';
import { es } from '../src/i18n/es';
import { ja } from '../src/i18n/ja';
import { zh } from '../src/i18n/zh';
import { World, last } from './lib/world';
import { drawn, findingsOf } from './chat';

type Words = Readonly<Record<string, string>>;

/** What English alone says: in the other language it must not stand there. */
function englishOnly(other: Words): ReadonlySet<string> {
  const same = new Set(Object.values(other));
  return new Set(Object.values(en).filter((text) => !same.has(text) && !text.includes('{{')));
}

interface Language {
  readonly name: string;
  /** As a browser of that country asks. */
  readonly locale: string;
  readonly lang: string;
  readonly words: Words;
}
const LANGUAGES: readonly Language[] = [
  { name: 'German', locale: 'de-AT', lang: 'de', words: de },
  { name: 'Spanish', locale: 'es-MX', lang: 'es', words: es },
  { name: 'Japanese', locale: 'ja-JP', lang: 'ja', words: ja },
  { name: 'Chinese', locale: 'zh-CN', lang: 'zh', words: zh },
];
const PLACES = LANGUAGES.flatMap((language) => [1280, 390].map((width) => ({ ...language, width })));

export function languageTests(the: () => World): void {
  it.each(PLACES)(
    'speaks $name to a browser of $locale, header and all, $width pixels wide',
    async (place) => {
      const world = the();
      const { width, words } = place;
      const word = (key: string): string => words[key] ?? key;
      const foreign = englishOnly(words);
      world.stack.model.when(
        'Sprache',
        () => [{ tool: 'execute_range_query', args: { query: 'up', start: 'now-5m', step: '15s' } }],
        () => ['Alles läuft.'],
      );
      const { page } = await world.come('demo', { locale: place.locale, width });
      await page.getByRole('textbox', { name: word('composer.question') }).waitFor();
      await page.getByRole('link', { name: word('page.explore') }).waitFor();
      expect(await page.locator('html').getAttribute('lang')).toMatch(new RegExp(`^${place.lang}`));
      const box = page.getByRole('textbox', { name: word('composer.question') });
      await box.fill('Welche Sprache?');
      await box.press('Enter');
      await last(page).getByText('Alles läuft.').waitFor();
      await page.getByRole('button', { name: word('composer.send') }).waitFor();
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
      expect(said.filter((text) => foreign.has(text))).toEqual([]);
      await drawn(page);
      expect(await findingsOf(page)).toEqual([]);
      const beyond = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect(beyond).toBeLessThanOrEqual(0);
      await world.shot(`${place.name.toLowerCase()}-${width}`);
      // Another one, chosen: all of the page speaks it at once.
      if (width > 390) {
        await page.getByRole('button', { name: word('keys.open') }).click();
        await page.getByRole('combobox', { name: word('keys.language') }).click();
        await page.getByRole('option', { name: 'English' }).click();
        await page.getByRole('link', { name: 'Dashboards', exact: true }).waitFor();
        await page.getByRole('link', { name: 'Explore', exact: true }).waitFor();
      }
    },
  );
}
