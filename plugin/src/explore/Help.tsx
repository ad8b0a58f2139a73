// What to do when PersAI can't be used: said to the person who sees it, with what an administrator has to do.
import { Box, Button, Stack, Typography } from '@mui/material';
import { ReactElement, ReactNode } from 'react';

import { Problem } from '../chat/store/conversation';
import { plain } from '../text';

interface Advice {
  readonly title: string;
  readonly text: ReactNode;
}

function adviceFor(problem: Problem): Advice {
  switch (problem.code) {
    case 'datasource_missing':
      return {
        title: 'PersAI is not connected yet',
        text: (
          <>
            Perses has no PersAI datasource. An administrator adds one under Admin, Global datasources, Add:
            type <strong>PersAI</strong>, with the address of the PersAI gateway as the Perses server reaches
            it.
          </>
        ),
      };
    case 'datasource_forbidden':
    case 'forbidden':
      return {
        title: 'You may not use PersAI',
        text: (
          <>
            Your role in Perses does not let you read global datasources, or not this one. An administrator
            can give you a role with the permission <strong>read</strong> on <strong>GlobalDatasource</strong>
            .
          </>
        ),
      };
    case 'no_datasource':
      return {
        title: 'There is nothing to ask yet',
        text: (
          <>
            PersAI answers from your metrics, logs, traces and profiles, but Perses lists no datasource of
            Prometheus, Loki, Tempo, Pyroscope or Alertmanager for you. An administrator adds one under Admin,
            Global datasources.
          </>
        ),
      };
    case 'unauthenticated':
    case 'signed_out':
      return {
        title: 'You are signed out',
        text: <>Sign in to Perses, then try again. Your conversations are kept.</>,
      };
    case 'perses_auth_off':
      return {
        title: 'Perses does not know who you are',
        text: (
          <>
            Authentication is off in this Perses, and PersAI keeps each person&apos;s conversations apart by
            it. An administrator sets <strong>security.enable_auth</strong> in the configuration of Perses, or
            starts the gateway with <strong>PERSAI_AUTH=false</strong> on a machine of their own.
          </>
        ),
      };
    case 'unreachable':
    case 'timeout':
    case 'network':
      return {
        title: 'PersAI does not answer',
        text: (
          <>
            Perses could not reach the PersAI gateway. If it is not being restarted right now, an
            administrator checks that the gateway runs, and that the address in the PersAI datasource is
            right.
          </>
        ),
      };
    case 'not_gateway':
    case 'datasource_unusable':
      return {
        title: 'The PersAI datasource leads somewhere else',
        text: (
          <>
            What answers there is not a PersAI gateway. An administrator corrects the address in the
            datasource.
          </>
        ),
      };
    case 'api_mismatch':
      return { title: 'Plugin and gateway do not fit together', text: <>{plain(problem.message)}</> };
    default:
      return { title: 'PersAI can not be used right now', text: <>{plain(problem.message)}</> };
  }
}

export function Help({ problem, onRetry }: { problem: Problem; onRetry?: () => void }): ReactElement {
  const { title, text } = adviceFor(problem);
  return (
    <Stack alignItems="center" justifyContent="center" gap={2} sx={{ height: '100%', px: 2 }} role="alert">
      <Typography variant="h2">{title}</Typography>
      <Typography align="center" sx={{ maxWidth: 560 }}>
        {text}
      </Typography>
      {onRetry !== undefined && (
        <Button variant="outlined" onClick={onRetry}>
          Try again
        </Button>
      )}
      <Box component="code" sx={{ fontSize: '0.75rem', color: 'text.secondary' }}>
        {plain(problem.code)}
      </Box>
    </Stack>
  );
}
