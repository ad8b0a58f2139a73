import { describe, expect, it } from 'vitest';

import { asked, gateway, options, settle, shown, start } from '../../test/conversations';
import { problem } from '../../test/gateway';

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
