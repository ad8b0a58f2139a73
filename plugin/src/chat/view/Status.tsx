// What the assistant is at, or why the person waits: one sentence, for how long, and what one can do about it.
import { Box, Link, Typography } from '@mui/material';
import { ReactElement, useEffect, useState } from 'react';

import { t } from '../../i18n/i18n';
import { plain, shorten } from '../../text';
import { Conversation } from '../store/conversation';
import { Wait, waitOf } from '../store/waits';

const LOOK_MS = 500;

/** Looked at again and again, as nothing else tells that time passes. */
function useWait(conversation: Conversation, busy: boolean): { wait: Wait | undefined; now: number } {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!busy) return undefined;
    const timer = setInterval(() => setNow(Date.now()), LOOK_MS);
    return () => clearInterval(timer);
  }, [busy]);
  return { wait: busy ? waitOf(conversation.waiting, now) : undefined, now };
}

function timeText({ sinceMs, untilMs }: Wait, now: number): string {
  const left = untilMs === undefined ? 0 : Math.ceil((untilMs - now) / 1_000);
  if (untilMs !== undefined) return left > 0 ? t('wait.until', { count: left }) : t('wait.now');
  return t('wait.for', { count: Math.max(1, Math.round((now - sinceMs) / 1_000)) });
}

function Actions({ conversation, wait }: { conversation: Conversation; wait: Wait }): ReactElement {
  return (
    <>
      {wait.canHurry && (
        <Link
          component="button"
          type="button"
          variant="body2"
          color="inherit"
          onClick={() => conversation.hurry()}
        >
          {t('wait.tryNow')}
        </Link>
      )}
      <Link
        component="button"
        type="button"
        variant="body2"
        color="inherit"
        onClick={() => void conversation.stop()}
      >
        {t('wait.stop')}
      </Link>
    </>
  );
}

const PILL = {
  display: 'inline-flex',
  gap: 1,
  flexWrap: 'wrap',
  justifyContent: 'center',
  maxWidth: '100%',
  px: 1.5,
  py: 0.25,
  borderRadius: 4,
  border: 1,
  borderColor: 'divider',
  backgroundColor: 'background.paper',
  color: 'text.primary',
} as const;

/** While it works; a sentence that is read stands still. */
const PULSE = {
  '@keyframes persai-pulse': { '50%': { opacity: 0.75 } },
  animation: 'persai-pulse 1.6s ease-in-out infinite',
} as const;

export interface StatusProps {
  readonly conversation: Conversation;
  /** What it is at; empty: nothing. */
  readonly saying: string;
  readonly busy: boolean;
}

export function Status({ conversation, saying, busy }: StatusProps): ReactElement {
  const { wait, now } = useWait(conversation, busy);
  const text = wait === undefined ? `${plain(shorten(saying, 160))}…` : t(wait.key, wait.values);
  return (
    <Box sx={{ minWidth: 0, px: 5, textAlign: 'center' }}>
      {/* The seconds are not said aloud each time that they change. */}
      <Box
        component="span"
        sx={saying === '' ? undefined : { ...PILL, ...(wait === undefined ? PULSE : {}) }}
        data-testid="status-line"
      >
        <Typography
          variant="body2"
          component="span"
          role="status"
          aria-label={t('status.label')}
          sx={{ overflow: 'hidden', textOverflow: 'ellipsis', minWidth: 0 }}
        >
          {saying !== '' && <span data-testid="status">{text}</span>}
        </Typography>
        {saying !== '' && wait !== undefined && (
          <>
            <Typography variant="body2" component="span" data-testid="wait-time">
              {timeText(wait, now)}
            </Typography>
            <Actions conversation={conversation} wait={wait} />
          </>
        )}
      </Box>
    </Box>
  );
}
