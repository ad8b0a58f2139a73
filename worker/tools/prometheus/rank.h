/* worker/tools/prometheus/rank.h: which metrics of a catalog fit what a person asks, best first.
 * Pure.
 *
 * The words of the question (words.h) are looked for in the parts of names, in units and in help
 * texts. One that few names of this catalog have weighs more, and so does what is queried here
 * already (rank_known). A word that fits nowhere is taken as misspelt, once. The series of one
 * histogram or summary are one hit. Sliced: a step takes below 2 ms, 100,000 names below 20 ms in
 * all. Of a catalog with more than RANK_HELPS_MAX metrics no help texts are read. */
#ifndef WORKER_TOOLS_PROMETHEUS_RANK_H
#define WORKER_TOOLS_PROMETHEUS_RANK_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"
#include "worker/tools/prometheus/catalog.h"
#include "worker/tools/prometheus/words.h"

enum {
    RANK_KNOWN_MAX = 64,
    RANK_USED_MAX = 512,
    RANK_HITS_MAX = 500,
    RANK_TOP_MAX = 3 * RANK_HITS_MAX, /* a family has up to three series */
    RANK_SLICE = 4096,
    RANK_HELPS_MAX = 20000,
};
struct rank_found;
struct rank_hit {
    uint32_t metric; /* of the catalog; of a family its base where that is a series, else any */
    float score;
    bool family; /* a histogram's or a summary's: its other series stand behind this hit */
    bool known;
};
struct rank {
    struct words words;
    uint32_t names[WORDS_MAX], helps[WORDS_MAX]; /* that have the word */
    float idf[WORDS_MAX];
    uint32_t fuzzy, letters; /* bits: groups that are misspelt, and what they begin with */
    uint32_t known[RANK_KNOWN_MAX];
    unsigned known_count;
    uint32_t used[RANK_USED_MAX]; /* sorted */
    unsigned used_count;
    struct rank_found *found; /* names that any word fits */
    uint32_t found_count, found_cap, at, weighed;
    struct rank_top {
        float score;
        uint32_t found;
    } top[RANK_TOP_MAX]; /* a heap */
    unsigned top_count;
    bool respelt;
};
void rank_init(struct rank *r, struct str question);
void rank_free(struct rank *r);
/* This metric was queried in the conversation before, or is by a panel that the person added: it
 * fits though no word of the question does. One that is not in the catalog is nothing. */
void rank_known(struct rank *r, const struct catalog *c, struct str name);
/* It is queried by a rule or a dashboard: people here look at it. */
void rank_used(struct rank *r, const struct catalog *c, struct str name);
bool rank_step(struct rank *r, const struct catalog *c); /* true: more to do */
/* When all steps are done: at most max (RANK_HITS_MAX) of them, best first. total: of all that fit,
 * each series of a family counted; may be NULL. */
unsigned rank_best(struct rank *r, const struct catalog *c, struct rank_hit *hits, unsigned max,
                   uint32_t *total);
/* How many words of the question are in this text and not in the name already, as they were
 * written: of labels, for who has them. */
unsigned rank_says(const struct rank *r, struct str text, struct str name);
/* The histogram or summary that this would be a series of, by its suffix; else the name. */
struct str rank_family(struct str name);

#endif
