// A turn, and how an event changes it. Pure: no clock, no network; never throws. What did not change keeps
// its identity, so React draws only what did.
import {
  Awaited,
  Delta,
  ToolCallData,
  ToolResponseData,
  TurnEvent,
  Usage,
  parseJson,
} from '../../api/events';
import { wordsOf } from '../tools/words';
import { PLAN_TOOL, PlanStep, planOf } from './plan';
import { withoutFollowUps } from './followUps';
import { t } from '../../i18n/i18n';

export type CallState = 'writing' | 'running' | 'done' | 'failed' | 'awaiting';

export interface Call {
  readonly id: string;
  readonly name: string;
  readonly args: unknown;
  readonly state: CallState;
  readonly result?: ToolResponseData;
  /** Of a call that waits for the person. */
  readonly awaited?: Awaited;
}

/** One call of the model (its text, and the calls that it wrote) or one run of tools. */
export interface Step {
  readonly id: string;
  readonly type: 'inference' | 'tool_execution';
  readonly attempt: number;
  /** A complete step never changes again. */
  readonly complete: boolean;
  readonly text: string;
  readonly reasoning: string;
  /** What PersAI itself says of it. */
  readonly notice?: string;
  /** The provider makes it wait, this long from when that came; gone when it goes on. */
  readonly wait?: { readonly text: string; readonly ms: number };
  readonly calls: readonly Call[];
}

export type TurnStatus = 'running' | 'done' | 'awaiting' | 'cancelled' | 'failed';

export interface Turn {
  readonly id: string;
  readonly status: TurnStatus;
  readonly steps: readonly Step[];
  readonly error?: { readonly code: string; readonly message: string };
  readonly usage?: Usage;
}

/** The calls that wait for the person's yes are drawn as a step of their own. */
const AWAITING = 'awaiting';

export function newTurn(id: string): Turn {
  return { id, status: 'running', steps: [] };
}

function emptyStep(id: string, type: Step['type'], attempt: number): Step {
  return { id, type, attempt, complete: false, text: '', reasoning: '', calls: [] };
}

function putStep(turn: Turn, step: Step): Turn {
  const at = turn.steps.findIndex(({ id, type }) => id === step.id && type === step.type);
  if (at < 0) return { ...turn, steps: [...turn.steps, step] };
  return { ...turn, steps: turn.steps.map((old, i) => (i === at ? step : old)) };
}

function findStep(turn: Turn, id: string, type: Step['type']): Step | undefined {
  return turn.steps.find((step) => step.id === id && step.type === type);
}

function startStep(turn: Turn, id: string, type: Step['type'], attempt: number): Turn {
  const old = findStep(turn, id, type);
  // The same attempt twice, or an older one: nothing new. A complete step is final.
  if (old !== undefined && (old.complete || attempt <= old.attempt)) return turn;
  // It is run again: what was said of it was provisional and is dropped, as is what came after it.
  const kept = old === undefined ? turn.steps : turn.steps.slice(0, turn.steps.indexOf(old));
  return { ...turn, steps: [...kept, emptyStep(id, type, attempt)] };
}

function putCall(calls: readonly Call[], call: Call): readonly Call[] {
  const at = calls.findIndex(({ id }) => id === call.id);
  return at < 0 ? [...calls, call] : calls.map((old, i) => (i === at ? call : old));
}

/** It was told on without an id. */
function isWithoutId(step: Step, call: Call): boolean {
  return call.id.startsWith(`${step.id}/`);
}

/** Of a call without an id: what is told on next under its name is the same one. */
function idFor(step: Step, name: string): string {
  const last = step.calls.at(-1);
  const isMore = last !== undefined && isWithoutId(step, last) && (name === '' || last.name === name);
  return isMore ? last.id : `${step.id}/${step.calls.length}`;
}

function withDelta(before: Step, delta: Delta): Step {
  if (delta.type === 'wait') return { ...before, wait: { text: delta.text, ms: delta.waitMs } };
  const step = before.wait === undefined || delta.type === 'notice' ? before : { ...before, wait: undefined };
  switch (delta.type) {
    case 'text':
      return delta.text === '' ? step : { ...step, text: step.text + delta.text };
    case 'reasoning':
      return delta.text === '' ? step : { ...step, reasoning: step.reasoning + delta.text };
    case 'notice':
      return delta.text === ''
        ? step
        : { ...step, notice: [step.notice, delta.text].filter(Boolean).join('\n') };
    case 'tool_call': {
      const id = delta.callId || idFor(step, delta.name);
      const old = step.calls.find((call) => call.id === id);
      const args = delta.args === '' ? (old?.args ?? {}) : (parseJson(delta.args) ?? delta.args);
      const state = step.type === 'inference' ? 'writing' : delta.state;
      return {
        ...step,
        calls: putCall(step.calls, { ...old, id, name: delta.name || (old?.name ?? ''), args, state }),
      };
    }
  }
}

