// What a tool proposes to the person, or would save after a yes → panels, to be looked at before they are anywhere.
// Pure. They are made of the call's arguments, as the tools make theirs (worker/tools/perses/panel.c, draft.c).
import { DatasourceRef, datasourceOf, globalPath, isName } from '../../api/datasource';
import { asList, asObject, asText, parseJson } from '../../api/events';
import { nameFrom } from '../../dashboards/add';
import {
  CallPanel,
  PanelSettings,
  durationMs,
  panelOf,
  parseSettings,
  savedKind,
  settingsOf,
} from './panels';
import { Call, Turn } from '../store/reduce';

export interface Draft {
  readonly panel: CallPanel;
  readonly settings: PanelSettings;
  /** Of the dashboard; undefined: whichever. */
  readonly group?: string;
}

export interface DraftBoard {
  readonly project: string;
  /** As Perses will name it. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** undefined: the call says none, or nothing sensible. */
  readonly duration?: string;
  readonly panels: readonly Draft[];
}

/** As many as the tools take. */
const PANELS_MAX = 24;

function draftOf(args: Record<string, unknown>, datasource: DatasourceRef): Draft | undefined {
  const query = asText(args['query']).trim();
  const kind = savedKind(args);
  if (query === '' || kind === undefined) return undefined;
  return {
    panel: {
      kind,
      plugin: 'PrometheusTimeSeriesQuery',
      query,
      mode: 'range',
      datasource,
      timeRange: undefined,
      minStep: undefined,
      title: asText(args['title']) || query,
      description: asText(args['description']),
    },
    settings: parseSettings({ unit: args['unit'] }) ?? {},
    group: asText(args['group']) || undefined,
  };
}

/** What the tool has asked; before it has, what the call names; else `usual`, the path of the conversation's own. */
function sourceOf(call: Call, args: Record<string, unknown>, usual: string): DatasourceRef | undefined {
  const named = call.result?.datasource || asText(args['datasource']) || usual;
  return datasourceOf(named) ?? datasourceOf(globalPath(named));
}

/** The panel that a save_panel call would add. */
export function previewOf(call: Call, usual: string): Draft | undefined {
  const args = asObject(call.args);
  if (call.name !== 'save_panel' || args === undefined) return undefined;
  const datasource = sourceOf(call, args, usual);
  return datasource && draftOf(args, datasource);
}

/** The dashboard that a call proposes, or would make. One of which a part cannot be drawn is not half drawn. */
export function boardOf(call: Call, usual: string): DraftBoard | undefined {
  const args = asObject(call.args);
  if ((call.name !== 'propose_dashboard' && call.name !== 'save_dashboard') || args === undefined)
    return undefined;
  const datasource = sourceOf(call, args, usual);
  const asked = asList(args['panels']);
  if (datasource === undefined || asked.length > PANELS_MAX) return undefined;
  const panels = asked.flatMap((one) => draftOf(asObject(one) ?? {}, datasource) ?? []);
  if (panels.length === 0 || panels.length < asked.length) return undefined;
  const title = asText(args['title']);
  const duration = asText(args['duration']);
  return {
    project: asText(args['project']),
    name: nameFrom(title) || 'persai',
    title,
    description: asText(args['description']),
    duration: durationMs(duration) === undefined ? undefined : duration,
    panels,
  };
}

/** What of an answer can go into a dashboard. A query that is proposed as a panel too goes there as that panel. */
export function draftsOf(
  turn: Turn,
  at: string,
  stored: Readonly<Record<string, unknown>>,
): readonly Draft[] {
  const done = turn.steps
    .filter(({ type }) => type === 'tool_execution')
    .flatMap(({ calls }) => calls.filter(({ state }) => state === 'done'));
  const drafts = done.flatMap((call) => {
    const settings = parseSettings(stored[call.id]);
    const panel = panelOf(call, at, settings);
    const proposed = call.name === 'propose_panel';
    return panel === undefined
      ? []
      : [{ proposed, draft: { panel, settings: settingsOf(call, panel, settings) } }];
  });
  const taken = new Set(drafts.flatMap(({ proposed, draft }) => (proposed ? [draft.panel.query] : [])));
  return drafts
    .filter(({ proposed, draft }) => proposed || !taken.has(draft.panel.query))
    .map(({ draft }) => draft);
}

/** Perses could not say whether its plugins take what the call proposes. */
export function isUnchecked(call: Call): boolean {
  if (call.name !== 'propose_panel' && call.name !== 'propose_dashboard') return false;
  return asObject(parseJson(call.result?.content ?? ''))?.['checked'] === false;
}

/** The dashboard that a call has written to. */
export function savedTo(call: Call): { readonly project: string; readonly name: string } | undefined {
  if (call.state !== 'done' || (call.name !== 'save_panel' && call.name !== 'save_dashboard'))
    return undefined;
  const result = asObject(parseJson(call.result?.content ?? ''));
  const project = asText(result?.['project']);
  const name = asText(result?.['dashboard']);
  return isName(project) && isName(name) ? { project, name } : undefined;
}
