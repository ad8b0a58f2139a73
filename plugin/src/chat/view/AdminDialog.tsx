// The page of those who administrate this Perses: what PersAI is used for, what runs now, and what is switched off.
import {
  Alert,
  Autocomplete,
  Button,
  MenuItem,
  Stack,
  Table,
  TableBody,
  TableCell,
  TableContainer,
  TableHead,
  TableRow,
  TextField,
  Typography,
} from '@mui/material';
import { Dialog } from '@perses-dev/components';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { FormEvent, ReactElement, ReactNode, useState } from 'react';

import { Switch, UsageRow, summed } from '../../api/admin';
import { GatewayClient } from '../../api/client';
import { costText, fitting, plain, rounded } from '../../text';
import { locale, number, t } from '../../i18n/i18n';
import { problemOf } from '../store/state';
import { DialogBody } from './DialogBody';

const KEY = 'persai-admin';
const DAYS = [1, 7, 30];
/** What runs is asked for again while the page is open. */
const LOOK_MS = 5_000;
const SENTENCE_BYTES_MAX = 500;

interface AdminProps {
  readonly client: GatewayClient;
  /** The gateway's datasource, by name. */
  readonly gateway: string;
  /** Names of the models that people can ask. */
  readonly models: readonly string[];
}

function Part({
  title,
  error,
  children,
}: {
  title: string;
  error: unknown;
  children: ReactNode;
}): ReactElement {
  return (
    <Stack component="section" aria-label={title} gap={1} sx={{ minWidth: 0 }}>
      <Typography variant="h4" component="h3">
        {title}
      </Typography>
      {error !== null && error !== undefined && <Alert severity="error">{problemOf(error).message}</Alert>}
      {children}
    </Stack>
  );
}

function Rows({
  head,
  label,
  children,
}: {
  head: readonly string[];
  label: string;
  children: ReactNode;
}): ReactElement {
  return (
    <TableContainer tabIndex={0} role="group" aria-label={label}>
      <Table size="small" aria-label={label}>
        <TableHead>
          <TableRow>
            {head.map((text, i) => (
              <TableCell key={text} align={i === 0 ? 'left' : 'right'}>
                {text}
              </TableCell>
            ))}
          </TableRow>
        </TableHead>
        <TableBody>{children}</TableBody>
      </Table>
    </TableContainer>
  );
}

function UsageTable({ rows, by }: { rows: readonly UsageRow[]; by: 'user' | 'model' }): ReactElement {
  const name = by === 'user' ? t('admin.person') : t('admin.model');
  const head = [
    name,
    t('admin.turns'),
    t('admin.errors'),
    t('admin.tokens'),
    t('admin.cost'),
    t('admin.good'),
    t('admin.bad'),
  ];
  return (
    <Rows head={head} label={name}>
      {summed(rows, by).map((row) => (
        <TableRow key={row[by]}>
          <TableCell component="th" scope="row">
            {plain(row[by])}
          </TableCell>
          {[row.turns, row.errors].map((count, i) => (
            <TableCell key={i} align="right">
              {number(count)}
            </TableCell>
          ))}
          <TableCell align="right">{rounded(row.tokens)}</TableCell>
          <TableCell align="right">
            {costText(row.cost > 0 || row.tokens === 0 ? row.cost : undefined)}
          </TableCell>
          {[row.good, row.bad].map((count, i) => (
            <TableCell key={i} align="right">
              {number(count)}
            </TableCell>
          ))}
        </TableRow>
      ))}
    </Rows>
  );
}

function Usage({ client, gateway }: AdminProps): ReactElement {
  const [days, setDays] = useState(7);
  const usage = useQuery({
    queryKey: [KEY, gateway, 'usage', days],
    queryFn: ({ signal }) => client.adminUsage(days, signal),
    keepPreviousData: true,
  });
  const rows = usage.data ?? [];
  return (
    <Part title={t('admin.usage')} error={usage.error}>
      <TextField
        select
        size="small"
        label={t('admin.time')}
        value={days}
        onChange={(event) => setDays(Number(event.target.value))}
        sx={{ maxWidth: 220 }}
      >
        {DAYS.map((count) => (
          <MenuItem key={count} value={count}>
            {t('history.lastDays', { count })}
          </MenuItem>
        ))}
      </TextField>
      {rows.length === 0 && usage.isSuccess && (
        <Typography color="text.secondary">{t('admin.noUsage')}</Typography>
      )}
      {rows.length > 0 && <UsageTable rows={rows} by="model" />}
      {rows.length > 0 && <UsageTable rows={rows} by="user" />}
    </Part>
  );
}

function since(iso: string): string {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? '' : date.toLocaleTimeString(locale());
}

const STATES = ['running', 'waiting_for_sign_in', 'awaiting_input', 'being_cancelled'] as const;

/** A state of a later gateway's is told as it is. */
function stateText(state: string): string {
  const known = STATES.find((one) => one === state);
  return known === undefined ? plain(state) : t(`admin.running.${known}`);
}

