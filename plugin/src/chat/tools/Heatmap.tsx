// A histogram over time: how much is in which bucket. Perses's own panel draws native histograms only.
import { useTheme } from '@mui/material';
import { EChart, useTimeZone } from '@perses-dev/components';
import { FormatOptions, formatValue } from '@perses-dev/core';
import { use as register } from 'echarts/core';
import { HeatmapChart } from 'echarts/charts';
import { GridComponent, TooltipComponent, VisualMapComponent } from 'echarts/components';
import { CanvasRenderer } from 'echarts/renderers';
import { ReactElement, useMemo } from 'react';

import { locale, t } from '../../i18n/i18n';
import { BucketGrid } from './buckets';

register([HeatmapChart, GridComponent, TooltipComponent, VisualMapComponent, CanvasRenderer]);

const LIGHT = ['#e3f2fd', '#64b5f6', '#1565c0', '#0d2b5c'];
const DARK = ['#10243d', '#1565c0', '#64b5f6', '#e3f2fd'];

function boundText(bound: number, format: FormatOptions): string {
  return Number.isFinite(bound) ? formatValue(bound, format) : '∞';
}

export interface HeatmapProps {
  readonly grid: BucketGrid;
  /** Of what is measured: the buckets' bounds. */
  readonly unit: string | undefined;
  readonly height: number;
  readonly label: string;
}

export function Heatmap({ grid, unit, height, label }: HeatmapProps): ReactElement {
  const theme = useTheme();
  const { formatWithUserTimeZone } = useTimeZone();
  const dark = theme.palette.mode === 'dark';
  const option = useMemo(() => {
    const format = { unit: unit ?? 'decimal', shortValues: true } as FormatOptions;
    const buckets = grid.bounds.map(([, high]) => `≤ ${boundText(high, format)}`);
    const moments = grid.times.map((at) => formatWithUserTimeZone(new Date(at), 'HH:mm'));
    const axisLabel = { color: theme.palette.text.secondary, fontFamily: theme.typography.fontFamily };
    return {
      animation: false,
      grid: { left: 8, right: 8, top: 8, bottom: 8, containLabel: true },
      xAxis: { type: 'category' as const, data: moments, axisLabel },
      yAxis: { type: 'category' as const, data: buckets, axisLabel },
      visualMap: {
        show: false,
        min: 0,
        max: grid.max === 0 ? 1 : grid.max,
        inRange: { color: dark ? DARK : LIGHT },
      },
      tooltip: {
        confine: true,
        formatter: (one: unknown): string => {
          const [x = 0, y = 0, count = 0] = (one as { value: readonly number[] }).value;
          const many = count.toLocaleString(locale(), { maximumSignificantDigits: 4 });
          return `${moments[x] ?? ''} · ${buckets[y] ?? ''}: ${many}`;
        },
      },
      series: [{ type: 'heatmap' as const, data: grid.cells.map((cell) => [...cell]), progressive: 0 }],
    };
  }, [grid, unit, formatWithUserTimeZone, theme, dark]);
  return (
    <div role="img" aria-label={t('panel.heatmapOf', { what: label })} data-testid="heatmap">
      <EChart option={option} theme={undefined} sx={{ width: '100%', height }} />
    </div>
  );
}
