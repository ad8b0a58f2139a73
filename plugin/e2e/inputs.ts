// What real models, dashboards and data are like: angle brackets, lone samples, nothing at all; a sign-in that ends, a
// conversation that is deleted elsewhere.
import { Locator, Page } from 'playwright-core';
import { expect, it } from 'vitest';

import { seriousFindings } from './chat';
import { PROJECT } from './dashboards';
import { World, ask, idle, last } from './lib/world';

const BRACKETS = [
  'Run `kubectl get pod` or kubectl -n <namespace> get pod <pod> with hosts: <none>, List<String>, 10~20 ms and 30~40 ms.',
  '| pod | state |\n|---|---|\n| <none> | first<br>second |',
  '- [x] scraped\n- [ ] alerted',
  '<details>\n<summary>More about it</summary>\n\nThe **hidden** part, see [the manual][m] and a note[^1].\n\n</details>',
  '[m]: https://example.org/manual',
  '[^1]: Noted.',
].join('\n\n');

/** How many pixels of the chart have a colour: lines and points, not axes and texts. */
async function colouredPixels(panel: Locator): Promise<number> {
  return panel
    .locator('canvas')
    .first()
    .evaluate((canvas: HTMLCanvasElement) => {
      const data = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
      let count = 0;
      for (let i = 0; i < data.length; i += 4) {
        const [r = 0, g = 0, b = 0, a = 0] = [data[i], data[i + 1], data[i + 2], data[i + 3]];
        if (a > 100 && Math.max(r, g, b) - Math.min(r, g, b) > 60) count += 1;
      }
      return count;
    });
}

async function signOutEverywhere(page: Page): Promise<void> {
  await page.context().clearCookies();
}

