/* common/hex.h: hexadecimal digits. */
#ifndef COMMON_HEX_H
#define COMMON_HEX_H

#include <stdint.h>
#include "common/str.h"

int hex_digit(char c); /* the value of a digit of either case; -1: it is none */
/* Of lower case only: the bytes of text, two digits each, to out[text.len / 2]. False: others. */
bool hex_read(struct str text, uint8_t *out);
/* In lower case, NUL-terminated: out has room for 2 * len + 1. */
void hex_write(const uint8_t *bytes, size_t len, char *out);

#endif
