// The gateway's HTTP API, reached only through a Perses datasource's proxy on the page's own origin. This is
// the one file that calls fetch and the one that knows the proxy's path: no other URL can be reached from here.
import { EventId, asCount, asList, asObject, asText, formatEventId, parseJson } from './events';
import { Budget, parseBudget } from './budget';
import { RunningTurns, Switches, UsageRow, parseRunningTurns, parseSwitches, parseUsageRows } from './admin';
import { wellFormed } from '../text';
import { Feedback, SessionDetail, SessionSummary, parseSessionDetail, parseSessionSummary } from './sessions';
import { t } from '../i18n/i18n';

/** The HTTP API that this plugin speaks; a gateway names its own in the header of each answer. */
export const API_VERSION = '1';
const API_HEADER = 'PersAI-API';

const REQUEST_TIMEOUT_MS = 30_000;
const RETRY_AFTER_MAX_MS = 60_000;

export type ApiErrorCode = string;

/** What went wrong, in words for a person. `code` is the gateway's stable word or one of ours:
 *  network, timeout, unreachable (the proxy has no gateway behind it), not_gateway, api_mismatch. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    readonly status: number,
    readonly code: ApiErrorCode,
    message: string,
    readonly retryAfterMs?: number,
  ) {
    super(message);
  }

  /** May the same request succeed when it is sent again? All that we send is idempotent. */
  get transient(): boolean {
    return (
      this.code === 'network' ||
      this.code === 'timeout' ||
      this.code === 'unreachable' ||
      this.status === 429 ||
      (this.status >= 500 && this.code !== 'api_mismatch' && this.code !== 'not_gateway')
    );
  }
}

export interface ModelInfo {
  readonly id: string;
  readonly name: string;
  readonly isDefault: boolean;
  /** What it is good for, in its operator's words; or empty. */
  readonly description: string;
  /** Tokens that it can read at once; 0: not known. */
  readonly window: number;
  /** Dollars for a million tokens; undefined: not known. */
  readonly price?: { readonly input: number; readonly output: number };
}

export interface TimeRangeContext {
  readonly start?: string;
  readonly end?: string;
  readonly duration?: string;
}

export interface PanelContext {
  readonly title: string;
  readonly description?: string;
  /** The panel plugin that draws it, and its unit. */
  readonly kind?: string;
  readonly unit?: string;
  readonly queries: readonly string[];
  /** `project/name`, where the context has panels of several dashboards. */
  readonly dashboard?: string;
}

export interface TurnContext {
  readonly time_range?: TimeRangeContext;
  readonly timezone?: string;
  readonly datasources?: readonly string[];
  readonly dashboard?: {
    readonly project: string;
    readonly name: string;
    readonly title?: string;
    readonly description?: string;
  };
  readonly panels?: readonly PanelContext[];
  readonly variables?: Readonly<Record<string, string | readonly string[]>>;
  /** Whether the answer may end with what to ask next (store/followUps.ts). */
  readonly follow_ups?: boolean;
}

export interface TurnRequest {
  readonly sessionId: string;
  readonly message: string;
  readonly datasourcePath: string;
  readonly context?: TurnContext;
  readonly model?: string;
  /** The question that it is another version of: what came of that one is kept, and shown no more. */
  readonly insteadOf?: string;
  readonly idempotencyKey: string;
}

export interface Decision {
  readonly callId: string;
  readonly approve: boolean;
  /** Of the arguments that the person has seen: others are not run. */
  readonly hash: string;
}

export interface SessionPage {
  readonly sessions: readonly SessionSummary[];
  readonly cursor?: string;
}

