/* tests/bench/verify.h: compares a stream's text with its script as it comes, byte for byte,
 * however it was split or merged. */
#ifndef BENCH_VERIFY_H
#define BENCH_VERIFY_H

#include "tests/bench/hist.h"
#include "tests/bench/script.h"

struct verify {
    struct script script;
    uint32_t index;        /* the token we are in */
    uint32_t at, word_len; /* the byte of it that comes next; of its word */
    uint64_t stamp_us;     /* of the newest token */
    uint64_t hash;         /* of all bytes, stamps too: equal hashes, equal streams */
    bool bad;
    char word[SCRIPT_WORD_MAX];
};

void verify_init(struct verify *v, const struct script *s);

/* Plain bytes of the text. Each whole stamp adds now - stamp to `delay`, which may be NULL. */
void verify_text(struct verify *v, const char *bytes, size_t len, uint64_t now_us,
                 struct hist *delay);
bool verify_whole(const struct verify *v); /* all of the script, nothing else */

/* Decodes the JSON string that starts at p, after its quote, to out; NULL when it is not one or too
 * long. Returns where it ended, at the closing quote. */
const char *json_string(const char *p, const char *end, char *out, size_t max, size_t *len);

/* The bytes after this key, e.g. "\"text\":\"", or NULL. */
const char *json_after(const char *p, const char *end, const char *key);

#endif
