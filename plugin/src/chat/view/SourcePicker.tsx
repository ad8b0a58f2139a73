// Which datasources the questions go to: one or several, the first one by default.
import { Checkbox, ListItemText, ListSubheader, MenuItem, TextField } from '@mui/material';
import { ReactElement } from 'react';

import { datasourceLabel } from '../../api/datasource';
import { Source, pathsOf } from '../../datasource/sources';
import { DATASOURCES_MAX } from '../store/chosen';
import { plain } from '../../text';
import { t } from '../../i18n/i18n';

export interface SourcePickerProps {
  readonly sources: readonly Source[];
  readonly picked: readonly Source[];
  readonly onChange: (paths: readonly string[]) => void;
}

function titleOf(picked: readonly Source[]): string {
  const [first, ...rest] = picked;
  const more = rest.length === 0 ? '' : ` + ${rest.length}`;
  return first === undefined ? '' : plain(datasourceLabel(first)) + more;
}

export function SourcePicker({ sources, picked, onChange }: SourcePickerProps): ReactElement {
  const items: ReactElement[] = [];
  const [main] = pathsOf(picked);
  sources.forEach((source, i) => {
    if (source.product !== sources[i - 1]?.product)
      items.push(<ListSubheader key={source.product}>{source.product}</ListSubheader>);
    items.push(
      <MenuItem key={source.path} value={source.path} dense>
        <Checkbox size="small" edge="start" checked={picked.includes(source)} tabIndex={-1} disableRipple />
        <ListItemText
          primary={plain(datasourceLabel(source))}
          secondary={source.path === main && picked.length > 1 ? t('sourcePicker.askedByDefault') : undefined}
        />
      </MenuItem>,
    );
  });
  return (
    <TextField
      select
      size="small"
      variant="standard"
      value={picked.map(({ path }) => path)}
      onChange={(event) => {
        const paths = event.target.value as unknown as readonly string[];
        if (paths.length > 0 && paths.length <= DATASOURCES_MAX) onChange(paths); // one is always asked
      }}
      slotProps={{
        input: { disableUnderline: true },
        select: {
          multiple: true,
          renderValue: () => titleOf(picked),
          inputProps: { 'aria-label': t('sourcePicker.datasources') },
          SelectDisplayProps: { title: picked.map(datasourceLabel).join(', ') },
        },
      }}
      sx={{ maxWidth: 240, '& .MuiSelect-select': { fontSize: '0.75rem', py: 0.25 } }}
    >
      {items}
    </TextField>
  );
}
