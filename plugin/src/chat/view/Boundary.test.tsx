// @vitest-environment jsdom
import { fireEvent, render, screen } from '@testing-library/react';
import { ReactElement, Suspense } from 'react';
import { beforeEach, expect, it, vi } from 'vitest';

import { Boundary, lazily } from './Boundary';

let broken = true;

function Part(): ReactElement {
  if (broken) throw new Error('it is \u202ebroken');
  return <p>whole</p>;
}

beforeEach(() => {
  broken = true;
  vi.spyOn(console, 'error').mockImplementation(() => undefined); // React tells each error there
});

it('puts a card in the place of what fails, and leaves what is around it', () => {
  const onReload = vi.fn();
  render(
    <>
      <p>around</p>
      <Boundary onReload={onReload}>
        <Part />
      </Boundary>
    </>,
  );
  expect(screen.getByText('around')).toBeInTheDocument();
  expect(screen.getByTestId('persai-failed')).toHaveTextContent('it is \ufffdbroken');
  const button = screen.getByRole('button', { name: 'Reload PersAI' });
  fireEvent.click(button);
  expect(screen.getByTestId('persai-failed')).toBeInTheDocument();
  broken = false;
  fireEvent.click(screen.getByRole('button', { name: 'Reload PersAI' }));
  expect(screen.getByText('whole')).toBeInTheDocument();
  expect(onReload).toHaveBeenCalledTimes(2);
});

it('shows what it is given instead of the card', () => {
  render(
    <Boundary fallback={<p>instead</p>}>
      <Part />
    </Boundary>,
  );
  expect(screen.getByText('instead')).toBeInTheDocument();
});

it('loads again what could not be loaded, when the person asks for it and not before', async () => {
  const load = vi.fn(async () => {
    if (load.mock.calls.length === 1) throw new Error('ChunkLoadError');
    return () => <p>loaded</p>;
  });
  const Late = lazily(load);
  render(
    <Boundary>
      <Suspense fallback={null}>
        <Late />
      </Suspense>
    </Boundary>,
  );
  await screen.findByText(/ChunkLoadError/);
  expect(load).toHaveBeenCalledTimes(1);
  fireEvent.click(screen.getByRole('button', { name: 'Reload PersAI' }));
  await screen.findByText('loaded');
  expect(load).toHaveBeenCalledTimes(2);
});

it('draws at once what was loaded ahead, and says nothing of what could not be until it is drawn', async () => {
  const load = vi.fn(async () => {
    if (load.mock.calls.length === 1) throw new Error('ChunkLoadError');
    return () => <p>ahead</p>;
  });
  const Early = lazily(load);
  await Early.ahead();
  await Early.ahead();
  render(<Early />);
  expect(screen.getByText('ahead')).toBeInTheDocument();
  expect(load).toHaveBeenCalledTimes(2);
});
