// Where one asks. Enter and Ctrl+Enter send, Shift+Enter makes a new line, Esc stops. What was written and not sent
// survives a reload. Commands, dashboards and metrics are completed; what was pasted is recognised.
import { Alert, Box, Button, IconButton, Stack, TextField, Tooltip, Typography } from '@mui/material';
import SendIcon from 'mdi-material-ui/Send';
import StopIcon from 'mdi-material-ui/Stop';
import { KeyboardEvent, ReactElement, ReactNode, RefObject, useEffect, useId, useRef, useState } from 'react';

import { t } from '../../i18n/i18n';
import { readTab, tabKey, writeTab } from '../store/tab';
import { Offer, Token, replaced, tokenAt, writtenOut } from './commands';
import { Completion, optionId } from './Completion';
import { isComposing } from './composing';
import type { Pasted } from './pasted';
import { Completions } from './useCompletion';

/** As the gateway takes it. */
export const QUESTION_CHARS_MAX = 16_000;

/** A question that was on its way when the page went (the sign-in had expired) comes before what was begun since. */
function textAtFirst(draft: string, asked: string): string {
  return [readTab(asked), readTab(draft)].filter((text) => text !== '').join('\n\n');
}

export interface ComposerProps {
  readonly busy: boolean;
  readonly stopping: boolean;
  /** Why nothing can be asked now; undefined: it can. */
  readonly blocked: string | undefined;
  /** Where the chat is: what is written in another place is another draft. */
  readonly draftKey: string;
  readonly compact: boolean;
  readonly inputRef: RefObject<HTMLTextAreaElement>;
  readonly onSend: (text: string) => void;
  readonly onStop: () => void;
  readonly completions?: Completions;
  /** Dashboards and metrics are wanted. */
  readonly onMention?: () => void;
  /** ↑ with nothing written. */
  readonly onEditLast?: () => void;
  readonly onHelp?: () => void;
  /** What stands below the text: pickers, context. */
  readonly children?: ReactNode;
}

/** In a field, or in a dialog or menu over the chat; one that the chat is in itself is none. */
function isElsewhere(target: EventTarget | null, box: HTMLElement | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.closest('input, textarea, select') !== null) return true;
  const over = target.closest('[role=dialog], [role=menu]');
  return over !== null && !over.contains(box);
}

/** Where there is room one writes at once, unless something else has the focus; `/` leads to the question from anywhere that is not written in, `?` to the
 *  list of keys. */
