// A dashboard, or some of its panels, as what a question is about: compact, so that its size can be told before
// it is added. Pure. What is kept is a copy: the conversation knows what was asked of, also when it has changed.
import {
  DashboardResource,
  PanelDefinition,
  Variable,
  VariableDefinition,
  formatValue,
} from '@perses-dev/core';

import { PanelContext, TimeRangeContext, TurnContext } from '../api/client';
import { asList, asObject, asText } from '../api/events';
import { shorten } from '../text';
import { number, t } from '../i18n/i18n';

export type VariableValues = Readonly<Record<string, string | readonly string[]>>;

/** What goes along with every question of a conversation until it is removed. */
export interface Attachment {
  readonly project: string;
  readonly dashboard: string;
  readonly title: string;
  readonly description?: string;
  /** The panels that were chosen; `panelCount` of the dashboard's. */
  readonly panels: readonly PanelContext[];
  readonly panelCount: number;
  readonly variables: VariableValues;
  /** The dashboard's own time, when the person wants that one. */
  readonly duration?: string;
}

/** What goes before the model of dashboards, at most; the worker takes no more than 32 KiB. */
export const CONTEXT_BYTES_MAX = 24 * 1024;
const QUERY_CHARS_MAX = 2_000;
const TEXT_CHARS_MAX = 500;
const PANELS_MAX = 200;
const ATTACHMENTS_MAX = 8;

/** `$__all` and lists as Perses keeps them; a text variable's text. */
export function valueOf(variable: VariableDefinition): string | readonly string[] {
  if (variable.kind === 'TextVariable') return variable.spec.value;
  return variable.spec.defaultValue ?? '';
}

/** What the person chose for it, else what the dashboard says. */
export function chosenOf(variable: VariableDefinition, values: VariableValues): string | readonly string[] {
  const { name } = variable.spec;
  return (Object.hasOwn(values, name) ? values[name] : undefined) ?? valueOf(variable);
}

/** A query plugin's own text: PromQL, LogQL, TraceQL stand in `query`; of others the whole spec. */
function queryText(plugin: { readonly kind: string; readonly spec: unknown }): string {
  const query = asText(asObject(plugin.spec)?.['query']);
  return shorten(query === '' ? JSON.stringify(plugin.spec) : query, QUERY_CHARS_MAX);
}

function panelContext(panel: PanelDefinition, key: string): PanelContext {
  const { display, plugin, queries } = panel.spec;
  const description = display?.description ?? '';
  const unit = asText(asObject(asObject(plugin.spec)?.['format'])?.['unit']);
  const axis = asText(asObject(asObject(asObject(plugin.spec)?.['yAxis'])?.['format'])?.['unit']);
  return {
    title: shorten(display?.name ?? key, TEXT_CHARS_MAX),
    ...(description === '' ? {} : { description: shorten(description, TEXT_CHARS_MAX) }),
    kind: plugin.kind,
    ...(unit === '' && axis === '' ? {} : { unit: unit || axis }),
    queries: (queries ?? []).map(({ spec }) => queryText(spec.plugin)),
  };
}

export interface PanelChoice {
  readonly key: string;
  readonly title: string;
  readonly group: string;
}

/** The panels in the order in which the dashboard shows them. */
export function panelsOf(dashboard: DashboardResource): readonly PanelChoice[] {
  const { panels, layouts } = dashboard.spec;
  const choices: PanelChoice[] = [];
  const seen = new Set<string>();
  const add = (key: string, group: string): void => {
    const panel = Object.hasOwn(panels, key) ? panels[key] : undefined;
    if (panel === undefined || seen.has(key)) return;
    seen.add(key);
    choices.push({ key, title: panel.spec.display?.name ?? key, group });
  };
  for (const { spec } of layouts) {
    for (const { content } of spec.items)
      add(content.$ref.replace('#/spec/panels/', ''), spec.display?.title ?? '');
  }
  for (const key of Object.keys(panels)) add(key, '');
  return choices;
}

/** The dashboard as Perses shows it: with the variables of its project and the global ones. Of one name the nearer one
 *  counts; the list has the project's before the global ones. */
export function withOutside(dashboard: DashboardResource, outside: readonly Variable[]): DashboardResource {
  const variables = [...dashboard.spec.variables];
  for (const { metadata, spec } of outside) {
    if (variables.some(({ spec: { name } }) => name === metadata.name)) continue;
    variables.push({ ...spec, spec: { ...spec.spec, name: metadata.name } } as VariableDefinition);
  }
  return { ...dashboard, spec: { ...dashboard.spec, variables } };
}

/** The names of the variables that the chosen panels use, and those that these use. */
export function usedVariables(dashboard: DashboardResource, keys: ReadonlySet<string>): ReadonlySet<string> {
  const { panels, variables } = dashboard.spec;
  const used = new Set<string>();
  const look = (text: string): void => {
    for (const { spec } of variables) {
      const uses = new RegExp(`\\$(\\{${spec.name}[:}]|${spec.name}(?![A-Za-z0-9_]))`).test(text);
      if (!uses || used.has(spec.name)) continue;
      used.add(spec.name);
      look(JSON.stringify(variables.find((one) => one.spec.name === spec.name) ?? ''));
    }
  };
  for (const [key, panel] of Object.entries(panels)) if (keys.has(key)) look(JSON.stringify(panel.spec));
  return used;
}

