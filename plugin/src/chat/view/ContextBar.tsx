// Under the composer: the dashboards that go along with the questions, how more are added, and what the model sees.
import { Button, Chip, Tooltip } from '@mui/material';
import EyeIcon from 'mdi-material-ui/EyeOutline';
import PlusIcon from 'mdi-material-ui/Plus';
import DashboardIcon from 'mdi-material-ui/ViewDashboardOutline';
import { ReactElement, Suspense, useState } from 'react';

import { PersesApi } from '../../api/perses';
import { Attachment, bytesOf, isSame, sizeText } from '../../dashboards/context';
import { Boundary, lazily } from './Boundary';
import { useChat, useRead, useInfo } from '../store/context';
import { Conversation } from '../store/conversation';
import { percent, plain, shorten, usageText } from '../../text';
import { t } from '../../i18n/i18n';

// Loaded when they are opened first.
const AddContext = lazily(async () => (await import('../../dashboards/AddContext')).AddContext);
const ModelView = lazily(async () => (await import('./ModelView')).ModelView);

export interface ContextBarProps {
  readonly perses: PersesApi | undefined;
  readonly datasource: string;
  readonly model: string;
  /** Tokens that it can read at once; 0: not known. */
  readonly window: number;
  /** Of the person's budget, in words; empty: none is set. */
  readonly left: string;
  readonly busy: boolean;
}

function hiddenOf(conversation: Conversation): number {
  return conversation.getSnapshot().exchanges.filter(({ question }) => question.excluded).length;
}

/** What the next question goes on from, in tokens. */
function filledOf(conversation: Conversation): number {
  return (
    conversation.getSnapshot().exchanges.findLast((one) => one.windowTokens !== undefined)?.windowTokens ?? 0
  );
}

function AttachmentChip({ one, onRemove }: { one: Attachment; onRemove: () => void }): ReactElement {
  const title = plain(shorten(one.title, 40));
  const some = one.panels.length < one.panelCount ? ` (${one.panels.length} / ${one.panelCount})` : '';
  return (
    <Tooltip title={sizeText(bytesOf([one]))}>
      <Chip
        size="small"
        icon={<DashboardIcon />}
        label={title + some}
        data-testid="attachment"
        onDelete={onRemove}
        // A chip's cross is not in the order of the keyboard; its Delete key is.
        tabIndex={0}
        role="button"
        aria-label={t('contextBar.remove', { title: `${title}${some}` })}
      />
    </Tooltip>
  );
}

export function ContextBar({ perses, datasource, model, window, left, busy }: ContextBarProps): ReactElement {
  const { conversation, sendOptions } = useChat();
  const { context, usage } = useInfo(conversation);
  const hidden = useRead(conversation, hiddenOf);
  const [open, setOpen] = useState<'add' | 'view'>();
  const { attachments } = context;
  const filled = useRead(conversation, filledOf);
  const facts = [
    hidden === 0 ? '' : t('contextBar.hidden', { count: hidden }),
    usageText(usage),
    filled === 0 || window === 0 ? '' : t('contextBar.window', { share: percent(filled / window) }),
    left,
  ].filter((fact) => fact !== '');
  const set = (next: readonly Attachment[]): void =>
    void conversation.setContext({ ...context, attachments: next });
  return (
    <>
      {attachments.map((one) => (
        <AttachmentChip
          key={`${one.project}/${one.dashboard}`}
          one={one}
          onRemove={() => set(attachments.filter((other) => !isSame(one, other)))}
        />
      ))}
      {perses !== undefined && (
        <Button
          size="small"
          color="inherit"
          startIcon={<PlusIcon fontSize="inherit" />}
          sx={{ color: 'text.secondary', textTransform: 'none' }}
          onClick={() => setOpen('add')}
        >
          {t('contextBar.addContext')}
        </Button>
      )}
      <Tooltip title={t('contextBar.whatTheModelSees')}>
        <Button
          size="small"
          color="inherit"
          aria-label={[t('contextBar.whatTheModelSees'), ...facts].join(', ')}
          startIcon={<EyeIcon fontSize="inherit" />}
          sx={{ color: 'text.secondary', textTransform: 'none', minWidth: 0 }}
          onClick={() => setOpen('view')}
        >
          {facts.join(' · ') || t('contextBar.whatTheModelSees')}
        </Button>
      </Tooltip>
      <Boundary onReload={() => setOpen(undefined)}>
        <Suspense fallback={null}>
          {open === 'add' && perses !== undefined && (
            <AddContext
              api={perses}
              attachments={attachments}
              onAdd={set}
              onClose={() => setOpen(undefined)}
            />
          )}
          {open === 'view' && (
            <ModelView
              context={sendOptions()?.context}
              datasource={datasource}
              model={model}
              filled={filled}
              window={window}
              left={left}
              attachments={attachments}
              busy={busy}
              onClose={() => setOpen(undefined)}
            />
          )}
        </Suspense>
      </Boundary>
    </>
  );
}
