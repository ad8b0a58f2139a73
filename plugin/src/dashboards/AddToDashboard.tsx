// The dialog that writes panels of an answer into a dashboard.
import { Alert, Button, MenuItem, Stack, TextField } from '@mui/material';
import { Dialog, useSnackbar } from '@perses-dev/components';
import { DashboardResource, ProjectResource } from '@perses-dev/core';
import { useRouterContext } from '@perses-dev/plugin-system';
import { UseMutationResult, useMutation, useQuery } from '@tanstack/react-query';
import { ReactElement, useState } from 'react';

import { PersesApi } from '../api/perses';
import { Draft, DraftBoard } from '../chat/tools/drafts';
import { definitionOf } from '../chat/tools/panels';
import { plain, shorten } from '../text';
import { Added, Saved, Target, dashboardLink, groupsOf, nameFrom, refusalOf, save } from './add';
import { t } from '../i18n/i18n';
import { DialogBody } from '../chat/view/DialogBody';
import { ProjectField } from './ProjectField';

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
  if (board !== undefined) return t('add.make');
  return t('add.title', { count });
}

/** Where the panels go. */
interface Place {
  readonly projects: readonly ProjectResource[] | undefined;
  readonly project: string;
  readonly setProject: (project: string) => void;
  readonly dashboards: readonly DashboardResource[];
  /** undefined: a new one. */
  readonly dashboard: DashboardResource | undefined;
  readonly name: string;
  readonly setName: (name: string) => void;
  readonly groups: readonly string[];
  readonly group: string;
  readonly setGroup: (group: string) => void;
  readonly error: unknown;
}

function usePlace(api: PersesApi, board: DraftBoard | undefined): Place {
  const [chosenProject, setProject] = useState<string>();
  const [name, setName] = useState(NEW);
  const [group, setGroup] = useState<string>();
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
  const pick = (next: string): void => {
    setName(next);
    setGroup(undefined);
  };
  return {
    projects: projects.data,
    project,
    setProject: (next) => {
      setProject(next);
      pick(NEW);
    },
    dashboards: dashboards.data ?? [],
    dashboard,
    name,
    setName: pick,
    groups,
    group: group ?? groups[0] ?? DEFAULT_GROUP,
    setGroup,
    error: dashboards.error ?? projects.error,
  };
}

type Saving = UseMutationResult<Saved, unknown, { target: Target; added: readonly Added[] }>;

/** Writes them, and tells it with a way to go there. */
function useSaving(api: PersesApi, count: number, onClose: () => void): Saving {
  const { successSnackbar, warningSnackbar, closeSnackbar } = useSnackbar();
  const { navigate } = useRouterContext();
  return useMutation({
    mutationFn: ({ target, added }) => save(api, target, added),
    onSuccess: ({ dashboard, raced }) => {
      const name = dashboard.spec.display?.name ?? dashboard.metadata.name;
      const told = t('add.done', { count, name });
      const show = (id: string | number): ReactElement | false =>
        navigate !== undefined && (
          <Button
            color="inherit"
            size="small"
            onClick={() => {
              closeSnackbar(id);
              navigate(dashboardLink(dashboard.metadata));
            }}
          >
            {t('add.show')}
          </Button>
        );
      const options = { autoHideDuration: 10_000, action: show };
      if (raced) warningSnackbar(t('add.raced', { told }), options);
      else successSnackbar(told, options);
      onClose();
    },
  });
}

function PlaceFields({ place }: { place: Place }): ReactElement {
  return (
    <>
      <ProjectField projects={place.projects} project={place.project} onChange={place.setProject} />
      <TextField
        select
        label={t('add.dashboard')}
        value={place.dashboard === undefined ? NEW : place.name}
        slotProps={{ select: { displayEmpty: true }, inputLabel: { shrink: true } }}
        onChange={(event) => place.setName(event.target.value)}
      >
        <MenuItem value={NEW}>{t('add.new')}</MenuItem>
        {place.dashboards.map(({ metadata, spec }) => (
          <MenuItem key={metadata.name} value={metadata.name}>
            {plain(spec.display?.name ?? metadata.name)}
          </MenuItem>
        ))}
      </TextField>
    </>
  );
}

