import { describe, expect, it } from 'vitest';

import { fitting, replaced, tokenAt, writtenOut } from './commands';

describe('what is being written', () => {
  it.each([
    ['/', 'command', ''],
    ['/inv', 'command', 'inv'],
    ['/model ', 'value', ''],
    ['/datasource lo', 'value', 'lo'],
    ['look at @', 'mention', ''],
    ['look at @node_cp', 'mention', 'node_cp'],
    ['@a', 'mention', 'a'],
    ['@Übersicht', 'mention', 'Übersicht'],
    ['@ディスク', 'mention', 'ディスク'],
    ['查看@node_cp', 'mention', 'node_cp'],
    ['(@node_cp', 'mention', 'node_cp'],
  ])('%j is a %s', (text, kind, word) => {
    expect(tokenAt(text, text.length)).toMatchObject({ kind, word });
  });

  it.each([
    '',
    'a / b',
    'a/b',
    'me@example.org',
    'zoë@example',
    'me.2@example',
    '@@@ b',
    '/new x',
    '/nothing x',
    'one\n/model',
    '@a b',
    'x @'.repeat(1) + ' y',
  ])('%j is nothing to complete', (text) => {
    expect(tokenAt(text, text.length)).toBeUndefined();
  });

  it('is what stands before the caret', () => {
    expect(tokenAt('@ab cd', 2)).toMatchObject({ word: 'a', start: 0, end: 2 });
  });
});

it('offers those that begin with the word first, and few', () => {
  const offers = ['node_cpu', 'cpu', 'x_cpu', 'mem'].map((label) => ({ id: label, label, about: '' }));
  expect(fitting(offers, 'CPU').map(({ label }) => label)).toEqual(['cpu', 'node_cpu', 'x_cpu']);
  expect(
    fitting(
      Array.from({ length: 50 }, (_, i) => ({ id: `${i}`, label: `${i}`, about: '' })),
      '',
    ),
  ).toHaveLength(8);
});

it('puts what was chosen in its place', () => {
  expect(replaced('see @no now', { kind: 'mention', word: 'no', start: 4, end: 7 }, 'node_cpu')).toEqual({
    text: 'see node_cpu now',
    caret: 12,
  });
});

it('knows a command that was written out', () => {
  expect(writtenOut('/investigate why\nit is slow')).toEqual({
    command: 'investigate',
    rest: 'why\nit is slow',
  });
  expect(writtenOut(' /Documents  backups ')).toEqual({ command: 'documents', rest: 'backups' });
  for (const text of ['/investigate', '/investigated x', 'a /investigate b', '/var/log is full', '/model x'])
    expect(writtenOut(text)).toBeUndefined();
});
