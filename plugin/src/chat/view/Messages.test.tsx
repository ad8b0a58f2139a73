// @vitest-environment jsdom
import { act, fireEvent, render, screen } from '@testing-library/react';
import { ReactElement } from 'react';
import { afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';

import { createGatewayClient } from '../../api/client';
import { FakeGateway, PROXY } from '../../test/gateway';
import { ChatContext } from '../store/context';
import { Conversation } from '../store/conversation';
import { Messages } from './Messages';
import './Message'; // here, where nothing waits for it
import { loadMessage } from './Slot';

beforeAll(loadMessage);

const drawn = new Map<string, number>();

vi.mock('./Markdown', () => ({
  Markdown: ({ text }: { text: string }): ReactElement => {
    drawn.set(text, (drawn.get(text) ?? 0) + 1);
    return <p>{text}</p>;
  },
}));

vi.mock('../tools/ToolCard', () => ({ ToolCard: (): null => null }));

const COUNT = 30;
let gateway: FakeGateway;
let conversation: Conversation;

async function pass(ms = 300): Promise<void> {
  await act(() => vi.advanceTimersByTimeAsync(ms));
}

beforeEach(async () => {
  vi.useFakeTimers();
  gateway = new FakeGateway().install();
  const messages = Array.from({ length: COUNT }, (_, i) => [
    { message_id: `q${i}`, role: 'user', turn_id: `t${i}`, content: `question ${i}` },
    { message_id: `a${i}`, role: 'assistant', turn_id: `t${i}`, content: `answer ${i}` },
  ]).flat();
  gateway.addSession('long', messages);
  conversation = new Conversation({ client: createGatewayClient(PROXY) });
  await conversation.open('long');
  drawn.clear();
});

afterEach(() => {
  conversation.dispose();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function show(): void {
  render(
    <ChatContext.Provider value={{ conversation, sendOptions: () => undefined }}>
      <Messages empty={null} status={undefined} />
    </ChatContext.Provider>,
  );
}

it('draws earlier messages once, however an answer below them streams and ends', async () => {
  show();
  act(() => void conversation.send('and now?', { datasourcePath: '/proxy/globaldatasources/prom' }));
  await pass();
  const turn = gateway.lastTurn;
  for (const word of ['well', ', ', 'fine']) {
    turn.text(word);
    await pass(50);
  }
  expect(screen.getByText('well, fine')).toBeInTheDocument();
  gateway.store(turn, 'well, fine');
  turn.answer('well, fine');
  await pass(2_000);
  expect(conversation.busy).toBe(false);
  const counts = Array.from({ length: COUNT }, (_, i) => drawn.get(`answer ${i}`));
  expect(counts).toEqual(Array.from({ length: COUNT }, () => 1));
});

it('is left at its end by who goes up, not by what grows before a scroll is reported', () => {
  show();
  const box = screen.getByTestId('messages');
  const size = { scrollHeight: 1_000, clientHeight: 400 };
  for (const name of ['scrollHeight', 'clientHeight'] as const)
    Object.defineProperty(box, name, { get: () => size[name] });
  const scrolledTo = (top: number): void => {
    box.scrollTop = top;
    fireEvent.scroll(box);
  };
  const away = (): boolean => screen.queryByRole('button', { name: 'To the latest message' }) !== null;
  scrolledTo(600);
  size.scrollHeight = 1_200;
  fireEvent.scroll(box);
  expect(away()).toBe(false);
  scrolledTo(500);
  expect(away()).toBe(true);
  scrolledTo(550); // down again, not to the end
  expect(away()).toBe(true);
  scrolledTo(800);
  expect(away()).toBe(false);
});

it('is edited on while a Chinese or Japanese word is composed', async () => {
  vi.stubGlobal('IntersectionObserver', undefined);
  show();
  await pass();
  fireEvent.click(screen.getAllByRole('button', { name: 'Edit and ask again' }).at(-1)!);
  const editor = screen.getByRole('textbox', { name: 'Edit the question' });
  for (const key of ['Escape', 'Enter']) fireEvent.keyDown(editor, { key, isComposing: true });
  fireEvent.keyDown(editor, { key: 'Enter', keyCode: 229 });
  expect(screen.getByRole('textbox', { name: 'Edit the question' })).toBe(editor);
  fireEvent.keyDown(editor, { key: 'Escape' });
  expect(screen.queryByRole('textbox', { name: 'Edit the question' })).toBeNull();
});
