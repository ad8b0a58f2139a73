// Untrusted text on its way to the page. React escapes markup; what is left are characters that make text
// read other than it is, and links.
import { Usage } from '../api/events';

/** Bidirectional controls, zero-width characters and other invisible controls. Tab and newline stay. */
const DECEIVING =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** The same text with what would deceive the reader made visible. */
export function plain(text: string): string {
  return text.replace(DECEIVING, '\ufffd');
}

export function shorten(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`;
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
  return sum === 0 ? '' : `${sum.toLocaleString('en')} tokens used`;
}
