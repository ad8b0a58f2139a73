// What all browser tests share: one stack, one browser, and the page that a test is on.
import { mkdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';

import { Browser, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll } from 'vitest';

import { Visit, VisitOptions, startBrowser, visit } from './browser';
import { until } from './processes';
import { Stack, Ui } from './stack';

export const PERSAI = '/explore?explorer=PersAI-PersAIExplorer';

/** Screenshots are kept only when asked for: PERSAI_SCREENSHOTS=docs makes those of the documentation anew. */
const SHOTS = process.env['PERSAI_SCREENSHOTS'];

export class World {
  open: Visit | undefined;
  private readonly others: Visit[] = [];

  private constructor(
    readonly stack: Stack,
    readonly browser: Browser,
  ) {}

  static async start(ui: Ui = 'web-page'): Promise<World> {
    const stack = await Stack.start(ui);
    try {
      return new World(stack, await startBrowser());
    } catch (error) {
      await stack.stop();
      throw error;
    }
  }

  /** Where what the tests start may write. */
  get folder(): string {
    return this.stack.folder;
  }

  async stop(): Promise<void> {
    await this.browser.close();
    await this.stack.stop();
  }

  async leave(): Promise<void> {
    for (const { context } of [...this.others.splice(0), ...(this.open === undefined ? [] : [this.open])])
      await context.close();
    this.open = undefined;
  }

  /** A new browser, signed in, on PersAI. */
  async come(user = 'demo', options: VisitOptions = {}): Promise<Visit> {
    await this.leave();
    this.open = await visit(this.browser, this.stack.url, options);
    await this.signIn(this.open, user);
    await this.open.page.goto(this.stack.url + PERSAI);
    return this.open;
  }

  /** One more browser of that person's, on this address. */
  async comeToo(user: string, url: string): Promise<Visit> {
    const other = await visit(this.browser, this.stack.url);
    this.others.push(other);
    await this.signIn(other, user);
    await other.page.goto(url);
    return other;
  }

  private async signIn({ context }: Visit, user: string): Promise<void> {
    const data = { login: user, password: this.stack.password(user) };
    const login = await context.request.post(`${this.stack.url}/api/auth/providers/native/login`, { data });
    if (!login.ok()) throw new Error(`no sign-in as ${user}: ${login.status()}`);
  }

  async shot(name: string): Promise<void> {
    if (SHOTS === undefined || this.open === undefined) return;
    const folder = resolve(SHOTS);
    mkdirSync(folder, { recursive: true });
    const png = await this.open.page.screenshot();
    writeFileSync(`${folder}/${name}.webp`, await this.asWebp(png));
  }

  /** About half as large as the same picture as PNG, which the pages of documentation load. */
  private async asWebp(png: Buffer): Promise<Buffer> {
    const page = await this.browser.newPage();
    const webp = await page.evaluate(async (data) => {
      const picture = await createImageBitmap(await (await fetch(`data:image/png;base64,${data}`)).blob());
      const canvas = Object.assign(document.createElement('canvas'), {
        width: picture.width,
        height: picture.height,
      });
      canvas.getContext('2d')?.drawImage(picture, 0, 0);
      return canvas.toDataURL('image/webp', 0.9).split(',')[1] ?? '';
    }, png.toString('base64'));
    await page.close();
    return Buffer.from(webp, 'base64');
  }
}

/** One for all tests of a file, closed after each; what a test that fails saw is kept. */
export function sharedWorld(ui: Ui): () => World {
  let world: World | undefined;
  const the = (): World => {
    if (world === undefined) throw new Error('the stack has not started');
    return world;
  };
  beforeAll(async () => {
    world = await World.start(ui);
  });
  afterAll(async () => {
    await world?.stop();
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') {
      console.error([task.name, ...(the().open?.trouble ?? [])].join('\n  '));
      await the().shot(`failed-${task.id.replaceAll(/\W/g, '')}`);
    }
    await the().leave();
  });
  return the;
}

export async function ask(page: Page, question: string): Promise<void> {
  const box = page.getByRole('textbox', { name: 'Question' });
  await box.fill(question);
  await box.press('Enter');
}

/** Until there is a line to draw: Prometheus has just started where this test is the first. */
export async function sampled({ stack }: World): Promise<void> {
  await until('Prometheus has some points', async () => {
    const samples = { query: 'count_over_time(up{job="prometheus"}[1m])' };
    return ((await stack.query('query', samples))[0]?.[1] ?? 0) >= 8;
  });
}

/** The last question with its answer. */
export function last(page: Page): Locator {
  return page.getByTestId('exchange').last();
}

/** Until nothing is on its way: the composer sends again. */
export async function idle(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Send' }).waitFor({ timeout: 30_000 });
}

/** The cards of a tool's calls in the last answer. */
export function cards(page: Page, tool: string): Locator {
  return last(page).locator(`[data-testid=tool-card][data-tool=${tool}]`);
}
