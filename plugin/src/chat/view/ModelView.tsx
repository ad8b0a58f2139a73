// What the model will see with the next question: the datasource, the time, the dashboards that were added, which
// messages are hidden or pinned, and how many tokens the conversation has used.
import {
  Box,
  Chip,
  IconButton,
  List,
  ListItem,
  ListItemText,
  Stack,
  Tooltip,
  Typography,
} from '@mui/material';
import { Dialog } from '@perses-dev/components';
import EyeIcon from 'mdi-material-ui/EyeOutline';
import EyeOffIcon from 'mdi-material-ui/EyeOffOutline';
import PinIcon from 'mdi-material-ui/PinOutline';
import PinFilledIcon from 'mdi-material-ui/Pin';
import { ReactElement, ReactNode } from 'react';

import { TurnContext } from '../../api/client';
import { Attachment, bytesOf, sizeText } from '../../dashboards/context';
import { useChat, useConversation } from '../store/context';
import { Exchange } from '../store/exchanges';
import { plain, shorten, usageText } from '../../text';

function Part({ title, children }: { title: string; children: ReactNode }): ReactElement {
  return (
    <Box component="section">
      <Typography variant="h4" component="h3" sx={{ mb: 0.5 }}>
        {title}
      </Typography>
      {children}
    </Box>
  );
}

function timeText(context: TurnContext | undefined): string {
  const range = context?.time_range;
  if (range?.duration !== undefined) return `the last ${range.duration}`;
  return range?.start === undefined ? 'none is selected' : `${range.start} to ${range.end ?? 'now'}`;
}

function MessageRow({ exchange, busy }: { exchange: Exchange; busy: boolean }): ReactElement {
  const { conversation } = useChat();
  const { question, answerIds } = exchange;
  const { excluded, pinned } = question;
  const ids = [question.messageId, ...answerIds];
  const title = plain(shorten(question.text.replace(/\s+/g, ' '), 90));
  return (
    <ListItem
      disableGutters
      secondaryAction={
        <>
          <Tooltip title={pinned ? 'Unpin' : 'Pin: the model always sees it'}>
            <IconButton
              size="small"
              disabled={busy}
              aria-pressed={pinned}
              aria-label={`Pin ${title}`}
              onClick={() => void conversation.setFlags(ids, { pinned: !pinned })}
            >
              {pinned ? <PinFilledIcon fontSize="inherit" /> : <PinIcon fontSize="inherit" />}
            </IconButton>
          </Tooltip>
          <Tooltip title={excluded ? 'Show it to the model again' : 'Hide it from the model'}>
            <IconButton
              size="small"
              disabled={busy}
              aria-pressed={excluded}
              aria-label={`Hide ${title}`}
              onClick={() => void conversation.setFlags(ids, { excluded: !excluded })}
            >
              {excluded ? <EyeOffIcon fontSize="inherit" /> : <EyeIcon fontSize="inherit" />}
            </IconButton>
          </Tooltip>
        </>
      }
    >
      <ListItemText
        primary={title}
        slotProps={{
          primary: { noWrap: true, color: excluded ? 'text.secondary' : 'text.primary', sx: { pr: 5 } },
        }}
      />
    </ListItem>
  );
}

export interface ModelViewProps {
  readonly context: TurnContext | undefined;
  readonly datasource: string;
  readonly model: string;
  readonly attachments: readonly Attachment[];
  readonly busy: boolean;
  readonly onClose: () => void;
}

export function ModelView(props: ModelViewProps): ReactElement {
  const { context, datasource, model, attachments, busy, onClose } = props;
  const { conversation } = useChat();
  const { exchanges, usage } = useConversation(conversation);
  const stored = exchanges.filter(({ question }) => question.messageId !== '');
  const hidden = stored.filter(({ question }) => question.excluded).length;
  return (
    <Dialog open onClose={onClose} fullWidth maxWidth="sm" aria-label="What the model sees">
      <Dialog.Header onClose={onClose}>What the model sees</Dialog.Header>
      <Dialog.Content>
        <Stack gap={2.5} data-testid="seen">
          <Part title="With the next question">
            <Typography variant="body2">
              {`Asked: ${plain(datasource)}; time: ${timeText(context)}; time zone ${context?.timezone ?? 'UTC'}`}
              {model !== '' && `; model ${plain(model)}`}.
            </Typography>
          </Part>
          <Part title="Dashboards">
            {attachments.length === 0 ? (
              <Typography variant="body2" color="text.secondary">
                None is added.
              </Typography>
            ) : (
              <>
                {attachments.map((one) => (
                  <Typography variant="body2" key={`${one.project}/${one.dashboard}`}>
                    {`${plain(one.title)}: ${one.panels.length} of ${one.panelCount} panels`}
                    {Object.entries(one.variables)
                      .map(([name, value]) => `, $${name} = ${plain([value].flat().join(', '))}`)
                      .join('')}
                  </Typography>
                ))}
                <Typography variant="body2" color="text.secondary">
                  {sizeText(bytesOf(attachments))}
                </Typography>
              </>
            )}
          </Part>
          <Part title="Messages">
            <Typography variant="body2" color="text.secondary">
              {stored.length === 0
                ? 'There is none yet.'
                : `${stored.length - hidden} of ${stored.length} questions with their answers. Old results are left out first when they do not fit, pinned ones never.`}
            </Typography>
            <List dense disablePadding sx={{ maxHeight: 260, overflowY: 'auto' }}>
              {stored.map((exchange) => (
                <MessageRow key={exchange.key} exchange={exchange} busy={busy} />
              ))}
            </List>
          </Part>
          <Part title="Used so far">
            <Stack direction="row" gap={1}>
              <Chip size="small" variant="outlined" label={usageText(usage) || 'no tokens'} />
              {usage !== undefined && usage.inputTokens + usage.outputTokens > 0 && (
                <Typography variant="body2" color="text.secondary">
                  {`${usage.inputTokens.toLocaleString('en')} read, ${usage.outputTokens.toLocaleString('en')} written`}
                </Typography>
              )}
            </Stack>
          </Part>
        </Stack>
      </Dialog.Content>
    </Dialog>
  );
}
