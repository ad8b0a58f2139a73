// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/react';
import { createRef } from 'react';
import { beforeEach, expect, it, vi } from 'vitest';

import { Composer, ComposerProps, QUESTION_CHARS_MAX } from './Composer';

const onSend = vi.fn<(text: string) => void>();
const onStop = vi.fn<() => void>();

beforeEach(() => {
  onSend.mockReset();
  onStop.mockReset();
  sessionStorage.clear();
});

function show(change: Partial<ComposerProps> = {}): HTMLTextAreaElement {
  const props = {
    busy: false,
    stopping: false,
    blocked: undefined,
    draftKey: '',
    compact: false,
    inputRef: createRef<HTMLTextAreaElement>(),
    onSend,
    onStop,
  };
  render(<Composer {...props} {...change} />);
  return screen.getByRole('textbox', { name: 'Question' });
}

function write(box: HTMLTextAreaElement, text: string): void {
  fireEvent.change(box, { target: { value: text } });
}

it.each([{}, { ctrlKey: true }, { metaKey: true }])('sends by Enter with %j', (keys) => {
  const box = show();
  write(box, 'why?');
  expect(fireEvent.keyDown(box, { key: 'Enter', ...keys })).toBe(false);
  expect(onSend.mock.calls).toEqual([['why?']]);
  expect(box.value).toBe('');
});

// Safari ends a word that is composed before it tells of the Enter that ended it.
it.each([{ shiftKey: true }, { isComposing: true }, { keyCode: 229 }])(
  'writes on by Enter with %j',
  (keys) => {
    const box = show();
    write(box, 'why?');
    expect(fireEvent.keyDown(box, { key: 'Enter', ...keys })).toBe(true);
    expect(onSend).not.toHaveBeenCalled();
  },
);

it('sends a command that was written out as what it stands for', () => {
  const box = show();
  write(box, '/investigate why it is slow');
  fireEvent.keyDown(box, { key: 'Enter' });
  expect(onSend.mock.calls).toEqual([['Investigate, step by step and with a plan: why it is slow']]);
});

it('sends nothing that is empty, too long, or while an answer is written', () => {
  const box = show();
  for (const text of ['', ' \n', 'x'.repeat(QUESTION_CHARS_MAX + 1)]) {
    write(box, text);
    fireEvent.keyDown(box, { key: 'Enter' });
    expect(screen.getByRole('button', { name: 'Send' })).toBeDisabled();
  }
  expect(screen.getByText('1 character too long')).toBeInTheDocument();
  expect(onSend).not.toHaveBeenCalled();
});

it('stops what runs, and sends nothing meanwhile', () => {
  const box = show({ busy: true });
  write(box, 'and?');
  fireEvent.keyDown(box, { key: 'Enter' });
  expect(onSend).not.toHaveBeenCalled();
  fireEvent.click(screen.getByRole('button', { name: 'Stop' }));
  expect(onStop).toHaveBeenCalledOnce();
});

it('keeps what was not sent, for each place by itself', () => {
  write(show({ draftKey: ' here' }), 'half a');
  cleanup();
  expect(show({ draftKey: ' there' }).value).toBe('');
  cleanup();
  expect(show({ draftKey: ' here' }).value).toBe('half a');
});

it('is ready to be written in on a page, and is reached by a slash from anywhere else', () => {
  const box = show();
  expect(box).toHaveFocus();
  box.blur();
  expect(fireEvent.keyDown(document.body, { key: '/' })).toBe(false);
  expect(box).toHaveFocus();
  expect(fireEvent.keyDown(box, { key: '/' })).toBe(true); // there it is a character
  cleanup();
  const small = show({ compact: true });
  expect(small).not.toHaveFocus();
  fireEvent.keyDown(document.body, { key: '/' });
  expect(small).not.toHaveFocus();
});

it('is led to by / in a dialog that it is in, and not in one that lies over it', () => {
  const box = show();
  const over = document.createElement('div');
  over.setAttribute('role', 'dialog');
  const button = over.appendChild(document.createElement('button'));
  document.body.append(over);
  box.blur();
  fireEvent.keyDown(button, { key: '/' });
  expect(box).not.toHaveFocus();
  over.append(box.parentElement ?? box);
  fireEvent.keyDown(button, { key: '/' });
  expect(box).toHaveFocus();
  over.remove();
});

it('stops by Escape while an answer is written, and only then', () => {
  fireEvent.keyDown(show({ busy: true }), { key: 'Escape' });
  expect(onStop).toHaveBeenCalledTimes(1);
  cleanup();
  fireEvent.keyDown(show({ busy: true, stopping: true }), { key: 'Escape' });
  cleanup();
  fireEvent.keyDown(show(), { key: 'Escape' });
  expect(onStop).toHaveBeenCalledTimes(1);
});
