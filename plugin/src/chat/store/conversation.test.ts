import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { createGatewayClient } from '../../api/client';
import { FakeGateway, FakeTurn, PROXY, problem } from '../../test/gateway';
import { Conversation, ConversationOptions } from './conversation';
import { blocksOf } from './reduce';

const options = { datasourcePath: '/proxy/globaldatasources/prom' };
let gateway: FakeGateway;
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

function start(extra: Partial<ConversationOptions> = {}): Conversation {
  const conversation = new Conversation({ client: createGatewayClient(PROXY), ...extra });
  made.push(conversation);
  return conversation;
}

async function settle(ms = 300): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

function shown(conversation: Conversation): string {
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

async function asked(conversation: Conversation, question = 'Which targets are up?'): Promise<FakeTurn> {
  const sent = conversation.send(question, options);
  await settle();
  await sent;
  return gateway.lastTurn;
}

describe('asking', () => {
  it('shows the question at once, then the answer as it comes', async () => {
    const sessions: Array<string | undefined> = [];
    const conversation = start({ onSession: (id) => sessions.push(id) });
    void conversation.send('  Which targets are up? ', options);
    expect(conversation.getSnapshot().exchanges[0]?.question.text).toBe('Which targets are up?');
    expect(conversation.getSnapshot().line).toBe('sending');
    await settle();
    const turn = gateway.lastTurn;
    expect(sessions).toEqual([turn.sessionId]);
    expect(conversation.getSnapshot().line).toBe('live');
    turn.text('All ');
    turn.text('three.');
    await settle();
    expect(shown(conversation)).toBe('All three.');
    gateway.store(turn, 'All three.');
    turn.answer('All three.');
    await settle();
    expect(conversation.busy).toBe(false);
    expect(conversation.getSnapshot().line).toBe('idle');
    expect(conversation.getSnapshot().exchanges).toHaveLength(1);
    // The quiet read afterwards brought the ids of the stored messages.
    expect(conversation.getSnapshot().exchanges[0]?.question.messageId).not.toBe('');
    expect(conversation.getSnapshot().exchanges[0]?.answerIds).toHaveLength(1);
  });

  it('tells its listeners once a frame, however many tokens a frame has', async () => {
    const conversation = start();
    const turn = await asked(conversation);
    let told = 0;
    conversation.subscribe(() => {
      told += 1;
    });
    for (let i = 0; i < 100; i++) turn.text('x');
    await settle();
    expect(told).toBe(1);
    expect(shown(conversation)).toHaveLength(100);
  });

  it.each(['lost', 'drop'] as const)('asks once although answers get %s', async (how) => {
    const conversation = start();
    let faults = 4;
    gateway.before = ({ method }) => (method === 'POST' && faults-- > 0 ? how : undefined);
    void conversation.send('hello', options);
    await settle(10_000);
    expect(gateway.sessions.size).toBe(1);
    expect(gateway.turns.size).toBe(1);
    expect(gateway.count_of('POST', /./)).toBe(6);
    expect(conversation.getSnapshot().line).toBe('live');
  });

  it('waits as long as the gateway says when all workers are busy', async () => {
    const conversation = start();
    let full = true;
    gateway.before = ({ path }) =>
      full && path.endsWith('/turn') ? problem(503, 'queue_full', 'Busy', { 'Retry-After': '5' }) : undefined;
    void conversation.send('hello', options);
    await settle(4_900);
    expect(gateway.count_of('POST', /turn$/)).toBe(1);
    full = false;
    await settle(200);
    expect(gateway.count_of('POST', /turn$/)).toBe(2);
    expect(gateway.turns.size).toBe(1);
  });

  it('shows a question that was refused, and sends the same one again on demand', async () => {
    const conversation = start();
    gateway.before = ({ path }) => (path.endsWith('/turn') ? problem(422, 'invalid', 'Too long') : undefined);
    await asked(conversation).catch(() => undefined);
    const failed = conversation.getSnapshot().exchanges[0];
    expect(failed?.unsent).toEqual({ code: 'invalid', message: 'Too long' });
    expect(conversation.busy).toBe(false);
    gateway.before = () => undefined;
    void conversation.resend(failed?.key ?? '');
    await settle();
    expect(gateway.turns.size).toBe(1);
    expect(gateway.sessions.size).toBe(1);
    expect(conversation.getSnapshot().exchanges).toHaveLength(1);
    expect(conversation.getSnapshot().exchanges[0]?.unsent).toBeUndefined();
  });

  it('is asked for with another model when that was chosen before it is sent again', async () => {
    const conversation = start();
    gateway.before = ({ path }) => (path === '/session' ? 'lost' : undefined); // made, and not heard of
    void conversation.send('hello', options);
    await settle(90_000);
    const failed = conversation.getSnapshot().exchanges[0];
    expect(failed?.unsent).toBeDefined();
    await conversation.setModel('demo/two');
    gateway.before = () => undefined;
    void conversation.resend(failed?.key ?? '');
    await settle();
    expect(conversation.getSnapshot().exchanges[0]?.unsent).toBeUndefined();
    expect(gateway.turns.size).toBe(1);
  });

  it('gives up after a minute without a gateway, and says why', async () => {
    const conversation = start();
    gateway.before = () => new Response('{"error":"dial tcp: refused"}', { status: 500 });
    void conversation.send('hello', options);
    await settle(90_000);
    expect(conversation.getSnapshot().exchanges[0]?.unsent?.code).toBe('unreachable');
    expect(conversation.busy).toBe(false);
  });

  it('does not ask twice while an answer runs', async () => {
    const conversation = start();
    await asked(conversation);
    await conversation.send('another', options);
    expect(gateway.turns.size).toBe(1);
  });
});

describe('a line that drops', () => {
  it.each(['cut', 'break'] as const)('goes on after its last id when the line is %s', async (how) => {
    const conversation = start();
    const turn = await asked(conversation);
    turn.text('one ');
    turn.text('two ');
    await settle();
    turn[how]();
    await settle(10);
    expect(conversation.getSnapshot().line).toBe('reconnecting');
    turn.text('three');
    await settle(1_000);
    expect(turn.opened).toEqual([null, '1-2']);
    expect(shown(conversation)).toBe('one two three');
    expect(conversation.getSnapshot().line).toBe('live');
  });

  it('drops what it has seen when a server repeats it', async () => {
    const conversation = start();
    const turn = await asked(conversation);
    turn.text('one ');
    const [first] = turn.events;
    turn.send(first?.text ?? '');
    turn.text('two');
    await settle();
    expect(shown(conversation)).toBe('one two');
  });

  it('backs off while the gateway is away, and is quick again afterwards', async () => {
    const conversation = start();
    const turn = await asked(conversation);
    let away = true;
    gateway.before = ({ path }) => (away && path.endsWith('/events') ? 'drop' : undefined);
    turn.cut();
    await settle(60_000);
    const tries = gateway.count_of('GET', /events$/);
    expect(tries).toBeGreaterThan(6);
    expect(tries).toBeLessThan(25);
    away = false;
    await settle(10_000);
    expect(turn.lines).toBe(1);
    turn.text('x');
    turn.cut();
    await settle(300);
    expect(turn.lines).toBe(1);
  });

  it('comes back at once when the network does', async () => {
    const conversation = start();
    const turn = await asked(conversation);
    gateway.before = ({ path }) => (path.endsWith('/events') ? 'drop' : undefined);
    turn.cut();
    await settle(30_000);
    gateway.before = () => undefined;
    globalThis.dispatchEvent?.(new Event('online'));
    if (typeof globalThis.dispatchEvent !== 'function') await settle(10_000);
    await settle(10);
    expect(turn.lines).toBe(1);
  });

  it('leaves a line on which not even a ping comes', async () => {
    const conversation = start();
    const turn = await asked(conversation);
    turn.text('a');
    for (let i = 0; i < 5; i++) {
      await settle(15_000);
      turn.send(': ping\n\n');
    }
    expect(turn.opened).toHaveLength(1);
    await settle(46_000);
    expect(turn.opened).toEqual([null, '1-1']);
  });

  it('replaces, not repeats, the text of a step that another worker ran again', async () => {
    const conversation = start();
    const turn = await asked(conversation);
    const step = { event_type: 'step_start', step_type: 'inference', step_id: 's1' };
    turn.emit({ ...step, attempt: 1 });
    turn.text('The first hal');
    await settle();
    turn.cut();
    turn.emit({ ...step, attempt: 2 }, 2);
    turn.text('The whole answer', 's1', 2);
    await settle(1_000);
    expect(shown(conversation)).toBe('The whole answer');
  });

  it('reads anew what the store lost', async () => {
    const conversation = start();
    const turn = await asked(conversation);
    turn.text('seen but lost');
    await settle();
    turn.events.length = 0;
    turn.send('data: {"event":{"payload":{"event_type":"error","code":"history_lost","message":"x"}}}\n\n');
    turn.cut();
    turn.add(
      '1-9',
      'id: 1-9\ndata: {"event":{"payload":{"event_type":"step_progress","step_type":"inference","step_id":"s","delta":{"type":"text","text":"anew"}}}}\n\n',
    );
    await settle(1_000);
    expect(turn.opened).toEqual([null, null]);
    expect(shown(conversation)).toBe('anew');
  });

  it('shows what is stored of a turn whose events have expired', async () => {
    const session = gateway.addSession('s', []);
    const turn = gateway.startTurn('s', 'q');
    gateway.store(turn, 'The stored answer');
    gateway.before = ({ path }) =>
      path.endsWith('/events') ? problem(410, 'events_expired', 'Gone') : undefined;
    const conversation = start();
    const opened = conversation.open('s');
    await settle();
    await opened;
    if (session.turn !== undefined) session.turn.state = 'over';
    await settle(5_000);
    expect(gateway.count_of('GET', /events$/)).toBe(1);
    expect(shown(conversation)).toBe('The stored answer');
  });
});

describe('opening', () => {
  it('goes on with a turn that is running, from its beginning', async () => {
    gateway.addSession('s', [], 'Up?');
    const turn = gateway.startTurn('s', 'Which are up?');
    turn.text('All of ');
    const conversation = start();
    void conversation.open('s');
    await settle();
    expect(shown(conversation)).toBe('All of ');
    expect(conversation.getSnapshot().title).toBe('Up?');
    turn.text('them.');
    turn.answer('All of them.');
    await settle();
    expect(shown(conversation)).toBe('All of them.');
    expect(conversation.getSnapshot().exchanges).toHaveLength(1);
  });

  it('is followed by two tabs alike', async () => {
    const first = start();
    const turn = await asked(first);
    const second = start();
    void second.open(turn.sessionId);
    await settle();
    turn.text('for both');
    turn.answer('for both');
    await settle();
    expect(shown(first)).toBe('for both');
    expect(shown(second)).toBe('for both');
  });

  it('says when the conversation is not there', async () => {
    const conversation = start();
    void conversation.open('of-another-user');
    await settle();
    expect(conversation.getSnapshot().problem?.code).toBe('session_not_found');
    expect(conversation.getSnapshot().loading).toBe(false);
  });

  it('leaves the stream of the conversation before', async () => {
    const conversation = start();
    const turn = await asked(conversation);
    void conversation.open(undefined);
    await settle();
    turn.text('late');
    await settle();
    expect(turn.lines).toBe(0);
    expect(conversation.getSnapshot().exchanges).toEqual([]);
    expect(conversation.busy).toBe(false);
  });
});

describe('stopping', () => {
  it('cancels on the server and shows what was said so far', async () => {
    const conversation = start();
    const turn = await asked(conversation);
    turn.text('So far');
    await settle();
    void conversation.stop();
    expect(conversation.getSnapshot().stopping).toBe(true);
    await settle();
    expect(gateway.count_of('POST', /cancel$/)).toBe(1);
    expect(conversation.getSnapshot().exchanges[0]?.turn?.status).toBe('cancelled');
    expect(shown(conversation)).toBe('So far');
    expect(conversation.getSnapshot().stopping).toBe(false);
  });

  it('does not send a question that still waits to be sent again', async () => {
    const conversation = start();
    gateway.before = () => 'drop';
    void conversation.send('hello', options);
    await settle(2_000);
    void conversation.stop();
    gateway.before = () => undefined;
    await settle(20_000);
    expect(gateway.turns.size).toBe(0);
    expect(conversation.getSnapshot().exchanges[0]?.unsent?.code).toBe('stopped');
    expect(conversation.busy).toBe(false);
  });

  it('is a no-op for a turn that ended meanwhile', async () => {
    const conversation = start();
    const turn = await asked(conversation);
    gateway.before = ({ path }) => (path.endsWith('/cancel') ? problem(409, 'turn_over', 'Over') : undefined);
    void conversation.stop();
    turn.answer('Done');
    await settle();
    expect(conversation.getSnapshot().exchanges[0]?.turn?.status).toBe('done');
    expect(conversation.getSnapshot().notice).toBeUndefined();
  });
});

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
