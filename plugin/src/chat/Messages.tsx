// The messages of a conversation, newest at the bottom. It stays at the bottom while an answer streams, unless
// the person has scrolled up to read. Of a long conversation the last part is made first; more when one scrolls.
import { Box, Button, Fab, Stack, Typography } from '@mui/material';
import ArrowDown from 'mdi-material-ui/ArrowDown';
import {
  ReactElement,
  ReactNode,
  UIEvent,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
  useDeferredValue,
} from 'react';

import { Exchange } from './exchanges';
import { Message } from './Message';
import { statusOf } from './reduce';
import { plain, shorten } from './text';

const FIRST = 20;
const MORE = 20;
/** This near to the end counts as at the end. */
const SLACK_PX = 48;

export interface MessagesProps {
  readonly exchanges: readonly Exchange[];
  readonly panels: Readonly<Record<string, unknown>>;
  readonly busy: boolean;
  /** What stands in for messages while there are none. */
  readonly empty: ReactNode;
  /** What is said instead of the turn's own status: that the line is down. */
  readonly status: string | undefined;
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
  const onScroll = (event: UIEvent): void => {
    const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
    stick.current = scrollHeight - scrollTop - clientHeight < SLACK_PX;
    setAway(!stick.current);
  };
  const count = exchanges.length;
  // A new question is always shown; the scrolling itself then says that we are at the end.
  useLayoutEffect(() => {
    stick.current = true;
    if (ref.current !== null) ref.current.scrollTop = ref.current.scrollHeight;
  }, [count]);
  // What grows (text, panels that are drawn late) pushes the end down; we follow it.
  useEffect(() => {
    const box = ref.current;
    if (box === null || typeof ResizeObserver === 'undefined') return undefined;
    const observer = new ResizeObserver(() => {
      if (stick.current) box.scrollTop = box.scrollHeight;
    });
    if (box.firstElementChild !== null) observer.observe(box.firstElementChild);
    return () => observer.disconnect();
  }, []);
  return { ref, away, onScroll, toEnd };
}

/** Shows more of the earlier messages when the top comes into view; keeps what is read in its place. */
function Earlier(props: { hidden: number; onMore: () => void }): ReactElement | null {
  const ref = useRef<HTMLDivElement>(null);
  const { hidden, onMore } = props;
  useEffect(() => {
    if (ref.current === null || typeof IntersectionObserver === 'undefined') return undefined;
    const observer = new IntersectionObserver((entries) => {
      if (entries.some(({ isIntersecting }) => isIntersecting)) onMore();
    });
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, [hidden, onMore]);
  if (hidden === 0) return null;
  return (
    <Box ref={ref} sx={{ textAlign: 'center' }}>
      <Button size="small" onClick={onMore}>
        Show {Math.min(hidden, MORE)} earlier of {hidden}
      </Button>
    </Box>
  );
}

export function Messages(props: MessagesProps): ReactElement {
  const { exchanges, panels, busy, empty, status } = props;
  const { ref, away, onScroll, toEnd } = useStick(exchanges);
  // Each earlier message has actions that go with it: all of them in one frame would be a long one.
  const busyEarlier = useDeferredValue(busy);
  const [shown, setShown] = useState(FIRST);
  const hidden = Math.max(0, exchanges.length - shown);
  const before = useRef<number>();
  const more = useRef((): void => undefined);
  more.current = (): void => {
    before.current = ref.current === null ? undefined : ref.current.scrollHeight - ref.current.scrollTop;
    setShown(shown + MORE);
  };
  const onMore = useRef((): void => more.current()).current;
  useLayoutEffect(() => {
    if (ref.current !== null && before.current !== undefined) {
      ref.current.scrollTop = ref.current.scrollHeight - before.current;
    }
    before.current = undefined;
  }, [shown, ref]);

  const turn = exchanges.at(-1)?.turn;
  const own = turn === undefined ? '' : statusOf(turn);
  const saying = status ?? (busy && turn === undefined ? 'Sending' : own);
  return (
    <Box sx={{ position: 'relative', flexGrow: 1, minHeight: 0 }}>
      <Box
        ref={ref}
        onScroll={onScroll}
        tabIndex={0}
        role="log"
        aria-live="polite"
        aria-busy={busy}
        aria-label="Conversation"
        data-testid="messages"
        sx={{ position: 'absolute', inset: 0, overflowY: 'auto', overscrollBehavior: 'contain' }}
      >
        <Stack sx={{ maxWidth: 980, mx: 'auto', px: 1, pb: 2, minHeight: '100%' }}>
          <Earlier hidden={hidden} onMore={onMore} />
          {exchanges.length === 0 && empty}
          {exchanges.slice(hidden).map((exchange, i, list) => (
            <Message
              key={exchange.key}
              exchange={exchange}
              panels={panels}
              last={i === list.length - 1}
              busy={i === list.length - 1 ? busy : busyEarlier}
            />
          ))}
        </Stack>
      </Box>
      <Box
        role="status"
        aria-label="What the assistant does"
        sx={{
          position: 'absolute',
          left: 0,
          right: 0,
          bottom: 0,
          pointerEvents: 'none',
          textAlign: 'center',
        }}
      >
        {saying !== '' && (
          <Typography
            variant="body2"
            component="span"
            data-testid="status"
            sx={{
              display: 'inline-block',
              maxWidth: '80%',
              overflow: 'hidden',
              textOverflow: 'ellipsis',
              whiteSpace: 'nowrap',
              px: 1.5,
              py: 0.25,
              borderRadius: 4,
              border: 1,
              borderColor: 'divider',
              backgroundColor: 'background.paper',
              color: 'text.secondary',
              '@keyframes persai-pulse': { '50%': { opacity: 0.75 } },
              animation: 'persai-pulse 1.6s ease-in-out infinite',
              '@media (prefers-reduced-motion: reduce)': { animation: 'none' },
            }}
          >
            {plain(shorten(saying, 160))}…
          </Typography>
        )}
      </Box>
      {away && (
        <Fab
          size="small"
          aria-label="To the latest message"
          onClick={toEnd}
          sx={{ position: 'absolute', right: 16, bottom: 16 }}
        >
          <ArrowDown />
        </Fab>
      )}
    </Box>
  );
}
