// Which model answers, where there is a choice.
import { MenuItem, TextField } from '@mui/material';
import { ReactElement } from 'react';

import { plain } from '../../text';
import { t } from '../../i18n/i18n';

export interface ModelPickerProps {
  readonly model: string;
  readonly models: readonly string[];
  readonly onChange: (model: string) => void;
}

export function ModelPicker({ model, models, onChange }: ModelPickerProps): ReactElement {
  return (
    <TextField
      select
      size="small"
      variant="standard"
      value={models.includes(model) ? model : (models[0] ?? '')}
      onChange={(event) => onChange(event.target.value)}
      slotProps={{
        input: { disableUnderline: true },
        select: { inputProps: { 'aria-label': t('modelPicker.model') } },
      }}
      sx={{ maxWidth: 240, '& .MuiSelect-select': { fontSize: '0.75rem', py: 0.25 } }}
    >
      {models.map((option) => (
        <MenuItem key={option} value={option}>
          {plain(option)}
        </MenuItem>
      ))}
    </TextField>
  );
}
