// A key that is for what writes Chinese, Japanese and the like, not for the page.
import type { KeyboardEvent } from 'react';

/** What Safari says of the Enter that ends a word, which it no longer counts to the writing of it. */
const KEY_OF_COMPOSING = 229;

export function isComposing({ nativeEvent }: KeyboardEvent): boolean {
  return nativeEvent.isComposing || nativeEvent.keyCode === KEY_OF_COMPOSING;
}
