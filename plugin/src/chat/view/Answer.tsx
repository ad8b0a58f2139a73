// A text of the model's, as markdown. What draws markdown is loaded once there is some; until then, and should it fail, the
// text is shown as it is.
import { ReactElement, Suspense, memo } from 'react';

import { Boundary, lazily } from './Boundary';
import { PlainAnswer } from './PlainAnswer';

const load = (): Promise<typeof import('./Markdown')> => import('./Markdown');
const Markdown = lazily(async () => (await load()).Markdown);

/** Before the first answer comes; whether it could be loaded is seen then. */
export function loadMarkdown(): void {
  load().catch(() => undefined);
}

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
