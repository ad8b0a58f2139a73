// What a conversation shows at one moment, and what is said of what went wrong. Pure.
import { ApiError } from '../../api/client';
import { Usage } from '../../api/events';
import { ConversationContext, NO_CONTEXT } from './chosen';
import { Exchange } from './exchanges';
import { Turn } from './reduce';
import { saidOf, t } from '../../i18n/i18n';

export type Line =
  | 'idle'
  /** The question is on its way. */
  | 'sending'
  | 'live'
  /** The line dropped; the answer goes on at the server and we are on our way back to it. */
  | 'reconnecting'
  | 'signed_out';

export interface Problem {
  readonly code: string;
  readonly message: string;
}

export interface Retry {
  /** The error of the last try. */
  readonly code: string;
  readonly sinceMs: number;
  /** When it is tried again. */
  readonly untilMs: number;
}

export interface ConversationState {
  readonly sessionId: string | undefined;
  readonly title: string;
  readonly model: string;
  readonly panels: Readonly<Record<string, unknown>>;
  readonly context: ConversationContext;
  readonly usage: Usage | undefined;
  /** What the person has said to calls that wait, while others of the same answer are not decided yet. */
  readonly choices: Readonly<Record<string, boolean>>;
  /** By which others may read it; empty: nobody may. */
  readonly shareId: string;
  /** Another person's, which is only read: whose it is; else empty. */
  readonly sharedBy: string;
  readonly loading: boolean;
  /** Why the conversation could not be loaded. */
  readonly problem: Problem | undefined;
  readonly exchanges: readonly Exchange[];
  readonly line: Line;
  /** Something that is tried again, and when. */
  readonly retry: Retry | undefined;
  /** Since when the gateway does not answer. */
  readonly silentSince: number | undefined;
  readonly stopping: boolean;
  /** Why the last thing that the person did (stop, pin, rename …) did not work. */
  readonly notice: Problem | undefined;
}

/** All but the messages, which change with every token. */
export type ConversationInfo = Omit<ConversationState, 'exchanges'>;

export const EMPTY: ConversationState = {
  sessionId: undefined,
  title: '',
  model: '',
  panels: {},
  context: NO_CONTEXT,
  usage: undefined,
  choices: {},
  shareId: '',
  sharedBy: '',
  loading: false,
  problem: undefined,
  exchanges: [],
  line: 'idle',
  retry: undefined,
  silentSince: undefined,
  stopping: false,
  notice: undefined,
};

const DELETED = 'session_not_found';

export const deleted = (): Problem => ({
  code: DELETED,
  message: t('conversation.thisConversationWasDeleted'),
});

export function problemOf(error: unknown): Problem {
  if (error instanceof ApiError) return { code: error.code, message: saidOf(error.code, error.message) };
  return {
    code: 'internal',
    message: error instanceof Error ? error.message : t('conversation.somethingWentWrong'),
  };
}

/** All of the conversation, not a part of it. */
export function isGone(error: unknown): boolean {
  return error instanceof ApiError && error.code === DELETED;
}

export function isOver(turn: Turn | undefined): boolean {
  return turn === undefined || turn.status !== 'running';
}
