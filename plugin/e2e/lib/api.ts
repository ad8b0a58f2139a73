// The gateway as a person of the stack reaches it, through Perses: conversations are made without a browser.
import { Stack } from './stack';

export interface Api {
  (method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
}

export async function apiOf(stack: Stack, login: string): Promise<Api> {
  const answer = await fetch(`${stack.url}/api/auth/providers/native/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ login, password: stack.password(login) }),
  });
  // By cookies, as a browser: what Perses sends to the gateway as Bearer is the datasource's own word.
  const { access_token: token } = (await answer.json()) as { access_token: string };
  const [header, payload, signature] = token.split('.');
  const Cookie = `jwtPayload=${header}.${payload}; jwtSignature=${signature}`;
  return (method, path, body, headers = {}) =>
    fetch(`${stack.url}/proxy/globaldatasources/persai${path}`, {
      method,
      headers: { 'Content-Type': 'application/json', Cookie, ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
}

/** A conversation of these questions and their answers, asked for real, one after the other. */
export async function talk(api: Api, questions: readonly string[]): Promise<string> {
  const made = (await (await api('POST', '/session', { title: 'Long' })).json()) as { session_id: string };
  const session = made.session_id;
  const path = `/session/${session}/turn`;
  for (const message of questions) {
    const started = await api(
      'POST',
      `${path}?datasource_path=/proxy/globaldatasources/prometheus`,
      { message },
      { Prefer: 'respond-async' },
    );
    const { turn_id: turn } = (await started.json()) as { turn_id: string };
    await (await api('GET', `${path}/${turn}/events`)).text();
  }
  return session;
}