function GroupField({ place }: { place: Place }): ReactElement {
  return (
    <TextField
      select
      label={t('add.group')}
      value={place.group}
      onChange={(event) => place.setGroup(event.target.value)}
    >
      {[...new Set([...place.groups, DEFAULT_GROUP])].map((one) => (
        <MenuItem key={one} value={one}>
          {plain(one) || t('add.untitled')}
        </MenuItem>
      ))}
    </TextField>
  );
}

function TitleField(props: {
  label: string;
  value: string;
  onChange: (value: string) => void;
}): ReactElement {
  return (
    <TextField
      label={props.label}
      value={props.value}
      onChange={(event) => props.onChange(event.target.value)}
    />
  );
}

/** A dashboard finds the datasources of its own project and the global ones: is there one of another project? */
function foreignOf(panels: readonly Draft[], project: string): Draft['panel']['datasource'] {
  return panels.find(({ panel }) => (panel.datasource?.project ?? project) !== project)?.panel.datasource;
}

function addedOf(panels: readonly Draft[], panelTitle: string): readonly Added[] {
  const title = panels.length === 1 ? panelTitle.trim() : '';
  return panels.map(({ panel, settings, group }) => ({
    panel: definitionOf(title === '' ? panel : { ...panel, title }, settings),
    group,
  }));
}

export function AddToDashboard({ api, panels, board, onClose }: AddToDashboardProps): ReactElement {
  const place = usePlace(api, board);
  const { project, dashboard, name } = place;
  const saving = useSaving(api, panels.length, onClose);
  const [title, setTitle] = useState(board?.title ?? '');
  const [panelTitle, setPanelTitle] = useState(shorten(panels[0]?.panel.title ?? '', 60));
  const foreign = project === '' ? undefined : foreignOf(panels, project);
  const error = saving.error ?? place.error;
  const named = name === NEW ? nameFrom(title) !== '' : dashboard !== undefined;
  const ready = project !== '' && foreign === undefined && named && !saving.isLoading;
  const submit = (): void => {
    const { description, duration } = board ?? {};
    const target = name === NEW ? { title, description, duration } : { name };
    saving.mutate({
      target: { project, group: place.group, dashboard: target },
      added: addedOf(panels, panelTitle),
    });
  };
  return (
    <Dialog open onClose={onClose} fullWidth maxWidth="sm">
      <Dialog.Header onClose={onClose}>{headerOf(panels.length, board)}</Dialog.Header>
      <Dialog.Form
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) submit();
        }}
      >
        <DialogBody>
          <Stack gap={2} sx={{ pt: 1 }}>
            {error !== null && <Alert severity="error">{refusalOf(error, project)}</Alert>}
            {foreign !== undefined && (
              <Alert severity="warning">
                {t('add.foreign', { name: plain(foreign.name), project: plain(foreign.project ?? '') })}
              </Alert>
            )}
            <PlaceFields place={place} />
            {dashboard === undefined && (
              <TitleField label={t('add.boardTitle')} value={title} onChange={setTitle} />
            )}
            {place.groups.length > 0 && panels.some(({ group }) => group === undefined) && (
              <GroupField place={place} />
            )}
            {panels.length === 1 && (
              <TitleField label={t('add.panelTitle')} value={panelTitle} onChange={setPanelTitle} />
            )}
          </Stack>
        </DialogBody>
        <Dialog.Actions>
          <Dialog.PrimaryButton disabled={!ready}>{t('add.add')}</Dialog.PrimaryButton>
          <Dialog.SecondaryButton onClick={onClose}>{t('historyDialogs.cancel')}</Dialog.SecondaryButton>
        </Dialog.Actions>
      </Dialog.Form>
    </Dialog>
  );
}
