// A call that waits for the person's yes: what it would do, drawn where it can be, and all of its arguments.
import { Alert, Box, Button, Stack, Typography } from '@mui/material';
import { ReactElement, useMemo, useState } from 'react';

import { Awaited, asList, asObject, asText } from '../../api/events';
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
  const { name, host, tool, key } = server;
  return (
    <>
      PersAI wants to call the tool <strong>{shownWhole(tool)}</strong> of the server{' '}
      <strong>{shownWhole(name)}</strong>, at <strong>{shownWhole(host)}</strong>.{' '}
      {key === '' || key === 'none'
        ? 'No key goes along.'
        : `The key that goes along is ${shownWhole(key)}: what it does there, it does with the rights of that key, not with yours.`}
    </>
  );
}

/** What the call would do, in words. */
function intentOf(call: Call): ReactElement {
  const server = call.awaited?.server;
  if (server !== undefined) return <ServerIntent server={server} />;
  const args = asObject(call.args);
  const name = (key: string): string => shorten(shownWhole(asText(args?.[key])), 120);
  switch (args === undefined ? '' : call.name) {
    case 'save_panel':
      return (
        <>
          PersAI wants to add the panel <strong>{name('title')}</strong> to the dashboard{' '}
          <strong>{name('dashboard')}</strong> of the project <strong>{name('project')}</strong>
          {name('group') !== '' && <>, group {name('group')}</>}, in your name. What the dashboard has stays
          as it is.
        </>
      );
    case 'save_dashboard': {
      const count = asList(args?.['panels']).length;
      return (
        <>
          PersAI wants to make the new dashboard <strong>{name('title')}</strong> in the project{' '}
          <strong>{name('project')}</strong>, with {count === 1 ? '1 panel' : `${count} panels`}, in your
          name. No dashboard that is there is changed.
        </>
      );
    }
    case 'use_datasource':
      return (
        <>
          PersAI wants to ask the datasource <strong>{shownWhole(asText(args?.['datasource']))}</strong> of
          the project <strong>{name('project')}</strong>, which you did not pick. Its queries go to the server{' '}
          <strong>{shownWhole(asText(args?.['server']))}</strong>, and{' '}
          <strong>that server gets your Perses sign-in</strong> with each of them: who runs it could act as
          you. Approve only if you trust it; your yes holds for this conversation.
        </>
      );
    default:
      return <>PersAI wants to change something in Perses, in your name.</>;
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
        {intentOf(call)} It is done only if you approve exactly these arguments
        {Number.isNaN(until.getTime()) ? '' : `, until ${until.toLocaleString()}`}.
      </Alert>
      {preview !== undefined && (
        <Box sx={{ mt: 1 }}>
          <Typography variant="body2" color="text.secondary">
            Preview: {plain(preview.panel.title)}
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
          Approve
        </Button>
        <Button
          variant="outlined"
          disabled={sending}
          aria-pressed={choice === false}
          onClick={() => decide(false)}
        >
          Refuse
        </Button>
        {choice !== undefined && !sending && (
          <Typography variant="body2" color="text.secondary">
            {choice ? 'Approved' : 'Refused'}; sent when the others are decided, too.
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
          {`There ${hidden === 1 ? 'is 1 character' : `are ${hidden} characters`} in the arguments that can not be seen. Each is written out below, as ‹U+200B›. Approve only if you know what it is for.`}
        </Alert>
      )}
      <Stack direction="row" alignItems="center" justifyContent="space-between">
        <Typography variant="body2" color="text.secondary">
          {`Arguments, all of them: ${text.length.toLocaleString('en')} characters`}
        </Typography>
        <CopyButton text={text} label="Copy the arguments" />
      </Stack>
      <Box
        component="pre"
        tabIndex={0}
        aria-label="Arguments"
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
