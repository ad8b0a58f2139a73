// A question and its answer.
import {
  Alert,
  Box,
  Button,
  Chip,
  IconButton,
  ListItemIcon,
  ListItemText,
  Menu,
  MenuItem,
  Stack,
  TextField,
  Tooltip,
  Typography,
} from '@mui/material';
import PencilIcon from 'mdi-material-ui/Pencil';
import DotsIcon from 'mdi-material-ui/DotsHorizontal';
import EyeIcon from 'mdi-material-ui/EyeOutline';
import EyeOffIcon from 'mdi-material-ui/EyeOffOutline';
import ForkIcon from 'mdi-material-ui/SourceBranch';
import PinIcon from 'mdi-material-ui/PinOutline';
import RefreshIcon from 'mdi-material-ui/Refresh';
import TrashIcon from 'mdi-material-ui/TrashCanOutline';
import DashboardIcon from 'mdi-material-ui/ViewDashboardOutline';
import { KeyboardEvent, ReactElement, ReactNode, memo, useMemo, useState } from 'react';

import { Answer } from './Answer';
import { Boundary } from './Boundary';
import { isComposing } from './composing';
import { Versions } from './Versions';
import { useBusy, useChat } from '../store/context';
import { CopyButton } from './CopyButton';
import { Draft, draftsOf } from '../tools/drafts';
import { Exchange } from '../store/exchanges';
import { followUpsOf } from '../store/followUps';
import { parseSettings } from '../tools/panels';
import { Plan } from '../tools/Plan';
import { Item, itemsOf } from './groups';
import { Lookups } from './Lookups';
import { Rating } from './Rating';
import { Reasoning } from './Reasoning';
import { Block, Turn, answerText, blocksOf } from '../store/reduce';
import { plain, usageText } from '../../text';
import { ToolCard } from '../tools/ToolCard';
import { Waiting } from './Waiting';
import { saidOf, t } from '../../i18n/i18n';

function Notice({ text }: { text: string }): ReactElement {
  return (
    <Typography variant="body2" color="text.secondary" role="note" sx={{ my: 0.5, whiteSpace: 'pre-line' }}>
      {plain(text)}
    </Typography>
  );
}

function QuestionEditor(props: {
  text: string;
  onCancel: () => void;
  onSend: (text: string) => void;
}): ReactElement {
  const [text, setText] = useState(props.text);
  const send = (): void => {
    if (text.trim() !== '') props.onSend(text);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (isComposing(event)) return;
    if (event.key === 'Escape') {
      event.stopPropagation(); // it does not close what the chat is in, too
      props.onCancel();
    }
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      send();
    }
  };
  return (
    <Stack gap={1} sx={{ width: '100%' }}>
      <TextField
        multiline
        fullWidth
        size="small"
        // oxlint-disable-next-line jsx-a11y/no-autofocus -- the person has just asked to edit it
        autoFocus
        value={text}
        slotProps={{ htmlInput: { 'aria-label': t('message.editTheQuestion') } }}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <Stack direction="row" gap={1} justifyContent="end">
        <Button size="small" onClick={props.onCancel}>
          {t('historyDialogs.cancel')}
        </Button>
        <Button size="small" variant="contained" disabled={text.trim() === ''} onClick={send}>
          {t('keys.enter')}
        </Button>
      </Stack>
    </Stack>
  );
}

interface Action {
  readonly label: string;
  readonly icon: ReactNode;
  readonly run: () => void;
}

function ActionMenu({ actions }: { actions: readonly Action[] }): ReactElement {
  const [anchor, setAnchor] = useState<HTMLElement>();
  return (
    <>
      <Tooltip title={t('message.more')}>
        <IconButton
          size="small"
          aria-label={t('message.more')}
          aria-haspopup="menu"
          onClick={(event) => setAnchor(event.currentTarget)}
        >
          <DotsIcon fontSize="inherit" />
        </IconButton>
      </Tooltip>
      <Menu open={anchor !== undefined} anchorEl={anchor} onClose={() => setAnchor(undefined)}>
        {actions.map(({ label, icon, run }) => (
          <MenuItem
            key={label}
            onClick={() => {
              setAnchor(undefined);
              run();
            }}
          >
            <ListItemIcon>{icon}</ListItemIcon>
            <ListItemText>{label}</ListItemText>
          </MenuItem>
        ))}
      </Menu>
    </>
  );
}

