import { Alert, Stack, TextField, Typography } from '@mui/material';
import { OptionsEditorProps } from '@perses-dev/plugin-system';
import { ReactElement } from 'react';

import type { PersAIDatasourceSpec } from './PersAIDatasource';
import { t } from '../i18n/i18n';

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
        {t('datasource.about')}
      </Typography>
      <TextField
        label={t('datasource.url')}
        placeholder="http://persai-gateway:8000"
        fullWidth
        required
        value={url}
        error={wrong}
        helperText={wrong ? t('datasource.urlHelp') : ' '}
        slotProps={{ htmlInput: { readOnly: isReadonly, inputMode: 'url' }, inputLabel: { shrink: true } }}
        onChange={(event) => change({ url: event.target.value.trim() })}
      />
      <TextField
        label={t('datasource.secret')}
        placeholder={t('datasource.none')}
        fullWidth
        value={secret}
        helperText={t('datasource.secretHelp')}
        slotProps={{ htmlInput: { readOnly: isReadonly }, inputLabel: { shrink: true } }}
        onChange={(event) =>
          change({ secret: event.target.value.trim() === '' ? undefined : event.target.value.trim() })
        }
      />
      <Alert severity="info" variant="outlined">
        {t('datasource.global')}
      </Alert>
    </Stack>
  );
}
