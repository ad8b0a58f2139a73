// What to do when PersAI can't be used: said to the person who sees it, with what an administrator has to do.
import { Box, Button, Stack, Typography } from '@mui/material';
import { ReactElement, ReactNode } from 'react';

import { Key, i18n, saidOf, t } from '../i18n/i18n';
import { Rich } from '../i18n/Rich';
import { Problem } from '../chat/store/state';
import { plain } from '../text';

/** Codes that need the same advice. */
const SAME: Readonly<Record<string, string>> = {
  forbidden: 'datasource_forbidden',
  unauthenticated: 'signed_out',
  timeout: 'unreachable',
  network: 'unreachable',
  datasource_unusable: 'not_gateway',
};

/** What is to be done; names of settings stand out. undefined: no more is known than what was said. */
function adviceFor(code: string): { readonly title: string; readonly text: ReactNode } | undefined {
  const known = SAME[code] ?? code;
  if (!i18n.exists(`help.${known}.title`)) return undefined;
  const text = <Rich name={`help.${known}.text` as Key} />;
  return { title: t(`help.${known}.title` as Key), text };
}

export function Help({ problem, onRetry }: { problem: Problem; onRetry?: () => void }): ReactElement {
  const advice = adviceFor(problem.code);
  const title = advice?.title ?? t(problem.code === 'api_mismatch' ? 'help.mismatch' : 'help.other');
  const text = advice?.text ?? plain(saidOf(problem.code, problem.message));
  return (
    <Stack alignItems="center" justifyContent="center" gap={2} sx={{ height: '100%', px: 2 }} role="alert">
      <Typography variant="h2">{title}</Typography>
      <Typography align="center" sx={{ maxWidth: 560 }}>
        {text}
      </Typography>
      {onRetry !== undefined && (
        <Button variant="outlined" onClick={onRetry}>
          {t('banners.tryAgain')}
        </Button>
      )}
      <Box component="code" sx={{ fontSize: '0.75rem', color: 'text.secondary' }}>
        {plain(problem.code)}
      </Box>
    </Stack>
  );
}
