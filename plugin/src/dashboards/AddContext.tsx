// The dialog that picks a dashboard, or some of its panels, for the questions of a conversation to be about.
import {
  Alert,
  Box,
  Checkbox,
  FormControlLabel,
  FormGroup,
  MenuItem,
  Stack,
  Switch,
  TextField,
  Typography,
} from '@mui/material';
import { Dialog } from '@perses-dev/components';
import { DashboardResource, ProjectResource } from '@perses-dev/core';
import { useQuery } from '@tanstack/react-query';
import { ReactElement, useMemo, useState } from 'react';

import { PersesApi, statusOf } from '../api/perses';
import { plain } from '../text';
import {
  Attachment,
  CONTEXT_BYTES_MAX,
  VariableValues,
  attachmentOf,
  bytesOf,
  chosenOf,
  panelsOf,
  sizeText,
  usedVariables,
  withAttachment,
  withOutside,
} from './context';
import { t } from '../i18n/i18n';
import { DialogBody } from '../chat/view/DialogBody';
import { ProjectField } from './ProjectField';

export interface AddContextProps {
  readonly api: PersesApi;
  /** What is there already; the same dashboard once more takes its place. */
  readonly attachments: readonly Attachment[];
  readonly onAdd: (attachments: readonly Attachment[]) => void;
  readonly onClose: () => void;
}

function problemText(error: unknown): string {
  switch (statusOf(error)) {
    case 401:
      return t('client.youAreSignedOut');
    case 403:
      return t('addContext.forbidden');
    default:
      return error instanceof Error ? error.message : t('add.refused');
  }
}

function Panels(props: {
  dashboard: DashboardResource;
  chosen: ReadonlySet<string>;
  onChange: (chosen: ReadonlySet<string>) => void;
}): ReactElement {
  const { dashboard, chosen, onChange } = props;
  const panels = useMemo(() => panelsOf(dashboard), [dashboard]);
  const all = panels.length > 0 && panels.every(({ key }) => chosen.has(key));
  const toggle = (key: string): void => {
    const next = new Set(chosen);
    if (!next.delete(key)) next.add(key);
    onChange(next);
  };
  if (panels.length === 0) return <Typography color="text.secondary">{t('addContext.noPanels')}</Typography>;
  return (
    <Box component="fieldset" sx={{ border: 1, borderColor: 'divider', borderRadius: 1, m: 0, px: 2, py: 1 }}>
      <Typography component="legend" variant="body2" color="text.secondary" sx={{ px: 0.5 }}>
        {t('addContext.panels')}
      </Typography>
      <FormControlLabel
        control={
          <Checkbox
            size="small"
            checked={all}
            indeterminate={!all && chosen.size > 0}
            onChange={() => onChange(new Set(all ? [] : panels.map(({ key }) => key)))}
          />
        }
        label={t('addContext.all', { count: panels.length })}
      />
      <FormGroup sx={{ maxHeight: 220, overflowY: 'auto', flexWrap: 'nowrap', pl: 2 }}>
        {panels.map(({ key, title, group }) => (
          <FormControlLabel
            key={key}
            control={<Checkbox size="small" checked={chosen.has(key)} onChange={() => toggle(key)} />}
            label={
              <>
                {plain(title)}
                {group !== '' && (
                  <Typography component="span" variant="body2" color="text.secondary">
                    {` · ${plain(group)}`}
                  </Typography>
                )}
              </>
            }
          />
        ))}
      </FormGroup>
    </Box>
  );
}

function Variables(props: {
  dashboard: DashboardResource;
  used: ReadonlySet<string>;
  values: VariableValues;
  onChange: (values: VariableValues) => void;
}): ReactElement | null {
  const { dashboard, used, values, onChange } = props;
  const variables = dashboard.spec.variables.filter(({ spec }) => used.has(spec.name));
  if (variables.length === 0) return null;
  return (
    <Stack direction="row" flexWrap="wrap" gap={1}>
      {variables.map((variable) => {
        const { name, display } = variable.spec;
        const value = chosenOf(variable, values);
        const list = variable.kind === 'ListVariable' && variable.spec.allowMultiple;
        return (
          <TextField
            key={name}
            size="small"
            label={plain(display?.name ?? name)}
            value={typeof value === 'string' ? value : value.join(', ')}
            helperText={list ? t('addContext.several') : undefined}
            onChange={({ target }) => {
              const parts = target.value.split(',').map((part) => part.trim());
              onChange({ ...values, [name]: list && parts.length > 1 ? parts : target.value });
            }}
          />
        );
      })}
    </Stack>
  );
}

interface Choosing {
  readonly projects: readonly ProjectResource[] | undefined;
  readonly project: string;
  readonly setProject: (project: string) => void;
  readonly dashboards: readonly DashboardResource[] | undefined;
  /** The one that is chosen, with the variables of its project and all projects. */
  readonly dashboard: DashboardResource | undefined;
  readonly setName: (name: string) => void;
  /** null: none. */
  readonly error: unknown;
}

