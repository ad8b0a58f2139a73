// What stands in for messages before the first question.
import { Chip, Stack, Typography } from '@mui/material';
import { ReactElement } from 'react';
import { t } from '../../i18n/i18n';

export interface EmptyProps {
  readonly onAsk: (text: string) => void;
  readonly disabled: boolean;
  readonly compact: boolean;
  readonly suggestions: readonly string[];
}

function Suggestions({ suggestions, disabled, onAsk }: Omit<EmptyProps, 'compact'>): ReactElement {
  return (
    <Stack direction="row" flexWrap="wrap" justifyContent="center" gap={1} sx={{ maxWidth: 720 }}>
      {suggestions.map((text) => (
        <Chip
          key={text}
          label={text}
          variant="outlined"
          disabled={disabled}
          onClick={() => onAsk(text)}
          sx={{ height: 'auto', minHeight: 32, '& .MuiChip-label': { whiteSpace: 'normal' } }}
        />
      ))}
    </Stack>
  );
}

export function Empty({ onAsk, disabled, compact, suggestions }: EmptyProps): ReactElement {
  if (compact)
    return (
      <Stack alignItems="center" justifyContent="center" gap={1} sx={{ flexGrow: 1, py: 1 }}>
        <Typography color="text.secondary" align="center">
          {t('empty.askAboutThisDashboard')}
        </Typography>
        <Suggestions suggestions={suggestions} disabled={disabled} onAsk={onAsk} />
      </Stack>
    );
  return (
    <Stack alignItems="center" justifyContent="center" gap={2} sx={{ flexGrow: 1, py: 6 }}>
      <Typography variant="h2" component="h2">
        {t('empty.whatWouldYouLike')}
      </Typography>
      <Typography color="text.secondary" align="center" sx={{ maxWidth: 520 }}>
        {t('empty.persaiLooksAtYour')}
      </Typography>
      <Suggestions suggestions={suggestions} disabled={disabled} onAsk={onAsk} />
    </Stack>
  );
}
