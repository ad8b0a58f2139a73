// Renaming a conversation, and deleting it.
import { TextField, Typography } from '@mui/material';
import { Dialog } from '@perses-dev/components';
import { ReactElement, useState } from 'react';

import { SessionSummary } from '../../api/sessions';
import { fitting, plain } from '../../text';
import { t } from '../../i18n/i18n';
import { DialogBody } from './DialogBody';

/** As the gateway takes them. */
const TITLE_BYTES_MAX = 512;

export function titleOf(session: SessionSummary): string {
  return plain(session.title) || t('historyDialogs.untitledConversation');
}

export function RenameDialog(props: {
  session: SessionSummary;
  onClose: () => void;
  onRename: (title: string) => void;
}): ReactElement {
  const [title, setTitle] = useState(props.session.title);
  return (
    <Dialog open onClose={props.onClose} fullWidth maxWidth="xs">
      <Dialog.Header onClose={props.onClose}>{t('historyDialogs.renameTheConversation')}</Dialog.Header>
      <Dialog.Form
        onSubmit={(event) => {
          event.preventDefault();
          if (title.trim() !== '') props.onRename(title.trim());
        }}
      >
        <DialogBody>
          <TextField
            // oxlint-disable-next-line jsx-a11y/no-autofocus -- the dialog was opened for this field
            autoFocus
            fullWidth
            label={t('historyDialogs.title')}
            value={title}
            onChange={(event) => setTitle(fitting(event.target.value, TITLE_BYTES_MAX))}
          />
        </DialogBody>
        <Dialog.Actions>
          <Dialog.PrimaryButton disabled={title.trim() === ''}>
            {t('historyDialogs.rename')}
          </Dialog.PrimaryButton>
          <Dialog.SecondaryButton onClick={props.onClose}>
            {t('historyDialogs.cancel')}
          </Dialog.SecondaryButton>
        </Dialog.Actions>
      </Dialog.Form>
    </Dialog>
  );
}

export function DeleteDialog(props: {
  session: SessionSummary;
  onClose: () => void;
  onDelete: () => void;
}): ReactElement {
  return (
    <Dialog open onClose={props.onClose} fullWidth maxWidth="xs">
      <Dialog.Header onClose={props.onClose}>{t('historyDialogs.deleteTheConversation')}</Dialog.Header>
      <DialogBody>
        <Typography>
          {t('historyDialogs.gone', { title: titleOf(props.session), count: props.session.turns })}
        </Typography>
      </DialogBody>
      <Dialog.Actions>
        <Dialog.PrimaryButton onClick={props.onDelete}>{t('historyDialogs.delete')}</Dialog.PrimaryButton>
        <Dialog.SecondaryButton onClick={props.onClose}>{t('historyDialogs.cancel')}</Dialog.SecondaryButton>
      </Dialog.Actions>
    </Dialog>
  );
}
