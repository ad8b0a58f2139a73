import { MenuItem, Stack, TextField } from '@mui/material';
import {
  OptionsEditorProps,
  useDatasourceClient,
  useListDatasourceSelectItems,
} from '@perses-dev/plugin-system';
import { ReactElement, useMemo } from 'react';

import { datasourceLabel } from '../api/datasource';
import { createPersesApi } from '../api/perses';
import { plain } from '../text';
import { PERSAI_DATASOURCE_KIND, PersAIDatasourceClient } from '../datasource/PersAIDatasource';
import { useSources } from '../datasource/sources';
import { globalNames, prefixOf } from '../explore/Connected';
import type { PersAIChatPanelSpec } from './PersAIChatPanel';
import { t } from '../i18n/i18n';

export function PersAIChatPanelEditor(props: OptionsEditorProps<PersAIChatPanelSpec>): ReactElement {
  const { value, onChange, isReadonly } = props;
  const gateways = useListDatasourceSelectItems(PERSAI_DATASOURCE_KIND);
  const names = useMemo(() => globalNames(gateways.data), [gateways.data]);
  const selector = useMemo(() => ({ kind: PERSAI_DATASOURCE_KIND, name: names[0] }), [names]);
  const prefix = prefixOf(useDatasourceClient<PersAIDatasourceClient>(selector).data);
  const api = useMemo(() => createPersesApi(prefix), [prefix]);
  const { sources } = useSources(api);
  const { gateway = '', datasource = '' } = value;
  const set = (change: PersAIChatPanelSpec): void => {
    const { gateway: next = '', datasource: path = '' } = { ...value, ...change };
    onChange({ ...(next === '' ? {} : { gateway: next }), ...(path === '' ? {} : { datasource: path }) });
  };
  const select = { select: { displayEmpty: true }, inputLabel: { shrink: true } };
  return (
    <Stack gap={2}>
      <TextField
        select
        label={t('chatPanelEditor.persaiDatasource')}
        value={names.includes(gateway) ? gateway : ''}
        disabled={isReadonly}
        slotProps={select}
        onChange={(event) => set({ gateway: event.target.value })}
      >
        <MenuItem value="">{t('chatPanelEditor.default')}</MenuItem>
        {names.map((name) => (
          <MenuItem key={name} value={name}>
            {plain(name)}
          </MenuItem>
        ))}
      </TextField>
      <TextField
        select
        label={t('chatPanelEditor.askedByDefault')}
        helperText={t('chatPanelEditor.aQuestionCanStill')}
        value={sources.some(({ path }) => path === datasource) ? datasource : ''}
        disabled={isReadonly}
        slotProps={select}
        onChange={(event) => set({ datasource: event.target.value })}
      >
        <MenuItem value="">{t('chatPanelEditor.theDefaultPrometheus')}</MenuItem>
        {sources.map((source) => (
          <MenuItem key={source.path} value={source.path}>
            {`${source.product}: ${plain(datasourceLabel(source))}`}
          </MenuItem>
        ))}
      </TextField>
    </Stack>
  );
}
