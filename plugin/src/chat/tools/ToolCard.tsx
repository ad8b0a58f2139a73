// One tool call: what was asked, what it is at, and its result, drawn by Perses where it is a query.
import {
  Alert,
  Box,
  Button,
  Card,
  Chip,
  CircularProgress,
  Collapse,
  FormControlLabel,
  IconButton,
  MenuItem,
  Popover,
  Stack,
  Switch,
  TextField,
  ToggleButton,
  ToggleButtonGroup,
  Tooltip,
  Typography,
} from '@mui/material';
import { FormatControls } from '@perses-dev/components';
import { FormatOptions } from '@perses-dev/core';
import { useRouterContext } from '@perses-dev/plugin-system';
import AlertIcon from 'mdi-material-ui/AlertCircleOutline';
import CheckIcon from 'mdi-material-ui/CheckCircleOutline';
import ChevronDown from 'mdi-material-ui/ChevronDown';
import ClockIcon from 'mdi-material-ui/ClockOutline';
import CogIcon from 'mdi-material-ui/CogOutline';
import CompassIcon from 'mdi-material-ui/CompassOutline';
import DatabaseIcon from 'mdi-material-ui/DatabaseOutline';
import HandIcon from 'mdi-material-ui/HandBackRightOutline';
import DashboardIcon from 'mdi-material-ui/ViewDashboardOutline';
import { ReactElement, memo, useId, useMemo, useState } from 'react';

import { datasourceLabel, datasourceOf } from '../../api/datasource';
import { asObject, asText, parseJson } from '../../api/events';
import { Approval } from './Approval';
import { useChat } from '../store/context';
import { CopyButton } from '../view/CopyButton';
import { BoardPreview, SavedLink } from './DraftBoard';
import { Documents } from './Documents';
import { citationsOf } from './documents';
import { DraftBoard, boardOf, isUnchecked, savedTo } from './drafts';
import { useInstalled } from './installed';
import {
  CallPanel,
  PANEL_KINDS,
  PanelKind,
  PanelSettings,
  exploreLink,
  isSeries,
  panelOf,
  settingsOf,
} from './panels';
import { Query } from './promql';
import { QueryPanel } from './QueryPanel';
import { Raw, pretty } from './Raw';
import { Call } from '../store/reduce';
import { ResultTable } from './ResultTable';
import { saidBy } from './results';
import { rowsOf } from './rows';
import { plain, shorten } from '../../text';

