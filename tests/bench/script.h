/* tests/bench/script.h: what the scripted model says: a text that model and load client both
 * compute, so that every stream can be compared byte for byte, wherever it was split, merged or
 * stored on its way.
 *
 * A request asks for it by a word in its prompt, "bench-500x50-17": 500 tokens, 50 a second (0: as
 * fast as the sockets take them), text number 17. Each token is a stamp, '@' and 12 hex digits of
 * CLOCK_MONOTONIC in µs when it was sent (both ends run on one machine, so receive - stamp is its
 * delay), and a word chosen by (seed, index).
 */
#ifndef BENCH_SCRIPT_H
#define BENCH_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCRIPT_STAMP_BYTES 13 /* '@' and 12 hex digits */
#define SCRIPT_WORD_MAX 40    /* of a word, plain or as JSON */
#define SCRIPT_TOKENS_MAX 1000000u
#define SCRIPT_RATE_MAX 1000u

struct script {
    uint32_t tokens;
    uint32_t rate; /* tokens a second; 0: full speed */
    uint32_t seed;
};

/* The last marker in these bytes: a conversation's newest question counts. */
bool script_find(const char *bytes, size_t len, struct script *out);

/* The word of token `index`, plain and as it stands inside a JSON string. Returns bytes written. */
size_t script_word(const struct script *s, uint32_t index, char out[SCRIPT_WORD_MAX]);
size_t script_word_json(const struct script *s, uint32_t index, char out[SCRIPT_WORD_MAX]);

void script_stamp(uint64_t now_us, char out[SCRIPT_STAMP_BYTES]);
uint64_t script_now_us(void);

#endif
