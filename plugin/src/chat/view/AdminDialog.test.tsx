// @vitest-environment jsdom
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { fireEvent, render, screen, waitFor, within } from '@testing-library/react';
import { beforeEach, expect, it, vi } from 'vitest';

import { createGatewayClient } from '../../api/client';
import { Json } from '../../api/events';
import { FakeGateway, PROXY, problem } from '../../test/gateway';
import { AdminDialog } from './AdminDialog';

const DOORS = ['openai', 'mcp'];
const TURN = { session_id: 's1', turn_id: 't1', user: 'bob', started_at: '2026-03-01T12:00:00Z' };
let gateway: FakeGateway;
/** What the gateway says of a path. */
let said: Record<string, Json | Response>;

const named = (name: string): HTMLElement => screen.getByRole('region', { name });

function usage(user: string, model: string, counts: Json): Json {
  const none = { turns: 0, errors: 0, input_tokens: 0, output_tokens: 0, cost: 0, good: 0, bad: 0 };
  return { day: '2026-03-01', user, model, ...none, ...counts };
}

async function show(): Promise<void> {
  const queryClient = new QueryClient({
    defaultOptions: { queries: { retry: false } },
    logger: { log: vi.fn(), warn: vi.fn(), error: vi.fn() },
  });
  render(
    <QueryClientProvider client={queryClient}>
      <AdminDialog
        client={createGatewayClient(PROXY)}
        gateway="persai"
        models={['demo/one']}
        onClose={vi.fn()}
      />
    </QueryClientProvider>,
  );
  await screen.findByRole('dialog', { name: 'Administration' });
}

beforeEach(() => {
  said = {
    '/admin/turns': { turns: [], more: false },
    '/admin/usage': { rows: [] },
    '/admin/switches': { switches: [], doors: DOORS },
  };
  gateway = new FakeGateway().install();
  gateway.before = ({ path }): Response | undefined => {
    const answer = said[path];
    return answer === undefined || answer instanceof Response ? answer : Response.json(answer);
  };
});

it('says where there is nothing to say', async () => {
  await show();
  await within(named('Running now')).findByText('Nothing is running.');
  await within(named('Switched off')).findByText('Everything is on.');
  await within(named('Usage')).findByText('Nobody asked anything in this time.');
});

it('says what could not be asked, beside what could, and not that there was nothing', async () => {
  said['/admin/usage'] = problem(403, 'not_an_administrator', 'Only administrators of this Perses may');
  await show();
  await within(named('Usage')).findByText('Only administrators of this Perses may');
  expect(screen.queryByText('Nobody asked anything in this time.')).toBeNull();
  await within(named('Running now')).findByText('Nothing is running.');
});

it('sums what was used by model and by person, the dearest first', async () => {
  said['/admin/usage'] = {
    rows: [
      usage('bob', 'demo/one', { turns: 2, input_tokens: 1_000, output_tokens: 500, cost: 120_000 }),
      usage('ann\u202e', 'demo/one', { turns: 1, errors: 1, cost: 1_000_000, good: 3, bad: 1 }),
      usage('bob', 'demo/two', { turns: 4, cost: 60_000 }),
      usage('bob', 'demo/unpriced', { turns: 1, output_tokens: 7 }),
      'nonsense',
    ],
  };
  await show();
  const rows = async (by: string): Promise<ReadonlyArray<ReadonlyArray<string | null>>> =>
    within(await screen.findByRole('table', { name: by }))
      .getAllByRole('row')
      .slice(1)
      .map((row) => [...row.querySelectorAll('th, td')].map((cell) => cell.textContent));
  expect(await rows('Model')).toEqual([
    ['demo/one', '3', '1', '1.5k', '$1.12', '3', '1'],
    ['demo/two', '4', '0', '0', '$0.06', '0', '0'],
    ['demo/unpriced', '1', '0', '7', '–', '0', '0'],
  ]);
  const people = await rows('Person');
  expect(people.map(([name]) => name)).toEqual(['ann\ufffd', 'bob']);
  expect(people[1]).toEqual(['bob', '7', '0', '1.5k', '$0.18', '0', '0']);
});

