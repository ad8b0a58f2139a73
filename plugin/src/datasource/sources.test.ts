import { DatasourceResource, GlobalDatasourceResource } from '@perses-dev/core';
import { describe, expect, it } from 'vitest';

import { pathsOf, pickedOf, sourcesOf } from './sources';

function source(
  name: string,
  kind: string,
  more: { project?: string; isDefault?: boolean } = {},
): GlobalDatasourceResource | DatasourceResource {
  const { project, isDefault = false } = more;
  return {
    kind: project === undefined ? 'GlobalDatasource' : 'Datasource',
    metadata: {
      name,
      version: 0,
      createdAt: '',
      updatedAt: '',
      ...(project === undefined ? {} : { project }),
    },
    spec: { default: isDefault, plugin: { kind, spec: {} } },
  } as GlobalDatasourceResource;
}

const ALL = sourcesOf([
  source('logs', 'LokiDatasource'),
  source('b', 'PrometheusDatasource'),
  source('own', 'PrometheusDatasource', { project: 'shop' }),
  source('a', 'PrometheusDatasource', { isDefault: true }),
  source('persai', 'PersAIDatasource'),
  source('..', 'LokiDatasource'),
  source('traces', 'TempoDatasource', { project: 'shop' }),
]);

describe('sources', () => {
  it('are those that the tools can ask, the default Prometheus first', () => {
    expect(ALL.map(({ path, product }) => `${product} ${path}`)).toEqual([
      'Prometheus /proxy/globaldatasources/a',
      'Prometheus /proxy/globaldatasources/b',
      'Prometheus /proxy/projects/shop/datasources/own',
      'Loki /proxy/globaldatasources/logs',
      'Tempo /proxy/projects/shop/datasources/traces',
    ]);
  });

  it('of the project that the page is in come first', () => {
    const all = [
      source('a', 'LokiDatasource', { isDefault: true }),
      source('z', 'LokiDatasource', { project: 'p' }),
    ];
    expect(sourcesOf(all, 'p').map(({ name }) => name)).toEqual(['z', 'a']);
    expect(sourcesOf(all, 'q').map(({ name }) => name)).toEqual(['a', 'z']);
  });

  it('are picked in an order; PromQL has a Prometheus where there is one', () => {
    const picked = pickedOf(ALL, [
      '/proxy/globaldatasources/logs',
      '/proxy/globaldatasources/gone',
      '/proxy/projects/shop/datasources/own',
      '/proxy/globaldatasources/a',
    ]);
    expect(picked.map(({ name }) => name)).toEqual(['logs', 'own', 'a']);
    expect(pathsOf(picked)).toEqual([
      '/proxy/projects/shop/datasources/own',
      '/proxy/globaldatasources/logs',
      '/proxy/globaldatasources/a',
    ]);
    expect(pathsOf(pickedOf(ALL, ['/proxy/globaldatasources/logs']))).toEqual([
      '/proxy/globaldatasources/logs',
    ]);
    expect(pickedOf(ALL, []).map(({ name }) => name)).toEqual(['a']);
    expect(pathsOf(pickedOf([], ['x']))).toEqual([]);
  });
});
