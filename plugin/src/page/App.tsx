// Perses's own Explore on a page of ours, for the quick start, development and the browser tests: the plugins,
// PersAI's too, are loaded by module federation exactly as in the full Perses UI.
import {
  Alert,
  AppBar,
  Box,
  Button,
  CircularProgress,
  CssBaseline,
  IconButton,
  ThemeProvider,
  Toolbar,
  Tooltip,
  Typography,
  useMediaQuery,
} from '@mui/material';
import { ChartsProvider, SnackbarProvider, generateChartsTheme, getTheme } from '@perses-dev/components';
import { ViewExplore } from '@perses-dev/explore';
import {
  PluginRegistry,
  ProjectStoreProvider,
  ReactRouterProvider,
  remotePluginLoader,
} from '@perses-dev/plugin-system';
import { QueryClient, QueryClientProvider, useQuery, useQueryClient } from '@tanstack/react-query';
import SunIcon from 'mdi-material-ui/WhiteBalanceSunny';
import MoonIcon from 'mdi-material-ui/WeatherNight';
import { ReactElement, useEffect, useMemo, useState } from 'react';
import { BrowserRouter, Link as RouterLink, Navigate, Route, Routes } from 'react-router-dom';
import { QueryParamProvider } from 'use-query-params';
import { ReactRouter6Adapter } from 'use-query-params/adapters/react-router-6';

import { Dashboard, Dashboards } from './Dashboards';
import { datasourceApi, isAuthEnabled, onSignedOut, signOut, whoami } from './perses';
import { SignIn } from './SignIn';

const THEME_KEY = 'persai.theme';
const START = '/explore?explorer=PersAI-PersAIExplorer';
const pluginLoader = remotePluginLoader();

const queryClient = new QueryClient({
  defaultOptions: { queries: { refetchOnWindowFocus: false, retry: false } },
});

function useDark(): [boolean, () => void] {
  const system = useMediaQuery('(prefers-color-scheme: dark)');
  const [chosen, setChosen] = useState(() => localStorage.getItem(THEME_KEY));
  const dark = chosen === null ? system : chosen === 'dark';
  return [
    dark,
    (): void => {
      const next = dark ? 'light' : 'dark';
      localStorage.setItem(THEME_KEY, next);
      setChosen(next);
    },
  ];
}

function Explore(): ReactElement {
  return (
    <Box component="main" sx={{ flexGrow: 1, minWidth: 0 }}>
      <ViewExplore
        datasourceApi={datasourceApi}
        exploreTitleComponent={
          <Typography variant="h1" sx={{ alignSelf: 'center' }}>
            Explore
          </Typography>
        }
      />
    </Box>
  );
}

function Page({ dark, toggleDark }: { dark: boolean; toggleDark: () => void }): ReactElement {
  const client = useQueryClient();
  const user = useQuery({
    queryKey: ['who'],
    queryFn: async () => ({ auth: await isAuthEnabled(), name: await whoami().catch(() => undefined) }),
    staleTime: Infinity,
  });
  useEffect(() => onSignedOut(() => client.setQueryData(['who'], { auth: true, name: undefined })), [client]);
  if (user.isLoading) return <CircularProgress sx={{ m: 4 }} aria-label="Loading" />;
  if (user.data === undefined) return <Alert severity="error">Perses does not answer.</Alert>;
  if (user.data.auth && user.data.name === undefined) {
    return <SignIn onSignedIn={() => void client.resetQueries()} />;
  }
  const leave = (): void => {
    void signOut()
      .catch(() => undefined)
      .then(() => {
        client.clear();
        client.setQueryData(['who'], { auth: true, name: undefined });
        window.location.assign('/');
      });
  };
  return (
    <Box sx={{ display: 'flex', flexDirection: 'column', minHeight: '100vh' }}>
      <AppBar position="static" elevation={0} component="header">
        <Toolbar variant="dense" sx={{ gap: 1 }}>
          <Typography variant="h2" component="span" sx={{ flexGrow: 1 }}>
            Perses
          </Typography>
          <Button color="inherit" component={RouterLink} to={START}>
            Explore
          </Button>
          <Button color="inherit" component={RouterLink} to="/projects">
            Dashboards
          </Button>
          <Tooltip title={dark ? 'Light theme' : 'Dark theme'}>
            <IconButton color="inherit" aria-label={dark ? 'Light theme' : 'Dark theme'} onClick={toggleDark}>
              {dark ? <SunIcon /> : <MoonIcon />}
            </IconButton>
          </Tooltip>
          {user.data.name !== undefined && (
            <>
              <Typography>{user.data.name}</Typography>
              <Button color="inherit" onClick={leave}>
                Sign out
              </Button>
            </>
          )}
        </Toolbar>
      </AppBar>
      <ReactRouterProvider>
        <ProjectStoreProvider enabledURLParams>
          <PluginRegistry pluginLoader={pluginLoader}>
            <Routes>
              <Route path="/explore" element={<Explore />} />
              <Route path="/projects" element={<Dashboards />} />
              <Route path="/projects/:project/dashboards/:name" element={<Dashboard />} />
              <Route path="*" element={<Navigate to={START} replace />} />
            </Routes>
          </PluginRegistry>
        </ProjectStoreProvider>
      </ReactRouterProvider>
    </Box>
  );
}

export function App(): ReactElement {
  const [dark, toggleDark] = useDark();
  const theme = useMemo(() => getTheme(dark ? 'dark' : 'light'), [dark]);
  const chartsTheme = useMemo(() => generateChartsTheme(theme, {}), [theme]);
  return (
    <QueryClientProvider client={queryClient}>
      <ThemeProvider theme={theme}>
        <CssBaseline />
        <BrowserRouter future={{ v7_relativeSplatPath: true, v7_startTransition: false }}>
          <QueryParamProvider adapter={ReactRouter6Adapter}>
            <SnackbarProvider anchorOrigin={{ vertical: 'bottom', horizontal: 'left' }}>
              <ChartsProvider chartsTheme={chartsTheme} enablePinning={false} enableSyncGrouping={false}>
                <Page dark={dark} toggleDark={toggleDark} />
              </ChartsProvider>
            </SnackbarProvider>
          </QueryParamProvider>
        </BrowserRouter>
      </ThemeProvider>
    </QueryClientProvider>
  );
}