function completeCall(call: ToolCallData, responses: readonly ToolResponseData[]): Call {
  const result = responses.find(({ callId }) => callId === call.callId);
  const state = result === undefined || result.failed ? 'failed' : 'done';
  return { id: call.callId, name: call.name, args: call.args, state, result };
}

/** The calls of a step that is complete: those asked for, and answers without a question, should there be any. */
export function completeCalls(
  calls: readonly ToolCallData[],
  responses: readonly ToolResponseData[],
): readonly Call[] {
  const asked = new Set(calls.map(({ callId }) => callId));
  const orphans = responses.filter(({ callId }) => !asked.has(callId));
  return [...calls, ...orphans.map(({ callId, name }) => ({ callId, name, args: {} }))].map((call) =>
    completeCall(call, responses),
  );
}

/** The calls that wait for the person, as a step that is drawn until they are decided. */
export function awaitingStep(waiting: readonly ToolCallData[]): Step {
  const calls = waiting.map(({ callId: id, name, args, awaited }): Call => ({
    id,
    name,
    args,
    state: 'awaiting',
    awaited,
  }));
  return { ...emptyStep(AWAITING, 'tool_execution', 0), calls };
}

function finish(turn: Turn, status: TurnStatus): Turn {
  return { ...turn, status };
}

/** An answer that no step has said: a stream that was joined late, or a short cut by the gateway. */
function withAnswer(turn: Turn, content: string): Turn {
  const last = turn.steps.findLast(({ type }) => type === 'inference');
  if (content === '' || last?.text === content) return turn;
  if (last !== undefined && turn.steps.at(-1) === last && !last.complete) {
    return putStep(turn, { ...last, text: content, complete: true });
  }
  if (last?.complete === true && last.text !== '' && turn.steps.at(-1) === last) return turn;
  return putStep(turn, { ...emptyStep('answer', 'inference', 0), text: content, complete: true });
}

/** The person has decided: what waited is run now (its step says so itself), and the turn goes on. */
export function goOn(turn: Turn): Turn {
  return { ...turn, status: 'running', steps: turn.steps.filter(({ id }) => id !== AWAITING) };
}

export function reduce(before: Turn, event: TurnEvent): Turn {
  if (before.status === 'awaiting' && (event.type === 'turn_awaiting_input' || event.type === 'turn_start')) {
    return before;
  }
  const turn = before.status === 'awaiting' ? goOn(before) : before;
  // What was seen as final never changes.
  if (turn.status !== 'running') return turn;
  switch (event.type) {
    case 'turn_start':
      return turn.id === '' && event.turnId !== '' ? { ...turn, id: event.turnId } : turn;
    case 'step_start':
      return startStep(turn, event.stepId, event.stepType, event.attempt);
    case 'step_progress': {
      const step = findStep(turn, event.stepId, event.stepType) ?? emptyStep(event.stepId, event.stepType, 0);
      return step.complete ? turn : putStep(turn, withDelta(step, event.delta));
    }
    case 'step_complete': {
      const step = findStep(turn, event.stepId, event.stepType) ?? emptyStep(event.stepId, event.stepType, 0);
      if (step.complete) return turn;
      if (event.stepType === 'inference') {
        return putStep(turn, { ...step, text: event.content ?? step.text, wait: undefined, complete: true });
      }
      return putStep(turn, { ...step, calls: completeCalls(event.calls, event.responses), complete: true });
    }
    case 'turn_complete': {
      const done = finish(withAnswer(turn, event.content), 'done');
      return event.usage === undefined ? done : { ...done, usage: event.usage };
    }
    case 'turn_awaiting_input': {
      return finish(putStep(turn, awaitingStep(event.calls)), 'awaiting');
    }
    case 'turn_cancelled':
      return finish(turn, 'cancelled');
    case 'error':
      return { ...finish(turn, 'failed'), error: { code: event.code, message: event.message } };
  }
}

