// How a query is drawn: as what, in which unit, with which legend. Kept with the conversation.
import {
  FormControlLabel,
  MenuItem,
  Stack,
  Switch,
  TextField,
  ToggleButton,
  ToggleButtonGroup,
} from '@mui/material';
import { FormatControls } from '@perses-dev/components';
import { FormatOptions } from '@perses-dev/core';
import { ReactElement } from 'react';

import { t } from '../../i18n/i18n';
import { CallPanel, PanelKind, PanelSettings, kindsFor } from './panels';

export interface PanelOptionsProps {
  readonly panel: CallPanel;
  readonly settings: PanelSettings;
  readonly onChange: (next: PanelSettings) => void;
}

export function KindSwitch({ panel, settings, onChange }: PanelOptionsProps): ReactElement {
  return (
    <ToggleButtonGroup
      exclusive
      fullWidth
      size="small"
      color="primary"
      aria-label={t('panel.drawnAs')}
      value={panel.kind}
      onChange={(_event, kind: PanelKind | null) => {
        if (kind !== null) onChange({ ...settings, kind });
      }}
    >
      {kindsFor(panel).map((kind) => (
        <ToggleButton key={kind} value={kind}>
          {t(`panel.kind.${kind}`)}
        </ToggleButton>
      ))}
    </ToggleButtonGroup>
  );
}

function LegendField({ settings, onChange }: Omit<PanelOptionsProps, 'panel'>): ReactElement {
  return (
    <TextField
      select
      size="small"
      label={t('panel.legend')}
      value={settings.legend ?? 'bottom'}
      onChange={(event) => onChange({ ...settings, legend: event.target.value as PanelSettings['legend'] })}
    >
      <MenuItem value="bottom">{t('panel.legend.bottom')}</MenuItem>
      <MenuItem value="right">{t('panel.legend.right')}</MenuItem>
      <MenuItem value="none">{t('panel.legend.none')}</MenuItem>
    </TextField>
  );
}

function ThresholdsField({ settings, onChange }: Omit<PanelOptionsProps, 'panel'>): ReactElement {
  return (
    <TextField
      size="small"
      label={t('panel.thresholds')}
      placeholder="80, 95"
      defaultValue={(settings.thresholds ?? []).join(', ')}
      onBlur={(event) => {
        const numbers = event.target.value.split(/[\s,;]+/).filter((text) => text !== '');
        const thresholds = numbers.map(Number).filter(Number.isFinite);
        thresholds.sort((a, b) => a - b);
        onChange({ ...settings, thresholds: thresholds.length === 0 ? undefined : thresholds });
      }}
    />
  );
}

export function PanelOptions(props: PanelOptionsProps): ReactElement {
  const { panel, settings, onChange } = props;
  const { decimalPlaces, shortValues } = settings;
  const format = { unit: settings.unit ?? 'decimal', decimalPlaces, shortValues } as FormatOptions;
  const onFormat = (next: FormatOptions): void => {
    const rest = next as { decimalPlaces?: number; shortValues?: boolean };
    const { decimalPlaces: decimals, shortValues: short } = rest;
    onChange({ ...settings, unit: next.unit, decimalPlaces: decimals, shortValues: short });
  };
  return (
    <Stack gap={2} sx={{ p: 2, width: 320, maxWidth: '100%' }}>
      <KindSwitch {...props} />
      <FormatControls value={format} onChange={onFormat} />
      {panel.kind === 'TimeSeriesChart' && (
        <>
          <LegendField settings={settings} onChange={onChange} />
          <FormControlLabel
            control={
              <Switch
                checked={settings.stacked ?? false}
                onChange={(_event, stacked) => onChange({ ...settings, stacked })}
              />
            }
            label={t('panel.stacked')}
          />
        </>
      )}
      {panel.kind !== 'Table' && panel.kind !== 'HeatMap' && (
        <ThresholdsField settings={settings} onChange={onChange} />
      )}
    </Stack>
  );
}
