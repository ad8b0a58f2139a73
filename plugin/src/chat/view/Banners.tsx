// What is wrong with all of the conversation, and what one does about it.
import { Alert, Button, Snackbar } from '@mui/material';
import { ReactElement } from 'react';

import { Conversation } from '../store/conversation';
import { useInfo } from '../store/context';
import { t } from '../../i18n/i18n';

export function SignedOut({ conversation }: { conversation: Conversation }): ReactElement {
  return (
    <Alert
      severity="warning"
      action={
        <Button color="inherit" size="small" onClick={() => void conversation.signedIn()}>
          {t('banners.tryAgain')}
        </Button>
      }
    >
      {t('banners.youAreSignedOut')}
    </Alert>
  );
}

export function ProblemBanner({ message, onNew }: { message: string; onNew: () => void }): ReactElement {
  return (
    <Alert
      severity="error"
      action={
        <Button color="inherit" size="small" onClick={onNew}>
          {t('banners.newConversation')}
        </Button>
      }
    >
      {message}
    </Alert>
  );
}

/** Why the last thing that the person did has not worked. */
export function Notice({ conversation }: { conversation: Conversation }): ReactElement {
  const { notice } = useInfo(conversation);
  return (
    <Snackbar open={notice !== undefined} onClose={() => conversation.clearNotice()} autoHideDuration={8_000}>
      <Alert severity="error" onClose={() => conversation.clearNotice()}>
        {notice?.message ?? ''}
      </Alert>
    </Snackbar>
  );
}
