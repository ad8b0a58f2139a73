/* worker/turn/claims.h: are the numbers that an answer states those that were read? Pure.
 *
 * What is known: the numbers of the results (and of the question and the calls), and how many items
 * their lists have. A number of the answer is supported when one of these, scaled by the unit that
 * is written behind it (GB is 10^9 or 2^30, ms, %, k …), is the same within the digits that are
 * written; or when it is a difference, sum, ratio or mean of numbers that are stated and
 * supported, or counts some of a list that is stated to have as many as it has. "6h 56m" is one
 * number, "50, 70 and 30 MiB" are three of one unit. Times, dates, versions, names (p95, node1),
 * ordinals, numbered lists and code are no claims. Words are numbers, too ("two targets are down",
 * "zwölf", "dos", "两个"; spelt.h): how many there are of a list's rows, by their value or a label;
 * held against results of queries alone.
 * Memory: claims_free. */
#ifndef WORKER_TURN_CLAIMS_H
#define WORKER_TURN_CLAIMS_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"

enum {
    CLAIMS_NUMBERS_MAX = 50000,
    CLAIM_TEXT_MAX = 40,
    CLAIMS_COUNTS_MAX = 16,
    CLAIMS_ROWS_MAX = 6
};

struct claims_numbers {
    double *at;
    unsigned count, cap;
    bool sorted;
};
struct claims {
    struct claims_numbers numbers, plain; /* plain: without those of times, names and labels */
    uint64_t same[4]; /* how many of a list are alike (a bit each): in their value or a label */
    uint64_t over[4]; /* … or are above or below another of it */
    bool partial;     /* a result says that it is not all there is */
    double counts[CLAIMS_COUNTS_MAX]; /* … but how many there are: who states that hides nothing */
    unsigned count_count;
    bool unsaid;                     /* … and not how many there are */
    double sizes[CLAIMS_COUNTS_MAX]; /* of results' lists */
    unsigned size_count;
    double rows[CLAIMS_ROWS_MAX]; /* values of results, as long as they are few */
    unsigned row_count;
    bool bits;               /* a query gives bits, not bytes */
    unsigned queries, empty; /* results that have series, or would have */
    unsigned compared;       /* … and have some although a comparison has sorted out the others */
};
void claims_free(struct claims *c);
/* A text that was read: its numbers are known. */
void claims_know(struct claims *c, struct str text);
/* A result: also how many items its lists have, and whether it is partial. */
void claims_know_result(struct claims *c, struct str content);

struct claim {
    char text[CLAIM_TEXT_MAX]; /* "3.4 GB" */
};
/* The claims of an answer that nothing supports, each once; how many were written to out. */
unsigned claims_unsupported(struct claims *c, struct str answer, struct claim *out, unsigned max);
enum claims_lack { CLAIMS_LACK_NOTHING, CLAIMS_LACK_PART, CLAIMS_LACK_ALL };
/* What the results lacked and the answer does not say: a part of the data, or all of it. It is said
 * in English, German, Spanish, Chinese or Japanese; that something is not so ("no errors") says
 * nothing of the data. */
enum claims_lack claims_conceals(const struct claims *c, struct str answer);
/* Does it say that data was missing or cut? */
bool claims_admits(struct str answer);

#endif
