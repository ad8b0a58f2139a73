import { describe, expect, it } from 'vitest';

import { createGatewayClient } from '../../api/client';
import { asked, gateway, options, settle, shown, start } from '../../test/conversations';
import { PROXY, problem } from '../../test/gateway';
import { Conversation } from './conversation';

describe('a question of whose answer nothing is stored', () => {
  it.each([
    ['turn_cancelled', 'cancelled', undefined],
    ['error', 'failed', 'context_too_long'],
  ])('is shown as it ended: %s', async (event_type, status, code) => {
    const conversation = start();
    asked(conversation, 'why?');
    await settle();
    const { turn } = [...gateway.sessions.values()].at(-1) ?? {};
    turn?.emit({ event_type, turn_id: turn.id, ...(code === undefined ? {} : { code, message: 'x' }) });
    await settle();
    const { sessionId = '' } = conversation.getSnapshot();
    conversation.dispose();
    const opened = start();
    await opened.open(sessionId);
    const last = opened.getSnapshot().exchanges.at(-1)?.turn;
    expect([last?.status, last?.error?.code]).toEqual([status, code]);
    expect(opened.getSnapshot().line).toBe('idle');
    await opened.open(sessionId); // and stays so
    expect(opened.getSnapshot().exchanges.at(-1)?.turn?.status).toBe(status);
  });

  it('was not answered where its events are gone', async () => {
    gateway.addSession('old', [{ message_id: 'm1', role: 'user', turn_id: 'gone', content: 'q' }]);
    const conversation = start();
    await conversation.open('old');
    expect(conversation.getSnapshot().exchanges.at(-1)?.turn?.error?.code).toBe('unanswered');
    expect(conversation.getSnapshot().notice).toBeUndefined();
  });
});

describe('pin, exclude, remove', () => {
  it('changes what the model sees of a message', async () => {
    gateway.addSession('s', [
      { message_id: 'm1', role: 'user', turn_id: 't1', content: 'q' },
      { message_id: 'm2', role: 'assistant', turn_id: 't1', content: 'a' },
    ]);
    const conversation = start();
    void conversation.open('s');
    await settle();
    void conversation.setFlags(['m1', 'm2'], { excluded: true });
    await settle();
    const [exchange] = conversation.getSnapshot().exchanges;
    expect(exchange?.question.excluded).toBe(true);
    expect(exchange?.answerExcluded).toBe(true);
    if (exchange !== undefined) void conversation.remove(exchange);
    await settle();
    expect(conversation.getSnapshot().exchanges).toEqual([]);
  });

  it('leaves all that did not change the same, so that it is not drawn again', async () => {
    const session = gateway.addSession('long', [
      { message_id: 'm1', role: 'user', turn_id: 't1', content: 'one' },
      { message_id: 'm2', role: 'assistant', turn_id: 't1', content: 'yes' },
      { message_id: 'm3', role: 'user', turn_id: 't2', content: 'two' },
      { message_id: 'm4', role: 'assistant', turn_id: 't2', content: 'no' },
    ]);
    session.panels = { c1: { kind: 'Table' } };
    session.context = { attachments: [{ project: 'p', dashboard: 'd' }] };
    const conversation = start();
    await conversation.open('long');
    const before = conversation.getSnapshot();
    await conversation.setFlags(['m3', 'm4'], { pinned: true });
    const after = conversation.getSnapshot();
    expect(after.exchanges[0]).toBe(before.exchanges[0]);
    expect(after.exchanges[1]?.question.pinned).toBe(true);
    expect(after.panels).toBe(before.panels);
    expect(after.context).toBe(before.context);
  });

  it('stores choices one after the other, the last one last', async () => {
    gateway.addSession('s', []);
    const client = createGatewayClient(PROXY);
    const sent: unknown[] = [];
    const answers: Array<() => void> = [];
    const conversation = new Conversation({
      client: {
        ...client,
        patchSession: async (_id, change) => {
          sent.push(change);
          await new Promise<void>((resolve, reject) =>
            answers.push(() => (answers.length === 1 ? reject(new Error('lost')) : resolve())),
          );
        },
      },
    });
    await conversation.open('s');
    void conversation.setPanel('c1', { kind: 'Table' });
    void conversation.setPanel('c1', { kind: 'StatChart' });
    await settle();
    expect(sent).toEqual([{ panels: { c1: { kind: 'Table' } } }]);
    answers[0]?.();
    await settle();
    expect(sent.slice(1)).toEqual([{ panels: { c1: { kind: 'StatChart' } } }]);
    conversation.dispose();
  });

  it('turns a refusal into a notice', async () => {
    gateway.addSession('s', [{ message_id: 'm1', role: 'user', turn_id: 't1', content: 'q' }]);
    const conversation = start();
    void conversation.open('s');
    await settle();
    gateway.before = ({ method }) =>
      method === 'PATCH' ? problem(503, 'store_unavailable', 'Try later') : undefined;
    void conversation.setFlags(['m1'], { pinned: true });
    await settle();
    expect(conversation.getSnapshot().notice?.message).toBe('Try later');
  });
});

