// Perses's own view of a dashboard, at Perses's own address, and the list of them.
import { Alert, Box, CircularProgress, Link, List, ListItem, ListItemText, Typography } from '@mui/material';
import { Variable, VariableDefinition } from '@perses-dev/core';
import { ExternalVariableDefinition, ViewDashboard } from '@perses-dev/dashboards';
import { ValidationProvider } from '@perses-dev/plugin-system';
import { useQuery } from '@tanstack/react-query';
import { ReactElement, useMemo } from 'react';
import { Link as RouterLink, useParams } from 'react-router-dom';

import { createPersesApi } from '../api/perses';
import { dashboardLink } from '../dashboards/add';
import { t } from '../i18n/i18n';
import { datasourceApi, listDashboards } from './perses';

const api = createPersesApi('');

export function Dashboards(): ReactElement {
  const { data, error } = useQuery({ queryKey: ['dashboards'], queryFn: listDashboards });
  return (
    <Box component="main" sx={{ p: 2 }}>
      <Typography variant="h1">{t('page.dashboards')}</Typography>
      {error !== null && <Alert severity="error">{t('page.dashboardsUnread')}</Alert>}
      {data?.length === 0 && <Typography sx={{ mt: 2 }}>{t('page.noDashboards')}</Typography>}
      <List dense>
        {(data ?? []).map((dashboard) => (
          <ListItem key={`${dashboard.metadata.project}/${dashboard.metadata.name}`} disableGutters>
            <ListItemText
              primary={
                <Link component={RouterLink} to={dashboardLink(dashboard.metadata)}>
                  {dashboard.spec.display?.name ?? dashboard.metadata.name}
                </Link>
              }
              secondary={dashboard.metadata.project}
            />
          </ListItem>
        ))}
      </List>
    </Box>
  );
}

/** The variables that a dashboard uses without defining them: of its project, then the global ones. */
function outsideOf(variables: readonly Variable[]): ExternalVariableDefinition[] {
  const of = (kind: Variable['kind']): VariableDefinition[] =>
    variables
      .filter((one) => one.kind === kind)
      .map(
        ({ metadata, spec }) =>
          ({ ...spec, spec: { ...spec.spec, name: metadata.name } }) as VariableDefinition,
      );
  return [
    { source: 'project', definitions: of('Variable') },
    { source: 'global', definitions: of('GlobalVariable') },
  ];
}

export function Dashboard(): ReactElement {
  const { project = '', name = '' } = useParams();
  const variables = useQuery({
    queryKey: ['variables', project],
    queryFn: async () => outsideOf(await api.listVariables(project)),
    staleTime: Infinity,
    cacheTime: 0,
  });
  const { data, error, isLoading } = useQuery({
    queryKey: ['dashboard', project, name],
    queryFn: () => api.getDashboard(project, name),
    // What is being edited must not be replaced.
    staleTime: Infinity,
    cacheTime: 0,
  });
  const title = useMemo(
    () => (
      <Typography variant="h1" sx={{ alignSelf: 'center' }}>
        {data?.spec.display?.name ?? name}
      </Typography>
    ),
    [data, name],
  );
  if (isLoading || variables.isLoading)
    return <CircularProgress sx={{ m: 4 }} aria-label={t('page.loading')} />;
  if (data === undefined)
    return (
      <Alert severity="error" sx={{ m: 2 }}>
        {error instanceof Error ? error.message : t('page.dashboardUnread')}
      </Alert>
    );
  return (
    <Box component="main" sx={{ flexGrow: 1, minWidth: 0 }}>
      <ValidationProvider>
        <ViewDashboard
          key={`${project}/${name}`}
          dashboardResource={data}
          datasourceApi={datasourceApi}
          externalVariableDefinitions={variables.data ?? []}
          dashboardTitleComponent={title}
          isReadonly={false}
          isVariableEnabled
          isDatasourceEnabled
          onSave={(entity) =>
            entity.kind === 'Dashboard'
              ? api.updateDashboard(entity)
              : Promise.reject(new Error(t('page.onlyDashboards')))
          }
        />
      </ValidationProvider>
    </Box>
  );
}
