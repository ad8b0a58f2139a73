// Where one asks. Enter and Ctrl+Enter send, Shift+Enter makes a new line. What was written and not sent
// survives a reload.
import { Box, IconButton, Stack, TextField, Tooltip, Typography } from '@mui/material';
import SendIcon from 'mdi-material-ui/Send';
import StopIcon from 'mdi-material-ui/Stop';
import { KeyboardEvent, ReactElement, ReactNode, RefObject, useEffect, useId, useState } from 'react';

import { readTab, tabKey, writeTab } from '../store/tab';

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
  /** What stands below the text: pickers, context. */
  readonly children?: ReactNode;
}

/** On a page of its own one writes at once; and `/` leads to the question from anywhere that is not written in. */
function useShortcut(inputRef: RefObject<HTMLTextAreaElement>, isPage: boolean): void {
  useEffect(() => {
    if (!isPage) return undefined;
    // On a screen that is touched, the focus would open a keyboard over half of it.
    const isTouched = globalThis.matchMedia?.('(pointer: coarse)').matches ?? false;
    if (!isTouched && document.activeElement === document.body)
      inputRef.current?.focus({ preventScroll: true });
    const onKey = (event: globalThis.KeyboardEvent): void => {
      const { target } = event;
      const writes =
        target instanceof HTMLElement &&
        (target.isContentEditable ||
          target.closest('input, textarea, select, [role=dialog], [role=menu]') !== null);
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || writes) return;
      event.preventDefault();
      inputRef.current?.focus();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [inputRef, isPage]);
}

export function Composer(props: ComposerProps): ReactElement {
  const { busy, stopping, blocked, draftKey, compact, inputRef, onSend, onStop, children } = props;
  const [{ draft, asked }] = useState(() => ({
    draft: tabKey('draft', draftKey),
    asked: tabKey('asked', draftKey),
  }));
  const [text, setText] = useState(() => textAtFirst(draft, asked));

  useEffect(() => writeTab(draft, text), [draft, text]);
  useEffect(() => writeTab(asked, ''), [asked]); // it is the draft's now

  useShortcut(inputRef, !compact);

  const helpId = useId();
  const canSend = !busy && blocked === undefined && text.trim() !== '' && text.length <= QUESTION_CHARS_MAX;
  const send = (): void => {
    if (!canSend) return;
    onSend(text);
    setText('');
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape' && busy && !stopping && !event.nativeEvent.isComposing) onStop();
    // Enter that ends the writing of a Chinese or Japanese word does not send.
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send();
  };
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
      <Stack direction="row" alignItems="end" gap={1}>
        <TextField
          multiline
          fullWidth
          maxRows={compact ? 3 : 8}
          variant="standard"
          placeholder="Ask about your metrics"
          value={text}
          inputRef={inputRef}
          error={text.length > QUESTION_CHARS_MAX}
          slotProps={{
            input: { disableUnderline: true },
            htmlInput: { 'aria-label': 'Question', 'aria-describedby': helpId },
          }}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={onKeyDown}
        />
        {busy ? (
          <Tooltip title={stopping ? 'Stopping…' : 'Stop'}>
            <span>
              <IconButton color="primary" aria-label="Stop" disabled={stopping} onClick={onStop}>
                <StopIcon />
              </IconButton>
            </span>
          </Tooltip>
        ) : (
          <Tooltip title={blocked ?? 'Send (Enter)'}>
            <span>
              <IconButton color="primary" aria-label="Send" disabled={!canSend} onClick={send}>
                <SendIcon />
              </IconButton>
            </span>
          </Tooltip>
        )}
      </Stack>
      <Stack direction="row" alignItems="center" gap={1} flexWrap="wrap" sx={{ mt: 0.5 }}>
        {children}
        <Box sx={{ flexGrow: 1 }} />
        <Typography id={helpId} variant="caption" color="text.secondary">
          {text.length > QUESTION_CHARS_MAX
            ? `${text.length - QUESTION_CHARS_MAX} characters too long`
            : !compact && 'Enter to send, Shift+Enter for a new line, Esc to stop'}
        </Typography>
      </Stack>
    </Box>
  );
}
