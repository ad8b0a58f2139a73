// What stands below the header once somebody is signed in: Perses's Explore, and its dashboards.
import { Box, CircularProgress, Typography, useTheme } from '@mui/material';
import { ChartsProvider, SnackbarProvider, generateChartsTheme } from '@perses-dev/components';
import { ViewExplore } from '@perses-dev/explore';
import {
  PluginRegistry,
  ProjectStoreProvider,
  ReactRouterProvider,
  remotePluginLoader,
} from '@perses-dev/plugin-system';
import { ReactElement, Suspense, lazy, useMemo } from 'react';
import { Navigate, Route, Routes } from 'react-router-dom';
import { QueryParamProvider } from 'use-query-params';
import { ReactRouter6Adapter } from 'use-query-params/adapters/react-router-6';

import { t } from '../i18n/i18n';
import { datasourceApi } from './perses';
import { START } from './start';

const Dashboards = lazy(async () => ({ default: (await import('./Dashboards')).Dashboards }));
const Dashboard = lazy(async () => ({ default: (await import('./Dashboards')).Dashboard }));
const pluginLoader = remotePluginLoader();

const NARROW_HIDDEN = {
  position: { xs: 'absolute', sm: 'static' },
  clipPath: { xs: 'inset(50%)', sm: 'none' },
};

function Explore(): ReactElement {
  return (
    <Box component="main" sx={{ flexGrow: 1, minWidth: 0 }}>
      <ViewExplore
        datasourceApi={datasourceApi}
        exploreTitleComponent={
          // On a telephone the time and the refresh need its room; who does not see has it still.
          <Typography variant="h1" sx={{ alignSelf: 'center', ...NARROW_HIDDEN }}>
            {t('page.explore')}
          </Typography>
        }
      />
    </Box>
  );
}

function Places(): ReactElement {
  return (
    <Suspense fallback={<CircularProgress sx={{ m: 4 }} aria-label={t('page.loading')} />}>
      <Routes>
        <Route path="/explore" element={<Explore />} />
        <Route path="/projects" element={<Dashboards />} />
        <Route path="/projects/:project/dashboards/:name" element={<Dashboard />} />
        <Route path="*" element={<Navigate to={START} replace />} />
      </Routes>
    </Suspense>
  );
}

export function Inside(): ReactElement {
  const theme = useTheme();
  const chartsTheme = useMemo(() => generateChartsTheme(theme, {}), [theme]);
  return (
    <QueryParamProvider adapter={ReactRouter6Adapter}>
      <SnackbarProvider anchorOrigin={{ vertical: 'bottom', horizontal: 'left' }}>
        <ChartsProvider chartsTheme={chartsTheme} enablePinning={false} enableSyncGrouping={false}>
          <ReactRouterProvider>
            <ProjectStoreProvider enabledURLParams>
              <PluginRegistry pluginLoader={pluginLoader}>
                <Places />
              </PluginRegistry>
            </ProjectStoreProvider>
          </ReactRouterProvider>
        </ChartsProvider>
      </SnackbarProvider>
    </QueryParamProvider>
  );
}
