// Which model answers, where there is a choice: what each is good for and what it costs.
import { ListItemText, MenuItem, TextField } from '@mui/material';
import { ReactElement } from 'react';

import { ModelInfo } from '../../api/client';
import { costText, plain, rounded } from '../../text';
import { t } from '../../i18n/i18n';

export interface ModelPickerProps {
  readonly model: string;
  readonly models: readonly ModelInfo[];
  readonly onChange: (model: string) => void;
}

function factsOf({ description, window, price }: ModelInfo): string {
  const facts = [
    plain(description),
    price === undefined
      ? ''
      : t('modelPicker.price', { input: costText(price.input), output: costText(price.output) }),
    window === 0 ? '' : t('modelPicker.window', { window: rounded(window) }),
  ];
  return facts.filter((fact) => fact !== '').join(' · ');
}

export function ModelPicker({ model, models, onChange }: ModelPickerProps): ReactElement {
  return (
    <TextField
      select
      size="small"
      variant="standard"
      value={models.some(({ id }) => id === model) ? model : (models[0]?.id ?? '')}
      onChange={(event) => onChange(event.target.value)}
      slotProps={{
        input: { disableUnderline: true },
        select: {
          inputProps: { 'aria-label': t('modelPicker.model') },
          renderValue: (id: unknown) => plain(String(id)),
        },
      }}
      sx={{ maxWidth: 240, '& .MuiSelect-select': { fontSize: '0.75rem', py: 0.25 } }}
    >
      {models.map((option) => (
        <MenuItem key={option.id} value={option.id} dense sx={{ maxWidth: 440 }}>
          <ListItemText
            primary={plain(option.id)}
            secondary={factsOf(option)}
            slotProps={{ secondary: { variant: 'caption', sx: { whiteSpace: 'normal' } } }}
          />
        </MenuItem>
      ))}
    </TextField>
  );
}
