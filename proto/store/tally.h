/* proto/store/tally.h: what people used, by day (UTC), person and model, for administrators: see
 * answer.h. Counts for people to look at, gathered and told each two seconds: a crash loses what
 * was not told yet. Budgets (quota.h) are exact.
 *
 *   p:use:DAY   hash  OWNER \n MODEL -> the counters, in their order; both empty: all that were too
 *                     many for rows of their own; goes after TALLY_DAYS days */
#ifndef PROTO_STORE_TALLY_H
#define PROTO_STORE_TALLY_H

#include "proto/store/answer.h"

enum {
    TALLY_DAYS = 35,
    TALLY_ROWS_MAX = 2000, /* of a day */
    TALLY_TELL_MS = 2000,  /* many turns' rows in one script, instead of a script for each */
};
#define TALLY_COUNTERS(X)                                                                          \
    X(turns)                                                                                       \
    X(errors)                                                                                      \
    X(cancelled)                                                                                   \
    X(input_tokens)                                                                                \
    X(output_tokens)                                                                               \
    X(cost) /* millionths of a dollar */                                                           \
    X(good)                                                                                        \
    X(bad) /* answers, as people rate them at present */
struct tally {
#define X(name) int64_t name;
    TALLY_COUNTERS(X)
#undef X
};
struct store_tally {
    struct str owner, model;
    struct tally sums;
};
unsigned tally_today(void); /* days of Unix time */
/* more: may be negative, where something is taken back. Nobody waits for it. */
void tally_note(struct store *s, struct str owner, struct str model, const struct tally *more);
/* Tells what was noted, now: by who is about to end. */
void tally_tell(struct store *s);
/* → tallies, of one day, in no order. */
uint64_t tally_read(struct store *s, unsigned day, store_fn *fn, void *arg);

#endif
