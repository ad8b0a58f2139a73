// The list of conversations beside the chat, or in a drawer where there is little room, and the title above it.
import { Box, Drawer, IconButton, Link, Stack, Tooltip, Typography } from '@mui/material';
import HelpIcon from 'mdi-material-ui/KeyboardOutline';
import HistoryIcon from 'mdi-material-ui/History';
import PlusIcon from 'mdi-material-ui/Plus';
import { ReactElement, ReactNode } from 'react';

import { t } from '../../i18n/i18n';
import { STILL, useDrawerMotion } from './motion';

const HISTORY_WIDTH = 260;
/** Of the part with the question. */
export const QUESTION_ID = 'persai-question';

/** Past the list and all messages, for who goes by the keyboard. */
function SkipLink(): ReactElement {
  return (
    <Link
      component="button"
      type="button"
      sx={{
        position: 'absolute',
        left: -10_000,
        '&:focus': { left: 8, top: 8, zIndex: 3, px: 1, py: 0.5, backgroundColor: 'background.paper' },
      }}
      onClick={() => document.getElementById(QUESTION_ID)?.querySelector('textarea')?.focus()}
    >
      {t('skip.question')}
    </Link>
  );
}

export interface FrameProps {
  readonly narrow: boolean;
  readonly compact: boolean;
  readonly title: string;
  readonly history: ReactElement;
  readonly historyOpen: boolean;
  readonly onHistory: (open: boolean) => void;
  readonly onNew: () => void;
  readonly onHelp: () => void;
  /** What can be done with the conversation, beside its title. */
  readonly actions?: ReactNode;
  /** What can be done with the place that all this is in. */
  readonly placeActions?: ReactNode;
  readonly children: ReactNode;
}

function SmallButtons({ onHistory, onNew }: Pick<FrameProps, 'onHistory' | 'onNew'>): ReactElement {
  return (
    <>
      <Tooltip title={t('frame.conversations')}>
        <IconButton aria-label={t('frame.conversations')} onClick={() => onHistory(true)}>
          <HistoryIcon />
        </IconButton>
      </Tooltip>
      <Tooltip title={t('banners.newConversation')}>
        <IconButton aria-label={t('banners.newConversation')} onClick={onNew}>
          <PlusIcon />
        </IconButton>
      </Tooltip>
    </>
  );
}

export function Frame(props: FrameProps): ReactElement {
  const { narrow, compact, title, history, historyOpen, onHistory, onNew, onHelp, children } = props;
  const motion = useDrawerMotion();
  return (
    <Stack
      direction="row"
      sx={{ height: '100%', minHeight: 0, minWidth: 0, position: 'relative', ...STILL }}
      data-testid="persai"
    >
      <SkipLink />
      {narrow ? (
        <Drawer open={historyOpen} onClose={() => onHistory(false)} {...motion}>
          <Box sx={{ width: HISTORY_WIDTH, height: '100%', p: 1.5, ...STILL }}>{history}</Box>
        </Drawer>
      ) : (
        <Box sx={{ width: HISTORY_WIDTH, flexShrink: 0, pr: 1.5, borderRight: 1, borderColor: 'divider' }}>
          {history}
        </Box>
      )}
      <Stack sx={{ flexGrow: 1, minWidth: 0, minHeight: 0, pl: narrow ? 0 : 1.5 }}>
        <Stack direction="row" alignItems="center" gap={1} sx={{ minHeight: compact ? 28 : 36 }}>
          {narrow && <SmallButtons onHistory={onHistory} onNew={onNew} />}
          <Typography variant="h3" component={title === '' ? 'span' : 'h2'} noWrap sx={{ flexGrow: 1 }}>
            {title}
          </Typography>
          {props.actions}
          {!compact && (
            <Tooltip title={t('keys.open')}>
              <IconButton size="small" aria-label={t('keys.open')} onClick={onHelp}>
                <HelpIcon fontSize="inherit" />
              </IconButton>
            </Tooltip>
          )}
          {props.placeActions}
        </Stack>
        {children}
      </Stack>
    </Stack>
  );
}