it('stops what somebody asked, and says in words what each does', async () => {
  const states = ['running', 'waiting_for_sign_in', 'awaiting_input', 'being_cancelled', 'later_word'];
  said['/admin/turns'] = {
    turns: states.map((state, i) => ({ ...TURN, turn_id: `t${i}`, state })),
    more: true,
  };
  said['/admin/session/s1/turn/t0/cancel'] = { response: 'ok' };
  await show();
  const part = named('Running now');
  for (const word of [
    'running',
    'waits for a sign-in',
    'waits for an approval',
    'is being stopped',
    'later_word',
  ])
    await within(part).findByText(word);
  within(part).getByText('Others run as well; the list ends here.');
  const [first] = within(part).getAllByRole('button', { name: 'Stop' });
  said['/admin/turns'] = { turns: [], more: false };
  if (first !== undefined) fireEvent.click(first);
  await within(part).findByText('Nothing is running.');
  expect(gateway.count_of('POST', /^\/admin\/session\/s1\/turn\/t0\/cancel$/)).toBe(1);
});

it('switches off with a sentence, keeps what was written when that is refused, and switches on', async () => {
  await show();
  const part = named('Switched off');
  await within(part).findByText('Everything is on.');
  const name = within(part).getByRole('combobox', { name: 'What' });
  const sentence = within(part).getByRole('textbox', { name: 'What people are told' });
  const button = within(part).getByRole('button', { name: 'Switch off' });
  expect(button).toBeDisabled();

  fireEvent.change(name, { target: { value: 'nonsense' } });
  fireEvent.change(sentence, { target: { value: ' Back at noon. ' } });
  said['/admin/switches'] = problem(422, 'invalid', 'name is turns, door:WORD, model:NAME or tool:NAME');
  fireEvent.click(button);
  await within(part).findByText('name is turns, door:WORD, model:NAME or tool:NAME');
  expect(name).toHaveValue('nonsense');

  const off = { name: 'door:mcp', sentence: 'Back at noon.', from: 'store', by: 'ann' };
  said['/admin/switches'] = { switches: [off], doors: DOORS };
  fireEvent.change(name, { target: { value: 'door' } });
  const offered = screen.getAllByRole('option').map(({ textContent }) => textContent);
  expect(offered).toEqual(['door:openai', 'door:mcp']);
  fireEvent.change(name, { target: { value: 'door:mcp' } });
  fireEvent.click(button);
  await within(part).findByText('Back at noon.', { exact: false });
  expect(gateway.requests.at(-1)?.body).toEqual({ name: 'door:mcp', off: true, sentence: 'Back at noon.' });
  await waitFor(() => expect(name).toHaveValue(''));

  said['/admin/switches'] = { switches: [], doors: DOORS };
  fireEvent.click(within(part).getByRole('button', { name: 'Switch on' }));
  await within(part).findByText('Everything is on.');
  expect(gateway.requests.at(-1)?.body).toEqual({ name: 'door:mcp', off: false });
});

it('takes of a sentence what the gateway takes: 500 bytes, in whole characters', async () => {
  await show();
  const sentence = await within(named('Switched off')).findByRole('textbox', {
    name: 'What people are told',
  });
  fireEvent.change(sentence, { target: { value: '维'.repeat(400) } });
  expect(sentence).toHaveValue('维'.repeat(166));
  fireEvent.change(sentence, { target: { value: 'a'.repeat(600) } });
  expect(sentence).toHaveValue('a'.repeat(500));
});

it("leaves what the operator's file says to the operator", async () => {
  const off = { name: 'turns', sentence: 'Moving house.', from: 'file' };
  said['/admin/switches'] = { switches: [off], doors: DOORS };
  await show();
  const part = named('Switched off');
  await within(part).findByText("(by the operator's file)", { exact: false });
  expect(within(part).queryByRole('button', { name: 'Switch on' })).toBeNull();
  fireEvent.change(within(part).getByRole('combobox', { name: 'What' }), { target: { value: 'tur' } });
  expect(screen.queryByRole('option')).toBeNull();
});
