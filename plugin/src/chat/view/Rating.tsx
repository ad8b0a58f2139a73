// What an answer was worth to the person: a thumb, and a few words where it was no good.
import { Button, IconButton, Popover, Stack, TextField, Tooltip } from '@mui/material';
import DownFilledIcon from 'mdi-material-ui/ThumbDown';
import DownIcon from 'mdi-material-ui/ThumbDownOutline';
import UpFilledIcon from 'mdi-material-ui/ThumbUp';
import UpIcon from 'mdi-material-ui/ThumbUpOutline';
import { FormEvent, ReactElement, useRef, useState } from 'react';

import { t } from '../../i18n/i18n';
import { fitting } from '../../text';
import { useChat } from '../store/context';
import { Exchange } from '../store/exchanges';

/** As the gateway takes them. */
const COMMENT_BYTES_MAX = 4_000;

function Comment({ first, onSend }: { first: string; onSend: (comment: string) => void }): ReactElement {
  const [comment, setComment] = useState(first);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    onSend(comment.trim());
  };
  return (
    <Stack component="form" gap={1} sx={{ p: 1.5, width: 'min(360px, 80vw)' }} onSubmit={submit}>
      <TextField
        multiline
        minRows={2}
        maxRows={6}
        size="small"
        // oxlint-disable-next-line jsx-a11y/no-autofocus -- the person has just asked for it
        autoFocus
        label={t('rating.what')}
        value={comment}
        onChange={(event) => setComment(fitting(event.target.value, COMMENT_BYTES_MAX))}
      />
      <Button type="submit" size="small" variant="contained" sx={{ alignSelf: 'end' }}>
        {t('rating.send')}
      </Button>
    </Stack>
  );
}

export function Rating({ exchange }: { exchange: Exchange }): ReactElement {
  const { conversation } = useChat();
  const [open, setOpen] = useState(false);
  const down = useRef<HTMLButtonElement>(null);
  const { feedback } = exchange;
  const good = feedback?.sentiment === 1;
  const bad = feedback?.sentiment === -1;
  const rate = (sentiment: 1 | -1, comment = ''): void =>
    void conversation.sharing.rate(exchange, { sentiment, comment });
  const takeBack = (): void => void conversation.sharing.rate(exchange, undefined);
  return (
    <>
      <Tooltip title={t('rating.good')}>
        <IconButton
          size="small"
          aria-label={t('rating.good')}
          aria-pressed={good}
          onClick={() => (good ? takeBack() : rate(1))}
        >
          {good ? <UpFilledIcon fontSize="inherit" /> : <UpIcon fontSize="inherit" />}
        </IconButton>
      </Tooltip>
      <Tooltip title={t('rating.bad')}>
        <IconButton
          ref={down}
          size="small"
          aria-label={t('rating.bad')}
          aria-pressed={bad}
          onClick={() => {
            if (bad) {
              takeBack();
              return;
            }
            rate(-1);
            setOpen(true);
          }}
        >
          {bad ? <DownFilledIcon fontSize="inherit" /> : <DownIcon fontSize="inherit" />}
        </IconButton>
      </Tooltip>
      <Popover
        open={open}
        anchorEl={down.current}
        anchorOrigin={{ vertical: 'bottom', horizontal: 'left' }}
        slotProps={{ paper: { role: 'dialog', 'aria-label': t('rating.what') } }}
        onClose={() => setOpen(false)}
      >
        <Comment
          first={feedback?.comment ?? ''}
          onSend={(comment) => {
            if (comment !== '') rate(-1, comment);
            setOpen(false);
          }}
        />
      </Popover>
    </>
  );
}