/** Its answer is not its business: it is not drawn again while that streams. */
const Question = memo(function Question(props: {
  id: string;
  question: Exchange['question'];
  versions: Exchange['versions'];
  last: boolean;
}): ReactElement {
  const { id, question, versions, last } = props;
  const { conversation, sendOptions, readOnly = false } = useChat();
  const busy = useBusy(conversation);
  const [editing, setEditing] = useState(false);
  const stored = question.messageId !== '';
  /** Does it with the exchange that has this question, and the one after it. */
  const act = (what: (exchange: Exchange, next: Exchange | undefined) => void): void => {
    const { exchanges } = conversation.getSnapshot();
    const at = exchanges.findIndex(({ key }) => key === id);
    const exchange = exchanges[at];
    if (exchange !== undefined) what(exchange, exchanges[at + 1]);
  };
  const askInstead = (text: string): void => {
    const options = sendOptions();
    setEditing(false);
    if (options !== undefined) act((exchange) => void conversation.askInstead(exchange, text, options));
  };
  const setFlags = (flags: { pinned?: boolean; excluded?: boolean }): void =>
    act(({ answerIds }) => void conversation.setFlags([question.messageId, ...answerIds], flags));
  const { excluded } = question;
  const actions: Action[] = [
    {
      label: excluded ? t('message.showItToThe') : t('message.hideItFromThe'),
      icon: excluded ? <EyeIcon fontSize="small" /> : <EyeOffIcon fontSize="small" />,
      run: () => setFlags({ excluded: !excluded }),
    },
    {
      label: question.pinned ? t('message.unpin') : t('message.pinTheModelAlways'),
      icon: <PinIcon fontSize="small" />,
      run: () => setFlags({ pinned: !question.pinned }),
    },
    {
      label: t('message.branchOffBeforeThis'),
      icon: <ForkIcon fontSize="small" />,
      run: () => act((exchange) => void conversation.fork(exchange)),
    },
    ...(last
      ? []
      : [
          {
            label: t('message.branchOffAfterThis'),
            icon: <ForkIcon fontSize="small" />,
            run: () => act((_exchange, next) => void (next && conversation.fork(next))),
          },
        ]),
    {
      label: t('message.removeQuestionAndAnswer'),
      icon: <TrashIcon fontSize="small" />,
      run: () => act((exchange) => void conversation.remove(exchange)),
    },
  ];
  return (
    <Stack alignItems="end" sx={{ ml: { xs: 2, sm: 8 } }}>
      {editing ? (
        <QuestionEditor text={question.text} onCancel={() => setEditing(false)} onSend={askInstead} />
      ) : (
        <Box
          sx={{
            px: 2,
            py: 1,
            borderRadius: 2,
            maxWidth: '100%',
            backgroundColor: 'action.selected',
            opacity: excluded ? 0.6 : 1,
            whiteSpace: 'pre-wrap',
            overflowWrap: 'anywhere',
          }}
        >
          <Typography variant="body1">{plain(question.text)}</Typography>
        </Box>
      )}
      {stored && !editing && (
        <Stack direction="row" alignItems="center" className="actions">
          {versions !== undefined && !readOnly && (
            <Versions messageId={question.messageId} versions={versions} busy={busy} />
          )}
          {question.pinned && <Chip size="small" variant="outlined" label={t('message.pinned')} />}
          {excluded && <Chip size="small" variant="outlined" label={t('message.hiddenFromTheModel')} />}
          <CopyButton text={question.text} label={t('message.copyTheQuestion')} />
          {!readOnly && (
            <Tooltip title={t('message.editAndAskAgain')}>
              <span>
                <IconButton
                  size="small"
                  aria-label={t('message.editAndAskAgain')}
                  data-edit
                  disabled={busy}
                  onClick={() => setEditing(true)}
                >
                  <PencilIcon fontSize="inherit" />
                </IconButton>
              </span>
            </Tooltip>
          )}
          {!busy && !readOnly && <ActionMenu actions={actions} />}
        </Stack>
      )}
    </Stack>
  );
});

