import { describe, expect, it } from 'vitest';

import {
  definitionOf,
  exploreLink,
  explorerOf,
  instead,
  kindsFor,
  panelOf,
  parseSettings,
  pluginsOf,
  settingsOf,
  timeOf,
} from './panels';
import { Call } from '../store/reduce';

const AT = '2026-03-01T12:00:00.000Z';
const NOW = Date.parse(AT);

function callOf(
  name: string,
  args: unknown,
  content = '{}',
  datasource = '/proxy/globaldatasources/prom',
): Call {
  const result = { callId: 'c', name, content, failed: false, durationMs: 5, datasource };
  return { id: 'c', name, args, state: 'done', result };
}

describe('timeOf', () => {
  it.each([
    ['now', NOW],
    ['NOW - 1h', NOW - 3_600_000],
    ['now-1h30m', NOW - 5_400_000],
    ['2026-03-01T11:00:00Z', NOW - 3_600_000],
    [1_772_366_400, 1_772_366_400_000],
    ['1772366400', 1_772_366_400_000],
    [1_772_366_400_000, 1_772_366_400_000],
  ])('reads %s', (value, ms) => {
    expect(timeOf(value, NOW)?.getTime()).toBe(ms);
  });

  it.each(['', 'yesterday', 'now-', 'now-xyz', undefined, null, {}, Number.NaN, 1e300])(
    'makes nothing of %s',
    (value) => {
      expect(timeOf(value, NOW)).toBeUndefined();
    },
  );
});

