// What the model thought before it spoke: folded, with how long it took.
import { Box, Button, Collapse, Typography } from '@mui/material';
import { ReactElement, useEffect, useState } from 'react';

import { t } from '../../i18n/i18n';
import { plain } from '../../text';
import { begin, end } from './thought';

export function Reasoning(props: { id: string; text: string; complete: boolean }): ReactElement {
  const { id, text, complete } = props;
  const [open, setOpen] = useState(false);
  useEffect(() => {
    if (!complete) begin(id);
  }, [id, complete]);
  const seconds = end(id, complete); // the same whenever it is asked
  const label = seconds === undefined ? t('thought.done') : t('thought.for', { count: seconds });
  return (
    <Box sx={{ my: 0.5 }}>
      <Button
        size="small"
        color="inherit"
        aria-expanded={open}
        sx={{ color: 'text.secondary', textTransform: 'none' }}
        onClick={() => setOpen(!open)}
      >
        {complete ? label : t('thought.now')}
      </Button>
      <Collapse in={open} unmountOnExit>
        <Typography
          variant="body2"
          color="text.secondary"
          sx={{
            whiteSpace: 'pre-wrap',
            overflowWrap: 'anywhere',
            borderLeft: 2,
            borderColor: 'divider',
            pl: 1.5,
          }}
        >
          {plain(text)}
        </Typography>
      </Collapse>
    </Box>
  );
}
