// A query, drawn by the Perses panel plugins. Charts cost memory and queries, so a panel is made when it comes
// near the part that is seen, and stays.
import { Box, Link, Stack, Typography } from '@mui/material';
import { TimeRangeSelector } from '@perses-dev/components';
import { TimeRangeValue } from '@perses-dev/core';
import { Panel } from '@perses-dev/dashboards';
import {
  DataQueriesContext,
  DataQueriesProvider,
  DatasourceStore,
  DatasourceStoreContext,
  TimeRangeProvider,
  useDatasourceStore,
  useDataQueriesContext,
  usePluginRegistry,
  useSuggestedStepMs,
  useTimeRange,
  useTimeRangeOptionsSetting,
} from '@perses-dev/plugin-system';
import {
  ReactElement,
  ReactNode,
  RefObject,
  Suspense,
  memo,
  useEffect,
  useMemo,
  useRef,
  useState,
} from 'react';

import { DatasourceRef } from '../../api/datasource';
import { useChat } from '../store/context';
import { t } from '../../i18n/i18n';
import { bucketGrid } from './buckets';
import { CallPanel, PanelSettings, definitionOf, isLeastFirst, isSeries, queriesOf } from './panels';
import { Moments } from './Moments';
import { momentsOf } from './unixtime';
import { hasLoneSample, hasNoNumber, isEmptyResult } from './results';
import { SERIES_SHOWN, SERIES_SHOWN_SMALL, seriesCount, trimmed } from './trim';
import { lazily } from '../view/Boundary';
import { plain } from '../../text';

// Few answers have one.
const Heatmap = lazily(async () => (await import('./Heatmap')).Heatmap);

/** With more of them the legend is a table, with values. */
const LEGEND_LIST_MAX = 6;
const LEGEND_TABLE_PX = 80;

/** How far outside of the view a panel is made. */
const NEAR = '600px';

