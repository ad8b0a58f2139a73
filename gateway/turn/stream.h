/* gateway/turn/stream.h: followers: a client's event stream on a turn. Performs what follow.h
 * decides.
 */
#ifndef GATEWAY_TURN_STREAM_H
#define GATEWAY_TURN_STREAM_H

#include "gateway/turn/turns.h"

struct streams;
struct streams *streams_new(struct gateway *g);
void streams_free(struct streams *s);
unsigned streams_count(const struct gateway *g);

/* The call becomes a stream of the turn's events after `after`; read: what the store gave already,
 * or NULL. resumable: a GET. */
void stream_open(struct call *c, struct turn *t, struct event_at after,
                 const struct store_answer *read, bool resumable);
/* The call becomes a stream whose one event is this error: what is asked for can't be told truly.
 */
void stream_refuse(struct call *c, enum err why);
/* The store has lost what came after `last`: followers that have seen more are told so. */
void stream_lost(struct turn *t, struct event_at last);
void stream_wake(struct turn *t); /* its tail has grown, or its place changed */
/* What all of its followers were given already; the end of time when it has none. */
struct event_at stream_given(const struct turn *t);
void streams_end(
    struct gateway *g,
    bool all); /* drain: end the resumable ones (or all): their clients come again elsewhere */

#endif
