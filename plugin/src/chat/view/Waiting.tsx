// The provider of the model makes everybody wait: for how long, and what one can do instead.
import { Alert, Button, Menu, MenuItem } from '@mui/material';
import { ReactElement, useEffect, useState } from 'react';

import { plain } from '../../text';
import { useChat, useInfo } from '../store/context';
import { t } from '../../i18n/i18n';

/** Seconds left; counted down from when it was first drawn. */
function useSecondsLeft(ms: number): number {
  const [end] = useState(() => Date.now() + ms);
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return Math.max(0, Math.ceil((end - now) / 1_000));
}

function waitText(seconds: number): string {
  if (seconds === 0) return t('waiting.tryingAgainNow');
  if (seconds < 90) return t('waiting.seconds', { count: seconds });
  return t('waiting.minutes', { count: Math.ceil(seconds / 60) });
}

/** Stops, and asks the same of a model that may have room. */
function OtherModel(): ReactElement | null {
  const { conversation, models = [], sendOptions } = useChat();
  const { model } = useInfo(conversation);
  const [anchor, setAnchor] = useState<HTMLElement>();
  const others = models.map(({ id }) => id).filter((one) => one !== model);
  if (others.length === 0 || (model === '' && models.length < 2)) return null;
  return (
    <>
      <Button
        color="inherit"
        size="small"
        aria-haspopup="menu"
        onClick={(event) => setAnchor(event.currentTarget)}
      >
        {t('waiting.anotherModel')}
      </Button>
      <Menu open={anchor !== undefined} anchorEl={anchor} onClose={() => setAnchor(undefined)}>
        {others.map((one) => (
          <MenuItem
            key={one}
            onClick={() => {
              setAnchor(undefined);
              const options = sendOptions();
              if (options !== undefined) void conversation.askOther(one, options);
            }}
          >
            {plain(one)}
          </MenuItem>
        ))}
      </Menu>
    </>
  );
}

export function Waiting({ text, ms }: { text: string; ms: number }): ReactElement {
  const { conversation } = useChat();
  const seconds = useSecondsLeft(ms);
  const why = plain(text) || t('waiting.theProviderLimitsRequests');
  return (
    <Alert
      severity="info"
      variant="outlined"
      data-testid="waiting"
      sx={{ my: 1 }}
      action={
        <>
          <OtherModel />
          <Button color="inherit" size="small" onClick={() => void conversation.stop()}>
            {t('wait.stop')}
          </Button>
        </>
      }
    >
      {`${why.replace(/[.;,\s]+$/, '')}; ${waitText(seconds)}.`}
    </Alert>
  );
}
