/* tests/sim/script.h: what the model has to say in each turn, and a record of what was seen of it.
 *
 * A turn is known by its id from its first event on. Each reply holds a number of its own, so that
 * two attempts at a step never say the same. The rules that one client alone can't see are here:
 * the same id is the same event for everybody, and what is final is in the store. */
#ifndef TESTS_SIM_SCRIPT_H
#define TESTS_SIM_SCRIPT_H

#include "proto/event.h"
#include "tests/sim/world.h"

enum {
    SCRIPT_TOLD_MAX = 64,
    SCRIPT_STORED_MAX = 16,
    SCRIPT_PIECES_MAX = 8,
    SCRIPT_PIECE = 24,
    SCRIPT_TURNS_MAX = 32,
    SCRIPT_TEXT = 200
};

struct script_reply {
    struct id turn;
    uint32_t step;
    char pieces[SCRIPT_PIECES_MAX][SCRIPT_PIECE];
    unsigned piece_count, call_count;
    int64_t pace_us;
    enum err fails;
    bool again;
    bool poison; /* kills who runs it */
};
/* last: no tools are offered, it has to answer. */
void script_reply(struct script_reply *out, struct id turn, uint32_t step, bool last);
void script_replied(const struct script_reply *r); /* it was said to its end */
void script_result(char *out, size_t size, struct id turn, struct str call_id);

struct script_said {
    uint32_t step;
    char text[SCRIPT_TEXT];
};
struct script_told {
    char piece[SCRIPT_PIECE];
    int64_t at_us;
};
struct script_stored {
    struct event_at last;
    int64_t at_us;
};
struct script_seen {
    struct event_at at;
    uint64_t hash;
    bool lasting; /* a step's or the turn's end: must be stored */
};
struct script_turn {
    struct id turn, session;
    unsigned rounds, calls; /* of tools */
    bool poison;            /* kills each worker that gets into it */
    bool breaks;            /* the model fails now and then */
    bool accepted, cancel_asked, ended;
    struct script_said *said;
    unsigned said_count, said_max;
    struct script_seen *seen;
    unsigned seen_count, seen_max;
    struct script_told told[SCRIPT_TOLD_MAX]; /* the last pieces that the model said */
    unsigned told_count;
    struct script_stored stored[SCRIPT_STORED_MAX]; /* the last moments at which that grew */
    unsigned stored_count;
    int64_t cancelled_us; /* when the first who asked for it was told that it will; 0: nobody */
};
void script_begin(void); /* of a world */
void script_end(void);
struct script_turn *script_turn(struct id turn); /* made when it is not known yet */
struct script_turn *script_at(unsigned i);       /* NULL: no more */
void script_poison(unsigned of_thousand);        /* how many turns are */
void script_break(unsigned of_thousand);
/* A client saw it. */
void script_see(struct script_turn *t, struct event_at at, bool lasting, struct str payload);
/* The model says a piece now; when it said the last one of this text: 0: not known any more. */
void script_tell(struct id turn, const char *piece);
int64_t script_told_us(const struct script_turn *t, struct str text);
/* Redis has executed a command of this turn: what it has now is noted. What it had at that time;
 * 0-0: nothing, or that is not known any more. */
void script_store(struct id session, struct id turn);
struct event_at script_stored(struct id turn, int64_t at_us);
bool script_has_said(const struct script_turn *t, uint32_t step, struct str text);
bool script_over(const struct script_turn *t); /* as the store has it */
/* The world is quiet: is the store's turn what was seen of it? */
void script_check(struct script_turn *t);

/* Fields of the payloads that C writes: texts here need no escapes. */
struct str payload_text(struct str payload, const char *key); /* "key":"…", the first */
uint32_t payload_number(struct str payload, const char *key);
uint32_t payload_step(struct str payload); /* of its step_id */

#endif
