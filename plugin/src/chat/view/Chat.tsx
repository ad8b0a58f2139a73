// The whole chat: the list of conversations, the messages, the composer. It is given a gateway, and where to
// remember which conversation is open.
import {
  Alert,
  Box,
  Button,
  Chip,
  CircularProgress,
  Drawer,
  IconButton,
  MenuItem,
  Snackbar,
  Stack,
  TextField,
  Tooltip,
  Typography,
  useMediaQuery,
  useTheme,
} from '@mui/material';
import { isRelativeTimeRange } from '@perses-dev/core';
import { useTimeRange } from '@perses-dev/plugin-system';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import HistoryIcon from 'mdi-material-ui/History';
import PlusIcon from 'mdi-material-ui/Plus';
import { ReactElement, useCallback, useEffect, useMemo, useRef, useState } from 'react';

import { GatewayClient, TurnContext } from '../../api/client';
import { datasourceLabel } from '../../api/datasource';
import { PersesApi } from '../../api/perses';
import { Source, pathsOf, pickedOf } from '../../datasource/sources';
import { Attachment, contextOf } from '../../dashboards/context';
import { loadMarkdown } from './Answer';
import { Composer } from './Composer';
import { ChatContext, ChatContextValue, useBusy, useRead, useSurroundings } from '../store/context';
import { ContextBar } from './ContextBar';
import { Conversation, SendOptions, Surroundings } from '../store/conversation';
import { HISTORY_KEY, History } from './History';
import { Messages } from './Messages';
import { SourcePicker } from './SourcePicker';
import { tabKey, writeTab } from '../store/tab';
import { plain } from '../../text';

export interface ChatProps {
  readonly client: GatewayClient;
  /** The gateway's datasource, by name. */
  readonly gateway: string;
  /** The datasources that can be asked, the default one first. */
  readonly sources: readonly Source[];
  readonly sessionId: string | undefined;
  readonly onSession: (sessionId: string | undefined) => void;
  /** Perses's own API, for what is picked from it. */
  readonly perses?: PersesApi;
  readonly addToDashboard?: ChatContextValue['addToDashboard'];
  /** Paths of the datasources that are asked when none is picked. */
  readonly preferred?: readonly string[];
  /** What the page around it shows, as a dashboard: goes with every question. */
  readonly about?: TurnContext;
  /** For a small place: no list of conversations beside it, few words. */
  readonly compact?: boolean;
}

export const SUGGESTIONS: readonly string[] = [
  'Which targets are up, and which are down?',
  'How busy is the CPU of each machine, over the last hour?',
  'What uses the most memory right now?',
  'Has anything changed in the last hour that I should look at?',
];

export const MODELS_KEY = 'persai-models';

const HISTORY_WIDTH = 260;

function useStore(
  client: GatewayClient,
  place: string,
  onSession: ChatProps['onSession'],
  onChange: () => void,
): Conversation {
  const callbacks = useRef({ onSession, onChange });
  callbacks.current = { onSession, onChange };
  const [asked] = useState(() => tabKey('asked', place));
  const [conversation, setConversation] = useState<Conversation>();
  useEffect(() => {
    const made = new Conversation({
      client,
      onSession: (id) => callbacks.current.onSession(id),
      onChange: () => callbacks.current.onChange(),
      onPending: (text) => writeTab(asked, text ?? ''),
    });
    setConversation(made);
    return () => made.dispose();
  }, [client, asked]);
  // The first drawing has a store too: one without a stream, replaced before anything is asked of it.
  const [blank] = useState(() => new Conversation({ client }));
  useEffect(() => () => blank.dispose(), [blank]);
  return conversation ?? blank;
}

function lineStatus(state: Surroundings): string | undefined {
  if (state.stopping) return 'Stopping';
  return state.line === 'reconnecting' ? 'The line dropped; reconnecting' : undefined;
}

function Empty(props: { onAsk: (text: string) => void; disabled: boolean; compact: boolean }): ReactElement {
  const { onAsk, disabled, compact } = props;
  if (compact)
    return (
      <Stack alignItems="center" justifyContent="center" sx={{ flexGrow: 1, py: 1 }}>
        <Typography color="text.secondary" align="center">
          Ask about this dashboard: its variables and its time range go with each question.
        </Typography>
      </Stack>
    );
  return (
    <Stack alignItems="center" justifyContent="center" gap={2} sx={{ flexGrow: 1, py: 6 }}>
      <Typography variant="h2" component="h2">
        What would you like to know?
      </Typography>
      <Typography color="text.secondary" align="center" sx={{ maxWidth: 520 }}>
        PersAI looks at your metrics, logs, traces and profiles through Perses, with your rights, and shows
        every query that it ran.
      </Typography>
      <Stack direction="row" flexWrap="wrap" justifyContent="center" gap={1} sx={{ maxWidth: 720 }}>
        {SUGGESTIONS.map((text) => (
          <Chip key={text} label={text} variant="outlined" disabled={disabled} onClick={() => onAsk(text)} />
        ))}
      </Stack>
    </Stack>
  );
}