function useShortcut(inputRef: RefObject<HTMLTextAreaElement>, isPage: boolean, onHelp?: () => void): void {
  const help = useRef(onHelp);
  useEffect(() => {
    help.current = onHelp;
  }, [onHelp]);
  useEffect(() => {
    if (!isPage) return undefined;
    // On a screen that is touched, the focus would open a keyboard over half of it.
    const isTouched = globalThis.matchMedia?.('(pointer: coarse)').matches ?? false;
    if (!isTouched && document.activeElement?.contains(inputRef.current) === true)
      inputRef.current?.focus({ preventScroll: true });
    const onKey = (event: globalThis.KeyboardEvent): void => {
      const { key } = event;
      if ((key !== '/' && key !== '?') || event.ctrlKey || event.metaKey || event.altKey) return;
      if (isElsewhere(event.target, inputRef.current)) return;
      event.preventDefault();
      if (key === '/') inputRef.current?.focus();
      else help.current?.();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [inputRef, isPage]);
}

interface Completing {
  readonly token: Token | undefined;
  readonly offers: readonly Offer[];
  readonly at: number;
  readonly take: (offer: Offer) => void;
  readonly onText: (text: string, caret: number) => void;
  /** True: the key was for the offers. */
  readonly onKey: (event: KeyboardEvent) => boolean;
}

function useOffers(props: ComposerProps, text: string, setText: (text: string) => void): Completing {
  const { completions, onMention, inputRef } = props;
  const [token, setToken] = useState<Token>();
  const [at, setAt] = useState(0);
  const offers = token === undefined || completions === undefined ? [] : completions.offersFor(token);
  const take = (offer: Offer): void => {
    if (token === undefined || completions === undefined) return;
    const next = replaced(text, token, completions.choose(token, offer));
    setText(next.text);
    setToken(tokenAt(next.text, next.caret));
    setAt(0);
    requestAnimationFrame(() => inputRef.current?.setSelectionRange(next.caret, next.caret));
  };
  return {
    token,
    offers,
    at: Math.min(at, Math.max(0, offers.length - 1)),
    take,
    onText: (next, caret) => {
      const found = tokenAt(next, caret);
      if (found?.kind === 'mention') onMention?.();
      setToken(found);
      setAt(0);
    },
    onKey: (event) => {
      if (offers.length === 0) return false;
      const { key } = event;
      if (key === 'ArrowDown' || key === 'ArrowUp')
        setAt((at + (key === 'ArrowDown' ? 1 : offers.length - 1)) % offers.length);
      else if (key === 'Escape') setToken(undefined);
      else if ((key === 'Enter' && !event.shiftKey) || key === 'Tab') {
        const offer = offers[at];
        if (offer !== undefined) take(offer);
      } else return false;
      event.preventDefault();
      event.stopPropagation();
      return true;
    },
  };
}

/** What was pasted, and what one mostly wants to know of such a thing. */
function PastedHint(props: { kind: Pasted; short: boolean; onAsk: () => void }): ReactElement {
  const { kind, short, onAsk } = props;
  return (
    <Alert
      severity="info"
      variant="outlined"
      sx={{ py: 0, mb: 0.5 }}
      data-testid="pasted"
      action={
        <Button color="inherit" size="small" onClick={onAsk}>
          {t(`pasted.${kind}.do`)}
        </Button>
      }
    >
      {t(`pasted.${kind}`)} {short && t('pasted.short')}
    </Alert>
  );
}

const FENCE: Readonly<Record<Pasted, string>> = {
  promql: 'promql',
  logql: 'logql',
  alert: 'json',
  grafana: 'json',
};

/** Room for what is asked about it. */
const PASTED_CHARS_MAX = QUESTION_CHARS_MAX - 500;

/** With what was pasted as code, whatever stands in it. */
async function questionOf(kind: Pasted, text: string): Promise<string> {
  const code =
    text.length <= PASTED_CHARS_MAX ? text : (await import('./pasted')).shortened(text, PASTED_CHARS_MAX);
  const longest = Math.max(2, ...[...code.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = '`'.repeat(longest + 1);
  const language = kind === 'alert' && !/^[[{]/.test(code) ? 'yaml' : FENCE[kind];
  return `${t(`pasted.${kind}.ask`)}\n\n${fence}${language}\n${code}\n${fence}`;
}

/** What is too long to be sent as it is, and is not once it was shortened. */
function isTooLong(text: string, pasted: Pasted | undefined): boolean {
  return text.length > QUESTION_CHARS_MAX && pasted !== 'grafana';
}

function SendButton(props: ComposerProps & { canSend: boolean; onSendNow: () => void }): ReactElement {
  const { busy, stopping, blocked, canSend, onSendNow, onStop } = props;
  const label = t(busy ? 'composer.stop' : 'composer.send');
  const stopTitle = t(stopping ? 'composer.stopping' : 'composer.stop');
  return (
    <Tooltip title={busy ? stopTitle : (blocked ?? t('composer.sendEnter'))}>
      <span>
        <IconButton
          color="primary"
          aria-label={label}
          disabled={busy ? stopping : !canSend}
          onClick={busy ? onStop : onSendNow}
        >
          {busy ? <StopIcon /> : <SendIcon />}
        </IconButton>
      </span>
    </Tooltip>
  );
}

interface Draft {
  readonly text: string;
  readonly setText: (text: string) => void;
  /** What was pasted, as long as it is all that is there. */
  readonly pasted: Pasted | undefined;
  readonly setPasted: (pasted: Pasted | undefined) => void;
  readonly clear: () => void;
}

/** What is written and not sent. */
function useDraft(draftKey: string): Draft {
  const [{ draft, asked }] = useState(() => ({
    draft: tabKey('draft', draftKey),
    asked: tabKey('asked', draftKey),
  }));
  const [text, setText] = useState(() => textAtFirst(draft, asked));
  const [pasted, setPasted] = useState<Pasted>();

  useEffect(() => writeTab(draft, text), [draft, text]);
  useEffect(() => writeTab(asked, ''), [asked]); // it is the draft's now
  return {
    text,
    setText,
    pasted,
    setPasted,
    clear: () => {
      setText('');
      setPasted(undefined);
    },
  };
}

interface Asking {
  readonly canSend: boolean;
  readonly send: () => void;
  readonly askPasted: (kind: Pasted) => void;
  readonly onKeyDown: (event: KeyboardEvent) => void;
}

function useAsking(props: ComposerProps, { text, clear }: Draft, completing: Completing): Asking {
  const { busy, stopping, blocked, onSend, onStop, onEditLast } = props;
  const canAsk = !busy && blocked === undefined;
  const canSend = canAsk && text.trim() !== '' && text.length <= QUESTION_CHARS_MAX;
  const send = (): void => {
    if (!canSend) return;
    const command = writtenOut(text);
    onSend(command === undefined ? text : t(`command.${command.command}.text`) + command.rest);
    clear();
  };
  return {
    canSend,
    send,
    askPasted: (kind) => {
      if (!canAsk) return;
      clear();
      void questionOf(kind, text.trim()).then(onSend);
    },
    onKeyDown: (event) => {
      if (isComposing(event) || completing.onKey(event)) return;
      if (event.key === 'Escape' && busy) {
        event.stopPropagation(); // it does not close what the chat is in, too
        if (!stopping) onStop();
      }
      if (event.key === 'ArrowUp' && text === '' && onEditLast !== undefined && canAsk) {
        event.preventDefault();
        onEditLast();
      }
      if (event.key !== 'Enter' || event.shiftKey) return;
      event.preventDefault();
      send();
    },
  };
}

interface QuestionProps {
  readonly compact: boolean;
  readonly inputRef: RefObject<HTMLTextAreaElement>;
  readonly draft: Draft;
  readonly completing: Completing;
  readonly helpId: string;
  readonly listId: string;
  readonly onKeyDown: (event: KeyboardEvent) => void;
}

function Question(props: QuestionProps): ReactElement {
  const { compact, inputRef, draft, completing, helpId, listId, onKeyDown } = props;
  const { text, pasted, setText, setPasted } = draft;
  const { offers, at, onText } = completing;
  const pasting = useRef(false);
  /** What knows PromQL is loaded for it. */
  const recognise = (value: string, isNew: boolean): void => {
    const take = (found: Pasted | undefined): void => {
      if (inputRef.current?.value !== value) return; // it has gone on
      if (isNew || found !== pasted) setPasted(isNew ? found : undefined);
    };
    import('./pasted').then(({ pastedAs }) => take(pastedAs(value))).catch(() => undefined);
  };
  return (
    <TextField
      multiline
      fullWidth
      maxRows={compact ? 3 : 8}
      variant="standard"
      placeholder={t('composer.placeholder')}
      value={text}
      inputRef={inputRef}
      error={isTooLong(text, pasted)}
      slotProps={{
        input: { disableUnderline: true },
        htmlInput: {
          'aria-label': t('composer.question'),
          'aria-describedby': helpId,
          'aria-autocomplete': 'list',
          'aria-controls': offers.length > 0 ? listId : undefined,
          'aria-activedescendant': offers.length > 0 ? optionId(listId, at) : undefined,
        },
      }}
      onChange={({ target }) => {
        setText(target.value);
        if (pasting.current || pasted !== undefined) recognise(target.value, pasting.current);
        pasting.current = false;
        onText(target.value, target.selectionStart ?? target.value.length);
      }}
      onPaste={() => {
        pasting.current = text.trim() === '';
      }}
      onKeyDown={onKeyDown}
    />
  );
}

export function Composer(props: ComposerProps): ReactElement {
  const { draftKey, compact, inputRef, children } = props;
  const draft = useDraft(draftKey);
  const { text, pasted } = draft;
  const completing = useOffers(props, text, draft.setText);
  const { canSend, send, askPasted, onKeyDown } = useAsking(props, draft, completing);
  useShortcut(inputRef, !compact, props.onHelp);

  const helpId = useId();
  const listId = useId();
  const { offers, at, take } = completing;
  return (
    <Box
      sx={{
        border: 1,
        borderColor: 'divider',
        borderRadius: 2,
        px: 1.5,
        pt: compact ? 0.5 : 1,
        pb: compact ? 0.25 : 0.75,
        backgroundColor: 'background.default',
        '&:focus-within': { borderColor: 'primary.main' },
      }}
    >
      {offers.length > 0 && <Completion id={listId} offers={offers} at={at} onChoose={take} />}
      {pasted !== undefined && (
        <PastedHint kind={pasted} short={text.length > PASTED_CHARS_MAX} onAsk={() => askPasted(pasted)} />
      )}
      <Stack direction="row" alignItems="end" gap={1}>
        <Question {...{ compact, inputRef, draft, completing, helpId, listId, onKeyDown }} />
        <SendButton {...props} canSend={canSend} onSendNow={send} />
      </Stack>
      <Stack direction="row" alignItems="center" gap={1} flexWrap="wrap" sx={{ mt: 0.5 }}>
        {children}
        <Box sx={{ flexGrow: 1 }} />
        <Typography
          id={helpId}
          variant="caption"
          color="text.secondary"
          // A telephone has none of these keys, and little room.
          sx={isTooLong(text, pasted) ? undefined : { display: { xs: 'none', sm: 'block' } }}
        >
          {isTooLong(text, pasted)
            ? t('composer.tooLong', { count: text.length - QUESTION_CHARS_MAX })
            : !compact && t('composer.keys')}
        </Typography>
      </Stack>
    </Box>
  );
}
