// What of ours fails to be drawn, or to be loaded, is replaced by a card; the page around it stays, and what the person
// has written is kept by the browser's tab (Composer).
import { Alert, Button } from '@mui/material';
import { Component, ComponentType, ReactElement, ReactNode, lazy, useState } from 'react';

import { Spoken } from '../../i18n/Spoken';
import { plain, shorten } from '../../text';
import { t } from '../../i18n/i18n';

const failed = new Set<() => void>();

/** A part that is loaded when it is first drawn, or ahead of that. */
export type Lazy<P> = ComponentType<P> & {
  /** What is there by then is drawn at once. Whether it could be loaded is seen when it is drawn. */
  readonly ahead: () => Promise<void>;
};

/** React remembers a failure for ever; here it is forgotten when the person reloads PersAI. */
export function lazily<P extends object>(load: () => Promise<ComponentType<P>>): Lazy<P> {
  let loaded: ComponentType<P> | undefined;
  const make = (): ComponentType<P> => {
    const part: unknown = lazy(async () => {
      try {
        return { default: await load() };
      } catch (error) {
        failed.add(() => {
          Part = make();
        });
        throw error;
      }
    });
    return part as ComponentType<P>; // its props are the same; the types of lazy() lose them
  };
  let Part = make();
  function Lazily(props: P): ReactElement {
    const [Ready] = useState(() => loaded); // the same for as long as it is drawn
    return Ready === undefined ? <Part {...props} /> : <Ready {...props} />;
  }
  const ahead = async (): Promise<void> => {
    loaded = await load().catch(() => undefined);
  };
  return Object.assign(Lazily, { ahead });
}

export interface BoundaryProps {
  readonly children: ReactNode;
  /** What stands in for it; else a card. */
  readonly fallback?: ReactElement;
  /** The person wants it again: what has opened it can close it first. */
  readonly onReload?: () => void;
}

interface BoundaryState {
  readonly error?: unknown;
}

function Card({ error, onReload }: { error: unknown; onReload: () => void }): ReactElement {
  const said = error instanceof Error ? error.message : '';
  return (
    <Alert
      severity="error"
      variant="outlined"
      data-testid="persai-failed"
      sx={{ m: 1, overflowWrap: 'anywhere' }}
      action={
        <Button color="inherit" size="small" onClick={onReload}>
          {t('boundary.reloadPersai')}
        </Button>
      }
    >
      {t('boundary.failed')}
      {said !== '' && ` (${plain(shorten(said, 200))})`}
    </Alert>
  );
}

export class Boundary extends Component<BoundaryProps, BoundaryState> {
  override readonly state: BoundaryState = {};

  static getDerivedStateFromError(error: unknown): BoundaryState {
    return { error: error ?? new Error('') };
  }

  private readonly reload = (): void => {
    for (const forget of failed) forget();
    failed.clear();
    this.props.onReload?.();
    this.setState({ error: undefined });
  };

  override render(): ReactNode {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    return this.props.fallback ?? <Card error={error} onReload={this.reload} />;
  }
}

/** The same part, in a boundary of its own and in the person's language: for what Perses puts on its page. */
export function bounded<P extends object>(Part: ComponentType<P>): (props: P) => ReactElement {
  return function Bounded(props: P): ReactElement {
    return (
      <Spoken>
        <Boundary>
          <Part {...props} />
        </Boundary>
      </Spoken>
    );
  };
}
