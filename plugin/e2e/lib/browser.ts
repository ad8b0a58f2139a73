// Debian's Chromium, headless, on a page of its own.
import { Browser, BrowserContext, Page, chromium } from 'playwright-core';

const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

export async function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
}

export interface Visit {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Exceptions of the page itself. */
  readonly errors: string[];
  /** What it logs as errors, and requests that failed: told when a test fails. */
  readonly trouble: string[];
  /** Every request that went to another origin. */
  readonly foreign: string[];
}

export interface VisitOptions {
  readonly dark?: boolean;
  /** What the browser asks for; English. */
  readonly locale?: string;
  /** The system asks for less motion. */
  readonly still?: boolean;
  readonly width?: number;
  readonly height?: number;
}

export async function visit(browser: Browser, origin: string, options: VisitOptions = {}): Promise<Visit> {
  const context = await browser.newContext({
    colorScheme: options.dark === true ? 'dark' : 'light',
    viewport: { width: options.width ?? 1280, height: options.height ?? 860 },
    timezoneId: 'UTC',
    locale: options.locale ?? 'en-US',
    reducedMotion: options.still === true ? 'reduce' : 'no-preference',
  });
  const page = await context.newPage();
  page.setDefaultTimeout(40_000); // a machine that is busy with other builds is no failure
  const errors: string[] = [];
  const foreign: string[] = [];
  const trouble: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') trouble.push(message.text().slice(0, 1_000));
  });
  page.on('requestfailed', (request) =>
    trouble.push(`${request.url()}: ${request.failure()?.errorText ?? ''}`),
  );
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.origin !== origin && url.protocol !== 'data:' && url.protocol !== 'blob:')
      foreign.push(request.url());
  });
  return { context, page, errors, trouble, foreign };
}