/** What Perses has to choose from, and the project and dashboard that are chosen. */
function useChoosing(api: PersesApi): Choosing {
  const [chosenProject, setProject] = useState<string>();
  const [name, setName] = useState('');
  const projects = useQuery({ queryKey: ['persai-projects'], queryFn: () => api.listProjects() });
  const project = chosenProject ?? projects.data?.[0]?.metadata.name ?? '';
  const dashboards = useQuery({
    queryKey: ['persai-dashboards', project],
    queryFn: () => api.listDashboards(project),
    enabled: project !== '',
  });
  const outside = useQuery({
    queryKey: ['persai-variables', project],
    queryFn: () => api.listVariables(project),
    enabled: project !== '',
  });
  const dashboard = useMemo(() => {
    const found = dashboards.data?.find(({ metadata }) => metadata.name === name);
    return found && withOutside(found, outside.data ?? []);
  }, [dashboards.data, name, outside.data]);
  return {
    projects: projects.data,
    project,
    setProject,
    dashboards: dashboards.data,
    dashboard,
    setName,
    error: dashboards.error ?? projects.error ?? outside.error,
  };
}

function Choice({ choosing, onPick }: { choosing: Choosing; onPick: (name: string) => void }): ReactElement {
  const { projects, project, setProject, dashboards, dashboard } = choosing;
  return (
    <>
      <ProjectField
        projects={projects}
        project={project}
        onChange={(next) => {
          setProject(next);
          onPick('');
        }}
      />
      <TextField
        select
        label={t('add.dashboard')}
        value={dashboard?.metadata.name ?? ''}
        helperText={dashboards?.length === 0 ? t('addContext.noDashboard') : undefined}
        onChange={({ target }) => onPick(target.value)}
      >
        {(dashboards ?? []).map(({ metadata, spec }) => (
          <MenuItem key={metadata.name} value={metadata.name}>
            {plain(spec.display?.name ?? metadata.name)}
          </MenuItem>
        ))}
      </TextField>
    </>
  );
}

function Size(props: { attachment: Attachment | undefined; total: number }): ReactElement {
  const { attachment, total } = props;
  const tooLarge = total > CONTEXT_BYTES_MAX;
  return (
    <Alert severity={tooLarge ? 'warning' : 'info'} variant="outlined" data-testid="context-size">
      {t('addContext.size', {
        shown: attachment?.panels.length ?? 0,
        count: attachment?.panelCount ?? 0,
        size: sizeText(attachment === undefined ? 0 : bytesOf([attachment])),
      })}
      {tooLarge && ` ${t('addContext.tooLarge', { size: sizeText(total), most: CONTEXT_BYTES_MAX / 1024 })}`}
    </Alert>
  );
}

export function AddContext({ api, attachments, onAdd, onClose }: AddContextProps): ReactElement {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [values, setValues] = useState<VariableValues>({});
  const [ownTime, setOwnTime] = useState(false);
  const choosing = useChoosing(api);
  const { dashboard, error } = choosing;
  const pick = (name: string): void => {
    const found = choosing.dashboards?.find(({ metadata }) => metadata.name === name);
    choosing.setName(name);
    setValues({});
    setChosen(new Set(Object.keys(found?.spec.panels ?? {})));
  };

  const used = useMemo(
    () => (dashboard === undefined ? new Set<string>() : usedVariables(dashboard, chosen)),
    [dashboard, chosen],
  );
  const attachment = useMemo(
    () => (dashboard === undefined ? undefined : attachmentOf(dashboard, chosen, values, ownTime)),
    [dashboard, chosen, values, ownTime],
  );
  const after = attachment === undefined ? attachments : withAttachment(attachments, attachment);
  const total = bytesOf(after);
  const canAdd = attachment !== undefined && total <= CONTEXT_BYTES_MAX;
  return (
    <Dialog open onClose={onClose} fullWidth maxWidth="sm">
      <Dialog.Header onClose={onClose}>{t('addContext.title')}</Dialog.Header>
      <Dialog.Form
        onSubmit={(event) => {
          event.preventDefault();
          if (!canAdd) return;
          onAdd(after);
          onClose();
        }}
      >
        <DialogBody>
          <Stack gap={2} sx={{ pt: 1 }}>
            {error !== null && <Alert severity="error">{problemText(error)}</Alert>}
            <Choice choosing={choosing} onPick={pick} />
            {dashboard !== undefined && (
              <>
                <Panels dashboard={dashboard} chosen={chosen} onChange={setChosen} />
                <Variables dashboard={dashboard} used={used} values={values} onChange={setValues} />
                <FormControlLabel
                  control={<Switch checked={ownTime} onChange={(_event, on) => setOwnTime(on)} />}
                  label={t('addContext.ownTime', { duration: dashboard.spec.duration ?? '1h' })}
                />
                <Size attachment={attachment} total={total} />
              </>
            )}
          </Stack>
        </DialogBody>
        <Dialog.Actions>
          <Dialog.PrimaryButton disabled={!canAdd}>{t('add.add')}</Dialog.PrimaryButton>
          <Dialog.SecondaryButton onClick={onClose}>{t('historyDialogs.cancel')}</Dialog.SecondaryButton>
        </Dialog.Actions>
      </Dialog.Form>
    </Dialog>
  );
}
