// The chat in a real Chromium, in Perses's own Explore, on the real stack of compose/run. One stack for all.
import { afterAll, describe } from 'vitest';

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
import { sharedWorld } from './lib/world';

const the = sharedWorld('web-page');

afterAll(stopSources); // the last one is called first: the stack still runs

describe('the page', () => loadingTests(the));
describe('the chat', () => chatTests(the));
describe('an answer', () => answerTests(the));
describe('the language', () => languageTests(the));
describe('the keys', () => keyTests(the));
describe('motion', () => motionTests(the));
describe('a narrow window', () => narrowTests(the));
describe('a long conversation', () => longTests(the));
describe('dashboards', () => dashboardTests(the));
describe('logs, traces and profiles', () => sourceTests(the));
describe('the chat in a dashboard', () => panelTests(the));
describe('proposals', () => proposalTests(the));
describe('the page of administrators', () => adminTests(the));
describe('an approval', () => approvalTests(the));
describe('what is done with an answer', () => shareTests(the));
describe('what is sent and shown', () => inputTests(the));
describe('what goes wrong', () => helpTests(the));