export interface GatewayClient {
  createSession(options: { title?: string; model?: string; idempotencyKey: string }): Promise<string>;
  listSessions(options?: {
    query?: string;
    /** Only those that are pinned. */
    pinned?: boolean;
    cursor?: string;
    signal?: AbortSignal;
  }): Promise<SessionPage>;
  getSession(sessionId: string, signal?: AbortSignal): Promise<SessionDetail>;
  patchSession(sessionId: string, patch: Record<string, unknown>): Promise<void>;
  deleteSession(sessionId: string): Promise<void>;
  forkSession(sessionId: string, messageId: string): Promise<string>;
  patchMessage(
    sessionId: string,
    messageId: string,
    patch: { pinned?: boolean; excluded?: boolean; shown?: true },
  ): Promise<void>;
  deleteMessage(sessionId: string, messageId: string): Promise<void>;
  startTurn(request: TurnRequest): Promise<string>;
  openEvents(
    sessionId: string,
    turnId: string,
    after: EventId | undefined,
    signal: AbortSignal,
  ): Promise<ReadableStream<Uint8Array>>;
  cancelTurn(sessionId: string, turnId: string): Promise<void>;
  resumeTurn(sessionId: string, turnId: string, decisions: readonly Decision[]): Promise<void>;
  listModels(signal?: AbortSignal): Promise<readonly ModelInfo[]>;
  /** Lets signed-in people who have its id read the conversation; the same id when they may already. */
  shareSession(sessionId: string): Promise<string>;
  unshareSession(sessionId: string): Promise<void>;
  getShared(shareId: string, signal?: AbortSignal): Promise<SessionDetail>;
  /** The conversation as a file. */
  exportSession(sessionId: string, format: 'md' | 'json'): Promise<Blob>;
  /** What an answer was worth; undefined takes it back. */
  rateMessage(sessionId: string, messageId: string, feedback: Feedback | undefined): Promise<void>;
  /** Of today: what is left to this person. */
  getBudget(signal?: AbortSignal): Promise<Budget>;
  /** May this person ask what follows? */
  isAdministrator(signal?: AbortSignal): Promise<boolean>;
  adminUsage(days: number, signal?: AbortSignal): Promise<readonly UsageRow[]>;
  adminTurns(signal?: AbortSignal): Promise<RunningTurns>;
  /** Stops another person's answer. */
  adminCancel(sessionId: string, turnId: string): Promise<void>;
  adminSwitches(signal?: AbortSignal): Promise<Switches>;
  /** Switches it off, with what people are told, or on again. → what is off then */
  setSwitch(name: string, off: boolean, sentence: string): Promise<Switches>;
}

const PROXY_PATH = /^((?:\/[A-Za-z0-9_.-]+)*)\/proxy\/globaldatasources\/([A-Za-z0-9_.-]{1,75})$/;

/** `/proxy/globaldatasources/NAME`, maybe below the prefix that Perses is served under; else undefined. */
export function checkProxyUrl(proxyUrl: string | undefined): string | undefined {
  const match = PROXY_PATH.exec(proxyUrl ?? '');
  if (match === null || (proxyUrl ?? '').split('/').some((part) => part === '.' || part === '..'))
    return undefined;
  return proxyUrl;
}

export function newIdempotencyKey(): string {
  // randomUUID exists only on secure origins; Perses is often served over plain http inside a company.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function retryAfterOf(response: Response): number | undefined {
  const seconds = Number(response.headers.get('Retry-After') ?? 'x');
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1000, RETRY_AFTER_MAX_MS) : undefined;
}

function notGateway(status: number): ApiError {
  return new ApiError(status, 'not_gateway', t('client.whatAnsweredIsNot'));
}

async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => '');
  const body = asObject(parseJson(text));
  const detail = asObject(body?.['detail']);
  const sentence = asText(detail?.['response']);
  const retryAfter = retryAfterOf(response);
  if (sentence !== '') {
    const code = asText(detail?.['code']) || `http_${response.status}`;
    return new ApiError(response.status, code, sentence, retryAfter);
  }
  // Not the gateway's words: what answered is Perses itself, or a proxy before it.
  const said = asText(body?.['message']) || asText(body?.['error']);
  switch (response.status) {
    case 401:
      return new ApiError(401, 'signed_out', t('client.youAreSignedOut'));
    case 403:
      return new ApiError(403, 'datasource_forbidden', t('client.persesDoesNotLet'));
    case 404:
      // Perses says so in JSON; a page of text is from what the datasource leads to.
      if (body === undefined) return notGateway(404);
      return new ApiError(404, 'datasource_missing', said || t('client.persesKnowsNoSuch'));
    case 500:
    case 502:
    case 503:
    case 504:
      return new ApiError(response.status, 'unreachable', t('client.thePersaiGatewayDoes'), retryAfter);
    default:
      return new ApiError(
        response.status,
        `http_${response.status}`,
        said || t('client.refused', { status: response.status }),
        retryAfter,
      );
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}

