import { describe, expect, it } from 'vitest';

import { asked, gateway, options, settle, shown, start } from '../../test/conversations';
import { problem } from '../../test/gateway';

describe('asking again', () => {
  it('asks something else in its place, and keeps both', async () => {
    const conversation = start();
    for (const text of ['first', 'behind it']) {
      const turn = await asked(conversation, text);
      gateway.store(turn, 'one');
      turn.answer('one');
      await settle();
    }
    const texts = (): string[] => conversation.getSnapshot().exchanges.map(({ question }) => question.text);
    const [exchange] = conversation.getSnapshot().exchanges;
    if (exchange === undefined) throw new Error('no exchange');
    void conversation.askInstead(exchange, 'instead', options);
    await settle();
    gateway.store(gateway.lastTurn, 'two');
    gateway.lastTurn.answer('two');
    await settle();
    expect(gateway.sessions.size).toBe(1);
    expect(texts()).toEqual(['instead']);
    const [now] = conversation.getSnapshot().exchanges;
    expect(now?.versions).toEqual([exchange.question.messageId, now?.question.messageId]);
    await conversation.showVersion(exchange.question.messageId);
    expect(texts()).toEqual(['first', 'behind it']);
    await conversation.showVersion(now?.question.messageId ?? '');
    expect(texts()).toEqual(['instead']);
  });

  it('shows what was to be replaced again when the question that could not be sent is dropped', async () => {
    const conversation = start();
    const turn = await asked(conversation, 'first');
    gateway.store(turn, 'one');
    turn.answer('one');
    await settle();
    const [exchange] = conversation.getSnapshot().exchanges;
    if (exchange === undefined) throw new Error('no exchange');
    gateway.before = ({ path }) =>
      path.endsWith('/turn') ? problem(422, 'session_full', 'Full') : undefined;
    await conversation.askInstead(exchange, 'instead', options);
    const [unsent] = conversation.getSnapshot().exchanges;
    expect(unsent?.unsent?.code).toBe('session_full');
    conversation.discardUnsent(unsent?.key ?? '');
    await settle();
    expect(conversation.getSnapshot().exchanges.map(({ question }) => question.text)).toEqual(['first']);
  });

  it('names a branch by its first new question, and by no later one', async () => {
    const conversation = start();
    const turn = await asked(conversation, 'trunk');
    gateway.store(turn, 'one');
    turn.answer('one');
    await settle();
    const [exchange] = conversation.getSnapshot().exchanges;
    if (exchange === undefined) throw new Error('no exchange');
    void conversation.fork(exchange);
    await settle();
    for (const text of [`a ${'long '.repeat(40)}one`, 'another']) {
      void conversation.send(text, options);
      await settle();
      gateway.store(gateway.lastTurn, 'ok');
      gateway.lastTurn.answer('ok');
      await settle();
    }
    const { title } = conversation.getSnapshot();
    expect(title).toMatch(/^a long long/);
    expect(title.length).toBeLessThanOrEqual(80);
    expect(gateway.requests.filter(({ method }) => method === 'PATCH')).toHaveLength(1);
  });

  it('puts the retry of a failed answer in its place', async () => {
    const conversation = start();
    const turn = await asked(conversation, 'hard one');
    turn.emit({ event_type: 'error', code: 'model_timeout', message: 'The model took too long' });
    await settle();
    const [exchange] = conversation.getSnapshot().exchanges;
    expect(exchange?.turn?.error?.code).toBe('model_timeout');
    if (exchange === undefined) throw new Error('no exchange');
    void conversation.retry(exchange, options);
    await settle();
    const again = gateway.lastTurn;
    expect(again.sessionId).toBe(turn.sessionId);
    gateway.store(again, 'ok');
    again.answer('ok');
    await settle();
    expect(conversation.getSnapshot().exchanges).toHaveLength(1);
    expect(shown(conversation)).toBe('ok');
  });
});

