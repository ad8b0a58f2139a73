// Asking, watching, stopping, coming back.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import { Locator, Page } from 'playwright-core';
import { expect, it } from 'vitest';

import { until } from './lib/processes';
import { Piece } from './lib/model';
import { World, ask, cards, idle, last, sampled } from './lib/world';

interface AxeFinding {
  readonly id: string;
  readonly impact: string;
  readonly nodes: ReadonlyArray<{ readonly html: string }>;
}

const require = createRequire(import.meta.url);

/** Grows with every scrape, so its value tells the moment. */
const GROWING = 'sum(prometheus_tsdb_head_samples_appended_total)';
const STEP = '2s';

const ANSWER =
  'Prometheus takes samples **steadily**.\n\n| job | up |\n|---|--:|\n| prometheus | 1 |\n\n```promql\nsum by (job) (up == 1)\n```\n';

export function scriptPanels(world: World): void {
  world.stack.model.when(
    'samples',
    () => [
      'Let me look. ',
      { tool: 'execute_range_query', args: { query: GROWING, start: 'now-1m', step: STEP } },
      { tool: 'execute_instant_query', args: { query: 'topk(3, prometheus_http_requests_total)' } },
    ],
    () => ANSWER.split(/(?<= )/).flatMap((word): Piece[] => [word, 5]),
  );
}

const WORDS = Array.from({ length: 40 }, (_, i) => `w${i + 1}`);

function* countUp(): Iterable<Piece> {
  for (const word of WORDS) {
    yield `${word} `;
    yield 100;
  }
}

function countedWords(page: Page): Locator {
  return last(page).locator('p', { hasText: 'w40' });
}

/** Moves over the chart until Perses's tooltip shows, and reads its time and its first value. */
async function readTooltip(page: Page, panel: Locator): Promise<{ at: number; text: string }> {
  await panel.scrollIntoViewIfNeeded();
  const box = await panel.locator('canvas').first().boundingBox();
  if (box === null) throw new Error('no chart');
  const tooltip = page
    .locator('body > div')
    .filter({ hasText: /\d\d:\d\d:\d\d/ })
    .last();
  for (let i = 0; i < 60; i++) {
    const x = box.x + box.width * (0.985 - (i % 20) * 0.03);
    for (let y = 0.1; y < 0.8; y += 0.05) {
      await page.mouse.move(x, box.y + box.height * y);
      if ((await tooltip.count()) === 0) continue;
      const text = await tooltip.innerText();
      const when = /([A-Z][a-z]{2} \d{1,2}, \d{4})\D+(\d{2}:\d{2}:\d{2})/.exec(text);
      if (when !== null) return { at: Date.parse(`${when[1]} ${when[2]} UTC`) / 1000, text };
    }
    await page.waitForTimeout(100);
  }
  throw new Error('no tooltip');
}

