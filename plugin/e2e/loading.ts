// What a browser loads before one can ask, and that it loads it once.
import { Page } from 'playwright-core';
import { expect, it } from 'vitest';

import { PERSAI, World, ask, last } from './lib/world';

/** As they are sent, compressed: on a line of 2 Mbit/s a second. */
const PAINT_KIB_MAX = 250;
/** Perses's libraries and ECharts, whole, as its plugins share them, and what is ours: no more than there is today. */
const READY_KIB_MAX = 1400;
const CODE = /\.(js|css)$/;
const HASHED = /\.[0-9a-f]{8,}\.[a-z0-9]+$/;

interface Loaded {
  readonly path: string;
  readonly bytes: number;
  readonly fromNetwork: boolean;
}

/** Opens PersAI as one does, until one can ask, and tells which files this took. */
async function open(page: Page, url: string): Promise<readonly Loaded[]> {
  await page.goto(url);
  await page.getByRole('textbox', { name: 'Question' }).waitFor();
  return page.evaluate(() =>
    (performance.getEntriesByType('resource') as PerformanceResourceTiming[]).map((one) => ({
      path: new URL(one.name).pathname,
      bytes: one.encodedBodySize,
      fromNetwork: one.transferSize > 0,
    })),
  );
}

function kib(files: readonly Loaded[]): number {
  return Math.round(files.reduce((sum, { bytes }) => sum + bytes, 0) / 1024);
}

export function loadingTests(the: () => World): void {
  it('loads each file once, little of it before there is something to see, and nothing of it again', async () => {
    const world = the();
    const { page } = await world.come();
    await page.context().addInitScript(() => performance.setResourceTimingBufferSize(1_000));
    await page.goto('about:blank');
    const code = (await open(page, world.stack.url + PERSAI)).filter(({ path }) => CODE.test(path));
    // The bar and the sign-in are drawn by what the page's HTML names; the rest is loaded behind them.
    const html = await (await page.request.get(world.stack.url + PERSAI)).text();
    const first = code.filter(({ path }) => html.includes(`"${path}"`));
    const numbers = { to_paint_kib: kib(first), to_ask_kib: kib(code), files: code.length };
    process.stdout.write(`${JSON.stringify(numbers)}\n`);
    expect(first.length).toBeGreaterThan(2);
    expect(numbers.to_paint_kib).toBeLessThanOrEqual(PAINT_KIB_MAX);
    expect(numbers.to_ask_kib).toBeLessThanOrEqual(READY_KIB_MAX);
    const paths = code.map(({ path }) => path);
    expect(paths.filter((path, i) => paths.indexOf(path) !== i)).toEqual([]);
    expect(paths.filter((path) => !HASHED.test(path))).toEqual([]);

    // What draws answers is loaded behind that.
    world.stack.model.when('Is it loaded', () => ['| yes |\n|---|\n| all |']);
    await ask(page, 'Is it loaded?');
    await last(page).getByRole('cell', { name: 'all' }).waitFor();

    // The browser has them now, and asks for what has no hash only.
    await page.goto('about:blank');
    const again = await open(page, world.stack.url + PERSAI);
    expect(again.filter(({ path, fromNetwork }) => HASHED.test(path) && fromNetwork)).toEqual([]);
    const told = async (path: string): Promise<string | undefined> =>
      (await page.request.get(world.stack.url + path)).headers()['cache-control'];
    expect(await told(paths[0] ?? '')).toBe('public, max-age=31536000, immutable');
    expect(await told('/plugins/PersAI/mf-manifest.json')).toBe('no-cache');
    expect(await told('/explore')).toBe('no-cache');
    expect(await told('/static/js/none.0123abcd.js')).toBe('no-store');
  });
}