/** What of a turn is drawn, in order. A call that is written, then run, then done keeps its key. */
export type Block =
  | { readonly kind: 'text'; readonly key: string; readonly text: string; readonly complete: boolean }
  | { readonly kind: 'reasoning'; readonly key: string; readonly text: string; readonly complete: boolean }
  | { readonly kind: 'notice'; readonly key: string; readonly text: string }
  | { readonly kind: 'wait'; readonly key: string; readonly text: string; readonly ms: number }
  | { readonly kind: 'plan'; readonly key: string; readonly steps: readonly PlanStep[] }
  | { readonly kind: 'call'; readonly key: string; readonly call: Call };

function isPlan({ name, state }: Call): boolean {
  return name === PLAN_TOOL && state !== 'failed';
}

/** The plan of a turn is drawn once, where it was first shown, as it was last shown. */
function lastPlan(turn: Turn): readonly PlanStep[] | undefined {
  const calls = turn.steps.flatMap((step) => step.calls.filter(isPlan));
  return calls.map(({ args }) => planOf(args)).findLast((steps) => steps !== undefined);
}

/** A server may name two calls or two steps alike: each is drawn. */
function withOwnKeys(blocks: readonly Block[]): readonly Block[] {
  const seen = new Map<string, number>();
  return blocks.map((block) => {
    const count = (seen.get(block.key) ?? 0) + 1;
    seen.set(block.key, count);
    return count === 1 ? block : { ...block, key: `${block.key}#${count}` };
  });
}

export function blocksOf(turn: Turn): readonly Block[] {
  const run = new Set<string>();
  const names = new Set<string>();
  for (const step of turn.steps) {
    if (step.type !== 'tool_execution') continue;
    for (const { id, name } of step.calls) {
      run.add(id);
      names.add(name);
    }
  }
  const live = turn.status === 'running';
  let plan = lastPlan(turn);
  const all = turn.steps.flatMap((step): Block[] => {
    const blocks: Block[] = [];
    const complete = step.complete || !live;
    if (step.notice !== undefined) blocks.push({ kind: 'notice', key: `n/${step.id}`, text: step.notice });
    if (step.wait !== undefined && live) blocks.push({ kind: 'wait', key: `w/${step.id}`, ...step.wait });
    if (step.reasoning !== '') {
      const thought = complete || step.text !== '' || step.calls.length > 0;
      blocks.push({ kind: 'reasoning', key: `r/${step.id}`, text: step.reasoning, complete: thought });
    }
    const text = withoutFollowUps(step.text, complete);
    if (text !== '') blocks.push({ kind: 'text', key: `t/${step.id}`, text, complete });
    for (const call of step.calls) {
      const isRun = run.has(call.id) || (isWithoutId(step, call) && names.has(call.name));
      if (step.type === 'inference' && isRun) continue; // drawn where it runs
      if (step.type === 'inference' && !live) continue; // never ran
      if (isPlan(call)) {
        if (plan !== undefined) blocks.push({ kind: 'plan', key: 'plan', steps: plan });
        plan = undefined;
        continue;
      }
      const state = step.complete && call.state === 'writing' ? 'running' : call.state;
      blocks.push({
        kind: 'call',
        key: `c/${call.id}`,
        call: state === call.state ? call : { ...call, state },
      });
    }
    return blocks;
  });
  return withOwnKeys(all);
}

/** What the model said, without its thoughts and calls. */
export function answerText(turn: Turn): string {
  const said = turn.steps
    .filter(({ type }) => type === 'inference')
    .map(({ text }) => withoutFollowUps(text));
  return said.join('\n\n').trim();
}

/** What the turn is at, for a person: "Thinking", "Running execute_range_query: up". */
export function statusOf(turn: Turn): string {
  if (turn.status !== 'running') return '';
  const running = turn.steps.flatMap(({ calls }) => calls).filter(({ state }) => state === 'running');
  const step = turn.steps.at(-1);
  if (step?.type === 'tool_execution' && !step.complete) {
    const call = running.at(0) ?? step.calls.at(0);
    if (call === undefined) return t('reduce.runningTools');
    const query = queryOf(call.args);
    const what = query === '' ? wordsOf(call) : query;
    if (running.length < 2) return t('status.running', { what });
    return t('status.runningMore', { what, count: running.length - 1 });
  }
  if (step?.wait !== undefined) return t('reduce.waitingForTheProvider');
  if (step?.type === 'inference' && !step.complete && step.calls.length > 0) return t('reduce.writingAQuery');
  if (step?.type === 'inference' && !step.complete && step.text !== '') return t('status.answering');
  return t('status.thinking');
}

export function queryOf(args: unknown): string {
  const query =
    typeof args === 'object' && args !== null ? (args as Record<string, unknown>)['query'] : undefined;
  return typeof query === 'string' ? query : '';
}
