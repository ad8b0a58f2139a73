// Which plugins this Perses has: what is missing is said, instead of a panel that fails.
import { PluginType, useListPluginMetadata } from '@perses-dev/plugin-system';
import { useMemo } from 'react';

import { CallPanel, explorerOf, pluginsOf } from './panels';

const TYPES: PluginType[] = [
  'Panel',
  'Datasource',
  'TimeSeriesQuery',
  'LogQuery',
  'TraceQuery',
  'ProfileQuery',
  'Explore',
];

export interface Installed {
  /** Names of the plugins that are missing; undefined: it is not known yet. */
  readonly missing: readonly string[] | undefined;
  readonly explorer: boolean;
}

export function useInstalled(panel: CallPanel): Installed {
  const { data } = useListPluginMetadata(TYPES, { staleTime: Infinity });
  return useMemo(() => {
    if (data === undefined) return { missing: undefined, explorer: false };
    const has = (kind: string, name: string): boolean =>
      data.some((one) => one.kind === kind && one.spec.name === name);
    const missing = pluginsOf(panel).filter(({ kind, name }) => !has(kind, name));
    const explorer = explorerOf(panel);
    return {
      missing: missing.map(({ name }) => name),
      explorer: explorer !== undefined && has('Explore', explorer),
    };
  }, [data, panel]);
}
