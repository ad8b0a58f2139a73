// A dashboard that is not there yet: its panels, the first ones drawn, all of them with their queries.
import { Alert, Box, Button, Typography } from '@mui/material';
import { useRouterContext } from '@perses-dev/plugin-system';
import { useQuery } from '@tanstack/react-query';
import DashboardIcon from 'mdi-material-ui/ViewDashboardOutline';
import { ReactElement, useState } from 'react';

import { isName } from '../../api/datasource';
import { PersesApi, statusOf } from '../../api/perses';
import { dashboardLink } from '../../dashboards/add';
import { useChat } from '../store/context';
import { Draft, DraftBoard } from './drafts';
import { useInstalled } from './installed';
import { Query } from './promql';
import { QueryPanel } from './QueryPanel';
import { plain, shorten } from '../../text';
import { t } from '../../i18n/i18n';

/** A chart costs memory and a query; the others are drawn when the person wants to. */
const DRAWN_AT_FIRST = 6;

function DraftPanel({ draft, drawn }: { draft: Draft; drawn: boolean }): ReactElement {
  const { panel, settings, group } = draft;
  const { missing } = useInstalled(panel);
  return (
    <Box component="li" sx={{ minWidth: 0 }} data-testid="draft-panel">
      <Typography variant="body2" sx={{ fontWeight: 700, overflowWrap: 'anywhere' }}>
        {plain(panel.title)}
        {group !== undefined && (
          <Typography variant="body2" component="span" color="text.secondary">
            {t('board.inGroup', { group: plain(shorten(group, 120)) })}
          </Typography>
        )}
      </Typography>
      <Query query={panel.query} promql />
      {drawn &&
        (missing === undefined || missing.length === 0 ? (
          <QueryPanel panel={panel} settings={settings} ready={missing !== undefined} showTimeRange={false} />
        ) : (
          <Alert severity="info" variant="outlined">
            {t('board.missing', { plugins: missing.join(', ') })}
          </Alert>
        ))}
    </Box>
  );
}

/** What is there already is never replaced: that is better known before the yes. */
function Taken({ perses, board }: { perses: PersesApi; board: DraftBoard }): ReactElement | null {
  const { project, name } = board;
  const there = useQuery({
    queryKey: ['persai-taken', perses.prefix, project, name],
    queryFn: () =>
      perses.getDashboard(project, name).then(
        () => true,
        (error: unknown) => {
          if (statusOf(error) === 404) return false;
          throw error;
        },
      ),
    enabled: isName(project),
    retry: false,
  });
  if (there.data !== true) return null;
  return (
    <Alert severity="warning" variant="outlined" sx={{ mt: 1 }}>
      {t('board.taken', { name })}
    </Alert>
  );
}

export function BoardPreview({ board, isNew }: { board: DraftBoard; isNew: boolean }): ReactElement {
  const { perses } = useChat();
  const [all, setAll] = useState(false);
  const { panels, description, duration } = board;
  const rest = panels.length - DRAWN_AT_FIRST;
  return (
    <Box sx={{ mt: 1 }}>
      <Typography variant="body2" color="text.secondary" sx={{ overflowWrap: 'anywhere' }}>
        {t(isNew ? 'board.new' : 'board.proposed')}
        {` ${plain(board.project)} / ${board.name}, `}
        {t('board.panels', { count: panels.length })}
        {duration !== undefined && t('board.last', { duration })}
        {description !== '' && `. ${plain(shorten(description, 500))}`}
      </Typography>
      {isNew && perses !== undefined && <Taken perses={perses} board={board} />}
      <Box
        component="ul"
        aria-label={t('board.panelsOf', { title: plain(board.title) })}
        sx={{
          m: 0,
          p: 0,
          mt: 1,
          display: 'grid',
          gap: 1.5,
          listStyle: 'none',
          gridTemplateColumns: 'repeat(auto-fill, minmax(min(100%, 320px), 1fr))',
        }}
      >
        {panels.map((draft, i) => (
          <DraftPanel key={i} draft={draft} drawn={all || i < DRAWN_AT_FIRST} />
        ))}
      </Box>
      {rest > 0 && !all && (
        <Button size="small" onClick={() => setAll(true)}>
          {t('board.drawRest', { count: rest })}
        </Button>
      )}
    </Box>
  );
}

/** To the dashboard that a call has written to. */
export function SavedLink(props: { project: string; name: string }): ReactElement {
  const { navigate } = useRouterContext();
  const link = dashboardLink(props);
  return (
    <Button
      size="small"
      startIcon={<DashboardIcon fontSize="inherit" />}
      href={link}
      onClick={(event) => {
        if (navigate === undefined || event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        navigate(link);
      }}
    >
      {t('board.show')}
    </Button>
  );
}
