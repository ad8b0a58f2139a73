// What the page says, in the person's language. English is always there; another language is a file of its own that is
// loaded when it is wanted. Nothing that a person reads is written anywhere else (literals.test.ts looks for it).
import { createInstance } from 'i18next';
import { initReactI18next } from 'react-i18next';

import { en } from './en';

type Plural = 'zero' | 'one' | 'two' | 'few' | 'many' | 'other';
type WithoutPlural<K extends string> = K extends `${infer Base}_${Plural}` ? Base : K;

/** A text by name; one that counts is named without its plural's suffix. */
export type Key = WithoutPlural<keyof typeof en>;
export type Words = Readonly<Record<string, string>>;
export type Values = Readonly<Record<string, string | number | undefined>>;

export interface Language {
  readonly code: string;
  /** As those who speak it call it. */
  readonly name: string;
  readonly load: () => Promise<Words>;
}

export const LANGUAGES: readonly Language[] = [
  { code: 'en', name: 'English', load: async () => en },
  { code: 'de', name: 'Deutsch', load: async () => (await import('./de')).de },
  { code: 'es', name: 'Español', load: async () => (await import('./es')).es },
  { code: 'ja', name: '日本語', load: async () => (await import('./ja')).ja },
  { code: 'zh-CN', name: '简体中文', load: async () => (await import('./zh')).zh },
];

const CHOSEN_KEY = 'persai.language';

export const i18n = createInstance();
void i18n.use(initReactI18next).init({
  lng: 'en',
  fallbackLng: 'en',
  resources: { en: { translation: en } },
  initAsync: false,
  keySeparator: false,
  nsSeparator: false,
  interpolation: { escapeValue: false }, // React does
  react: { useSuspense: false },
});

/** What is put in stays as it is, also where it looks like one of our placeholders: names of metrics, a model's words. */
function filled(text: string, values: Values): string {
  return text.replace(/\{\{(\w+)\}\}/g, (_whole, name: string) => String(values[name] ?? ''));
}

function template(key: Key, { count }: Values): string {
  return i18n.t(key as string, {
    skipInterpolation: true,
    ...(count === undefined ? {} : { count: Number(count) }),
  });
}

export function t(key: Key, values: Values = {}): string {
  return filled(template(key, values), values);
}

/** The same in pieces: those between <b> and </b> stand out. */
export function pieces(key: Key, values: Values = {}): ReadonlyArray<{ text: string; strong: boolean }> {
  const parts = template(key, values).split(/<\/?b>/);
  return parts
    .map((text, i) => ({ text: filled(text, values), strong: i % 2 === 1 }))
    .filter(({ text }) => text !== '');
}

/** What the gateway, or we, say of an error: in another language by its code, where that is known there. */
export function saidOf(code: string, message: string): string {
  const key = `error.${code}`;
  return locale() !== 'en' && i18n.exists(key, { fallbackLng: [] }) ? t(key as Key) : message;
}

/** The code of the language that is spoken, for numbers and dates. */
export function locale(): string {
  return i18n.language;
}

export function number(value: number): string {
  return value.toLocaleString(locale());
}

/** Of the languages that the browser asks for the first that we speak. */
export function languageFor(wanted: readonly string[]): string {
  for (const one of wanted) {
    const code = one.toLowerCase();
    // Traditional characters are another script: English is better than a wrong one.
    if (/^zh\b/.test(code)) {
      if (!/hant|tw|hk|mo/.test(code)) return 'zh-CN';
      continue;
    }
    const found = LANGUAGES.find((known) => known.code === code.split('-')[0]);
    if (found !== undefined) return found.code;
  }
  return 'en';
}

function chosenLanguage(): string {
  try {
    return localStorage.getItem(CHOSEN_KEY) ?? '';
  } catch {
    return ''; // storage is off
  }
}

/** What the person has chosen, else what their browser asks for. */
export function wantedLanguage(): string {
  const chosen = chosenLanguage();
  if (LANGUAGES.some(({ code }) => code === chosen)) return chosen;
  return languageFor(globalThis.navigator?.languages ?? []);
}

/** Speaks it from now on. What could not be loaded leaves the language that was spoken. */
export async function speak(code: string): Promise<void> {
  const language = LANGUAGES.find((known) => known.code === code);
  if (language === undefined || code === i18n.language) return;
  try {
    if (!i18n.hasResourceBundle(code, 'translation'))
      i18n.addResourceBundle(code, 'translation', await language.load());
  } catch {
    return;
  }
  await i18n.changeLanguage(code);
}

const CHOSEN_EVENT = 'persai-language';

export function chooseLanguage(code: string): void {
  try {
    localStorage.setItem(CHOSEN_KEY, code);
  } catch {
    // storage is off: it holds until the page goes
  }
  globalThis.dispatchEvent?.(new CustomEvent(CHOSEN_EVENT, { detail: code }));
}

// The page around the plugin may be ours as well, with texts of its own: all that listen speak it.
globalThis.addEventListener?.(CHOSEN_EVENT, (event) => {
  if (event instanceof CustomEvent) void speak(String(event.detail));
});
