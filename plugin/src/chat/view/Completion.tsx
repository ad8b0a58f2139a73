// What fits to what is being written, above the question: chosen by arrows and Enter or Tab, or by a click.
import { Box, List, ListItemButton, ListItemText, Paper } from '@mui/material';
import { ReactElement, useEffect } from 'react';

import { t } from '../../i18n/i18n';
import { plain, shorten } from '../../text';
import { Offer } from './commands';

export interface CompletionProps {
  readonly id: string;
  readonly offers: readonly Offer[];
  readonly at: number;
  readonly onChoose: (offer: Offer) => void;
}

export function optionId(id: string, at: number): string {
  return `${id}-${at}`;
}

export function Completion({ id, offers, at, onChoose }: CompletionProps): ReactElement {
  useEffect(() => {
    document.getElementById(optionId(id, at))?.scrollIntoView?.({ block: 'nearest' });
  }, [id, at]);
  return (
    <Box sx={{ position: 'relative' }}>
      <Paper
        elevation={4}
        sx={{
          position: 'absolute',
          bottom: 8,
          left: 0,
          right: 0,
          maxWidth: 520,
          maxHeight: '60vh', // enough for all of them, but in a low window
          overflowY: 'auto',
          zIndex: 2,
        }}
      >
        <List dense disablePadding id={id} role="listbox" aria-label={t('complete.list')}>
          {offers.map((offer, i) => (
            <ListItemButton
              key={offer.id}
              id={optionId(id, i)}
              role="option"
              aria-selected={i === at}
              selected={i === at}
              tabIndex={-1}
              onMouseDown={(event) => event.preventDefault()} // the focus stays where one writes
              onClick={() => onChoose(offer)}
            >
              <ListItemText
                primary={plain(shorten(offer.label, 80))}
                secondary={plain(shorten(offer.about, 120))}
                slotProps={{ primary: { noWrap: true }, secondary: { noWrap: true, variant: 'caption' } }}
              />
            </ListItemButton>
          ))}
        </List>
      </Paper>
    </Box>
  );
}
