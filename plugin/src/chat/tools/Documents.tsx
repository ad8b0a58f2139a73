// The documents that an answer rests on: file and heading, and what is there when it is opened.
import { Box, Chip, Typography } from '@mui/material';
import { ReactElement } from 'react';

import { Citation } from './documents';
import { plain, shorten } from '../../text';
import { t } from '../../i18n/i18n';

const TEXT_CHARS_MAX = 20_000;

function whereOf({ heading, line }: Citation): string {
  const at = line > 0 ? t('documents.line', { line }) : '';
  return [heading, at].filter((part) => part !== '').join(', ');
}

export function Documents({ citations }: { citations: readonly Citation[] }): ReactElement {
  return (
    <Box
      component="ul"
      aria-label={t('documents.list')}
      data-testid="documents"
      sx={{ m: 0, mt: 0.5, p: 0, listStyle: 'none' }}
    >
      {citations.map((citation, i) => (
        <Box component="li" key={i}>
          <Box component="details" sx={{ '& summary': { cursor: 'pointer', overflowWrap: 'anywhere' } }}>
            <summary>
              <Typography variant="body2" component="span" sx={{ fontWeight: 700 }}>
                {plain(citation.file)}
              </Typography>
              <Typography variant="body2" component="span" color="text.secondary">
                {` ${plain(whereOf(citation))} `}
              </Typography>
              {citation.isRunbook && <Chip size="small" variant="outlined" label={t('documents.runbook')} />}
            </summary>
            <Typography
              variant="body2"
              component="div"
              tabIndex={0}
              sx={{
                my: 0.5,
                pl: 1.5,
                borderLeft: 2,
                borderColor: 'divider',
                maxHeight: 280,
                overflow: 'auto',
                whiteSpace: 'pre-wrap',
                overflowWrap: 'anywhere',
              }}
            >
              {plain(shorten(citation.text, TEXT_CHARS_MAX))}
            </Typography>
          </Box>
        </Box>
      ))}
    </Box>
  );
}
