// What one may ask first: about what is firing, the dashboard that the chat is in, and the datasources that are picked.
import { Key, t } from '../../i18n/i18n';
import { plain, shorten } from '../../text';

const MAX = 4;
/** Alerts would else leave no room for anything else. */
const FIRING_MAX = 2;
const NAME_MAX = 60;

/** Of each product, what it answers best; those that only metrics can answer come with Prometheus. */
const OF_PRODUCT: Readonly<Record<string, readonly Key[]>> = {
  Prometheus: ['empty.whichTargetsAreUp', 'empty.howBusyIsThe', 'empty.whatUsesTheMost'],
  Loki: ['empty.whichLogErrors', 'empty.newInLogs'],
  Tempo: ['empty.slowestTraces', 'empty.failedTraces'],
  Pyroscope: ['empty.functionsCpu'],
  AlertManager: ['empty.whichAlerts'],
};
const OF_DASHBOARD: readonly Key[] = ['empty.standsOut', 'empty.changedHere'];

export interface SuggestionFacts {
  readonly products: readonly string[];
  readonly firing: readonly string[];
  readonly onDashboard: boolean;
}

/** One of each product in turn, so that all that are picked are heard. */
function inTurn(lists: ReadonlyArray<readonly Key[]>): readonly Key[] {
  const longest = Math.max(0, ...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, i) => lists.flatMap((list) => list[i] ?? [])).flat();
}

export function suggestionsOf({ products, firing, onDashboard }: SuggestionFacts): readonly string[] {
  const alerts = firing
    .slice(0, FIRING_MAX)
    .map((name) => t('empty.whyFiring', { name: plain(shorten(name, NAME_MAX)) }));
  const known = [...new Set(products)].map((product) => OF_PRODUCT[product] ?? []);
  const keys = onDashboard ? OF_DASHBOARD : [...inTurn(known), 'empty.hasAnythingChangedIn' as const];
  return [...alerts, ...keys.map((key) => t(key))].slice(0, MAX);
}
