import { expect, it } from 'vitest';

import { parseSessionDetail } from '../../api/sessions';
import { exchangesOf } from './exchanges';

const CALL = { call_id: 'c', tool_name: 'list_metrics', arguments: {} };
const QUERY = { role: 'assistant', content: '', stop_reason: 'tool_calls', tool_calls: [CALL] };

function statusOf(...answer: readonly object[]): string | undefined {
  const asked = { message_id: '1', role: 'user', turn_id: 't', content: 'q' };
  const messages = [asked, ...answer.map((one, i) => ({ message_id: String(i + 2), turn_id: 't', ...one }))];
  const detail = { session_id: 's', turn: null, messages };
  const [exchange] = exchangesOf(parseSessionDetail('s', detail, JSON.stringify(detail)));
  return exchange?.turn?.status;
}

it.each([
  ['stop', 'done'],
  ['cancelled', 'cancelled'],
  ['error', 'failed'],
])('how a stored answer ended: %s', (stop_reason, status) => {
  expect(statusOf({ role: 'assistant', content: 'So far', stop_reason })).toBe(status);
  expect(statusOf(QUERY, { role: 'assistant', content: 'So far', stop_reason })).toBe(status);
});

it('a question without an answer has failed', () => {
  expect(statusOf()).toBe('failed');
  expect(statusOf(QUERY)).toBe('failed');
});
