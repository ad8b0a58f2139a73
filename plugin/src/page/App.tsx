// Perses's own Explore on a page of ours, for the quick start, development and the browser tests: the plugins,
// PersAI's too, are loaded by module federation exactly as in the full Perses UI. What is here is drawn first; what
// Perses draws with is loaded behind it.
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
import { getTheme } from '@perses-dev/components';
import { QueryClient, QueryClientProvider, useQuery, useQueryClient } from '@tanstack/react-query';
import LogoutIcon from 'mdi-material-ui/Logout';
import SunIcon from 'mdi-material-ui/WhiteBalanceSunny';
import MoonIcon from 'mdi-material-ui/WeatherNight';
import { ReactElement, ReactNode, Suspense, lazy, useEffect, useMemo, useState } from 'react';
import { BrowserRouter, Link as RouterLink } from 'react-router-dom';

import { Spoken } from '../i18n/Spoken';
import { locale, t } from '../i18n/i18n';
import { isAuthEnabled, onSignedOut, signOut, whoami } from './perses';
import { SignIn } from './SignIn';
import { START } from './start';

const THEME_KEY = 'persai.theme';
let painted = (): void => undefined;
/** Asked for as soon as there is something to see: it is on its way while Perses is asked who this is. */
const inside = new Promise<void>((resolve) => {
  painted = resolve;
}).then(() => import('./Inside'));
const Inside = lazy(async () => ({ default: (await inside).Inside }));

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

interface HeaderProps {
  readonly dark: boolean;
  readonly toggleDark: () => void;
  readonly name: string | undefined;
  readonly onLeave: () => void;
}

function Bar({ children }: { children?: ReactNode }): ReactElement {
  return (
    <AppBar position="static" elevation={0} component="header">
      <Toolbar variant="dense" sx={{ gap: { xs: 0, sm: 1 } }}>
        <Typography variant="h2" component="span" noWrap sx={{ flexGrow: 1 }}>
          Perses
        </Typography>
        {children}
      </Toolbar>
    </AppBar>
  );
}

function Header({ dark, toggleDark, name, onLeave }: HeaderProps): ReactElement {
  const other = t(dark ? 'page.lightTheme' : 'page.darkTheme');
  return (
    <Bar>
      <Button color="inherit" component={RouterLink} to={START}>
        {t('page.explore')}
      </Button>
      <Button color="inherit" component={RouterLink} to="/projects">
        {t('page.dashboards')}
      </Button>
      <Tooltip title={other} disableInteractive>
        <IconButton color="inherit" aria-label={other} onClick={toggleDark}>
          {dark ? <SunIcon /> : <MoonIcon />}
        </IconButton>
      </Tooltip>
      {name !== undefined && (
        <>
          <Typography noWrap sx={{ display: { xs: 'none', sm: 'block' } }}>
            {name}
          </Typography>
          <Tooltip title={t('page.signOut')} disableInteractive>
            <IconButton color="inherit" aria-label={t('page.signOut')} onClick={onLeave}>
              <LogoutIcon />
            </IconButton>
          </Tooltip>
        </>
      )}
    </Bar>
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
  useEffect(() => {
    document.documentElement.lang = locale();
  }, []);
  useEffect(() => {
    // Behind the frame that is being drawn now.
    const frame = requestAnimationFrame(() => setTimeout(painted));
    return () => cancelAnimationFrame(frame);
  }, []);
  const loading = <CircularProgress sx={{ m: 4 }} aria-label={t('page.loading')} />;
  if (user.isLoading)
    return (
      <>
        <Bar />
        {loading}
      </>
    );
  if (user.data === undefined) return <Alert severity="error">{t('page.noAnswer')}</Alert>;
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
      <Header dark={dark} toggleDark={toggleDark} name={user.data.name} onLeave={leave} />
      <Suspense fallback={loading}>
        <Inside />
      </Suspense>
    </Box>
  );
}

export function App(): ReactElement {
  const [dark, toggleDark] = useDark();
  const theme = useMemo(() => getTheme(dark ? 'dark' : 'light'), [dark]);
  return (
    <QueryClientProvider client={queryClient}>
      <ThemeProvider theme={theme}>
        <CssBaseline />
        <BrowserRouter future={{ v7_relativeSplatPath: true, v7_startTransition: false }}>
          <Spoken>
            <Page dark={dark} toggleDark={toggleDark} />
          </Spoken>
        </BrowserRouter>
      </ThemeProvider>
    </QueryClientProvider>
  );
}
