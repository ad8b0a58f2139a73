/* worker/tools/prometheus/words.h: what a person's question looks for in the names of metrics: its
 * words, their stems, and what the trade calls them (words.def, also of a few other languages).
 * Pure. Plain data: embed it, nothing to free. */
#ifndef WORKER_TOOLS_PROMETHEUS_WORDS_H
#define WORKER_TOOLS_PROMETHEUS_WORDS_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"

enum {
    WORDS_MAX = 128,       /* all that is looked for */
    WORDS_GROUPS_MAX = 16, /* words or phrases of the question */
    WORDS_STEM_MAX = 23,
    WORDS_QUESTION_MAX = 1000, /* bytes of the question that are read */
    WORDS_STARTS = 1024,
    WORDS_TEXT_MAX = 2 * WORDS_QUESTION_MAX + 8, /* of words_normalise */
};
struct word {
    char stem[WORDS_STEM_MAX + 1];
    uint8_t len, group;
    uint8_t next; /* one more than the next word that begins like it; 0: none */
    float weight; /* 1: the person's own; less: what it may be called */
};
struct words {
    struct word words[WORDS_MAX];
    unsigned count, group_count;
    char own[WORDS_GROUPS_MAX]
            [WORDS_STEM_MAX + 1]; /* each group's, as it was written; "": a phrase */
    uint8_t first[WORDS_STARTS];  /* by words_start: one more than a word's index; 0: none */
    bool wants_distribution;      /* it asks for a percentile, a median, a distribution */
    bool wants_rate;              /* … for something per second */
};
void words_read(struct words *w, struct str question);
/* Lower case, words and numbers between blanks, signs gone; at most WORDS_TEXT_MAX bytes. */
void words_normalise(struct str text, struct buf *b);
/* A group whose words are nowhere: what it may have meant, by the words of the trade that are
 * written nearly like it. False: nothing comes near. */
bool words_respell(struct words *w, unsigned group);
/* Written nearly alike? Both begin with the same letter. */
bool words_near(struct str a, struct str b);

/* The stem of a word in lower case letters, at most WORDS_STEM_MAX bytes of it; its length. */
size_t words_stem(struct str word, char stem[WORDS_STEM_MAX + 1]);
/* The next part of a metric's name, in lower case; digits at its end are a part of their own.
 * False: there is none. */
bool words_part(struct str *rest, struct str *part);
/* Of the first two bytes in lower case. */
static inline unsigned words_start(const char *word, size_t len)
{
    unsigned a = (unsigned char)word[0] | 32, b = len > 1 ? (unsigned char)word[1] | 32 : 0;
    return (a * 31 + b) % WORDS_STARTS;
}

#endif
