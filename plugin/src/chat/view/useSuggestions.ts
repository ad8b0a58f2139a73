import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';

import { TurnContext } from '../../api/client';
import { PersesApi } from '../../api/perses';
import { Source } from '../../datasource/sources';
import { suggestionsOf } from './suggestions';

const FRESH_MS = 60_000;
const NONE: readonly string[] = [];

/** What fires is asked of the Prometheus that is picked; where it can't be asked, nothing is. */
export function useSuggestions(
  perses: PersesApi | undefined,
  picked: readonly Source[],
  about: TurnContext | undefined,
): readonly string[] {
  const path = picked.find(({ product }) => product === 'Prometheus')?.path;
  const { data: firing = NONE } = useQuery({
    queryKey: ['persai-firing', perses?.prefix, path],
    queryFn: () => (perses === undefined || path === undefined ? NONE : perses.listFiring(path)),
    enabled: perses !== undefined && path !== undefined,
    staleTime: FRESH_MS,
    retry: false,
  });
  const onDashboard = about?.dashboard !== undefined;
  return useMemo(
    () => suggestionsOf({ products: picked.map(({ product }) => product), firing, onDashboard }),
    [picked, firing, onDashboard],
  );
}
