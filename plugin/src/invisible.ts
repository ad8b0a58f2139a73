// Characters that no eye sees, or that turn the order of a text around: proto/golden/invisible.txt, the list that the
// worker has too. Pure.

const RANGES: ReadonlyArray<readonly [number, number]> = [
  [0x0000, 0x0008],
  [0x000b, 0x001f],
  [0x007f, 0x009f],
  [0x00ad, 0x00ad],
  [0x034f, 0x034f],
  [0x0600, 0x0605],
  [0x061c, 0x061c],
  [0x06dd, 0x06dd],
  [0x070f, 0x070f],
  [0x0890, 0x0891],
  [0x08e2, 0x08e2],
  [0x115f, 0x1160],
  [0x17b4, 0x17b5],
  [0x180b, 0x180f],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0x2800, 0x2800],
  [0x3164, 0x3164],
  [0xd800, 0xf8ff],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
  [0xffa0, 0xffa0],
  [0xfff0, 0xfffb],
  [0x110bd, 0x110bd],
  [0x110cd, 0x110cd],
  [0x13430, 0x1343f],
  [0x16fe4, 0x16fe4],
  [0x1bca0, 0x1bca3],
  [0x1d159, 0x1d159],
  [0x1d173, 0x1d17a],
  [0xe0000, 0xe0fff],
  [0xf0000, 0x10ffff],
];

function classOf(ranges: ReadonlyArray<readonly [number, number]>): string {
  const hex = (code: number): string => `\\u{${code.toString(16)}}`;
  return ranges.map(([first, last]) => `${hex(first)}-${hex(last)}`).join('');
}

const INVISIBLE = new RegExp(`([${classOf(RANGES)}])`, 'gu');

/** Of use in ordinary text: joiners and variation selectors of emoji and of many scripts, icons of fonts, signs of
 * Arabic, Syriac and Kaithi that can be seen. */
const ORDINARY = new Set([
  0x0600, 0x06dd, 0x070f, 0x0890, 0x08e2, 0x200c, 0x200d, 0xfe00, 0xd800, 0xf0000, 0x110bd, 0x110cd,
]);

const DECEIVING = new RegExp(
  `[${classOf(
    RANGES.filter(([first]) => !ORDINARY.has(first)).flatMap(([first, last]) =>
      first === 0x200b ? [[0x200b, 0x200b] as const, [0x200e, 0x200f] as const] : [[first, last] as const],
    ),
  )}]`,
  'gu',
);

/** For texts that are read: what would deceive the reader is replaced. Emoji and scripts that need joiners stay whole, and
 *  so does the end of a line as HTTP and Windows write it. */
export function plain(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(DECEIVING, '\ufffd');
}

export interface Part {
  readonly text: string;
  /** It stands for a character that can't be seen. */
  readonly hidden: boolean;
}

/** For texts that a person decides on: each character that can't be seen is written out, `‹U+200B›`. */
export function revealed(text: string): readonly Part[] {
  return text.split(INVISIBLE).flatMap((part, i): readonly Part[] => {
    if (part === '') return [];
    const hidden = i % 2 === 1;
    const code = (part.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    return [{ text: hidden ? `‹U+${code}›` : part, hidden }];
  });
}

export function countInvisible(text: string): number {
  return text.match(INVISIBLE)?.length ?? 0;
}