interface Request {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

function urlOf(base: string, request: Request): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(request.query ?? {})) {
    if (value !== undefined && value !== '') query.set(name, value);
  }
  const suffix = query.toString();
  return base + request.path + (suffix === '' ? '' : `?${suffix}`);
}

/** For JSON.stringify: half a character, as a careless paste leaves it, would make the gateway refuse all of it. */
function whole(_name: string, value: unknown): unknown {
  return typeof value === 'string' ? wellFormed(value) : value;
}

/** Sends it; resolves when the headers are there. From then on the signal is no longer ours to watch: who reads
 *  a stream stops by cancelling it, and a body may take as long as it likes. */
async function send(base: string, request: Request): Promise<Response> {
  const headers: Record<string, string> = {
    Accept: 'application/json',
    [API_HEADER]: API_VERSION,
    ...request.headers,
  };
  if (request.body !== undefined) headers['Content-Type'] = 'application/json';
  const control = new AbortController();
  const giveUp = (): void => control.abort();
  request.signal?.addEventListener('abort', giveUp, { once: true });
  if (request.signal?.aborted === true) giveUp();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    giveUp();
  }, REQUEST_TIMEOUT_MS);
  let response: Response;
  try {
    response = await fetch(urlOf(base, request), {
      method: request.method,
      headers,
      body: request.body === undefined ? undefined : JSON.stringify(request.body, whole),
      credentials: 'same-origin',
      redirect: 'error', // a redirect would carry the request to where we did not send it
      cache: 'no-store',
      signal: control.signal,
    });
  } catch (error) {
    if (late) throw new ApiError(0, 'timeout', t('client.late'));
    if (isAbort(error) || request.signal?.aborted === true) throw error;
    // Perses's own page wraps fetch: a refused refresh of the sign-in surfaces as an error with a status.
    const status = asObject(error)?.['status'];
    if (status === 400 || status === 401) throw new ApiError(401, 'signed_out', t('client.youAreSignedOut'));
    throw new ApiError(0, 'network', t('client.network'));
  } finally {
    clearTimeout(timer);
    request.signal?.removeEventListener('abort', giveUp);
  }
  const version = response.headers.get(API_HEADER);
  if (version !== null && version !== API_VERSION) {
    throw new ApiError(
      response.status,
      'api_mismatch',
      t('client.versions', { own: API_VERSION, other: version }),
    );
  }
  if (!response.ok) throw await errorOf(response);
  return response;
}

async function sendForJson(
  base: string,
  request: Request,
): Promise<{ body: unknown; text: string; response: Response }> {
  const response = await send(base, request);
  const type = response.headers.get('Content-Type') ?? '';
  const text = await response.text();
  const body = text === '' ? {} : parseJson(text);
  if (body === undefined || (text !== '' && !type.includes('json'))) {
    throw notGateway(response.status);
  }
  return { body, text, response };
}

function part(text: string): string {
  return encodeURIComponent(text);
}

function sessionPath(sessionId: string, ...rest: readonly string[]): string {
  return ['/session', part(sessionId), ...rest].join('/');
}

function requireText(value: unknown, what: string): string {
  const text = asText(value);
  if (text === '') throw new ApiError(200, 'not_gateway', t('client.without', { what }));
  return text;
}

/** The cursor of `Link: <…?cursor=X>; rel="next"`. The link's own address is not followed. */
function nextCursor(link: string | null): string | undefined {
  const target = /<([^>]*)>\s*;[^,]*rel="?next"?/.exec(link ?? '')?.[1];
  return target === undefined ? undefined : (/[?&]cursor=([^&]*)/.exec(target)?.[1] ?? undefined);
}

function priceOf(value: unknown): Pick<ModelInfo, 'price'> {
  const price = asObject(value);
  const [input, output] = [price?.['input'], price?.['output']];
  return typeof input === 'number' && typeof output === 'number' ? { price: { input, output } } : {};
}

