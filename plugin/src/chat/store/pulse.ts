// Is the gateway there, while it says nothing? Asked when a line has been quiet for some seconds: a gateway that is frozen
// closes no line. What is heard on the line counts as an answer.

/** Nothing is said for this long before it is asked, and it may take this long to answer. */
const QUIET_MS = 2_500;
const ANSWER_MS = 2_000;
const LOOK_MS = 500;

export interface PulseOptions {
  /** Something small that a gateway answers at once. */
  readonly probe: (signal: AbortSignal) => Promise<unknown>;
  /** Since when nothing was heard, or that there is an answer again. */
  readonly onChange: (silentSince: number | undefined) => void;
}

export class Pulse {
  private timer: ReturnType<typeof setInterval> | undefined;
  private heardMs = 0;
  private asking: AbortController | undefined;
  private silentSince: number | undefined;

  constructor(private readonly options: PulseOptions) {}

  /** From now on it is listened, until stop(). */
  start(): void {
    this.heard();
    this.timer ??= setInterval(() => void this.look(), LOOK_MS);
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.asking?.abort();
    this.asking = undefined;
    this.tell(undefined);
  }

  heard(): void {
    this.heardMs = Date.now();
    this.tell(undefined);
  }

  private tell(silentSince: number | undefined): void {
    if (silentSince === this.silentSince) return;
    this.silentSince = silentSince;
    this.options.onChange(silentSince);
  }

  private async look(): Promise<void> {
    const since = this.heardMs;
    if (this.asking !== undefined || Date.now() - since < QUIET_MS) return;
    const asking = new AbortController();
    this.asking = asking;
    const late = setTimeout(() => this.asking === asking && this.tell(since), ANSWER_MS);
    try {
      await this.options.probe(asking.signal);
      if (this.asking === asking) this.heard();
    } catch {
      // An answer that says no is an answer; none is found out by the next look.
      if (this.asking === asking) this.tell(since);
    } finally {
      clearTimeout(late);
      if (this.asking === asking) this.asking = undefined;
    }
  }
}
