// The conversations of the past: search, open, pin, rename, delete.
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
import {
  UseInfiniteQueryResult,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query';
import DotsIcon from 'mdi-material-ui/DotsVertical';
import SearchIcon from 'mdi-material-ui/Magnify';
import PencilIcon from 'mdi-material-ui/Pencil';
import PinOffIcon from 'mdi-material-ui/PinOffOutline';
import PinIcon from 'mdi-material-ui/PinOutline';
import PlusIcon from 'mdi-material-ui/Plus';
import TrashIcon from 'mdi-material-ui/TrashCanOutline';
import { KeyboardEvent, ReactElement, useEffect, useState } from 'react';

import { GatewayClient, SessionPage } from '../../api/client';
import { SessionSummary } from '../../api/sessions';
import { tellDeleted } from '../store/conversation';
import { problemOf } from '../store/state';
import { groupsOf, marked } from './days';
import { DeleteDialog, RenameDialog, titleOf } from './HistoryDialogs';
import { fitting, plain } from '../../text';
import { locale, t } from '../../i18n/i18n';

const SEARCH_PAUSE_MS = 250;
/** As the gateway takes them. */
const SEARCH_BYTES_MAX = 256;

export const HISTORY_KEY = 'persai-sessions';

export interface HistoryProps {
  readonly client: GatewayClient;
  /** Distinguishes gateways in the cache. */
  readonly gateway: string;
  readonly current: string | undefined;
  readonly onOpen: (sessionId: string | undefined) => void;
  readonly onRenamed: (sessionId: string, title: string) => void;
}

function usePaused(value: string): string {
  const [paused, setPaused] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setPaused(value), SEARCH_PAUSE_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return paused;
}

interface Sessions {
  readonly list: UseInfiniteQueryResult<SessionPage>;
  readonly sessions: readonly SessionSummary[];
  /** Those that stand on top; none while one searches. */
  readonly pinned: readonly SessionSummary[];
  readonly error: unknown;
  readonly pin: (session: SessionSummary) => void;
  readonly rename: (session: SessionSummary, title: string) => void;
  readonly remove: (session: SessionSummary) => void;
}

function useSessions({ client, gateway, current, onOpen, onRenamed }: HistoryProps, query: string): Sessions {
  const queryClient = useQueryClient();
  const list = useInfiniteQuery({
    queryKey: [HISTORY_KEY, gateway, query],
    queryFn: ({ pageParam, signal }) =>
      client.listSessions({ query, cursor: pageParam as string | undefined, signal }),
    getNextPageParam: (page) => page.cursor,
    keepPreviousData: true,
  });
  const pins = useQuery({
    queryKey: [HISTORY_KEY, gateway, 'pinned'],
    queryFn: ({ signal }) => client.listSessions({ pinned: true, signal }),
    enabled: query === '',
    keepPreviousData: true,
  });
  const refresh = (): Promise<void> => queryClient.invalidateQueries([HISTORY_KEY, gateway]);
  const pin = useMutation({
    mutationFn: ({ sessionId, pinned }: SessionSummary) => client.patchSession(sessionId, { keep: !pinned }),
    onSuccess: refresh,
  });
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
  const pinned = query === '' ? (pins.data?.sessions ?? []) : [];
  const onTop = new Set(pinned.map(({ sessionId }) => sessionId));
  const all = list.data?.pages.flatMap((page) => page.sessions) ?? [];
  return {
    list,
    sessions: all.filter(({ sessionId }) => !onTop.has(sessionId)),
    pinned,
    pin: (session) => pin.mutate(session),
    error: list.error ?? pins.error ?? pin.error ?? rename.error ?? remove.error,
    rename: (session, title) => rename.mutate({ session, title }),
    remove: (session) => remove.mutate(session),
  };
}

function when(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return '';
  const today = new Date().toDateString() === date.toDateString();
  return today
    ? date.toLocaleTimeString(locale(), { hour: '2-digit', minute: '2-digit' })
    : date.toLocaleDateString(locale(), { month: 'short', day: 'numeric' });
}

function SearchField({
  value,
  onChange,
}: {
  value: string;
  onChange: (value: string) => void;
}): ReactElement {
  return (
    <TextField
      size="small"
      type="search"
      placeholder={t('history.search')}
      value={value}
      onChange={(event) => onChange(fitting(event.target.value, SEARCH_BYTES_MAX))}
      slotProps={{
        htmlInput: { 'aria-label': t('history.searchConversations') },
        input: {
          startAdornment: (
            <InputAdornment position="start">
              <SearchIcon fontSize="small" />
            </InputAdornment>
          ),
        },
      }}
    />
  );
}

const ROW = '[data-row]';

/** The list is one stop of the Tab key; arrows go through it. */
function onRowKey(event: KeyboardEvent<HTMLElement>, onDeed: (deed: Deed) => void): void {
  const list = event.currentTarget.closest('nav');
  const rows = [...(list?.querySelectorAll<HTMLElement>(ROW) ?? [])];
  const at = rows.indexOf(event.currentTarget);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
  if (event.key === 'F2') onDeed('rename');
  else if (event.key === 'Delete') onDeed('delete');
  else if (to === undefined) return;
  event.preventDefault();
  if (to !== undefined) rows[to]?.focus();
}

/** At most three lines of it. */
const SNIPPET = {
  display: '-webkit-box',
  WebkitLineClamp: 3,
  WebkitBoxOrient: 'vertical',
  overflow: 'hidden',
  overflowWrap: 'anywhere',
};

function Marked({ text, query }: { text: string; query: string }): ReactElement {
  return (
    <>
      {marked(text, query).map((part, i) =>
        part.hit ? <mark key={i}>{part.text}</mark> : <span key={i}>{part.text}</span>,
      )}
    </>
  );
}

function Row(props: {
  session: SessionSummary;
  query: string;
  isCurrent: boolean;
  isStop: boolean;
  onDeed: (deed: Deed) => void;
  onOpen: () => void;
  onMenu: (anchor: HTMLElement) => void;
}): ReactElement {
  const { session, query, isCurrent, isStop, onOpen, onMenu, onDeed } = props;
  return (
    <ListItem
      disablePadding
      secondaryAction={
        <IconButton
          edge="end"
          size="small"
          aria-label={t('history.more', { title: titleOf(session) })}
          aria-haspopup="menu"
          tabIndex={-1}
          onClick={(event) => onMenu(event.currentTarget)}
        >
          <DotsIcon fontSize="inherit" />
        </IconButton>
      }
    >
      <ListItemButton
        data-row
        tabIndex={isStop ? 0 : -1}
        selected={isCurrent}
        onKeyDown={(event) => onRowKey(event, onDeed)}
        aria-current={isCurrent ? 'true' : undefined}
        onClick={onOpen}
        sx={{ borderRadius: 1 }}
      >
        <ListItemText
          primary={<Marked text={titleOf(session)} query={query} />}
          secondary={
            session.snippet === '' ? (
              when(session.updatedAt)
            ) : (
              <Marked text={plain(session.snippet)} query={query} />
            )
          }
          slotProps={{ primary: { noWrap: true }, secondary: { variant: 'caption', sx: SNIPPET } }}
        />
      </ListItemButton>
    </ListItem>
  );
}

type Deed = 'pin' | 'rename' | 'delete';

function RowMenu(props: {
  anchor: HTMLElement | undefined;
  pinned: boolean;
  onChoose: (deed: Deed) => void;
  onClose: () => void;
}): ReactElement {
  const choose = (deed: Deed) => (): void => {
    props.onChoose(deed);
    props.onClose();
  };
  return (
    <Menu open={props.anchor !== undefined} anchorEl={props.anchor} onClose={props.onClose}>
      <MenuItem onClick={choose('pin')}>
        <ListItemIcon>
          {props.pinned ? <PinOffIcon fontSize="small" /> : <PinIcon fontSize="small" />}
        </ListItemIcon>
        {props.pinned ? t('history.unpin') : t('history.pin')}
      </MenuItem>
      <MenuItem onClick={choose('rename')}>
        <ListItemIcon>
          <PencilIcon fontSize="small" />
        </ListItemIcon>
        {t('historyDialogs.rename')}
      </MenuItem>
      <MenuItem onClick={choose('delete')}>
        <ListItemIcon>
          <TrashIcon fontSize="small" />
        </ListItemIcon>
        {t('historyDialogs.delete')}
      </MenuItem>
    </Menu>
  );
}

/** Below the rows: that they are loading, that there are none, or that there are more. */
function Foot({
  list,
  isEmpty,
  searched,
}: {
  list: Sessions['list'];
  isEmpty: boolean;
  searched: boolean;
}): ReactElement {
  return (
    <>
      {list.isLoading && (
        <CircularProgress size={20} sx={{ m: 2 }} aria-label={t('history.loadingConversations')} />
      )}
      {!list.isLoading && isEmpty && (
        <Typography variant="body2" color="text.secondary" sx={{ p: 1 }}>
          {searched ? t('history.nothingFound') : t('history.noConversationsYet')}
        </Typography>
      )}
      {list.hasNextPage === true && (
        <Button
          fullWidth
          size="small"
          disabled={list.isFetchingNextPage}
          onClick={() => void list.fetchNextPage()}
        >
          {t('history.showMore')}
        </Button>
      )}
    </>
  );
}

export function History(props: HistoryProps): ReactElement {
  const { current, onOpen } = props;
  const [search, setSearch] = useState('');
  const query = usePaused(search.trim());
  const { list, sessions, pinned, error, pin, rename, remove } = useSessions(props, query);
  const [menu, setMenu] = useState<{ session: SessionSummary; anchor: HTMLElement }>();
  const [dialog, setDialog] = useState<{ session: SessionSummary; deed: Deed }>();
  // When the list was read, for what "today" is in it.
  const now = new Date(list.dataUpdatedAt);
  const close = (): void => setDialog(undefined);
  const groups = [
    ...(pinned.length === 0 ? [] : [{ title: t('history.pinned'), sessions: pinned }]),
    ...groupsOf(sessions, now),
  ];
  const rows = groups.flatMap((group) => group.sessions);
  const onDeed = (session: SessionSummary, deed: Deed): void => {
    if (deed === 'pin') pin(session);
    else setDialog({ session, deed });
  };
  const hasCurrent = rows.some(({ sessionId }) => sessionId === current);
  return (
    <Stack
      component="nav"
      aria-label={t('frame.conversations')}
      sx={{ height: '100%', minHeight: 0 }}
      gap={1}
    >
      <Button startIcon={<PlusIcon />} variant="outlined" onClick={() => onOpen(undefined)}>
        {t('banners.newConversation')}
      </Button>
      <SearchField value={search} onChange={setSearch} />
      {error !== null && error !== undefined && <Alert severity="error">{problemOf(error).message}</Alert>}
      <Box sx={{ overflowY: 'auto', flexGrow: 1, minHeight: 0 }}>
        <List dense disablePadding>
          {groups.map((group) => (
            <li key={group.title}>
              <Typography variant="caption" component="div" color="text.secondary" sx={{ px: 1, pt: 1 }}>
                {group.title}
              </Typography>
              <List dense disablePadding aria-label={group.title}>
                {group.sessions.map((session) => (
                  <Row
                    key={session.sessionId}
                    session={session}
                    query={query}
                    isCurrent={session.sessionId === current}
                    isStop={session.sessionId === (hasCurrent ? current : rows[0]?.sessionId)}
                    onDeed={(deed) => onDeed(session, deed)}
                    onOpen={() => onOpen(session.sessionId)}
                    onMenu={(anchor) => setMenu({ session, anchor })}
                  />
                ))}
              </List>
            </li>
          ))}
        </List>
        <Foot list={list} isEmpty={rows.length === 0} searched={query !== ''} />
      </Box>
      <RowMenu
        anchor={menu?.anchor}
        pinned={menu?.session.pinned === true}
        onChoose={(deed) => menu !== undefined && onDeed(menu.session, deed)}
        onClose={() => setMenu(undefined)}
      />
      {dialog?.deed === 'rename' && (
        <RenameDialog
          session={dialog.session}
          onClose={close}
          onRename={(title) => {
            rename(dialog.session, title);
            close();
          }}
        />
      )}
      {dialog?.deed === 'delete' && (
        <DeleteDialog
          session={dialog.session}
          onClose={close}
          onDelete={() => {
            remove(dialog.session);
            close();
          }}
        />
      )}
    </Stack>
  );
}
