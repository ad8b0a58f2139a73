/* worker/tools/prometheus/phrases.h: hundreds of words and phrases that are looked for in one short
 * text. By how they begin, a text is walked once for all of them; and what has two letters beside
 * each other that the text has not is not looked for at all. Texts are those of words_normalise.
 * Pure. Plain data, filled once, from a table: nothing to free. */
#ifndef WORKER_TOOLS_PROMETHEUS_PHRASES_H
#define WORKER_TOOLS_PROMETHEUS_PHRASES_H

#include <stdbool.h>
#include <stdint.h>
#include "common/str.h"

enum {
    PHRASES_MAX = 1024,
    PHRASES_STARTS = 4096, /* by their first PHRASE_START bytes */
    PHRASE_START = 3,
    LETTERS_PAIRS = 4096,
};
struct phrase {
    struct str said;     /* borrowed; a _ in it is a blank */
    bool before, behind; /* a blank stands there */
    uint16_t row, next;  /* next: one more than that of the next that begins like it; 0: none */
};
struct phrases {
    struct phrase all[PHRASES_MAX];
    unsigned count;
    uint16_t first[PHRASES_STARTS]; /* one more than a phrase's index */
};
typedef uint64_t phrases_found[PHRASES_MAX / 64]; /* bits */

/* As words.def and asked.def write them: "a", "a_b", "a*" is how a word begins, and what is written
 * without blanks is found anywhere. said is not empty. */
struct phrase phrase_of(struct str said);
/* Found anywhere, as it is. */
struct phrase phrase_part(struct str said);
size_t phrase_len(const struct phrase *p); /* with its blanks; PHRASE_START at least */
/* From its first blank or letter on; NULL: it is not there. */
const char *phrase_find(const struct phrase *p, struct str text);

void phrases_add(struct phrases *all, struct phrase p, unsigned row);
/* Adds those that are in the text. */
void phrases_find(const struct phrases *all, struct str text, phrases_found found);
/* The first bit from there on; max: there is none. */
unsigned phrases_next(const uint64_t *bits, unsigned from, unsigned max);

/* Which letters stand beside each other in a text. */
struct letters {
    uint64_t bits[LETTERS_PAIRS / 64];
};
void letters_add(struct letters *l, struct str text);
/* False: it is nowhere in the text. */
bool letters_may_have(const struct letters *l, const struct phrase *p);

#endif
