// What the model will see with the next question: the datasource, the time, the dashboards that were added, which
// messages are hidden or pinned, and how many tokens the conversation has used.
import {
  Box,
  Chip,
  IconButton,
  LinearProgress,
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
import { number, t } from '../../i18n/i18n';
import { plain, rounded, shorten, usageText } from '../../text';
import { DialogBody } from './DialogBody';

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
  if (range?.duration !== undefined) return t('seen.last', { duration: range.duration });
  return range?.start === undefined
    ? t('seen.noTime')
    : t('seen.fromTo', { start: range.start, end: range.end ?? t('seen.now') });
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
          <Tooltip title={t(pinned ? 'message.unpin' : 'message.pinTheModelAlways')}>
            <IconButton
              size="small"
              disabled={busy}
              aria-pressed={pinned}
              aria-label={t('seen.pin', { title })}
              onClick={() => void conversation.setFlags(ids, { pinned: !pinned })}
            >
              {pinned ? <PinFilledIcon fontSize="inherit" /> : <PinIcon fontSize="inherit" />}
            </IconButton>
          </Tooltip>
          <Tooltip title={t(excluded ? 'message.showItToThe' : 'message.hideItFromThe')}>
            <IconButton
              size="small"
              disabled={busy}
              aria-pressed={excluded}
              aria-label={t('seen.hide', { title })}
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

const FILLED_ID = 'persai-window';

export interface ModelViewProps {
  readonly context: TurnContext | undefined;
  readonly datasource: string;
  readonly model: string;
  /** Of the model's window, in tokens; 0: not known. */
  readonly filled: number;
  readonly window: number;
  /** Of the person's budget, in words; empty: none is set. */
  readonly left: string;
  readonly attachments: readonly Attachment[];
  readonly busy: boolean;
  readonly onClose: () => void;
}

export function ModelView(props: ModelViewProps): ReactElement {
  const { context, datasource, model, filled, window, left, attachments, busy, onClose } = props;
  const { conversation } = useChat();
  const { exchanges, usage } = useConversation(conversation);
  const stored = exchanges.filter(({ question }) => question.messageId !== '');
  const hidden = stored.filter(({ question }) => question.excluded).length;
  return (
    <Dialog open onClose={onClose} fullWidth maxWidth="sm">
      <Dialog.Header onClose={onClose}>{t('contextBar.whatTheModelSees')}</Dialog.Header>
      <DialogBody>
        <Stack gap={2.5} data-testid="seen">
          <Part title={t('seen.next')}>
            <Typography variant="body2">
              {t(model === '' ? 'seen.asked' : 'seen.askedModel', {
                datasource: plain(datasource),
                time: timeText(context),
                zone: context?.timezone ?? 'UTC',
                model: plain(model),
              })}
            </Typography>
          </Part>
          <Part title={t('seen.dashboards')}>
            {attachments.length === 0 ? (
              <Typography variant="body2" color="text.secondary">
                {t('seen.noDashboards')}
              </Typography>
            ) : (
              <>
                {attachments.map((one) => (
                  <Typography variant="body2" key={`${one.project}/${one.dashboard}`}>
                    {t('seen.panels', {
                      title: plain(one.title),
                      shown: one.panels.length,
                      count: one.panelCount,
                    })}
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
          <Part title={t('seen.messages')}>
            <Typography variant="body2" color="text.secondary">
              {stored.length === 0
                ? t('seen.noMessages')
                : t('seen.questions', { shown: stored.length - hidden, count: stored.length })}
            </Typography>
            <List dense disablePadding sx={{ maxHeight: 260, overflowY: 'auto' }}>
              {stored.map((exchange) => (
                <MessageRow key={exchange.key} exchange={exchange} busy={busy} />
              ))}
            </List>
          </Part>
          <Part title={t('seen.used')}>
            <Stack direction="row" gap={1}>
              <Chip size="small" variant="outlined" label={usageText(usage) || t('seen.noTokens')} />
              {usage !== undefined && usage.inputTokens + usage.outputTokens > 0 && (
                <Typography variant="body2" color="text.secondary">
                  {t('seen.tokens', { read: number(usage.inputTokens), written: number(usage.outputTokens) })}
                </Typography>
              )}
            </Stack>
            {left !== '' && (
              <Typography variant="body2" color="text.secondary" sx={{ mt: 1 }}>
                {left}
              </Typography>
            )}
            {filled > 0 && window > 0 && (
              <Stack gap={0.5} sx={{ mt: 1 }}>
                <Typography variant="body2" color="text.secondary" id={FILLED_ID}>
                  {t('seen.window', { filled: rounded(filled), window: rounded(window) })}
                </Typography>
                <LinearProgress
                  variant="determinate"
                  value={Math.min(100, (filled / window) * 100)}
                  aria-labelledby={FILLED_ID}
                />
              </Stack>
            )}
          </Part>
        </Stack>
      </DialogBody>
    </Dialog>
  );
}
