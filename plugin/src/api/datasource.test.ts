import { describe, expect, it } from 'vitest';

import { datasourceLabel, datasourceOf, globalPath, projectPath } from './datasource';

describe('datasourceOf', () => {
  it('reads the paths that Perses has', () => {
    const paths = [
      globalPath('prom'),
      projectPath('shop', 'logs'),
      '/proxy/projects/p/dashboards/d/datasources/n',
    ];
    expect(paths.map(datasourceOf)).toEqual([
      { path: paths[0], name: 'prom' },
      { path: paths[1], name: 'logs', project: 'shop' },
      { path: paths[2], name: 'n', project: 'p' },
    ]);
    expect(paths.map((path) => datasourceLabel(datasourceOf(path) ?? { path, name: '' }))).toEqual([
      'prom',
      'shop / logs',
      'p / n',
    ]);
  });

  it.each([
    '',
    'prom',
    '/proxy/unsaved/globaldatasources/prom',
    '/proxy/globaldatasources/..',
    '/proxy/projects/../datasources/x',
    '/proxy/globaldatasources/a/b',
    'https://evil.example/proxy/globaldatasources/prom',
    `/proxy/globaldatasources/${'x'.repeat(76)}`,
    '/proxy/globaldatasources/a%2Fb',
  ])('takes nothing else: %s', (path) => {
    expect(datasourceOf(path)).toBeUndefined();
  });
});
