// The conversations of the past: search, open, rename, delete.
import {
  Alert,
  Box,
  Button,
  CircularProgress,
  IconButton,
  InputAdornment,
  List,
  ListItem,
  ListItemButton,
  ListItemIcon,
  ListItemText,
  Menu,
  MenuItem,
  Stack,
  TextField,
  Typography,
} from '@mui/material';
import { Dialog } from '@perses-dev/components';
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import DotsIcon from 'mdi-material-ui/DotsVertical';
import SearchIcon from 'mdi-material-ui/Magnify';
import PencilIcon from 'mdi-material-ui/Pencil';
import PlusIcon from 'mdi-material-ui/Plus';
import TrashIcon from 'mdi-material-ui/TrashCanOutline';
import { ReactElement, useEffect, useState } from 'react';

import { GatewayClient } from '../../api/client';
import { SessionSummary } from '../../api/sessions';
import { problemOf, tellDeleted } from '../store/conversation';
import { plain } from '../../text';

const SEARCH_PAUSE_MS = 250;

export const HISTORY_KEY = 'persai-sessions';

function usePaused(value: string): string {
  const [paused, setPaused] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setPaused(value), SEARCH_PAUSE_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return paused;
}

function when(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return '';
  const today = new Date().toDateString() === date.toDateString();
  return today
    ? date.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' })
    : date.toLocaleDateString(undefined, { month: 'short', day: 'numeric' });
}

function titleOf(session: SessionSummary): string {
  return plain(session.title) || 'Untitled conversation';
}

function RenameDialog(props: {
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

function DeleteDialog(props: {
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

export interface HistoryProps {
  readonly client: GatewayClient;
  /** Distinguishes gateways in the cache. */
  readonly gateway: string;
  readonly current: string | undefined;
  readonly onOpen: (sessionId: string | undefined) => void;
  readonly onRenamed: (sessionId: string, title: string) => void;
}

export function History(props: HistoryProps): ReactElement {
  const { client, gateway, current, onOpen, onRenamed } = props;
  const [search, setSearch] = useState('');
  const query = usePaused(search.trim());
  const queryClient = useQueryClient();
  const [menu, setMenu] = useState<{ session: SessionSummary; anchor: HTMLElement }>();
  const [dialog, setDialog] = useState<{ session: SessionSummary; what: 'rename' | 'delete' }>();

  const list = useInfiniteQuery({
    queryKey: [HISTORY_KEY, gateway, query],
    queryFn: ({ pageParam, signal }) =>
      client.listSessions({ query, cursor: pageParam as string | undefined, signal }),
    getNextPageParam: (page) => page.cursor,
    keepPreviousData: true,
  });
  const refresh = (): Promise<void> => queryClient.invalidateQueries([HISTORY_KEY, gateway]);

  const rename = useMutation({
    mutationFn: ({ session, title }: { session: SessionSummary; title: string }) =>
      client.patchSession(session.sessionId, { title }),
    onSuccess: async (_result, { session, title }) => {
      onRenamed(session.sessionId, title);
      await refresh();
    },
  });
  const remove = useMutation({
    mutationFn: (session: SessionSummary) => client.deleteSession(session.sessionId),
    onSuccess: async (_result, session) => {
      tellDeleted(session.sessionId);
      if (session.sessionId === current) onOpen(undefined);
      await refresh();
    },
  });

  const sessions = list.data?.pages.flatMap((page) => page.sessions) ?? [];
  const error = list.error ?? rename.error ?? remove.error;
  return (
    <Stack component="nav" aria-label="Conversations" sx={{ height: '100%', minHeight: 0 }} gap={1}>
      <Button startIcon={<PlusIcon />} variant="outlined" onClick={() => onOpen(undefined)}>
        New conversation
      </Button>
      <TextField
        size="small"
        type="search"
        placeholder="Search"
        value={search}
        onChange={(event) => setSearch(event.target.value)}
        slotProps={{
          htmlInput: { 'aria-label': 'Search conversations' },
          input: {
            startAdornment: (
              <InputAdornment position="start">
                <SearchIcon fontSize="small" />
              </InputAdornment>
            ),
          },
        }}
      />
      {error !== null && error !== undefined && <Alert severity="error">{problemOf(error).message}</Alert>}
      <Box sx={{ overflowY: 'auto', flexGrow: 1, minHeight: 0 }}>
        <List dense disablePadding>
          {sessions.map((session) => (
            <ListItem
              key={session.sessionId}
              disablePadding
              secondaryAction={
                <IconButton
                  edge="end"
                  size="small"
                  aria-label={`More about ${titleOf(session)}`}
                  aria-haspopup="menu"
                  onClick={(event) => setMenu({ session, anchor: event.currentTarget })}
                >
                  <DotsIcon fontSize="inherit" />
                </IconButton>
              }
            >
              <ListItemButton
                selected={session.sessionId === current}
                aria-current={session.sessionId === current ? 'true' : undefined}
                onClick={() => onOpen(session.sessionId)}
                sx={{ borderRadius: 1 }}
              >
                <ListItemText
                  primary={titleOf(session)}
                  secondary={when(session.updatedAt)}
                  slotProps={{ primary: { noWrap: true }, secondary: { variant: 'caption' } }}
                />
              </ListItemButton>
            </ListItem>
          ))}
        </List>
        {list.isLoading && <CircularProgress size={20} sx={{ m: 2 }} aria-label="Loading conversations" />}
        {!list.isLoading && sessions.length === 0 && (
          <Typography variant="body2" color="text.secondary" sx={{ p: 1 }}>
            {query === '' ? 'No conversations yet.' : 'Nothing found.'}
          </Typography>
        )}
        {list.hasNextPage === true && (
          <Button
            fullWidth
            size="small"
            disabled={list.isFetchingNextPage}
            onClick={() => void list.fetchNextPage()}
          >
            Show more
          </Button>
        )}
      </Box>
      <Menu open={menu !== undefined} anchorEl={menu?.anchor} onClose={() => setMenu(undefined)}>
        <MenuItem
          onClick={() => {
            if (menu !== undefined) setDialog({ session: menu.session, what: 'rename' });
            setMenu(undefined);
          }}
        >
          <ListItemIcon>
            <PencilIcon fontSize="small" />
          </ListItemIcon>
          Rename
        </MenuItem>
        <MenuItem
          onClick={() => {
            if (menu !== undefined) setDialog({ session: menu.session, what: 'delete' });
            setMenu(undefined);
          }}
        >
          <ListItemIcon>
            <TrashIcon fontSize="small" />
          </ListItemIcon>
          Delete
        </MenuItem>
      </Menu>
      {dialog?.what === 'rename' && (
        <RenameDialog
          session={dialog.session}
          onClose={() => setDialog(undefined)}
          onRename={(title) => {
            rename.mutate({ session: dialog.session, title });
            setDialog(undefined);
          }}
        />
      )}
      {dialog?.what === 'delete' && (
        <DeleteDialog
          session={dialog.session}
          onClose={() => setDialog(undefined)}
          onDelete={() => {
            remove.mutate(dialog.session);
            setDialog(undefined);
          }}
        />
      )}
    </Stack>
  );
}
