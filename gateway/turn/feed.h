/* gateway/turn/feed.h: from which worker a turn that is followed here, and driven elsewhere, comes
 * live (a brain: no socket, clock or Redis).
 *
 * The store's answers name who holds the turn. A worker with a link to here is asked to send its
 * events (FOLLOW) until nobody follows any more; without one the followers ask the store.
 *
 *   NONE   nobody sends: it is queued, held by one without a link, or over; held → ASKED
 *   ASKED  FOLLOW was sent; FOLLOWING → LIVE; DONE, or the link's end → NONE
 *   LIVE   its events come; DONE, or the link's end → NONE; held by another, later → ASKED
 *
 * A worker is a name for its link here: never looked into. Plain data, nothing to free. */
#ifndef GATEWAY_TURN_FEED_H
#define GATEWAY_TURN_FEED_H

#include <stdbool.h>
#include <stdint.h>

struct dispatch_worker;

#define FEED_STATES(X) X(NONE) X(ASKED) X(LIVE)
enum feed_state {
#define X(name) FEED_##name,
    FEED_STATES(X)
#undef X
};
const char *feed_state_name(enum feed_state s);

struct feed {
    enum feed_state state;
    struct dispatch_worker *worker; /* NULL: NONE */
    uint32_t epoch;                 /* under which that worker runs the turn, or was believed to */
    int64_t asked_ms;               /* ASKED: since when */
};

/* What is to be done: FOLLOW to one, UNFOLLOW to another; each may be NULL. */
struct feed_wish {
    struct dispatch_worker *follow, *unfollow;
};

/* Facts. */
/* The store says who runs it under this epoch; worker NULL: nobody with a link to here. */
struct feed_wish feed_held(struct feed *f, struct dispatch_worker *worker, uint32_t epoch,
                           int64_t now_ms);
/* These are true when they are of the worker that was asked, and of no earlier epoch: what others
 * say does not count. */
bool feed_following(struct feed *f, const struct dispatch_worker *from, uint32_t epoch);
bool feed_event(const struct feed *f, const struct dispatch_worker *from, uint32_t epoch);
/* epoch 0: it has no such turn. True: the feed has ended. */
bool feed_done(struct feed *f, const struct dispatch_worker *from, uint32_t epoch);
bool feed_lost(struct feed *f, const struct dispatch_worker *worker); /* its link has ended */
/* Nobody follows any more, or it is driven here now, or its final event has come: whom to tell, or
 * NULL. */
struct dispatch_worker *feed_stop(struct feed *f);

#endif
