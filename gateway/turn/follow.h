/* gateway/turn/follow.h: what goes to this client next (a brain: no socket, clock or Redis).
 *
 * A live client, a slow one, a reconnected one and a second tab are one struct follow: a cursor. It
 * takes what is past its cursor from the turn's live tail where that reaches, else from what was
 * read from the store. Events are chunks: framed bytes, counted by reference, so that one in the
 * middle of being written outlives its place in the tail. */
#ifndef GATEWAY_TURN_FOLLOW_H
#define GATEWAY_TURN_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/buf.h"
#include "common/list.h"
#include "proto/event.h"

struct chunk { /* one event as it goes out: "id: E-S\ndata: …\n\n" */
    struct event_at at;
    uint32_t refs, len;
    bool final;
    char bytes[];
};
struct chunk *chunk_new(struct event_at at, bool final, struct str payload); /* refs 1 */
struct chunk *chunk_new_last(struct str payload); /* ends a stream without being of the turn: it has
                                                     no id, so none repeats */

/* The last events of a turn, without gaps, in a ring of bounded bytes: those that Redis lacks, and
 * those that a follower was not given yet. */
struct tail {
    struct chunk **ring;
    unsigned first, count, size; /* size: a power of two */
    size_t bytes, bytes_max;
    bool based;             /* it is known where it begins: also while it is empty: */
    struct event_at base;   /* the event before its first one. Seq 0: the end of earlier epochs */
    struct event_at stored; /* Redis has everything up to this one */
};
void tail_init(struct tail *t, size_t bytes_max);
void tail_free(struct tail *t);
/* Empty: followers read from the store until they reach what comes next */
void tail_reset(struct tail *t);
/* What comes next is after `at`, and everything up to it is stored. What the tail has stays if it
 * goes on from there; else it is emptied first. */
void tail_from(struct tail *t, struct event_at at);
void tail_stored(struct tail *t, struct event_at at); /* Redis has everything up to this one */
/* Appends. What does not follow on the last event (a gap; the first of a later epoch does follow)
 * empties the tail first. An event at or before the last one is dropped: false. */
bool tail_add(struct tail *t, struct chunk *take_chunk);
/* Would this one follow on what it has? */
bool tail_follows(const struct tail *t, struct event_at at);
/* Forgets what Redis has, up to `given`, which all followers were given already; the last one
 * stays. */
void tail_trim(struct tail *t, struct event_at given);
/* Where it begins, if all up to there is stored; else 0-0. */
struct event_at tail_sound(const struct tail *t);
const struct chunk *tail_last(const struct tail *t);

enum follow_state {
    FOLLOW_LIVE,    /* its next event is in the tail, or will be */
    FOLLOW_BEHIND,  /* its next event is not in the tail: the store must be asked */
    FOLLOW_READING, /* the store was asked */
    FOLLOW_OVER,    /* the final event was given out, and nothing is known to be behind it */
};
struct follow {
    enum follow_state state;
    struct event_at cursor; /* the last event that was given out whole or is being given out */
    struct event_at passed; /* all that there is up to this one was given out, or is in `read` */
    struct event_at asked;  /* READING: where the tail soundly began when the store was asked */
    struct chunk *current;  /* being given out: offset bytes of it have gone */
    size_t offset;
    struct list read; /* of follow_read_chunk: what the store gave */
    size_t read_bytes;
    int64_t ask_ms; /* BEHIND: ask the store not before */
};
void follow_init(struct follow *f, struct event_at cursor, const struct tail *t);
void follow_free(struct follow *f);

/* Facts. */
/* The store is being asked for what is after the cursor; sound: tail_sound, at that time. */
void follow_asked(struct follow *f, struct event_at sound);
/* It gave this event; those not after what is known are dropped, and all once it is over */
void follow_got(struct follow *f, struct chunk *take_chunk);
#define FOLLOW_ANSWERS(X)                                                                          \
    X(FAILED) /* it did not answer, or told of an error */                                         \
    X(MORE)   /* there is more to be read */                                                       \
    X(WHOLE)  /* that was all that it has */
enum follow_answer {
#define X(name) FOLLOW_##name,
    FOLLOW_ANSWERS(X)
#undef X
};
/* has: the turn's present epoch there, and the last seq of it. If it has no more now and the tail
 * doesn't reach, it is asked again at now_ms + wait_ms. */
void follow_answered(struct follow *f, const struct tail *t, enum follow_answer how,
                     struct event_at has, int64_t now_ms, int64_t wait_ms);
/* Decisions. */
bool follow_must_ask(struct follow *f, const struct tail *t,
                     int64_t now_ms); /* also notices that the tail has moved past it */
size_t follow_fill(struct follow *f, const struct tail *t, char *dst,
                   size_t cap); /* the next bytes for the client; 0: none now */
/* The same, event by event, for one that says them in another way: the next chunk whole, to be
 * given back to follow_given; NULL: none now. Not to be mixed with follow_fill. */
struct chunk *follow_next(struct follow *f, const struct tail *t);
void follow_given(struct follow *f, const struct tail *t, struct chunk *take_chunk);
/* Before it is given back: does the stream end with it? A turn_awaiting_input that was decided does
 * not end it. */
bool follow_ends_with(const struct follow *f, const struct tail *t, const struct chunk *c);
/* What is behind "data: " of it. */
struct str chunk_payload(const struct chunk *c);
bool follow_over(const struct follow *f);
/* LIVE, and past all that the tail has: another gateway gave it out first, or its client made it
 * up. */
bool follow_is_ahead(const struct follow *f, const struct tail *t);
/* BEHIND with this cursor and nothing to give out: it wants to know what the store has after it. */
bool follow_waits_at(const struct follow *f, struct event_at cursor);

#endif
