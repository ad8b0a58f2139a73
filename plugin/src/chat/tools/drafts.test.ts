import { describe, expect, it } from 'vitest';

import { boardOf, draftsOf, isUnchecked, previewOf, savedTo } from './drafts';
import { definitionOf, panelOf, settingsOf } from './panels';
import { Call, Turn } from '../store/reduce';

const AT = '2026-03-01T12:00:00.000Z';
const PROM = '/proxy/globaldatasources/prom';

function callOf(name: string, args: unknown, content = '{}', datasource = PROM): Call {
  const result = { callId: name, name, content, failed: false, durationMs: 5, datasource };
  return { id: name, name, args, state: 'done', result };
}

function waiting(name: string, args: unknown): Call {
  return { id: name, name, args, state: 'awaiting' };
}

describe('a proposed panel', () => {
  const args = { title: 'Heap', query: 'heap', kind: 'GaugeChart', unit: 'bytes', description: 'In use' };

  it('is drawn as it is proposed, and goes into a dashboard as that', () => {
    const call = callOf('propose_panel', args, '{"kind":"panel_proposal","checked":true}');
    const panel = panelOf(call, AT, undefined);
    expect(panel && definitionOf(panel, settingsOf(call, panel, undefined)).spec).toEqual({
      display: { name: 'Heap', description: 'In use' },
      plugin: { kind: 'GaugeChart', spec: { calculation: 'last-number', format: { unit: 'bytes' } } },
      queries: [
        {
          kind: 'TimeSeriesQuery',
          spec: {
            plugin: {
              kind: 'PrometheusTimeSeriesQuery',
              spec: { query: 'heap', datasource: { kind: 'PrometheusDatasource', name: 'prom' } },
            },
          },
        },
      ],
    });
  });

  it('is drawn as the person chose instead', () => {
    const call = callOf('propose_panel', args);
    const chosen = { kind: 'StatChart', unit: 'percent' } as const;
    expect(panelOf(call, AT, chosen)?.kind).toBe('StatChart');
    const panel = panelOf(call, AT, chosen);
    expect(settingsOf(call, panel, chosen).unit).toBe('percent');
    const plainCall = callOf('execute_range_query', { query: 'heap' });
    expect(settingsOf(plainCall, panelOf(plainCall, AT, undefined), undefined)).toEqual({});
  });

  it('of a kind that no tool makes is not drawn', () => {
    expect(panelOf(callOf('propose_panel', { ...args, kind: 'Markdown' }), AT, undefined)).toBeUndefined();
  });

  it('stands for its query among what an answer has', () => {
    const calls = [
      callOf('execute_range_query', { query: 'heap' }),
      callOf('execute_range_query', { query: 'up' }),
      callOf('propose_panel', args),
      { ...callOf('execute_range_query', { query: 'down' }), state: 'failed' as const },
    ].map((call, i) => ({ ...call, id: `c${i}` }));
    const steps = [
      {
        id: 's',
        type: 'tool_execution' as const,
        attempt: 1,
        complete: true,
        text: '',
        reasoning: '',
        calls,
      },
    ];
    const turn: Turn = { id: 't', status: 'done', steps };
    const drafts = draftsOf(turn, AT, { c1: { unit: 'percent' } });
    expect(drafts.map(({ panel, settings }) => [panel.title, settings.unit])).toEqual([
      ['Up', 'percent'],
      ['Heap', 'bytes'],
    ]);
  });

  it.each([
    [callOf('propose_panel', args, '{"checked":false}'), true],
    [callOf('propose_dashboard', args, '{"checked":true}'), false],
    [callOf('propose_panel', args, 'x'), false],
    [callOf('other', args, '{"checked":false}'), false],
  ])('says when Perses could not be asked', (call, unchecked) => {
    expect(isUnchecked(call)).toBe(unchecked);
  });
});

describe('a panel that waits to be saved', () => {
  it('is asked where the call says, else where the conversation asks', () => {
    const args = { title: 'T', query: 'up' };
    expect(previewOf(waiting('save_panel', args), PROM)?.panel.datasource?.path).toBe(PROM);
    const named = previewOf(waiting('save_panel', { ...args, datasource: 'own' }), PROM);
    expect(named?.panel.datasource?.path).toBe('/proxy/globaldatasources/own');
    expect(previewOf(waiting('save_panel', { ...args, datasource: '//evil/..' }), PROM)).toBeUndefined();
    expect(previewOf(waiting('save_dashboard', args), PROM)).toBeUndefined();
  });
});

describe('a dashboard', () => {
  const args = {
    project: 'demo',
    title: 'Memory & more',
    description: 'What for',
    duration: '6h',
    panels: [
      { title: 'Heap', query: 'heap', unit: 'bytes', group: 'Go' },
      { title: 'Up', query: 'up', kind: 'StatChart' },
    ],
  };

  it.each([callOf('propose_dashboard', args), waiting('save_dashboard', args)])(
    'that is proposed or waits is all of its panels',
    (call) => {
      const board = boardOf(call, PROM);
      expect(board).toMatchObject({
        project: 'demo',
        name: 'Memory_more',
        title: 'Memory & more',
        description: 'What for',
        duration: '6h',
      });
      expect(
        board?.panels.map(({ panel, settings, group }) => [panel.title, panel.kind, settings.unit, group]),
      ).toEqual([
        ['Heap', 'TimeSeriesChart', 'bytes', 'Go'],
        ['Up', 'StatChart', undefined, undefined],
      ]);
      expect(board?.panels[1]?.panel.datasource?.path).toBe(PROM);
    },
  );

  it.each([
    ['no panels', { ...args, panels: [] }],
    ['a panel without a query', { ...args, panels: [...args.panels, { title: 'x' }] }],
    ['a chart that is not known', { ...args, panels: [{ query: 'up', kind: 'Markdown' }] }],
    ['something else', { ...args, panels: 'x' }],
    ['too many', { ...args, panels: Array.from({ length: 25 }, () => args.panels[0]) }],
    ['text that is no JSON yet', '{"project":"demo","panels":[{"ti'],
  ])('with %s is not half drawn', (_what, bad) => {
    expect(boardOf(waiting('save_dashboard', bad), PROM)).toBeUndefined();
  });

  it('is found by what the tool says that it wrote', () => {
    const content = '{"kind":"dashboard_saved","project":"demo","dashboard":"Memory_more"}';
    expect(savedTo(callOf('save_dashboard', args, content))).toEqual({
      project: 'demo',
      name: 'Memory_more',
    });
    expect(savedTo(callOf('save_dashboard', args, content.replace('demo', '..')))).toBeUndefined();
    expect(savedTo(callOf('propose_dashboard', args, content))).toBeUndefined();
    expect(savedTo({ ...callOf('save_panel', args, content), state: 'failed' })).toBeUndefined();
  });
});
