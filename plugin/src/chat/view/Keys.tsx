// The keys and commands, listed; and the language.
import { Box, MenuItem, Stack, TextField, Typography } from '@mui/material';
import { Dialog } from '@perses-dev/components';
import { ReactElement } from 'react';

import { Key, LANGUAGES, chooseLanguage, locale, t } from '../../i18n/i18n';
import { COMMANDS } from './commands';
import { DialogBody } from './DialogBody';

const KEYS: ReadonlyArray<readonly [string, Key]> = [
  ['Enter', 'keys.enter'],
  ['Shift+Enter', 'keys.shiftEnter'],
  ['Esc', 'keys.escape'],
  ['↑', 'keys.up'],
  ['/', 'keys.slash'],
  ['↑ ↓', 'keys.list'],
  ['@', 'keys.at'],
  ['?', 'keys.help'],
];

function Rows({ rows }: { rows: ReadonlyArray<readonly [string, string]> }): ReactElement {
  return (
    <Box component="dl" sx={{ display: 'grid', gridTemplateColumns: 'max-content 1fr', gap: 1, m: 0 }}>
      {rows.map(([name, text]) => (
        <Box key={name} sx={{ display: 'contents' }}>
          <Typography component="dt" variant="body2">
            <kbd>{name}</kbd>
          </Typography>
          <Typography component="dd" variant="body2" sx={{ m: 0 }}>
            {text}
          </Typography>
        </Box>
      ))}
    </Box>
  );
}

export function Keys({ onClose }: { onClose: () => void }): ReactElement {
  return (
    <Dialog open onClose={onClose} fullWidth maxWidth="xs">
      <Dialog.Header onClose={onClose}>{t('keys.title')}</Dialog.Header>
      <DialogBody>
        <Stack gap={2}>
          <Rows rows={KEYS.map(([name, key]) => [name, t(key)])} />
          <Typography variant="h4" component="h3">
            {t('keys.commands')}
          </Typography>
          <Rows rows={COMMANDS.map((name) => [`/${name}`, t(`command.${name}`)])} />
          <TextField
            select
            size="small"
            label={t('keys.language')}
            value={locale()}
            onChange={(event) => chooseLanguage(event.target.value)}
          >
            {LANGUAGES.map(({ code, name }) => (
              <MenuItem key={code} value={code} lang={code}>
                {name}
              </MenuItem>
            ))}
          </TextField>
        </Stack>
      </DialogBody>
    </Dialog>
  );
}
