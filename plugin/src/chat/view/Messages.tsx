// The messages of a conversation, newest at the bottom. It stays at the bottom while an answer streams, unless
// the person has scrolled up to read. Of a long conversation only what is near the part that is seen is made.
import { Box, IconButton, Stack, Tooltip } from '@mui/material';
import ArrowDown from 'mdi-material-ui/ArrowDown';
import { ReactElement, ReactNode, UIEvent, useEffect, useLayoutEffect, useRef, useState } from 'react';

import { useChat, useConversation } from '../store/context';
import { Exchange } from '../store/exchanges';
import { Nearby } from './nearby';
import { statusOf } from '../store/reduce';
import { Slot } from './Slot';
import { Status } from './Status';
import { t } from '../../i18n/i18n';

/** Enough for a high window, before it is known what is seen. */
const FIRST = 8;
const LIST = {
  maxWidth: 980,
  mx: 'auto',
  px: 1,
  pb: 2,
  minHeight: '100%',
  '& > article': { flexShrink: 0, boxSizing: 'border-box', py: 1 },
  '& > .away': {
    overflow: 'hidden',
    contentVisibility: 'auto',
    whiteSpace: 'pre-wrap',
    overflowWrap: 'anywhere',
    color: 'text.secondary',
  },
};
/** This near to the end counts as at the end. */
const SLACK_PX = 48;

export interface MessagesProps {
  /** What stands in for messages while there are none. */
  readonly empty: ReactNode;
  /** What is said instead of the turn's own status: that the line is down. */
  readonly status: string | undefined;
}

function atEnd({ scrollTop, scrollHeight, clientHeight }: Element): boolean {
  return scrollHeight - scrollTop - clientHeight < SLACK_PX;
}

function useStick(exchanges: readonly Exchange[]): {
  ref: React.RefObject<HTMLDivElement>;
  away: boolean;
  onScroll: (event: UIEvent) => void;
  toEnd: () => void;
} {
  const ref = useRef<HTMLDivElement>(null);
  const stick = useRef(true);
  const [away, setAway] = useState(false);
  const toEnd = (): void => {
    stick.current = true;
    setAway(false);
    if (ref.current !== null) ref.current.scrollTop = ref.current.scrollHeight;
  };
  // Only who goes up wants to leave the end. What has grown since we scrolled there puts us far from it, too, when
  // that is reported late.
  const top = useRef(0);
  const onScroll = (event: UIEvent): void => {
    const box = event.currentTarget;
    if (atEnd(box)) stick.current = true;
    else if (box.scrollTop < top.current) stick.current = false;
    top.current = box.scrollTop;
    setAway(!stick.current);
  };
  const count = exchanges.length;
  const counted = useRef(0);
  // A new question is always shown; the scrolling itself then says that we are at the end.
  useLayoutEffect(() => {
    const more = count > counted.current;
    counted.current = count;
    if (!more || ref.current === null) return;
    stick.current = true;
    ref.current.scrollTop = ref.current.scrollHeight;
  }, [count]);
  // What grows (text, panels that are drawn late; below, what one asks with) pushes the end down; we follow it.
  useEffect(() => {
    const box = ref.current;
    if (box === null || typeof ResizeObserver === 'undefined') return undefined;
    const observer = new ResizeObserver(() => {
      if (counted.current === 0) return; // what stands in for messages is read from its top
      if (stick.current) box.scrollTop = box.scrollHeight;
      else if (atEnd(box)) setAway(false); // what is below has become shorter
    });
    observer.observe(box);
    if (box.firstElementChild !== null) observer.observe(box.firstElementChild);
    return () => observer.disconnect();
  }, []);
  return { ref, away, onScroll, toEnd };
}

export function Messages(props: MessagesProps): ReactElement {
  const { empty, status } = props;
  const { conversation } = useChat();
  const { exchanges, panels } = useConversation(conversation);
  const { busy } = conversation;
  const { ref, away, onScroll, toEnd } = useStick(exchanges);
  const [nearby] = useState(() => new Nearby());
  useEffect(() => (ref.current === null ? undefined : nearby.attach(ref.current)), [nearby, ref]);

  const turn = exchanges.at(-1)?.turn;
  const own = turn === undefined ? '' : statusOf(turn);
  const saying = status ?? (busy && turn === undefined ? t('status.sending') : own);
  return (
    <>
      <Box sx={{ position: 'relative', flexGrow: 1, minHeight: 0 }}>
        <Box
          ref={ref}
          onScroll={onScroll}
          tabIndex={0}
          role="log"
          aria-live="polite"
          aria-busy={busy}
          aria-label={t('messages.conversation')}
          data-testid="messages"
          sx={{ position: 'absolute', inset: 0, overflowY: 'auto', overscrollBehavior: 'contain' }}
        >
          <Stack sx={LIST}>
            {exchanges.length === 0 && empty}
            {exchanges.map((exchange, i) => (
              <Slot
                key={exchange.key}
                exchange={exchange}
                panels={panels}
                last={i === exchanges.length - 1}
                early={i >= exchanges.length - FIRST}
                nearby={nearby}
              />
            ))}
          </Stack>
        </Box>
      </Box>
      <Stack
        direction="row"
        alignItems="center"
        justifyContent="center"
        sx={{ position: 'relative', minHeight: 30 }}
      >
        <Status conversation={conversation} saying={saying} busy={busy} />
        {away && (
          <Tooltip title={t('messages.toTheLatestMessage')}>
            <IconButton
              size="small"
              aria-label={t('messages.toTheLatestMessage')}
              onClick={toEnd}
              sx={{ position: 'absolute', right: 8 }}
            >
              <ArrowDown fontSize="inherit" />
            </IconButton>
          </Tooltip>
        )}
      </Stack>
    </>
  );
}