describe('context', () => {
  const attachment = { project: 'p', dashboard: 'd', title: 'D', panels: [], panelCount: 1, variables: {} };

  it('that was chosen before there was a conversation is kept with it', async () => {
    const conversation = start();
    await conversation.setContext({
      datasources: ['/proxy/globaldatasources/other'],
      attachments: [attachment],
    });
    expect(gateway.requests).toEqual([]);
    await asked(conversation);
    const patch = gateway.requests.find(({ method }) => method === 'PATCH');
    expect(patch?.body).toEqual({
      context: { datasources: ['/proxy/globaldatasources/other'], attachments: [attachment] },
    });
    const again = start();
    await Promise.all([again.open(gateway.lastTurn.sessionId), settle()]);
    expect(again.getSnapshot().context).toEqual({
      datasources: ['/proxy/globaldatasources/other'],
      attachments: [attachment],
    });
  });

  it('reads what was kept before several datasources could be picked, and no other paths', async () => {
    const conversation = start();
    const turn = await asked(conversation);
    turn.answer('Yes.');
    await settle();
    const session = gateway.sessions.get(turn.sessionId);
    if (session === undefined) throw new Error('no session');
    session.context = { datasource: 'old', datasources: ['/proxy/unsaved/x', 7] };
    const again = start();
    await Promise.all([again.open(turn.sessionId), settle()]);
    expect(again.getSnapshot().context.datasources).toEqual(['/proxy/globaldatasources/old']);
  });

  it('that was removed is removed where it is stored', async () => {
    const conversation = start();
    const turn = await asked(conversation);
    turn.answer('Yes.');
    await settle();
    await Promise.all([conversation.setContext({ attachments: [attachment] }), settle()]);
    await Promise.all([conversation.setContext({ attachments: [] }), settle()]);
    expect(gateway.sessions.get(turn.sessionId)?.context).toEqual({ attachments: [] });
    expect(conversation.getSnapshot().context.attachments).toEqual([]);
  });
});

describe('what is chosen before there is a conversation', () => {
  const context = {
    datasources: ['/proxy/globaldatasources/prom'],
    attachments: [{ project: 'p', dashboard: 'd', title: 'D', panels: [], panelCount: 0, variables: {} }],
  };

  it('is kept until the conversation has it, and is there again after a new sign-in', async () => {
    const kept: unknown[] = [];
    const before = start({ onChosen: (chosen) => kept.push(chosen) });
    await before.setContext(context);
    expect(kept).toEqual([context]);
    const after = start({
      chosen: JSON.parse(JSON.stringify(context)),
      onChosen: (chosen) => kept.push(chosen),
    });
    expect(after.getSnapshot().context).toEqual(context);
    await asked(after);
    expect(kept).toEqual([context, undefined]);
  });

  it.each([undefined, 's'])('is gone when %j is opened instead', async (sessionId) => {
    const kept: unknown[] = [];
    const conversation = start({ onChosen: (chosen) => kept.push(chosen) });
    await conversation.setContext(context);
    void conversation.open(sessionId);
    expect(kept).toEqual([context, undefined]);
    expect(conversation.getSnapshot().context.attachments).toEqual([]);
  });

  it.each([undefined, null, 7, 'x', [], {}, { attachments: 'x', datasources: ['../x'] }])(
    'is nothing in %j',
    (chosen) => {
      expect(start({ chosen }).getSnapshot().context.attachments).toEqual([]);
    },
  );
});

describe('a conversation that is deleted elsewhere', () => {
  const DELETED = /^This conversation was deleted/;

  it('while it answers', async () => {
    const conversation = start();
    const turn = await asked(conversation);
    turn.text('Well');
    await settle();
    gateway.sessions.clear();
    gateway.turns.clear();
    turn.cut();
    await settle(5_000);
    const { problem: told, exchanges, line } = conversation.getSnapshot();
    expect(told?.message).toMatch(DELETED);
    expect(exchanges[0]?.turn).toMatchObject({
      status: 'failed',
      error: { message: expect.stringMatching(DELETED) },
    });
    expect(shown(conversation)).toBe('Well');
    expect([line, conversation.busy]).toEqual(['idle', false]);
    const requests = gateway.requests.length;
    await settle(60_000);
    expect(gateway.requests).toHaveLength(requests);
  });

  it('when the next question is asked; that one is kept', async () => {
    const pending: Array<string | undefined> = [];
    const conversation = start({ onPending: (text) => pending.push(text) });
    const turn = await asked(conversation);
    turn.answer('Yes.');
    await settle();
    expect(pending).toEqual(['Which targets are up?', undefined]);
    gateway.sessions.clear();
    await conversation.send('And now?', options);
    await settle();
    expect(conversation.getSnapshot().problem?.message).toMatch(DELETED);
    expect(conversation.getSnapshot().exchanges.at(-1)?.unsent).toBeDefined();
    expect(pending).toEqual(['Which targets are up?', undefined, 'And now?']);
    await conversation.open(undefined);
    expect(conversation.getSnapshot().problem).toBeUndefined();
    expect(pending).toHaveLength(3);
  });

  it('a turn that is gone alone is told as such', async () => {
    const conversation = start();
    const turn = await asked(conversation);
    gateway.turns.clear();
    turn.cut();
    await settle(1_000);
    expect(conversation.getSnapshot().problem).toBeUndefined();
    expect(conversation.getSnapshot().exchanges[0]?.turn?.error?.code).toBe('turn_not_found');
  });
});