function Unsent({ exchange }: { exchange: Exchange }): ReactElement | null {
  const { conversation } = useChat();
  const { unsent } = exchange;
  if (unsent === undefined) return null;
  return (
    <Alert
      severity={unsent.code === 'stopped' ? 'info' : 'error'}
      variant="outlined"
      action={
        <>
          <Button color="inherit" size="small" onClick={() => void conversation.resend(exchange.key)}>
            {t('message.sendAgain')}
          </Button>
          <Button color="inherit" size="small" onClick={() => conversation.discardUnsent(exchange.key)}>
            {t('message.discard')}
          </Button>
        </>
      }
    >
      {t('message.notSent')} {saidOf(unsent.code, unsent.message)}
    </Alert>
  );
}

/** Buttons of what the model thinks is worth asking next. */
function FollowUps({ turn }: { turn: Turn }): ReactElement | null {
  const { conversation, sendOptions } = useChat();
  const questions = followUpsOf(turn.steps.findLast(({ type }) => type === 'inference')?.text ?? '');
  if (questions.length === 0) return null;
  const ask = (question: string): void => {
    const options = sendOptions();
    if (options !== undefined) void conversation.send(question, options);
  };
  return (
    <Stack direction="row" flexWrap="wrap" gap={1} sx={{ mt: 1 }} aria-label={t('message.next')} role="group">
      {questions.map((question) => (
        <Chip
          key={question}
          label={plain(question)}
          variant="outlined"
          onClick={() => ask(question)}
          sx={{ height: 'auto', minHeight: 32, '& .MuiChip-label': { whiteSpace: 'normal' } }}
        />
      ))}
    </Stack>
  );
}

function Ending({ exchange, last }: { exchange: Exchange; last: boolean }): ReactElement | null {
  const { conversation, sendOptions, addToDashboard, readOnly = false } = useChat();
  const busy = useBusy(conversation);
  const { turn } = exchange;
  if (turn === undefined || turn.status === 'running' || turn.status === 'awaiting') return null;
  const again = (): void => {
    const options = sendOptions();
    if (options === undefined) return;
    if (last && turn.status !== 'done') void conversation.retry(exchange, options);
    else void conversation.askInstead(exchange, exchange.question.text, options);
  };
  const text = answerText(turn);
  const panels = (): readonly Draft[] =>
    draftsOf(turn, exchange.question.at, conversation.getSnapshot().panels);
  const drawn = addToDashboard === undefined ? 0 : panels().length;
  const canRetry = exchange.question.messageId !== '' && !busy && !readOnly;
  return (
    <Box>
      {turn.status === 'failed' && (
        <Alert
          severity="error"
          variant="outlined"
          sx={{ my: 1 }}
          action={
            canRetry && (
              <Button color="inherit" size="small" onClick={again}>
                {t('message.retry')}
              </Button>
            )
          }
        >
          {plain(saidOf(turn.error?.code ?? '', turn.error?.message ?? '')) || t('message.theAnswerEndedIn')}
        </Alert>
      )}
      {turn.status === 'cancelled' && (
        <Typography variant="body2" color="text.secondary" sx={{ my: 1 }}>
          {t('message.stopped')}
        </Typography>
      )}
      <Stack direction="row" alignItems="center" className="actions">
        {text !== '' && <CopyButton text={text} label={t('message.copyTheAnswer')} />}
        {canRetry && (
          <Tooltip title={t('message.askItAgain')}>
            <IconButton size="small" aria-label={t('message.askItAgain')} onClick={again}>
              <RefreshIcon fontSize="inherit" />
            </IconButton>
          </Tooltip>
        )}
        {drawn > 1 && (
          <Tooltip title={t('message.addAll', { count: drawn })}>
            <IconButton
              size="small"
              aria-label={t('message.addAll', { count: drawn })}
              onClick={() => addToDashboard?.(panels())}
            >
              <DashboardIcon fontSize="inherit" />
            </IconButton>
          </Tooltip>
        )}
        {!readOnly && exchange.answerId !== undefined && turn.status === 'done' && (
          <Rating exchange={exchange} />
        )}
        {turn.usage !== undefined && (
          <Typography variant="caption" color="text.secondary" sx={{ ml: 1 }}>
            {usageText(turn.usage)}
          </Typography>
        )}
      </Stack>
      {last && canRetry && turn.status === 'done' && <FollowUps turn={turn} />}
    </Box>
  );
}

