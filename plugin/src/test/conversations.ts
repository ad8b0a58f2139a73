// What the tests of a conversation share: a gateway that is scripted, and virtual time.
import { afterEach, beforeEach, vi } from 'vitest';

import { createGatewayClient } from '../api/client';
import { Conversation, ConversationOptions } from '../chat/store/conversation';
import { blocksOf } from '../chat/store/reduce';
import { FakeGateway, FakeTurn, PROXY } from './gateway';

export const options = { datasourcePath: '/proxy/globaldatasources/prom' };
export let gateway: FakeGateway;
let made: Conversation[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  gateway = new FakeGateway().install();
});

afterEach(() => {
  for (const conversation of made) conversation.dispose();
  made = [];
  vi.useRealTimers();
});

export function start(extra: Partial<ConversationOptions> = {}): Conversation {
  const conversation = new Conversation({ client: createGatewayClient(PROXY), ...extra });
  made.push(conversation);
  return conversation;
}

export async function settle(ms = 300): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

export function shown(conversation: Conversation): string {
  const { turn } = conversation.getSnapshot().exchanges.at(-1) ?? {};
  return turn === undefined
    ? ''
    : blocksOf(turn)
        .map((block) => {
          if (block.kind === 'call') return block.call.name;
          return 'text' in block ? block.text : '';
        })
        .join('|');
}

export async function asked(
  conversation: Conversation,
  question = 'Which targets are up?',
): Promise<FakeTurn> {
  const sent = conversation.send(question, options);
  await settle();
  await sent;
  return gateway.lastTurn;
}