function Running({ client, gateway }: AdminProps): ReactElement {
  const turns = useQuery({
    queryKey: [KEY, gateway, 'turns'],
    queryFn: ({ signal }) => client.adminTurns(signal),
    refetchInterval: LOOK_MS,
  });
  const stop = useMutation({
    mutationFn: ({ sessionId, turnId }: { sessionId: string; turnId: string }) =>
      client.adminCancel(sessionId, turnId),
    onSettled: () => void turns.refetch(),
  });
  const rows = turns.data?.turns ?? [];
  return (
    <Part title={t('admin.running')} error={turns.error ?? stop.error}>
      {rows.length === 0 && turns.isSuccess && (
        <Typography color="text.secondary">{t('admin.nothingRuns')}</Typography>
      )}
      {rows.length > 0 && (
        <Rows
          head={[t('admin.person'), t('admin.since'), t('admin.state'), t('admin.action')]}
          label={t('admin.running')}
        >
          {rows.map((turn) => (
            <TableRow key={turn.turnId}>
              <TableCell component="th" scope="row">
                {plain(turn.user)}
              </TableCell>
              <TableCell align="right">{since(turn.startedAt)}</TableCell>
              <TableCell align="right">{stateText(turn.state)}</TableCell>
              <TableCell align="right">
                <Button size="small" onClick={() => stop.mutate(turn)}>
                  {t('admin.stop')}
                </Button>
              </TableCell>
            </TableRow>
          ))}
        </Rows>
      )}
      {turns.data?.more === true && <Typography color="text.secondary">{t('admin.moreRun')}</Typography>}
    </Part>
  );
}

/** One thing that is off; what the operator's file says is not changed here. */
function Off({ one, onSwitchOn }: { one: Switch; onSwitchOn: () => void }): ReactElement {
  return (
    <Alert
      severity="warning"
      action={
        !one.fixed && (
          <Button color="inherit" size="small" onClick={onSwitchOn}>
            {t('admin.on')}
          </Button>
        )
      }
    >
      <b>{plain(one.name)}</b> {plain(one.sentence)} {one.by !== '' && t('admin.by', { name: plain(one.by) })}
      {one.fixed && t('admin.fixed')}
    </Alert>
  );
}

function SwitchOff(props: {
  names: readonly string[];
  /** → whether it is off now: what was written is kept where it is not. */
  onSwitchOff: (name: string, sentence: string) => Promise<boolean>;
}): ReactElement {
  const { names, onSwitchOff } = props;
  const [name, setName] = useState('');
  const [sentence, setSentence] = useState('');
  const ready = name.trim() !== '' && sentence.trim() !== '';
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (!ready || !(await onSwitchOff(name.trim(), sentence.trim()))) return;
    setName('');
    setSentence('');
  };
  return (
    <Stack
      component="form"
      direction={{ xs: 'column', sm: 'row' }}
      gap={1}
      onSubmit={(event: FormEvent) => void submit(event)}
    >
      <Autocomplete
        freeSolo
        options={names}
        inputValue={name}
        onInputChange={(_event, value) => setName(value)}
        sx={{ minWidth: { sm: 220 } }}
        renderInput={(params) => (
          <TextField {...params} size="small" label={t('admin.name')} helperText={t('admin.names')} />
        )}
      />
      <TextField
        size="small"
        label={t('admin.sentence')}
        value={sentence}
        onChange={(event) => setSentence(fitting(event.target.value, SENTENCE_BYTES_MAX))}
        sx={{ flexGrow: 1 }}
      />
      <Button type="submit" variant="outlined" disabled={!ready} sx={{ alignSelf: 'start' }}>
        {t('admin.off')}
      </Button>
    </Stack>
  );
}

function Switches({ client, gateway, models }: AdminProps): ReactElement {
  const queryClient = useQueryClient();
  const key = [KEY, gateway, 'switches'];
  const switches = useQuery({ queryKey: key, queryFn: ({ signal }) => client.adminSwitches(signal) });
  const set = useMutation({
    mutationFn: (to: { name: string; off: boolean; text: string }) =>
      client.setSwitch(to.name, to.off, to.text),
    onSuccess: (now) => queryClient.setQueryData(key, now),
  });
  const { off = [], doors = [] } = switches.data ?? {};
  const known = ['turns', ...doors.map((door) => `door:${door}`), ...models.map((model) => `model:${model}`)];
  return (
    <Part title={t('admin.switches')} error={switches.error ?? set.error}>
      {off.length === 0 && switches.isSuccess && (
        <Typography color="text.secondary">{t('admin.nothingOff')}</Typography>
      )}
      {off.map((one) => (
        <Off
          key={`${one.name} ${one.fixed}`}
          one={one}
          onSwitchOn={() => set.mutate({ name: one.name, off: false, text: '' })}
        />
      ))}
      <SwitchOff
        names={known.filter((name) => !off.some((one) => one.name === name))}
        onSwitchOff={(name, text) =>
          set.mutateAsync({ name, off: true, text }).then(
            () => true,
            () => false,
          )
        }
      />
    </Part>
  );
}

export function AdminDialog(props: AdminProps & { onClose: () => void }): ReactElement {
  const { onClose, ...admin } = props;
  return (
    <Dialog open onClose={onClose} fullWidth maxWidth="md">
      <Dialog.Header onClose={onClose}>{t('admin.title')}</Dialog.Header>
      <DialogBody>
        <Stack gap={3}>
          <Running {...admin} />
          <Switches {...admin} />
          <Usage {...admin} />
        </Stack>
      </DialogBody>
    </Dialog>
  );
}