function durationText(ms: number): string {
  return ms < 1_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

const STATE_LABEL: Readonly<Record<Call['state'], string>> = {
  writing: 'being written',
  running: 'running',
  done: 'done',
  failed: 'failed',
  awaiting: 'waits for your approval',
};

function StateIcon({ state }: { state: Call['state'] }): ReactElement {
  const label = STATE_LABEL[state];
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

/** The arguments on one line, for calls that are no query. */
function summaryOf(args: unknown): string {
  const object = asObject(args);
  if (object === undefined) return typeof args === 'string' ? args : '';
  return Object.entries(object)
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');
}

function PanelOptions(props: {
  panel: CallPanel;
  settings: PanelSettings;
  onChange: (next: PanelSettings) => void;
}): ReactElement {
  const { panel, settings, onChange } = props;
  const { decimalPlaces, shortValues } = settings;
  const format = { unit: settings.unit ?? 'decimal', decimalPlaces, shortValues } as FormatOptions;
  const onFormat = (next: FormatOptions): void => {
    const rest = next as { decimalPlaces?: number; shortValues?: boolean };
    const { decimalPlaces: decimals, shortValues: short } = rest;
    onChange({ ...settings, unit: next.unit, decimalPlaces: decimals, shortValues: short });
  };
  return (
    <Stack gap={2} sx={{ p: 2, width: 280 }}>
      <ToggleButtonGroup
        exclusive
        fullWidth
        size="small"
        color="primary"
        aria-label="Drawn as"
        value={panel.kind}
        onChange={(_event, kind: PanelKind | null) => {
          if (kind !== null) onChange({ ...settings, kind });
        }}
      >
        {PANEL_KINDS.map(({ kind, label }) => (
          <ToggleButton key={kind} value={kind}>
            {label}
          </ToggleButton>
        ))}
      </ToggleButtonGroup>
      {panel.kind !== 'Table' && <FormatControls value={format} onChange={onFormat} />}
      {panel.kind === 'TimeSeriesChart' && (
        <>
          <TextField
            select
            size="small"
            label="Legend"
            value={settings.legend ?? 'bottom'}
            onChange={(event) =>
              onChange({ ...settings, legend: event.target.value as PanelSettings['legend'] })
            }
          >
            <MenuItem value="bottom">Below</MenuItem>
            <MenuItem value="right">Right</MenuItem>
            <MenuItem value="none">None</MenuItem>
          </TextField>
          <FormControlLabel
            control={
              <Switch
                checked={settings.stacked ?? false}
                onChange={(_event, stacked) => onChange({ ...settings, stacked })}
              />
            }
            label="Stacked"
          />
        </>
      )}
      {panel.kind !== 'Table' && (
        <TextField
          size="small"
          label="Thresholds"
          placeholder="80, 95"
          defaultValue={(settings.thresholds ?? []).join(', ')}
          onBlur={(event) => {
            const numbers = event.target.value.split(/[\s,;]+/).filter((text) => text !== '');
            const thresholds = numbers.map(Number).filter(Number.isFinite);
            thresholds.sort((a, b) => a - b);
            onChange({ ...settings, thresholds: thresholds.length === 0 ? undefined : thresholds });
          }}
        />
      )}
    </Stack>
  );
}

/** What can't be drawn here: why, and what the tool said as a table. */
function Undrawn({ content, missing }: { content: string; missing: readonly string[] }): ReactElement {
  const rows = useMemo(() => rowsOf(content), [content]);
  return (
    <Stack gap={1} sx={{ mt: 1 }} data-testid="undrawn">
      {missing.length > 0 && (
        <Alert severity="info" variant="outlined">
          {`This Perses does not have the ${missing.length === 1 ? 'plugin' : 'plugins'} ${missing.join(', ')}, which would draw this: `}
          {rows === undefined
            ? 'the result is under the details.'
            : 'this is what the model was told, as a table.'}
        </Alert>
      )}
      {rows !== undefined && <ResultTable rows={rows} label="Result" />}
    </Stack>
  );
}

function QueryResult(props: { call: Call; panel: CallPanel; settings: PanelSettings }): ReactElement {
  const { call, panel, settings } = props;
  const { missing, explorer } = useInstalled(panel);
  if (missing !== undefined && missing.length > 0)
    return <Undrawn content={call.result?.content ?? ''} missing={missing} />;
  return (
    <DrawnResult
      call={call}
      panel={panel}
      settings={settings}
      ready={missing !== undefined}
      explorer={explorer}
    />
  );
}

function DrawnResult(props: {
  call: Call;
  panel: CallPanel;
  settings: PanelSettings;
  /** Its plugins are known to be there. */
  ready: boolean;
  explorer: boolean;
}): ReactElement {
  const { call, panel, settings, ready, explorer } = props;
  const { conversation, addToDashboard } = useChat();
  const series = isSeries(panel);
  const { navigate } = useRouterContext();
  const [showTime, setShowTime] = useState(false);
  const [anchor, setAnchor] = useState<HTMLElement>();
  return (
    <Box sx={{ mt: 1 }}>
      <QueryPanel panel={panel} settings={settings} ready={ready} showTimeRange={showTime} />
      <Stack direction="row" alignItems="center" gap={0.5} flexWrap="wrap" sx={{ mt: 0.5 }}>
        {addToDashboard !== undefined && (
          <Button
            size="small"
            startIcon={<DashboardIcon fontSize="inherit" />}
            onClick={() => addToDashboard([{ panel, settings }])}
          >
            Add to dashboard
          </Button>
        )}
        {explorer && (
          <Button
            size="small"
            startIcon={<CompassIcon fontSize="inherit" />}
            href={exploreLink(panel)}
            onClick={(event) => {
              if (navigate === undefined || event.metaKey || event.ctrlKey || event.shiftKey) return;
              event.preventDefault();
              navigate(exploreLink(panel));
            }}
          >
            Open in Explore
          </Button>
        )}
        <Box sx={{ flexGrow: 1 }} />
        <CopyButton text={panel.query} label="Copy the query" />
        {panel.kind !== 'TracingGanttChart' && (
          <Tooltip title="Show over another time range">
            <IconButton
              size="small"
              aria-label="Show over another time range"
              aria-pressed={showTime}
              onClick={() => setShowTime(!showTime)}
            >
              <ClockIcon fontSize="inherit" />
            </IconButton>
          </Tooltip>
        )}
        {series && (
          <Tooltip title="How it is drawn">
            <IconButton
              size="small"
              aria-label="How it is drawn"
              aria-haspopup="dialog"
              onClick={(event) => setAnchor(event.currentTarget)}
            >
              <CogIcon fontSize="inherit" />
            </IconButton>
          </Tooltip>
        )}
      </Stack>
      <Popover
        open={anchor !== undefined}
        anchorEl={anchor}
        onClose={() => setAnchor(undefined)}
        anchorOrigin={{ vertical: 'bottom', horizontal: 'right' }}
        transformOrigin={{ vertical: 'top', horizontal: 'right' }}
      >
        <PanelOptions
          panel={panel}
          settings={settings}
          onChange={(next) => void conversation.setPanel(call.id, next)}
        />
      </Popover>
    </Box>
  );
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
      {partial && 'The datasource says that this answer is partial: data is missing.'}
      {words.map((text, i) => (
        <Typography key={i} variant="body2" sx={{ overflowWrap: 'anywhere' }}>
          {plain(shorten(text, 300))}
        </Typography>
      ))}
    </Alert>
  );
}

/** What it is about, where the query below does not say it. */
function headlineOf(call: Call, panel: CallPanel | undefined): string {
  const title = asText(asObject(call.args)?.['title']);
  if (call.name.endsWith('_dashboard') && title !== '') return title;
  if (panel === undefined) return summaryOf(call.args);
  return panel.title === panel.query ? '' : panel.title;
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
          Make this dashboard
        </Button>
      )}
    </Box>
  );
}

