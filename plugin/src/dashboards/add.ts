// Panels into a dashboard. Pure, but for save(), which reads the dashboard, changes it and writes it back at once;
// when somebody else was faster and Perses says so (409), it does so again on what they left. Perses 0.54 does not
// compare versions: what somebody writes between our reading and writing, in the same moment, is seen afterwards by a
// version that is not the next one, and told.
import { DashboardResource, GridDefinition, GridItemDefinition, PanelDefinition } from '@perses-dev/core';

import { asCount, asObject, asText } from '../api/events';
import { PersesApi, statusOf } from '../api/perses';
import { t } from '../i18n/i18n';

const COLUMNS = 24;
const PANEL_WIDTH = 12;
const PANEL_HEIGHT = 8;
const TRIES = 4;

export interface Target {
  readonly project: string;
  /** An existing dashboard's name, or a new one. */
  readonly dashboard: { readonly name: string } | NewDashboard;
  /** The title of a group; one that is not there is made. */
  readonly group: string;
}

export interface NewDashboard {
  readonly title: string;
  readonly description?: string;
  readonly duration?: string;
}

export interface Added {
  readonly panel: PanelDefinition;
  /** Its own group; else that of the target. */
  readonly group?: string;
}

/** Perses's own page of it. */
export function dashboardLink({ project, name }: { project: string; name: string }): string {
  return `/projects/${encodeURIComponent(project)}/dashboards/${encodeURIComponent(name)}`;
}

function freeKey(panels: Readonly<Record<string, unknown>>): string {
  for (let n = Object.keys(panels).length + 1; ; n++) {
    if (!(`persai_${n}` in panels)) return `persai_${n}`;
  }
}

function bottomOf(items: readonly GridItemDefinition[]): number {
  return items.reduce((bottom, item) => {
    const { y, height } = asObject(item) ?? {}; // what it has is written back as it is, also what makes no sense
    return Math.max(bottom, asCount(y) + asCount(height));
  }, 0);
}

function titleOf({ spec }: GridDefinition): string {
  return asText(asObject(spec.display)?.['title']);
}

export function groupsOf(dashboard: DashboardResource): readonly string[] {
  return dashboard.spec.layouts.map(titleOf);
}

/** The dashboard with the panels below what its group has; nothing else of it changes. */
export function addPanels(
  dashboard: DashboardResource,
  panels: readonly PanelDefinition[],
  group: string,
): DashboardResource {
  const all = { ...dashboard.spec.panels };
  const layouts: GridDefinition[] = [...dashboard.spec.layouts];
  let at = layouts.findIndex((layout) => titleOf(layout) === group);
  if (at < 0) {
    layouts.push({ kind: 'Grid', spec: { display: { title: group, collapse: { open: true } }, items: [] } });
    at = layouts.length - 1;
  }
  const layout = layouts[at];
  if (layout === undefined) return dashboard;
  const items = [...layout.spec.items];
  const top = bottomOf(items);
  panels.forEach((panel, i) => {
    const key = freeKey(all);
    all[key] = panel;
    const perRow = COLUMNS / PANEL_WIDTH;
    items.push({
      x: (i % perRow) * PANEL_WIDTH,
      y: top + Math.floor(i / perRow) * PANEL_HEIGHT,
      width: PANEL_WIDTH,
      height: PANEL_HEIGHT,
      content: { $ref: `#/spec/panels/${key}` },
    });
  });
  layouts[at] = { ...layout, spec: { ...layout.spec, items } };
  return { ...dashboard, spec: { ...dashboard.spec, panels: all, layouts } };
}

/** Each panel in its group, the groups in the order of their first panels. */
function addAll(dashboard: DashboardResource, added: readonly Added[], usual: string): DashboardResource {
  const groupOf = ({ group = usual }: Added): string => group;
  return [...new Set(added.map(groupOf))].reduce(
    (board, group) =>
      addPanels(
        board,
        added.filter((one) => groupOf(one) === group).map(({ panel }) => panel),
        group,
      ),
    dashboard,
  );
}

/** A name that Perses takes, from a title; the same one that save_dashboard makes of it (worker/tools/perses/draft.c). */
export function nameFrom(title: string): string {
  return title
    .replace(/[^A-Za-z0-9.-]+/g, '_')
    .replace(/^_/, '')
    .slice(0, 75)
    .replace(/^[_.-]+|[_.-]+$/g, '');
}

function emptyDashboard(
  project: string,
  { title, description = '', duration = '1h' }: NewDashboard,
): DashboardResource {
  const now = new Date().toISOString();
  return {
    kind: 'Dashboard',
    metadata: { name: nameFrom(title), project, version: 0, createdAt: now, updatedAt: now },
    spec: {
      display: { name: title.trim(), ...(description === '' ? {} : { description }) },
      duration: duration as DashboardResource['spec']['duration'],
      refreshInterval: '0s',
      variables: [],
      panels: {},
      layouts: [],
    },
  };
}

export interface Saved {
  readonly dashboard: DashboardResource;
  /** Somebody else wrote it in the same moment: their change may be lost. */
  readonly raced: boolean;
}

export async function save(
  api: PersesApi,
  { project, dashboard, group }: Target,
  added: readonly Added[],
): Promise<Saved> {
  if ('title' in dashboard) {
    const made = await api.createDashboard(addAll(emptyDashboard(project, dashboard), added, group));
    return { dashboard: made, raced: false };
  }
  for (let left = TRIES; ; left--) {
    const read = await api.getDashboard(project, dashboard.name);
    try {
      const saved = await api.updateDashboard(addAll(read, added, group));
      return { dashboard: saved, raced: (saved.metadata.version ?? 0) > (read.metadata.version ?? 0) + 1 };
    } catch (error) {
      if (statusOf(error) !== 409 || left <= 1) throw error;
    }
  }
}

/** What a person reads when Perses refuses. */
export function refusalOf(error: unknown, project: string): string {
  switch (statusOf(error)) {
    case 401:
      return t('client.youAreSignedOut');
    case 403:
      return t('add.forbidden', { project });
    case 409:
      return t('add.conflict');
    default:
      return error instanceof Error ? error.message : t('add.refused');
  }
}
