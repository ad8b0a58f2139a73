// What the plugin weighs and how it moves: numbers that are printed, a JSON object a line. Only the size is a limit.
//   tests/run browser numbers
import { gzipSync } from 'node:zlib';

import { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { apiOf, talk } from './lib/api';
import { Piece } from './lib/model';
import { PERSAI, World, ask, idle, last } from './lib/world';

const KIB_MAX = 250;
const SECONDS = 30;
const TOKENS_PER_SECOND = 250;
const FIFTY = 'topk(50, prometheus_http_response_size_bytes_bucket)';

let world: World | undefined;

function tell(numbers: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(numbers)}\n`);
}

/** A table of 30 rows, then paragraphs, at the given pace: a timer that was late is made up for. */
function* streamed(): Iterable<Piece> {
  yield '| n | text |\n|--:|---|\n';
  const since = Date.now();
  for (let i = 0; i < SECONDS * TOKENS_PER_SECOND; i++) {
    if (i < 300) yield ['| ', `${i} `, '| ', 'a ', 'row ', 'of ', 'the ', 'table ', '|', '\n'][i % 10] ?? '';
    else if (i === 300) yield '\n\nAnd now **text**: ';
    else yield `word${i}${i % 40 === 39 ? '.\n\n' : ' '}`;
    const ahead = since + (i * 1000) / TOKENS_PER_SECOND - Date.now();
    if (ahead >= 1) yield ahead;
  }
  yield 'The end.';
}

/** What the page's main thread computes, whatever else the machine does: ms of CPU since the call before. */
async function cpuOf(page: Page): Promise<() => Promise<number>> {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  let before = 0;
  const since = async (): Promise<number> => {
    const { metrics } = await session.send('Performance.getMetrics');
    const now = metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0;
    const ms = Math.round((now - before) * 1000);
    before = now;
    return ms;
  };
  await since();
  return since;
}

async function watchFrames(page: Page): Promise<void> {
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
}

async function framesOf(page: Page): Promise<Readonly<Record<string, unknown>>> {
  const frames = await page.evaluate(() => (globalThis as unknown as { frames: number[] }).frames.slice(1));
  let at = 0;
  const long = frames.flatMap(
    (ms) => ((at += ms), ms > 100 ? [`${Math.round(ms)} ms at ${(at / 1000).toFixed(1)} s`] : []),
  );
  frames.sort((a, b) => a - b);
  return {
    frames: frames.length,
    p50_ms: Math.round(frames[Math.floor(frames.length / 2)] ?? 0),
    p99_ms: Math.round(frames[Math.floor(frames.length * 0.99)] ?? 0),
    longest_ms: Math.round(frames.at(-1) ?? 0),
    over_100_ms: long.length,
    long,
  };
}

beforeAll(async () => {
  world = await World.start();
});

afterAll(async () => {
  await world?.stop();
});

interface Start {
  /** From the navigation to the load event, and to the field in which one asks. */
  readonly load_ms: number;
  readonly ready_ms: number;
  /** From the first key to its letter on the page. */
  readonly key_ms: number;
}

/** What the page says of itself when there is something to see: when that was, and which files it had by then. */
interface Seen {
  ready?: number;
  key?: number;
  files?: readonly string[];
}

async function watchStart(page: Page): Promise<void> {
  await page.context().addInitScript(() => {
    const seen: Seen = {};
    Object.assign(globalThis, { seen });
    const observer = new MutationObserver(() => {
      if (document.querySelector('#persai-question textarea') === null) return;
      observer.disconnect();
      requestAnimationFrame(() => {
        seen.ready = performance.now();
        seen.files = performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname);
      });
    });
    observer.observe(document, { childList: true, subtree: true });
  });
}

async function startOf(page: Page): Promise<Start> {
  await page.getByText('What would you like to know?').waitFor();
  await page.waitForFunction(() => (globalThis as unknown as { seen: Seen }).seen.files !== undefined);
  await page.evaluate(() => {
    const { seen } = globalThis as unknown as { seen: Seen };
    const onKey = (): void => {
      const since = performance.now();
      const painted = (): void => void (seen.key = performance.now() - since);
      requestAnimationFrame(() => setTimeout(painted));
    };
    addEventListener('keydown', onKey, { capture: true, once: true });
  });
  await page.keyboard.press('a');
  await page.waitForFunction(() => (globalThis as unknown as { seen: Seen }).seen.key !== undefined);
  const [load_ms = 0, ready_ms = 0, key_ms = 0] = await page.evaluate(() => {
    const { seen } = globalThis as unknown as { seen: Seen };
    const [load] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
    return [load?.loadEventEnd ?? 0, seen.ready ?? 0, seen.key ?? 0].map(Math.round);
  });
  return { load_ms, ready_ms, key_ms };
}

it('is small, and there at once: what is loaded of it until one can ask, beside what Perses shares', async () => {
  if (world === undefined) throw new Error('no stack');
  const { page } = await world.come();
  await watchStart(page);
  const own = new Map<string, Promise<number>>();
  page.on('response', (response) => {
    const { pathname } = new URL(response.url());
    if (!pathname.startsWith('/plugins/PersAI/') || !pathname.endsWith('.js')) return;
    own.set(
      pathname,
      response.body().then((body) => gzipSync(body, { level: 9 }).length),
    );
  });
  await page.reload();
  tell({ number: 'first_interaction', ...(await startOf(page)), wanted_ms: 1000 });
  const first = await page.evaluate(() => (globalThis as unknown as { seen: Seen }).seen.files ?? []);
  await page.waitForLoadState('networkidle');
  const kib = async (paths: readonly string[]): Promise<number> => {
    const bytes = await Promise.all(paths.map((path) => own.get(path) ?? 0));
    return Number((bytes.reduce((sum, one) => sum + one, 0) / 1024).toFixed(1));
  };
  const toAsk = await kib(first);
  tell({ number: 'plugin_js_gzip_kib', value: toAsk, limit: KIB_MAX, ahead: await kib([...own.keys()]) });
  expect(toAsk).toBeGreaterThan(0);
  expect(toAsk).toBeLessThanOrEqual(KIB_MAX);
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
  const api = await apiOf(stack, 'demo');
  const older = await talk(
    api,
    Array.from({ length: 250 }, (_, i) => `earlier ${i}`),
  );
  const fork = (await (await api('POST', `/session/${older}/fork`, { message_id: '201' })).json()) as {
    session_id: string;
  };
  const { page } = await world.come();
  await page.getByRole('button', { name: /^Long/ }).first().waitFor({ timeout: 60_000 });

  const cpu = await cpuOf(page);
  const opened = await page.evaluate(async () => {
    const entries = [...document.querySelectorAll<HTMLElement>('nav [role=button]')];
    const since = performance.now();
    entries.at(-1)?.click(); // the older one: all 500 messages
    const all = document.getElementsByTagName('article');
    while (all.length < 250 || all[249]?.querySelector('td') === null)
      await new Promise(requestAnimationFrame);
    return performance.now() - since;
  });
  tell({ number: 'open_500_messages_ms', value: Math.round(opened), cpu_ms: await cpu(), wanted: 250 });

  await watchFrames(page);
  const box = await page.getByTestId('messages').boundingBox();
  await page.mouse.move((box?.x ?? 0) + 200, (box?.y ?? 0) + 200);
  for (let i = 0; i < 100; i++) {
    await page.mouse.wheel(0, -800);
    await page.waitForTimeout(30);
  }
  tell({ number: 'frames_while_scrolling', ...(await framesOf(page)) });

  await page.goto(
    `${stack.url}${PERSAI}&data=${encodeURIComponent(JSON.stringify({ session: fork.session_id }))}`,
  );
  await last(page).getByRole('cell').first().waitFor();
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
  await watchFrames(page);
  await cpu();
  const began = Date.now();
  await last(page).getByText('The end.').waitFor({ timeout: 120_000 });
  const cpuPercent = Math.round(((await cpu()) * 100) / (Date.now() - began));
  await idle(page);
  tell({
    number: 'frames_while_streaming',
    tokens_per_second: TOKENS_PER_SECOND,
    exchanges: await page.getByTestId('exchange').count(),
    cpu_percent: cpuPercent,
    canvases: await last(page).locator('canvas').count(),
    ...(await framesOf(page)),
    wanted: 'p99 33 ms, 0 over 100 ms',
  });
});