function parseModels(body: unknown): readonly ModelInfo[] {
  const list = Array.isArray(body) ? body : asList(asObject(body)?.['models'] ?? asObject(body)?.['data']);
  const models: ModelInfo[] = [];
  for (const entry of list) {
    const model = typeof entry === 'string' ? { id: entry } : asObject(entry);
    // The gateway knows a model by the name that its operator gave it; several may be the same one of a provider's.
    const id = asText(model?.['id']) || asText(model?.['name']) || asText(model?.['model']);
    if (id !== '') {
      models.push({
        id,
        name: asText(asObject(entry)?.['name']) || id,
        isDefault: asObject(entry)?.['default'] === true,
        description: asText(asObject(entry)?.['description']),
        window: asCount(asObject(entry)?.['window']),
        ...priceOf(asObject(entry)?.['price']),
      });
    }
  }
  return models;
}

/** `proxyUrl` as Perses's datasource store gives it. Throws for anything that is not such a path. */
export function createGatewayClient(proxyUrl: string | undefined): GatewayClient {
  const base = checkProxyUrl(proxyUrl);
  if (base === undefined) throw new Error('PersAI is reached through a global Perses datasource only.');

  const command = async (request: Request): Promise<unknown> => (await sendForJson(base, request)).body;

  return {
    async createSession({ title, model, idempotencyKey }): Promise<string> {
      const body = await command({
        method: 'POST',
        path: '/session',
        headers: { 'Idempotency-Key': idempotencyKey },
        body: { ...(title === undefined ? {} : { title }), ...(model === undefined ? {} : { model }) },
      });
      return requireText(asObject(body)?.['session_id'], 'session_id');
    },

    async listSessions({ query, pinned, cursor, signal } = {}): Promise<SessionPage> {
      const { body, response } = await sendForJson(base, {
        method: 'GET',
        path: '/sessions',
        query: {
          q: query,
          keep: pinned === true ? 'true' : undefined,
          limit: '50',
          cursor: cursor === undefined ? undefined : decodeURIComponent(cursor),
        },
        signal,
      });
      const sessions = asList(body)
        .map(parseSessionSummary)
        .filter((session) => session !== undefined);
      return { sessions, cursor: nextCursor(response.headers.get('Link')) };
    },

    async getSession(sessionId, signal): Promise<SessionDetail> {
      const { body, text } = await sendForJson(base, { method: 'GET', path: sessionPath(sessionId), signal });
      return parseSessionDetail(sessionId, body, text);
    },

    async patchSession(sessionId, patch): Promise<void> {
      await command({ method: 'PATCH', path: sessionPath(sessionId), body: patch });
    },

    async deleteSession(sessionId): Promise<void> {
      try {
        await command({ method: 'DELETE', path: sessionPath(sessionId) });
      } catch (error) {
        // Gone already: a repeated request, or another tab was faster.
        if (!(error instanceof ApiError && error.status === 404)) throw error;
      }
    },

    async forkSession(sessionId, messageId): Promise<string> {
      const body = await command({
        method: 'POST',
        path: sessionPath(sessionId, 'fork'),
        headers: { 'Idempotency-Key': newIdempotencyKey() },
        body: { message_id: messageId },
      });
      return requireText(asObject(body)?.['session_id'], 'session_id');
    },

    async patchMessage(sessionId, messageId, patch): Promise<void> {
      await command({
        method: 'PATCH',
        path: sessionPath(sessionId, 'message', part(messageId)),
        body: patch,
      });
    },

    async deleteMessage(sessionId, messageId): Promise<void> {
      await command({ method: 'DELETE', path: sessionPath(sessionId, 'message', part(messageId)) });
    },

    async startTurn({
      sessionId,
      message,
      datasourcePath: path,
      context,
      model,
      insteadOf,
      idempotencyKey,
    }): Promise<string> {
      const body = await command({
        method: 'POST',
        path: sessionPath(sessionId, 'turn'),
        query: { datasource_path: path },
        headers: { 'Idempotency-Key': idempotencyKey, Prefer: 'respond-async' },
        body: {
          message,
          ...(context === undefined ? {} : { context }),
          ...(model === undefined ? {} : { model }),
          ...(insteadOf === undefined ? {} : { instead_of: insteadOf }),
        },
      });
      return requireText(asObject(body)?.['turn_id'], 'turn_id');
    },

    async openEvents(sessionId, turnId, after, signal): Promise<ReadableStream<Uint8Array>> {
      const response = await send(base, {
        method: 'GET',
        path: sessionPath(sessionId, 'turn', part(turnId), 'events'),
        headers: {
          Accept: 'text/event-stream',
          ...(after === undefined ? {} : { 'Last-Event-ID': formatEventId(after) }),
        },
        signal,
      });
      const type = response.headers.get('Content-Type') ?? '';
      if (response.body === null || !type.startsWith('text/event-stream')) {
        throw new ApiError(response.status, 'not_gateway', t('client.noStream'));
      }
      return response.body;
    },

    async cancelTurn(sessionId, turnId): Promise<void> {
      await command({ method: 'POST', path: sessionPath(sessionId, 'turn', part(turnId), 'cancel') });
    },

    async resumeTurn(sessionId, turnId, decisions): Promise<void> {
      await command({
        method: 'POST',
        path: sessionPath(sessionId, 'turn', part(turnId), 'resume'),
        body: {
          decisions: decisions.map(({ callId, approve, hash }) => ({
            call_id: callId,
            approve,
            ...(hash === '' ? {} : { arguments_hash: hash }),
          })),
        },
      });
    },

    async shareSession(sessionId): Promise<string> {
      const body = await command({ method: 'POST', path: sessionPath(sessionId, 'share') });
      return requireText(asObject(body)?.['share_id'], 'share_id');
    },

    async unshareSession(sessionId): Promise<void> {
      await command({ method: 'DELETE', path: sessionPath(sessionId, 'share') });
    },

    async getShared(shareId, signal): Promise<SessionDetail> {
      const path = `/shared/${part(shareId)}`;
      const { body, text } = await sendForJson(base, { method: 'GET', path, signal });
      return parseSessionDetail('', body, text);
    },

    async exportSession(sessionId, format): Promise<Blob> {
      const response = await send(base, {
        method: 'GET',
        path: sessionPath(sessionId, 'export'),
        query: { format },
        headers: { Accept: '*/*' },
      });
      return response.blob();
    },

    async rateMessage(sessionId, messageId, feedback): Promise<void> {
      const path = sessionPath(sessionId, 'message', part(messageId), 'feedback');
      await command(
        feedback === undefined ? { method: 'DELETE', path } : { method: 'PUT', path, body: feedback },
      );
    },

    async getBudget(signal): Promise<Budget> {
      return parseBudget(await command({ method: 'GET', path: '/budget', signal }));
    },

    async isAdministrator(signal): Promise<boolean> {
      const body = await command({ method: 'GET', path: '/admin', signal });
      return asObject(body)?.['administrator'] === true;
    },

    async adminUsage(days, signal): Promise<readonly UsageRow[]> {
      const query = { days: String(days) };
      return parseUsageRows(await command({ method: 'GET', path: '/admin/usage', query, signal }));
    },

    async adminTurns(signal): Promise<RunningTurns> {
      return parseRunningTurns(await command({ method: 'GET', path: '/admin/turns', signal }));
    },

    async adminCancel(sessionId, turnId): Promise<void> {
      const path = `/admin${sessionPath(sessionId, 'turn', part(turnId), 'cancel')}`;
      await command({ method: 'POST', path });
    },

    async adminSwitches(signal): Promise<Switches> {
      return parseSwitches(await command({ method: 'GET', path: '/admin/switches', signal }));
    },

    async setSwitch(name, off, sentence): Promise<Switches> {
      const body = { name, off, ...(off ? { sentence } : {}) };
      return parseSwitches(await command({ method: 'PUT', path: '/admin/switches', body }));
    },

    async listModels(signal): Promise<readonly ModelInfo[]> {
      return parseModels(await command({ method: 'GET', path: '/models', signal }));
    },
  };
}
