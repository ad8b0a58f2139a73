// How a turn ended of which the conversation has only the question: stopped before a word of it came, or failed. Its
// events tell, for as long as they are kept.
import { GatewayClient } from '../../api/client';
import { readStream } from '../../api/stream';
import { Turn, newTurn, reduce } from './reduce';
import { isOver } from './state';

/** undefined: nobody knows any more. */
export async function endOf(
  client: GatewayClient,
  sessionId: string,
  turnId: string,
  silenceMs: number,
  signal: AbortSignal,
): Promise<Turn | undefined> {
  try {
    let turn = newTurn(turnId);
    const body = await client.openEvents(sessionId, turnId, undefined, signal);
    for await (const messages of readStream(body, silenceMs, signal)) {
      for (const { event } of messages) if (event !== undefined) turn = reduce(turn, event);
      if (isOver(turn)) return turn.error?.code === 'history_lost' ? undefined : turn;
    }
  } catch {
    // What is stored says that it was not answered, and that is so.
  }
  return undefined;
}
