// What administrators of this Perses may ask the gateway, checked. None of it holds what people asked or were told.
import { asCount, asList, asObject, asText } from './events';

export interface UsageRow {
  readonly day: string;
  readonly user: string;
  readonly model: string;
  readonly turns: number;
  readonly errors: number;
  readonly tokens: number;
  /** Dollars. */
  readonly cost: number;
  readonly good: number;
  readonly bad: number;
}

export interface RunningTurn {
  readonly sessionId: string;
  readonly turnId: string;
  readonly user: string;
  readonly state: string;
  readonly startedAt: string;
}

export interface RunningTurns {
  readonly turns: readonly RunningTurn[];
  /** There are others, beyond what is listed. */
  readonly more: boolean;
}

/** Something that is off: turns, a door, a model or a tool. */
export interface Switch {
  /** turns, door:NAME, model:NAME or tool:NAME. */
  readonly name: string;
  /** What people are told. */
  readonly sentence: string;
  readonly by: string;
  readonly at: string;
  /** Said by a file of the operator's: it is not changed here. */
  readonly fixed: boolean;
}

export interface Switches {
  readonly off: readonly Switch[];
  /** Names of doors that can be switched. */
  readonly doors: readonly string[];
}

const MILLIONTHS = 1_000_000;

export function parseUsageRows(body: unknown): readonly UsageRow[] {
  return asList(asObject(body)?.['rows']).flatMap((value): UsageRow[] => {
    const row = asObject(value);
    if (row === undefined) return [];
    return [
      {
        day: asText(row['day']),
        user: asText(row['user']),
        model: asText(row['model']),
        turns: asCount(row['turns']),
        errors: asCount(row['errors']),
        tokens: asCount(row['input_tokens']) + asCount(row['output_tokens']),
        cost: asCount(row['cost']) / MILLIONTHS,
        good: asCount(row['good']),
        bad: asCount(row['bad']),
      },
    ];
  });
}

export function parseRunningTurns(body: unknown): RunningTurns {
  const turns = asList(asObject(body)?.['turns']).flatMap((value): RunningTurn[] => {
    const turn = asObject(value);
    const [sessionId, turnId] = [asText(turn?.['session_id']), asText(turn?.['turn_id'])];
    if (turn === undefined || sessionId === '' || turnId === '') return [];
    const [user, state, startedAt] = [turn['user'], turn['state'], turn['started_at']].map(asText);
    return [{ sessionId, turnId, user: user ?? '', state: state ?? '', startedAt: startedAt ?? '' }];
  });
  return { turns, more: asObject(body)?.['more'] === true };
}

export function parseSwitches(body: unknown): Switches {
  const off = asList(asObject(body)?.['switches']).flatMap((value): Switch[] => {
    const one = asObject(value);
    const name = asText(one?.['name']);
    if (one === undefined || name === '') return [];
    const [sentence, by, at] = [one['sentence'], one['by'], one['at']].map(asText);
    return [
      { name, sentence: sentence ?? '', by: by ?? '', at: at ?? '', fixed: asText(one['from']) === 'file' },
    ];
  });
  const doors = asList(asObject(body)?.['doors'])
    .map(asText)
    .filter((door) => door !== '');
  return { off, doors };
}

/** The rows of one person or model as one, the dearest first. */
export function summed(rows: readonly UsageRow[], by: 'user' | 'model'): readonly UsageRow[] {
  const sums = new Map<string, UsageRow>();
  for (const row of rows) {
    const sum = sums.get(row[by]);
    sums.set(
      row[by],
      sum === undefined
        ? row
        : {
            ...sum,
            turns: sum.turns + row.turns,
            errors: sum.errors + row.errors,
            tokens: sum.tokens + row.tokens,
            cost: sum.cost + row.cost,
            good: sum.good + row.good,
            bad: sum.bad + row.bad,
          },
    );
  }
  return [...sums.values()].sort((a, b) => b.cost - a.cost || b.tokens - a.tokens);
}
