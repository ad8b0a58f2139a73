// A text of the model's, as markdown. What draws markdown is loaded once there is some; until then, and should it fail, the
// text is shown as it is.
import { ReactElement, Suspense, memo } from 'react';

import { Boundary, lazily } from './Boundary';
import { PlainAnswer } from './PlainAnswer';

const Markdown = lazily(async () => (await import('./Markdown')).Markdown);

/** Before the first answer comes. */
export const loadMarkdown = Markdown.ahead;

export const Answer = memo(function Answer(props: { text: string; complete: boolean }): ReactElement {
  const asItIs = <PlainAnswer text={props.text} />;
  return (
    <Boundary fallback={asItIs}>
      <Suspense fallback={asItIs}>
        <Markdown {...props} />
      </Suspense>
    </Boundary>
  );
});
