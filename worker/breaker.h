/* worker/breaker.h: does a provider answer at all (brain)? One for each account; it keeps calls
 * away from one that doesn't, so that they fail over at once and it is not pressed while it
 * recovers.
 *
 *   CLOSED  failures in a row reach BREAKER_FAILURES → OPEN for a while
 *   OPEN    its time is up → one call may go as a PROBE, the others wait on
 *   PROBE   success → CLOSED; failure, or no word for BREAKER_PROBE_MS → OPEN, for twice as long
 *
 * While only one owner's calls failed (a question of his that breaks the model, a query that takes
 * for ever?), it is open to him alone. Another's failure opens it to all, for BREAKER_OPEN_MS.
 *
 * Pure: the caller brings now_ms and acts on the answer. Plain data: embed it, nothing to free. */
#ifndef WORKER_BREAKER_H
#define WORKER_BREAKER_H

#include <stdbool.h>
#include <stdint.h>
#include "common/str.h"

#define BREAKER_STATES(X) X(CLOSED) X(OPEN) X(PROBE)
enum breaker_state {
#define X(name) BREAKER_##name,
    BREAKER_STATES(X)
#undef X
};
const char *breaker_state_name(enum breaker_state s);

enum {
    BREAKER_FAILURES = 5,
    BREAKER_OPEN_MS = 2000, /* at first; doubled with each failed probe */
    BREAKER_OPEN_MS_MAX = 60000,
    BREAKER_PROBE_MS = 30000,
};
struct breaker {
    enum breaker_state state;
    uint32_t failures; /* in a row */
    int64_t open_ms;   /* how long it was opened last */
    int64_t until_ms;  /* OPEN: until then; PROBE: word is waited for until then */
    uint64_t blamed;   /* the only owner whose calls failed; 0: several, or who is not known */
};
/* An owner, as the following take him. */
uint64_t breaker_owner(struct str name);
/* All zero is a closed one. */
void breaker_succeeded(struct breaker *b); /* fact */
/* Fact. owner 0: not one owner's. */
void breaker_failed(struct breaker *b, uint64_t owner, int64_t now_ms);
/* Is it open, or probed, and to this owner? */
bool breaker_is_against(const struct breaker *b, uint64_t owner);
/* Decision: 0: go (a probe, if it was open to him). Else the ms to wait before asking again. */
int64_t breaker_wait_ms(struct breaker *b, uint64_t owner, int64_t now_ms);

#endif
