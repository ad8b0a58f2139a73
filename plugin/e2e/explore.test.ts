// The chat in a real Chromium, in Perses's own Explore, served and proxied by a real Perses. The gateway is a
// scripted one; what needs the real one is in stack.test.ts.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { Visit, VisitOptions, ask, lastExchange, signIn, startBrowser, visit } from './lib/browser';
import { ScriptedGateway, Talk } from './lib/gateway';
import { PASSWORDS, PersesStack, startPerses } from './lib/perses';
import { freePort } from './lib/processes';

interface AxeFinding {
  readonly id: string;
  readonly impact: string;
  readonly nodes: ReadonlyArray<{ readonly html: string }>;
}

const require = createRequire(import.meta.url);
const gateway = new ScriptedGateway();
let perses: PersesStack;
let browser: Browser;
let open: Visit | undefined;

beforeAll(async () => {
  await gateway.start(await freePort());
  perses = await startPerses(gateway.url);
  browser = await startBrowser();
});

afterAll(async () => {
  await browser?.close();
  await perses?.stop();
  await gateway.stop();
});

afterEach(async () => {
  await open?.context.close();
  open = undefined;
});

async function come(options: VisitOptions = {}, user = 'demo'): Promise<Visit> {
  open = await visit(browser, perses.url, options);
  await signIn(open.page, perses.url, user, PASSWORDS[user] ?? '');
  return open;
}

async function shot(name: string): Promise<void> {
  const folder = process.env['PERSAI_SCREENSHOTS'];
  if (folder !== undefined) await open?.page.screenshot({ path: `${folder}/${name}.png` });
}

const ANSWER =
  'All **targets** are up.\n\n| job | up |\n|---|--:|\n| prometheus | 1 |\n\n```promql\nsum by (job) (up == 1)\n```\n';

async function answerWithPanels(talk: Talk): Promise<void> {
  talk.step('inference', 's1');
  talk.text('Let me look at the targets.');
  talk.query('up', { minutes: 5 });
  talk.query('topk(3, prometheus_http_requests_total)', { tool: 'execute_instant_query', series: 3 });
  talk.step('inference', 's2');
  for (const word of ANSWER.split(/(?<= )/)) {
    talk.text(word);
    await talk.wait(10);
  }
  talk.answer(ANSWER);
}

/** Counts up, slowly enough to be interrupted. */
async function countUp(talk: Talk): Promise<void> {
  talk.step('inference', 's1');
  let said = '';
  for (let i = 1; i <= 40; i++) {
    said += `w${i} `;
    talk.text(`w${i} `);
    await talk.wait(100);
    if (talk.turn.cancelled) return;
  }
  talk.answer(said);
}

const WORDS = Array.from({ length: 40 }, (_, i) => `w${i + 1}`).join(' ');

