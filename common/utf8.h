/* common/utf8.h: characters of UTF-8, and which of them no eye sees. */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the well-formed character at `at`, whose first byte is no ASCII, of the left > 0 that
 * are there; 0: there is none (RFC 3629: no overlong forms, surrogates, nothing past U+10FFFF). */
size_t utf8_len(const unsigned char *at, size_t left);
/* The bytes of a code point up to U+10FFFF; how many. Halves of pairs are the caller's to
 * replace. */
size_t utf8_encode(uint32_t c, char out[static 4]);
/* One character at `at`, of the left > 0 bytes that are there; its length by len. Not well-formed:
 * U+FFFD, length 1. */
uint32_t utf8_decode(const unsigned char *at, size_t left, size_t *len);
/* What no eye sees: it could hide instructions or turn a text's order around. With what is below a
 * blank, tab and line feed aside, it is proto/golden/invisible.txt, as the plugin's list is. */
bool utf8_invisible(uint32_t c);

#endif
