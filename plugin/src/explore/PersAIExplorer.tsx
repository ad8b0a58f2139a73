// The explorer: finds the gateway and the datasources among those that Perses lists for this person, and shows
// the chat. What is open is remembered in the address as an id, never any text of it.
import { Box, CircularProgress, Stack } from '@mui/material';
import { useExplorerManagerContext } from '@perses-dev/explore';
import {
  DatasourceSelectItemGroup,
  useDatasourceClient,
  useListDatasourceSelectItems,
} from '@perses-dev/plugin-system';
import { useQuery } from '@tanstack/react-query';
import { ReactElement, ReactNode, useCallback, useLayoutEffect, useMemo, useRef, useState } from 'react';

import { ApiError, GatewayClient } from '../api/client';
import { Chat, MODELS_KEY } from '../chat/Chat';
import { Problem, problemOf } from '../chat/conversation';
import { createPersesApi } from '../api/perses';
import { AddToDashboard, AddToDashboardProps } from '../dashboards/AddToDashboard';
import { PERSAI_DATASOURCE_KIND, PersAIDatasourceClient } from '../datasource/PersAIDatasource';
import { Help } from './Help';

interface ExplorerData {
  readonly session?: string;
}

const SESSION_ID = /^[A-Za-z0-9_-]{1,64}$/;
const MIN_HEIGHT_PX = 420;

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

/** As high as what is left of the window below it. */
function FullHeight({ children }: { children: ReactNode }): ReactElement {
  const ref = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(160);
  useLayoutEffect(() => {
    const measure = (): void => {
      const rect = ref.current?.getBoundingClientRect();
      if (rect !== undefined) setTop(Math.max(0, Math.round(rect.top + window.scrollY)));
    };
    measure();
    window.addEventListener('resize', measure);
    return () => window.removeEventListener('resize', measure);
  }, []);
  return (
    <Box
      ref={ref}
      sx={{ height: `calc(100vh - ${top}px - 32px)`, minHeight: MIN_HEIGHT_PX, width: '100%', minWidth: 0 }}
    >
      {children}
    </Box>
  );
}

function Loading(): ReactElement {
  return (
    <Stack alignItems="center" justifyContent="center" sx={{ height: '100%' }}>
      <CircularProgress aria-label="Loading PersAI" />
    </Stack>
  );
}

function WithGateway({ name, datasources }: { name: string; datasources: readonly string[] }): ReactElement {
  const { data: explorer, setData } = useExplorerManagerContext<ExplorerData>();
  const selector = useMemo(() => ({ kind: PERSAI_DATASOURCE_KIND, name }), [name]);
  const client = useDatasourceClient<PersAIDatasourceClient>(selector);
  const gateway = useMemo((): GatewayClient | undefined => {
    try {
      return client.data?.gateway();
    } catch {
      return undefined; // not a path of Perses's proxy
    }
  }, [client.data]);

  const asked = explorer.session ?? '';
  const sessionId = SESSION_ID.test(asked) ? asked : undefined;
  const onSession = useCallback(
    (id: string | undefined) => setData(id === undefined ? {} : { session: id }),
    [setData],
  );

  // Perses's own API is under the same prefix as its proxy.
  const prefix = (client.data?.proxyUrl ?? '').replace(/\/proxy\/.*$/, '');
  const api = useMemo(() => createPersesApi(prefix), [prefix]);
  const [adding, setAdding] = useState<AddToDashboardProps['panels']>();

  if (client.isLoading) return <Loading />;
  if (gateway === undefined) {
    return <Help problem={{ code: 'datasource_unusable', message: String(client.error ?? '') }} />;
  }
  return (
    <Reachable client={gateway} name={name}>
      <Chat
        client={gateway}
        gateway={name}
        datasources={datasources}
        sessionId={sessionId}
        onSession={onSession}
        perses={api}
        addToDashboard={setAdding}
      />
      {adding !== undefined && (
        <AddToDashboard api={api} panels={adding} onClose={() => setAdding(undefined)} />
      )}
    </Reachable>
  );
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

export function PersAIExplorer(): ReactElement {
  const gateways = useListDatasourceSelectItems(PERSAI_DATASOURCE_KIND);
  const datasources = useListDatasourceSelectItems('PrometheusDatasource');
  const names = useMemo(() => globalNames(gateways.data), [gateways.data]);
  const sources = useMemo(() => globalNames(datasources.data), [datasources.data]);
  let content: ReactElement;
  if (gateways.isLoading || datasources.isLoading) content = <Loading />;
  else if (gateways.error !== null) {
    content = <Help problem={listProblem(gateways.error)} onRetry={() => void gateways.refetch()} />;
  } else if (names[0] === undefined) {
    content = (
      <Help problem={{ code: 'datasource_missing', message: '' }} onRetry={() => void gateways.refetch()} />
    );
  } else if (sources.length === 0) {
    content = (
      <Help problem={{ code: 'no_datasource', message: '' }} onRetry={() => void datasources.refetch()} />
    );
  } else content = <WithGateway name={names[0]} datasources={sources} />;
  return <FullHeight>{content}</FullHeight>;
}
