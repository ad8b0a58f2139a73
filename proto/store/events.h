/* proto/store/events.h: a turn's events, read past a cursor: see answer.h. */
#ifndef PROTO_STORE_EVENTS_H
#define PROTO_STORE_EVENTS_H

#include "proto/store/answer.h"

/* → events after `after` in order, at most max_bytes (at least one), more, turn (state, last).
 * ERR_EVENTS_EXPIRED when the turn is over and its stream gone, ERR_HISTORY_LOST when `after` is
 * ahead of what is stored and the turn is over, or a later epoch has begun since that was lost. The
 * owner was checked by store_turn_get. */
uint64_t store_events_read(struct store *s, struct id session, struct id turn,
                           struct event_at after, uint32_t max_bytes, store_fn *fn, void *arg);

#endif