export const ToolCard = memo(function ToolCard(props: {
  call: Call;
  /** When the question was asked: what "now" meant. */
  at: string;
  settings: PanelSettings | undefined;
}): ReactElement {
  const { call, at, settings } = props;
  const [open, setOpen] = useState(false);
  const detailsId = useId();
  const panel = useMemo(() => panelOf(call, at, settings), [call, at, settings]);
  const content = call.result?.content ?? '';
  const error = call.state === 'failed' ? (asObject(parseJson(content))?.['error'] ?? content) : undefined;
  const chosen = useMemo(() => settingsOf(call, settings), [call, settings]);
  const board = useMemo(
    () => (call.state === 'done' && call.name === 'propose_dashboard' ? boardOf(call, '') : undefined),
    [call],
  );
  const saved = useMemo(() => savedTo(call), [call]);
  const citations = useMemo(() => citationsOf(call), [call]);
  const datasource = datasourceOf(call.result?.datasource ?? '');
  return (
    <Card
      component="section"
      variant="outlined"
      aria-label={`${call.name}, ${STATE_LABEL[call.state]}`}
      data-testid="tool-card"
      sx={{ my: 1, px: 1.5, py: 1, borderRadius: 1 }}
    >
      <Stack direction="row" alignItems="center" gap={1}>
        <StateIcon state={call.state} />
        <Typography variant="body1" component="span" sx={{ fontWeight: 700, whiteSpace: 'nowrap' }}>
          {plain(call.name)}
        </Typography>
        {call.result !== undefined && call.result.durationMs > 0 && (
          <Chip size="small" variant="outlined" label={durationText(call.result.durationMs)} />
        )}
        {datasource !== undefined && (
          <Chip
            size="small"
            variant="outlined"
            icon={<DatabaseIcon />}
            label={plain(datasourceLabel(datasource))}
            title={datasource.path}
            data-testid="used-datasource"
          />
        )}
        <Typography
          variant="body2"
          component="span"
          color="text.secondary"
          noWrap
          sx={{ flexGrow: 1, minWidth: 0 }}
        >
          {plain(shorten(headlineOf(call, panel), 200))}
        </Typography>
        <IconButton
          size="small"
          aria-label={open ? 'Hide the details' : 'Show the details'}
          aria-expanded={open}
          aria-controls={detailsId}
          onClick={() => setOpen(!open)}
        >
          <ChevronDown
            fontSize="inherit"
            sx={{ transform: open ? 'rotate(180deg)' : 'none', transition: 'transform 150ms' }}
          />
        </IconButton>
      </Stack>
      {panel !== undefined && (
        <Box sx={{ mt: 0.5 }}>
          <Query query={panel.query} promql={panel.plugin === 'PrometheusTimeSeriesQuery'} />
        </Box>
      )}
      {error !== undefined && (
        <Alert severity="error" variant="outlined" sx={{ mt: 1 }}>
          {plain(shorten(pretty(error) || 'The tool failed.', 1_000))}
        </Alert>
      )}
      <SaidBeside content={content} />
      {call.state === 'awaiting' && <Approval call={call} />}
      {panel !== undefined && call.state === 'done' && (
        <QueryResult call={call} panel={panel} settings={chosen} />
      )}
      {board !== undefined && <ProposedBoard board={board} />}
      {citations.length > 0 && <Documents citations={citations} />}
      {saved !== undefined && <SavedLink {...saved} />}
      {isUnchecked(call) && (
        <Alert severity="info" variant="outlined" sx={{ mt: 1 }}>
          Perses could not be asked whether its plugins accept this.
        </Alert>
      )}
      <Collapse in={open} id={detailsId} unmountOnExit>
        <Raw title="Arguments" text={pretty(call.args)} />
        {content !== '' && <Raw title="Result" text={pretty(parseJson(content) ?? content)} />}
      </Collapse>
    </Card>
  );
});
