// What stands in for messages before the first question.
import { Chip, Stack, Typography } from '@mui/material';
import { ReactElement } from 'react';

export const SUGGESTIONS: readonly string[] = [
  'Which targets are up, and which are down?',
  'How busy is the CPU of each machine, over the last hour?',
  'What uses the most memory right now?',
  'Has anything changed in the last hour that I should look at?',
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
          Ask about this dashboard: its variables and its time range go with each question.
        </Typography>
      </Stack>
    );
  return (
    <Stack alignItems="center" justifyContent="center" gap={2} sx={{ flexGrow: 1, py: 6 }}>
      <Typography variant="h2" component="h2">
        What would you like to know?
      </Typography>
      <Typography color="text.secondary" align="center" sx={{ maxWidth: 520 }}>
        PersAI looks at your metrics, logs, traces and profiles through Perses, with your rights, and shows
        every query that it ran.
      </Typography>
      <Stack direction="row" flexWrap="wrap" justifyContent="center" gap={1} sx={{ maxWidth: 720 }}>
        {SUGGESTIONS.map((text) => (
          <Chip key={text} label={text} variant="outlined" disabled={disabled} onClick={() => onAsk(text)} />
        ))}
      </Stack>
    </Stack>
  );
}