describe('an answer', () => {
  it.each([false, true])('has panels that Perses draws (dark: %s)', async (dark) => {
    gateway.script = answerWithPanels;
    const { page, errors, foreign } = await come({ dark });
    await shot(dark ? 'empty-dark' : 'empty');
    await ask(page, 'Which targets are up?');
    const exchange = lastExchange(page);
    await exchange.getByText('are up.').waitFor();
    await exchange.getByTestId('query-panel').first().scrollIntoViewIfNeeded();
    await exchange.locator('canvas').first().waitFor();
    await exchange.getByText('up{instance=').first().waitFor(); // the legend: there is a series
    await shot(dark ? 'panels-dark' : 'panels');
    await exchange.getByTestId('query-panel').last().scrollIntoViewIfNeeded();
    await exchange.getByRole('cell', { name: '/metrics' }).first().waitFor();
    await shot(dark ? 'table-dark' : 'table');
    expect(await exchange.getByRole('region', { name: 'Table' }).locator('td').allTextContents()).toEqual([
      'prometheus',
      '1',
    ]);
    expect(errors).toEqual([]);
    expect(foreign).toEqual([]);
  });

  it('is stopped on the server', async () => {
    gateway.script = countUp;
    const { page } = await come();
    await ask(page, 'Count up');
    await lastExchange(page).getByText('w5').waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await lastExchange(page).getByText('Stopped.').waitFor();
    expect([...gateway.turns.values()].at(-1)?.cancelled).toBe(true);
    await page.getByRole('button', { name: 'Send' }).waitFor();
  });

  it('goes on after a reload, whole and once', async () => {
    gateway.script = countUp;
    const { page } = await come();
    await ask(page, 'Count up');
    await lastExchange(page).getByText('w5').waitFor();
    await page.reload();
    await lastExchange(page).getByText('w40').waitFor();
    expect(await lastExchange(page).locator('p', { hasText: 'w40' }).textContent()).toBe(WORDS);
    expect(gateway.turns.size).toBeGreaterThan(0);
    expect(await page.getByTestId('exchange').count()).toBe(1);
  });

  it('goes on when the line is cut again and again', async () => {
    gateway.script = countUp;
    const { page } = await come();
    await ask(page, 'Count up');
    for (const word of ['w5', 'w12', 'w20']) {
      await lastExchange(page).getByText(word).waitFor();
      gateway.cutLines();
    }
    await lastExchange(page).getByText('w40').waitFor();
    expect(await lastExchange(page).locator('p', { hasText: 'w40' }).textContent()).toBe(WORDS);
  });

  it('is followed by a second tab', async () => {
    gateway.script = countUp;
    const { page, context } = await come();
    await ask(page, 'Count up');
    await lastExchange(page).getByText('w3').waitFor();
    const other = await context.newPage();
    await other.goto(page.url());
    await lastExchange(other).getByText('w40').waitFor();
    expect(await lastExchange(other).locator('p', { hasText: 'w40' }).textContent()).toBe(WORDS);
    await lastExchange(page).getByText('w40').waitFor();
  });
});

