// One tool call: what it is about in words, what it is at, and its result, drawn by Perses where it is a query. What the
// model wrote and what it was told are under the details.
import {
  Alert,
  Box,
  Button,
  Card,
  Chip,
  CircularProgress,
  Collapse,
  IconButton,
  Stack,
  Tooltip,
  Typography,
} from '@mui/material';
import AlertIcon from 'mdi-material-ui/AlertCircleOutline';
import LargerIcon from 'mdi-material-ui/ArrowExpand';
import SmallerIcon from 'mdi-material-ui/ArrowCollapse';
import CheckIcon from 'mdi-material-ui/CheckCircleOutline';
import ChevronDown from 'mdi-material-ui/ChevronDown';
import DatabaseIcon from 'mdi-material-ui/DatabaseOutline';
import HandIcon from 'mdi-material-ui/HandBackRightOutline';
import DashboardIcon from 'mdi-material-ui/ViewDashboardOutline';
import { ReactElement, memo, useId, useMemo, useState } from 'react';

import { datasourceLabel, datasourceOf } from '../../api/datasource';
import { asObject, asText, parseJson } from '../../api/events';
import { t } from '../../i18n/i18n';
import { plain, shorten } from '../../text';
import { useChat } from '../store/context';
import { Call } from '../store/reduce';
import { Approval } from './Approval';
import { Documents } from './Documents';
import { citationsOf } from './documents';
import { BoardPreview, SavedLink } from './DraftBoard';
import { DraftBoard, boardOf, isUnchecked, savedTo } from './drafts';
import { CallPanel, PanelSettings, isQueryTool, panelOf, settingsOf } from './panels';
import { Query } from './promql';
import { QueryResult } from './QueryResult';
import { Raw, pretty } from './Raw';
import { saidBy } from './results';
import { durationText, wordsOf } from './words';

export function StateIcon({ state }: { state: Call['state'] }): ReactElement {
  const label = t(`call.${state}`);
  switch (state) {
    case 'writing':
    case 'running':
      return <CircularProgress size={16} aria-label={label} />;
    case 'done':
      return <CheckIcon fontSize="small" color="success" titleAccess={label} />;
    case 'failed':
      return <AlertIcon fontSize="small" color="error" titleAccess={label} />;
    case 'awaiting':
      return <HandIcon fontSize="small" color="warning" titleAccess={label} />;
  }
}

/** The person is to know what the model knows: an answer with parts missing looks like any other. */
function SaidBeside({ content }: { content: string }): ReactElement | null {
  const { partial, words } = useMemo(() => saidBy(content), [content]);
  if (!partial && words.length === 0) return null;
  return (
    <Alert
      severity={partial ? 'warning' : 'info'}
      variant="outlined"
      sx={{ mt: 1, py: 0 }}
      data-testid={partial ? 'partial' : 'said'}
    >
      {partial && t('card.partial')}
      {words.map((text, i) => (
        <Typography key={i} variant="body2" sx={{ overflowWrap: 'anywhere' }}>
          {plain(shorten(text, 300))}
        </Typography>
      ))}
    </Alert>
  );
}

function ProposedBoard({ board }: { board: DraftBoard }): ReactElement {
  const { addToDashboard } = useChat();
  return (
    <Box data-testid="proposed-dashboard">
      <BoardPreview board={board} isNew={false} />
      {addToDashboard !== undefined && (
        <Button
          size="small"
          startIcon={<DashboardIcon fontSize="inherit" />}
          onClick={() => addToDashboard(board.panels, board)}
        >
          {t('board.make')}
        </Button>
      )}
    </Box>
  );
}

/** A query's title in words; of all else what the call does. */
function headingOf(call: Call, panel: CallPanel | undefined): string {
  if (panel !== undefined && panel.title !== panel.query) return panel.title;
  return isQueryTool(call.name) ? wordsOf({ name: call.name, args: {} }) : wordsOf(call);
}

interface HeaderProps {
  readonly call: Call;
  readonly heading: string;
  readonly small: boolean;
  readonly open: boolean;
  readonly onOpen: () => void;
  readonly detailsId: string;
  /** Of a card beside others: it becomes large, and small again. */
  readonly onSize?: () => void;
}

function SizeButton({ small, onSize }: { small: boolean; onSize: () => void }): ReactElement {
  const label = t(small ? 'card.larger' : 'card.smaller');
  return (
    <Tooltip title={label}>
      <IconButton size="small" aria-label={label} onClick={onSize}>
        {small ? <LargerIcon fontSize="inherit" /> : <SmallerIcon fontSize="inherit" />}
      </IconButton>
    </Tooltip>
  );
}

function Header(props: HeaderProps): ReactElement {
  const { call, heading, small, open, onOpen, detailsId, onSize } = props;
  const datasource = datasourceOf(call.result?.datasource ?? '');
  const ms = call.result?.durationMs ?? 0;
  return (
    <Stack direction="row" alignItems="center" gap={1}>
      <StateIcon state={call.state} />
      <Typography
        variant="body1"
        component="h3"
        noWrap
        title={plain(heading)}
        sx={{ fontWeight: 700, flexGrow: 1, minWidth: 0 }}
      >
        {plain(shorten(heading, 200))}
      </Typography>
      {!small && ms > 0 && <Chip size="small" variant="outlined" label={durationText(ms)} />}
      {!small && datasource !== undefined && (
        <Chip
          size="small"
          variant="outlined"
          icon={<DatabaseIcon />}
          label={plain(datasourceLabel(datasource))}
          title={datasource.path}
          data-testid="used-datasource"
          sx={{ maxWidth: '40%' }}
        />
      )}
      {onSize !== undefined && <SizeButton small={small} onSize={onSize} />}
      {!small && (
        <IconButton
          size="small"
          aria-label={t(open ? 'card.hideDetails' : 'card.showDetails')}
          aria-expanded={open}
          aria-controls={detailsId}
          onClick={onOpen}
        >
          <ChevronDown
            fontSize="inherit"
            sx={{
              transform: open ? 'rotate(180deg)' : 'none',
              transition: 'transform 150ms',
            }}
          />
        </IconButton>
      )}
    </Stack>
  );
}

