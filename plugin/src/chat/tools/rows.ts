// What a tool answered, as rows of text. Pure.
import { asList, asObject, asText, parseJson } from '../../api/events';

export interface Rows {
  readonly columns: readonly string[];
  readonly cells: ReadonlyArray<readonly string[]>;
}

const ROWS_MAX = 100;
const COLUMNS_MAX = 12;

function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** Loki's streams: a row a line, the newest first. */
function linesOf(streams: readonly unknown[]): Rows {
  const lines = streams.flatMap((one) => {
    const stream = asObject(one);
    const labels = Object.entries(asObject(stream?.['stream']) ?? {});
    const text = labels.map(([name, value]) => `${name}=${textOf(value)}`).join(', ');
    return asList(stream?.['lines']).map((line) => {
      const [at, said] = asList(line);
      return [asText(at), asText(said), text];
    });
  });
  lines.sort(([a = ''], [b = '']) => b.localeCompare(a));
  return { columns: ['time', 'line', 'stream'], cells: lines.slice(0, ROWS_MAX) };
}

/** undefined: it holds no list of objects. */
export function rowsOf(content: string): Rows | undefined {
  const result = asObject(parseJson(content));
  if (result === undefined) return undefined;
  if (result['kind'] === 'logs') return linesOf(asList(result['streams']));
  // Of several lists the last one: what comes before it are sums.
  const lists = Object.values(result).filter((value) => asObject(asList(value)[0]) !== undefined);
  const list = asList(lists.at(-1))
    .slice(0, ROWS_MAX)
    .map((one) => asObject(one) ?? {});
  if (list.length === 0) return undefined;
  const columns = [...new Set(list.flatMap((row) => Object.keys(row)))].slice(0, COLUMNS_MAX);
  return { columns, cells: list.map((row) => columns.map((name) => textOf(row[name]))) };
}
