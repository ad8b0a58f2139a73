// The explorer: the chat on a page of its own. What is open is remembered in the address as an id, never any text
// of it.
import { Box } from '@mui/material';
import { useExplorerManagerContext } from '@perses-dev/explore';
import { ReactElement, ReactNode, useCallback, useLayoutEffect, useRef, useState } from 'react';

import { Boundary } from '../chat/view/Boundary';
import { Spoken } from '../i18n/Spoken';
import { Connected } from './Connected';

interface ExplorerData {
  readonly session?: string;
  /** What another person shares. */
  readonly shared?: string;
}

const SESSION_ID = /^[A-Za-z0-9_-]{1,64}$/;
const SHARE_ID = /^[0-9a-f]{64}$/;
const MIN_HEIGHT_PX = 420;

/** As high as what is left of the window below it. */
function FullHeight({ children }: { children: ReactNode }): ReactElement {
  const ref = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(160);
  useLayoutEffect(() => {
    const measure = (): void => {
      const rect = ref.current?.getBoundingClientRect();
      if (rect !== undefined) setTop(Math.max(0, Math.round(rect.top + window.scrollY)));
    };
    measure();
    window.addEventListener('resize', measure);
    return () => window.removeEventListener('resize', measure);
  }, []);
  return (
    <Box
      ref={ref}
      sx={{ height: `calc(100vh - ${top}px - 32px)`, minHeight: MIN_HEIGHT_PX, width: '100%', minWidth: 0 }}
    >
      {children}
    </Box>
  );
}

export function PersAIExplorer(): ReactElement {
  const { data: explorer, setData } = useExplorerManagerContext<ExplorerData>();
  const asked = explorer.session ?? '';
  const sessionId = SESSION_ID.test(asked) ? asked : undefined;
  const shareId = SHARE_ID.test(explorer.shared ?? '') ? explorer.shared : undefined;
  const onSession = useCallback(
    (id: string | undefined) => setData(id === undefined ? {} : { session: id }),
    [setData],
  );
  return (
    <FullHeight>
      <Spoken>
        <Boundary>
          <Connected sessionId={sessionId} shareId={shareId} onSession={onSession} />
        </Boundary>
      </Spoken>
    </FullHeight>
  );
}
