// Code in an answer: its language, a way to copy it; a query can be drawn where it stands, or opened in Explore.
import { Box, Button, Stack, Typography } from '@mui/material';
import ChartIcon from 'mdi-material-ui/ChartLine';
import { ReactElement, useMemo, useState } from 'react';

import { datasourceOf } from '../../api/datasource';
import { t } from '../../i18n/i18n';
import { plain, shorten } from '../../text';
import { useOptionalChat } from '../store/context';
import { CallPanel, PanelSettings, panelOfQuery } from '../tools/panels';
import { Coloured, Query } from '../tools/promql';
import { OpenInExplore, QueryResult } from '../tools/QueryResult';
import { CopyButton } from './CopyButton';
import { partsOf } from './colours';

const PROMQL = new Set(['promql', 'prometheus']);
const LOGQL = new Set(['logql', 'loki']);

/** The query as a panel over the time of the page, at the first datasource that understands it; undefined: there is
 *  none. */
function usePanel(code: string, language: string): CallPanel | undefined {
  const chat = useOptionalChat();
  const sources = chat?.sources;
  const product = LOGQL.has(language) ? 'Loki' : 'Prometheus';
  return useMemo(() => {
    if (!PROMQL.has(language) && !LOGQL.has(language)) return undefined;
    if (chat === undefined || code.trim() === '' || code.trim().includes('\n\n')) return undefined;
    const source = sources?.find((one) => one.product === product);
    if (sources !== undefined && source === undefined) return undefined;
    return panelOfQuery(code.trim(), datasourceOf(source?.path ?? ''), LOGQL.has(language));
  }, [code, language, product, sources, chat]);
}

function Drawing({ panel }: { panel: CallPanel }): ReactElement {
  const [settings, setSettings] = useState<PanelSettings>({});
  const drawn = settings.kind === undefined ? panel : { ...panel, kind: settings.kind };
  return (
    <Box sx={{ px: 1.5, pb: 1, backgroundColor: 'background.default' }} data-keep>
      <QueryResult panel={drawn} settings={settings} onSettings={setSettings} />
    </Box>
  );
}

export function CodeBlock({ code, language }: { code: string; language: string }): ReactElement {
  const [shown, setShown] = useState(false);
  const name = language.toLowerCase();
  const panel = usePanel(code, name);
  const label =
    language === '' ? t('code.label') : t('code.labelOf', { language: plain(shorten(language, 40)) });
  return (
    <Box
      sx={{ my: 1, border: 1, borderColor: 'divider', borderRadius: 1, backgroundColor: 'background.code' }}
    >
      <Stack direction="row" alignItems="center" gap={1} flexWrap="wrap" sx={{ pl: 1.5, pr: 0.5 }}>
        <Typography variant="caption" color="text.secondary" sx={{ flexGrow: 1 }}>
          {language === '' ? t('code.label') : plain(shorten(language, 40))}
        </Typography>
        {panel !== undefined && (
          <Button
            size="small"
            color="inherit"
            startIcon={<ChartIcon fontSize="inherit" />}
            aria-pressed={shown}
            onClick={() => setShown(!shown)}
          >
            {t(shown ? 'code.hide' : 'code.draw')}
          </Button>
        )}
        {panel !== undefined && !shown && <OpenInExplore panel={panel} color="inherit" />}
        <CopyButton text={code} label={t('code.copy')} />
      </Stack>
      <Box
        component="pre"
        tabIndex={0}
        role="group"
        aria-label={label}
        sx={{ m: 0, px: 1.5, pb: 1.5, pt: 0.5, overflowX: 'auto', fontSize: '0.8125rem' }}
      >
        {PROMQL.has(name) ? <Query query={code} promql /> : <Coloured parts={partsOf(plain(code), name)} />}
      </Box>
      {shown && panel !== undefined && <Drawing panel={panel} />}
    </Box>
  );
}