async function axe(page: Page): Promise<readonly AxeFinding[]> {
  await page.evaluate(readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8'));
  return page.evaluate(async () => {
    const { axe: run } = globalThis as unknown as {
      axe: { run(root: Element): Promise<{ violations: AxeFinding[] }> };
    };
    const dialog = document.querySelector('[role=dialog]');
    // With what is around it: a name may stand where it is no name.
    const root =
      dialog?.closest('.MuiDialog-root') ?? dialog ?? document.querySelector('[data-testid=persai]');
    return root === null ? [] : (await run.run(root)).violations;
  });
}

function told(found: readonly AxeFinding[]): readonly string[] {
  return found.map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 300)}`);
}

/** What axe finds in what is ours, at any level. */
export async function findingsOf(page: Page): Promise<readonly string[]> {
  return told(await axe(page));
}

export async function seriousFindings(page: Page): Promise<readonly string[]> {
  const found = await axe(page);
  return told(found.filter(({ impact }) => impact === 'serious' || impact === 'critical'));
}

/** Perses's own placeholder of a panel that loads has a finding of axe's; it is gone in a moment. */
export async function drawn(page: Page): Promise<void> {
  await expect.poll(async () => page.locator('.MuiSkeleton-root').count(), { timeout: 20_000 }).toBe(0);
}

export function chatTests(the: () => World): void {
  it.each([false, true])('streams an answer with panels that tell the truth (dark: %s)', async (dark) => {
    const world = the();
    const { stack } = world;
    scriptPanels(world);
    await sampled(world);
    const { page, errors, foreign } = await world.come('demo', { dark });
    await page.getByRole('textbox', { name: 'Question' }).waitFor();
    await world.shot(dark ? 'empty-dark' : 'empty');
    expect(await seriousFindings(page)).toEqual([]);
    await ask(page, 'How many samples does Prometheus take?');
    await last(page).getByText('steadily').waitFor();
    await idle(page);
    const panel = last(page).getByTestId('query-panel').first();
    await panel.scrollIntoViewIfNeeded(); // one that was never seen is not made
    await panel.locator('canvas').first().waitFor();
    for (const tool of ['execute_range_query', 'execute_instant_query']) {
      const card = cards(page, tool);
      await card.getByText(/^(\d+ ms|\d+\.\d s)$/).waitFor();
      await card.getByTestId('used-datasource').getByText('prometheus').waitFor();
    }
    const { at, text } = await readTooltip(page, panel);
    const [[, value] = [0, Number.NaN]] = await stack.query('query', { query: GROWING, time: String(at) });
    // As Perses writes it, 1.32K: three digits, rounded.
    const [, number, suffix = ''] = /([\d.]+)([KMB]?)\s*$/.exec(text) ?? [];
    const shown = Number(number) * ({ K: 1e3, M: 1e6, B: 1e9 }[suffix] ?? 1);
    expect(Math.abs(shown - value) / value, `${text} for ${value}`).toBeLessThan(0.005);
    await world.shot(dark ? 'answer-dark' : 'answer');
    await last(page).getByTestId('query-panel').last().scrollIntoViewIfNeeded();
    await last(page).getByRole('cell', { name: 'prometheus' }).first().waitFor();
    expect(await last(page).getByRole('region', { name: 'Table' }).locator('td').allTextContents()).toEqual([
      'prometheus',
      '1',
    ]);
    await drawn(page);
    expect(await seriousFindings(page)).toEqual([]);
    expect(errors).toEqual([]);
    expect(foreign).toEqual([]);
  });

  it('is used by the keyboard, and says what it is at', async () => {
    const world = the();
    const { model } = world.stack;
    let open = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      open = resolve;
    });
    model.when('Which targets are up', () => [held, 'All of them.']);
    model.when('line one', () => ['Two lines.']);
    const { page } = await world.come();
    const suggestion = page.getByRole('button', { name: /^Which targets are up/ });
    const box = page.getByRole('textbox', { name: 'Question' });
    await suggestion.focus();
    await page.keyboard.press('Enter');
    const status = page.getByRole('status', { name: 'What the assistant does' });
    const log = page.getByRole('log', { name: 'Conversation' });
    await status.getByText(/Thinking|has not begun|Waiting for a worker/).waitFor();
    expect(await log.getAttribute('aria-live')).toBe('polite');
    expect(await log.getAttribute('aria-busy')).toBe('true');
    open();
    await last(page).getByText('All of them.').waitFor();
    await idle(page);
    await expect.poll(() => status.textContent()).toBe('');
    expect(await log.getAttribute('aria-busy')).toBe('false');
    await page.getByRole('button', { name: 'New conversation' }).focus();
    await page.keyboard.press('Enter');
    await page.getByText('What would you like to know?').waitFor();
    await expect.poll(() => box.evaluate((element) => element === document.activeElement)).toBe(true);
    await page.keyboard.type('line one');
    await page.keyboard.press('Shift+Enter');
    await page.keyboard.type('line two');
    await page.keyboard.press('Control+Enter');
    await last(page).getByText('Two lines.').waitFor();
    await idle(page);
    expect(model.prompts.at(-1)?.messages.at(-1)?.text).toBe('line one\nline two');
  });

  it('says what went wrong, and asks again', async () => {
    const world = the();
    const { model } = world.stack;
    model.when('fragile', () => {
      throw new Error('this model hangs up');
    });
    const { page } = await world.come();
    await ask(page, 'Is it fragile?');
    const alert = last(page).getByRole('alert');
    await alert.waitFor({ timeout: 50_000 });
    expect((await alert.innerText()).length).toBeGreaterThan(20);
    await world.shot('failed');
    expect(await seriousFindings(page)).toEqual([]);
    model.when('fragile', () => ['Not any more.']);
    await alert.getByRole('button', { name: 'Retry' }).click();
    await last(page).getByText('Not any more.').waitFor({ timeout: 50_000 });
    await idle(page);
    expect(await page.getByTestId('exchange').count()).toBe(1);
    expect(await page.getByRole('alert').count()).toBe(0);
  });

  it('is stopped on the server', async () => {
    const world = the();
    let goOn = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    world.stack.model.when('Count', () => [...WORDS.slice(0, 5).map((word) => `${word} `), held, 'w6']);
    const { page } = await world.come();
    await ask(page, 'Count up to be stopped');
    await last(page).getByText('w5').waitFor();
    await world.shot('streaming');
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await last(page).getByText('Stopped.').waitFor();
    goOn();
    await idle(page);
    await page.reload();
    await last(page).getByText('Count up to be stopped').waitFor();
    await last(page).getByText('w5').waitFor();
    expect(await page.getByText('w6').count()).toBe(0);
  });

  it.each(['reload', 'gateway', 'worker-1 and worker-2'])(
    'goes on, whole and once, after: %s',
    async (what) => {
      const world = the();
      world.stack.model.when('Count', countUp);
      const { page } = await world.come();
      await ask(page, 'Count up');
      await last(page).getByText('w5').waitFor();
      if (what === 'reload') await page.reload();
      else for (const name of what.split(' and ')) await world.stack.kill(name);
      await countedWords(page).waitFor({ timeout: 50_000 });
      await idle(page);
      expect((await countedWords(page).textContent())?.trim()).toBe(WORDS.join(' '));
      expect(await page.getByTestId('exchange').count()).toBe(1);
    },
  );

  it('is followed by a second tab', async () => {
    const world = the();
    world.stack.model.when('Count', countUp);
    const { page, context } = await world.come();
    await ask(page, 'Count up');
    await last(page).getByText('w3').waitFor();
    const other = await context.newPage();
    await other.goto(page.url());
    for (const tab of [page, other]) {
      await countedWords(tab).waitFor();
      expect((await countedWords(tab).textContent())?.trim()).toBe(WORDS.join(' '));
    }
  });

  it('has its questions edited and asked again in their place, hidden and shown again', async () => {
    const world = the();
    const { model } = world.stack;
    model.when('second', () => ['The second answer.']);
    model.when('third', () => ['The third answer.']);
    model.when('first', () => ['The first answer.']);
    const { page } = await world.come();
    await ask(page, 'first');
    await last(page).getByText('The first answer.').waitFor();
    await idle(page);
    await last(page).getByRole('button', { name: 'Edit and ask again' }).click();
    const editor = page.getByRole('textbox', { name: 'Edit the question' });
    await editor.fill('second');
    await editor.press('Enter');
    await last(page).getByText('The second answer.').waitFor();
    await idle(page);
    expect(await page.getByTestId('exchange').count()).toBe(1);
    // Both are kept, in one place and one conversation; also after a reload.
    const nav = page.getByRole('navigation', { name: 'Conversations' });
    await expect.poll(() => nav.locator('[data-row]').filter({ hasText: 'first' }).count()).toBe(1);
    expect(await nav.locator('[data-row]').filter({ hasText: 'second' }).count()).toBe(0);
    await last(page).getByText('2/2').waitFor();
    await last(page).getByRole('button', { name: 'Earlier version' }).click();
    await last(page).getByText('The first answer.').waitFor();
    await page.reload();
    await last(page).getByText('1/2').waitFor();
    await world.shot('versions');
    expect(await seriousFindings(page)).toEqual([]);
    await last(page).getByRole('button', { name: 'Later version' }).click();
    await last(page).getByText('The second answer.').waitFor();
    await last(page).getByRole('button', { name: 'More' }).click();
    await page.getByRole('menuitem', { name: 'Hide it from the model' }).click();
    await last(page).getByText('Hidden from the model').waitFor();
    await ask(page, 'third');
    await last(page).getByText('The third answer.').waitFor();
    await idle(page);
    const seen = JSON.stringify(model.prompts.at(-1)?.messages);
    expect(seen).toContain('third');
    expect(seen).not.toContain('second');
    await page.getByRole('button', { name: /^What the model sees, 1 hidden/ }).click();
    await page.getByText('1 of 2 questions').waitFor();
    await world.shot('seen');
    expect(await seriousFindings(page)).toEqual([]);
    await page.getByRole('button', { name: 'Hide second' }).click();
    await page.getByText('2 of 2 questions').waitFor();
  });

  it('has its messages pinned, also after a reload', async () => {
    const world = the();
    world.stack.model.when('pinned', () => ['To be remembered.']);
    const { page } = await world.come();
    await ask(page, 'To be pinned');
    await idle(page);
    const choose = async (name: string): Promise<void> => {
      await last(page).getByRole('button', { name: 'More' }).click();
      await page.getByRole('menuitem', { name }).click();
    };
    await choose('Pin: the model always sees it');
    const chip = last(page).getByText('Pinned', { exact: true });
    await chip.waitFor();
    await page.reload();
    await chip.waitFor();
    await page.getByRole('button', { name: /^What the model sees/ }).click();
    await page.getByRole('button', { name: 'Pin To be pinned', pressed: true }).click();
    await page.getByRole('button', { name: 'Pin To be pinned', pressed: false }).waitFor();
    await page.keyboard.press('Escape');
    await expect.poll(() => chip.count()).toBe(0);
    await page.reload();
    await last(page).getByText('To be remembered.').waitFor();
    expect(await chip.count()).toBe(0);
  });

  it('is branched off after an answer, and goes on in both', async () => {
    const world = the();
    const { model } = world.stack;
    for (const word of ['trunk', 'left', 'right']) model.when(word, () => [`The ${word} answer.`]);
    const { page } = await world.come();
    for (const word of ['trunk', 'left']) {
      await ask(page, word);
      await last(page).getByText(`The ${word} answer.`).waitFor();
      await idle(page);
    }
    const trunk = page.url();
    await page.getByTestId('exchange').first().getByRole('button', { name: 'More' }).click();
    await page.getByRole('menuitem', { name: 'Branch off after this answer' }).click();
    await expect.poll(() => page.url()).not.toBe(trunk);
    await expect.poll(() => page.getByTestId('exchange').count()).toBe(1);
    await ask(page, 'right');
    await last(page).getByText('The right answer.').waitFor();
    await idle(page);
    const seen = model.prompts.at(-1)?.messages.map(({ text }) => text);
    expect(seen).toEqual(['trunk', 'The trunk answer.', 'right']);
    await page.goto(trunk);
    await last(page).getByText('The left answer.').waitFor();
    expect(await page.getByTestId('exchange').count()).toBe(2);
    // An earlier question that is asked anew takes the place of what came of it.
    const first = page.getByTestId('exchange').first();
    await first.getByRole('button', { name: 'Edit and ask again' }).click();
    await first.getByRole('textbox', { name: 'Edit the question' }).fill('right');
    await page.keyboard.press('Enter');
    await last(page).getByText('The right answer.').waitFor();
    await idle(page);
    expect(await page.getByTestId('exchange').count()).toBe(1);
    expect(model.prompts.at(-1)?.messages.map(({ text }) => text)).toEqual(['right']);
  });

  it('asks the model and the datasource that were picked, also after a reload', async () => {
    const world = the();
    const { model } = world.stack;
    model.when('which model', () => ['A large one.']);
    const { page } = await world.come();
    await page.getByRole('combobox', { name: 'Model' }).click();
    await page.getByRole('option', { name: 'large' }).click();
    await ask(page, 'which model');
    await last(page).getByText('A large one.').waitFor();
    expect(model.prompts.at(-1)?.model).toBe('large');
    await page.reload();
    await last(page).getByText('A large one.').waitFor();
    expect(await page.getByRole('combobox', { name: 'Model' }).textContent()).toBe('large');
  });

  it('keeps how a panel is drawn', async () => {
    const world = the();
    scriptPanels(world);
    const { page } = await world.come();
    await ask(page, 'How many samples?');
    await idle(page);
    const card = last(page).getByTestId('tool-card').first();
    await card.getByRole('button', { name: 'How it is drawn' }).click();
    await page.getByLabel('Legend').click();
    await page.getByRole('option', { name: 'Right' }).click();
    await page.getByLabel('Stacked').check();
    await page.getByLabel('Thresholds').fill('95, 80');
    await page.getByRole('button', { name: 'Number' }).click();
    await world.shot('panel-settings');
    await page.keyboard.press('Escape');
    await card.locator('canvas').first().waitFor();
    await page.reload();
    await card.getByRole('button', { name: 'How it is drawn' }).click();
    await page.getByRole('button', { name: 'Number', pressed: true }).waitFor();
    expect(await page.getByLabel('Thresholds').inputValue()).toBe('80, 95');
    await page.getByRole('button', { name: 'Lines' }).click();
    await page.getByRole('combobox', { name: 'Legend' }).getByText('Right').waitFor();
    expect(await page.getByLabel('Stacked').isChecked()).toBe(true);
  });

  it('opens a query in Explore, and comes back', async () => {
    const world = the();
    scriptPanels(world);
    const { page } = await world.come();
    await ask(page, 'How many samples?');
    await last(page).getByText('steadily').waitFor();
    await idle(page);
    const here = page.url();
    await last(page).getByRole('link', { name: 'Open in Explore' }).first().click();
    await page.waitForURL(/explorer=Prometheus-PrometheusExplorer/);
    const address = new URL(page.url()).searchParams;
    expect(address.get('data')).toContain(GROWING);
    const [start, end] = ['start', 'end'].map((name) => Number(address.get(name)));
    expect(Math.abs((end ?? 0) - (start ?? 0) - 60_000)).toBeLessThan(1_000);
    await page.locator('.cm-content', { hasText: GROWING }).waitFor();
    await page.locator('main canvas').first().waitFor();
    await page.goBack();
    await page.waitForURL(here);
    await last(page).getByText('steadily').waitFor();
  });

  it('shows one panel over a time of its own, and copies its query', async () => {
    const world = the();
    scriptPanels(world);
    const { page, context } = await world.come();
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await ask(page, 'How many samples?');
    await idle(page);
    const card = last(page).getByTestId('tool-card').first();
    await card.getByTestId('query-panel').scrollIntoViewIfNeeded();
    await card.locator('canvas').first().waitFor();
    await card.getByRole('button', { name: 'Show over another time range' }).click();
    const spans: number[] = [];
    page.on('request', (request) => {
      if (!request.url().includes('/query_range')) return;
      const asked = new URLSearchParams(request.postData() ?? new URL(request.url()).search);
      if (asked.get('query') === GROWING) spans.push(Number(asked.get('end')) - Number(asked.get('start')));
    });
    const times = page.getByRole('combobox', { name: /time/i });
    await card.getByRole('combobox').first().click();
    await page.getByRole('option', { name: 'Last 6 hours' }).click();
    await expect.poll(() => spans.at(-1)).toBe(6 * 3_600);
    await card.locator('canvas').first().waitFor();
    // The time of the page, and with it of the next question, is what it was.
    expect(await times.first().textContent()).not.toContain('6 hours');
    await card.getByRole('button', { name: 'Copy the query' }).click();
    await card.getByRole('button', { name: 'Copied' }).waitFor();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(GROWING);
  });

  it('shows what the model writes as text: no images, no markup, only honest links', async () => {
    const world = the();
    world.stack.model.when('evil', () => [
      '![x](https://evil.example/p.png) [one](//evil.example/a) [two](javascript:alert(1)) [three](data:text/html,x) ',
      '[four](https://example.org/ok) <img src=https://evil.example/q.png> <b>bold</b> <script>alert(1)</script>',
    ]);
    const { page, foreign, errors } = await world.come();
    await ask(page, 'Be evil');
    await last(page).getByText('(example.org)').waitFor();
    await idle(page);
    // The address of the image that was not one is a text that leads there, with its host, if one clicks.
    const links = await last(page).locator('a').all();
    expect(await Promise.all(links.map((link) => link.getAttribute('href')))).toEqual([
      'https://example.org/ok',
      'https://evil.example/q.png%3E',
    ]);
    for (const link of links) expect(await link.getAttribute('rel')).toContain('noopener');
    expect(await last(page).locator('img, script').count()).toBe(0);
    expect(await last(page).locator('b').innerText()).toBe('bold');
    await last(page).getByText('<script>alert(1)</script>').waitFor();
    expect(foreign).toEqual([]);
    expect(errors).toEqual([]);
  });

  it('offers what might be asked next, from the answer itself', async () => {
    const world = the();
    const { model } = world.stack;
    const next = '```next\nSince when do they?\nWhich node are they on?\n```';
    model.when('followed', () => ['Those named pump do.\n\n', next.slice(0, 9), next.slice(9)]);
    model.when('Since when', () => ['Since noon.']);
    const { page } = await world.come('demo', { width: 390, height: 800 });
    await ask(page, 'What is followed?');
    const questions = page.getByRole('group', { name: 'What to ask next' });
    await questions.getByRole('button', { name: 'Which node are they on?' }).waitFor();
    expect(await last(page).getByText('```').count()).toBe(0);
    expect(model.prompts.at(-1)?.beside).toContain('```next');
    await world.shot('next-narrow');
    expect(await seriousFindings(page)).toEqual([]);
    await page.getByRole('button', { name: 'Dark theme' }).click();
    await world.shot('next-narrow-dark');
    await questions.getByRole('button', { name: 'Since when do they?' }).click();
    await last(page).getByText('Since noon.').waitFor();
    expect(await questions.count()).toBe(0);
  });

  it('is called by the model in a few words, after its first answer', async () => {
    const world = the();
    const { model } = world.stack;
    model.when('most CPU since', () => ['Those named pump do.']);
    model.titles.set('most CPU since', 'CPU use of the pumps');
    const { page } = await world.come();
    await ask(page, 'Which pods burn the most CPU since the deploy?');
    await idle(page);
    await page.getByText('CPU use of the pumps').first().waitFor();
    const nav = page.getByRole('navigation', { name: 'Conversations' });
    await nav.getByRole('button', { name: /^CPU use of the pumps/ }).waitFor();
    await world.shot('titled');
  });

  it('is found again, renamed, pinned and deleted', async () => {
    const world = the();
    world.stack.model.when('needle', () => ['Yes.']);
    const { page } = await world.come();
    await ask(page, 'Is this the needle?');
    await last(page).getByText('Yes.').waitFor();
    await idle(page);
    await page.getByRole('button', { name: 'New conversation' }).click();
    await page.getByText('What would you like to know?').waitFor();
    const nav = page.getByRole('navigation', { name: 'Conversations' });
    await nav.getByLabel('Search conversations').fill('needle');
    await nav
      .getByRole('button', { name: /^Is this the needle\?/ })
      .first()
      .click();
    await last(page).getByText('Yes.').waitFor();
    await nav.getByLabel('More about Is this the needle?').first().click();
    await page.getByRole('menuitem', { name: 'Rename' }).click();
    await page.getByLabel('Title').fill('The needle, found');
    await page.getByRole('button', { name: 'Rename' }).click();
    await nav.getByRole('button', { name: /^The needle, found/ }).waitFor();
    await nav.getByLabel('More about The needle, found').click();
    await page.getByRole('menuitem', { name: 'Pin' }).click();
    await nav.getByLabel('Search conversations').fill('');
    const pinned = nav
      .getByRole('list', { name: 'Pinned' })
      .getByRole('button', { name: /^The needle, found/ });
    await pinned.waitFor();
    await page.reload();
    await pinned.waitFor();
    expect(await nav.getByRole('button', { name: /^The needle, found/ }).count()).toBe(1);
    await world.shot('pinned');
    await nav.getByLabel('More about The needle, found').click();
    await page.getByRole('menuitem', { name: 'Unpin' }).click();
    await expect.poll(() => pinned.count()).toBe(0);
    await nav.getByLabel('Search conversations').fill('needle');
    await nav.getByLabel('More about The needle, found').click();
    await page.getByRole('menuitem', { name: 'Delete' }).click();
    await page.getByRole('button', { name: 'Delete' }).click();
    await nav.getByText('Nothing found.').waitFor();
  });

  it('follows the theme of Perses, and fits a narrow window', async () => {
    const world = the();
    const { page } = await world.come('demo', { width: 420, height: 800 });
    await page.getByText('What would you like to know?').waitFor();
    const colour = (): Promise<string> =>
      page.getByTestId('persai').evaluate((element) => getComputedStyle(element).color);
    const before = await colour();
    await page.getByRole('button', { name: 'Dark theme' }).click();
    await expect.poll(colour).not.toBe(before);
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true);
    await world.shot('narrow-dark');
    await page.getByRole('button', { name: 'Conversations' }).click();
    await page.getByRole('navigation', { name: 'Conversations' }).waitFor();
    await until('the drawer is open', async () => page.getByLabel('Search conversations').isVisible());
  });
}
