// A tool call → the Perses panel that draws it. Pure. Only calls of tools that ran a query are drawn; what is
// in the panel comes from Perses's own query plugin and datasource, never from an address in the call.
import {
  AbsoluteTimeRange,
  PanelDefinition,
  QueryDefinition,
  TimeRangeValue,
  UnknownSpec,
} from '@perses-dev/core';

import { asObject, asText, parseJson } from '../api/events';
import { Call } from './reduce';

export type PanelKind = 'TimeSeriesChart' | 'StatChart' | 'Table';

/** What a tool may save besides. */
export type SavedKind = PanelKind | 'GaugeChart' | 'TimeSeriesTable';

/** What the person chose for a panel; kept with the conversation. */
export interface PanelSettings {
  readonly kind?: PanelKind;
  readonly unit?: string;
  readonly decimalPlaces?: number;
  readonly shortValues?: boolean;
  readonly legend?: 'bottom' | 'right' | 'none';
  readonly stacked?: boolean;
  readonly thresholds?: readonly number[];
}

export interface CallPanel {
  readonly kind: SavedKind;
  readonly query: string;
  readonly mode: 'range' | 'instant';
  readonly datasource: string | undefined;
  /** What the call asked for; undefined: the time that the page shows. */
  readonly timeRange: TimeRangeValue | undefined;
  readonly minStep: string | undefined;
  readonly title: string;
}

const QUERY_TOOLS: Readonly<Record<string, 'range' | 'instant'>> = {
  execute_range_query: 'range',
  execute_instant_query: 'instant',
};

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

/** The panel that a save_panel call would write, to be looked at before it is approved. `datasource`: the one of the
 *  conversation, by its path. */
export function previewOf(
  call: Call,
  datasource: string,
): { readonly panel: CallPanel; readonly settings: PanelSettings } | undefined {
  const asked = asObject(call.args);
  const query = asText(asked?.['query']);
  if (call.name !== 'save_panel' || asked === undefined || query === '') return undefined;
  const kind = asText(asked['kind']) || 'TimeSeriesChart';
  const named = asText(asked['datasource']) || datasource;
  const name = nameOfPath(named) ?? nameOfPath(`/proxy/globaldatasources/${named}`);
  if (!SAVED_KINDS.has(kind) || name === undefined) return undefined;
  return {
    panel: {
      kind: kind as SavedKind,
      query,
      mode: 'range',
      datasource: name,
      timeRange: undefined,
      minStep: undefined,
      title: asText(asked['title']) || query,
    },
    settings: parseSettings({ unit: asked['unit'] }) ?? {},
  };
}

function nameOfPath(path: string): string | undefined {
  return /^\/proxy\/globaldatasources\/([A-Za-z0-9_.-]{1,75})$/.exec(path)?.[1];
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

export function panelOf(call: Call, at: string, settings: PanelSettings | undefined): CallPanel | undefined {
  const mode = QUERY_TOOLS[call.name];
  const asked = asObject(call.args);
  const query = asText(asked?.['query']);
  if (mode === undefined || asked === undefined || query === '') return undefined;
  const result = asObject(parseJson(call.result?.content ?? '')) ?? {};
  const asOf = Date.parse(at);
  const nowMs = Number.isNaN(asOf) ? Date.now() : asOf;
  const series = Array.isArray(result['series']) ? result['series'].length : undefined;
  const instantKind: PanelKind = series === 1 ? 'StatChart' : 'Table';
  const drawn = mode === 'range' ? 'TimeSeriesChart' : instantKind;
  const instant = timeOf(result['time'] ?? asked['time'], nowMs);
  const timeRange =
    mode === 'range'
      ? rangeOf(asked, result, nowMs)
      : instant && { start: new Date(instant.getTime() - 3_600_000), end: instant };
  const step = asText(asked['step']);
  return {
    kind: settings?.kind ?? drawn,
    query,
    mode,
    datasource: nameOfPath(call.result?.datasource ?? ''),
    timeRange: timeRange ?? undefined,
    minStep: durationMs(step) === undefined ? undefined : step,
    title: query,
  };
}

export function queriesOf(panel: CallPanel): QueryDefinition[] {
  const spec: UnknownSpec = {
    query: panel.query,
    ...(panel.datasource === undefined
      ? {}
      : { datasource: { kind: 'PrometheusDatasource', name: panel.datasource } }),
    ...(panel.minStep === undefined ? {} : { minStep: panel.minStep }),
  };
  return [{ kind: 'TimeSeriesQuery', spec: { plugin: { kind: 'PrometheusTimeSeriesQuery', spec } } }];
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
        visual: settings.stacked === true ? { stack: 'all', areaOpacity: 0.3 } : { areaOpacity: 0 },
      };
    case 'StatChart':
      return {
        calculation: 'last-number',
        format: format ?? { unit: 'decimal', shortValues: true },
        ...(thresholds === undefined ? {} : { thresholds }),
        ...(panel.mode === 'range' ? { sparkline: {} } : {}),
      };
    case 'GaugeChart':
      return { calculation: 'last-number', ...(format === undefined ? {} : { format }) };
    case 'TimeSeriesTable':
      return {};
    case 'Table':
      // The settings' order is that of the columns: the value comes before the labels.
      return {
        density: 'compact',
        columnSettings: [
          { name: 'timestamp', hide: true },
          { name: 'value', header: 'Value', align: 'right', sort: 'desc' },
        ],
      };
  }
}

export function definitionOf(panel: CallPanel, settings: PanelSettings = {}): PanelDefinition {
  return {
    kind: 'Panel',
    spec: {
      display: { name: panel.title },
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
    ...(typeof unit === 'string' && /^[\w/%-]{1,40}$/.test(unit) ? { unit } : {}),
    ...(legend === 'bottom' || legend === 'right' || legend === 'none' ? { legend } : {}),
    ...(typeof stacked === 'boolean' ? { stacked } : {}),
    ...(Array.isArray(thresholds) ? { thresholds: thresholds.filter(isNumber).slice(0, 8) } : {}),
    ...(isNumber(decimalPlaces) && decimalPlaces >= 0 && decimalPlaces <= 12 ? { decimalPlaces } : {}),
    ...(typeof shortValues === 'boolean' ? { shortValues } : {}),
  };
}

/** The address of Perses's own explorer with this query; only names and the query go into it. */
export function exploreLink(panel: CallPanel): string {
  const data = { tab: panel.mode === 'range' ? 'graph' : 'table', queries: queriesOf(panel) };
  const query = new URLSearchParams({
    explorer: 'Prometheus-PrometheusExplorer',
    data: JSON.stringify(data),
  });
  const range = panel.timeRange;
  if (range !== undefined && 'start' in range) {
    query.set('start', String(range.start.getTime()));
    query.set('end', String(range.end.getTime()));
  }
  return `/explore?${query.toString()}`;
}