function useNear(ref: RefObject<HTMLElement>): boolean {
  const [near, setNear] = useState(typeof IntersectionObserver === 'undefined');
  useEffect(() => {
    if (near || ref.current === null) return undefined;
    const observer = new IntersectionObserver(
      (entries) => {
        if (entries.some(({ isIntersecting }) => isIntersecting)) setNear(true);
      },
      { rootMargin: NEAR },
    );
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, [near, ref]);
  return near;
}

function useWidth(ref: RefObject<HTMLElement>): number | undefined {
  const [width, setWidth] = useState<number>();
  useEffect(() => {
    if (ref.current === null || typeof ResizeObserver === 'undefined') return undefined;
    const observer = new ResizeObserver(([entry]) => {
      // Only the first width: a query's step must not change with every resize.
      setWidth((old) => old ?? entry?.contentRect.width);
    });
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, [ref]);
  return width;
}

/** Beside others: small enough that several and a conclusion are on one screen. */
const SMALL_PX = 120;

function heightOf(panel: CallPanel, small: boolean): number {
  if (small) return SMALL_PX;
  switch (panel.kind) {
    case 'StatChart':
      return 140;
    case 'GaugeChart':
      return 180;
    case 'TimeSeriesTable':
    case 'Table':
      return 240;
    case 'TimeSeriesChart':
    case 'BarChart':
    case 'HeatMap':
    case 'LogsTable':
    case 'TraceTable':
      return 280;
    case 'TracingGanttChart':
    case 'FlameChart':
      return 420;
  }
}

/** Perses finds a datasource by its name in the project that the page shows. One of another project is reached by
 *  its own path of the proxy, with the person's rights, as ever. */
function OfProject({
  datasource,
  children,
}: {
  datasource: DatasourceRef;
  children: ReactNode;
}): ReactElement {
  const { perses } = useChat();
  const store = useDatasourceStore();
  const { getPlugin } = usePluginRegistry();
  const own = useMemo((): DatasourceStore => {
    const proxyUrl = (perses?.prefix ?? '') + datasource.path;
    return {
      ...store,
      getDatasource: async ({ kind }) => ({
        default: false,
        plugin: { kind, spec: { proxy: { kind: 'HTTPProxy', spec: { url: proxyUrl } } } },
      }),
      getDatasourceClient: async <Client,>({ kind }: { kind: string }): Promise<Client> => {
        const plugin = await getPlugin('Datasource', kind);
        return plugin.createClient({}, { proxyUrl }) as Client;
      },
    };
  }, [store, getPlugin, perses, datasource.path]);
  return <DatasourceStoreContext.Provider value={own}>{children}</DatasourceStoreContext.Provider>;
}

interface DrawnProps {
  readonly panel: CallPanel;
  readonly settings: PanelSettings;
  readonly small: boolean;
}

function Drawn({ width, ...props }: DrawnProps & { width?: number }): ReactElement {
  const { panel } = props;
  const suggestedStepMs = useSuggestedStepMs(width);
  const definitions = useMemo(() => queriesOf(panel).map(({ spec }) => spec.plugin), [panel]);
  const options = useMemo(() => ({ suggestedStepMs, mode: panel.mode }), [suggestedStepMs, panel.mode]);
  return (
    <DataQueriesProvider definitions={definitions} options={options}>
      <Result {...props} />
    </DataQueriesProvider>
  );
}

/** A table holds as many series as there are; a chart of hundreds of lines shows nothing. */
function seriesMax({ kind }: CallPanel, small: boolean): number {
  if (kind === 'Table' || kind === 'TimeSeriesTable' || kind === 'HeatMap') return Infinity;
  return small ? SERIES_SHOWN_SMALL : SERIES_SHOWN;
}

/** How many of the series are drawn, and the way to all of them. */
function Count(props: { shown: number; total: number; onAll: () => void }): ReactElement {
  return (
    <Typography variant="caption" color="text.secondary" component="div" data-testid="series-count">
      {t('panel.series', { count: props.total, shown: props.shown })}{' '}
      <Link component="button" type="button" variant="caption" onClick={props.onAll}>
        {t('panel.showAll')}
      </Link>
    </Typography>
  );
}

/** The same results, of fewer series: what draws them finds them here. */
function Fewer(props: { max: number; least: boolean; children: ReactNode }): ReactElement {
  const context = useDataQueriesContext();
  const { max, least, children } = props;
  const fewer = useMemo(
    () => ({
      ...context,
      queryResults: context.queryResults.map((one) => ({ ...one, data: trimmed(one.data, max, least) })),
    }),
    [context, max, least],
  );
  return <DataQueriesContext.Provider value={fewer}>{children}</DataQueriesContext.Provider>;
}

/** As the data needs it: nothing is a line of text, a sample without neighbours a point, buckets a heatmap. */
function Result({ panel, settings, small }: DrawnProps): ReactElement {
  const { queryResults, isLoading, isFetching, errors } = useDataQueriesContext();
  const [all, setAll] = useState(false);
  const data = queryResults[0]?.data;
  const failed = errors.some((error) => error !== null && error !== undefined);
  const isEmpty = !isLoading && !isFetching && !failed && isEmptyResult(data);
  const points = useMemo(() => panel.kind === 'TimeSeriesChart' && hasLoneSample(data), [panel.kind, data]);
  const total = isSeries(panel) ? seriesCount(data) : 0;
  const max = all ? Infinity : seriesMax(panel, small);
  const legendTable = !small && total > LEGEND_LIST_MAX;
  const definition = useMemo(() => {
    const legend = small ? ('none' as const) : settings.legend;
    return definitionOf(panel, { ...settings, legend, legendTable, ...(points ? { points } : {}) });
  }, [panel, settings, points, legendTable, small]);
  const grid = useMemo(() => (panel.kind === 'HeatMap' ? bucketGrid(data) : undefined), [panel.kind, data]);
  // Unless the person, or the model, wants it otherwise.
  const isPlain = settings.unit === undefined && settings.kind === undefined;
  const moments = useMemo(
    () => (isPlain ? momentsOf(data, panel.moment) : undefined),
    [isPlain, data, panel.moment],
  );
  // A table and a number say what it is instead.
  const isChart = panel.kind === 'TimeSeriesChart' || panel.kind === 'BarChart';
  const isBlank = isChart && !isFetching && hasNoNumber(data);
  if (isEmpty || isBlank)
    return (
      <Typography variant="body2" color="text.secondary" data-testid="no-data">
        {t(isEmpty ? 'panel.noData' : 'panel.noNumber')}
      </Typography>
    );
  const height = heightOf(panel, small) + (legendTable ? LEGEND_TABLE_PX : 0);
  if (moments !== undefined)
    return <Moments moments={moments} label={plain(panel.title)} height={heightOf(panel, small)} />;
  if (grid !== undefined)
    return (
      <Suspense fallback={<Box sx={{ height }} />}>
        <Heatmap grid={grid} unit={settings.unit} height={height} label={plain(panel.title)} />
      </Suspense>
    );
  return (
    <Fewer max={max} least={isLeastFirst(panel.query)}>
      <Box sx={{ height }}>
        <Panel
          definition={definition}
          panelOptions={{ hideHeader: true }}
          // Its own label is the header, which is not there.
          aria-labelledby={undefined}
          aria-describedby={undefined}
          aria-label={plain(panel.title)}
          sx={{ border: 0, backgroundColor: 'transparent' }}
        />
      </Box>
      {total > max && <Count shown={max} total={total} onAll={() => setAll(true)} />}
    </Fewer>
  );
}

export const QueryPanel = memo(function QueryPanel(props: {
  panel: CallPanel;
  settings: PanelSettings;
  /** Its plugins are there: it can be drawn. */
  ready: boolean;
  showTimeRange: boolean;
  /** Beside others. */
  small?: boolean;
}): ReactElement {
  const { panel, settings, ready, showTimeRange, small = false } = props;
  const page = useTimeRange();
  const [chosen, setChosen] = useState<TimeRangeValue>();
  const timeOptions = useTimeRangeOptionsSetting();
  const ref = useRef<HTMLDivElement>(null);
  const near = useNear(ref);
  const width = useWidth(ref);
  const timeRange = chosen ?? panel.timeRange ?? page.timeRange;
  const isMade = ready && near && width !== undefined;
  return (
    <Stack gap={1} data-keep={showTimeRange || chosen !== undefined || undefined}>
      {showTimeRange && (
        <Box>
          <TimeRangeSelector value={timeRange} timeOptions={timeOptions} onChange={setChosen} />
        </Box>
      )}
      <Box
        ref={ref}
        sx={{ minHeight: isMade ? undefined : heightOf(panel, small) }}
        data-testid="query-panel"
      >
        {isMade && (
          <TimeRangeProvider timeRange={timeRange} setTimeRange={setChosen} refreshInterval="0s">
            {panel.datasource?.project === undefined ? (
              <Drawn panel={panel} settings={settings} small={small} width={width} />
            ) : (
              <OfProject datasource={panel.datasource}>
                <Drawn panel={panel} settings={settings} small={small} width={width} />
              </OfProject>
            )}
          </TimeRangeProvider>
        )}
      </Box>
    </Stack>
  );
});
