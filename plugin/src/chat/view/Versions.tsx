// "‹ 1/2 ›": a question that was asked in several ways, and which of them is shown.
import { IconButton, Tooltip, Typography } from '@mui/material';
import LeftIcon from 'mdi-material-ui/ChevronLeft';
import RightIcon from 'mdi-material-ui/ChevronRight';
import { ReactElement } from 'react';

import { useChat } from '../store/context';
import { t } from '../../i18n/i18n';

function Step(props: { label: string; to: string | undefined; busy: boolean; left: boolean }): ReactElement {
  const { label, to, busy, left } = props;
  const { conversation } = useChat();
  return (
    <Tooltip title={label}>
      <span>
        <IconButton
          size="small"
          aria-label={label}
          disabled={busy || to === undefined}
          onClick={() => to !== undefined && void conversation.showVersion(to)}
        >
          {left ? <LeftIcon fontSize="inherit" /> : <RightIcon fontSize="inherit" />}
        </IconButton>
      </span>
    </Tooltip>
  );
}

export function Versions(props: {
  messageId: string;
  versions: readonly string[];
  busy: boolean;
}): ReactElement {
  const { messageId, versions, busy } = props;
  const at = versions.indexOf(messageId);
  const label = t('message.version', { at: at + 1, count: versions.length });
  return (
    <>
      <Step label={t('message.earlierVersion')} to={versions[at - 1]} busy={busy} left />
      <Typography variant="caption" color="text.secondary" aria-label={label} role="status">
        {at + 1}/{versions.length}
      </Typography>
      <Step label={t('message.laterVersion')} to={versions[at + 1]} busy={busy} left={false} />
    </>
  );
}
