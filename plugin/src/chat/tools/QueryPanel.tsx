// A query, drawn by the Perses panel plugins. Charts cost memory and queries, so a panel is made when it comes
// near the part that is seen, and stays.
import { Box, Stack, Typography } from '@mui/material';
import { TimeRangeSelector } from '@perses-dev/components';
import { TimeRangeValue } from '@perses-dev/core';
import { Panel } from '@perses-dev/dashboards';
import {
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
import { ReactElement, ReactNode, RefObject, memo, useEffect, useMemo, useRef, useState } from 'react';

import { DatasourceRef } from '../../api/datasource';
import { useChat } from '../store/context';
import { CallPanel, PanelSettings, definitionOf, queriesOf } from './panels';
import { hasLoneSample, isEmptyResult } from './results';
import { plain } from '../../text';

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

function heightOf(panel: CallPanel): number {
  switch (panel.kind) {
    case 'TimeSeriesChart':
      return 280;
    case 'StatChart':
      return 140;
    case 'GaugeChart':
      return 180;
    case 'TimeSeriesTable':
    case 'Table':
      return 240;
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

function Drawn({
  panel,
  settings,
  width,
}: {
  panel: CallPanel;
  settings: PanelSettings;
  width?: number;
}): ReactElement {
  const suggestedStepMs = useSuggestedStepMs(width);
  const definitions = useMemo(() => queriesOf(panel).map(({ spec }) => spec.plugin), [panel]);
  const options = useMemo(() => ({ suggestedStepMs, mode: panel.mode }), [suggestedStepMs, panel.mode]);
  return (
    <DataQueriesProvider definitions={definitions} options={options}>
      <Result panel={panel} settings={settings} />
    </DataQueriesProvider>
  );
}

/** As the data needs it: nothing is a line of text, a sample without neighbours a point. */
function Result({ panel, settings }: { panel: CallPanel; settings: PanelSettings }): ReactElement {
  const { queryResults, isLoading, isFetching, errors } = useDataQueriesContext();
  const data = queryResults[0]?.data;
  const failed = errors.some((error) => error !== null && error !== undefined);
  const isEmpty = !isLoading && !isFetching && !failed && isEmptyResult(data);
  const points = useMemo(() => panel.kind === 'TimeSeriesChart' && hasLoneSample(data), [panel.kind, data]);
  const definition = useMemo(
    () => definitionOf(panel, points ? { ...settings, points } : settings),
    [panel, settings, points],
  );
  if (isEmpty)
    return (
      <Typography variant="body2" color="text.secondary" data-testid="no-data">
        No data
      </Typography>
    );
  return (
    <Box sx={{ height: heightOf(panel) }}>
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
  );
}

export const QueryPanel = memo(function QueryPanel(props: {
  panel: CallPanel;
  settings: PanelSettings;
  /** Its plugins are there: it can be drawn. */
  ready: boolean;
  showTimeRange: boolean;
}): ReactElement {
  const { panel, settings, ready, showTimeRange } = props;
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
      <Box ref={ref} sx={{ minHeight: isMade ? undefined : heightOf(panel) }} data-testid="query-panel">
        {isMade && (
          <TimeRangeProvider timeRange={timeRange} setTimeRange={setChosen} refreshInterval="0s">
            {panel.datasource?.project === undefined ? (
              <Drawn panel={panel} settings={settings} width={width} />
            ) : (
              <OfProject datasource={panel.datasource}>
                <Drawn panel={panel} settings={settings} width={width} />
              </OfProject>
            )}
          </TimeRangeProvider>
        )}
      </Box>
    </Stack>
  );
});
