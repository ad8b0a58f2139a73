/* common/word.h: eight bytes at a time, for what looks at every byte of a token. */
#ifndef COMMON_WORD_H
#define COMMON_WORD_H

#include <stdint.h>
#include <string.h>

static inline uint64_t word_at(const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

/* A word whose every byte has this value. */
#define EACH_BYTE(value) (~(uint64_t)0 / 255 * (value))
/* Not zero when some byte of the word is zero (exact for "some"; which one doesn't matter). */
#define ZERO_BYTE(word) (((word)-EACH_BYTE(1)) & ~(word)&EACH_BYTE(0x80))

#endif
