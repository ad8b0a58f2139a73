// Why the person waits: one thing at a time, the one that holds up all others first. Pure.
import { Key } from '../../i18n/i18n';
import { Call, Turn } from './reduce';
import { Line, Retry } from './state';

export interface WaitFacts {
  readonly line: Line;
  readonly turn: Turn | undefined;
  /** Since when the turn, or the question, shows nothing new. */
  readonly quietSince: number;
  /** Since when the gateway does not answer. */
  readonly silentSince: number | undefined;
  readonly retry: Retry | undefined;
}

export interface Wait {
  readonly key: Key;
  readonly values?: Readonly<Record<string, string>>;
  readonly sinceMs: number;
  readonly untilMs?: number;
  /** It can be tried at once. */
  readonly canHurry: boolean;
}

/** What is shorter is no wait. */
export const PATIENCE_MS = 1_500;

const REASONS: Readonly<Record<string, Key>> = {
  queue_full: 'wait.queue',
  busy: 'wait.queue',
  no_worker: 'wait.noWorker',
  rate_limited: 'wait.limited',
  budget_exceeded: 'wait.budget',
  store_unavailable: 'wait.store',
  perses_unavailable: 'wait.perses',
  draining: 'wait.restart',
};

function runningCall(turn: Turn): Call | undefined {
  return turn.steps.flatMap(({ calls }) => calls).findLast(({ state }) => state === 'running');
}

/** What of a turn that goes on keeps it: its steps say it. */
function ofTurn(turn: Turn): Pick<Wait, 'key' | 'values'> | undefined {
  const step = turn.steps.at(-1);
  if (step === undefined) return { key: 'wait.worker' };
  if (step.wait !== undefined) return undefined; // it has a card of its own
  const call = runningCall(turn);
  if (step.type === 'tool_execution' && !step.complete)
    return call === undefined ? { key: 'wait.tools' } : { key: 'wait.datasource' };
  if (step.type === 'tool_execution') return { key: 'wait.model' };
  if (step.complete) return undefined;
  if (step.text === '' && step.reasoning === '' && step.calls.length === 0)
    return { key: step.attempt > 1 ? 'wait.again' : 'wait.model' };
  return { key: 'wait.more' };
}

/** undefined: nobody waits, or not for long enough to be told. */
export function waitOf(facts: WaitFacts, nowMs: number): Wait | undefined {
  const { line, turn, quietSince, silentSince, retry } = facts;
  if (line === 'signed_out') return undefined; // a banner says it
  if (retry !== undefined) {
    const { code, sinceMs, untilMs } = retry;
    return { key: REASONS[code] ?? 'wait.silent', sinceMs, untilMs, canHurry: true };
  }
  if (silentSince !== undefined) return { key: 'wait.silent', sinceMs: silentSince, canHurry: false };
  if (nowMs - quietSince < PATIENCE_MS) return undefined;
  const quiet = { sinceMs: quietSince, canHurry: false };
  if (line === 'sending') return { key: 'wait.sending', ...quiet };
  if (line === 'reconnecting') return { key: 'wait.line', ...quiet, canHurry: true };
  if (turn === undefined || turn.status !== 'running') return undefined;
  const why = ofTurn(turn);
  return why && { ...why, ...quiet };
}