function BlockView(props: {
  item: Item;
  at: string;
  panels: Readonly<Record<string, unknown>>;
}): ReactElement {
  const { item, at, panels } = props;
  const block = item.kind === 'block' ? item.block : undefined;
  const stored = block?.kind === 'call' ? panels[block.call.id] : undefined;
  const settings = useMemo(() => parseSettings(stored), [stored]);
  if (item.kind === 'lookups') return <Lookups calls={item.calls} notes={item.notes} at={at} />;
  if (item.block.kind === 'call')
    return <ToolCard call={item.block.call} at={at} settings={settings} compact={item.compact} />;
  return <Box sx={{ gridColumn: '1 / -1', minWidth: 0 }}>{drawnOf(item.block)}</Box>;
}

/** All but calls. */
function drawnOf(block: Exclude<Block, { kind: 'call' }>): ReactElement {
  switch (block.kind) {
    case 'text':
      return <Answer text={block.text} complete={block.complete} />;
    case 'reasoning':
      return <Reasoning id={block.key} text={block.text} complete={block.complete} />;
    case 'notice':
      return <Notice text={block.text} />;
    case 'wait':
      // Each new wait counts anew.
      return <Waiting key={`${block.ms} ${block.text}`} text={block.text} ms={block.ms} />;
    case 'plan':
      return <Plan steps={block.steps} />;
  }
}

/** One column, but where small charts stand side by side. */
const GRID = {
  display: 'grid',
  gridTemplateColumns: 'repeat(auto-fill, minmax(min(100%, 225px), 1fr))',
  columnGap: 1,
  rowGap: 0.5,
};

/** What a turn shows: its question, then its answer. */
export const Message = memo(function Message(props: {
  exchange: Exchange;
  panels: Readonly<Record<string, unknown>>;
  last: boolean;
}): ReactElement {
  const { exchange, panels, last } = props;
  const { turn, question } = exchange;
  const items = useMemo(() => (turn === undefined ? [] : itemsOf(blocksOf(turn), turn.status)), [turn]);
  return (
    <Stack
      gap={1}
      sx={{
        '& .actions': { opacity: { xs: 1, md: 0.75 }, transition: 'opacity 120ms' },
        '&:hover .actions, &:focus-within .actions': { opacity: 1 },
      }}
    >
      {question.text !== '' && (
        <Question id={exchange.key} question={question} versions={exchange.versions} last={last} />
      )}
      <Unsent exchange={exchange} />
      <Box sx={{ mr: { xs: 0, sm: 4 }, opacity: exchange.answerExcluded ? 0.6 : 1 }}>
        <Box sx={GRID}>
          {items.map((item) => (
            <Boundary key={item.key}>
              <BlockView item={item} at={question.at} panels={panels} />
            </Boundary>
          ))}
        </Box>
        <Ending exchange={exchange} last={last} />
      </Box>
    </Stack>
  );
});
