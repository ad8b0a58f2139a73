// The result of a query: drawn, with what one can do with it; or why it can't be drawn here.
import { Alert, Box, Button, IconButton, Popover, Stack, Tooltip } from '@mui/material';
import { useRouterContext } from '@perses-dev/plugin-system';
import ClockIcon from 'mdi-material-ui/ClockOutline';
import CogIcon from 'mdi-material-ui/CogOutline';
import CompassIcon from 'mdi-material-ui/CompassOutline';
import DashboardIcon from 'mdi-material-ui/ViewDashboardOutline';
import { ReactElement, useMemo, useState } from 'react';

import { t } from '../../i18n/i18n';
import { useChat } from '../store/context';
import { Call } from '../store/reduce';
import { CopyButton } from '../view/CopyButton';
import { useInstalled } from './installed';
import { PanelOptions } from './PanelOptions';
import { CallPanel, PanelSettings, exploreLink, instead, isSeries } from './panels';
import { QueryPanel } from './QueryPanel';
import { ResultTable } from './ResultTable';
import { rowsOf } from './rows';

/** What can't be drawn here: why, and what the tool said as a table. */
function Undrawn({ content, missing }: { content: string; missing: readonly string[] }): ReactElement {
  const rows = useMemo(() => rowsOf(content), [content]);
  return (
    <Stack gap={1} sx={{ mt: 1 }} data-testid="undrawn">
      {missing.length > 0 && (
        <Alert severity="info" variant="outlined">
          {t('undrawn.missing', { count: missing.length, plugins: missing.join(', ') })}{' '}
          {t(rows === undefined ? 'undrawn.details' : 'undrawn.table')}
        </Alert>
      )}
      {rows !== undefined && <ResultTable rows={rows} label={t('card.result')} />}
    </Stack>
  );
}

export interface QueryResultProps {
  /** undefined: it is no call's, as a query in a text. */
  readonly call?: Call;
  readonly panel: CallPanel;
  readonly settings: PanelSettings;
  /** Small, beside others: nothing but what is drawn. */
  readonly small?: boolean;
  readonly onSettings: (next: PanelSettings) => void;
}

export function QueryResult(props: QueryResultProps): ReactElement {
  const { call, panel } = props;
  const { missing, explorer } = useInstalled(panel);
  const other = missing === undefined || missing.length === 0 ? undefined : instead(panel, missing);
  if (other !== undefined) return <QueryResult {...props} panel={other} />;
  if (missing !== undefined && missing.length > 0)
    return <Undrawn content={call?.result?.content ?? ''} missing={missing} />;
  return <DrawnResult {...props} ready={missing !== undefined} explorer={explorer} />;
}

function DrawnResult(props: QueryResultProps & { ready: boolean; explorer: boolean }): ReactElement {
  const { panel, settings, small = false, ready } = props;
  const [showTime, setShowTime] = useState(false);
  return (
    <Box sx={{ mt: 1 }}>
      <QueryPanel panel={panel} settings={settings} ready={ready} showTimeRange={showTime} small={small} />
      {!small && <Actions {...props} showTime={showTime} onShowTime={setShowTime} />}
    </Box>
  );
}

interface ActionsProps extends QueryResultProps {
  readonly explorer: boolean;
  readonly showTime: boolean;
  readonly onShowTime: (show: boolean) => void;
}

function Actions(props: ActionsProps): ReactElement {
  const { panel, settings, explorer, showTime, onShowTime, onSettings } = props;
  const { addToDashboard } = useChat();
  return (
    <Stack direction="row" alignItems="center" gap={0.5} flexWrap="wrap" sx={{ mt: 0.5 }}>
      {addToDashboard !== undefined && (
        <Button
          size="small"
          startIcon={<DashboardIcon fontSize="inherit" />}
          onClick={() => addToDashboard([{ panel, settings }])}
        >
          {t('panel.add')}
        </Button>
      )}
      {explorer && <OpenInExplore panel={panel} />}
      <Box sx={{ flexGrow: 1 }} />
      <CopyButton text={panel.query} label={t('panel.copyQuery')} />
      {panel.kind !== 'TracingGanttChart' && (
        <Tooltip title={t('panel.otherTime')}>
          <IconButton
            size="small"
            aria-label={t('panel.otherTime')}
            aria-pressed={showTime}
            onClick={() => onShowTime(!showTime)}
          >
            <ClockIcon fontSize="inherit" />
          </IconButton>
        </Tooltip>
      )}
      {isSeries(panel) && <OptionsButton panel={panel} settings={settings} onSettings={onSettings} />}
    </Stack>
  );
}

/** Within the app, unless the person wants another tab. */
export function OpenInExplore({ panel, color }: { panel: CallPanel; color?: 'inherit' }): ReactElement {
  const { navigate } = useRouterContext();
  const link = exploreLink(panel);
  return (
    <Button
      size="small"
      color={color}
      startIcon={<CompassIcon fontSize="inherit" />}
      href={link}
      onClick={(event) => {
        if (navigate === undefined || event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        navigate(link);
      }}
    >
      {t('panel.explore')}
    </Button>
  );
}

function OptionsButton(props: Pick<QueryResultProps, 'panel' | 'settings' | 'onSettings'>): ReactElement {
  const [anchor, setAnchor] = useState<HTMLElement>();
  return (
    <>
      <Tooltip title={t('panel.how')}>
        <IconButton
          size="small"
          aria-label={t('panel.how')}
          aria-haspopup="dialog"
          onClick={(event) => setAnchor(event.currentTarget)}
        >
          <CogIcon fontSize="inherit" />
        </IconButton>
      </Tooltip>
      <Popover
        open={anchor !== undefined}
        anchorEl={anchor}
        onClose={() => setAnchor(undefined)}
        anchorOrigin={{ vertical: 'bottom', horizontal: 'right' }}
        transformOrigin={{ vertical: 'top', horizontal: 'right' }}
      >
        <PanelOptions panel={props.panel} settings={props.settings} onChange={props.onSettings} />
      </Popover>
    </>
  );
}
