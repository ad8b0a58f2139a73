/* proto/store/quota.h: what all processes share beside conversations, in Redis: how much of a
 * model's budget was used, what a provider's key allows, how many turns a person has running.
 *
 * Operations of the store (answer.h): one call number, one answer, answer->quota. Each may be sent
 * again with the same arguments. What is reserved stays counted until it is settled: a crash
 * forgets nothing. A turn of no id has no place: nothing is limited.
 *
 *   p:b:{SCOPE}:DAY   hash  tokens, cost (micro-dollars), c:TID (a turn's cost), r:ID (reserved)
 *   p:p:{KEY}         hash  rat, tat (when the next request, the next token may go), blocked,
 *                           pace (ms between two, after a refusal), paced (since), round, asked
 *   p:p:{KEY}:c       zset  calls under way by the end of their lease
 *   p:p:{KEY}:q       zset  calls in line by their place;  :x  by when they have left it
 *   p:p:{KEY}:o       hash  persons in line: the round of their last call
 *   p:keys            hash  keys that were refused once: a model that uses it
 *   p:a:{OWNER}       zset  turns under way by the end of their lease
 *   p:a:{OWNER}:m     zset  turns begun in the last minute
 *   p:a:{OWNER}:b     hash  SID -> bytes that it takes and when that was noted; sum of them;
 *                           counted (when all were counted)
 */
#ifndef PROTO_STORE_QUOTA_H
#define PROTO_STORE_QUOTA_H

#include "proto/store/answer.h"

/* The budget of one scope ("o:" and an owner, or "all") on one day (of Unix time, UTC). */
struct quota_budget {
    struct str scope;
    unsigned day;
    uint64_t tokens_max, cost_max; /* 0: not limited */
    struct id turn;
    uint64_t turn_cost_max;
};
/* Reserves unless it is used up already: so it may be overspent by one step. → quota: verdict */
uint64_t quota_budget_begin(struct store *s, const struct quota_budget *b, struct id reservation,
                            uint64_t tokens, uint64_t cost, store_fn *fn, void *arg);
/* What was reserved becomes what was used. Settled before: nothing. */
void quota_budget_end(struct store *s, const struct quota_budget *b, struct id reservation,
                      uint64_t tokens, uint64_t cost);

/* What an owner has used on that day (its scope is not read); of no owner: its scope. → budget */
uint64_t quota_budget_read(struct store *s, struct str owner, const struct quota_budget *b,
                           store_fn *fn, void *arg);

struct quota_key {
    struct str key;                                              /* names it, is not it */
    struct str model;                                            /* one that uses it: for people */
    uint32_t requests_per_minute, tokens_per_minute, concurrent; /* 0: not limited */
};
enum { QUOTA_ASK_AGAIN_MS = 15000 };
enum quota_place {
    QUOTA_NEW,
    QUOTA_IN_LINE,
    QUOTA_AGAIN, /* it was at the provider a moment ago, which did not do it: before all others, and
                    without waiting for the line's pace, unless the key is blocked */
};
/* May a call of this many tokens go? OK: yes, it is counted for lease_ms. WAIT: in about wait_ms;
 * its place in line is kept: ask again then, as IN_LINE, and within QUOTA_ASK_AGAIN_MS, since the
 * line may move faster. One person's calls, however many, are before another's by one at most.
 * open: nothing limits the key, no refusal is remembered: the call is not counted, needs no end but
 * to tell of a refusal, and for a while others may go without asking.
 * NEVER: not within patience_ms; its place is given up. Of one in line patience_ms is what is left
 * of it. */
uint64_t quota_key_begin(struct store *s, const struct quota_key *k, struct str owner,
                         struct id call, enum quota_place place, uint64_t tokens,
                         int64_t patience_ms, int64_t lease_ms, store_fn *fn, void *arg);
/* The call goes on: it is counted for lease_ms from now. */
void quota_key_hold(struct store *s, const struct quota_key *k, struct id call, int64_t lease_ms);
/* The call is over, or leaves the line. tokens: more (or fewer) than were asked for; block_ms:
 * how long nobody shall use the key, and then not as fast. lease_ms: as it was begun with; age_ms:
 * how long ago that was, of one that was not counted. */
void quota_key_end(struct store *s, const struct quota_key *k, struct id call, int64_t tokens,
                   int64_t block_ms, int64_t lease_ms, int64_t age_ms);

/* Lifts what refusals have blocked, of every key that ever was. → keys: what was left of it. */
struct quota_blocked {
    struct str key, model;
    int64_t left_ms; /* 0: it was not blocked */
};
uint64_t quota_keys_reset(struct store *s, store_fn *fn, void *arg);

/* May this turn of theirs begin? b: their budget today. OK: it has a place for lease_ms, as it is
 * held; WAIT: too many at once or a minute (per_minute 0: it is none of those that were begun in
 * it), wait_ms until it may be asked again; TOKENS, COST:
 * until tomorrow; BYTES: they keep as much as they may (store_config). */
uint64_t quota_turn_begin(struct store *s, struct str owner, struct id turn, uint32_t at_once,
                          uint32_t per_minute, int64_t lease_ms, const struct quota_budget *b,
                          store_fn *fn, void *arg);
/* Of a message beside its texts, as Redis holds it: prelude.lua has the same. */
enum { QUOTA_MESSAGE_BYTES = 128 };
/* Who holds the turn keeps its place; when all that hold it are gone, it is free by itself. */
void quota_turn_hold(struct store *s, struct str owner, struct id turn, int64_t lease_ms);
void quota_turn_end(struct store *s, struct str owner, struct id turn);
/* The same, and what its session has now: in one script. */
void quota_turn_end_note(struct store *s, struct str owner, struct id turn, struct id session,
                         int64_t bytes);

#endif
