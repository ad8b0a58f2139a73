import { Alert, Stack, TextField, Typography } from '@mui/material';
import { OptionsEditorProps } from '@perses-dev/plugin-system';
import { ReactElement } from 'react';

import type { PersAIDatasourceSpec } from './PersAIDatasource';

/** The same rule as the CUE schema's: no user or password, no query, no fragment. */
const GATEWAY_URL = /^https?:\/\/[^/?#@\s]+(\/[^?#\s]*)?$/;

export function PersAIDatasourceEditor(props: OptionsEditorProps<PersAIDatasourceSpec>): ReactElement {
  const { value, onChange, isReadonly } = props;
  const url = value.proxy?.spec.url ?? '';
  const secret = value.proxy?.spec.secret ?? '';
  const wrong = url !== '' && !GATEWAY_URL.test(url);

  const change = (spec: Partial<PersAIDatasourceSpec['proxy']['spec']>): void => {
    onChange({ ...value, proxy: { kind: 'HTTPProxy', spec: { ...value.proxy?.spec, url, ...spec } } });
  };
  return (
    <Stack gap={2}>
      <Typography variant="body2" color="text.secondary">
        The address of the PersAI gateway, as the Perses server reaches it. Browsers never learn it: they go
        through Perses, which passes the person&apos;s sign-in on, so point it only at a gateway of your own.
      </Typography>
      <TextField
        label="Gateway URL"
        placeholder="http://persai-gateway:8000"
        fullWidth
        required
        value={url}
        error={wrong}
        helperText={wrong ? 'http:// or https://, a host, maybe a port and a path' : ' '}
        slotProps={{ htmlInput: { readOnly: isReadonly, inputMode: 'url' }, inputLabel: { shrink: true } }}
        onChange={(event) => change({ url: event.target.value.trim() })}
      />
      <TextField
        label="Secret"
        placeholder="None"
        fullWidth
        value={secret}
        helperText="A Perses secret: its Bearer authorization is the word of PERSAI_DATASOURCE_SECRET, where the gateway has one, so that it hears Perses only; and the TLS settings of the gateway, if it needs any."
        slotProps={{ htmlInput: { readOnly: isReadonly }, inputLabel: { shrink: true } }}
        onChange={(event) =>
          change({ secret: event.target.value.trim() === '' ? undefined : event.target.value.trim() })
        }
      />
      <Alert severity="info" variant="outlined">
        It must be a global datasource. Sign-in (security.enable_auth) must be on in Perses: the gateway knows
        people by it.
      </Alert>
    </Stack>
  );
}
