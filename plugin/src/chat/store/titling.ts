// After a conversation's first answer the model may find a better title than its question's beginning, in a moment:
// it is looked for a few times, and never waited for.
import { ConversationState } from './state';

/** Each after the one before. */
const LOOKS_MS = [1_500, 3_000, 6_000, 12_000];

export interface Untitled {
  readonly getSnapshot: () => ConversationState;
  /** Ends early when another conversation is on the page. */
  readonly wait: (ms: number) => Promise<unknown>;
  /** False: something else is on the page, or on its way. */
  readonly isQuiet: () => boolean;
  readonly sync: () => Promise<void>;
  readonly onTitle: () => void;
}

export async function lookForTitle({ getSnapshot, wait, isQuiet, sync, onTitle }: Untitled): Promise<void> {
  for (const ms of LOOKS_MS) {
    const { exchanges, title } = getSnapshot();
    const question = exchanges[0]?.question.text ?? '';
    if (exchanges.length !== 1 || title === '' || !question.startsWith(title)) return;
    await wait(ms);
    if (!isQuiet()) return;
    await sync();
    if (isQuiet() && getSnapshot().title !== title) onTitle();
  }
}
