// A chat on a page of Perses: finds the gateway and the datasources among those that Perses lists for this person,
// and says what is missing.
import { CircularProgress, Stack } from '@mui/material';
import {
  DatasourceSelectItemGroup,
  useDatasourceClient,
  useListDatasourceSelectItems,
} from '@perses-dev/plugin-system';
import { useQuery } from '@tanstack/react-query';
import { ReactElement, ReactNode, Suspense, useCallback, useEffect, useMemo, useState } from 'react';

import { ApiError, GatewayClient } from '../api/client';
import { createPersesApi } from '../api/perses';
import { Boundary, lazily } from '../chat/view/Boundary';
import { Chat, ChatProps } from '../chat/view/Chat';
import { Shared } from '../chat/view/Shared';
import { MODELS_KEY } from '../chat/view/useQuestion';
import { Problem, problemOf } from '../chat/store/state';
import type { AddToDashboardProps } from '../dashboards/AddToDashboard';
import { PERSAI_DATASOURCE_KIND, PersAIDatasourceClient } from '../datasource/PersAIDatasource';
import { useSources } from '../datasource/sources';
import { Help } from './Help';
import { t } from '../i18n/i18n';

const AddToDashboard = lazily(async () => (await import('../dashboards/AddToDashboard')).AddToDashboard);

/** Global datasources of a kind, by name; the one that Perses takes by default comes first. */
export function globalNames(groups: readonly DatasourceSelectItemGroup[] | undefined): readonly string[] {
  const names: string[] = [];
  for (const { group, items } of groups ?? []) {
    if (group !== 'global') continue;
    for (const { selector } of items) if (selector.name !== undefined) names.push(selector.name);
  }
  const first = groups?.[0]?.items[0]?.name ?? '';
  const preferred = names.find((name) => first === `Default (${name} from global)`);
  return preferred === undefined ? names : [preferred, ...names.filter((name) => name !== preferred)];
}

/** Perses's own API is under the same prefix as its proxy. */
export function prefixOf(client: PersAIDatasourceClient | undefined): string {
  return (client?.proxyUrl ?? '').replace(/\/proxy\/.*$/, '');
}

function Loading(): ReactElement {
  return (
    <Stack alignItems="center" justifyContent="center" sx={{ height: '100%' }}>
      <CircularProgress aria-label={t('connected.loadingPersai')} />
    </Stack>
  );
}

/** Nobody looks at a wheel for longer without being told why. */
const PATIENCE_MS = 4_000;

function useTooLong(waiting: boolean): boolean {
  const [tooLong, setTooLong] = useState(false);
  useEffect(() => {
    if (!waiting) return undefined;
    const timer = setTimeout(() => setTooLong(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [waiting]);
  return waiting && tooLong;
}

/** Asks the gateway something harmless first: what is wrong is better said on a page of its own. */
function Reachable(props: { client: GatewayClient; name: string; children: ReactNode }): ReactElement {
  const { client, name, children } = props;
  const models = useQuery({
    queryKey: [MODELS_KEY, name],
    queryFn: ({ signal }) => client.listModels(signal),
    staleTime: 60_000,
    retry: (count, error) => error instanceof ApiError && error.transient && count < 2,
    refetchOnWindowFocus: (query) => query.state.status === 'error',
  });
  const tooLong = useTooLong(models.isLoading);
  // It is asked still, and goes on by itself once it answers.
  if (tooLong) return <Help problem={{ code: 'unreachable', message: '' }} />;
  if (models.isLoading) return <Loading />;
  // Once it has been reached, a gateway that is away for a while is the chat's to tell.
  if (models.data === undefined)
    return <Help problem={problemOf(models.error)} onRetry={() => void models.refetch()} />;
  return <>{children}</>;
}

function listProblem(error: unknown): Problem {
  const status = (error as { status?: unknown } | undefined)?.status;
  if (status === 403) return { code: 'datasource_forbidden', message: '' };
  if (status === 401) return { code: 'signed_out', message: '' };
  return problemOf(error);
}

export interface ConnectedProps extends Pick<
  ChatProps,
  'sessionId' | 'onSession' | 'preferred' | 'about' | 'compact' | 'placeActions'
> {
  /** The PersAI datasource, by name; undefined: the default one. */
  readonly gateway?: string;
  /** What another person shares is shown, instead of a chat. */
  readonly shareId?: string;
  /** The project that the page is in. */
  readonly project?: string;
}

function WithGateway({ name, project, shareId, ...rest }: ConnectedProps & { name: string }): ReactElement {
  const selector = useMemo(() => ({ kind: PERSAI_DATASOURCE_KIND, name }), [name]);
  const client = useDatasourceClient<PersAIDatasourceClient>(selector);
  const gateway = useMemo((): GatewayClient | undefined => {
    try {
      return client.data?.gateway();
    } catch {
      return undefined; // not a path of Perses's proxy
    }
  }, [client.data]);
  const prefix = prefixOf(client.data);
  const api = useMemo(() => createPersesApi(prefix), [prefix]);
  const { sources, loading, error, retry } = useSources(api, project);
  const [adding, setAdding] = useState<Pick<AddToDashboardProps, 'panels' | 'board'>>();
  const addToDashboard = useCallback<NonNullable<ChatProps['addToDashboard']>>(
    (panels, board) => setAdding({ panels, board }),
    [],
  );

  if (client.isLoading || loading) return <Loading />;
  if (gateway === undefined) {
    return <Help problem={{ code: 'datasource_unusable', message: String(client.error ?? '') }} />;
  }
  if (sources.length === 0) {
    const problem = error === null ? { code: 'no_datasource', message: '' } : listProblem(error);
    return <Help problem={problem} onRetry={retry} />;
  }
  return (
    <Reachable client={gateway} name={name}>
      {shareId === undefined ? (
        <Chat
          {...rest}
          client={gateway}
          gateway={name}
          sources={sources}
          perses={api}
          addToDashboard={addToDashboard}
        />
      ) : (
        <Shared
          client={gateway}
          shareId={shareId}
          perses={api}
          addToDashboard={addToDashboard}
          onLeave={() => rest.onSession(undefined)}
        />
      )}
      <Boundary onReload={() => setAdding(undefined)}>
        <Suspense fallback={null}>
          {adding !== undefined && (
            <AddToDashboard api={api} {...adding} onClose={() => setAdding(undefined)} />
          )}
        </Suspense>
      </Boundary>
    </Reachable>
  );
}

export function Connected(props: ConnectedProps): ReactElement {
  const { data, error, isLoading, refetch } = useListDatasourceSelectItems(PERSAI_DATASOURCE_KIND);
  const names = useMemo(() => globalNames(data), [data]);
  const { gateway = '' } = props;
  const name = gateway === '' ? names[0] : names.find((one) => one === gateway);
  if (isLoading) return <Loading />;
  if (error !== null) return <Help problem={listProblem(error)} onRetry={() => void refetch()} />;
  if (name === undefined)
    return <Help problem={{ code: 'datasource_missing', message: '' }} onRetry={() => void refetch()} />;
  return <WithGateway {...props} name={name} />;
}
