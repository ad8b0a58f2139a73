import { DashboardResource, Variable } from '@perses-dev/core';
import { describe, expect, it } from 'vitest';

import {
  Attachment,
  attachmentOf,
  bytesOf,
  contextOf,
  panelsOf,
  parseAttachment,
  usedVariables,
  withAttachment,
  withOutside,
} from './context';

const query = (text: string): unknown => ({
  kind: 'TimeSeriesQuery',
  spec: { plugin: { kind: 'PrometheusTimeSeriesQuery', spec: { query: text } } },
});
const panel = (name: string, text: string): unknown => ({
  kind: 'Panel',
  spec: {
    display: { name, description: `about ${name}` },
    plugin: { kind: 'TimeSeriesChart', spec: { yAxis: { format: { unit: 'bytes' } } } },
    queries: [query(text)],
  },
});

const dashboard = {
  kind: 'Dashboard',
  metadata: { name: 'node', project: 'demo', version: 1, createdAt: '', updatedAt: '' },
  spec: {
    display: { name: 'Nodes', description: 'All machines' },
    duration: '6h',
    variables: [
      {
        kind: 'ListVariable',
        spec: { name: 'job', defaultValue: ['a', 'b'], allowMultiple: true, plugin: {} },
      },
      {
        kind: 'ListVariable',
        spec: {
          name: 'instance',
          defaultValue: 'x',
          plugin: { kind: 'P', spec: { matchers: ['up{job="$job"}'] } },
        },
      },
      { kind: 'TextVariable', spec: { name: 'instances', value: 'unused' } },
    ],
    panels: {
      cpu: panel('CPU', 'rate(cpu{instance="$instance"}[5m])'),
      memory: panel('Memory', 'memory'),
      loose: panel('Loose', 'up{job=~"${job:regex}"}'),
    },
    layouts: [
      {
        kind: 'Grid',
        spec: {
          display: { title: 'Top' },
          items: [
            { x: 0, y: 0, width: 12, height: 8, content: { $ref: '#/spec/panels/memory' } },
            { x: 0, y: 0, width: 12, height: 8, content: { $ref: '#/spec/panels/cpu' } },
            { x: 0, y: 0, width: 12, height: 8, content: { $ref: '#/spec/panels/gone' } },
          ],
        },
      },
    ],
  },
} as unknown as DashboardResource;

describe('a dashboard as context', () => {
  it('lists its panels as they are shown, those without a place last', () => {
    expect(panelsOf(dashboard).map(({ key, group }) => [key, group])).toEqual([
      ['memory', 'Top'],
      ['cpu', 'Top'],
      ['loose', ''],
    ]);
  });

  it('knows the variables of the chosen panels, and those that these use', () => {
    expect([...usedVariables(dashboard, new Set(['cpu']))]).toEqual(['instance', 'job']);
    expect([...usedVariables(dashboard, new Set(['loose']))]).toEqual(['job']);
    expect([...usedVariables(dashboard, new Set(['memory']))]).toEqual([]);
  });

  it('is what the model needs of it and no more', () => {
    const one = attachmentOf(dashboard, new Set(['cpu']), { instance: 'y' }, true);
    expect(contextOf([one])).toEqual({
      dashboard: { project: 'demo', name: 'node', title: 'Nodes', description: 'All machines' },
      panels: [
        {
          title: 'CPU',
          description: 'about CPU',
          kind: 'TimeSeriesChart',
          unit: 'bytes',
          queries: ['rate(cpu{instance="$instance"}[5m])'],
        },
      ],
      variables: { job: ['a', 'b'], instance: 'y' },
      time_range: { duration: '6h' },
    });
    expect(bytesOf([one])).toBe(JSON.stringify(contextOf([one])).length);
    expect(contextOf([one], true)?.panels?.[0]?.dashboard).toBe(`${one.project}/${one.dashboard}`);
    expect(contextOf([])).toBeUndefined();
  });

  it('has the variables of its project and the global ones; of one name the nearest counts', () => {
    const outside = [
      { kind: 'Variable', metadata: { name: 'region', project: 'demo' }, value: 'eu in $zone' },
      { kind: 'Variable', metadata: { name: 'job', project: 'demo' }, value: 'hidden by the dashboard' },
      { kind: 'GlobalVariable', metadata: { name: 'region' }, value: 'hidden by the project' },
      { kind: 'GlobalVariable', metadata: { name: 'zone' }, value: 'z1' },
      { kind: 'GlobalVariable', metadata: { name: 'unused' }, value: 'u' },
    ].map(({ value, ...resource }) => ({ ...resource, spec: { kind: 'TextVariable', spec: { value } } }));
    const panels = { one: panel('One', 'up{job="$job", region="$region"}') };
    const inner = { ...dashboard, spec: { ...dashboard.spec, panels } } as DashboardResource;
    const whole = withOutside(inner, outside as unknown as readonly Variable[]);
    const one = attachmentOf(whole, new Set(['one']), {}, false);
    expect(one.variables).toEqual({ job: ['a', 'b'], region: 'eu in $zone', zone: 'z1' });
  });

  it('keeps two dashboards and their variables apart', () => {
    const one = attachmentOf(dashboard, new Set(['cpu']), {}, false);
    const other: Attachment = { ...one, dashboard: 'other', variables: { instance: 'z', job: ['a', 'b'] } };
    const context = contextOf(withAttachment([one], other));
    expect(context?.panels?.map((panel) => panel.dashboard)).toEqual(['demo/node', 'demo/other']);
    expect(context?.variables).toEqual({ job: ['a', 'b'], instance: 'x', 'instance (demo/other)': 'z' });
    expect(context).not.toHaveProperty('time_range');
    expect(withAttachment([one, other], { ...one, title: 'Again' }).map(({ title }) => title)).toEqual([
      'Nodes',
      'Again',
    ]);
  });

  it('is read back as it was stored, and junk is not', () => {
    const one = attachmentOf(dashboard, new Set(['cpu', 'memory']), {}, true);
    expect(parseAttachment(JSON.parse(JSON.stringify(one)))).toEqual(one);
    for (const junk of [null, 7, [], {}, { project: 'p' }]) expect(parseAttachment(junk)).toBeUndefined();
    expect(
      parseAttachment({ project: 'p', dashboard: 'd', duration: '1h;', panels: [7, {}], variables: 3 }),
    ).toEqual({
      project: 'p',
      dashboard: 'd',
      title: 'd',
      panels: [{ title: '', queries: [] }],
      panelCount: 0,
      variables: {},
    });
  });
});
