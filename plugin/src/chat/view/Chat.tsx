// The whole chat: the list of conversations, the messages, the composer. It is given a gateway, and where to
// remember which conversation is open.
import { Box, CircularProgress, IconButton, Stack, Tooltip, useMediaQuery, useTheme } from '@mui/material';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import AdminIcon from 'mdi-material-ui/ShieldAccountOutline';
import ShareIcon from 'mdi-material-ui/ShareVariantOutline';
import {
  ReactElement,
  ReactNode,
  RefObject,
  Suspense,
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
} from 'react';

import { datasourceLabel } from '../../api/datasource';
import { PersesApi } from '../../api/perses';
import { plain } from '../../text';
import { ChatContext, ChatContextValue, useBusy, useInfo } from '../store/context';
import { Conversation } from '../store/conversation';
import { ConversationInfo } from '../store/state';
import { keepModel } from '../store/tab';
import { useStore } from '../store/useStore';
import { loadMarkdown } from './Answer';
import { Notice, ProblemBanner, SignedOut } from './Banners';
import { Composer } from './Composer';
import { ContextBar } from './ContextBar';
import { Empty } from './Empty';
import { Boundary, lazily } from './Boundary';
import { Frame, QUESTION_ID } from './Frame';
import { HISTORY_KEY, History } from './History';
import { Messages } from './Messages';
import { ModelPicker } from './ModelPicker';
import { loadMessage } from './Slot';
import { SourcePicker } from './SourcePicker';
import { budgetText, useBudget } from './useBudget';
import { useCompletion } from './useCompletion';
import { useSuggestions } from './useSuggestions';
import { Question, QuestionSetup, useQuestion } from './useQuestion';
import { t } from '../../i18n/i18n';

const Keys = lazily(async () => (await import('./Keys')).Keys);
const AdminDialog = lazily(async () => (await import('./AdminDialog')).AdminDialog);
const ShareDialog = lazily(async () => (await import('./ShareDialog')).ShareDialog);

export interface ChatProps extends QuestionSetup {
  readonly sessionId: string | undefined;
  readonly onSession: (sessionId: string | undefined) => void;
  /** Perses's own API, for what is picked from it. */
  readonly perses?: PersesApi;
  readonly addToDashboard?: ChatContextValue['addToDashboard'];
  /** For a small place: no list of conversations beside it, few words. */
  readonly compact?: boolean;
  /** What is done with the place that the chat is in: stands last in its header. */
  readonly placeActions?: ReactNode;
}

function lineStatus(info: ConversationInfo): string | undefined {
  if (info.stopping) return t('status.stopping');
  return info.line === 'reconnecting' ? t('chat.theLineDroppedReconnecting') : undefined;
}

/** What the chat is in: what is written there is kept for there. */
function placeOf(about: ChatProps['about']): string {
  return about?.dashboard === undefined ? '' : `${about.dashboard.project}/${about.dashboard.name}`;
}

/** The last question's own button: its message is always made. */
function editLast(): void {
  [...document.querySelectorAll<HTMLElement>('[data-edit]:not([disabled])')].at(-1)?.click();
}

function Asking(props: {
  chat: ChatProps;
  conversation: Conversation;
  question: Question;
  inputRef: RefObject<HTMLTextAreaElement>;
  onNew: () => void;
  onHelp: () => void;
}): ReactElement {
  const { chat, conversation, question, inputRef, onNew, onHelp } = props;
  const { picked, models, model, blocked, send } = question;
  const { stopping, context, usage } = useInfo(conversation);
  const busy = useBusy(conversation);
  const [mentions, setMentions] = useState(false);
  const budget = useBudget(chat.client, chat.gateway, usage);
  const asked = models.find(({ id }) => id === model);
  const { perses, sources } = chat;
  const choose = (next: string): void => {
    keepModel(next);
    void conversation.setModel(next);
  };
  const completions = useCompletion(
    { conversation, perses, sources, picked, models, onNew, onHelp },
    mentions,
  );
  return (
    <Box sx={{ maxWidth: 980, width: '100%', mx: 'auto', pt: 1 }} id={QUESTION_ID}>
      <Composer
        busy={busy}
        stopping={stopping}
        blocked={blocked}
        draftKey={placeOf(chat.about)}
        compact={chat.compact === true}
        inputRef={inputRef}
        onSend={send}
        onStop={() => void conversation.stop()}
        completions={completions}
        onMention={() => setMentions(true)}
        onEditLast={editLast}
        onHelp={onHelp}
      >
        {picked.length > 0 && (
          <SourcePicker
            sources={chat.sources}
            picked={picked}
            onChange={(datasources) => void conversation.setContext({ ...context, datasources })}
          />
        )}
        {models.length > 1 && <ModelPicker model={model} models={models} onChange={choose} />}
        <ContextBar
          perses={chat.perses}
          datasource={picked.map(datasourceLabel).join(', ')}
          model={model}
          window={asked?.window ?? 0}
          left={budgetText(budget, asked?.price !== undefined)}
          busy={busy}
        />
      </Composer>
    </Box>
  );
}

/** Asked once; where it can't be told the person is none. */
function useAdministrator(client: ChatProps['client'], gateway: string, enabled: boolean): boolean {
  const { data } = useQuery({
    queryKey: ['persai-administrator', gateway],
    queryFn: ({ signal }) => client.isAdministrator(signal).catch(() => false),
    staleTime: Infinity,
    retry: false,
    enabled,
  });
  return data === true;
}

/** What draws questions and answers; nothing of it is seen before the first one. */
function loadAnswers(): void {
  void loadMessage();
  void loadMarkdown();
}

