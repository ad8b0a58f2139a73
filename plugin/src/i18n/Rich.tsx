import { ReactElement } from 'react';

import { Key, Values, pieces } from './i18n';

/** A text in which names stand out. */
export function Rich({ name, values }: { name: Key; values?: Values }): ReactElement {
  return (
    <>
      {pieces(name, values).map(({ text, strong }, i) =>
        // oxlint-disable-next-line react/no-array-index-key -- its pieces have no other names
        strong ? <strong key={i}>{text}</strong> : <span key={i}>{text}</span>,
      )}
    </>
  );
}
