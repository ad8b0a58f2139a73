// What a call does, for a person. Pure.
import { asObject, asText } from '../../api/events';
import { Key, i18n, t } from '../../i18n/i18n';
import type { Call } from '../store/reduce';

/** The argument that says what it is about, the most telling one first. */
const ABOUT = [
  'title',
  'search',
  'query',
  'metric',
  'panel',
  'label',
  'match',
  'file',
  'trace_id',
  'dashboard',
  'runbook_url',
  'datasource',
  'project',
  'kind',
];

/** "Searched metrics: cpu". A tool that is not ours is called by its name. */
export function wordsOf(call: Pick<Call, 'name' | 'args'>): string {
  const args = asObject(call.args) ?? {};
  const about = ABOUT.map((name) => asText(args[name]).trim()).find((text) => text !== '') ?? '';
  const key = `tool.${call.name}`;
  const what = i18n.exists(key) ? t(key as Key) : call.name;
  return about === '' ? what : t('tool.about', { what, about });
}

export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1_000;
  return `${seconds.toLocaleString(i18n.language, { maximumFractionDigits: 1 })} s`;
}
