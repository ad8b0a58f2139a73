// A conversation as it is drawn: a question and what was answered. Made from the session's stored messages;
// pure. An exchange that did not change keeps its identity.
import { Usage } from '../../api/events';
import { Feedback, MessageData, SessionDetail } from '../../api/sessions';
import { Step, Turn, TurnStatus, awaitingStep, completeCalls } from './reduce';
import { t } from '../../i18n/i18n';

export interface Question {
  /** Empty until the server has told it. */
  readonly messageId: string;
  readonly text: string;
  readonly at: string;
  readonly pinned: boolean;
  readonly excluded: boolean;
}

export interface Exchange {
  /** Stable for as long as the exchange is on the page. */
  readonly key: string;
  readonly question: Question;
  /** Where the question was asked in several ways: all of them, this one too, by when they were asked. */
  readonly versions?: readonly string[];
  /** The messages of the answer, so that the person can pin, exclude or remove them. */
  readonly answerIds: readonly string[];
  /** The message that answers, and what the person said of it. */
  readonly answerId?: string;
  readonly feedback?: Feedback;
  /** What the model read and wrote in its last step: the next one begins with that. */
  readonly windowTokens?: number;
  readonly answerPinned: boolean;
  readonly answerExcluded: boolean;
  /** undefined until the question was accepted. */
  readonly turn?: Turn;
  /** Why the question was not accepted. It can be sent again. */
  readonly unsent?: { readonly code: string; readonly message: string };
}

function stepsOf(messages: readonly MessageData[]): readonly Step[] {
  return messages.map((message, i): Step => {
    const id = message.messageId || String(i);
    const base = { id, attempt: 0, complete: true, text: message.content, reasoning: message.reasoning };
    if (message.role === 'assistant') return { ...base, type: 'inference', calls: [] };
    // The question of a tool's answer stands in the model's message before it.
    const asked = messages.slice(0, i).findLast(({ role }) => role === 'assistant');
    const own = message.calls.length > 0 ? message.calls : (asked?.calls ?? []);
    return { ...base, type: 'tool_execution', text: '', calls: completeCalls(own, message.responses) };
  });
}

function statusOf(detail: SessionDetail, turnId: string, last: MessageData | undefined): TurnStatus {
  const turn = detail.turn?.turnId === turnId ? detail.turn : undefined;
  switch (turn?.state) {
    case 'running':
    case 'waiting_for_sign_in':
      return 'running';
    case 'awaiting_input':
      return 'awaiting';
    default:
      if (turn?.cancelled === true || last?.stopReason === 'cancelled') return 'cancelled';
      return turn?.error !== undefined || !isAnswer(last) ? 'failed' : 'done';
  }
}

/** What was said until an error is kept, and is no answer. */
function isAnswer(last: MessageData | undefined): boolean {
  return last?.role === 'assistant' && last.calls.length === 0 && last.stopReason !== 'error';
}

/** Without a cost as soon as one of them has none. */
function sumOf(usages: readonly Usage[]): Usage | undefined {
  if (usages.length === 0) return undefined;
  const cost = usages.reduce<number | undefined>(
    (sum, one) => (sum === undefined || one.cost === undefined ? undefined : sum + one.cost),
    0,
  );
  return {
    inputTokens: usages.reduce((sum, { inputTokens }) => sum + inputTokens, 0),
    outputTokens: usages.reduce((sum, { outputTokens }) => sum + outputTokens, 0),
    ...(cost === undefined ? {} : { cost }),
  };
}

function turnOf(detail: SessionDetail, turnId: string, answer: readonly MessageData[]): Turn {
  const stored = stepsOf(answer);
  const waiting = detail.turn?.turnId === turnId ? detail.turn.awaiting : [];
  const steps = waiting.length === 0 ? stored : [...stored, awaitingStep(waiting)];
  const status = statusOf(detail, turnId, answer.at(-1));
  const usages = answer.flatMap(({ usage }) => (usage === undefined ? [] : [usage]));
  const turn: Turn = { id: turnId, status, steps };
  const error =
    status === 'failed'
      ? ((detail.turn?.turnId === turnId ? detail.turn.error : undefined) ?? {
          code: 'unanswered',
          message: t('exchanges.thisQuestionWasNot'),
        })
      : undefined;
  const usage = sumOf(usages);
  return { ...turn, ...(error === undefined ? {} : { error }), ...(usage === undefined ? {} : { usage }) };
}

