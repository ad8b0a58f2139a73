// A call that waits for the person's yes: what it would do, drawn where it can be, and all of its arguments.
import { Alert, Box, Button, Stack, Typography } from '@mui/material';
import { ReactElement, useMemo, useState } from 'react';

import { Awaited, asList, asObject, asText } from '../../api/events';

import { locale, number, t } from '../../i18n/i18n';
import { Rich } from '../../i18n/Rich';
import { inLines } from '../../api/source';
import { countInvisible, revealed } from '../../invisible';
import { plain, shorten } from '../../text';
import { useChat, useConversation } from '../store/context';
import { CopyButton } from '../view/CopyButton';
import { BoardPreview } from './DraftBoard';
import { boardOf, previewOf } from './drafts';
import { QueryPanel } from './QueryPanel';
import { pretty } from './Raw';
import { Call } from '../store/reduce';

function shownWhole(text: string): string {
  return revealed(text)
    .map((part) => part.text)
    .join('');
}

/** A tool of a server that is not PersAI's: whose it is, where it is, and what it is told who asks. */
function ServerIntent({ server }: { server: NonNullable<Awaited['server']> }): ReactElement {
  const name = shownWhole(server.name);
  const host = shownWhole(server.host);
  const tool = shownWhole(server.tool);
  const { key } = server;
  return (
    <>
      <Rich name="approval.server" values={{ tool, name, host }} />{' '}
      {key === '' || key === 'none' ? t('approval.noKey') : t('approval.key', { key: shownWhole(key) })}
    </>
  );
}

/** What the call would do, in words. */
function intentOf(call: Call): ReactElement {
  const server = call.awaited?.server;
  if (server !== undefined) return <ServerIntent server={server} />;
  const args = asObject(call.args);
  const name = (key: string): string => shorten(shownWhole(asText(args?.[key])), 120);
  const values = { title: name('title'), dashboard: name('dashboard'), project: name('project') };
  switch (args === undefined ? '' : call.name) {
    case 'save_panel': {
      const group = name('group');
      return group === '' ? (
        <Rich name="approval.panel" values={values} />
      ) : (
        <Rich name="approval.panelInGroup" values={{ ...values, group }} />
      );
    }
    case 'save_dashboard':
      return (
        <Rich name="approval.dashboard" values={{ ...values, count: asList(args?.['panels']).length }} />
      );
    case 'use_datasource': {
      const datasource = shownWhole(asText(args?.['datasource']));
      const where = shownWhole(asText(args?.['server']));
      return <Rich name="approval.datasource" values={{ ...values, datasource, server: where }} />;
    }
    default:
      return <>{t('approval.other')}</>;
  }
}

export function Approval({ call }: { call: Call }): ReactElement {
  const { conversation, sendOptions } = useChat();
  const { choices } = useConversation(conversation);
  const [sending, setSending] = useState(false);
  const choice = choices[call.id];
  const datasource = sendOptions()?.datasourcePath ?? '';
  const preview = useMemo(() => previewOf(call, datasource), [call, datasource]);
  const board = useMemo(() => boardOf(call, datasource), [call, datasource]);
  const decide = (approve: boolean): void => {
    setSending(true);
    void conversation.decide(call.id, approve).finally(() => setSending(false));
  };
  const until = new Date(call.awaited?.expiresAt ?? '');
  return (
    <Box sx={{ mt: 1 }} data-testid="approval">
      <Alert severity="warning" variant="outlined">
        {intentOf(call)}{' '}
        {Number.isNaN(until.getTime())
          ? t('approval.exactly')
          : t('approval.exactlyUntil', { until: until.toLocaleString(locale()) })}
      </Alert>
      {preview !== undefined && (
        <Box sx={{ mt: 1 }}>
          <Typography variant="body2" color="text.secondary">
            {t('approval.preview', { title: plain(preview.panel.title) })}
          </Typography>
          <QueryPanel panel={preview.panel} settings={preview.settings} ready showTimeRange={false} />
        </Box>
      )}
      {board !== undefined && <BoardPreview board={board} isNew />}
      <Arguments source={call.awaited?.source ?? pretty(call.args)} />
      <Stack direction="row" alignItems="center" gap={1} sx={{ mt: 1 }}>
        <Button
          variant="contained"
          disabled={sending}
          aria-pressed={choice === true}
          onClick={() => decide(true)}
        >
          {t('approval.approve')}
        </Button>
        <Button
          variant="outlined"
          disabled={sending}
          aria-pressed={choice === false}
          onClick={() => decide(false)}
        >
          {t('approval.refuse')}
        </Button>
        {choice !== undefined && !sending && (
          <Typography variant="body2" color="text.secondary">
            {t(choice ? 'approval.approved' : 'approval.refused')}
          </Typography>
        )}
      </Stack>
    </Box>
  );
}

/** All of the arguments, as they came: what is approved is what runs. */
function Arguments({ source }: { source: string }): ReactElement {
  const text = useMemo(() => inLines(source), [source]);
  const hidden = countInvisible(text);
  return (
    <Box sx={{ mt: 1 }}>
      {hidden > 0 && (
        <Alert severity="error" variant="outlined" sx={{ mb: 1 }} data-testid="invisible">
          {t('approval.hidden', { count: hidden })}
        </Alert>
      )}
      <Stack direction="row" alignItems="center" justifyContent="space-between">
        <Typography variant="body2" color="text.secondary">
          {t('approval.all', { count: text.length, size: number(text.length) })}
        </Typography>
        <CopyButton text={text} label={t('card.copyArguments')} />
      </Stack>
      <Box
        component="pre"
        tabIndex={0}
        aria-label={t('card.arguments')}
        sx={{
          m: 0,
          p: 1,
          maxHeight: 320,
          overflow: 'auto',
          fontSize: '0.75rem',
          whiteSpace: 'pre-wrap',
          overflowWrap: 'anywhere',
          backgroundColor: 'background.code',
          borderRadius: 1,
          '& mark': {
            backgroundColor: 'error.main',
            color: 'error.contrastText',
            px: 0.25,
            borderRadius: 0.5,
          },
        }}
      >
        {revealed(text).map((part, i) =>
          // oxlint-disable-next-line react/no-array-index-key -- the text never changes
          part.hidden ? <mark key={i}>{part.text}</mark> : part.text,
        )}
      </Box>
    </Box>
  );
}
