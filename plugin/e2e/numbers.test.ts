// What the plugin weighs and how it moves: numbers that are printed, a JSON object a line. Only the size is a limit.
//   tests/run browser numbers
import { gzipSync } from 'node:zlib';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { Piece } from './lib/model';
import { until } from './lib/processes';
import { World, ask, idle, last } from './lib/world';

const KIB_MAX = 250;
const SECONDS = 30;
const TOKENS_PER_SECOND = 100;
const FIFTY = 'topk(50, prometheus_http_response_size_bytes_bucket)';

let world: World | undefined;

function tell(numbers: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(numbers)}\n`);
}

/** A table of 30 rows, then paragraphs, at the given pace. */
function* streamed(): Iterable<Piece> {
  yield '| n | text |\n|--:|---|\n';
  for (let i = 0; i < SECONDS * TOKENS_PER_SECOND; i++) {
    if (i < 300) yield ['| ', `${i} `, '| ', 'a ', 'row ', 'of ', 'the ', 'table ', '|', '\n'][i % 10] ?? '';
    else if (i === 300) yield '\n\nAnd now **text**: ';
    else yield `word${i}${i % 40 === 39 ? '.\n\n' : ' '}`;
    yield 1000 / TOKENS_PER_SECOND;
  }
  yield 'The end.';
}

interface Api {
  (method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
}

/** A conversation of so many questions and answers, asked for real, one after the other. */
async function talk(api: Api, turns: number): Promise<string> {
  const made = (await (await api('POST', '/session', { title: 'Long' })).json()) as { session_id: string };
  const session = made.session_id;
  const path = '?datasource_path=/proxy/globaldatasources/prometheus';
  for (let i = 0; i < turns; i++) {
    const started = await api(
      'POST',
      `/session/${session}/turn${path}`,
      { message: `earlier ${i}` },
      {
        Prefer: 'respond-async',
      },
    );
    const { turn_id: turn } = (await started.json()) as { turn_id: string };
    await (await api('GET', `/session/${session}/turn/${turn}/events`)).text();
  }
  return session;
}

async function apiOf(stackUrl: string, login: string, password: string): Promise<Api> {
  const answer = await fetch(`${stackUrl}/api/auth/providers/native/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ login, password }),
  });
  const { access_token: token } = (await answer.json()) as { access_token: string };
  return (method, path, body, headers = {}) =>
    fetch(`${stackUrl}/proxy/globaldatasources/persai${path}`, {
      method,
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}`, ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
}

beforeAll(async () => {
  world = await World.start();
});

afterAll(async () => {
  await world?.stop();
});

it('is small: what a browser loads of it, beside the modules that Perses shares', async () => {
  if (world === undefined) throw new Error('no stack');
  const { page } = await world.come();
  const own = new Map<string, number>();
  page.on('response', (response) => {
    const { pathname } = new URL(response.url());
    if (!pathname.startsWith('/plugins/PersAI/') || !pathname.endsWith('.js')) return;
    void response.body().then((body) => own.set(pathname, gzipSync(body, { level: 9 }).length));
  });
  await page.reload();
  await page.getByText('What would you like to know?').waitFor();
  await page.waitForLoadState('networkidle');
  const kib = [...own.values()].reduce((sum, one) => sum + one, 0) / 1024;
  tell({ number: 'plugin_js_gzip_kib', value: Number(kib.toFixed(1)), limit: KIB_MAX, files: own.size });
  expect(own.size).toBeGreaterThan(0);
  expect(kib).toBeLessThanOrEqual(KIB_MAX);
});

it('opens a long conversation, and streams below 200 messages', { timeout: 600_000 }, async () => {
  if (world === undefined) throw new Error('no stack');
  const { stack } = world;
  stack.model.when('earlier', () => [
    'Something **was** up.\n\n| job | up |\n|---|--:|\n| a | 1 |\n\nIt took `5 ms` and was fine.',
  ]);
  stack.model.when(
    'stream',
    () =>
      Array.from({ length: 3 }, () => ({
        tool: 'execute_range_query',
        args: { query: FIFTY, start: 'now-1m', step: '2s' },
      })),
    streamed,
  );
  const api = await apiOf(stack.url, 'demo', stack.password('demo'));
  const older = await talk(api, 250);
  const fork = (await (await api('POST', `/session/${older}/fork`, { message_id: '201' })).json()) as {
    session_id: string;
  };
  const { page } = await world.come();
  await page.getByRole('button', { name: /^Long/ }).first().waitFor({ timeout: 60_000 });

  const opened = await page.evaluate(async () => {
    const entries = [...document.querySelectorAll<HTMLElement>('nav [role=button]')];
    const since = performance.now();
    entries.at(-1)?.click(); // the older one: all 500 messages
    while (document.querySelectorAll('[data-testid=exchange]').length < 20)
      await new Promise(requestAnimationFrame);
    return performance.now() - since;
  });
  tell({ number: 'open_500_messages_ms', value: Math.round(opened), wanted: 1000 });

  await page.goto(
    `${stack.url}/explore?explorer=PersAI-PersAIExplorer&data=${encodeURIComponent(JSON.stringify({ session: fork.session_id }))}`,
  );
  await page.getByTestId('exchange').first().waitFor();
  // All 200 earlier messages are on the page.
  await until('all messages are shown', async () => {
    const more = page.getByRole('button', { name: /^Show \d+ earlier/ });
    if ((await more.count()) === 0) return true;
    await more.click({ timeout: 1_000 }).catch(() => undefined);
    return false;
  });
  await ask(page, 'stream');
  // A panel is made when it comes near the view: each is looked at once, then back to where the text grows.
  for (const n of [0, 1, 2]) {
    const panel = last(page).getByTestId('query-panel').nth(n);
    await panel.scrollIntoViewIfNeeded();
    await panel.locator('canvas').first().waitFor();
  }
  const latest = page.getByRole('button', { name: 'To the latest message' });
  if ((await latest.count()) > 0) await latest.click();
  await last(page).getByText('And now').waitFor({ timeout: 60_000 });
  await page.evaluate(() => {
    const frames: number[] = [];
    Object.assign(globalThis, { frames });
    let before = performance.now();
    const tick = (now: number): void => {
      frames.push(now - before);
      before = now;
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  await last(page).getByText('The end.').waitFor({ timeout: 120_000 });
  const frames = await page.evaluate(() => (globalThis as unknown as { frames: number[] }).frames.slice(1));
  await idle(page);
  let at = 0;
  const long = frames.flatMap(
    (ms) => ((at += ms), ms > 100 ? [`${Math.round(ms)} ms at ${(at / 1000).toFixed(1)} s`] : []),
  );
  frames.sort((a, b) => a - b);
  tell({
    number: 'frames_while_streaming',
    tokens_per_second: TOKENS_PER_SECOND,
    exchanges: await page.getByTestId('exchange').count(),
    canvases: await last(page).locator('canvas').count(),
    frames: frames.length,
    p50_ms: Math.round(frames[Math.floor(frames.length / 2)] ?? 0),
    p99_ms: Math.round(frames[Math.floor(frames.length * 0.99)] ?? 0),
    longest_ms: Math.round(frames.at(-1) ?? 0),
    over_100_ms: long.length,
    long,
    wanted: '0 over 100 ms',
  });
});
