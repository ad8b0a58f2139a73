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
import { asList, asObject, asText, parseJson } from '../../api/events';
import { Call } from '../store/reduce';
import { t } from '../../i18n/i18n';
import { titleOfPromQL } from './titles';
import { momentOfPromQL, unitOfBuckets, unitOfLogQL, unitOfPromQL } from './units';

/** HeatMap is ours: Perses's own draws native histograms only, on a linear axis. */
export type PanelKind = 'TimeSeriesChart' | 'StatChart' | 'BarChart' | 'Table' | 'HeatMap';

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
  /** The legend as a table: what the data needs, never stored. */
  readonly legendTable?: boolean;
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
  /** What tells its series apart, as Perses takes it; undefined: all of their labels. */
  readonly seriesName?: string;
  /** Its values are moments: how many milliseconds 1 of them is. */
  readonly moment?: number;
  /** Its series are the buckets of a histogram. */
  readonly buckets?: boolean;
}

export const PANEL_KINDS: readonly PanelKind[] = [
  'TimeSeriesChart',
  'StatChart',
  'BarChart',
  'Table',
  'HeatMap',
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
  // Other texts are read all the same, by browsers: "-1" and "last 7" as a month of 2001.
  return /^\d{4}-\d/.test(text) ? dateOf(Date.parse(text)) : undefined;
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
    start ?? (span === undefined || last === undefined ? undefined : dateOf(last.getTime() - span));
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

const RANKED = /^(?:\s|\(|#.*(?:\n|$))*(topk|bottomk|sort|sort_desc)\b/i;
/** More bars than these are read in a table. */
const BARS_MAX = 25;

function instantKind(query: string, series: number | undefined): PanelKind {
  if (series === 1) return 'StatChart';
  return RANKED.test(query) && series !== undefined && series > 1 && series <= BARS_MAX
    ? 'BarChart'
    : 'Table';
}

function instant({ args, result, query, nowMs }: Asked): Drawing {
  const series = Array.isArray(result['series']) ? result['series'].length : undefined;
  const at = timeOf(result['time'] ?? args['time'], nowMs);
  const moment = momentOfPromQL(query);
  return {
    kind: instantKind(query, series),
    plugin: 'PrometheusTimeSeriesQuery',
    mode: 'instant',
    ...(moment === undefined ? {} : { moment }),
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

/** Series by the upper bounds of a histogram's buckets. */
function isByBucket(result: Readonly<Record<string, unknown>>): boolean {
  const series = asList(result['series']);
  return (
    series.length > 1 && series.every((one) => asObject(asObject(one)?.['labels'])?.['le'] !== undefined)
  );
}

function overTime({ result }: Asked): Drawing {
  const buckets = isByBucket(result);
  return { kind: buckets ? 'HeatMap' : 'TimeSeriesChart', plugin: 'PrometheusTimeSeriesQuery', buckets };
}

/** The tools whose calls are drawn, and the argument that is the query; of some only the answer tells it. */
const DRAWN: Readonly<Record<string, { argument: string; draw: (asked: Asked) => Drawing | undefined }>> = {
  execute_range_query: { argument: 'query', draw: overTime },
  histogram_quantile: { argument: 'query', draw: overTime },
  run_panel: { argument: 'query', draw: overTime },
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

/** A tool whose calls run a query that is drawn, or propose one. */
export function isQueryTool(name: string): boolean {
  return Object.hasOwn(DRAWN, name);
}

export function panelOf(call: Call, at: string, settings: PanelSettings | undefined): CallPanel | undefined {
  const tool = Object.hasOwn(DRAWN, call.name) ? DRAWN[call.name] : undefined;
  const args = asObject(call.args);
  if (tool === undefined || args === undefined) return undefined;
  const result = asObject(parseJson(call.result?.content ?? '')) ?? {};
  const query = (asText(args[tool.argument]) || asText(result[tool.argument])).trim();
  if (query === '') return undefined;
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
    title: titleOf(args, query, drawing.plugin),
    ...(drawing.plugin === 'PrometheusTimeSeriesQuery' ? seriesNameOf(result) : {}),
    ...drawing,
  };
  return isSeries(panel) ? { ...panel, ...chosenKind(args, panel, settings) } : panel;
}

function titleOf(args: Readonly<Record<string, unknown>>, query: string, plugin: QueryPlugin): string {
  const given = asText(args['title']).trim() || asText(args['panel']).trim();
  return given || (plugin === 'PrometheusTimeSeriesQuery' && titleOfPromQL(query)) || query;
}

/** Names of more labels are read no more. */
const NAMED_LABELS_MAX = 3;
const LABEL_NAME = /^[A-Za-z_]\w*$/;

/** By the labels in which the series differ, where they are few. */
function seriesNameOf(result: Readonly<Record<string, unknown>>): { readonly seriesName?: string } {
  const all = asList(result['series']).map((one) => asObject(asObject(one)?.['labels']) ?? {});
  if (all.length < 2) return {};
  const names = [...new Set(all.flatMap((labels) => Object.keys(labels)))];
  const differ = names.filter((name) => new Set(all.map((labels) => asText(labels[name]))).size > 1);
  // Without `host.name` two of them would be called the same.
  if (
    differ.length === 0 ||
    differ.length > NAMED_LABELS_MAX ||
    !differ.every((name) => LABEL_NAME.test(name))
  )
    return {};
  return { seriesName: differ.map((name) => `{{${name}}}`).join(' ') };
}

/** What the person chose, else the model. */
function chosenKind(
  args: Readonly<Record<string, unknown>>,
  panel: CallPanel,
  settings: PanelSettings | undefined,
): { readonly kind?: PanelKind } {
  const asked = asText(args['kind']);
  const fits = panel.mode === 'range' || (asked !== 'TimeSeriesChart' && asked !== 'HeatMap');
  const kind = settings?.kind ?? (KINDS.has(asked) && fits ? (asked as PanelKind) : undefined);
  return kind === undefined ? {} : { kind };
}

function unitOf({ plugin, query, kind }: CallPanel): string | undefined {
  if (kind === 'HeatMap') return unitOfBuckets(query);
  if (plugin === 'PrometheusTimeSeriesQuery') return unitOfPromQL(query);
  return plugin === 'LokiTimeSeriesQuery' ? unitOfLogQL(query) : undefined;
}

/** A query that stands in a text, over the time of the page. */
export function panelOfQuery(query: string, datasource: DatasourceRef | undefined, logs: boolean): CallPanel {
  const isLines = logs && query.startsWith('{');
  const plugin = logs ? 'LokiTimeSeriesQuery' : 'PrometheusTimeSeriesQuery';
  return {
    kind: isLines ? 'LogsTable' : 'TimeSeriesChart',
    plugin: isLines ? 'LokiLogQuery' : plugin,
    query,
    mode: 'range',
    datasource,
    timeRange: undefined,
    minStep: undefined,
    title: titleOf({}, query, plugin),
  };
}

/** What the person chose for a call's panel, else what the call says, else what its query's names say. */
export function settingsOf(
  call: Call,
  panel: CallPanel | undefined,
  stored: PanelSettings | undefined,
): PanelSettings {
  if (panel === undefined) return stored ?? {};
  const { unit } = parseSettings({ unit: asObject(call.args)?.['unit'] }) ?? {};
  // A moment is no duration, whatever unit a model gives it.
  const known = panel.moment === undefined ? (unit ?? unitOf(panel)) : undefined;
  return { ...(known === undefined ? {} : { unit: known }), ...stored };
}

/** Series of numbers can be drawn in several ways, other things in one. */
export function isSeries(panel: CallPanel): boolean {
  return SOURCES[panel.plugin].type === 'TimeSeriesQuery';
}

/** As what it can be drawn. */
export function kindsFor({ mode, buckets = false }: CallPanel): readonly PanelKind[] {
  return PANEL_KINDS.filter(
    (kind) => (kind !== 'TimeSeriesChart' || mode === 'range') && (kind !== 'HeatMap' || buckets),
  );
}

/** Drawn in another way where the plugin of this one is missing: numbers can always be a table. */
export function instead(panel: CallPanel, missing: readonly string[]): CallPanel | undefined {
  if (!isSeries(panel) || panel.kind === 'Table' || !missing.every((name) => name === panel.kind))
    return undefined;
  return { ...panel, kind: 'Table' };
}

/** The plugins that must be there for it to be drawn. */
export function pluginsOf(panel: CallPanel): ReadonlyArray<{ readonly kind: string; readonly name: string }> {
  const { type, datasource } = SOURCES[panel.plugin];
  return [
    ...(panel.kind === 'HeatMap' ? [] : [{ kind: 'Panel', name: panel.kind }]),
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
    ...(panel.seriesName === undefined ? {} : { seriesNameFormat: panel.seriesName }),
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

/** The query asks for the least. */
export function isLeastFirst(query: string): boolean {
  return sortOf(query).sort === 'asc';
}

/** Many series are read in a table, with their values. */
function legendOf({ legend = 'bottom', legendTable = false }: PanelSettings): UnknownSpec {
  return {
    position: legend,
    mode: legendTable ? 'table' : 'list',
    size: 'small',
    ...(legendTable ? { values: ['mean', 'max', 'last-number'] } : {}),
  };
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
        ...(settings.legend === 'none' ? {} : { legend: legendOf(settings) }),
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
    case 'BarChart':
      return {
        calculation: 'last-number',
        format: format ?? { unit: 'decimal', shortValues: true },
        sort: sortOf(panel.query).sort ?? 'desc',
        mode: 'value',
      };
    case 'TimeSeriesTable':
    case 'HeatMap':
      return {};
    case 'Table':
      // The settings' order is that of the columns: the value comes before the labels.
      return {
        density: 'compact',
        columnSettings: [
          { name: 'timestamp', hide: true },
          {
            name: 'value',
            header: t('panel.value'),
            align: 'right',
            ...(chosen ? { format } : {}),
            ...sortOf(panel.query),
          },
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

export function definitionOf(given: CallPanel, settings: PanelSettings = {}): PanelDefinition {
  // Where Perses draws it, as in a dashboard, a heatmap of buckets is their lines.
  const panel: CallPanel = given.kind === 'HeatMap' ? { ...given, kind: 'TimeSeriesChart' } : given;
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

const KINDS = new Set<string>(PANEL_KINDS);

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
