// Untrusted text on its way to the page. React escapes markup; what is left are characters that make text
// read other than it is (invisible.ts), what is too long, and links.
import { Usage } from './api/events';
import { number, t } from './i18n/i18n';

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

export function usageText(usage: Usage | undefined): string {
  if (usage === undefined) return '';
  const sum = usage.inputTokens + usage.outputTokens;
  return sum === 0 ? '' : t('usage.tokens', { count: sum, sum: number(sum) });
}
