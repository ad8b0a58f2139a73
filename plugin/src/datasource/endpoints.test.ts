import { readFileSync } from 'node:fs';

import { expect, it, vi } from 'vitest';

import { createGatewayClient } from '../api/client';
import { FakeGateway, PROXY } from '../test/gateway';
import { ALLOWED_ENDPOINTS } from './PersAIDatasource';

vi.mock('./PersAIDatasourceEditor', () => ({ PersAIDatasourceEditor: () => null }));

it('are the same in what is provisioned', () => {
  const file = new URL('../../../compose/provisioning/persai-endpoints.json', import.meta.url);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(ALLOWED_ENDPOINTS);
});

it('are all that the client asks, and the client asks all of them', async () => {
  const gateway = new FakeGateway().install();
  gateway.before = () => Response.json({});
  const client = createGatewayClient(PROXY);
  const { signal } = new AbortController();
  const turn = {
    sessionId: 's',
    message: 'm',
    datasourcePath: '/proxy/globaldatasources/p',
    idempotencyKey: 'k',
  };
  const asks: ReadonlyArray<() => Promise<unknown>> = [
    () => client.createSession({ idempotencyKey: 'k' }),
    () => client.listSessions({ query: 'a/b' }),
    () => client.getSession('s'),
    () => client.patchSession('s', {}),
    () => client.deleteSession('s'),
    () => client.forkSession('s', 'm'),
    () => client.patchMessage('s', 'm', {}),
    () => client.deleteMessage('s', 'm'),
    () => client.startTurn(turn),
    () => client.openEvents('s', 't', undefined, signal),
    () => client.cancelTurn('s', 't'),
    () => client.resumeTurn('s', 't', []),
    () => client.listModels(),
    () => client.shareSession('s'),
    () => client.unshareSession('s'),
    () => client.getShared('a'.repeat(64)),
    () => client.exportSession('s', 'md'),
    () => client.rateMessage('s', 'm', { sentiment: 1, comment: '' }),
    () => client.getBudget(),
    () => client.isAdministrator(),
    () => client.adminUsage(7),
    () => client.adminTurns(),
    () => client.adminCancel('s', 't'),
    () => client.adminSwitches(),
    () => client.setSwitch('turns', true, 'Back at noon'),
  ];
  expect(asks.map((ask) => ask.name)).toHaveLength(Object.keys(client).length);
  for (const ask of asks) await ask().catch(() => undefined);
  await client.rateMessage('s', 'm', undefined).catch(() => undefined);
  expect(gateway.requests).toHaveLength(asks.length + 1);
  const unused = new Set(ALLOWED_ENDPOINTS);
  for (const { method, path } of gateway.requests) {
    const allowing = ALLOWED_ENDPOINTS.filter(
      (one) => one.method === method && new RegExp(one.endpointPattern).test(path),
    );
    expect(allowing, `${method} ${path}`).toHaveLength(1);
    for (const one of allowing) unused.delete(one);
  }
  expect([...unused]).toEqual([]);
});