export function attachmentOf(
  dashboard: DashboardResource,
  keys: ReadonlySet<string>,
  values: VariableValues,
  ownTime: boolean,
): Attachment {
  const { metadata, spec } = dashboard;
  const used = usedVariables(dashboard, keys);
  const description = spec.display?.description ?? '';
  const chosen = panelsOf(dashboard).filter(({ key }) => keys.has(key));
  return {
    project: metadata.project,
    dashboard: metadata.name,
    title: shorten(spec.display?.name ?? metadata.name, TEXT_CHARS_MAX),
    ...(description === '' ? {} : { description: shorten(description, TEXT_CHARS_MAX) }),
    panels: chosen.slice(0, PANELS_MAX).flatMap(({ key }) => {
      const panel = spec.panels[key];
      return panel === undefined ? [] : [panelContext(panel, key)];
    }),
    panelCount: Object.keys(spec.panels).length,
    variables: Object.fromEntries(
      spec.variables
        .filter((variable) => used.has(variable.spec.name))
        .map((variable) => [variable.spec.name, chosenOf(variable, values)]),
    ),
    ...(ownTime && spec.duration !== undefined ? { duration: spec.duration } : {}),
  };
}

export function isSame(a: Attachment, b: Attachment): boolean {
  return a.project === b.project && a.dashboard === b.dashboard;
}

/** The attachments with this one in the place of an earlier one of the same dashboard. */
export function withAttachment(all: readonly Attachment[], one: Attachment): readonly Attachment[] {
  return [...all.filter((old) => !isSame(old, one)), one].slice(-ATTACHMENTS_MAX);
}

/** What of a turn's context comes from the attachments; undefined: nothing. `elsewhere`: the question is about another
 *  dashboard first, so each panel says of which one it is. */
export function contextOf(attachments: readonly Attachment[], elsewhere = false): TurnContext | undefined {
  const first = attachments[0];
  if (first === undefined) return undefined;
  const several = attachments.length > 1 || elsewhere;
  const variables: Record<string, string | readonly string[]> = {};
  for (const { project, dashboard, variables: own } of attachments) {
    for (const [name, value] of Object.entries(own)) {
      const taken =
        Object.hasOwn(variables, name) && JSON.stringify(variables[name]) !== JSON.stringify(value);
      variables[taken ? `${name} (${project}/${dashboard})` : name] = value;
    }
  }
  const duration = attachments.find((one) => one.duration !== undefined)?.duration;
  const time: TimeRangeContext | undefined = duration === undefined ? undefined : { duration };
  return {
    dashboard: {
      project: first.project,
      name: first.dashboard,
      title: first.title,
      ...(first.description === undefined ? {} : { description: first.description }),
    },
    panels: attachments.flatMap(({ project, dashboard, panels }) =>
      panels.map((panel) => (several ? { ...panel, dashboard: `${project}/${dashboard}` } : panel)),
    ),
    ...(Object.keys(variables).length === 0 ? {} : { variables }),
    ...(time === undefined ? {} : { time_range: time }),
  };
}

/** Of what the model gets of them, in bytes of JSON. */
export function bytesOf(attachments: readonly Attachment[]): number {
  const context = contextOf(attachments);
  return context === undefined ? 0 : new TextEncoder().encode(JSON.stringify(context)).length;
}

/** As the worker estimates: four bytes a token. */
export function tokensOf(bytes: number): number {
  return Math.ceil(bytes / 4);
}

export function sizeText(bytes: number): string {
  const size = formatValue(bytes, { unit: 'bytes' });
  return t('context.size', { size, count: tokensOf(bytes), tokens: number(tokensOf(bytes)) });
}

function parsePanel(value: unknown): PanelContext | undefined {
  const panel = asObject(value);
  if (panel === undefined) return undefined;
  const optional = (name: string): Record<string, string> =>
    asText(panel[name]) === '' ? {} : { [name]: asText(panel[name]) };
  return {
    title: asText(panel['title']),
    ...optional('description'),
    ...optional('kind'),
    ...optional('unit'),
    queries: asList(panel['queries']).map(asText),
  };
}

/** As it was stored with a conversation: checked, as all that comes from outside. */
export function parseAttachment(value: unknown): Attachment | undefined {
  const stored = asObject(value);
  const project = asText(stored?.['project']);
  const dashboard = asText(stored?.['dashboard']);
  if (stored === undefined || project === '' || dashboard === '') return undefined;
  const variables: Record<string, string | readonly string[]> = {};
  for (const [name, one] of Object.entries(asObject(stored['variables']) ?? {}))
    variables[name] = Array.isArray(one) ? one.map(asText) : asText(one);
  const panelCount = Number(stored['panelCount']);
  const description = asText(stored['description']);
  const duration = asText(stored['duration']);
  return {
    project,
    dashboard,
    title: asText(stored['title']) || dashboard,
    ...(description === '' ? {} : { description }),
    panels: asList(stored['panels'])
      .map(parsePanel)
      .filter((panel) => panel !== undefined),
    panelCount: Number.isFinite(panelCount) ? panelCount : 0,
    variables,
    ...(/^(\d+(ms|[smhdwy]))+$/.test(duration) ? { duration } : {}),
  };
}
