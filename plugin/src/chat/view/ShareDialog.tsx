// A conversation for others: a link for who is signed in to this Perses, and a file.
import { Alert, Button, Link, Stack, TextField, Typography } from '@mui/material';
import { Dialog } from '@perses-dev/components';
import { ReactElement, useState } from 'react';

import { t } from '../../i18n/i18n';
import { Conversation } from '../store/conversation';
import { useInfo } from '../store/context';
import { CopyButton } from './CopyButton';
import { DialogBody } from './DialogBody';

/** Where this explorer shows what is shared. */
function linkOf(shareId: string, prefix: string): string {
  const data = encodeURIComponent(JSON.stringify({ shared: shareId }));
  return `${window.location.origin}${prefix}/explore?explorer=PersAI-PersAIExplorer&data=${data}`;
}

const FILE_NAME_MAX = 60;

function saveAs(file: Blob, name: string): void {
  const url = URL.createObjectURL(file);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser has taken it long before
}

function fileName(title: string, format: string): string {
  const plain = title.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-+|-+$/g, '');
  return `${plain.slice(0, FILE_NAME_MAX) || 'conversation'}.${format}`;
}

export function ShareDialog(props: {
  conversation: Conversation;
  /** What stands before all paths of this Perses. */
  prefix: string;
  onClose: () => void;
}): ReactElement {
  const { conversation, prefix, onClose } = props;
  const { shareId, title, notice } = useInfo(conversation);
  const [busy, setBusy] = useState(false);
  const during = (work: Promise<unknown>): void => {
    setBusy(true);
    void work.finally(() => setBusy(false));
  };
  const save = async (format: 'md' | 'json'): Promise<void> => {
    const file = await conversation.sharing.exported(format);
    if (file !== undefined) saveAs(file, fileName(title, format));
  };
  const link = linkOf(shareId, prefix);
  return (
    <Dialog open onClose={onClose} fullWidth maxWidth="sm">
      <Dialog.Header onClose={onClose}>{t('share.title')}</Dialog.Header>
      <DialogBody>
        <Stack gap={2}>
          {notice !== undefined && <Alert severity="error">{notice.message}</Alert>}
          <Typography variant="body2">{t('share.what')}</Typography>
          {shareId === '' ? (
            <Button
              // Perses's blue is too light for small text in the dark.
              variant="outlined"
              color="inherit"
              sx={{ alignSelf: 'start' }}
              disabled={busy}
              onClick={() => during(conversation.sharing.share())}
            >
              {t('share.make')}
            </Button>
          ) : (
            <>
              <Stack direction="row" alignItems="center" gap={1}>
                <TextField
                  fullWidth
                  size="small"
                  label={t('share.link')}
                  value={link}
                  slotProps={{ htmlInput: { readOnly: true } }}
                />
                <CopyButton text={link} label={t('share.copy')} />
              </Stack>
              <Button
                color="inherit"
                sx={{ alignSelf: 'start' }}
                disabled={busy}
                onClick={() => during(conversation.sharing.unshare())}
              >
                {t('share.stop')}
              </Button>
            </>
          )}
          <Typography variant="h4" component="h3">
            {t('share.file')}
          </Typography>
          <Stack direction="row" gap={2}>
            {(['md', 'json'] as const).map((format) => (
              <Link
                key={format}
                component="button"
                type="button"
                color="text.primary"
                variant="body2"
                disabled={busy}
                onClick={() => during(save(format))}
              >
                {t(`share.${format}`)}
              </Link>
            ))}
          </Stack>
        </Stack>
      </DialogBody>
    </Dialog>
  );
}