describe('panelOf', () => {
  it('draws a range query over the time that it asked for', () => {
    const panel = panelOf(
      callOf('execute_range_query', { query: 'up', start: 'now-1h', end: 'now', step: '15s' }),
      AT,
      undefined,
    );
    expect(panel).toMatchObject({
      kind: 'TimeSeriesChart',
      mode: 'range',
      query: 'up',
      datasource: { path: '/proxy/globaldatasources/prom', name: 'prom' },
      minStep: '15s',
    });
    expect(panel?.timeRange).toEqual({ start: new Date(NOW - 3_600_000), end: new Date(NOW) });
  });

  it('takes the times that the tool says it used before those that were asked for', () => {
    const content = '{"start":"2026-03-01T10:00:00Z","end":"2026-03-01T10:30:00Z"}';
    const panel = panelOf(
      callOf('execute_range_query', { query: 'up', duration: '1h' }, content),
      AT,
      undefined,
    );
    expect(panel?.timeRange).toEqual({
      start: new Date('2026-03-01T10:00:00Z'),
      end: new Date('2026-03-01T10:30:00Z'),
    });
  });

  it('reads a duration back from the question', () => {
    const panel = panelOf(callOf('execute_range_query', { query: 'up', duration: '1h' }), AT, undefined);
    expect(panel?.timeRange).toEqual({ start: new Date(NOW - 3_600_000), end: new Date(NOW) });
  });

  it('leaves the time to the page when the call says nothing sensible', () => {
    expect(panelOf(callOf('execute_range_query', { query: 'up' }), AT, undefined)?.timeRange).toBeUndefined();
    const backwards = { query: 'up', start: 'now', end: 'now-1h' };
    expect(panelOf(callOf('execute_range_query', backwards), AT, undefined)?.timeRange).toBeUndefined();
  });

  it('shows an instant query as a table, or as a stat when it is one value', () => {
    const query = { query: 'up' };
    expect(panelOf(callOf('execute_instant_query', query, '{"series":[{},{}]}'), AT, undefined)?.kind).toBe(
      'Table',
    );
    expect(panelOf(callOf('execute_instant_query', query, '{"series":[{}]}'), AT, undefined)?.kind).toBe(
      'StatChart',
    );
    expect(panelOf(callOf('execute_instant_query', query), AT, { kind: 'TimeSeriesChart' })?.kind).toBe(
      'TimeSeriesChart',
    );
  });

  it('draws what ran where only the answer tells the query: a percentile, a panel of a dashboard', () => {
    const content = '{"query":"histogram_quantile(0.9, rate(a_seconds_bucket[5m]))","series":[]}';
    const quantile = callOf('histogram_quantile', { metric: 'a_seconds', quantile: 0.9 }, content);
    const panel = panelOf(quantile, AT, undefined);
    expect(panel).toMatchObject({ kind: 'TimeSeriesChart', mode: 'range', title: 'P90 of a' });
    expect(settingsOf(quantile, panel, undefined)).toEqual({ unit: 'seconds' });
    const ran = callOf(
      'run_panel',
      { project: 'p', dashboard: 'd', panel: 'Memory in use' },
      '{"query":"a_bytes"}',
    );
    expect(panelOf(ran, AT, undefined)).toMatchObject({ query: 'a_bytes', title: 'Memory in use' });
    expect(panelOf(callOf('run_panel', { panel: 'x' }), AT, undefined)).toBeUndefined();
  });

  it('draws a ranking as bars, buckets as a heatmap, and what was asked for before', () => {
    const few = '{"series":[{},{},{}]}';
    const top = callOf('execute_instant_query', { query: 'topk(3, a_bytes)' }, few);
    expect(panelOf(top, AT, undefined)?.kind).toBe('BarChart');
    expect(panelOf(callOf('execute_instant_query', { query: 'a_bytes' }, few), AT, undefined)?.kind).toBe(
      'Table',
    );
    const le = '{"series":[{"labels":{"le":"1"}},{"labels":{"le":"+Inf"}}]}';
    const buckets = callOf('execute_range_query', { query: 'sum by (le) (rate(a_bucket[5m]))' }, le);
    const heat = panelOf(buckets, AT, undefined);
    expect(heat?.kind).toBe('HeatMap');
    expect(heat && kindsFor(heat)).toContain('HeatMap');
    expect(heat && definitionOf(heat).spec.plugin.kind).toBe('TimeSeriesChart');
    expect(panelOf({ ...top, args: { query: 'topk(3, a_bytes)', kind: 'Table' } }, AT, undefined)?.kind).toBe(
      'Table',
    );
    expect(panelOf({ ...top, args: { query: 'topk(3, a_bytes)', kind: 'Evil' } }, AT, undefined)?.kind).toBe(
      'BarChart',
    );
    expect(
      panelOf({ ...top, args: { query: 'topk(3, a_bytes)', kind: 'HeatMap' } }, AT, undefined)?.kind,
    ).toBe('BarChart');
  });

  it('names series by the labels in which they differ', () => {
    const named = (...labels: readonly object[]): unknown => {
      const content = JSON.stringify({ series: labels.map((one) => ({ labels: one })) });
      return panelOf(callOf('execute_range_query', { query: 'up' }, content), AT, undefined)?.seriesName;
    };
    expect(named({ job: 'a', env: 'x' }, { job: 'b', env: 'x' })).toBe('{{job}}');
    expect(named({ job: 'a' }, { job: 'a', pod: 'b' })).toBe('{{pod}}');
    expect(named({ job: 'a' })).toBeUndefined();
    const dotted = [{ job: 'a', 'host.name': 'x' }, { job: 'a', 'host.name': 'y' }, { job: 'b' }];
    expect(named(...dotted)).toBeUndefined(); // two would be called "a"
    expect(named({ job: 'a', 'host.name': 'x' }, { job: 'b', 'host.name': 'x' })).toBe('{{job}}');
    expect(named({ a: '1', b: '1', c: '1', d: '1' }, { a: '2', b: '2', c: '2', d: '2' })).toBeUndefined();
    expect(named({ 'a}} {{b': '1' }, { 'a}} {{b': '2' })).toBeUndefined();
  });

  it('is a table where the plugin of its chart is missing', () => {
    const top = callOf('execute_instant_query', { query: 'topk(3, up)' }, '{"series":[{},{}]}');
    const panel = panelOf(top, AT, undefined);
    expect(panel && instead(panel, ['BarChart'])?.kind).toBe('Table');
    expect(panel && instead(panel, ['BarChart', 'PrometheusTimeSeriesQuery'])).toBeUndefined();
    expect(panel && instead({ ...panel, kind: 'Table' }, ['Table'])).toBeUndefined();
  });

  it('takes title and unit from the call, else from the query', () => {
    const given = callOf('execute_range_query', { query: 'a_bytes', title: 'Memory', unit: 'percent' });
    const panel = panelOf(given, AT, undefined);
    expect(panel?.title).toBe('Memory');
    expect(settingsOf(given, panel, undefined)).toEqual({ unit: 'percent' });
    const bare = callOf('execute_range_query', { query: 'a_bytes', unit: 'furlongs' });
    expect(settingsOf(bare, panelOf(bare, AT, undefined), undefined)).toEqual({ unit: 'bytes' });
    const table = callOf('execute_instant_query', { query: 'a_bytes' }, '{"series":[{},{}]}');
    const drawn = panelOf(table, AT, undefined);
    expect(drawn && definitionOf(drawn, settingsOf(table, drawn, undefined)).spec.plugin.spec).toMatchObject({
      columnSettings: [{}, { name: 'value', format: { unit: 'bytes' } }],
    });
  });

  it.each([
    callOf('list_metrics', { query: 'up' }),
    callOf('execute_range_query', {}),
    callOf('execute_range_query', 'not json'),
    callOf('execute_range_query', { query: 7 }),
    callOf('execute_range_query', null),
  ])('draws nothing for a call without a query', (call) => {
    expect(panelOf(call, AT, undefined)).toBeUndefined();
  });

  it.each(['https://evil.example/', '/proxy/globaldatasources/..', '/proxy/projects/../datasources/x', ''])(
    'takes no address from a call: %s',
    (path) => {
      expect(
        panelOf(callOf('execute_range_query', { query: 'up' }, '{}', path), AT, undefined)?.datasource,
      ).toBeUndefined();
    },
  );
});

