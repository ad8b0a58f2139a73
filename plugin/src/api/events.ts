// What a turn's stream says, checked. The wire is not trusted: parseEvent() takes any text and answers a
// known event or undefined, it never throws. Unknown events are skipped, so that a newer gateway may say more.

import { jsonAt } from './source';

/** Where an event stands in its turn's stream: `id: EPOCH-SEQ`. */
export interface EventId {
  readonly epoch: number;
  readonly seq: number;
}

export type StepType = 'inference' | 'tool_execution';

export interface ToolCallData {
  readonly callId: string;
  readonly name: string;
  /** Parsed when they are JSON, else the text as it came. */
  readonly args: unknown;
  /** Only of a call that waits for the person. */
  readonly awaited?: Awaited;
}

/** A call that waits for the person: what a decision is bound to, and until when there is time. */
export interface Awaited {
  readonly hash: string;
  readonly expiresAt: string;
  /** The arguments as JSON, as they came: parsed, large numbers would be rounded. */
  readonly source: string;
  /** Of a tool of another server: whose it is. */
  readonly server?: {
    readonly name: string;
    readonly host: string;
    readonly tool: string;
    /** Whose key goes along. */
    readonly key: string;
  };
}

export interface ToolResponseData {
  readonly callId: string;
  readonly name: string;
  readonly content: string;
  readonly failed: boolean;
  readonly durationMs: number;
  /** The path of the datasource that it asked, or empty. */
  readonly datasource: string;
}

export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** In dollars; undefined: a model has no price. */
  readonly cost?: number;
}

export type Delta =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'reasoning'; readonly text: string }
  /** What the person is to know of this step: that the model does not see all of the conversation. */
  | { readonly type: 'notice'; readonly text: string }
  /** The provider makes us wait; how long, about, from when this is read. */
  | { readonly type: 'wait'; readonly text: string; readonly waitMs: number }
  | {
      readonly type: 'tool_call';
      readonly callId: string;
      readonly name: string;
      /** All of the arguments that is known so far, not a piece of them. */
      readonly args: string;
      /** What a tool that is being run is at; a call that is still being written has none. */
      readonly state: 'writing' | 'running' | 'done' | 'failed';
    };

export type TurnEvent =
  | { readonly type: 'turn_start'; readonly turnId: string; readonly sessionId: string }
  | {
      readonly type: 'step_start';
      readonly stepType: StepType;
      readonly stepId: string;
      readonly attempt: number;
    }
  | {
      readonly type: 'step_progress';
      readonly stepType: StepType;
      readonly stepId: string;
      readonly delta: Delta;
    }
  | {
      readonly type: 'step_complete';
      readonly stepType: 'inference';
      readonly stepId: string;
      /** undefined: it is not said, and what was streamed is all. */
      readonly content: string | undefined;
      readonly stopReason: string;
    }
  | {
      readonly type: 'step_complete';
      readonly stepType: 'tool_execution';
      readonly stepId: string;
      readonly calls: readonly ToolCallData[];
      readonly responses: readonly ToolResponseData[];
    }
  | {
      readonly type: 'turn_complete';
      readonly turnId: string;
      readonly content: string;
      readonly usage?: Usage;
    }
  | { readonly type: 'turn_awaiting_input'; readonly turnId: string; readonly calls: readonly ToolCallData[] }
  | { readonly type: 'turn_cancelled' }
  | { readonly type: 'error'; readonly code: string; readonly message: string };

/** True for the events after which a stream has nothing more to say. */
export function isFinal(event: TurnEvent): boolean {
  switch (event.type) {
    case 'turn_complete':
    case 'turn_awaiting_input':
    case 'turn_cancelled':
    case 'error':
      return true;
    default:
      return false;
  }
}

export function parseEventId(text: string | undefined): EventId | undefined {
  const match = /^(\d{1,15})-(\d{1,15})$/.exec(text ?? '');
  return match ? { epoch: Number(match[1]), seq: Number(match[2]) } : undefined;
}

