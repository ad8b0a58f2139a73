// What stands in a dialog. Perses's own is 500 px wide at least, and is cut off in a narrower window.
import { Dialog } from '@perses-dev/components';
import { ReactElement, ReactNode } from 'react';

export function DialogBody({ children }: { children: ReactNode }): ReactElement {
  return <Dialog.Content sx={{ minWidth: { xs: 0, sm: 500 } }}>{children}</Dialog.Content>;
}
