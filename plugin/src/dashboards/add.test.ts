import { DashboardResource, PanelDefinition } from '@perses-dev/core';
import { describe, expect, it, vi } from 'vitest';

import { PersesApi } from '../api/perses';
import { addPanels, nameFrom, refusalOf, save } from './add';

const panel = (name: string): PanelDefinition => ({
  kind: 'Panel',
  spec: { display: { name }, plugin: { kind: 'TimeSeriesChart', spec: {} }, queries: [] },
});

function dashboardOf(version: number): DashboardResource {
  return {
    kind: 'Dashboard',
    metadata: { name: 'd', project: 'p', version, createdAt: '', updatedAt: '' },
    spec: {
      duration: '1h',
      variables: [],
      panels: { persai_2: panel('old') },
      layouts: [
        {
          kind: 'Grid',
          spec: {
            display: { title: 'Top' },
            items: [{ x: 0, y: 3, width: 24, height: 5, content: { $ref: '#/spec/panels/persai_2' } }],
          },
        },
      ],
    },
  };
}

function apiOf(refuseTimes: number, status: number): PersesApi & { version: number } {
  const api = {
    version: 1,
    prefix: '',
    listGlobalDatasources: vi.fn(),
    listDatasources: vi.fn(),
    listMetrics: vi.fn(),
    listFiring: vi.fn(),
    listProjects: vi.fn(),
    listDashboards: vi.fn(),
    listVariables: vi.fn(),
    getDashboard: vi.fn(async () => dashboardOf(api.version)),
    createDashboard: vi.fn(async (dashboard: DashboardResource) => dashboard),
    updateDashboard: vi.fn(async (dashboard: DashboardResource) => {
      if (refuseTimes-- > 0) {
        api.version += 1;
        throw Object.assign(new Error('refused'), { status });
      }
      return dashboard;
    }),
  };
  return api;
}

describe('addPanels', () => {
  it('puts them below what the group has, under keys that are free', () => {
    const before = dashboardOf(1);
    const after = addPanels(before, [panel('a'), panel('b'), panel('c')], 'Top');
    expect(Object.keys(after.spec.panels)).toEqual(['persai_2', 'persai_3', 'persai_4', 'persai_5']);
    expect(after.spec.panels['persai_2']).toBe(before.spec.panels['persai_2']);
    expect(after.spec.layouts[0]?.spec.items.slice(1).map(({ x, y }) => [x, y])).toEqual([
      [0, 8],
      [12, 8],
      [0, 16],
    ]);
    expect(before.spec.layouts[0]?.spec.items).toHaveLength(1);
  });

  it('makes a group that is not there', () => {
    const after = addPanels(dashboardOf(1), [panel('a')], 'PersAI');
    expect(after.spec.layouts.map(({ spec }) => spec.display?.title)).toEqual(['Top', 'PersAI']);
  });
});

describe('save', () => {
  it('reads again and applies again what somebody else has changed', async () => {
    const api = apiOf(2, 409);
    const saved = await save(api, { project: 'p', dashboard: { name: 'd' }, group: 'Top' }, [
      { panel: panel('a') },
    ]);
    expect(saved.dashboard.metadata.version).toBe(3);
    expect(Object.keys(saved.dashboard.spec.panels)).toHaveLength(2);
    expect(saved.raced).toBe(false);
  });

  it('tells that somebody else wrote in the same moment, where Perses does not', async () => {
    const api = apiOf(0, 0);
    vi.mocked(api.updateDashboard).mockImplementation(async (dashboard) => ({
      ...dashboard,
      metadata: { ...dashboard.metadata, version: (dashboard.metadata.version ?? 0) + 2 },
    }));
    const saved = await save(api, { project: 'p', dashboard: { name: 'd' }, group: 'Top' }, [
      { panel: panel('a') },
    ]);
    expect(saved.raced).toBe(true);
  });

  it.each([
    [99, 409, 4],
    [99, 403, 1],
  ])('gives up (%s refusals with %s) after %s tries', async (times, status, tries) => {
    const api = apiOf(times, status);
    await expect(save(api, { project: 'p', dashboard: { name: 'd' }, group: '' }, [])).rejects.toThrow(
      'refused',
    );
    expect(api.updateDashboard).toHaveBeenCalledTimes(tries);
    expect(refusalOf(Object.assign(new Error('x'), { status: 403 }), 'p')).toContain('does not let you');
  });

  it('makes a new dashboard', async () => {
    const { dashboard: saved } = await save(
      apiOf(0, 0),
      { project: 'p', dashboard: { title: ' CPU & more! ' }, group: 'G' },
      [{ panel: panel('a') }],
    );
    expect(saved.metadata).toMatchObject({ name: 'CPU_more', project: 'p' });
    expect(saved.spec.display?.name).toBe('CPU & more!');
    expect(saved.spec).toMatchObject({ display: { name: 'CPU & more!' }, duration: '1h' });
  });

  it('makes a proposed one: its groups in order, its description and time', async () => {
    const { dashboard } = await save(
      apiOf(0, 0),
      { project: 'p', dashboard: { title: 'T', description: 'What for', duration: '6h' }, group: 'Rest' },
      [{ panel: panel('a'), group: 'G' }, { panel: panel('b') }, { panel: panel('c'), group: 'G' }],
    );
    const { spec } = dashboard;
    expect(spec).toMatchObject({ display: { name: 'T', description: 'What for' }, duration: '6h' });
    const names = spec.layouts.map(({ spec: { display, items } }) => [
      display?.title,
      ...items.map(({ content }) => spec.panels[content.$ref.split('/').at(-1) ?? '']?.spec.display?.name),
    ]);
    expect(names).toEqual([
      ['G', 'a', 'c'],
      ['Rest', 'b'],
    ]);
  });

  it.each([
    ['../../..', ''],
    ['__CPU  _ & more! ', 'CPU_more'],
    ['a__b', 'a_b'],
    ['-a.b-', 'a.b'],
    ['Größe', 'Gr_e'],
    ['x'.repeat(74) + ' y', 'x'.repeat(74)],
  ])('makes the name of %j as the tools do', (title, name) => {
    expect(nameFrom(title)).toBe(name);
  });
});
