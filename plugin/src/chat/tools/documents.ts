// What search_docs found and read_doc read: the operator's documents, cited by file and heading. Pure.
import { asList, asObject, asText, parseJson } from '../../api/events';
import { Call } from '../store/reduce';

export interface Citation {
  readonly file: string;
  /** As "A > B"; empty: the whole of it, or what is above the first heading. */
  readonly heading: string;
  /** Where it begins; 0: not said. */
  readonly line: number;
  readonly text: string;
  /** The document that an alert's runbook_url names. */
  readonly isRunbook: boolean;
}

/** As many as the tool gives: what fits, and an alert's runbook. */
const CITATIONS_MAX = 22;

function citationOf(value: unknown): Citation | undefined {
  const found = asObject(value) ?? {};
  const file = asText(found['file']);
  if (file === '') return undefined;
  const line = Number(found['line']);
  return {
    file,
    heading: asText(found['heading']),
    line: Number.isSafeInteger(line) && line > 0 ? line : 0,
    text: asText(found['text']),
    isRunbook: found['is_the_runbook'] === true,
  };
}

export function citationsOf(call: Call): readonly Citation[] {
  if (call.state !== 'done' || (call.name !== 'search_docs' && call.name !== 'read_doc')) return [];
  const result = parseJson(call.result?.content ?? '');
  const found = call.name === 'read_doc' ? [result] : asList(asObject(result)?.['found']);
  return found.slice(0, CITATIONS_MAX).flatMap((one) => citationOf(one) ?? []);
}