export interface ToolCardProps {
  readonly call: Call;
  /** When the question was asked: what "now" meant. */
  readonly at: string;
  readonly settings: PanelSettings | undefined;
  /** One of many: small, until the person wants to see more of it. */
  readonly compact?: boolean;
}

/** What is read rather than seen at a glance: small, there would be nothing left of it. */
const READ_KINDS: ReadonlySet<string> = new Set([
  'LogsTable',
  'TraceTable',
  'TracingGanttChart',
  'FlameChart',
]);

export const ToolCard = memo(function ToolCard(props: ToolCardProps): ReactElement {
  const { call, at, settings } = props;
  const { conversation } = useChat();
  const [open, setOpen] = useState(false);
  const [large, setLarge] = useState(false);
  const detailsId = useId();
  const panel = useMemo(() => panelOf(call, at, settings), [call, at, settings]);
  const compact = props.compact === true && !(panel !== undefined && READ_KINDS.has(panel.kind));
  const small = compact && !large;
  const chosen = useMemo(() => settingsOf(call, panel, settings), [call, panel, settings]);
  return (
    <Card
      component="section"
      variant="outlined"
      aria-label={`${plain(headingOf(call, panel))}, ${t(`call.${call.state}`)}`}
      data-testid="tool-card"
      data-tool={call.name}
      data-state={call.state}
      data-keep={large || undefined}
      sx={{
        my: small ? 0 : 1,
        px: 1.5,
        py: 1,
        borderRadius: 1,
        minWidth: 0,
        gridColumn: small ? 'auto' : '1 / -1',
      }}
    >
      <Header
        call={call}
        heading={headingOf(call, panel)}
        small={small}
        open={open}
        onOpen={() => setOpen(!open)}
        detailsId={detailsId}
        onSize={compact ? (): void => setLarge(!large) : undefined}
      />
      {panel !== undefined && (
        <Box
          sx={
            small
              ? {
                  overflow: 'hidden',
                  whiteSpace: 'nowrap',
                  textOverflow: 'ellipsis',
                  '& code': { whiteSpace: 'nowrap' },
                }
              : { mt: 0.5 }
          }
          title={small ? plain(panel.query) : undefined}
        >
          <Query query={panel.query} promql={panel.plugin === 'PrometheusTimeSeriesQuery'} />
        </Box>
      )}
      <Findings call={call} panel={panel} />
      {panel !== undefined && call.state === 'done' && (
        <QueryResult
          call={call}
          panel={panel}
          settings={chosen}
          small={small}
          onSettings={(next) => void conversation.setPanel(call.id, next)}
        />
      )}
      <Outcome call={call} />
      <Collapse in={open && !small} id={detailsId} unmountOnExit>
        <Details call={call} />
      </Collapse>
    </Card>
  );
});

/** Before the drawing: what failed, what is missing, what waits. */
function Findings({ call, panel }: { call: Call; panel: CallPanel | undefined }): ReactElement {
  const content = call.result?.content ?? '';
  const error = call.state === 'failed' ? (asObject(parseJson(content))?.['error'] ?? content) : undefined;
  const failedQuery = panel === undefined && error !== undefined && isQueryTool(call.name);
  return (
    <>
      {failedQuery && (
        <Query query={asText(asObject(call.args)?.['query'])} promql={call.name.startsWith('execute_')} />
      )}
      {error !== undefined && (
        <Alert severity="error" variant="outlined" sx={{ mt: 1 }}>
          {plain(shorten(pretty(error) || t('card.failed'), 1_000))}
        </Alert>
      )}
      <SaidBeside content={content} />
      {call.state === 'awaiting' && <Approval call={call} />}
    </>
  );
}

/** After it: what was proposed, cited or written. */
function Outcome({ call }: { call: Call }): ReactElement {
  const board = useMemo(
    () => (call.state === 'done' && call.name === 'propose_dashboard' ? boardOf(call, '') : undefined),
    [call],
  );
  const saved = useMemo(() => savedTo(call), [call]);
  const citations = useMemo(() => citationsOf(call), [call]);
  return (
    <>
      {board !== undefined && <ProposedBoard board={board} />}
      {citations.length > 0 && <Documents citations={citations} />}
      {saved !== undefined && <SavedLink {...saved} />}
      {isUnchecked(call) && (
        <Alert severity="info" variant="outlined" sx={{ mt: 1 }}>
          {t('card.unchecked')}
        </Alert>
      )}
    </>
  );
}

/** The call as the model made it. */
export function Details({ call }: { call: Call }): ReactElement {
  const content = call.result?.content ?? '';
  return (
    <>
      <Typography variant="body2" color="text.secondary" sx={{ mt: 1 }} component="div">
        {t('card.tool')} <code>{plain(call.name)}</code>
      </Typography>
      <Raw title={t('card.arguments')} copy={t('card.copyArguments')} text={pretty(call.args)} />
      {content !== '' && (
        <Raw
          title={t('card.result')}
          copy={t('card.copyResult')}
          text={pretty(parseJson(content) ?? content)}
        />
      )}
    </>
  );
}
