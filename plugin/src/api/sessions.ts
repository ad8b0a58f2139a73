// What GET /sessions and GET /session/ID answer, checked. A field that is missing reads as empty; a record
// that makes no sense is left out, so one bad message does not hide a conversation.
import {
  ToolCallData,
  ToolResponseData,
  Usage,
  asContent,
  asCount,
  asList,
  asObject,
  asText,
  parseToolCalls,
  parseToolResponses,
  parseUsage,
  parseWaitingCalls,
} from './events';

export interface SessionSummary {
  readonly sessionId: string;
  readonly title: string;
  readonly startedAt: string;
  readonly updatedAt: string;
  readonly turns: number;
  /** Of a search: what stands around the words in a message; or empty. */
  readonly snippet: string;
  /** Stands on top, and is not deleted after a while. */
  readonly pinned: boolean;
}

export interface Feedback {
  readonly sentiment: 1 | -1;
  readonly comment: string;
}

export interface MessageData {
  readonly messageId: string;
  readonly role: 'user' | 'assistant' | 'tool';
  readonly turnId: string;
  readonly at: string;
  readonly content: string;
  readonly reasoning: string;
  readonly stopReason: string;
  readonly calls: readonly ToolCallData[];
  readonly responses: readonly ToolResponseData[];
  readonly usage?: Usage;
  readonly pinned: boolean;
  readonly excluded: boolean;
  /** What the person said of an answer. */
  readonly feedback?: Feedback;
}

export type TurnState = 'running' | 'waiting_for_sign_in' | 'awaiting_input' | 'over';

export interface TurnData {
  readonly turnId: string;
  readonly state: TurnState;
  /** How a turn that is over ended, when that was not an answer. */
  readonly error?: { readonly code: string; readonly message: string };
  readonly cancelled: boolean;
  readonly awaiting: readonly ToolCallData[];
}

export interface SessionDetail {
  readonly sessionId: string;
  readonly title: string;
  readonly model: string;
  readonly panels: Readonly<Record<string, unknown>>;
  /** What we keep with the conversation for its questions; as it was stored. */
  readonly context: Readonly<Record<string, unknown>>;
  /** Of all its turns. */
  readonly usage?: Usage;
  /** By which others may read it; empty: nobody may. */
  readonly shareId: string;
  /** Of what another person shares: who it is; else empty. */
  readonly sharedBy: string;
  /** Questions that were asked in several ways, by their ids: of each group one is among the messages. */
  readonly versions: ReadonlyArray<readonly string[]>;
  readonly messages: readonly MessageData[];
  readonly turn?: TurnData;
}

/** A time as text or as Unix seconds or milliseconds → ISO text, or empty. */
function asTime(value: unknown): string {
  const isNumber = typeof value === 'number' && Number.isFinite(value);
  const date = isNumber ? new Date(value < 1e11 ? value * 1000 : value) : new Date(asText(value));
  return Number.isNaN(date.getTime()) ? '' : date.toISOString();
}

export function parseSessionSummary(value: unknown): SessionSummary | undefined {
  const session = asObject(value);
  const sessionId = asText(session?.['session_id']);
  if (session === undefined || sessionId === '') return undefined;
  return {
    sessionId,
    title: asText(session['title']) || asText(session['session_name']),
    startedAt: asTime(session['started_at']),
    updatedAt: asTime(session['updated_at']),
    turns: asCount(session['turns']),
    snippet: asText(session['snippet']),
    pinned: session['keep'] === true,
  };
}

function feedbackOf(value: unknown): Pick<MessageData, 'feedback'> {
  const said = asObject(value);
  const sentiment = said?.['sentiment'];
  if (sentiment !== 1 && sentiment !== -1) return {};
  return { feedback: { sentiment, comment: asText(said?.['comment']) } };
}

export function parseMessage(value: unknown): MessageData | undefined {
  const message = asObject(value);
  const role = message?.['role'];
  if (message === undefined || (role !== 'user' && role !== 'assistant' && role !== 'tool')) return undefined;
  return {
    messageId: asText(message['message_id']),
    role,
    turnId: asText(message['turn_id']),
    at: asTime(message['at'] ?? message['created_at']),
    content: asContent(message['content']),
    reasoning: asText(message['reasoning']),
    stopReason: asText(message['stop_reason']),
    calls: parseToolCalls(message['tool_calls']),
    responses: parseToolResponses(message['tool_responses']),
    usage: parseUsage(message['usage']),
    pinned: message['pinned'] === true,
    excluded: message['excluded'] === true,
    ...feedbackOf(message['feedback']),
  };
}

const RUNNING = new Set(['queued', 'running', 'dispatched', 'released', 'waiting']);

function parseTurn(value: unknown, text: string): TurnData | undefined {
  const turn = asObject(value);
  const turnId = asText(turn?.['turn_id']);
  if (turn === undefined || turnId === '') return undefined;
  const word = asText(turn['state'] ?? turn['status']);
  let state: TurnState = 'over';
  if (RUNNING.has(word)) state = 'running';
  else if (word === 'waiting_for_sign_in') state = 'waiting_for_sign_in';
  else if (word === 'awaiting_input' || word === 'awaiting') state = 'awaiting_input';
  const error = asObject(turn['error']);
  const code = asText(error?.['code']);
  return {
    turnId,
    state,
    error: code === '' ? undefined : { code, message: asText(error?.['message']) },
    cancelled: word === 'cancelled',
    awaiting: parseWaitingCalls(turn['tool_calls'], text, ['turn', 'tool_calls']),
  };
}

/** `text`: the JSON that the value was parsed from. */
export function parseSessionDetail(sessionId: string, value: unknown, text: string): SessionDetail {
  const session = asObject(value) ?? {};
  return {
    sessionId,
    title: asText(session['title']) || asText(session['session_name']),
    model: asText(session['model']),
    panels: asObject(session['panels']) ?? {},
    context: asObject(session['context']) ?? {},
    usage: parseUsage(session['usage']),
    shareId: asText(session['share_id']),
    sharedBy: asText(session['shared_by']),
    versions: asList(session['versions']).map((group) => asList(group).map(asText)),
    messages: asList(session['messages'])
      .map(parseMessage)
      .filter((message) => message !== undefined),
    turn: parseTurn(session['turn'], text),
  };
}
