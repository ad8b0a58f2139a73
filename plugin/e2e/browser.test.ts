// The chat in a real Chromium, in Perses's own Explore, on the real stack of compose/run. One stack for all.
import { afterAll, afterEach, beforeAll, describe } from 'vitest';

import { adminTests } from './admin';
import { answerTests } from './answers';
import { approvalTests } from './approvals';
import { chatTests } from './chat';
import { dashboardTests } from './dashboards';
import { helpTests } from './help';
import { inputTests } from './inputs';
import { keyTests } from './keys';
import { languageTests } from './language';
import { loadingTests } from './loading';
import { longTests } from './long';
import { motionTests } from './motion';
import { narrowTests } from './narrow';
import { panelTests } from './panel';
import { proposalTests } from './proposals';
import { shareTests } from './share';
import { sourceTests, stopSources } from './sources';
import { World } from './lib/world';

let world: World;

beforeAll(async () => {
  world = await World.start();
});

afterAll(async () => {
  await stopSources();
  await world?.stop();
});

afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') {
    console.error([task.name, ...(world.open?.trouble ?? [])].join('\n  '));
    await world.shot(`failed-${task.id.replaceAll(/\W/g, '')}`);
  }
  await world.leave();
});

describe('the page', () => loadingTests(() => world));
describe('the chat', () => chatTests(() => world));
describe('an answer', () => answerTests(() => world));
describe('the language', () => languageTests(() => world));
describe('the keys', () => keyTests(() => world));
describe('motion', () => motionTests(() => world));
describe('a narrow window', () => narrowTests(() => world));
describe('a long conversation', () => longTests(() => world));
describe('dashboards', () => dashboardTests(() => world));
describe('logs, traces and profiles', () => sourceTests(() => world));
describe('the chat in a dashboard', () => panelTests(() => world));
describe('proposals', () => proposalTests(() => world));
describe('the page of administrators', () => adminTests(() => world));
describe('an approval', () => approvalTests(() => world));
describe('what is done with an answer', () => shareTests(() => world));
describe('what is sent and shown', () => inputTests(() => world));
describe('what goes wrong', () => helpTests(() => world));
