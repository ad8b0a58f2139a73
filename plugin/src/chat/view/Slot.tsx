// The place of a question and its answer in the conversation. They are made while they are near the part that is
// seen; away from it their bare text stands in for them, as high as they were, so that nothing moves and the page's
// own search still finds it.
import { ReactElement, Suspense, memo, useEffect, useLayoutEffect, useRef, useState } from 'react';

import { Exchange } from '../store/exchanges';
import { Boundary, lazily } from './Boundary';
import { Nearby } from './nearby';
import { answerText } from '../store/reduce';
import { plain, shorten } from '../../text';

const Message = lazily(async () => (await import('./Message')).Message);

/** Before the first question. */
export const loadMessage = Message.ahead;

/** What a person has opened, written or chosen would be lost: it stays. */
const KEPT = 'textarea, [aria-expanded="true"], details[open], [data-keep]';
const STAND_IN_CHARS_MAX = 4_000;

function isKept(element: Element): boolean {
  if (element.contains(document.activeElement) || element.querySelector(KEPT) !== null) return true;
  const selection = document.getSelection();
  return selection !== null && !selection.isCollapsed && selection.containsNode(element, true);
}

/** How high it will be, about, while nobody has measured it. */
function guessHeight({ question, turn }: Exchange): number {
  const lines = (question.text.length + (turn === undefined ? 0 : answerText(turn).length)) / 100;
  const calls = turn?.steps.filter(({ type }) => type === 'tool_execution').flatMap((step) => step.calls);
  return 100 + 24 * Math.ceil(lines) + 420 * (calls?.length ?? 0);
}

/** Safari does not keep what one reads in its place when something above it changes its height. */
function movesContent(): boolean {
  return typeof CSS === 'undefined' || !CSS.supports('overflow-anchor', 'auto');
}

/** Stands in for them. */
function bareText({ question, turn }: Exchange): string {
  const answer = turn === undefined ? '' : answerText(turn);
  return plain(shorten(`${question.text}\n\n${answer}`, STAND_IN_CHARS_MAX));
}

export interface SlotProps {
  readonly exchange: Exchange;
  readonly panels: Readonly<Record<string, unknown>>;
  readonly last: boolean;
  /** Made at once, before anything is known about what is seen. */
  readonly early: boolean;
  readonly nearby: Nearby;
}

export const Slot = memo(function Slot(props: SlotProps): ReactElement {
  const { exchange, panels, last, early, nearby } = props;
  const { question } = exchange;
  const ref = useRef<HTMLElement>(null);
  const [near, setNear] = useState(early || typeof IntersectionObserver === 'undefined');
  /** Before the last change: how high, and whether all of it was above what is seen. */
  const before = useRef<{ height: number; above: boolean; scrollTop: number }>();
  const isLast = useRef(last);
  isLast.current = last;
  useEffect(() => {
    const element = ref.current;
    if (element === null) return undefined;
    return nearby.watch(element, (next) => {
      if (!next && (isLast.current || isKept(element))) return;
      const { height, bottom } = element.getBoundingClientRect();
      const { root } = nearby;
      before.current = {
        height,
        above: bottom <= (root?.getBoundingClientRect().top ?? 0),
        scrollTop: root?.scrollTop ?? 0,
      };
      setNear(next);
    });
  }, [nearby]);
  const made = near || last;
  useLayoutEffect(() => {
    const { root } = nearby;
    if (ref.current === null || root === undefined || before.current?.above !== true || !movesContent())
      return;
    const grown = ref.current.getBoundingClientRect().height - before.current.height;
    // Near the end the browser has moved up by itself as far as there is less to scroll.
    const moved = Math.max(0, before.current.scrollTop - root.scrollTop);
    root.scrollTop += grown < 0 ? Math.min(0, grown + moved) : grown;
  }, [made, nearby]);
  return (
    <article
      ref={ref}
      data-testid="exchange"
      aria-label={plain(question.text)}
      // What is made again while one scrolls is no news.
      aria-live={last ? undefined : 'off'}
      className={made ? undefined : 'away'}
      style={made ? undefined : { height: before.current?.height ?? guessHeight(exchange) }}
    >
      {made ? (
        <Boundary>
          <Suspense fallback={bareText(exchange)}>
            <Message exchange={exchange} panels={panels} last={last} />
          </Suspense>
        </Boundary>
      ) : (
        bareText(exchange)
      )}
    </article>
  );
});
