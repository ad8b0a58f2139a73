// The chat as a panel of a dashboard.
import { Page } from 'playwright-core';
import { expect, it } from 'vitest';

import { findingsOf } from './chat';
import { PROJECT, prepare } from './dashboards';
import { until } from './lib/processes';
import { World, ask, idle, last } from './lib/world';

const PATIENT = { timeout: 20_000 };

/** A dashboard with the chat beside what it has. */
async function withChat(
  world: World,
  name: string,
  title: string,
  place: { readonly y: number; readonly height: number },
): Promise<string> {
  await prepare(world, name, title);
  const path = `/api/v1/projects/${PROJECT}/dashboards/${name}`;
  const dashboard = (await (await world.stack.perses('admin', 'GET', path)).json()) as {
    spec: {
      panels: Record<string, unknown>;
      layouts: Array<{ spec: { items: Array<{ y: number; readonly [more: string]: unknown }> } }>;
    };
  };
  dashboard.spec.panels['chat'] = {
    kind: 'Panel',
    spec: {
      display: { name: 'Ask' },
      plugin: { kind: 'PersAIChatPanel', spec: { datasource: 'prometheus' } },
    },
  };
  const content = { $ref: '#/spec/panels/chat' };
  const items = dashboard.spec.layouts[0]?.spec.items ?? [];
  for (const item of items) if (item.y >= place.y) item.y += place.height;
  items.push({ x: 0, width: 24, ...place, content });
  const saved = await world.stack.perses('admin', 'PUT', path, dashboard);
  expect(saved.status, await saved.text()).toBe(200);
  return `/projects/${PROJECT}/dashboards/${name}`;
}

/** In a dashboard that is being edited: the chat as a panel, with Prometheus asked by default; saved. */
export async function addChatPanel(page: Page, seen: () => Promise<void>): Promise<void> {
  await page
    .getByRole('button', { name: /add panel/i })
    .first()
    .click();
  await page.getByRole('textbox', { name: 'Name' }).fill('Ask here');
  await page.getByRole('combobox', { name: /^Type/ }).click();
  await page.getByRole('option', { name: 'PersAI chat' }).click();
  // The panel that stood there before has tabs of these names too, until it is gone.
  const settings = page.getByRole('tab', { name: 'Settings' });
  await expect.poll(() => settings.count(), PATIENT).toBe(1);
  await settings.click();
  await page.getByLabel('Asked by default').click();
  await page.getByRole('option', { name: 'Prometheus: prometheus' }).click();
  await seen();
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByRole('button', { name: 'Save' }).click();
}

