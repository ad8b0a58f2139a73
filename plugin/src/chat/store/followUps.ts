// What the model thinks is worth asking next: a block ```next behind its answer, a question a line. It is asked for by
// the turn's context (follow_ups), is no part of the answer that a person reads, and is made buttons of.

const FENCE = '```next';
const MAX = 3;
const CHARS_MAX = 160;

/** The block, from its line's beginning to its end; while it is being written to the text's end. */
const BLOCK = /(^|\n)[ \t]*```next[ \t\r]*(?:\n([\s\S]*?))?(?:\n[ \t]*```[ \t\r]*(?=\n|$)|$)/;
/** Its first characters, at the end of what has come. */
const BEGUN = /(?:^|\n)[ \t]*```(?:n|ne|nex)?$/;

/** The answer alone. */
export function withoutFollowUps(text: string, complete = true): string {
  const rest = text.includes(FENCE) ? text.replace(BLOCK, '').trimEnd() : text;
  return complete ? rest : rest.replace(BEGUN, '');
}

export function followUpsOf(text: string): readonly string[] {
  if (!text.includes(FENCE)) return [];
  const lines = (BLOCK.exec(text)?.[2] ?? '').split('\n');
  const questions = lines.map((line) => line.replace(/^\s*(?:[-*•]|\d+[.)])\s+/, '').trim());
  const fine = questions.filter((question) => question !== '' && question.length <= CHARS_MAX);
  return [...new Set(fine)].slice(0, MAX);
}
