// The project that a dashboard is in.
import { MenuItem, TextField, Typography } from '@mui/material';
import { ProjectResource } from '@perses-dev/core';
import { ReactElement } from 'react';

import { plain } from '../text';
import { t } from '../i18n/i18n';

export interface ProjectFieldProps {
  /** undefined: not known yet. */
  readonly projects: readonly ProjectResource[] | undefined;
  readonly project: string;
  readonly onChange: (project: string) => void;
}

export function ProjectField({ projects, project, onChange }: ProjectFieldProps): ReactElement {
  return (
    <>
      {projects?.length === 0 && <Typography>{t('add.noProject')}</Typography>}
      <TextField
        select
        label={t('add.project')}
        value={project}
        onChange={({ target }) => onChange(target.value)}
      >
        {(projects ?? []).map(({ metadata, spec }) => (
          <MenuItem key={metadata.name} value={metadata.name}>
            {plain(spec?.display?.name ?? metadata.name)}
          </MenuItem>
        ))}
      </TextField>
    </>
  );
}
