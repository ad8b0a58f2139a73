// Waits before the next try, and trying again while that can help. What has changed meanwhile (the network is back, the
// person looks again) wakes all waits at once.
import { ApiError } from '../../api/client';
import { Retry } from './state';

const BACKOFF_FIRST_MS = 250;
const BACKOFF_MAX_MS = 10_000;
/** What did not work for this long is given up. */
const GIVE_UP_MS = 60_000;

export interface PatienceOptions {
  /** Something will be tried again, or is tried now. */
  readonly onRetry: (retry: Retry | undefined) => void;
  /** The person does not want it any more. */
  readonly isStopped: () => boolean;
}

export function backoff(attempt: number): number {
  const full = Math.min(BACKOFF_FIRST_MS * 2 ** attempt, BACKOFF_MAX_MS);
  return full / 2 + Math.random() * (full / 2); // many tabs must not come back in one moment
}

export class Patience {
  private wakers = new Set<() => void>();

  constructor(private readonly options: PatienceOptions) {}

  readonly wake = (): void => {
    const { wakers } = this;
    this.wakers = new Set();
    for (const waker of wakers) waker();
  };

  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.wakers.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done);
      this.wakers.add(done);
    });
  }

  /** Does it, and again after a while, until it works or that can't help. */
  async persist<T>(request: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const { isStopped } = this.options;
    const since = Date.now();
    for (let attempt = 0; ; attempt++) {
      try {
        return await request();
      } catch (error) {
        const again = error instanceof ApiError && error.transient && Date.now() - since < GIVE_UP_MS;
        if (signal.aborted || isStopped() || !again) throw error;
        await this.waitToRetry(error, since, error.retryAfterMs ?? backoff(attempt), signal);
        if (signal.aborted || isStopped()) throw error;
      }
    }
  }

  private async waitToRetry(
    error: ApiError,
    sinceMs: number,
    ms: number,
    signal: AbortSignal,
  ): Promise<void> {
    this.options.onRetry({ code: error.code, sinceMs, untilMs: Date.now() + ms });
    await this.wait(ms, signal);
    if (!signal.aborted) this.options.onRetry(undefined);
  }
}
