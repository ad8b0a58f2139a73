// What can be completed in the question: /commands at its beginning, @ for what is there in Perses. Pure.
export type CommandName = 'investigate' | 'documents' | 'datasource' | 'model' | 'new' | 'help';

export const COMMANDS: readonly CommandName[] = [
  'investigate',
  'documents',
  'datasource',
  'model',
  'new',
  'help',
];

export interface Offer {
  readonly id: string;
  readonly label: string;
  /** What kind of thing it is, or what it does. */
  readonly about: string;
}

/** What is being written at the caret. */
export interface Token {
  readonly kind: 'command' | 'value' | 'mention';
  /** Of a value: which command it is for. */
  readonly command?: CommandName;
  readonly word: string;
  readonly start: number;
  readonly end: number;
}

/** Names are in any language; Chinese and Japanese have no space before the sign. An address of mail has a letter. */
const MENTION =
  /(?<![\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{N}_.+-])@([\p{L}\p{M}\p{N}_:./-]{0,60})$/u;

function isCommand(word: string): word is CommandName {
  return (COMMANDS as readonly string[]).includes(word);
}

/** undefined: nothing that could be completed. */
export function tokenAt(text: string, caret: number): Token | undefined {
  const before = text.slice(0, caret);
  const [, command] = /^\/([a-z]*)$/i.exec(before) ?? [];
  if (command !== undefined) return { kind: 'command', word: command.toLowerCase(), start: 0, end: caret };
  const [, name = '', value] = /^\/([a-z]+) (\S*)$/i.exec(before) ?? [];
  if (value !== undefined && isCommand(name) && (name === 'datasource' || name === 'model'))
    return { kind: 'value', command: name, word: value, start: name.length + 2, end: caret };
  const [, mention] = MENTION.exec(before) ?? [];
  if (mention === undefined) return undefined;
  return { kind: 'mention', word: mention, start: caret - mention.length - 1, end: caret };
}

/** A command that was written out instead of chosen: what it is to be done with. */
export function writtenOut(
  text: string,
): { readonly command: 'investigate' | 'documents'; readonly rest: string } | undefined {
  const [, name = '', rest = ''] = /^\/(investigate|documents)\s+(\S.*)$/is.exec(text.trim()) ?? [];
  const command = name.toLowerCase();
  return command === 'investigate' || command === 'documents' ? { command, rest } : undefined;
}

const OFFERS_MAX = 8;

/** Those whose label has the word, those that begin with it first. */
export function fitting(offers: readonly Offer[], word: string): readonly Offer[] {
  const wanted = word.toLowerCase();
  const found = offers.filter(({ label }) => label.toLowerCase().includes(wanted));
  const begins = ({ label }: Offer): number => (label.toLowerCase().startsWith(wanted) ? 0 : 1);
  return found.toSorted((a, b) => begins(a) - begins(b)).slice(0, OFFERS_MAX);
}

/** The text with the token replaced, and where the caret is then. */
export function replaced(text: string, { start, end }: Token, by: string): { text: string; caret: number } {
  return { text: text.slice(0, start) + by + text.slice(end), caret: start + by.length };
}