function Select(props: {
  label: string;
  value: string;
  options: readonly string[];
  onChange: (value: string) => void;
}): ReactElement {
  return (
    <TextField
      select
      size="small"
      variant="standard"
      value={props.value}
      onChange={(event) => props.onChange(event.target.value)}
      slotProps={{
        input: { disableUnderline: true },
        select: { inputProps: { 'aria-label': props.label } },
      }}
      sx={{ maxWidth: 240, '& .MuiSelect-select': { fontSize: '0.75rem', py: 0.25 } }}
    >
      {props.options.map((option) => (
        <MenuItem key={option} value={option}>
          {plain(option)}
        </MenuItem>
      ))}
    </TextField>
  );
}

/** What the question is about: the time that is selected, where the person is, the dashboards that were added, and
 *  the one that the chat is in, should there be one. */
function useTurnContext(
  attachments: readonly Attachment[],
  about: TurnContext | undefined,
): () => TurnContext {
  const { timeRange } = useTimeRange();
  return useCallback(() => {
    const added = contextOf(attachments, about?.dashboard !== undefined);
    const variables = { ...added?.variables, ...about?.variables };
    return {
      time_range: isRelativeTimeRange(timeRange)
        ? { duration: timeRange.pastDuration }
        : { start: timeRange.start.toISOString(), end: timeRange.end.toISOString() },
      timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      ...added,
      ...about,
      ...(Object.keys(variables).length === 0 ? {} : { variables }),
    };
  }, [timeRange, attachments, about]);
}

