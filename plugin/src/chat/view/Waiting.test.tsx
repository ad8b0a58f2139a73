// @vitest-environment jsdom
import { act, fireEvent, render, screen } from '@testing-library/react';
import { afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';

import { ModelInfo, createGatewayClient } from '../../api/client';
import { FakeGateway, PROXY } from '../../test/gateway';
import { ChatContext } from '../store/context';
import { Conversation } from '../store/conversation';
import { Messages } from './Messages';
import './Message'; // here, where nothing waits for it
import { loadMessage } from './Slot';

beforeAll(loadMessage);

const options = { datasourcePath: '/proxy/globaldatasources/prom' };
let gateway: FakeGateway;
let conversation: Conversation;

const model = (id: string): ModelInfo => ({ id, name: id, isDefault: false, description: '', window: 0 });

async function pass(ms = 300): Promise<void> {
  await act(() => vi.advanceTimersByTimeAsync(ms));
}

beforeEach(async () => {
  vi.useFakeTimers();
  gateway = new FakeGateway().install();
  conversation = new Conversation({ client: createGatewayClient(PROXY) });
  render(
    <ChatContext.Provider
      value={{ conversation, sendOptions: () => options, models: ['demo/one', 'demo/two'].map(model) }}
    >
      <Messages empty={null} status={undefined} />
    </ChatContext.Provider>,
  );
  await act(async () => void conversation.send('why?', options));
  await pass();
  const text =
    'The provider limits requests; trying again in about 25 s. You can stop, or ask another model.';
  const delta = { type: 'notice', text };
  const step = { step_type: 'inference', step_id: 's1' };
  gateway.lastTurn.emit({ event_type: 'step_start', ...step, attempt: 1 });
  gateway.lastTurn.emit({ event_type: 'step_progress', ...step, delta });
  await pass(100);
});

afterEach(() => {
  conversation.dispose();
  vi.useRealTimers();
});

it('counts down, and is gone when it goes on', async () => {
  expect(screen.getByTestId('waiting')).toHaveTextContent(
    'The provider limits requests; trying again in about 25 s.',
  );
  await pass(10_000);
  expect(screen.getByTestId('waiting')).toHaveTextContent('in about 15 s');
  await pass(20_000);
  expect(screen.getByTestId('waiting')).toHaveTextContent('trying again now');
  gateway.lastTurn.text('Because.');
  await pass();
  expect(screen.queryByTestId('waiting')).toBeNull();
});

it('can be stopped', async () => {
  fireEvent.click(screen.getByRole('button', { name: 'Stop waiting' }));
  await pass(1_000);
  expect(screen.queryByTestId('waiting')).toBeNull();
  expect(screen.getByText('Stopped.')).toBeInTheDocument();
});

it('can be asked of another model instead: the question stays one', async () => {
  fireEvent.click(screen.getByRole('button', { name: 'Another model' }));
  fireEvent.click(screen.getByRole('menuitem', { name: 'demo/two' }));
  await pass(2_000);
  expect(gateway.turns.size).toBe(2);
  expect(gateway.requests.filter(({ method }) => method === 'POST').at(-1)?.body).toMatchObject({
    message: 'why?',
    model: 'demo/two',
  });
  expect(conversation.getSnapshot().exchanges).toHaveLength(1);
  expect(conversation.getSnapshot().model).toBe('demo/two');
});
