// What Perses's API lists, checked where it comes in: Perses leaves out what is empty (a dashboard without variables
// has none, not an empty list), writes null for empty lists, and its store may hold what somebody wrote by hand. What
// makes no sense is left out, so that one bad entry hides no other. Pure; never throws.
import {
  DashboardResource,
  DatasourceResource,
  GlobalDatasourceResource,
  ProjectResource,
  Variable,
  VariableDefinition,
} from '@perses-dev/core';

import { Json, asList, asObject, asText } from './events';

/** Perses's rule for the names of variables. */
const VARIABLE_NAME = /^[A-Za-z0-9_]{1,200}$/;
const PANEL_REF = '#/spec/panels/';

function isPresent<T>(value: T | undefined): value is T {
  return value !== undefined;
}

function entriesOf(value: unknown): ReadonlyArray<[string, unknown]> {
  return Object.entries(asObject(value) ?? {});
}

/** Name and description as text, where they are. */
function display(value: unknown): { readonly display?: Json } {
  const name = asText(asObject(value)?.['name']);
  const description = asText(asObject(value)?.['description']);
  if (name === '' && description === '') return {};
  return {
    display: { ...(name === '' ? {} : { name }), ...(description === '' ? {} : { description }) },
  };
}

/** Kind and spec of a plugin; the spec is whatever the plugin takes. */
function plugin(value: unknown): Json | undefined {
  const kind = asText(asObject(value)?.['kind']);
  return kind === '' ? undefined : { kind, spec: asObject(asObject(value)?.['spec']) ?? {} };
}

function query(value: unknown): Json | undefined {
  const asked = plugin(asObject(asObject(value)?.['spec'])?.['plugin']);
  return asked && { kind: asText(asObject(value)?.['kind']), spec: { plugin: asked } };
}

function panel(value: unknown): Json | undefined {
  const spec = asObject(asObject(value)?.['spec']);
  const drawn = plugin(spec?.['plugin']);
  if (spec === undefined || drawn === undefined) return undefined;
  const queries = asList(spec['queries']).map(query).filter(isPresent);
  return {
    kind: 'Panel',
    spec: { ...spec, display: undefined, ...display(spec['display']), plugin: drawn, queries },
  };
}

function layout(value: unknown): Json | undefined {
  const spec = asObject(asObject(value)?.['spec']);
  if (spec === undefined) return undefined;
  const items = asList(spec['items'])
    .map(asObject)
    .filter((item) => asText(asObject(item?.['content'])?.['$ref']).startsWith(PANEL_REF));
  const title = asText(asObject(spec['display'])?.['title']);
  return { kind: 'Grid', spec: { ...spec, display: title === '' ? undefined : { title }, items } };
}

function variable(value: unknown): VariableDefinition | undefined {
  const { kind, spec: given } = asObject(value) ?? {};
  const spec = asObject(given);
  const name = asText(spec?.['name']);
  if (spec === undefined || !VARIABLE_NAME.test(name)) return undefined;
  const common = { name, ...display(spec['display']) };
  if (kind === 'TextVariable')
    return { kind, spec: { ...spec, display: undefined, ...common, value: asText(spec['value']) } };
  if (kind !== 'ListVariable') return undefined;
  const values = spec['defaultValue'];
  return {
    kind,
    spec: {
      ...spec,
      display: undefined,
      ...common,
      defaultValue: Array.isArray(values) ? values.map(asText) : asText(values),
      allowMultiple: spec['allowMultiple'] === true,
      allowAllValue: spec['allowAllValue'] === true,
      plugin: plugin(spec['plugin']) ?? { kind: '', spec: {} },
    },
  } as unknown as VariableDefinition;
}

/** To be shown and taken from; never written back, as it lacks what makes no sense. */
export function readDashboard(value: unknown): DashboardResource | undefined {
  const metadata = asObject(asObject(value)?.['metadata']);
  const name = asText(metadata?.['name']);
  const project = asText(metadata?.['project']);
  if (name === '' || project === '') return undefined;
  const spec = asObject(asObject(value)?.['spec']) ?? {};
  const panels = entriesOf(spec['panels']).map(([key, one]) => [key, panel(one)] as const);
  const duration = asText(spec['duration']);
  return {
    kind: 'Dashboard',
    metadata: { ...metadata, name, project },
    spec: {
      ...display(spec['display']),
      ...(duration === '' ? {} : { duration }),
      variables: asList(spec['variables']).map(variable).filter(isPresent),
      panels: Object.fromEntries(panels.filter(([, one]) => one !== undefined)),
      layouts: asList(spec['layouts']).map(layout).filter(isPresent),
    },
  } as unknown as DashboardResource;
}

/** To be changed and written back: all of it, and lists where lists belong. */
export function wholeDashboard(value: unknown): DashboardResource {
  const dashboard = asObject(value) ?? {};
  const spec = asObject(dashboard['spec']) ?? {};
  const layouts = asList(spec['layouts']).flatMap((one) => {
    const grid = asObject(one);
    const inside = asObject(grid?.['spec']) ?? {};
    return grid === undefined ? [] : [{ ...grid, spec: { ...inside, items: asList(inside['items']) } }];
  });
  return {
    ...dashboard,
    metadata: asObject(dashboard['metadata']) ?? {},
    spec: { ...spec, variables: asList(spec['variables']), panels: asObject(spec['panels']) ?? {}, layouts },
  } as unknown as DashboardResource;
}

function named(
  value: unknown,
): { readonly resource: Json; readonly metadata: Json; readonly spec: Json } | undefined {
  const resource = asObject(value);
  const metadata = asObject(resource?.['metadata']);
  if (resource === undefined || metadata === undefined || asText(metadata['name']) === '') return undefined;
  return { resource, metadata, spec: asObject(resource['spec']) ?? {} };
}

export function readProjects(value: unknown): readonly ProjectResource[] {
  return asList(value).flatMap((one) => {
    const found = named(one);
    if (found === undefined) return [];
    const { resource, spec } = found;
    return [
      {
        ...resource,
        spec: { ...spec, display: undefined, ...display(spec['display']) },
      } as unknown as ProjectResource,
    ];
  });
}

export function readDashboards(value: unknown): readonly DashboardResource[] {
  return asList(value).map(readDashboard).filter(isPresent);
}

export function readVariables(value: unknown): readonly Variable[] {
  return asList(value).flatMap((one) => {
    const found = named(one);
    if (found === undefined) return [];
    // Its name is that of the resource.
    const { resource, metadata, spec } = found;
    const definition = variable({ ...spec, spec: { ...asObject(spec['spec']), name: metadata['name'] } });
    return definition === undefined ? [] : [{ ...resource, spec: definition } as unknown as Variable];
  });
}

export function readDatasources<T extends DatasourceResource | GlobalDatasourceResource>(
  value: unknown,
): readonly T[] {
  return asList(value).flatMap((one) => {
    const found = named(one);
    const known = plugin(found?.spec['plugin']);
    if (found === undefined || known === undefined) return [];
    const spec = { ...found.spec, default: found.spec['default'] === true, plugin: known };
    return [{ ...found.resource, spec } as unknown as T];
  });
}
