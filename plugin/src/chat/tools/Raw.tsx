// What went in and what came out, as text.
import { Box, Stack, Typography } from '@mui/material';
import { ReactElement } from 'react';

import { plain, shorten } from '../../text';
import { CopyButton } from '../view/CopyButton';

const RAW_CHARS_MAX = 20_000;

export function pretty(value: unknown): string {
  if (typeof value === 'string') return value;
  return JSON.stringify(value, null, 2) ?? '';
}

export function Raw({ title, copy, text }: { title: string; copy: string; text: string }): ReactElement {
  return (
    <Box sx={{ mt: 1 }}>
      <Stack direction="row" alignItems="center" justifyContent="space-between">
        <Typography variant="body2" color="text.secondary">
          {title}
        </Typography>
        <CopyButton text={text} label={copy} />
      </Stack>
      <Box
        component="pre"
        tabIndex={0}
        aria-label={title}
        sx={{
          m: 0,
          p: 1,
          maxHeight: 240,
          overflow: 'auto',
          fontSize: '0.75rem',
          whiteSpace: 'pre-wrap',
          overflowWrap: 'anywhere',
          backgroundColor: 'background.code',
          borderRadius: 1,
        }}
      >
        {plain(shorten(text, RAW_CHARS_MAX))}
      </Box>
    </Box>
  );
}