export function Chat(props: ChatProps): ReactElement {
  const { client, gateway, sources, sessionId, onSession, perses, addToDashboard } = props;
  const { preferred, about, compact = false } = props;
  const queryClient = useQueryClient();
  const refreshHistory = useCallback(() => {
    void queryClient.invalidateQueries([HISTORY_KEY, gateway]);
  }, [queryClient, gateway]);
  const place = about?.dashboard === undefined ? '' : `${about.dashboard.project}/${about.dashboard.name}`;
  const conversation = useStore(client, place, onSession, refreshHistory);
  const state = useSurroundings(conversation);
  const inputRef = useRef<HTMLTextAreaElement>(null);
  const narrow = useMediaQuery(useTheme().breakpoints.down('md')) || compact;
  const [historyOpen, setHistoryOpen] = useState(false);
  const [drafts, setDrafts] = useState(0);

  useEffect(loadMarkdown, []);

  // What the address says is shown; what we did ourselves (a new id, a fork) is shown already.
  useEffect(() => {
    if (conversation.getSnapshot().sessionId !== sessionId) void conversation.open(sessionId);
  }, [conversation, sessionId]);

  const models = useQuery({
    queryKey: [MODELS_KEY, gateway],
    queryFn: ({ signal }) => client.listModels(signal),
    staleTime: 60_000,
  });
  const modelIds = useMemo(() => models.data?.map(({ id }) => id) ?? [], [models.data]);
  const model = state.model || (models.data?.find(({ isDefault }) => isDefault)?.id ?? modelIds[0] ?? '');

  const wanted = state.context.datasources ?? preferred;
  const picked = useMemo(() => pickedOf(sources, wanted ?? []), [sources, wanted]);
  const turnContext = useTurnContext(state.context.attachments, about);
  const sendOptions = useCallback((): SendOptions | undefined => {
    const [path, ...others] = pathsOf(picked);
    if (path === undefined) return undefined;
    return {
      datasourcePath: path,
      context: { ...turnContext(), ...(others.length === 0 ? {} : { datasources: others }) },
      model: state.model === '' ? undefined : state.model,
    };
  }, [picked, turnContext, state.model]);

  const busy = useBusy(conversation);
  const awaiting = useRead(conversation, ({ awaiting: waits }) => waits);
  const send = (text: string): void => {
    const options = sendOptions();
    if (options !== undefined) void conversation.send(text, options);
  };
  let blocked: string | undefined;
  if (picked.length === 0) blocked = 'There is no datasource to ask';
  else if (awaiting) blocked = 'Approve or refuse first';
  else if (state.line === 'signed_out') blocked = 'Sign in to Perses first';
  else if (state.loading) blocked = 'Loading';
  else if (state.problem !== undefined) blocked = 'Begin a new conversation';

  const open = (id: string | undefined): void => {
    setHistoryOpen(false);
    // A question that could not be sent goes along, as a draft.
    if (conversation.getSnapshot().exchanges.at(-1)?.unsent !== undefined) setDrafts(drafts + 1);
    void conversation.open(id);
    onSession(id);
    inputRef.current?.focus();
  };
  const context = useMemo(
    (): ChatContextValue => ({ conversation, perses, sendOptions, addToDashboard }),
    [conversation, perses, sendOptions, addToDashboard],
  );
  const history = (
    <History
      client={client}
      gateway={gateway}
      current={state.sessionId}
      onOpen={open}
      onRenamed={(id) => {
        if (id === state.sessionId) void conversation.refresh();
      }}
    />
  );
  return (
    <ChatContext.Provider value={context}>
      <Stack direction="row" sx={{ height: '100%', minHeight: 0, minWidth: 0 }} data-testid="persai">
        {narrow ? (
          <Drawer open={historyOpen} onClose={() => setHistoryOpen(false)}>
            <Box sx={{ width: HISTORY_WIDTH, height: '100%', p: 1.5 }}>{history}</Box>
          </Drawer>
        ) : (
          <Box sx={{ width: HISTORY_WIDTH, flexShrink: 0, pr: 1.5, borderRight: 1, borderColor: 'divider' }}>
            {history}
          </Box>
        )}
        <Stack sx={{ flexGrow: 1, minWidth: 0, minHeight: 0, pl: narrow ? 0 : 1.5 }}>
          <Stack direction="row" alignItems="center" gap={1} sx={{ minHeight: compact ? 28 : 36 }}>
            {narrow && (
              <>
                <Tooltip title="Conversations">
                  <IconButton aria-label="Conversations" onClick={() => setHistoryOpen(true)}>
                    <HistoryIcon />
                  </IconButton>
                </Tooltip>
                <Tooltip title="New conversation">
                  <IconButton aria-label="New conversation" onClick={() => open(undefined)}>
                    <PlusIcon />
                  </IconButton>
                </Tooltip>
              </>
            )}
            <Typography variant="h3" component="h2" noWrap sx={{ flexGrow: 1 }}>
              {plain(state.title) || (state.sessionId === undefined ? 'New conversation' : '')}
            </Typography>
          </Stack>
          {state.line === 'signed_out' && (
            <Alert
              severity="warning"
              action={
                <Button color="inherit" size="small" onClick={() => void conversation.signedIn()}>
                  Try again
                </Button>
              }
            >
              You are signed out of Perses. Sign in (another tab will do) to go on where you were.
            </Alert>
          )}
          {state.problem !== undefined && (
            <Alert
              severity="error"
              action={
                <Button color="inherit" size="small" onClick={() => open(undefined)}>
                  New conversation
                </Button>
              }
            >
              {state.problem.message}
            </Alert>
          )}
          {state.loading ? (
            <Stack alignItems="center" justifyContent="center" sx={{ flexGrow: 1 }}>
              <CircularProgress aria-label="Loading the conversation" />
            </Stack>
          ) : (
            <Messages
              status={lineStatus(state)}
              empty={
                state.problem === undefined && (
                  <Empty onAsk={send} disabled={blocked !== undefined} compact={compact} />
                )
              }
            />
          )}
          <Box sx={{ maxWidth: 980, width: '100%', mx: 'auto', pt: 1 }}>
            <Composer
              busy={busy}
              stopping={state.stopping}
              blocked={blocked}
              key={drafts}
              draftKey={place}
              compact={compact}
              inputRef={inputRef}
              onSend={send}
              onStop={() => void conversation.stop()}
            >
              {picked.length > 0 && (
                <SourcePicker
                  sources={sources}
                  picked={picked}
                  onChange={(paths) => void conversation.setContext({ ...state.context, datasources: paths })}
                />
              )}
              {modelIds.length > 1 && (
                <Select
                  label="Model"
                  value={modelIds.includes(model) ? model : (modelIds[0] ?? '')}
                  options={modelIds}
                  onChange={(next) => void conversation.setModel(next)}
                />
              )}
              <ContextBar
                perses={perses}
                datasource={picked.map(datasourceLabel).join(', ')}
                model={model}
                busy={busy}
              />
            </Composer>
          </Box>
        </Stack>
      </Stack>
      <Snackbar
        open={state.notice !== undefined}
        onClose={() => conversation.clearNotice()}
        autoHideDuration={8_000}
      >
        <Alert severity="error" onClose={() => conversation.clearNotice()}>
          {state.notice?.message ?? ''}
        </Alert>
      </Snackbar>
    </ChatContext.Provider>
  );
}
