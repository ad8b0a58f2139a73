// The datasources that a conversation can ask: those of Perses that its tools know, global and of the projects.
import { DatasourceResource, GlobalDatasourceResource } from '@perses-dev/core';
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';

import { DatasourceRef, datasourceOf, globalPath, projectPath } from '../api/datasource';
import { PersesApi } from '../api/perses';

export interface Source extends DatasourceRef {
  readonly kind: string;
  /** "Loki" of LokiDatasource. */
  readonly product: string;
  readonly isDefault: boolean;
}

/** As the worker's tools need them, those that answer most questions first. */
const KINDS = [
  'PrometheusDatasource',
  'LokiDatasource',
  'TempoDatasource',
  'PyroscopeDatasource',
  'AlertManagerDatasource',
];

/** The one that is taken when none is picked comes first. `project`: the page's; its own come before others. */
export function sourcesOf(
  all: ReadonlyArray<GlobalDatasourceResource | DatasourceResource>,
  project?: string,
): readonly Source[] {
  const sources = all.flatMap(({ metadata, spec }): Source[] => {
    const { kind } = spec.plugin;
    const path =
      'project' in metadata ? projectPath(metadata.project, metadata.name) : globalPath(metadata.name);
    const ref = datasourceOf(path);
    if (ref === undefined || !KINDS.includes(kind)) return [];
    return [{ ...ref, kind, product: kind.replace(/Datasource$/, ''), isDefault: spec.default }];
  });
  const rank = (source: Source): number => {
    if (source.project === undefined) return 1;
    return source.project === project ? 0 : 2;
  };
  return sources.sort(
    (a, b) =>
      KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) ||
      rank(a) - rank(b) ||
      Number(b.isDefault) - Number(a.isDefault) ||
      a.path.localeCompare(b.path),
  );
}

/** Those of the picked paths that are there, in the order of the picking; none: the first of all. */
export function pickedOf(sources: readonly Source[], paths: readonly string[]): readonly Source[] {
  const picked = paths.flatMap((path) => sources.find((source) => source.path === path) ?? []);
  return picked.length > 0 ? picked : sources.slice(0, 1);
}

/** As a turn takes them. PromQL goes to the first one, so that is a Prometheus where there is one; tools of other
 *  kinds look for theirs. */
export function pathsOf(picked: readonly Source[]): readonly string[] {
  const main = picked.find(({ kind }) => kind === KINDS[0]) ?? picked[0];
  return main === undefined ? [] : [main, ...picked.filter((one) => one !== main)].map(({ path }) => path);
}

export interface Sources {
  readonly sources: readonly Source[];
  readonly loading: boolean;
  readonly error: unknown;
  readonly retry: () => void;
}

/** Who may not see a project's datasources, or any, has the others. */
export function useSources(api: PersesApi, project?: string): Sources {
  const global = useQuery({
    queryKey: ['persai-global-datasources', api.prefix],
    queryFn: () => api.listGlobalDatasources(),
    staleTime: 30_000,
  });
  const own = useQuery({
    queryKey: ['persai-project-datasources', api.prefix],
    queryFn: () => api.listDatasources().catch(() => []),
    staleTime: 30_000,
  });
  const sources = useMemo(
    () => sourcesOf([...(global.data ?? []), ...(own.data ?? [])], project),
    [global.data, own.data, project],
  );
  return {
    sources,
    loading: global.isLoading || own.isLoading,
    error: global.error,
    retry: () => {
      void global.refetch();
      void own.refetch();
    },
  };
}