/** Behind what is there to be seen first. */
function whenIdle(work: () => void): () => void {
  if (typeof requestIdleCallback === 'function') {
    const id = requestIdleCallback(work);
    return () => cancelIdleCallback(id);
  }
  const timer = setTimeout(work);
  return () => clearTimeout(timer);
}

export function Chat(props: ChatProps): ReactElement {
  const { client, gateway, sessionId, onSession, perses, addToDashboard, about, compact = false } = props;
  const queryClient = useQueryClient();
  const onChange = useCallback(() => {
    void queryClient.invalidateQueries([HISTORY_KEY, gateway]);
  }, [queryClient, gateway]);
  const conversation = useStore({ client, place: placeOf(about), onSession, onChange });
  const info = useInfo(conversation);
  const question = useQuestion(conversation, props);
  const { sendOptions, blocked, send, models } = question;
  const suggestions = useSuggestions(perses, question.picked, about);
  const inputRef = useRef<HTMLTextAreaElement>(null);
  const narrow = useMediaQuery(useTheme().breakpoints.down('md')) || compact;
  const [historyOpen, setHistoryOpen] = useState(false);
  const [drafts, setDrafts] = useState(0);
  const [keys, setKeys] = useState(false);
  const [sharing, setSharing] = useState(false);
  const [administrating, setAdministrating] = useState(false);
  const administrator = useAdministrator(client, gateway, !compact);
  const openNew = useRef((): void => undefined);

  useEffect(() => whenIdle(loadAnswers), []);

  // What the address says is shown; what we did ourselves (a new id, a fork) is shown already.
  useEffect(() => {
    if (conversation.getSnapshot().sessionId !== sessionId) void conversation.open(sessionId);
  }, [conversation, sessionId]);

  const open = (id: string | undefined): void => {
    setHistoryOpen(false);
    // A question that could not be sent goes along, as a draft.
    if (conversation.getSnapshot().exchanges.at(-1)?.unsent !== undefined) setDrafts(drafts + 1);
    void conversation.open(id);
    onSession(id);
    inputRef.current?.focus();
  };
  useEffect(() => {
    openNew.current = (): void => open(undefined);
  });
  const onNew = useCallback(() => openNew.current(), []);
  const onHelp = useCallback(() => setKeys(true), []);
  const onRenamed = (id: string): void => {
    if (id === info.sessionId) void conversation.refresh();
  };
  const { picked } = question;
  const sources = useMemo(() => [...new Set([...picked, ...props.sources])], [picked, props.sources]);
  const context = useMemo(
    (): ChatContextValue => ({ conversation, perses, sendOptions, addToDashboard, models, sources }),
    [conversation, perses, sendOptions, addToDashboard, models, sources],
  );
  return (
    <ChatContext.Provider value={context}>
      <Frame
        narrow={narrow}
        compact={compact}
        title={plain(info.title) || (info.sessionId === undefined ? t('banners.newConversation') : '')}
        history={
          <History
            client={client}
            gateway={gateway}
            current={info.sessionId}
            onOpen={open}
            onRenamed={onRenamed}
          />
        }
        historyOpen={historyOpen}
        onHistory={setHistoryOpen}
        onNew={() => open(undefined)}
        onHelp={onHelp}
        placeActions={props.placeActions}
        actions={
          <>
            {administrator && (
              <Tooltip title={t('admin.title')}>
                <IconButton
                  size="small"
                  aria-label={t('admin.title')}
                  onClick={() => setAdministrating(true)}
                >
                  <AdminIcon fontSize="inherit" />
                </IconButton>
              </Tooltip>
            )}
            {info.sessionId !== undefined && info.problem === undefined && (
              <Tooltip title={t('share.title')}>
                <IconButton size="small" aria-label={t('share.title')} onClick={() => setSharing(true)}>
                  <ShareIcon fontSize="inherit" />
                </IconButton>
              </Tooltip>
            )}
          </>
        }
      >
        {info.line === 'signed_out' && <SignedOut conversation={conversation} />}
        {info.problem !== undefined && (
          <ProblemBanner message={info.problem.message} onNew={() => open(undefined)} />
        )}
        {info.loading ? (
          <Stack alignItems="center" justifyContent="center" sx={{ flexGrow: 1 }}>
            <CircularProgress aria-label={t('chat.loadingTheConversation')} />
          </Stack>
        ) : (
          <Messages
            status={lineStatus(info)}
            empty={
              info.problem === undefined && (
                <Empty
                  onAsk={send}
                  disabled={blocked !== undefined}
                  compact={compact}
                  suggestions={suggestions}
                />
              )
            }
          />
        )}
        <Asking
          key={drafts}
          chat={props}
          conversation={conversation}
          question={question}
          inputRef={inputRef}
          onNew={onNew}
          onHelp={onHelp}
        />
      </Frame>
      <Boundary onReload={() => setSharing(false)}>
        <Suspense fallback={null}>
          {sharing && (
            <ShareDialog
              conversation={conversation}
              prefix={perses?.prefix ?? ''}
              onClose={() => setSharing(false)}
            />
          )}
        </Suspense>
      </Boundary>
      <Boundary onReload={() => setAdministrating(false)}>
        <Suspense fallback={null}>
          {administrating && (
            <AdminDialog
              client={client}
              gateway={gateway}
              models={models.map(({ id }) => id)}
              onClose={() => setAdministrating(false)}
            />
          )}
        </Suspense>
      </Boundary>
      <Boundary onReload={() => setKeys(false)}>
        <Suspense fallback={null}>{keys && <Keys onClose={() => setKeys(false)} />}</Suspense>
      </Boundary>
      <Notice conversation={conversation} />
    </ChatContext.Provider>
  );
}