describe('an approval', () => {
  const expires_at = '2026-01-01T00:00:00Z';
  const call = { tool_name: 'save_panel', arguments: { project: 'p' }, expires_at };
  const tool_calls = [{ ...call, call_id: 'c1', arguments_hash: 'h1' }];

  it('is decided once and the turn goes on', async () => {
    const conversation = start();
    const turn = await asked(conversation);
    turn.emit({ event_type: 'turn_awaiting_input', turn: { turn_id: turn.id, tool_calls } });
    await settle();
    expect(conversation.getSnapshot().exchanges[0]?.turn?.status).toBe('awaiting');
    expect(conversation.getSnapshot().line).toBe('idle');
    void conversation.decide('c1', true);
    await settle();
    expect(gateway.requests.find(({ path }) => path.endsWith('/resume'))?.body).toEqual({
      decisions: [{ call_id: 'c1', approve: true, arguments_hash: 'h1' }],
    });
    turn.answer('Saved.', 's2', 2);
    await settle(1_000);
    expect(shown(conversation)).toBe('Saved.');
    expect(conversation.getSnapshot().exchanges[0]?.turn?.status).toBe('done');
  });

  it('of several calls is sent when the last one is decided', async () => {
    const conversation = start();
    const turn = await asked(conversation);
    const both = [...tool_calls, { ...call, call_id: 'c2', arguments_hash: 'h2' }];
    turn.emit({ event_type: 'turn_awaiting_input', turn: { turn_id: turn.id, tool_calls: both } });
    await settle();
    void conversation.decide('c2', true);
    void conversation.decide('c2', false);
    await settle();
    expect(gateway.count_of('POST', /resume$/)).toBe(0);
    expect(conversation.getSnapshot().choices).toEqual({ c2: false });
    void conversation.decide('c1', true);
    await settle();
    expect(gateway.requests.find(({ path }) => path.endsWith('/resume'))?.body).toEqual({
      decisions: [
        { call_id: 'c1', approve: true, arguments_hash: 'h1' },
        { call_id: 'c2', approve: false, arguments_hash: 'h2' },
      ],
    });
    expect(conversation.getSnapshot().choices).toEqual({});
  });

  it('that comes too late is said', async () => {
    const conversation = start();
    const turn = await asked(conversation);
    turn.emit({ event_type: 'turn_awaiting_input', turn: { turn_id: turn.id, tool_calls } });
    await settle();
    gateway.before = ({ path }) =>
      path.endsWith('/resume')
        ? problem(409, 'decision_expired', 'Nobody decided in time; ask again')
        : undefined;
    void conversation.decide('c1', true);
    await settle();
    expect(conversation.getSnapshot().notice?.message).toBe('Nobody decided in time; ask again');
    expect(conversation.getSnapshot().choices).toEqual({});
  });

  it('is waited for quietly by a tab that joined while the turn ran', async () => {
    const first = start();
    const turn = await asked(first);
    const second = start();
    void second.open(turn.sessionId);
    await settle();
    turn.emit({ event_type: 'turn_awaiting_input', turn: { turn_id: turn.id, tool_calls } });
    await settle(10_000);
    expect(second.getSnapshot().line).toBe('idle');
    expect(second.getSnapshot().exchanges[0]?.turn?.status).toBe('awaiting');
    // Each asked once for what comes behind the wait; that line stays open.
    expect(gateway.count_of('GET', /events$/)).toBe(4);
    expect(turn.lines).toBe(2);
  });

  it('that is decided in another browser is seen to be decided, and waits again', async () => {
    const conversation = start();
    const turn = await asked(conversation);
    turn.emit({ event_type: 'turn_awaiting_input', turn: { turn_id: turn.id, tool_calls } });
    await settle(1_000);
    turn.over = false;
    turn.state = 'running';
    turn.text('Saving. ', 's2', 2);
    await settle();
    expect(conversation.busy).toBe(true);
    expect(conversation.getSnapshot().line).toBe('live');
    expect(shown(conversation)).toBe('Saving. ');
    const again = [{ ...call, call_id: 'c2', arguments_hash: 'h2' }];
    turn.emit({ event_type: 'turn_awaiting_input', turn: { turn_id: turn.id, tool_calls: again } }, 2);
    await settle(1_000);
    expect(conversation.busy).toBe(false);
    expect(shown(conversation)).toBe('Saving. |save_panel');
    turn.over = false;
    turn.state = 'running';
    turn.answer('Saved.', 's3', 3);
    await settle(1_000);
    expect(shown(conversation)).toBe('Saving. |Saved.');
    expect(conversation.getSnapshot().exchanges[0]?.turn?.status).toBe('done');
  });

  it('is waited for quietly while the line is down', async () => {
    const conversation = start();
    const turn = await asked(conversation);
    turn.emit({ event_type: 'turn_awaiting_input', turn: { turn_id: turn.id, tool_calls } });
    await settle(1_000);
    gateway.before = ({ path }) => (path.endsWith('/events') ? 'drop' : undefined);
    turn.break();
    await settle(5_000);
    expect(conversation.getSnapshot().line).toBe('idle');
    gateway.before = () => undefined;
    await settle(10_000);
    expect(turn.lines).toBe(1);
  });

  it('is still there after a reload, and a decision of another tab is taken over', async () => {
    const first = start();
    const turn = await asked(first);
    turn.emit({ event_type: 'turn_awaiting_input', turn: { turn_id: turn.id, tool_calls } });
    await settle();
    const second = start();
    void second.open(turn.sessionId);
    await settle();
    expect(second.getSnapshot().exchanges[0]?.turn?.status).toBe('awaiting');
    expect(shown(second)).toBe('save_panel');
    void first.decide('c1', true);
    void second.decide('c1', false);
    await settle();
    turn.answer('Saved.', 's2', 2);
    await settle(2_000);
    expect(shown(first)).toBe('Saved.');
    expect(shown(second)).toBe('Saved.');
    expect(second.getSnapshot().notice).toBeUndefined();
  });
});

describe('being signed out', () => {
  it('keeps the conversation and goes on after signing in', async () => {
    const conversation = start();
    const turn = await asked(conversation);
    turn.text('half ');
    await settle();
    gateway.before = () => problem(401, 'unauthenticated', 'Sign in to Perses first');
    turn.cut();
    await settle(1_000);
    expect(conversation.getSnapshot().line).toBe('signed_out');
    expect(shown(conversation)).toBe('half ');
    gateway.before = () => undefined;
    void conversation.signedIn();
    turn.text('whole');
    await settle(1_000);
    expect(shown(conversation)).toBe('half whole');
  });
});
