// What another person shares: the same messages from the same store, to be read.
import { Alert, Box, Button, CircularProgress, Stack, Typography } from '@mui/material';
import { ReactElement, useEffect, useMemo, useRef } from 'react';

import { GatewayClient } from '../../api/client';
import { PersesApi } from '../../api/perses';
import { t } from '../../i18n/i18n';
import { plain } from '../../text';
import { ChatContext, ChatContextValue, useInfo } from '../store/context';
import { useStore } from '../store/useStore';
import { Messages } from './Messages';
import { STILL } from './motion';

export interface SharedProps {
  readonly client: GatewayClient;
  readonly shareId: string;
  readonly perses?: PersesApi;
  readonly addToDashboard?: ChatContextValue['addToDashboard'];
  /** To one's own conversations. */
  readonly onLeave: () => void;
}

const nothing = (): undefined => undefined;

export function Shared({ client, shareId, perses, addToDashboard, onLeave }: SharedProps): ReactElement {
  const conversation = useStore({
    client,
    place: `shared/${shareId}`,
    onSession: nothing,
    onChange: nothing,
  });
  const { title, sharedBy, loading, problem } = useInfo(conversation);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    void conversation.openShared(shareId);
  }, [conversation, shareId]);
  useEffect(() => {
    if (!loading) heading.current?.focus();
  }, [loading]);
  const context = useMemo(
    (): ChatContextValue => ({ conversation, perses, sendOptions: nothing, addToDashboard, readOnly: true }),
    [conversation, perses, addToDashboard],
  );
  return (
    <ChatContext.Provider value={context}>
      <Stack sx={{ height: '100%', minHeight: 0, minWidth: 0, ...STILL }} gap={1} data-testid="persai">
        <Typography variant="h3" component="h2" noWrap tabIndex={-1} ref={heading} sx={{ outline: 'none' }}>
          {plain(title)}
        </Typography>
        <Alert
          severity={problem === undefined ? 'info' : 'error'}
          action={
            <Button color="inherit" size="small" onClick={onLeave}>
              {t('share.own')}
            </Button>
          }
        >
          {problem === undefined ? t('share.by', { name: plain(sharedBy) }) : t('share.gone')}
        </Alert>
        {loading ? (
          <Box sx={{ m: 'auto' }}>
            <CircularProgress aria-label={t('chat.loadingTheConversation')} />
          </Box>
        ) : (
          <Messages status="" empty={null} />
        )}
      </Stack>
    </ChatContext.Provider>
  );
}