describe('logs, traces and profiles', () => {
  const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
  const through = (call: Call): unknown => {
    const panel = panelOf(call, AT, { kind: 'Table' });
    return panel && definitionOf(panel).spec;
  };
  const query = (kind: string, plugin: string, spec: unknown): unknown => ({
    queries: [{ kind, spec: { plugin: { kind: plugin, spec } } }],
  });
  const source = (kind: string): unknown => ({ kind, name: 'prom' });

  it('are drawn by the panels of their kinds, by their own queries', () => {
    const lines = callOf('loki_query', { query: ' {job="api"} |= "x"', direction: 'forward' });
    expect(through(lines)).toMatchObject({
      plugin: { kind: 'LogsTable' },
      ...(query('LogQuery', 'LokiLogQuery', {
        query: '{job="api"} |= "x"',
        direction: 'forward',
        datasource: source('LokiDatasource'),
      }) as object),
    });
    expect(through(callOf('tempo_search', { query: '{ status = error }', limit: 5 }))).toMatchObject({
      plugin: { kind: 'TraceTable' },
      ...(query('TraceQuery', 'TempoTraceQuery', {
        query: '{ status = error }',
        limit: 5,
        datasource: source('TempoDatasource'),
      }) as object),
    });
    expect(through(callOf('tempo_trace', { trace_id: 'ab12' }))).toMatchObject({
      plugin: { kind: 'TracingGanttChart' },
      ...(query('TraceQuery', 'TempoTraceQuery', { query: 'ab12' }) as object),
    });
    const top = callOf('pyroscope_top_functions', { query: `${CPU}{service_name="shop", pod=~"a\\"b.*"}` });
    expect(through(top)).toMatchObject({
      plugin: { kind: 'FlameChart' },
      ...(query('ProfileQuery', 'PyroscopeProfileQuery', {
        profileType: CPU,
        filters: [
          { labelName: 'service_name', operator: '=', labelValue: 'shop' },
          { labelName: 'pod', operator: '=~', labelValue: 'a\\"b.*' },
        ],
        datasource: source('PyroscopeDatasource'),
      }) as object),
    });
  });

  it('draws a log query of numbers as series, in the way that was chosen', () => {
    const rate = callOf('loki_query', { query: 'sum(rate({job="api"}[5m]))' });
    expect(panelOf(rate, AT, undefined)?.kind).toBe('TimeSeriesChart');
    expect(through(rate)).toMatchObject({
      plugin: { kind: 'Table' },
      ...(query('TimeSeriesQuery', 'LokiTimeSeriesQuery', {
        query: 'sum(rate({job="api"}[5m]))',
      }) as object),
    });
  });

  it('takes the time that the tool says it asked for', () => {
    const content = '{"kind":"logs","start":"2026-03-01T10:00:00Z","end":"2026-03-01T10:30:00Z"}';
    const lines = callOf('loki_query', { query: '{a="b"}', start: 'yesterday 14:00' }, content);
    expect(panelOf(lines, AT, undefined)?.timeRange).toEqual({
      start: new Date('2026-03-01T10:00:00Z'),
      end: new Date('2026-03-01T10:30:00Z'),
    });
  });

  it.each([
    callOf('tempo_trace', { trace_id: '../x' }),
    callOf('pyroscope_top_functions', { query: 'cpu' }),
    callOf('pyroscope_top_functions', { query: `${CPU}{a=b}` }),
    callOf('loki_labels', { query: '{a="b"}' }),
    callOf('constructor', { query: 'up' }),
  ])('draws nothing that the query plugins could not run', (call) => {
    expect(panelOf(call, AT, undefined)).toBeUndefined();
  });

  it('names the plugins that it needs and its explorer; Explore finds global datasources only', () => {
    const call = callOf('tempo_search', { query: '{}' });
    const panel = panelOf(call, AT, undefined);
    if (panel === undefined) throw new Error('no panel');
    expect(pluginsOf(panel).map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'Panel TraceTable',
      'TraceQuery TempoTraceQuery',
      'Datasource TempoDatasource',
    ]);
    expect(explorerOf(panel)).toBe('TempoExplorer');
    const url = new URL(exploreLink(panel), 'https://perses.example');
    expect(url.searchParams.get('explorer')).toBe('Tempo-TempoExplorer');
    expect(JSON.parse(url.searchParams.get('data') ?? '')).toMatchObject({
      queries: [{ kind: 'TraceQuery' }],
    });
    const { links } = definitionOf(panel).spec.plugin.spec as { links: { trace: string } };
    expect(links.trace).toMatch(
      /^\/explore\?explorer=Tempo-TempoExplorer&data=.*\$\{traceId\}.*\$\{datasourceName\}/,
    );
    const own = panelOf(
      callOf('tempo_search', { query: '{}' }, '{}', '/proxy/projects/p/datasources/t'),
      AT,
      undefined,
    );
    expect(own?.datasource).toEqual({ path: '/proxy/projects/p/datasources/t', name: 't', project: 'p' });
    expect(own && explorerOf(own)).toBeUndefined();
  });
});

