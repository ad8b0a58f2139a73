import { describe, expect, it, vi } from 'vitest';

import { FakeGateway, PROXY } from '../test/gateway';
import { ApiError, checkProxyUrl, createGatewayClient, newIdempotencyKey } from './client';

async function errorFrom(response: Response): Promise<ApiError> {
  const gateway = new FakeGateway().install();
  gateway.before = () => response;
  const error: unknown = await createGatewayClient(PROXY)
    .getSession('s')
    .catch((reason: unknown) => reason);
  if (!(error instanceof ApiError)) throw new Error(`not an ApiError: ${String(error)}`);
  return error;
}

describe('the proxy path', () => {
  it.each(['/proxy/globaldatasources/persai', '/perses/ui/proxy/globaldatasources/a.b-c_d'])(
    'takes %s',
    (url) => {
      expect(checkProxyUrl(url)).toBe(url);
    },
  );

  it.each([
    undefined,
    '',
    'https://evil.example/proxy/globaldatasources/x',
    '//evil.example/proxy/globaldatasources/x',
    '/\\evil.example/proxy/globaldatasources/x',
    'proxy/globaldatasources/x',
    '/proxy/globaldatasources/',
    '/proxy/globaldatasources/..',
    '/../proxy/globaldatasources/x',
    '/proxy/globaldatasources/x/y',
    '/proxy/globaldatasources/x?y',
    '/proxy/globaldatasources/x#y',
    '/proxy/globaldatasources/%2e%2e',
    '/proxy/unsaved/globaldatasources/x',
    '/proxy/projects/p/datasources/x',
    '/proxy/globaldatasources/x\n',
    'javascript:/proxy/globaldatasources/x',
  ])('refuses %s', (url) => {
    expect(checkProxyUrl(url)).toBeUndefined();
    expect(() => createGatewayClient(url)).toThrow('global Perses datasource');
  });
});

describe('the client', () => {
  it('asks for a turn with the headers that make it safe to repeat', async () => {
    const gateway = new FakeGateway().install();
    const client = createGatewayClient(PROXY);
    const sessionId = await client.createSession({ idempotencyKey: 'k1' });
    const path = '/proxy/globaldatasources/prom';
    const turnId = await client.startTurn({
      sessionId,
      message: 'hi',
      datasourcePath: path,
      idempotencyKey: 'k2',
    });
    expect(turnId).toBe(gateway.lastTurn.id);
    const request = gateway.requests.at(-1);
    expect(request?.headers.get('Prefer')).toBe('respond-async');
    expect(request?.headers.get('Idempotency-Key')).toBe('k2');
    expect(request?.query.get('datasource_path')).toBe(path);
    expect(request?.body).toEqual({ message: 'hi' });
  });

  it('never leaves the session in the path that it names', async () => {
    const gateway = new FakeGateway().install();
    await createGatewayClient(PROXY)
      .getSession('../../x?y')
      .catch(() => undefined);
    expect(gateway.requests[0]?.path).toBe('/session/..%2F..%2Fx%3Fy');
  });

  it("takes the gateway's own words", async () => {
    const detail = { response: 'Too many turns are waiting', code: 'queue_full' };
    const error = await errorFrom(
      Response.json({ detail }, { status: 503, headers: { 'Retry-After': '7' } }),
    );
    expect(error).toMatchObject({ status: 503, code: 'queue_full', message: 'Too many turns are waiting' });
    expect(error).toMatchObject({ retryAfterMs: 7000, transient: true });
  });

  it('tells a gateway that is down from an error of Perses', async () => {
    const down = { error: 'dial tcp 127.0.0.1:8000: connect: connection refused' };
    expect(await errorFrom(Response.json(down, { status: 500 }))).toMatchObject({
      code: 'unreachable',
      transient: true,
    });
    expect(await errorFrom(Response.json({}, { status: 401 }))).toMatchObject({
      code: 'signed_out',
      transient: false,
    });
    expect(await errorFrom(Response.json({}, { status: 403 }))).toMatchObject({
      code: 'datasource_forbidden',
    });
    expect(await errorFrom(Response.json({}, { status: 404 }))).toMatchObject({ code: 'datasource_missing' });
  });

  it('sees that what answered is no gateway', async () => {
    const page = new Response('<html>sign in</html>', { headers: { 'Content-Type': 'text/html' } });
    expect(await errorFrom(page)).toMatchObject({ code: 'not_gateway', transient: false });
  });

  it('says that plugin and gateway do not fit', async () => {
    const error = await errorFrom(Response.json({}, { headers: { 'PersAI-API': '7' } }));
    expect(error).toMatchObject({ code: 'api_mismatch', transient: false });
    expect(error.message).toContain('version 7');
  });

  it('gives up a request whose answer does not begin', async () => {
    vi.useFakeTimers();
    try {
      vi.stubGlobal('fetch', (_url: string, init: RequestInit) => {
        return new Promise((_resolve, reject) => {
          init.signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
        });
      });
      const failed = expect(createGatewayClient(PROXY).getSession('s')).rejects.toMatchObject({
        code: 'timeout',
      });
      await vi.advanceTimersByTimeAsync(30_000);
      await failed;
    } finally {
      vi.useRealTimers();
    }
  });

  it('follows a cursor, not an address, to the next page', async () => {
    const gateway = new FakeGateway().install();
    gateway.before = () =>
      Response.json([], { headers: { Link: '<https://evil.example/x?limit=50&cursor=a%2Bb>; rel="next"' } });
    const client = createGatewayClient(PROXY);
    const { cursor } = await client.listSessions();
    await client.listSessions({ cursor });
    expect(gateway.requests.at(-1)?.query.get('cursor')).toBe('a+b');
  });

  it('makes keys that differ', () => {
    expect(new Set(Array.from({ length: 100 }, newIdempotencyKey)).size).toBe(100);
    expect(newIdempotencyKey()).toMatch(/^[0-9a-f]{32}$/);
  });
});
