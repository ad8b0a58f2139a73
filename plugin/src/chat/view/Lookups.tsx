// How the model found its way, in one row: "Looked at 6 things, 0.2 s". What each was is there when it is opened.
import { Box, Button, Collapse, Typography } from '@mui/material';
import ChevronDown from 'mdi-material-ui/ChevronDown';
import { ReactElement, memo, useId, useState } from 'react';

import { t } from '../../i18n/i18n';
import { plain, shorten } from '../../text';
import { Call } from '../store/reduce';
import { ToolCard, StateIcon } from '../tools/ToolCard';
import { durationText, wordsOf } from '../tools/words';

function stateOf(calls: readonly Call[]): Call['state'] {
  if (calls.some(({ state }) => state === 'running' || state === 'writing')) return 'running';
  return calls.length > 0 && calls.every(({ state }) => state === 'failed') ? 'failed' : 'done';
}

function summaryOf(calls: readonly Call[], notes: readonly string[]): string {
  const running = calls.findLast(({ state }) => state === 'running' || state === 'writing');
  if (running !== undefined) return wordsOf(running);
  const only = calls.length === 1 ? calls[0] : undefined;
  if (only !== undefined && notes.length === 0) return wordsOf(only);
  if (calls.length === 0) return t('lookups.notes', { count: notes.length });
  return t('lookups.many', { count: calls.length });
}

export const Lookups = memo(function Lookups(props: {
  calls: readonly Call[];
  notes: readonly string[];
  at: string;
}): ReactElement {
  const { calls, notes, at } = props;
  const [open, setOpen] = useState(false);
  const id = useId();
  const ms = calls.reduce((sum, { result }) => sum + (result?.durationMs ?? 0), 0);
  const failed = calls.filter(({ state }) => state === 'failed').length;
  const state = stateOf(calls);
  const facts = [
    plain(shorten(summaryOf(calls, notes), 160)),
    state === 'done' && ms > 0 ? durationText(ms) : '',
    failed > 0 ? t('lookups.failed', { count: failed }) : '',
  ];
  return (
    <Box sx={{ my: 0.5, gridColumn: '1 / -1', minWidth: 0 }} data-testid="lookups">
      <Button
        size="small"
        color="inherit"
        aria-expanded={open}
        aria-controls={id}
        startIcon={<StateIcon state={state} />}
        endIcon={<ChevronDown sx={{ transform: open ? 'rotate(180deg)' : 'none' }} />}
        sx={{ color: 'text.secondary', textTransform: 'none', textAlign: 'left', overflowWrap: 'anywhere' }}
        onClick={() => setOpen(!open)}
      >
        {facts.filter((fact) => fact !== '').join(' · ')}
      </Button>
      <Collapse in={open} id={id} unmountOnExit>
        {notes.map((note, i) => (
          <Typography
            key={i}
            variant="body2"
            color="text.secondary"
            sx={{ pl: 1.5, my: 0.5, whiteSpace: 'pre-wrap' }}
          >
            {plain(note)}
          </Typography>
        ))}
        {calls.map((call) => (
          <ToolCard key={call.id} call={call} at={at} settings={undefined} />
        ))}
      </Collapse>
    </Box>
  );
});