describe('a conversation', () => {
  it('has its questions edited and asked again in a branch', async () => {
    gateway.script = async (talk) => talk.answer(`You said: ${talk.message}`);
    const { page } = await come();
    await ask(page, 'first');
    await lastExchange(page).getByText('You said: first').waitFor();
    await lastExchange(page).getByRole('button', { name: 'Edit and ask again' }).click();
    const editor = page.getByRole('textbox', { name: 'Edit the question' });
    await editor.fill('second');
    await editor.press('Enter');
    await lastExchange(page).getByText('You said: second').waitFor();
    expect(await page.getByTestId('exchange').count()).toBe(1);
  });

  it('is found again, renamed and deleted', async () => {
    gateway.script = async (talk) => talk.answer('Yes.');
    const { page } = await come();
    await ask(page, 'Is this the needle?');
    await lastExchange(page).getByText('Yes.').waitFor();
    await page.getByRole('button', { name: 'New conversation' }).click();
    await page.getByText('What would you like to know?').waitFor();
    const nav = page.getByRole('navigation', { name: 'Conversations' });
    await nav.getByLabel('Search conversations').fill('needle');
    await nav.getByRole('button', { name: 'Is this the needle?' }).first().click();
    await lastExchange(page).getByText('Yes.').waitFor();
    await nav.getByLabel('More about Is this the needle?').first().click();
    await page.getByRole('menuitem', { name: 'Rename' }).click();
    await page.getByLabel('Title').fill('The needle, found');
    await page.getByRole('button', { name: 'Rename' }).click();
    await nav.getByRole('button', { name: /^The needle, found/ }).waitFor();
    await nav.getByLabel('More about The needle, found').click();
    await page.getByRole('menuitem', { name: 'Delete' }).click();
    await page.getByRole('button', { name: 'Delete' }).click();
    await nav.getByText('Nothing found.').waitFor();
  });

  it('has a message hidden from the model', async () => {
    gateway.script = async (talk) => talk.answer('Seen.');
    const { page } = await come();
    await ask(page, 'Look');
    await lastExchange(page).getByText('Seen.').waitFor();
    await lastExchange(page).getByRole('button', { name: 'More' }).click();
    await page.getByRole('menuitem', { name: 'Hide it from the model' }).click();
    await lastExchange(page).getByText('Hidden from the model').waitFor();
    expect([...gateway.sessions.values()].at(-1)?.messages.map(({ excluded }) => excluded)).toEqual([
      true,
      true,
    ]);
  });

  it('gives its panels to a dashboard, as the person who is signed in', async () => {
    gateway.script = answerWithPanels;
    const { page, context } = await come({}, 'admin');
    await ask(page, 'Which targets are up?');
    await page.getByText('tokens').waitFor();
    await page.getByRole('button', { name: 'Add all 2 panels to a dashboard' }).click();
    await page.getByLabel('Title of the dashboard').fill('Targets of the test');
    await shot('dashboard');
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await page.getByText('2 panels are in the dashboard').waitFor();
    const stored = await context.request.get(
      `${perses.url}/api/v1/projects/demo/dashboards/Targets_of_the_test`,
    );
    const { spec } = (await stored.json()) as {
      spec: { panels: Record<string, { spec: { queries: unknown[] } }> };
    };
    expect(JSON.stringify(Object.values(spec.panels).map((panel) => panel.spec.queries))).toContain(
      '"query":"up"',
    );
    expect(Object.keys(spec.panels)).toHaveLength(2);
  });

  it('says so when the person may not change dashboards', async () => {
    gateway.script = answerWithPanels;
    const { page } = await come();
    await ask(page, 'Which targets are up?');
    await page.getByText('tokens').waitFor();
    await page.getByRole('button', { name: 'Add to dashboard' }).first().click();
    await page.getByLabel('Title of the dashboard').fill('Not allowed');
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await page.getByText('does not let you change dashboards in the project demo').waitFor();
  });

  it('waits for an approval, also after a reload', async () => {
    gateway.script = async (talk) => {
      talk.step('inference', 's1');
      talk.text('I would save it.');
      const call = {
        call_id: 'c1',
        tool_name: 'save_panel',
        arguments: { project: 'demo', dashboard: 'cpu' },
      };
      const approved = await gateway.awaitDecision(talk, call);
      talk.step('inference', 's2');
      talk.answer(approved ? 'It is saved.' : 'It is not saved.');
    };
    const { page } = await come();
    await ask(page, 'Save it');
    await page.getByRole('button', { name: 'Approve' }).waitFor();
    await shot('approval');
    await page.reload();
    await page.getByRole('button', { name: 'Approve' }).focus();
    await page.keyboard.press('Enter');
    await lastExchange(page).getByText('It is saved.').waitFor();
    expect([...gateway.turns.values()].at(-1)?.decisions).toEqual([{ call_id: 'c1', approve: true }]);
  });

  it('has no serious findings of axe', async () => {
    gateway.script = answerWithPanels;
    const { page } = await come();
    await ask(page, 'Which targets are up?');
    await lastExchange(page).getByText('are up.').waitFor();
    await page.getByRole('button', { name: 'Send' }).waitFor();
    // Perses's own placeholder of a panel that loads has a finding; it is gone in a moment.
    await expect.poll(async () => page.locator('.MuiSkeleton-root').count(), { timeout: 15_000 }).toBe(0);
    await page.evaluate(readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8'));
    const found = await page.evaluate(async () => {
      const { axe } = globalThis as unknown as {
        axe: { run(root: Element): Promise<{ violations: AxeFinding[] }> };
      };
      const root = document.querySelector('[data-testid=persai]');
      return root === null ? [] : (await axe.run(root)).violations;
    });
    const serious = found.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    expect(serious.map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 200)}`)).toEqual([]);
  });
});
