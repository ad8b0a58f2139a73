// What stands in for messages before the first question.
import { Chip, Stack, Typography } from '@mui/material';
import { ReactElement } from 'react';
import { t } from '../../i18n/i18n';

const suggestions = (): readonly string[] => [
  t('empty.whichTargetsAreUp'),
  t('empty.howBusyIsThe'),
  t('empty.whatUsesTheMost'),
  t('empty.hasAnythingChangedIn'),
];

export interface EmptyProps {
  readonly onAsk: (text: string) => void;
  readonly disabled: boolean;
  readonly compact: boolean;
}

export function Empty({ onAsk, disabled, compact }: EmptyProps): ReactElement {
  if (compact)
    return (
      <Stack alignItems="center" justifyContent="center" sx={{ flexGrow: 1, py: 1 }}>
        <Typography color="text.secondary" align="center">
          {t('empty.askAboutThisDashboard')}
        </Typography>
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
      <Stack direction="row" flexWrap="wrap" justifyContent="center" gap={1} sx={{ maxWidth: 720 }}>
        {suggestions().map((text) => (
          <Chip key={text} label={text} variant="outlined" disabled={disabled} onClick={() => onAsk(text)} />
        ))}
      </Stack>
    </Stack>
  );
}
