// A tool call → the Perses panel that draws it. Pure. Only calls of tools that ran a query are drawn; what is
// in the panel comes from Perses's own query plugin and datasource, never from an address in the call.
import {
  AbsoluteTimeRange,
  PanelDefinition,
  QueryDefinition,
  TimeRangeValue,
  UNIT_CONFIG,
  UnknownSpec,
  isValidTraceId,
} from '@perses-dev/core';

import { DatasourceRef, datasourceOf } from '../../api/datasource';
import { asObject, asText, parseJson } from '../../api/events';
import { Call } from '../store/reduce';

export type PanelKind = 'TimeSeriesChart' | 'StatChart' | 'Table';

/** What a tool may save besides, and what logs, traces and profiles are drawn with. */
export type SavedKind =
  | PanelKind
  | 'GaugeChart'
  | 'TimeSeriesTable'
  | 'LogsTable'
  | 'TraceTable'
  | 'TracingGanttChart'
  | 'FlameChart';

/** Perses's query plugins: what they bring, and what they ask. */
const SOURCES = {
  PrometheusTimeSeriesQuery: {
    type: 'TimeSeriesQuery',
    datasource: 'PrometheusDatasource',
    explorer: 'PrometheusExplorer',
    module: 'Prometheus',
  },
  LokiTimeSeriesQuery: {
    type: 'TimeSeriesQuery',
    datasource: 'LokiDatasource',
    explorer: 'LokiExplorer',
    module: 'Loki',
  },
  LokiLogQuery: {
    type: 'LogQuery',
    datasource: 'LokiDatasource',
    explorer: 'LokiExplorer',
    module: 'Loki',
  },
  TempoTraceQuery: {
    type: 'TraceQuery',
    datasource: 'TempoDatasource',
    explorer: 'TempoExplorer',
    module: 'Tempo',
  },
  PyroscopeProfileQuery: {
    type: 'ProfileQuery',
    datasource: 'PyroscopeDatasource',
    explorer: 'PyroscopeExplorer',
    module: 'Pyroscope',
  },
} as const;

export type QueryPlugin = keyof typeof SOURCES;

/** What the person chose for a panel; kept with the conversation. */
export interface PanelSettings {
  readonly kind?: PanelKind;
  readonly unit?: string;
  readonly decimalPlaces?: number;
  readonly shortValues?: boolean;
  readonly legend?: 'bottom' | 'right' | 'none';
  readonly stacked?: boolean;
  readonly thresholds?: readonly number[];
  /** Each sample as a point: what the data needs, never stored. */
  readonly points?: boolean;
}

export interface CallPanel {
  readonly kind: SavedKind;
  readonly plugin: QueryPlugin;
  /** As the person reads it. */
  readonly query: string;
  /** As the query plugin takes it; else just the query. */
  readonly spec?: UnknownSpec;
  readonly mode: 'range' | 'instant';
  readonly datasource: DatasourceRef | undefined;
  /** What the call asked for; undefined: the time that the page shows. */
  readonly timeRange: TimeRangeValue | undefined;
  readonly minStep: string | undefined;
  readonly title: string;
  readonly description?: string;
}

export const PANEL_KINDS: ReadonlyArray<{ kind: PanelKind; label: string }> = [
  { kind: 'TimeSeriesChart', label: 'Time series' },
  { kind: 'StatChart', label: 'Stat' },
  { kind: 'Table', label: 'Table' },
];

const DURATION = /^(\d+(?:ms|[smhdwy]))+$/;
const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1e3,
  m: 6e4,
  h: 36e5,
  d: 864e5,
  w: 6048e5,
  y: 31536e6,
};

export function durationMs(text: string): number | undefined {
  if (!DURATION.test(text)) return undefined;
  let sum = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|[smhdwy])/g))
    sum += Number(count) * (UNIT_MS[unit ?? ''] ?? 0);
  return sum;
}

/** RFC 3339, Unix seconds, "now" or "now-1h". */
export function timeOf(value: unknown, nowMs: number): Date | undefined {
  if (typeof value === 'number' && Number.isFinite(value)) return dateOf(value < 1e11 ? value * 1000 : value);
  const text = asText(value).trim();
  const relative = /^now(?:\s*([-+])\s*(\S+))?$/i.exec(text);
  if (relative !== null) {
    const shift = relative[2] === undefined ? 0 : durationMs(relative[2]);
    return shift === undefined ? undefined : dateOf(nowMs + (relative[1] === '+' ? shift : -shift));
  }
  if (/^\d+(\.\d+)?$/.test(text)) return timeOf(Number(text), nowMs);
  return text === '' ? undefined : dateOf(Date.parse(text));
}