export function formatEventId(id: EventId): string {
  return `${id.epoch}-${id.seq}`;
}

/** Is `a` past `b`? The epoch counts first: a turn that moved to another worker begins a new one. */
export function isAfter(a: EventId, b: EventId | undefined): boolean {
  return b === undefined || a.epoch > b.epoch || (a.epoch === b.epoch && a.seq > b.seq);
}

export type Json = Record<string, unknown>;

export function asObject(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

export function asText(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function asCount(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? Math.floor(value) : 0;
}

export function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The text of a message: a string, or the parts {type: "text", text} that some models answer with. */
export function asContent(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(asContent).join('');
  const object = asObject(value);
  return object === undefined ? '' : asText(object['text']);
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

export function parseToolCall(value: unknown): ToolCallData | undefined {
  const call = asObject(value);
  if (call === undefined) return undefined;
  const callId = asText(call['call_id']);
  const name = asText(call['tool_name']);
  if (callId === '' || name === '') return undefined;
  const raw = call['arguments'];
  const args = typeof raw === 'string' ? (parseJson(raw) ?? raw) : (raw ?? {});
  return { callId, name, args };
}

/** Calls that wait for the person. `text`: the JSON that they came in, `path`: where in it. */
export function parseWaitingCalls(
  value: unknown,
  text: string,
  path: readonly string[],
): readonly ToolCallData[] {
  return asList(value).flatMap((one, i): readonly ToolCallData[] => {
    const call = parseToolCall(one);
    if (call === undefined) return [];
    const asked = asObject(one) ?? {};
    const given = asked['arguments'];
    const source =
      (typeof given === 'string' ? given : jsonAt(text, [...path, i, 'arguments'])) ??
      JSON.stringify(call.args);
    const hash = asText(asked['arguments_hash']);
    const reach = asObject(asked['server']);
    const server = reach && {
      name: asText(reach['name']),
      host: asText(reach['host']),
      tool: asText(reach['tool']),
      key: asText(reach['key']),
    };
    return [{ ...call, awaited: { hash, expiresAt: asText(asked['expires_at']), source, server } }];
  });
}

export function parseToolResponse(value: unknown): ToolResponseData | undefined {
  const response = asObject(value);
  if (response === undefined) return undefined;
  const callId = asText(response['call_id']);
  if (callId === '') return undefined;
  const content = asContent(response['content']);
  const failed = response['failed'] === true || response['failed'] === 1;
  return {
    callId,
    name: asText(response['tool_name']),
    content,
    failed,
    durationMs: asCount(response['duration_ms']),
    datasource: asText(response['datasource']),
  };
}

export function parseUsage(value: unknown): Usage | undefined {
  const usage = asObject(value);
  if (usage === undefined) return undefined;
  const { cost } = usage;
  const known = typeof cost === 'number' && Number.isFinite(cost) && cost >= 0;
  return {
    inputTokens: asCount(usage['input_tokens']),
    outputTokens: asCount(usage['output_tokens']),
    ...(known ? { cost } : {}),
  };
}

function present<T>(value: T | undefined): value is T {
  return value !== undefined;
}

export function parseToolCalls(value: unknown): readonly ToolCallData[] {
  return asList(value).map(parseToolCall).filter(present);
}

export function parseToolResponses(value: unknown): readonly ToolResponseData[] {
  return asList(value).map(parseToolResponse).filter(present);
}

function parseStepType(value: unknown): StepType | undefined {
  return value === 'inference' || value === 'tool_execution' ? value : undefined;
}

/** As worker/turn/turn_summary.c says it. A notice in other words is shown as it is. */
const WAIT = /^(.*\S); trying again in about (\d{1,5}) s\b/;

function parseNotice(text: string): Delta {
  const [, why, seconds] = WAIT.exec(text) ?? [];
  if (why === undefined) return { type: 'notice', text };
  return { type: 'wait', text: why, waitMs: Number(seconds) * 1_000 };
}

function parseDelta(value: unknown): Delta | undefined {
  const delta = asObject(value);
  if (delta === undefined) return undefined;
  switch (delta['type']) {
    case 'notice':
      return parseNotice(asText(delta['text']));
    case 'text':
    case 'reasoning':
      return { type: delta['type'], text: asText(delta['text']) };
    case 'tool_call': {
      const { call_id: callId, tool_name: name, arguments: args, state } = delta;
      const known = state === 'running' || state === 'done' || state === 'failed';
      return {
        type: 'tool_call',
        callId: asText(callId),
        name: asText(name),
        args: typeof args === 'object' && args !== null ? JSON.stringify(args) : asText(args),
        state: known ? state : 'writing',
      };
    }
    default:
      return undefined;
  }
}

function parseStepComplete(payload: Json): TurnEvent | undefined {
  const details = asObject(payload['step_details']);
  const stepType = parseStepType(details?.['step_type']);
  if (details === undefined || stepType === undefined) return undefined;
  const stepId = asText(details['step_id']);
  if (stepType === 'inference') {
    const response = asObject(details['model_response']) ?? {};
    const given = response['content'];
    const content = given === undefined || given === null ? undefined : asContent(given);
    return { type: 'step_complete', stepType, stepId, content, stopReason: asText(response['stop_reason']) };
  }
  const calls = parseToolCalls(details['tool_calls']);
  const responses = parseToolResponses(details['tool_responses']);
  return { type: 'step_complete', stepType, stepId, calls, responses };
}

/** One SSE message's data, `{"event":{"payload":{…}}}`, as a checked event. */
export function parseEvent(data: string): TurnEvent | undefined {
  try {
    return eventOf(data);
  } catch {
    return undefined; // nested deeper than can be walked
  }
}

function eventOf(data: string): TurnEvent | undefined {
  const payload = asObject(asObject(asObject(parseJson(data))?.['event'])?.['payload']);
  if (payload === undefined) return undefined;
  const turn = asObject(payload['turn']) ?? {};
  const stepType = parseStepType(payload['step_type']);
  const stepId = asText(payload['step_id']);
  switch (payload['event_type']) {
    case 'turn_start':
      return {
        type: 'turn_start',
        turnId: asText(payload['turn_id']),
        sessionId: asText(payload['session_id']),
      };
    case 'step_start':
      if (stepType === undefined) return undefined;
      return { type: 'step_start', stepType, stepId, attempt: asCount(payload['attempt']) };
    case 'step_progress': {
      const delta = parseDelta(payload['delta']);
      if (stepType === undefined || delta === undefined) return undefined;
      return { type: 'step_progress', stepType, stepId, delta };
    }
    case 'step_complete':
      return parseStepComplete(payload);
    case 'turn_complete': {
      const content = asContent(asObject(turn['output_message'])?.['content']);
      return {
        type: 'turn_complete',
        turnId: asText(turn['turn_id']),
        content,
        usage: parseUsage(turn['usage']),
      };
    }
    case 'turn_awaiting_input': {
      const message = asObject(turn['output_message']) ?? {};
      const path = ['event', 'payload', 'turn'];
      const calls =
        turn['tool_calls'] === undefined
          ? parseWaitingCalls(message['tool_calls'], data, [...path, 'output_message', 'tool_calls'])
          : parseWaitingCalls(turn['tool_calls'], data, [...path, 'tool_calls']);
      return { type: 'turn_awaiting_input', turnId: asText(turn['turn_id']), calls };
    }
    case 'turn_cancelled':
      return { type: 'turn_cancelled' };
    case 'error':
      return { type: 'error', code: asText(payload['code']) || 'error', message: asText(payload['message']) };
    default:
      return undefined;
  }
}
