// The chat in a dashboard: it knows that dashboard, the values of its variables and its time range, and each question
// goes with them. Which conversation is open stays with the browser's tab. A panel is small: the same chat opens wide
// in a drawer over the dashboard.
import { PanelPlugin, PanelProps, useAllVariableValues } from '@perses-dev/plugin-system';
import { Box, Drawer, IconButton, Tooltip, Typography } from '@mui/material';
import CloseIcon from 'mdi-material-ui/Close';
import WideIcon from 'mdi-material-ui/ArrowExpand';
import { ReactElement, useCallback, useMemo, useRef, useState } from 'react';

import { datasourceOf, globalPath } from '../api/datasource';
import { bounded } from '../chat/view/Boundary';
import { readTab, tabKey, writeTab } from '../chat/store/tab';
import { useDrawerMotion } from '../chat/view/motion';
import { Connected } from '../explore/Connected';
import { aboutOf } from './about';
import { PersAIChatPanelEditor } from './PersAIChatPanelEditor';
import { t } from '../i18n/i18n';
import { plain } from '../text';

export interface PersAIChatPanelSpec {
  /** The PersAI datasource, by name; none: the default one. */
  readonly gateway?: string;
  /** What is asked when nothing else is picked: the name of a global datasource, or a path of Perses's proxy. */
  readonly datasource?: string;
}

function WideChat(props: {
  title: string;
  open: boolean;
  onClose: () => void;
  /** It is gone from the page. */
  onClosed: () => void;
  children: ReactElement;
}): ReactElement {
  const motion = useDrawerMotion();
  return (
    <Drawer
      {...motion}
      anchor="right"
      open={props.open}
      onClose={props.onClose}
      disableRestoreFocus // the button that opened it is made anew
      slotProps={{
        transition: { onExited: props.onClosed },
        paper: {
          role: 'dialog',
          'aria-modal': true,
          'aria-label': plain(props.title) || t('chatPanel.name'),
          sx: { width: { xs: '100%', md: 'min(1120px, 90%)' }, p: 1.5 },
        },
      }}
    >
      {props.children}
    </Drawer>
  );
}

function PersAIChat({ spec, definition }: PanelProps<PersAIChatPanelSpec>): ReactElement {
  const state = useAllVariableValues();
  // The state's identity changes with every tick of it; what it says mostly does not.
  const said = JSON.stringify(aboutOf(state));
  const about = useMemo(() => JSON.parse(said) as ReturnType<typeof aboutOf>, [said]);
  const project = about.dashboard?.project;
  const title = definition?.spec.display?.name ?? '';
  const [key] = useState(() => tabKey('session', `${project ?? ''}/${about.dashboard?.name ?? ''}/${title}`));
  const [sessionId, setSessionId] = useState(() => readTab(key) || undefined);
  const onSession = useCallback(
    (id: string | undefined) => {
      writeTab(key, id ?? '');
      setSessionId(id);
    },
    [key],
  );
  const { datasource = '' } = spec;
  const preferred = useMemo(() => [datasourceOf(datasource)?.path ?? globalPath(datasource)], [datasource]);
  const [wide, setWide] = useState(false);
  const widen = useRef<HTMLButtonElement>(null);
  const close = (): void => setWide(false);
  const chat = { gateway: spec.gateway, project, sessionId, onSession, preferred, about };
  return (
    <Box sx={{ height: '100%', minHeight: 0, px: 1.5, pb: 1 }} data-testid="persai-panel">
      {wide ? (
        <Typography color="text.secondary">{t('chatPanel.isWide')}</Typography>
      ) : (
        <Connected
          {...chat}
          compact
          placeActions={
            <Tooltip title={t('chatPanel.widen')}>
              <IconButton
                ref={widen}
                size="small"
                aria-label={t('chatPanel.widen')}
                onClick={() => setWide(true)}
              >
                <WideIcon fontSize="inherit" />
              </IconButton>
            </Tooltip>
          }
        />
      )}
      <WideChat title={title} open={wide} onClose={close} onClosed={() => widen.current?.focus()}>
        <Connected
          {...chat}
          placeActions={
            <Tooltip title={t('chatPanel.narrow')}>
              <IconButton size="small" aria-label={t('chatPanel.narrow')} onClick={close}>
                <CloseIcon fontSize="inherit" />
              </IconButton>
            </Tooltip>
          }
        />
      </WideChat>
    </Box>
  );
}

export const PersAIChatPanel: PanelPlugin<PersAIChatPanelSpec> = {
  PanelComponent: bounded(PersAIChat),
  panelOptionsEditorComponents: [{ label: t('chatPanel.settings'), content: bounded(PersAIChatPanelEditor) }],
  supportedQueryTypes: [],
  hideQueryEditor: true,
  createInitialOptions: () => ({}),
};
