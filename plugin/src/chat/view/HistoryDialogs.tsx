// Renaming a conversation, and deleting it.
import { TextField, Typography } from '@mui/material';
import { Dialog } from '@perses-dev/components';
import { ReactElement, useState } from 'react';

import { SessionSummary } from '../../api/sessions';
import { plain } from '../../text';

export function titleOf(session: SessionSummary): string {
  return plain(session.title) || 'Untitled conversation';
}

export function RenameDialog(props: {
  session: SessionSummary;
  onClose: () => void;
  onRename: (title: string) => void;
}): ReactElement {
  const [title, setTitle] = useState(props.session.title);
  return (
    <Dialog open onClose={props.onClose} fullWidth maxWidth="xs" aria-label="Rename the conversation">
      <Dialog.Header onClose={props.onClose}>Rename the conversation</Dialog.Header>
      <Dialog.Form
        onSubmit={(event) => {
          event.preventDefault();
          if (title.trim() !== '') props.onRename(title.trim());
        }}
      >
        <Dialog.Content>
          <TextField
            // oxlint-disable-next-line jsx-a11y/no-autofocus -- the dialog was opened for this field
            autoFocus
            fullWidth
            label="Title"
            value={title}
            slotProps={{ htmlInput: { maxLength: 200 } }}
            onChange={(event) => setTitle(event.target.value)}
          />
        </Dialog.Content>
        <Dialog.Actions>
          <Dialog.PrimaryButton disabled={title.trim() === ''}>Rename</Dialog.PrimaryButton>
          <Dialog.SecondaryButton onClick={props.onClose}>Cancel</Dialog.SecondaryButton>
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
    <Dialog open onClose={props.onClose} fullWidth maxWidth="xs" aria-label="Delete the conversation">
      <Dialog.Header onClose={props.onClose}>Delete the conversation</Dialog.Header>
      <Dialog.Content>
        <Typography>
          “{titleOf(props.session)}” and its {props.session.turns}{' '}
          {props.session.turns === 1 ? 'answer' : 'answers'} are deleted for good.
        </Typography>
      </Dialog.Content>
      <Dialog.Actions>
        <Dialog.PrimaryButton onClick={props.onDelete}>Delete</Dialog.PrimaryButton>
        <Dialog.SecondaryButton onClick={props.onClose}>Cancel</Dialog.SecondaryButton>
      </Dialog.Actions>
    </Dialog>
  );
}
