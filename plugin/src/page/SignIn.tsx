import { Alert, Button, Card, Stack, TextField, Typography } from '@mui/material';
import { FormEvent, ReactElement, useState } from 'react';

import { t } from '../i18n/i18n';
import { signIn } from './perses';

export function SignIn({ onSignedIn }: { onSignedIn: () => void }): ReactElement {
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setError(undefined);
    signIn(String(form.get('login')), String(form.get('password')))
      .then(onSignedIn, (reason: unknown) =>
        setError(reason instanceof Error ? reason.message : String(reason)),
      )
      .finally(() => setBusy(false));
  };
  return (
    <Stack component="main" alignItems="center" justifyContent="center" sx={{ minHeight: '100vh', px: 2 }}>
      <Card variant="outlined" sx={{ p: 4, width: '100%', maxWidth: 380 }}>
        <Stack component="form" gap={2} onSubmit={submit}>
          <Typography variant="h1">{t('page.signInTo')}</Typography>
          {error !== undefined && <Alert severity="error">{error}</Alert>}
          <TextField name="login" label={t('page.userName')} autoComplete="username" required />
          <TextField
            name="password"
            label={t('page.password')}
            type="password"
            autoComplete="current-password"
            required
          />
          <Button type="submit" variant="contained" disabled={busy}>
            {t('page.signIn')}
          </Button>
        </Stack>
      </Card>
    </Stack>
  );
}
