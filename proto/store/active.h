/* proto/store/active.h: the janitors' list: turns that are begun and not over: see answer.h. */
#ifndef PROTO_STORE_ACTIVE_H
#define PROTO_STORE_ACTIVE_H

#include "proto/store/answer.h"

/* True of a turn that need not be looked at. */
typedef bool store_turn_fn(void *arg, struct id turn);
/* → turns begun and not over, at most max, oldest first; the next call goes on where this one
 * ended, so that each has its turn however many wait: the janitors' list. Entries whose turn is
 * over are removed on the way. Each that skip (NULL: none; called with arg) is not true of costs
 * Redis a script. */
uint64_t store_turn_active(struct store *s, unsigned max, store_turn_fn *skip, store_fn *fn,
                           void *arg);
/* For the operator, whosever it is. → turn. ERR_TURN_NOT_FOUND, ERR_EVENTS_EXPIRED */
uint64_t store_turn_look(struct store *s, struct id session, struct id turn, store_fn *fn,
                         void *arg);

#endif