function dateOf(ms: number): Date | undefined {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

const SAVED_KINDS = new Set<string>(['TimeSeriesChart', 'StatChart', 'GaugeChart', 'TimeSeriesTable']);

/** The chart that a tool's arguments name; undefined: none that the tools make. */
export function savedKind(args: Readonly<Record<string, unknown>>): SavedKind | undefined {
  const kind = asText(args['kind']) || 'TimeSeriesChart';
  return SAVED_KINDS.has(kind) ? (kind as SavedKind) : undefined;
}

/** The tools answer with what they really asked: times made absolute, the step that was raised. */
function rangeOf(
  asked: Record<string, unknown>,
  result: Record<string, unknown>,
  nowMs: number,
): AbsoluteTimeRange | undefined {
  const start = timeOf(result['start'], nowMs) ?? timeOf(asked['start'], nowMs);
  const end = timeOf(result['end'], nowMs) ?? timeOf(asked['end'], nowMs);
  const span = durationMs(asText(asked['duration']));
  const last = end ?? (span === undefined && start === undefined ? undefined : new Date(nowMs));
  const first =
    start ?? (span === undefined || last === undefined ? undefined : new Date(last.getTime() - span));
  if (first === undefined || last === undefined || first >= last) return undefined;
  return { start: first, end: last };
}

/** What a tool's call and its answer say; the time is what the tool says that it asked for. */
interface Asked {
  readonly args: Readonly<Record<string, unknown>>;
  readonly result: Readonly<Record<string, unknown>>;
  readonly query: string;
  readonly nowMs: number;
}

type Drawing = Pick<CallPanel, 'kind' | 'plugin'> & Partial<CallPanel>;

function instant({ args, result, nowMs }: Asked): Drawing {
  const series = Array.isArray(result['series']) ? result['series'].length : undefined;
  const at = timeOf(result['time'] ?? args['time'], nowMs);
  return {
    kind: series === 1 ? 'StatChart' : 'Table',
    plugin: 'PrometheusTimeSeriesQuery',
    mode: 'instant',
    timeRange: at && { start: new Date(at.getTime() - 3_600_000), end: at },
  };
}

function logs({ args, query }: Asked): Drawing {
  // A query of log lines begins with its selector, one of numbers with a function.
  if (!query.startsWith('{')) return { kind: 'TimeSeriesChart', plugin: 'LokiTimeSeriesQuery' };
  const direction = args['direction'] === 'forward' ? 'forward' : 'backward';
  return { kind: 'LogsTable', plugin: 'LokiLogQuery', spec: { query, direction } };
}

function traces({ args, query }: Asked): Drawing {
  const limit = Number(args['limit']);
  const some = Number.isInteger(limit) && limit > 0 ? { limit } : {};
  return { kind: 'TraceTable', plugin: 'TempoTraceQuery', spec: { query, ...some } };
}

const MATCHER = /^\s*([A-Za-z_][\w.]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)/;

/** `TYPE{label="value",…}` as the query plugin takes it, in parts; undefined: it can't. */
function profile({ query }: Asked): Drawing | undefined {
  const [, profileType, inside = ''] = /^([\w.-]+(?::[\w.-]+){4})\s*(?:\{(.*)\})?$/s.exec(query) ?? [];
  if (profileType === undefined) return undefined;
  const filters: UnknownSpec[] = [];
  for (let rest = inside; rest.trim() !== '';) {
    const match = MATCHER.exec(rest);
    if (match === null) return undefined;
    filters.push({ labelName: match[1], operator: match[2], labelValue: match[3] });
    rest = rest.slice(match[0].length);
  }
  return { kind: 'FlameChart', plugin: 'PyroscopeProfileQuery', spec: { profileType, filters } };
}

function proposed({ args, query }: Asked): Drawing | undefined {
  const kind = savedKind(args);
  const title = asText(args['title']) || query;
  const description = asText(args['description']);
  return kind && { kind, plugin: 'PrometheusTimeSeriesQuery', title, description };
}

/** The tools whose calls are drawn, and the argument that is the query. */
const DRAWN: Readonly<Record<string, { argument: string; draw: (asked: Asked) => Drawing | undefined }>> = {
  execute_range_query: {
    argument: 'query',
    draw: () => ({ kind: 'TimeSeriesChart', plugin: 'PrometheusTimeSeriesQuery' }),
  },
  execute_instant_query: { argument: 'query', draw: instant },
  propose_panel: { argument: 'query', draw: proposed },
  loki_query: { argument: 'query', draw: logs },
  tempo_search: { argument: 'query', draw: traces },
  tempo_trace: {
    argument: 'trace_id',
    draw: ({ query }) =>
      isValidTraceId(query) ? { kind: 'TracingGanttChart', plugin: 'TempoTraceQuery' } : undefined,
  },
  pyroscope_top_functions: { argument: 'query', draw: profile },
};

export function panelOf(call: Call, at: string, settings: PanelSettings | undefined): CallPanel | undefined {
  const tool = Object.hasOwn(DRAWN, call.name) ? DRAWN[call.name] : undefined;
  const args = asObject(call.args);
  const query = asText(args?.[tool?.argument ?? '']).trim();
  if (tool === undefined || args === undefined || query === '') return undefined;
  const result = asObject(parseJson(call.result?.content ?? '')) ?? {};
  const asOf = Date.parse(at);
  const nowMs = Number.isNaN(asOf) ? Date.now() : asOf;
  const drawing = tool.draw({ args, result, query, nowMs });
  if (drawing === undefined) return undefined;
  const step = asText(args['step']);
  const panel: CallPanel = {
    query,
    mode: 'range',
    datasource: datasourceOf(call.result?.datasource ?? ''),
    timeRange: drawing.mode === 'instant' ? undefined : rangeOf(args, result, nowMs),
    minStep: durationMs(step) === undefined ? undefined : step,
    title: query,
    ...drawing,
  };
  return isSeries(panel) && settings?.kind !== undefined ? { ...panel, kind: settings.kind } : panel;
}

/** What the person chose for a call's panel, else what the call proposes. */
export function settingsOf(call: Call, stored: PanelSettings | undefined): PanelSettings {
  if (call.name !== 'propose_panel') return stored ?? {};
  return { ...parseSettings({ unit: asObject(call.args)?.['unit'] }), ...stored };
}

/** Series of numbers can be drawn in several ways, other things in one. */
export function isSeries(panel: CallPanel): boolean {
  return SOURCES[panel.plugin].type === 'TimeSeriesQuery';
}

/** The plugins that must be there for it to be drawn. */
export function pluginsOf(panel: CallPanel): ReadonlyArray<{ readonly kind: string; readonly name: string }> {
  const { type, datasource } = SOURCES[panel.plugin];
  return [
    { kind: 'Panel', name: panel.kind },
    { kind: type, name: panel.plugin },
    { kind: 'Datasource', name: datasource },
  ];
}

export function queriesOf(panel: CallPanel): QueryDefinition[] {
  const { type, datasource: kind } = SOURCES[panel.plugin];
  const spec: UnknownSpec = {
    ...(panel.spec ?? { query: panel.query }),
    ...(panel.datasource === undefined ? {} : { datasource: { kind, name: panel.datasource.name } }),
    ...(panel.minStep === undefined ? {} : { minStep: panel.minStep }),
  };
  return [{ kind: type, spec: { plugin: { kind: panel.plugin, spec } } }];
}

/** As the query asks for it: by the function around it, else the largest first. */
function sortOf(query: string): { readonly sort?: 'asc' | 'desc' } {
  const code = query.replace(/^(?:\s|\(|#.*(?:\n|$))+/, '');
  const [, name = ''] = /^(\w+)\s*(?:\(|by\b|without\b)/i.exec(code) ?? [];
  if (/^sort_by_label/i.test(name)) return {}; // the server's order
  return { sort: /^(sort|bottomk(_\w+)?)$/i.test(name) ? 'asc' : 'desc' };
}

function pluginSpec(panel: CallPanel, settings: PanelSettings): UnknownSpec {
  const { unit, decimalPlaces, shortValues } = settings;
  const chosen = unit !== undefined || decimalPlaces !== undefined || shortValues !== undefined;
  const format = chosen
    ? {
        unit: unit ?? 'decimal',
        ...(decimalPlaces === undefined ? {} : { decimalPlaces }),
        ...(shortValues === undefined ? {} : { shortValues }),
      }
    : undefined;
  const thresholds =
    settings.thresholds === undefined || settings.thresholds.length === 0
      ? undefined
      : { steps: settings.thresholds.map((value) => ({ value })) };
  switch (panel.kind) {
    case 'TimeSeriesChart':
      return {
        ...(settings.legend === 'none'
          ? {}
          : { legend: { position: settings.legend ?? 'bottom', mode: 'list', size: 'small' } }),
        ...(format === undefined ? {} : { yAxis: { format } }),
        ...(thresholds === undefined ? {} : { thresholds }),
        visual: {
          ...(settings.stacked === true ? { stack: 'all', areaOpacity: 0.3 } : { areaOpacity: 0 }),
          ...(settings.points === true ? { showPoints: 'always', pointRadius: 4 } : {}),
        },
      };
    case 'StatChart':
      return {
        calculation: 'last-number',
        format: format ?? { unit: 'decimal', shortValues: true },
        ...(thresholds === undefined ? {} : { thresholds }),
        ...(panel.mode === 'range' ? { sparkline: {} } : {}),
      };
    case 'GaugeChart':
      // Without a unit it is a percentage to Perses: 3.42 would be 342%.
      return { calculation: 'last-number', format: format ?? { unit: 'decimal', shortValues: true } };
    case 'TimeSeriesTable':
      return {};
    case 'Table':
      // The settings' order is that of the columns: the value comes before the labels.
      return {
        density: 'compact',
        columnSettings: [
          { name: 'timestamp', hide: true },
          { name: 'value', header: 'Value', align: 'right', ...sortOf(panel.query) },
        ],
      };
    case 'LogsTable':
      return { time: true, wrap: true, enableDetails: true };
    case 'TraceTable':
      return panel.datasource?.project === undefined ? { links: { trace: TRACE_LINK } } : {};
    case 'TracingGanttChart':
      return {};
    case 'FlameChart':
      return {
        palette: 'package-name',
        showSettings: false,
        showSeries: false,
        showTable: true,
        showFlameGraph: true,
        traceHeight: 25,
      };
  }
}

export function definitionOf(panel: CallPanel, settings: PanelSettings = {}): PanelDefinition {
  return {
    kind: 'Panel',
    spec: {
      display: {
        name: panel.title,
        ...(panel.description ? { description: panel.description } : {}),
      },
      plugin: { kind: panel.kind, spec: pluginSpec(panel, settings) },
      queries: queriesOf(panel),
    },
  };
}

const KINDS = new Set<string>(PANEL_KINDS.map(({ kind }) => kind));

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** Settings as they were stored: checked, as all that comes from outside. */
export function parseSettings(value: unknown): PanelSettings | undefined {
  const stored = asObject(value);
  if (stored === undefined) return undefined;
  const { kind, unit, legend, stacked, thresholds, decimalPlaces, shortValues } = stored;
  return {
    ...(typeof kind === 'string' && KINDS.has(kind) ? { kind: kind as PanelKind } : {}),
    // Another one breaks the panel: Perses looks it up without a check.
    ...(typeof unit === 'string' && Object.hasOwn(UNIT_CONFIG, unit) ? { unit } : {}),
    ...(legend === 'bottom' || legend === 'right' || legend === 'none' ? { legend } : {}),
    ...(typeof stacked === 'boolean' ? { stacked } : {}),
    ...(Array.isArray(thresholds) ? { thresholds: thresholds.filter(isNumber).slice(0, 8) } : {}),
    ...(isNumber(decimalPlaces) && decimalPlaces >= 0 && decimalPlaces <= 12 ? { decimalPlaces } : {}),
    ...(typeof shortValues === 'boolean' ? { shortValues } : {}),
  };
}

function explorerAddress(panel: CallPanel, data: unknown): URLSearchParams {
  const { module, explorer } = SOURCES[panel.plugin];
  return new URLSearchParams({ explorer: `${module}-${explorer}`, data: JSON.stringify(data) });
}

/** The name of the explorer that can show it, should it be there; Explore knows global datasources only. */
export function explorerOf(panel: CallPanel): string | undefined {
  return panel.datasource?.project === undefined ? SOURCES[panel.plugin].explorer : undefined;
}

/** The address of Perses's own explorer with this query; only names and the query go into it. */
export function exploreLink(panel: CallPanel): string {
  const { type } = SOURCES[panel.plugin];
  const queries = queriesOf(panel);
  const tab = panel.mode === 'range' ? 'graph' : 'table';
  const query = explorerAddress(panel, type === 'TimeSeriesQuery' ? { tab, queries } : { queries });
  const range = panel.timeRange;
  if (range !== undefined && 'start' in range) {
    query.set('start', String(range.start.getTime()));
    query.set('end', String(range.end.getTime()));
  }
  return `/explore?${query.toString()}`;
}

/** Where a trace in a table leads; Perses puts the names in. */
const TRACE_LINK = exploreLink({
  kind: 'TracingGanttChart',
  plugin: 'TempoTraceQuery',
  query: 'TRACEID',
  mode: 'range',
  datasource: { path: '', name: 'DATASOURCENAME' },
  timeRange: undefined,
  minStep: undefined,
  title: '',
})
  .replace('TRACEID', '${traceId}')
  .replace('DATASOURCENAME', '${datasourceName}');
