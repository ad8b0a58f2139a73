// Untrusted text on its way to the page. React escapes markup; what is left are characters that make text
// read other than it is (invisible.ts), what is too long, and links.
import { Usage } from './api/events';
import { locale, t } from './i18n/i18n';

export { plain } from './invisible';

/** Finds where characters as people see them begin and end: a family is one, and so is a flag. */
const characters = typeof Intl.Segmenter === 'undefined' ? undefined : new Intl.Segmenter();

/** Where the text can be cut so that at most `max` UTF-16 units are left and no character is cut in half. */
function cutAt(text: string, max: number): number {
  const start = characters?.segment(text).containing(max)?.index ?? 0;
  // A heap of accents on one letter has no end: between two of them is better than nothing of the text.
  if (start > max / 2) return start;
  return max > 0 && /^[\ud800-\udbff][\udc00-\udfff]/.test(text.slice(max - 1, max + 1)) ? max - 1 : max;
}

export function shorten(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, cutAt(text, max - 1))}…`;
}

/** What of it, from its beginning and in whole characters, is at most so large: the gateway's limits are in bytes of
 *  UTF-8. */
export function fitting(text: string, bytesMax: number): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(bytesMax));
  return text.slice(0, read);
}

/** Halves of characters, which no server takes, replaced. */
export function wellFormed(text: string): string {
  return text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd');
}

/** An absolute http or https address that a link may lead to, else undefined. */
export function safeLink(href: string | undefined): URL | undefined {
  // The scheme must be written out: "//host" and relative addresses are refused, as are those that a URL
  // parser would repair (control characters, backslashes).
  if (href === undefined || !/^https?:\/\/[^/\\]/i.test(href) || /[\u0000-\u0020\\]/.test(href))
    return undefined;
  try {
    const url = new URL(href);
    return (url.protocol === 'http:' || url.protocol === 'https:') &&
      url.username === '' &&
      url.password === ''
      ? url
      : undefined;
  } catch {
    return undefined;
  }
}

/** A page of this Perses, its dashboards and Explore, by its path or its whole address: what its app can show without
 *  being loaded anew. */
export function appPath(href: string | undefined): string | undefined {
  const { origin } = globalThis.location ?? {};
  const url = href?.startsWith('/') === true ? safeLink(`${origin}${href}`) : safeLink(href);
  if (url === undefined || url.origin !== origin) return undefined;
  // As the address is once dots and escapes are resolved, not as it was written.
  return /^\/(?:projects|explore)(?:\/|$)/.test(url.pathname)
    ? url.pathname + url.search + url.hash
    : undefined;
}

/** 12345 → 12k, as the language has it; English with the small k of units. */
export function rounded(value: number): string {
  const text = value.toLocaleString(locale(), {
    notation: value < 1_000 ? 'standard' : 'compact',
    maximumSignificantDigits: value < 1_000 ? undefined : 2,
  });
  return locale() === 'en' ? text.replace('K', 'k') : text;
}

export function percent(share: number): string {
  return share.toLocaleString(locale(), { style: 'percent', maximumFractionDigits: 0 });
}

const CENT = 0.01;
/** Less than this is not worth its digits. */
const COST_LEAST = 0.0001;

/** Dollars: two digits that say something, cents from a dollar on; "–": a model has no price. */
export function costText(cost: number | undefined): string {
  if (cost === undefined) return '–';
  const dollars = (value: number): string =>
    value.toLocaleString(locale(), {
      style: 'currency',
      currency: 'USD',
      currencyDisplay: 'narrowSymbol',
      ...(value > 0 && value < 1 ? { maximumSignificantDigits: value < CENT * 10 ? 2 : 3 } : {}),
    });
  return cost > 0 && cost < COST_LEAST ? `< ${dollars(COST_LEAST)}` : dollars(cost);
}

/** "$0.012 · 12k tokens". */
export function usageText(usage: Usage | undefined): string {
  if (usage === undefined) return '';
  const sum = usage.inputTokens + usage.outputTokens;
  if (sum === 0) return '';
  return `${costText(usage.cost)} · ${t('usage.tokens', { count: sum, sum: rounded(sum) })}`;
}