function ratedOf(answer: readonly MessageData[]): Pick<Exchange, 'answerId' | 'feedback'> {
  const last = answer.findLast(({ role }) => role === 'assistant');
  if (last === undefined || last.messageId === '') return {};
  return { answerId: last.messageId, ...(last.feedback === undefined ? {} : { feedback: last.feedback }) };
}

function windowOf(answer: readonly MessageData[]): Pick<Exchange, 'windowTokens'> {
  const usage = answer.findLast((message) => message.usage !== undefined)?.usage;
  return usage === undefined ? {} : { windowTokens: usage.inputTokens + usage.outputTokens };
}

function versionsOf(detail: SessionDetail, messageId: string): Pick<Exchange, 'versions'> {
  const versions = detail.versions.find((group) => group.length > 1 && group.includes(messageId));
  return versions === undefined ? {} : { versions };
}

export function exchangesOf(detail: SessionDetail): readonly Exchange[] {
  const groups: MessageData[][] = [];
  for (const message of detail.messages) {
    const group = groups.at(-1);
    if (message.role === 'user' || group === undefined) groups.push([message]);
    else group.push(message);
  }
  return groups.map((group, i): Exchange => {
    const first = group[0];
    const asked = first?.role === 'user' ? first : undefined;
    const answer = asked === undefined ? group : group.slice(1);
    const turnId = asked?.turnId || answer[0]?.turnId || `?${i}`;
    return {
      key: turnId,
      question: {
        messageId: asked?.messageId ?? '',
        text: asked?.content ?? '',
        at: asked?.at ?? '',
        pinned: asked?.pinned ?? false,
        excluded: asked?.excluded ?? false,
      },
      ...versionsOf(detail, asked?.messageId ?? ''),
      answerIds: answer.map(({ messageId }) => messageId).filter((id) => id !== ''),
      answerPinned: answer.length > 0 && answer.every(({ pinned }) => pinned),
      answerExcluded: answer.length > 0 && answer.every(({ excluded }) => excluded),
      ...windowOf(answer),
      ...ratedOf(answer),
      turn: turnOf(detail, turnId, answer),
    };
  });
}

/** The old one where the new one says the same: what did not change is not drawn again. */
export function kept<T>(old: T, next: T): T {
  return old === next || JSON.stringify(old) === JSON.stringify(next) ? old : next;
}

/** The stored conversation laid over what is on the page. A turn that was followed to its end is kept as it
 *  was seen (what was final never changes), as is the one that is being followed; questions that were not accepted
 *  stay at the end. */
export function mergeExchanges(
  shown: readonly Exchange[],
  stored: readonly Exchange[],
  followed?: string,
): readonly Exchange[] {
  const byTurn = new Map<string, Exchange>();
  for (const exchange of shown) if (exchange.turn !== undefined) byTurn.set(exchange.turn.id, exchange);
  const merged = stored.map((exchange): Exchange => {
    const old = byTurn.get(exchange.turn?.id ?? '');
    if (old === undefined) return exchange;
    const seen =
      old.turn !== undefined &&
      (old.turn.id === followed ||
        old.turn.status === 'done' ||
        old.turn.status === 'cancelled' ||
        (old.turn.status === exchange.turn?.status && old.turn.steps.length >= exchange.turn.steps.length));
    return kept(old, {
      ...exchange,
      key: old.key,
      // What "now" meant stays what it was: panels that are drawn are not asked for again.
      question: kept(old.question, { ...exchange.question, at: old.question.at || exchange.question.at }),
      answerIds: kept(old.answerIds, exchange.answerIds),
      turn: seen ? old.turn : exchange.turn,
    });
  });
  const unsent = shown.filter(({ turn }) => turn === undefined);
  const result = [...merged, ...unsent];
  return result.length === shown.length && result.every((exchange, i) => exchange === shown[i])
    ? shown
    : result;
}
