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

  const opened = await page.evaluate(async () => {
    const entries = [...document.querySelectorAll<HTMLElement>('nav [role=button]')];
    const since = performance.now();
    entries.at(-1)?.click(); // the older one: all 500 messages
    const all = document.getElementsByTagName('article');
    while (all.length < 250 || all[249]?.querySelector('td') === null)
      await new Promise(requestAnimationFrame);
    return performance.now() - since;
  });
  tell({ number: 'open_500_messages_ms', value: Math.round(opened), wanted: 1000 });

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
  await last(page).getByText('The end.').waitFor({ timeout: 120_000 });
  await idle(page);
  tell({
    number: 'frames_while_streaming',
    tokens_per_second: TOKENS_PER_SECOND,
    exchanges: await page.getByTestId('exchange').count(),
    canvases: await last(page).locator('canvas').count(),
    ...(await framesOf(page)),
    wanted: '0 over 100 ms',
  });
});
