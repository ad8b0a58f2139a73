/* gateway/turn/turns.h: the turns that this gateway drives or has followers of: their states,
 * tokens, tails.
 *
 * Owns every struct turn. A turn is here while it is driven (QUEUED, RUNNING, CLAIMING) or has a
 * follower; all else of it is in Redis. Its token lives here and in its worker, nowhere else
 * (invariant 7): while it is driven, and while somebody who brought it follows a turn that has not
 * ended, so that the turn goes on when those that drive it die. */
#ifndef GATEWAY_TURN_TURNS_H
#define GATEWAY_TURN_TURNS_H

#include "common/list.h"
#include "gateway/auth/identity.h"
#include "gateway/turn/feeds.h"
#include "gateway/turn/spans.h"
#include "proto/frame.h"
#include "proto/store/turn.h"

#define TURN_PLACES(X)                                                                             \
    X(BEGINNING) /* the store is asked to accept it */                                             \
    X(QUEUED)    /* accepted, held by us, waits for a worker */                                    \
    X(RUNNING)   /* a worker has it */                                                             \
    X(CLAIMING)  /* its worker is gone: the store is asked for the next epoch */                   \
    X(FOLLOWED)  /* another's, or nobody's: its worker feeds it, or followers ask the store */     \
    X(ENDED)     /* its final event is in the tail */
enum turn_place {
#define X(name) PLACE_##name,
    TURN_PLACES(X)
#undef X
};

struct turn;
/* Who waits for a turn to be begun is told once, later, unless the turns are freed. t: the one that
 * was begun; an older one when its key had begun it before (not fresh); NULL on an error. */
struct turns_asker {
    void (*begun)(void *arg, enum err err, struct turn *t, bool fresh);
    void *arg;
    uint64_t asked_ns;      /* loop_hr_ns() when the question came */
    struct str traceparent; /* of the request, or empty; borrowed until turns_begin returns */
};

struct turn {
    uint32_t magic;
    struct gateway *gateway;
    enum turn_place place;
    struct followed live; /* its ids, owner, tail and followers */
    struct id quota_id;   /* of one that was begun or resumed here: its place among its person's
                           (quota.h) */
    uint32_t epoch;
    struct credentials credentials;
    struct dispatch_turn entry;
    struct list node; /* all turns */
    uint64_t store_call, identity_id;
    int64_t held_ms;    /* QUEUED: when its lease was renewed; CLAIMING: when to ask again */
    bool died;          /* CLAIMING: its worker died on it */
    bool lost;          /* CLAIMING: the store has less than its worker had stored */
    bool adopted;       /* CLAIMING: another's, and only if nobody holds it */
    bool heard;         /* an event of a worker has come */
    bool asked;         /* RUNNING: its worker is asked whether it still has it */
    bool given;         /* the store has accepted it as of the worker that it was promised */
    bool news;          /* the store has news of it, which came while that was under way */
    uint64_t given_at;  /* broker_heard of that worker then */
    struct buf opening; /* for that worker */
    uint64_t begun_ns;
    struct turn_spans spans;
    struct turns_asker asker; /* BEGINNING; begun NULL when nobody waits (any more) */
};

struct turns;
struct turns *turns_new(struct gateway *g);
void turns_free(struct turns *t);
/* For tests. */
void turns_counts(const struct turns *t, unsigned *driven, unsigned *streams);

extern const struct broker_handler turns_of_workers; /* its arg: the gateway */

/* The store says this of a turn that has followers here: if another drives it, its worker is asked
 * to send its events here too. */
void turns_told(struct turn *t, const struct store_turn *told);
bool turns_live(const struct turn *t); /* its events come here: nobody needs to be asked */

/* The store is asked to accept it. */
void turns_begin(struct gateway *g, const struct store_begin *begin,
                 struct credentials *take_credentials, const struct turns_asker *asker);
/* Who waits for it no longer does: the turn goes on, it may have been accepted already. */
void turns_asker_left(struct gateway *g, struct id turn);
/* Another waits for it instead. */
void turns_asker_change(struct gateway *g, struct id turn, const struct turns_asker *to);
/* Why this gateway would take no turn now; ERR_NONE: it would. */
enum err turns_refused(const struct gateway *g);
/* One that was taken for its next epoch, held by this gateway, by its person's decision: a worker
 * is to go on with it, with the token of who decided. quota_id: its place from now on. */
void turns_run(struct gateway *g, const struct store_turn *taken, struct str owner,
               struct id quota_id, struct credentials *take_credentials);
/* The store says this of a turn whose cancellation was asked for: whoever has it is told, here, at
 * its worker, or at another gateway. */
void turns_cancelled(struct gateway *g, const struct store_turn *told);
/* One that is QUEUED here no longer is: it has ended, or its session is gone. */
void turns_withdraw(struct turn *t);
/* A turn that nobody holds, and its owner (or nobody's sign-in is needed) brought a token: take it
 * over. */
void turns_adopt(struct gateway *g, struct id session, struct id turn, uint32_t epoch,
                 struct str owner, const struct credentials *c);
/* A turn that another drives is followed here, by its owner with this token. */
void turns_lend(struct turn *t, const struct credentials *c);
/* A turn that nobody holds: taken over if somebody who follows it here lent a token. False: no. */
bool turns_adopt_lent(struct gateway *g, struct id turn, uint32_t epoch);
/* The same for what a session says of its running turn, if that waits for a token. */
void turns_adopt_of(struct gateway *g, const struct store_session *s, struct str owner,
                    const struct credentials *c);
/* The same, should such a turn be in this session: for requests that don't show it by themselves.
 * Its owner is checked. */
void turns_bring_token(struct gateway *g, struct id session, struct str owner,
                       const struct credentials *c);
struct turn *turns_get(struct gateway *g, struct id turn); /* NULL: not here */
struct turn *turns_followed(struct gateway *g, struct id session, struct id turn,
                            struct str owner); /* got or made */

void turns_tick(struct gateway *g);      /* janitor */
void turns_hand_over(struct gateway *g); /* end of the drain: what is queued here is let go of */
/* What this owner (store_owner_is) has was handed on or erased: their streams end, and who comes
 * again is asked who they are. */
void turns_part(struct gateway *g, struct str parted);
bool turns_drained(const struct gateway *g); /* nothing is driven here any more */

#endif
