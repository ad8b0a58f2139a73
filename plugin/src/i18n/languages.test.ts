import { describe, expect, it } from 'vitest';

import { en } from './en';
import { LANGUAGES, i18n, languageFor, number, saidOf, speak, t } from './i18n';

function base(key: string): string {
  return key.replace(/_(zero|one|two|few|many|other)$/, '');
}

function placeholders(text: string): readonly string[] {
  return [...new Set(text.match(/\{\{\w+\}\}|<\/?b>/g))].sort();
}

const KEYS = [...new Set(Object.keys(en).map(base))];
const OTHERS = LANGUAGES.filter(({ code }) => code !== 'en');

describe.each(OTHERS)('$name', ({ code, load }) => {
  it('says all that English says, with what is put in', async () => {
    const words = await load();
    const texts = en as Readonly<Record<string, string>>;
    expect(KEYS.filter((key) => !(key in words) && !(`${key}_other` in words))).toEqual([]);
    const wrong = Object.keys(words).filter((key) => {
      const of = texts[key] ?? texts[`${base(key)}_other`];
      return of !== undefined && placeholders(of).join() !== placeholders(words[key] ?? '').join();
    });
    expect(wrong).toEqual([]);
    expect(
      Object.keys(words).filter((key) => !KEYS.includes(base(key)) && !key.startsWith('error.')),
    ).toEqual([]);
    expect(Object.values(words).filter((text) => text.trim() === '')).toEqual([]);
  });

  it('has each of its plurals', async () => {
    const words = await load();
    const forms = new Intl.PluralRules(code).resolvedOptions().pluralCategories;
    const counted = KEYS.filter((key) => `${key}_other` in en);
    const missing = counted.flatMap((key) =>
      forms.filter((form) => !(`${key}_${form}` in words)).map((form) => `${key}_${form}`),
    );
    expect(missing).toEqual([]);
  });
});

describe('the language', () => {
  it.each([
    [['de-AT', 'en'], 'de'],
    [['fr', 'es-MX'], 'es'],
    [['zh'], 'zh-CN'],
    [['zh-Hans-SG'], 'zh-CN'],
    [['zh-TW', 'ja'], 'ja'],
    [['zh-Hant'], 'en'],
    [['xx'], 'en'],
    [[], 'en'],
  ])('for %j is %s', (wanted, code) => {
    expect(languageFor(wanted)).toBe(code);
  });

  it('is spoken once it is there; what is put in stays as it is', async () => {
    await speak('de');
    expect(t('lookups.many', { count: 1 })).toBe('1 Sache nachgesehen');
    expect(t('lookups.many', { count: 6 })).toBe('6 Dinge nachgesehen');
    expect(number(12345.5)).toBe('12.345,5');
    expect(t('tool.about', { what: '<b>{{about}}$t(panel.add)', about: 'x' })).toBe(
      '<b>{{about}}$t(panel.add): x',
    );
    expect(saidOf('rate_limited', 'Too many requests')).toMatch(/^Zu viele/);
    expect(saidOf('a_new_code', 'As it came')).toBe('As it came');
    await speak('nothing');
    expect(i18n.language).toBe('de');
    await speak('en');
    expect(saidOf('rate_limited', 'Exactly 3 more')).toBe('Exactly 3 more');
  });
});