export function panelTests(the: () => World): void {
  it('knows its dashboard, the variables as they are now and the time, and goes on after a reload', async () => {
    const world = the();
    const { stack } = world;
    const { model } = stack;
    const path = await withChat(world, 'with-chat', 'With a chat', { y: 8, height: 10 });
    model.when(
      'this board',
      () => [{ tool: 'execute_range_query', args: { query: 'up' } }],
      () => ['All is well here.'],
    );
    // A step of a quarter of an hour may be half a minute.
    await until(
      'Prometheus has a past',
      async () => {
        const past = { query: 'up{job="prometheus"} offset 30s' };
        return (await stack.query('query', past)).length > 0;
      },
      90_000,
    );
    const { page, errors, foreign } = await world.come();
    await page.goto(`${stack.url}${path}?start=15m&var-job=node`);
    const chat = page.getByTestId('persai-panel');
    await chat.getByText('Ask about this dashboard').waitFor();
    await world.shot('panel-empty');
    await ask(page, 'How is this board?');
    await last(page).getByText('All is well here.').waitFor();
    await idle(page);
    const { beside } = model.prompts.at(-1) ?? { beside: '' };
    expect(beside).toContain(`"dashboard":{"project":"${PROJECT}","name":"with-chat"}`);
    expect(beside).toMatch(/"variables":\{[^}]*"job":"node"/);
    const selected = /from \S+ (\S+ \S+) \S+ to \S+ (\S+ \S+) /.exec(beside);
    const [from = 0, to = 0] = [selected?.[1], selected?.[2]].map((at) => Date.parse(`${at} UTC`));
    expect(to - from, beside).toBe(15 * 60_000);
    await last(page).getByTestId('query-panel').locator('canvas').first().waitFor();
    await world.shot('panel');
    // The dashboard changes, and so does what the next question goes with.
    const field = page.getByLabel('job', { exact: true });
    await field.fill('prometheus');
    await field.press('Enter');
    await ask(page, 'And how is this board now?');
    await expect.poll(() => page.getByText('All is well here.').count(), PATIENT).toBe(2);
    await idle(page);
    expect(model.prompts.at(-1)?.beside).toMatch(/"variables":\{[^}]*"job":"prometheus"/);
    // The panels beside it have their values, too, those of the project's variables included.
    expect(await page.getByText('parse error').count()).toBe(0);
    await page.reload();
    await expect.poll(() => chat.getByText('All is well here.').count(), PATIENT).toBe(2);
    expect(errors).toEqual([]);
    expect(foreign).toEqual([]);
  });

  it('fits into a small place: what one asks with is there', async () => {
    const world = the();
    const path = await withChat(world, 'small-chat', 'With a small chat', { y: 0, height: 8 });
    world.stack.model.when('board, in short', () => ['All is well here.']);
    const { page } = await world.come('demo', { width: 640, height: 620 });
    await page.goto(world.stack.url + path);
    const chat = page.getByTestId('persai-panel');
    const box = page.getByRole('textbox', { name: 'Question' });
    await box.waitFor();
    const [outer, inner] = [await chat.boundingBox(), await box.boundingBox()];
    if (outer === null || inner === null) throw new Error('not shown');
    expect(inner.y + inner.height).toBeLessThanOrEqual(outer.y + outer.height);
    expect(inner.y).toBeGreaterThan(outer.y);
    await ask(page, 'How is this board, in short?');
    await last(page).getByText('All is well here.').waitFor();
    await idle(page);
    await world.shot('panel-small');
    await chat.getByRole('button', { name: 'Conversations' }).click();
    await page
      .getByRole('button', { name: /this board/ })
      .first()
      .waitFor();
  });

  it.each([
    { width: 1280, height: 860 },
    { width: 390, height: 800, dark: true },
  ])('opens wide over the dashboard with all that it knows, and goes back: %j', async (window) => {
    const world = the();
    const { model } = world.stack;
    const place = window.width < 600 ? { y: 0, height: 8 } : { y: 8, height: 8 };
    const path = await withChat(world, `wide-${window.width}`, 'With a chat to open wide', place);
    const held: { open?: () => void } = {};
    model.when('wide board', () => [
      'It begins. ',
      new Promise<void>((done) => {
        held.open = done;
      }),
      'It ends.',
    ]);
    const { page, errors } = await world.come('demo', window);
    await page.goto(`${world.stack.url}${path}?start=15m&var-job=node`);
    const panel = page.getByTestId('persai-panel');
    const box = page.getByRole('textbox', { name: 'Question' });
    await box.fill('How is the wide board?');
    const widen = panel.getByRole('button', { name: 'Open wide' });
    await widen.click();
    const drawer = page.getByRole('dialog', { name: 'Ask' });
    // What was written is there, and the keys are at hand.
    await expect.poll(() => box.inputValue(), PATIENT).toBe('How is the wide board?');
    await expect.poll(() => box.evaluate((one) => one === document.activeElement), PATIENT).toBe(true);
    await box.press('Enter');
    await drawer.getByText('It begins.').waitFor();
    await drawer.getByText('How is the wide board?', { exact: true }).first().waitFor();
    await world.shot(`panel-wide-${window.width}`);
    if (window.width > 600) await drawer.getByRole('button', { name: 'New conversation' }).waitFor();
    expect(await findingsOf(page)).toEqual([]);
    const { beside } = model.prompts.at(-1) ?? { beside: '' };
    expect(beside).toContain(`"dashboard":{"project":"${PROJECT}","name":"wide-${window.width}"}`);
    expect(beside).toMatch(/"variables":\{[^}]*"job":"node"/);
    // The answer goes on where the chat goes; Escape stops it first and closes then.
    await drawer.getByRole('button', { name: 'Back into the panel' }).click();
    await drawer.waitFor({ state: 'detached' });
    await panel.getByText('It begins.').waitFor();
    await expect.poll(() => widen.evaluate((one) => one === document.activeElement), PATIENT).toBe(true);
    await widen.press('Enter');
    await drawer.getByText('It begins.').waitFor();
    await box.press('Escape');
    await drawer.getByText('Stopped.', { exact: true }).waitFor();
    held.open?.();
    await idle(page);
    await box.press('Escape');
    await drawer.waitFor({ state: 'detached' });
    await panel.getByText('It begins.').waitFor();
    expect(errors).toEqual([]);
  });

  it('is added from a dashboard by whom may edit it', async () => {
    const world = the();
    await prepare(world, 'plain', 'Without a chat');
    const { page } = await world.come('admin');
    await page.getByRole('link', { name: 'Dashboards' }).click();
    await page.getByRole('link', { name: 'Without a chat' }).click();
    await page.getByRole('button', { name: /^edit/i }).click();
    await addChatPanel(page, async () => world.shot('panel-editor'));
    await page.getByTestId('persai-panel').getByText('Ask about this dashboard').waitFor();
    const path = `/api/v1/projects/${PROJECT}/dashboards/plain`;
    await expect
      .poll(async () => (await world.stack.perses('admin', 'GET', path)).text())
      .toContain('"datasource":"/proxy/globaldatasources/prometheus"');
  });
}
