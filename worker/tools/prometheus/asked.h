/* worker/tools/prometheus/asked.h: what a question wants of a metric: its rate, the most of it, a
 * percentile, what is left of it, in which window, in which unit; by how people say it in a few
 * languages (asked.def). Pure. Plain data: embed it, nothing to free. */
#ifndef WORKER_TOOLS_PROMETHEUS_ASKED_H
#define WORKER_TOOLS_PROMETHEUS_ASKED_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"
#include "worker/tools/prometheus/phrases.h"
#include "worker/tools/prometheus/words.h"

enum wish {
#define WISH(name, words) WISH_##name,
#define UNIT(seconds, words)
#define NUMBER(value, words)
#include "worker/tools/prometheus/asked.def"
#undef WISH
#undef UNIT
#undef NUMBER
    WISHES
};
_Static_assert(WISHES <= 64, "bits of struct asked");
struct asked {
    const struct words *words; /* borrowed: of the question */
    char said[WORDS_TEXT_MAX]; /* words_normalise */
    struct letters letters;    /* those beside each other in it */
    uint64_t wishes;           /* bits */
    unsigned window_s;         /* "in the last hour"; 0: not said */
    unsigned minutes;          /* "five minutes", whatever of; 0: not said */
    unsigned percent;          /* of a percentile, in hundredths: 9500; 0: none */
    unsigned top;              /* "top 5"; 0: not said */
    bool root;                 /* "/" is meant, of a label that has it */
};
void asked_read(struct asked *a, const struct words *words, struct str question);
static inline bool asks(const struct asked *a, enum wish wish) { return a->wishes >> wish & 1; }
/* Where a word or phrase stands in the question, in the form of asked.def; NULL: nowhere. */
const char *asked_at(const struct asked *a, struct str phrase);
const char *asked_wish(const struct asked *a, enum wish wish);
/* The same, of any of those that blanks separate. */
const char *asked_any(const struct asked *a, const char *words);

#endif