describe('a definition', () => {
  it('is what Perses draws and a dashboard stores', () => {
    const panel = panelOf(callOf('execute_range_query', { query: 'up', step: '15s' }), AT, undefined);
    if (panel === undefined) throw new Error('no panel');
    const settings = {
      unit: 'bytes',
      legend: 'right',
      stacked: true,
      decimalPlaces: 1,
      thresholds: [5, 9],
    } as const;
    expect(definitionOf(panel, settings)).toEqual({
      kind: 'Panel',
      spec: {
        display: { name: 'Up' },
        plugin: {
          kind: 'TimeSeriesChart',
          spec: {
            legend: { position: 'right', mode: 'list', size: 'small' },
            yAxis: { format: { unit: 'bytes', decimalPlaces: 1 } },
            thresholds: { steps: [{ value: 5 }, { value: 9 }] },
            visual: { stack: 'all', areaOpacity: 0.3 },
          },
        },
        queries: [
          {
            kind: 'TimeSeriesQuery',
            spec: {
              plugin: {
                kind: 'PrometheusTimeSeriesQuery',
                spec: {
                  query: 'up',
                  minStep: '15s',
                  datasource: { kind: 'PrometheusDatasource', name: 'prom' },
                },
              },
            },
          },
        ],
      },
    });
  });

  it('has a link into Explore that leads nowhere else', () => {
    const panel = panelOf(
      callOf('execute_range_query', { query: 'a"b&c=d', start: 'now-1h', end: 'now' }),
      AT,
      undefined,
    );
    if (panel === undefined) throw new Error('no panel');
    const url = new URL(exploreLink(panel), 'https://perses.example');
    expect(url.origin + url.pathname).toBe('https://perses.example/explore');
    expect(JSON.parse(url.searchParams.get('data') ?? '')).toMatchObject({ tab: 'graph' });
    expect(url.searchParams.get('start')).toBe(String(NOW - 3_600_000));
  });
});

