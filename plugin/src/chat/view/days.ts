// The list of conversations by when they were last changed, in the person's own days.
import { SessionSummary } from '../../api/sessions';
import { locale, t } from '../../i18n/i18n';

export interface Group {
  readonly title: string;
  readonly sessions: readonly SessionSummary[];
}

/** Whole days of the calendar between two moments: an hour that a clock was moved by makes no other day. */
function daysBetween(from: Date, to: Date): number {
  const day = (date: Date): number => Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
  return Math.round((day(to) - day(from)) / 86_400_000);
}

function titleOf(date: Date, now: Date): string {
  if (Number.isNaN(date.getTime())) return t('history.older');
  const days = daysBetween(date, now);
  if (days <= 0) return t('history.today');
  if (days === 1) return t('history.yesterday');
  if (days < 7) return t('history.lastDays', { count: 7 });
  if (days < 30) return t('history.lastDays', { count: 30 });
  return date.toLocaleDateString(locale(), { month: 'long', year: 'numeric' });
}

/** In the order in which they come; what belongs together stands together. */
export function groupsOf(sessions: readonly SessionSummary[], now: Date): readonly Group[] {
  const groups = new Map<string, SessionSummary[]>();
  for (const session of sessions) {
    const title = titleOf(new Date(session.updatedAt), now);
    const group = groups.get(title);
    if (group === undefined) groups.set(title, [session]);
    else group.push(session);
  }
  return [...groups].map(([title, own]) => ({ title, sessions: own }));
}

/** A text with the words that were searched standing out. */
export function marked(text: string, query: string): ReadonlyArray<{ text: string; hit: boolean }> {
  const words = query.split(/\s+/).filter((word) => word !== '');
  if (words.length === 0) return [{ text, hit: false }];
  const any = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|');
  return text
    .split(new RegExp(`(${any})`, 'gi'))
    .map((part, i) => ({ text: part, hit: i % 2 === 1 }))
    .filter((part) => part.text !== '');
}