export function inputTests(the: () => World): void {
  it.each([{}, { dark: true, width: 390, height: 800 }])(
    'loses no word of an answer with angle brackets: %j',
    async (options) => {
      const world = the();
      world.stack.model.when('bracketed', () => [BRACKETS]);
      const { page, errors } = await world.come('demo', options);
      await ask(page, 'A bracketed one');
      await idle(page);
      const answer = last(page);
      await answer
        .getByText('kubectl -n <namespace> get pod <pod> with hosts: <none>, List<String>, 10~20 ms')
        .waitFor();
      expect(await answer.locator('del').count()).toBe(0);
      expect(await answer.locator('td').allInnerTexts()).toEqual(['<none>', 'first\nsecond']);
      expect(await answer.getByRole('checkbox').count()).toBe(2);
      const hidden = answer.getByText('hidden', { exact: true });
      expect(await hidden.isVisible()).toBe(false);
      await answer.getByText('More about it').click();
      await hidden.waitFor();
      expect(await answer.getByRole('link', { name: 'the manual' }).getAttribute('href')).toBe(
        'https://example.org/manual',
      );
      await answer.locator('sup button').click();
      await answer.getByText('Noted.').waitFor();
      await world.shot(options.dark === true ? 'brackets-narrow-dark' : 'brackets');
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true);
      expect(await seriousFindings(page)).toEqual([]);
      expect(errors).toEqual([]);
    },
  );

  it('draws a sample between gaps as a point, and nothing as a line of text', async () => {
    const world = the();
    world.stack.model.when(
      'gappy',
      () => [
        // One sample a minute at a step of 15 s: none has a neighbour.
        {
          tool: 'execute_range_query',
          args: { query: 'vector(1) unless vector(time() % 60) >= 15', start: 'now-30m', step: '15s' },
        },
        { tool: 'execute_range_query', args: { query: 'up == 7', start: 'now-30m', step: '15s' } },
        { tool: 'execute_range_query', args: { query: '0 / 0 * up', start: 'now-30m', step: '15s' } },
        {
          tool: 'execute_instant_query',
          args: { query: 'sort(topk(5, prometheus_http_requests_total))', kind: 'Table' },
        },
      ],
      () => ['There are gaps.'],
    );
    const { page } = await world.come();
    await ask(page, 'A gappy one');
    await last(page).getByText('There are gaps.').waitFor();
    await idle(page);
    const panels = last(page).getByTestId('query-panel');
    await panels.nth(0).scrollIntoViewIfNeeded();
    await panels.nth(0).locator('canvas').first().waitFor();
    await expect.poll(() => colouredPixels(panels.nth(0)), { timeout: 15_000 }).toBeGreaterThan(30);
    await panels.nth(1).scrollIntoViewIfNeeded();
    await panels.nth(1).getByText('No data', { exact: true }).waitFor();
    expect((await panels.nth(1).boundingBox())?.height).toBeLessThan(40);
    await panels.nth(2).scrollIntoViewIfNeeded();
    await panels.nth(2).getByText('Nothing to draw').waitFor();
    await world.shot('gaps');
    await panels.nth(3).scrollIntoViewIfNeeded();
    const numbers = async (): Promise<readonly number[]> => {
      const cells = await panels
        .nth(3)
        .locator('tbody td:first-child, [role=cell]:first-child')
        .allInnerTexts();
      const texts = cells.map((text) => text.replaceAll(/[^\d.]/g, '')).filter((text) => text !== '');
      return texts.map(Number).slice(0, 5);
    };
    await expect.poll(async () => (await numbers()).length, { timeout: 15_000 }).toBeGreaterThan(2);
    const shown = await numbers();
    expect(shown).toEqual([...shown].sort((a, b) => a - b));
    await world.shot('sorted');
  });

  it('takes a dashboard without variables as context', async () => {
    const world = the();
    const panel = {
      kind: 'Panel',
      spec: {
        display: { name: 'Bare' },
        plugin: { kind: 'TimeSeriesChart', spec: {} },
        queries: [
          {
            kind: 'TimeSeriesQuery',
            spec: { plugin: { kind: 'PrometheusTimeSeriesQuery', spec: { query: 'up' } } },
          },
        ],
      },
    };
    await world.stack.create(`/api/v1/projects/${PROJECT}/dashboards`, {
      kind: 'Dashboard',
      metadata: { name: 'bare', project: PROJECT },
      spec: { duration: '1h', panels: { bare: panel } },
    });
    const { page, errors } = await world.come();
    await page.getByRole('button', { name: 'Add context' }).click();
    await page.getByRole('combobox', { name: 'Project' }).click();
    await page.getByRole('option', { name: PROJECT }).click();
    await page.getByRole('combobox', { name: 'Dashboard' }).click();
    await page.getByRole('option', { name: 'bare' }).click();
    await page.getByText(/1 of 1 panel go/).waitFor();
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await page.getByTestId('attachment').waitFor();
    expect(errors).toEqual([]);
  });

  it('a part that can not be loaded is a card; Explore and the draft stay', async () => {
    const world = the();
    const { page } = await world.come();
    const box = page.getByRole('textbox', { name: 'Question' });
    await box.fill('half a question');
    await page.route('**/__mf/js/**', (route) => route.abort());
    await page.getByRole('button', { name: 'Add context' }).click();
    const card = page.getByTestId('persai-failed');
    await card.waitFor();
    await world.shot('failed-part');
    expect(await seriousFindings(page)).toEqual([]);
    expect(await box.inputValue()).toBe('half a question');
    await page.getByRole('heading', { name: 'Explore' }).waitFor();
    await page.unroute('**/__mf/js/**');
    await card.getByRole('button', { name: 'Reload PersAI' }).click();
    await expect.poll(() => card.count()).toBe(0);
    await page.getByRole('button', { name: 'Add context' }).click();
    await page.getByRole('dialog', { name: 'Add a dashboard as context' }).waitFor();
  });

  it('keeps the question over a sign-in that has expired, for who wrote it', async () => {
    const world = the();
    const { stack } = world;
    stack.model.when('overdue', () => ['Welcome back.']);
    const { page } = await world.come();
    await page.getByText('What would you like to know?').waitFor();
    const question = 'Is it overdue? 🙂';
    const box = page.getByRole('textbox', { name: 'Question' });
    const signIn = async (user: string): Promise<void> => {
      await page.getByLabel('User name').fill(user);
      await page.getByLabel('Password').fill(stack.password(user));
      await page.getByRole('button', { name: 'Sign in' }).click();
      await box.waitFor();
    };
    await signOutEverywhere(page);
    await ask(page, question);
    await page.getByLabel('User name').waitFor();
    await signIn('admin');
    expect(await box.inputValue()).toBe('');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('User name').waitFor();
    await signIn('demo');
    await expect.poll(() => box.inputValue()).toBe(question);
    await box.press('Enter');
    await last(page).getByText('Welcome back.').waitFor();
    await idle(page);
    await page.reload();
    await last(page).getByText('Welcome back.').waitFor();
    expect(await box.inputValue()).toBe('');
  });

  it('says that a conversation was deleted in another tab', async () => {
    const world = the();
    let open = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      open = resolve;
    });
    world.stack.model.when('deletable', () => ['It begins', held]);
    const { page, context } = await world.come();
    await ask(page, 'Is it deletable?');
    await last(page).getByText('It begins').waitFor();
    const other = await context.newPage();
    await other.goto(page.url());
    const nav = other.getByRole('navigation', { name: 'Conversations' });
    await nav.getByLabel('More about Is it deletable?').first().click();
    await other.getByRole('menuitem', { name: 'Delete' }).click();
    await other.getByRole('button', { name: 'Delete' }).click();
    await page
      .getByRole('alert')
      .getByText('This conversation was deleted, in another tab')
      .first()
      .waitFor();
    await world.shot('deleted');
    open();
    expect(await page.getByText('Turn not found').count()).toBe(0);
    await page.getByRole('alert').getByRole('button', { name: 'New conversation' }).click();
    await page.getByText('What would you like to know?').waitFor();
  });

  it('has a page that loads nothing from elsewhere', async () => {
    const world = the();
    const { page, errors } = await world.come();
    await page.getByText('What would you like to know?').waitFor();
    const blocked = await page.evaluate(async () => {
      const seen: string[] = [];
      document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) =>
        seen.push(effectiveDirective),
      );
      const image = document.createElement('img');
      image.src = 'https://evil.example/p.png';
      const script = document.createElement('script');
      script.src = 'https://evil.example/p.js';
      const frame = document.createElement('iframe');
      frame.src = 'https://evil.example/';
      document.body.append(image, script, frame);
      document.body.setAttribute('onclick', 'globalThis.ran = true');
      document.body.click();
      await fetch('https://evil.example/').catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 300));
      return [...new Set(seen)].sort((a, b) => a.localeCompare(b));
    });
    expect(blocked).toEqual(['connect-src', 'frame-src', 'img-src', 'script-src-attr', 'script-src-elem']);
    expect(await page.evaluate(() => 'ran' in globalThis)).toBe(false);
    expect(errors).toEqual([]);
  });

  it('jumps to the end with a button that covers nothing', async () => {
    const world = the();
    world.stack.model.when('lengthy', () => [Array.from({ length: 80 }, (_, i) => `Line ${i}`).join('\n\n')]);
    const { page } = await world.come();
    await ask(page, 'A lengthy one');
    await idle(page);
    const log = page.getByTestId('messages');
    await log.evaluate((element) => element.scrollTo({ top: 0 }));
    const jump = page.getByRole('button', { name: 'To the latest message' });
    await jump.waitFor();
    const [button, box] = [await jump.boundingBox(), await log.boundingBox()];
    expect(button?.y ?? 0).toBeGreaterThanOrEqual((box?.y ?? 0) + (box?.height ?? 0));
    await world.shot('jump');
    await jump.click();
    await expect.poll(() => jump.count()).toBe(0);
  });
}