describe('stored settings', () => {
  it('are checked', () => {
    expect(
      parseSettings({
        kind: 'Evil',
        unit: '<x>',
        legend: 'top',
        stacked: 1,
        thresholds: 'x',
        decimalPlaces: -1,
      }),
    ).toEqual({});
    expect(parseSettings('x')).toBeUndefined();
    for (const unit of ['furlongs', 'constructor', '__proto__', 'req/s', '', 7])
      expect(parseSettings({ unit })).toEqual({});
    for (const unit of ['decimal', 'percent-decimal', 'requests/sec', '%', 'eur'])
      expect(parseSettings({ unit })).toEqual({ unit });
    expect(
      parseSettings({ kind: 'Table', unit: 'bytes', legend: 'none', stacked: false, thresholds: [0, 'x'] }),
    ).toEqual({
      kind: 'Table',
      unit: 'bytes',
      legend: 'none',
      stacked: false,
      thresholds: [0],
    });
  });
});

describe('a table of an instant query', () => {
  it.each([
    ['up', 'desc'],
    ['topk(3, up)', 'desc'],
    ['sort_desc(up)', 'desc'],
    ['sort(up)', 'asc'],
    ['SORT (topk(3, up))', 'asc'],
    ['bottomk by (job) (3, up)', 'asc'],
    ['bottomk(3, up)', 'asc'],
    ['bottomk_avg(3, up)', 'asc'],
    ['topk_last(3, up)', 'desc'],
    ['sort_by_label_numeric_desc(up, "job")', undefined],
    ['# the least\n(sort(up))', 'asc'],
    ['sorted_total', 'desc'],
    ['sort', 'desc'],
    ['sort_by_label(up, "job")', undefined],
    ['sort_by_label_desc(up, "job")', undefined],
  ])('of %j is sorted %s', (query, sort) => {
    const call: Call = { id: 'c', name: 'execute_instant_query', args: { query }, state: 'done' };
    const panel = panelOf(call, '', undefined);
    const spec = panel && definitionOf(panel).spec.plugin.spec;
    expect(spec).toMatchObject({ columnSettings: [{ hide: true }, { name: 'value' }] });
    expect((spec as { columnSettings: Array<{ sort?: string }> }).columnSettings[1]?.sort).toBe(sort);
  });
});

it.each(['-1', 'last 7', 'foo 5', 'Monday 3', '99999-01-01', '2024-13-01'])(
  'takes %j for no time',
  (text) => {
    expect(timeOf(text, 1.7e12)).toBeUndefined();
  },
);

it('asks for no time before there is one', () => {
  const call = callOf('execute_range_query', { query: 'up', duration: '99999999y' });
  expect(panelOf(call, AT, undefined)?.timeRange).toBeUndefined();
});
