import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { addPanels, groupsOf } from '../dashboards/add';
import {
  attachmentOf,
  panelsOf,
  parseAttachment,
  usedVariables,
  valueOf,
  withOutside,
} from '../dashboards/context';
import { sourcesOf } from '../datasource/sources';
import {
  readDashboard,
  readDashboards,
  readDatasources,
  readProjects,
  readVariables,
  wholeDashboard,
} from './resources';

const metadata = { name: 'd', project: 'p', version: 3 };
const panel = {
  kind: 'Panel',
  spec: { display: { name: 'CPU' }, plugin: { kind: 'StatChart', spec: {} }, queries: [] },
};
const added = {
  kind: 'Panel',
  spec: { display: { name: 'New' }, plugin: { kind: 'StatChart', spec: {} } },
} as const;

/** All that the dialogs do with a dashboard. */
function use(value: unknown): void {
  const dashboard = readDashboard(value);
  if (dashboard !== undefined) {
    const whole = withOutside(dashboard, readVariables([]));
    const keys = new Set(panelsOf(whole).map(({ key }) => key));
    usedVariables(whole, keys);
    for (const variable of whole.spec.variables) valueOf(variable);
    const attachment = attachmentOf(whole, keys, {}, true);
    expect(typeof attachment.title).toBe('string');
    expect(parseAttachment(JSON.parse(JSON.stringify(attachment)))).toBeDefined();
  }
  const whole = wholeDashboard(value);
  groupsOf(whole);
  addPanels(whole, [added], 'PersAI');
}

describe('a dashboard', () => {
  it.each([
    {},
    { variables: null, panels: null, layouts: null },
    { panels: { a: null, b: {}, c: { spec: null }, d: { spec: { plugin: null } }, e: panel } },
    {
      panels: {
        e: { ...panel, spec: { ...panel.spec, queries: [null, {}, { spec: {} }, { spec: { plugin: {} } }] } },
      },
    },
    { panels: { e: panel }, layouts: [null, {}, { spec: {} }, { spec: { items: null } }] },
    {
      panels: { e: panel },
      layouts: [{ spec: { items: [null, {}, { content: null }, { content: { $ref: 7 } }] } }],
    },
    {
      panels: { e: panel },
      layouts: [{ spec: { items: [{ content: { $ref: '#/spec/panels/constructor' } }] } }],
    },
    { panels: { e: panel }, layouts: [{ spec: { display: { title: {} }, items: [] } }] },
    { variables: [null, {}, { kind: 'TextVariable' }, { kind: 'ListVariable', spec: { name: 'a(' } }] },
    { variables: [{ kind: 'ListVariable', spec: { name: '__proto__', defaultValue: [1, null] } }] },
    { variables: [{ kind: 'TextVariable', spec: { name: 'constructor', value: {} } }], panels: { e: panel } },
    { display: { name: {}, description: 7 }, duration: {}, panels: [panel] },
    'text',
    null,
  ])('is read whatever it has: %j', (spec) => {
    use({ kind: 'Dashboard', metadata, spec });
    const dashboard = readDashboard({ metadata, spec });
    expect(dashboard?.metadata.name).toBe('d');
    const names = panelsOf(dashboard as NonNullable<typeof dashboard>).map(({ title }) => title);
    expect(names).toEqual(JSON.stringify(spec)?.includes('"e":') ? ['CPU'] : []);
  });

  it('without a name or a project is none', () => {
    expect(
      readDashboards([null, {}, { metadata: null }, { metadata: { name: 'x' } }, { metadata }]),
    ).toHaveLength(1);
    expect(readDashboards(undefined)).toEqual([]);
  });

  it('keeps what it has when it is written back', () => {
    const spec = {
      odd: 1,
      panels: { a: null, e: panel },
      layouts: [{ kind: 'Grid', spec: { odd: 2, items: [null] } }],
    };
    const after = addPanels(wholeDashboard({ metadata, spec }), [added], 'PersAI');
    expect(after.metadata).toEqual(metadata);
    expect(after.spec).toMatchObject({ odd: 1, panels: { a: null, e: panel } });
    expect(after.spec.layouts[0]).toEqual({ kind: 'Grid', spec: { odd: 2, items: [null] } });
  });

  it('of any shape harms nothing', () => {
    const text = fc.oneof(
      fc.constantFrom('', 'a', '__proto__', 'constructor', '#/spec/panels/a', 'TextVariable', 'ListVariable'),
      fc.string(),
    );
    const key = fc.constantFrom(
      'kind',
      'spec',
      'metadata',
      'name',
      'project',
      'display',
      'variables',
      'panels',
      'layouts',
      'items',
      'content',
      '$ref',
      'plugin',
      'queries',
      'defaultValue',
      'a',
      '__proto__',
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'medium' },
        text,
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        tie('list'),
        tie('object'),
      ),
      list: fc.array(tie('value'), { maxLength: 4 }),
      object: fc.dictionary(key, tie('value'), { maxKeys: 5 }),
    }));
    fc.assert(
      fc.property(value, value, (spec, all) => {
        use({ metadata, spec });
        use(all);
        readProjects([all]);
        readVariables([all]);
        sourcesOf(readDatasources([all, { metadata: { name: 'x' }, spec }]));
      }),
      { numRuns: 3_000 },
    );
  });
});

it('lists of Perses leave out what makes no sense', () => {
  const named = (spec: unknown): unknown => ({ kind: 'X', metadata: { name: 'n', project: 'p' }, spec });
  expect(
    readProjects([null, named(null), named({ display: { name: 7 } })]).map(({ spec }) => spec.display),
  ).toEqual([undefined, undefined]);
  expect(
    readVariables([named(null), named({ kind: 'TextVariable' })]).map(({ spec }) => spec.spec.name),
  ).toEqual(['n']);
  expect(readDatasources([named({}), named({ plugin: { kind: 'LokiDatasource' } })])).toHaveLength(1);
});
