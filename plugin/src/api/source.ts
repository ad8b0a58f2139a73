// Parts of a JSON text as they were written. JSON.parse() rounds large numbers and keeps one of two equal keys; what a person
// decides on is shown to them as it came. Pure; the text must be JSON, as JSON.parse() has found.

/** Behind the string that begins here. */
function stringEnd(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    if (text[i] === '\\') i += 1;
    else if (text[i] === '"') return i + 1;
  }
  return text.length;
}

function skipSpace(text: string, at: number): number {
  let i = at;
  while (i < text.length && ' \t\r\n'.includes(text[i] ?? '')) i += 1;
  return i;
}

/** Behind the value that begins here. */
function valueEnd(text: string, at: number): number {
  let depth = 0;
  for (let i = at; i < text.length;) {
    const one = text[i];
    if (one === '"') i = stringEnd(text, i);
    else {
      if (one === '{' || one === '[') depth += 1;
      else if (one === '}' || one === ']') depth -= 1;
      else if (depth === 0 && (one === ',' || one === ' ' || one === '\n' || one === '\r' || one === '\t'))
        return i;
      if (depth < 0) return i;
      i += 1;
    }
    if (depth === 0 && (one === '"' || one === '}' || one === ']')) return i;
  }
  return text.length;
}

/** Where the member of that name, or the element of that number, begins; of two equal names the last one, as in
 *  JSON.parse(). */
function childAt(text: string, at: number, key: string): number | undefined {
  const isObject = text[at] === '{';
  if (!isObject && text[at] !== '[') return undefined;
  let found: number | undefined;
  let i = skipSpace(text, at + 1);
  for (let n = 0; i < text.length && text[i] !== '}' && text[i] !== ']'; n++) {
    let name = String(n);
    if (isObject) {
      const end = stringEnd(text, i);
      name = JSON.parse(text.slice(i, end)) as string;
      i = skipSpace(text, skipSpace(text, end) + 1); // the colon
    }
    if (name === key) found = i;
    i = skipSpace(text, valueEnd(text, i));
    if (text[i] === ',') i = skipSpace(text, i + 1);
  }
  return found;
}

/** The text of the value at a path, as it was written; undefined: there is none. */
export function jsonAt(text: string, path: ReadonlyArray<string | number>): string | undefined {
  let at: number | undefined = skipSpace(text, 0);
  for (const key of path) {
    at = childAt(text, at, String(key));
    if (at === undefined) return undefined;
  }
  return text.slice(at, valueEnd(text, at));
}

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/gs;

/** What is deeper stands below each other: the space before the lines would be more than the text. */
const DEPTH_MAX = 40;

/** The same text in lines: only space between its parts is changed. */
export function inLines(text: string): string {
  let result = '';
  let depth = 0;
  let before = '';
  const line = (): string => `\n${'  '.repeat(Math.min(depth, DEPTH_MAX))}`;
  for (const [token] of text.matchAll(TOKEN)) {
    const closes = token === '}' || token === ']';
    if (closes) {
      depth -= 1;
      if (before !== '{' && before !== '[') result += line();
    } else if (before === '{' || before === '[' || before === ',') result += line();
    if (token === '{' || token === '[') depth += 1;
    result += token === ':' ? ': ' : token;
    before = token;
  }
  return result;
}
