// What the browser's tab keeps over a reload or a new sign-in: a draft, a question that was not accepted yet and
// what was chosen for it, which conversation a panel shows. Of one person each: another who signs in in the same tab finds nothing of it.
import { asObject, asText, parseJson } from '../../api/events';

let known = '';

/** Perses keeps the claims of the access token where the page can read them: header and payload, without signature. */
export function userOf(cookies: string): string {
  const value = /(?:^|;\s*)jwtPayload=([^;]*)/.exec(cookies)?.[1] ?? '';
  const payload = value.split('.')[1] ?? '';
  try {
    const bytes = Uint8Array.from(atob(payload.replace(/-/g, '+').replace(/_/g, '/')), (one) =>
      one.charCodeAt(0),
    );
    return asText(asObject(parseJson(new TextDecoder().decode(bytes)))?.['sub']);
  } catch {
    return ''; // not a token
  }
}

/** Who is signed in; a token that has expired is gone from the cookies: then who was. Empty where nobody signs in. */
function currentUser(): string {
  const user = userOf(globalThis.document?.cookie ?? '');
  if (user !== '') known = user;
  return known;
}

/** The key of something that this person keeps in a place. Taken once, when the place is drawn: what they write is theirs,
 *  also when somebody else signs in elsewhere in this browser. */
export function tabKey(what: 'draft' | 'asked' | 'chosen' | 'session', place: string): string {
  return `persai.${what}/${encodeURIComponent(currentUser())}/${place}`;
}

const MODEL_KEY = 'persai.model';

/** The model that was chosen last in this browser, or empty. */
export function lastModel(): string {
  try {
    return localStorage.getItem(MODEL_KEY) ?? '';
  } catch {
    return ''; // storage is off
  }
}

export function keepModel(model: string): void {
  try {
    localStorage.setItem(MODEL_KEY, model);
  } catch {
    // storage is off, or full: the next conversation begins with the gateway's own
  }
}

export function readTab(key: string): string {
  try {
    return sessionStorage.getItem(key) ?? '';
  } catch {
    return ''; // storage is off
  }
}

export function writeTab(key: string, text: string): void {
  try {
    if (text === '') sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, text);
  } catch {
    // storage is off, or full
  }
}
