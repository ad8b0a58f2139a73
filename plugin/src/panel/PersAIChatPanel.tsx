// The chat in a dashboard: it knows that dashboard, the values of its variables and its time range, and each question
// goes with them. Which conversation is open stays with the browser's tab.
import { PanelPlugin, PanelProps, useAllVariableValues } from '@perses-dev/plugin-system';
import { Box } from '@mui/material';
import { ReactElement, useCallback, useMemo, useState } from 'react';

import { datasourceOf, globalPath } from '../api/datasource';
import { bounded } from '../chat/view/Boundary';
import { readTab, tabKey, writeTab } from '../chat/store/tab';
import { Connected } from '../explore/Connected';
import { aboutOf } from './about';
import { PersAIChatPanelEditor } from './PersAIChatPanelEditor';
import { t } from '../i18n/i18n';

export interface PersAIChatPanelSpec {
  /** The PersAI datasource, by name; none: the default one. */
  readonly gateway?: string;
  /** What is asked when nothing else is picked: the name of a global datasource, or a path of Perses's proxy. */
  readonly datasource?: string;
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
  return (
    <Box sx={{ height: '100%', minHeight: 0, px: 1.5, pb: 1 }} data-testid="persai-panel">
      <Connected
        gateway={spec.gateway}
        project={project}
        sessionId={sessionId}
        onSession={onSession}
        preferred={preferred}
        about={about}
        compact
      />
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
