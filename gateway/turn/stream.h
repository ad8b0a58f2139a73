/* gateway/turn/stream.h: followers: a client's event stream on a turn. Performs what follow.h
 * decides. */
#ifndef GATEWAY_TURN_STREAM_H
#define GATEWAY_TURN_STREAM_H

#include "gateway/auth/user.h"
#include "gateway/gateway.h"
#include "gateway/turn/feed.h"
#include "gateway/turn/follow.h"
#include "proto/store/store.h"

/* A turn as its followers see it: embedded in what drives it, which outlives them. */
struct followed {
    struct gateway *gateway;
    struct id session, turn;
    char owner[USER_MAX_BYTES];
    bool parted; /* it may be another's by now: the store knows whose */
    struct tail tail;
    struct feed feed;      /* of one that another gateway drives: feeds.h */
    struct list followers; /* of struct follower */
    struct list readers;   /* those of them for which the store is being asked */
    const struct followed_handler *handler;
};
struct http_stream; /* of common/http.h: of HTTP followers know this alone */
struct http_stream_handler;
struct followed_handler {
    void (*on_left)(struct followed *t); /* a follower is gone: maybe the last */
    /* The store was asked for events, and says this of the turn. */
    void (*on_told)(struct followed *t, const struct store_turn *told);
};
void followed_init(struct followed *t, struct gateway *g, struct id session, struct id turn,
                   struct str owner, const struct followed_handler *h);
void followed_free(struct followed *t); /* nobody may follow it any more */

struct streams;
struct streams *streams_new(struct gateway *g);
void streams_free(struct streams *s);
unsigned streams_count(const struct gateway *g);

/* A follower in two steps: it is made, an HTTP response is opened with stream_handler and it as
 * `arg`, and it begins with one of the two below. It is gone when the response is closed.
 * resumable: its client comes again with the last id that it has (a GET). */
struct follower;
extern const struct http_stream_handler stream_handler;
struct follower *stream_new(struct followed *t, struct event_at after, bool resumable);
/* read: what the store gave already of what is after, or NULL. */
void stream_begin(struct follower *f, struct http_stream *out, const struct store_answer *read);
/* Its one event is this error: what is asked for can't be told truly. */
void stream_refuse(struct follower *f, struct http_stream *out, enum err why);

/* A door: it says a turn's events in its own words. Both before stream_begin. */
struct stream_door {
    /* The next event, as the payload of event.h: what its client is told goes to out. Not of a
     * turn_awaiting_input behind which more is known: that yes is waited for no more. */
    void (*on_event)(void *arg, struct str payload, struct buf *out);
    /* The last call. whole: the turn's final event was given out; else the client left, or the
     * gateway ends. Of a follower without a stream (stream_collect) out has what was written. */
    void (*on_end)(void *arg, bool whole, struct buf *out);
};
enum { STREAM_DOOR_BYTES_MAX = 16 << 20 };
void stream_speak(struct follower *f, const struct stream_door *door, void *arg);
/* Without a response: all that the door writes is collected until its end. From within the loop's
 * callbacks; door->on_end comes later, or stream_leave is called. */
void stream_collect(struct follower *f, const struct store_answer *read);
void stream_leave(struct follower *f); /* of one that collects: on_end comes, not whole */

/* The store has lost what came after `last`: followers that have seen more are told so. */
void stream_lost(struct followed *t, struct event_at last);
void stream_wake(struct followed *t); /* its tail has grown */
/* It begins elsewhere, or is empty: who waits to ask the store asks now. */
void stream_hurry(struct followed *t);
/* What all of its followers were given already; the end of time when it has none. */
struct event_at stream_given(const struct followed *t);
/* Drain: end the resumable ones (or all): their clients come again elsewhere. */
void streams_end(struct gateway *g, bool all);
/* Of this owner (store_owner_is): whose client comes again is asked who it is. */
void streams_end_of(struct gateway *g, struct str parted);

#endif
