// How long the model thought, as it was seen here: no event says it. Kept while the page is there, for the last few.

const KEPT = 200;

interface Thought {
  readonly beganMs: number;
  readonly seconds?: number;
}

const thoughts = new Map<string, Thought>();

export function begin(id: string, nowMs = Date.now()): void {
  if (thoughts.has(id)) return;
  thoughts.set(id, { beganMs: nowMs });
  const [oldest] = thoughts.keys();
  if (thoughts.size > KEPT && oldest !== undefined) thoughts.delete(oldest);
}

/** Its seconds once it is complete; undefined: it goes on, or nobody has seen it begin. */
export function end(id: string, complete: boolean, nowMs = Date.now()): number | undefined {
  const thought = thoughts.get(id);
  if (!complete || thought === undefined) return undefined;
  const seconds = thought.seconds ?? Math.max(1, Math.round((nowMs - thought.beganMs) / 1_000));
  thoughts.set(id, { ...thought, seconds });
  return seconds;
}
