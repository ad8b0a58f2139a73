// The plugin in Perses's own web UI, the whole of it, as a person comes to it: sign-in, Explore, a dashboard, its editor.
import { describe, expect, it } from 'vitest';

import { approvalTests } from './approvals';
import { scriptPanels } from './chat';
import { PROJECT, addFirstPanel, keysOf, prepare } from './dashboards';
import { ask, idle, last, sampled, sharedWorld } from './lib/world';
import { addChatPanel } from './panel';
import { visit } from './lib/browser';

const the = sharedWorld('full-ui');

const PATIENT = { timeout: 20_000 };

it('is a tab of Explore for who signs in, answers with panels, and goes on after a reload', async () => {
  const world = the();
  scriptPanels(world);
  await sampled(world);
  world.open = await visit(world.browser, world.stack.url);
  const { page, errors, foreign } = world.open;
  await page.goto(world.stack.url);
  await page.getByLabel('Username').fill('demo');
  await page.getByLabel('Password').fill(world.stack.password('demo'));
  await page.getByRole('button', { name: /sign in/i }).click();
  await page.getByRole('link', { name: 'Explore' }).click();
  await page.getByRole('tab', { name: 'PersAI' }).click();
  await page.getByRole('textbox', { name: 'Question' }).waitFor();
  await world.shot('full-ui-empty');
  await ask(page, 'How many samples does Prometheus take?');
  await last(page).getByText('steadily').waitFor();
  await idle(page);
  await last(page).getByTestId('query-panel').locator('canvas').first().waitFor();
  await world.shot('full-ui-answer');
  await page.reload();
  await last(page).getByText('steadily').waitFor();
  await last(page).getByTestId('query-panel').locator('canvas').first().waitFor();
  expect(errors).toEqual([]);
  expect(foreign).toEqual([]);
});

it('adds a panel to a dashboard, which Perses draws', async () => {
  const world = the();
  await prepare(world, 'targets', 'Targets');
  scriptPanels(world);
  const { page, errors } = await world.come('admin');
  await ask(page, 'How many samples?');
  await last(page).getByText('steadily').waitFor();
  await idle(page);
  await addFirstPanel(page, 'Targets');
  await page.getByLabel('Title of the panel').fill('Samples of all time');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByText('The panel is in the dashboard').waitFor();
  expect(await keysOf(world, 'targets')).toHaveLength(3);
  await page.goto(`${world.stack.url}/projects/${PROJECT}/dashboards/targets`);
  const panel = page.getByTestId('panel').filter({ hasText: 'Samples of all time' });
  await panel.scrollIntoViewIfNeeded();
  await panel.locator('canvas').first().waitFor();
  await world.shot('full-ui-dashboard');
  expect(errors).toEqual([]);
});

it('is a panel that the editor of dashboards makes, and knows the dashboard', async () => {
  const world = the();
  await prepare(world, 'plain', 'Without a chat');
  world.stack.model.when('this board', () => ['All is well here.']);
  const { page, errors } = await world.come('admin');
  const path = `/projects/${PROJECT}/dashboards/plain`;
  await page.goto(world.stack.url + path);
  await page.getByRole('button', { name: /^edit/i }).click();
  await addChatPanel(page, () => world.shot('full-ui-editor'));
  await expect.poll(async () => keysOf(world, 'plain'), PATIENT).toHaveLength(3);
  await page.getByTestId('persai-panel').getByText('Ask about this dashboard').waitFor();
  await ask(page, 'How is this board?');
  await last(page).getByText('All is well here.').waitFor();
  await idle(page);
  const { beside } = world.stack.model.prompts.at(-1) ?? { beside: '' };
  expect(beside).toContain(`"dashboard":{"project":"${PROJECT}","name":"plain"}`);
  await world.shot('full-ui-panel');
  expect(errors).toEqual([]);
});

describe('an approval', () => approvalTests(the));
