// The dialog that writes panels of an answer into a dashboard.
import { Alert, Button, MenuItem, Stack, TextField, Typography } from '@mui/material';
import { Dialog, useSnackbar } from '@perses-dev/components';
import { useRouterContext } from '@perses-dev/plugin-system';
import { useMutation, useQuery } from '@tanstack/react-query';
import { ReactElement, useState } from 'react';

import { PersesApi } from '../api/perses';
import { Draft, DraftBoard } from '../chat/tools/drafts';
import { definitionOf } from '../chat/tools/panels';
import { plain, shorten } from '../text';
import { dashboardLink, groupsOf, nameFrom, refusalOf, save } from './add';

const NEW = '';
const DEFAULT_GROUP = 'PersAI';

export interface AddToDashboardProps {
  readonly api: PersesApi;
  readonly panels: readonly Draft[];
  /** The new dashboard that was proposed with them. */
  readonly board?: DraftBoard;
  readonly onClose: () => void;
}

function headerOf(count: number, board: DraftBoard | undefined): string {
  if (board !== undefined) return 'Make the dashboard';
  return count === 1 ? 'Add the panel to a dashboard' : `Add ${count} panels to a dashboard`;
}

export function AddToDashboard({ api, panels, board, onClose }: AddToDashboardProps): ReactElement {
  const { successSnackbar, warningSnackbar, closeSnackbar } = useSnackbar();
  const { navigate } = useRouterContext();
  const [chosenProject, setProject] = useState<string>();
  const [name, setName] = useState(NEW);
  const [title, setTitle] = useState(board?.title ?? '');
  const [group, setGroup] = useState<string>();
  const [panelTitle, setPanelTitle] = useState(shorten(panels[0]?.panel.title ?? '', 60));

  const projects = useQuery({ queryKey: ['persai-projects'], queryFn: () => api.listProjects() });
  const names = projects.data?.map(({ metadata }) => metadata.name) ?? [];
  const project = chosenProject ?? names.find((one) => one === board?.project) ?? names[0] ?? '';
  const dashboards = useQuery({
    queryKey: ['persai-dashboards', project],
    queryFn: () => api.listDashboards(project),
    enabled: project !== '',
  });
  const dashboard = dashboards.data?.find(({ metadata }) => metadata.name === name);
  const groups = dashboard === undefined ? [] : groupsOf(dashboard);
  const into = group ?? groups[0] ?? DEFAULT_GROUP;

  const saving = useMutation({
    mutationFn: () => {
      const single = panels.length === 1 && panelTitle.trim() !== '';
      const added = panels.map(({ panel, settings, group: own }) => ({
        panel: definitionOf(single ? { ...panel, title: panelTitle.trim() } : panel, settings),
        group: own,
      }));
      const { description, duration } = board ?? {};
      const target = {
        project,
        group: into,
        dashboard: name === NEW ? { title, description, duration } : { name },
      };
      return save(api, target, added);
    },
    onSuccess: ({ dashboard: saved, raced }) => {
      const what = panels.length === 1 ? 'The panel is' : `${panels.length} panels are`;
      const told = `${what} in the dashboard ${saved.spec.display?.name ?? saved.metadata.name}`;
      const link = dashboardLink(saved.metadata);
      const options = {
        autoHideDuration: 10_000,
        action: (id: string | number) =>
          navigate !== undefined && (
            <Button
              color="inherit"
              size="small"
              onClick={() => {
                closeSnackbar(id);
                navigate(link);
              }}
            >
              Show it
            </Button>
          ),
      };
      if (raced)
        warningSnackbar(
          `${told}, but somebody else saved it in the same moment: look whether their change is there`,
          options,
        );
      else successSnackbar(told, options);
      onClose();
    },
  });
  // A dashboard finds the datasources of its own project and the global ones.
  const foreign = panels.find(({ panel }) => (panel.datasource?.project ?? project) !== project)?.panel
    .datasource;
  const error = saving.error ?? dashboards.error ?? projects.error;
  const ready =
    project !== '' &&
    foreign === undefined &&
    (name === NEW ? nameFrom(title) !== '' : dashboard !== undefined) &&
    !saving.isLoading;
  return (
    <Dialog open onClose={onClose} fullWidth maxWidth="sm" aria-label="Add to dashboard">
      <Dialog.Header onClose={onClose}>{headerOf(panels.length, board)}</Dialog.Header>
      <Dialog.Form
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) saving.mutate();
        }}
      >
        <Dialog.Content>
          <Stack gap={2} sx={{ pt: 1 }}>
            {error !== null && <Alert severity="error">{refusalOf(error, project)}</Alert>}
            {foreign !== undefined && project !== '' && (
              <Alert severity="warning">
                {`The datasource ${plain(foreign.name)} belongs to the project ${plain(foreign.project ?? '')}: only a dashboard of that project can show this.`}
              </Alert>
            )}
            {projects.data?.length === 0 && <Typography>There is no project that you may see.</Typography>}
            <TextField
              select
              label="Project"
              value={project}
              onChange={(event) => {
                setProject(event.target.value);
                setName(NEW);
                setGroup(undefined);
              }}
            >
              {(projects.data ?? []).map(({ metadata, spec }) => (
                <MenuItem key={metadata.name} value={metadata.name}>
                  {plain(spec?.display?.name ?? metadata.name)}
                </MenuItem>
              ))}
            </TextField>
            <TextField
              select
              label="Dashboard"
              value={dashboard === undefined ? NEW : name}
              slotProps={{ select: { displayEmpty: true }, inputLabel: { shrink: true } }}
              onChange={(event) => {
                setName(event.target.value);
                setGroup(undefined);
              }}
            >
              <MenuItem value={NEW}>A new dashboard</MenuItem>
              {(dashboards.data ?? []).map(({ metadata, spec }) => (
                <MenuItem key={metadata.name} value={metadata.name}>
                  {plain(spec.display?.name ?? metadata.name)}
                </MenuItem>
              ))}
            </TextField>
            {dashboard === undefined && (
              <TextField
                label="Title of the dashboard"
                value={title}
                onChange={(event) => setTitle(event.target.value)}
              />
            )}
            {groups.length > 0 && panels.some(({ group: own }) => own === undefined) && (
              <TextField select label="Group" value={into} onChange={(event) => setGroup(event.target.value)}>
                {[...new Set([...groups, DEFAULT_GROUP])].map((one) => (
                  <MenuItem key={one} value={one}>
                    {plain(one) || 'Untitled group'}
                  </MenuItem>
                ))}
              </TextField>
            )}
            {panels.length === 1 && (
              <TextField
                label="Title of the panel"
                value={panelTitle}
                onChange={(event) => setPanelTitle(event.target.value)}
              />
            )}
          </Stack>
        </Dialog.Content>
        <Dialog.Actions>
          <Dialog.PrimaryButton disabled={!ready}>Add</Dialog.PrimaryButton>
          <Dialog.SecondaryButton onClick={onClose}>Cancel</Dialog.SecondaryButton>
        </Dialog.Actions>
      </Dialog.Form>
    </Dialog>
  );
}
