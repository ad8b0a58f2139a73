// @vitest-environment jsdom
import { afterEach, beforeEach, expect, it } from 'vitest';

import { readTab, tabKey, userOf, writeTab } from './tab';

function cookieOf(payload: unknown): string {
  const bytes = new TextEncoder().encode(JSON.stringify(payload));
  const text = btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, '-')
    .replace(/\//g, '_')
    .replace(/=/g, '');
  return `jwtPayload=eyJhbGciOiJIUzUxMiJ9.${text}`;
}

function signIn(name: string): void {
  document.cookie = `${cookieOf({ sub: name })}; path=/`;
}

const signOut = (): void => {
  document.cookie = 'jwtPayload=; path=/; max-age=0';
};

beforeEach(() => sessionStorage.clear());
afterEach(signOut);

it.each([
  ['', ''],
  ['other=1', ''],
  ['jwtPayload=', ''],
  ['jwtPayload=x', ''],
  ['jwtPayload=a.%%%', ''],
  ['jwtPayload=a.bnVsbA', ''],
  [cookieOf({ sub: 7 }), ''],
  [`a=b; ${cookieOf({ sub: 'alice' })}; c=d`, 'alice'],
  [cookieOf({ sub: 'älicé ??>>' }), 'älicé ??>>'],
])('reads the user of %j', (cookies, user) => expect(userOf(cookies)).toBe(user));

it('keeps what is written for who wrote it', () => {
  signIn('alice');
  const hers = tabKey('draft', 'p/d');
  writeTab(hers, 'mine');
  signOut(); // her token expires
  expect(tabKey('draft', 'p/d')).toBe(hers);
  signIn('bob');
  writeTab(hers, 'mine, longer'); // what she still had open
  expect(readTab(tabKey('draft', 'p/d'))).toBe('');
  signIn('alice');
  expect(readTab(tabKey('draft', 'p/d'))).toBe('mine, longer');
  expect(readTab(tabKey('draft', ''))).toBe('');
  writeTab(hers, '');
  expect(sessionStorage).toHaveLength(0);
});
