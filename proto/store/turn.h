/* proto/store/turn.h: turns: begun, claimed, decided and ended by gateways, loaded, said and sealed
 * by workers: see answer.h. */
#ifndef PROTO_STORE_TURN_H
#define PROTO_STORE_TURN_H

#include "proto/store/answer.h"

/* ---- by the gateway ---- */

struct store_begin {
    struct str owner;
    struct id session, turn; /* turn: a new id; the answer's is an older one when key was seen */
    struct str key, body;    /* as of store_session_create */
    struct str title;        /* for a session without one */
    uint32_t instead_of;     /* not 0: the question that it is another version of: that one and all
                                behind it leave the conversation; ERR_MESSAGE_NOT_FOUND */
    const struct record_message *message; /* the user's */
    const struct record_request *request;
    struct str turn_start; /* payload of event 1-1; written with this turn's id */
    struct str holder;     /* this gateway's name */
    struct str worker;     /* empty, or the name of the one that is to run it: it has it then, as if
                              it had loaded it in epoch 1 */
};
/* Accepts: owner, nothing running (ERR_TURN_RUNNING), appends the message, epoch 1, event 1-1,
 * lease. → turn, duplicate; opening, if there is a worker: what it would load now
 * (store_opening_read). Empty where that is large, or the begin was sent again: it loads. */
uint64_t store_turn_begin(struct store *s, const struct store_begin *b, store_fn *fn, void *arg);
/* → turn, with owner checked. ERR_TURN_NOT_FOUND. */
uint64_t store_turn_get(struct store *s, struct str owner, struct id session, struct id turn,
                        store_fn *fn, void *arg);
/* Takes a turn for its next epoch. expected_epoch: the one that the caller believes; ERR_FENCED
 * when it is a later one (also while the turn awaits a decision). died: its worker died (counts
 * towards the three that end it: ERR_WORKER_LOST, and the error event is stored then).
 * only_if_unheld: ERR_FENCED while its lease runs. ERR_TURN_OVER. → turn. */
uint64_t store_turn_claim(struct store *s, struct id session, struct id turn,
                          uint32_t expected_epoch, bool died, bool only_if_unheld,
                          struct str holder, store_fn *fn, void *arg);
/* Renews the lease: a gateway for what it queues, a worker for what it runs; once a worker has
 * loaded the turn, a gateway's changes nothing. → turn (cancel). */
uint64_t store_turn_hold(struct store *s, struct id session, struct id turn, uint32_t epoch,
                         struct str holder, store_fn *fn, void *arg);
/* Asks for cancellation. A turn that nobody holds, or that awaits, is ended at once (event
 * turn_cancelled under the next epoch). → turn (state afterwards: RUNNING: its worker must be
 * told). ERR_TURN_OVER when it had ended in another way. */
uint64_t store_turn_cancel(struct store *s, struct str owner, struct id session, struct id turn,
                           store_fn *fn, void *arg);
/* The same for a turn that nobody waits for any more: a session that is in no list goes a minute
 * after its end, instead of after its life. */
uint64_t store_turn_abandon(struct store *s, struct str owner, struct id session, struct id turn,
                            store_fn *fn, void *arg);
struct store_verdict {
    struct str owner;
    struct id session, turn;
    const struct store_decision *decisions;
    unsigned count;
    struct str holder;
    struct id place; /* among its person's turns (quota.h), taken for it; zero: none are counted */
    bool no_place;   /* the quota had none: only what was decided before is answered */
};
/* Decides on all calls that an AWAITING turn waits for: the first request takes it for its next
 * epoch, as a claim does (→ turn, fresh: run it; its worker keeps the place). The same decision
 * again: fine, not fresh, also when the turn has ended meanwhile. ERR_ALREADY_DECIDED: otherwise.
 * ERR_INVALID: not of all calls, or of another one, or with another hash. ERR_DECISION_EXPIRED: the
 * time was over; the turn has ended by that. ERR_RATE_LIMITED: no_place, and it goes on waiting.
 * ERR_NOT_AWAITING, ERR_TURN_OVER, ERR_TURN_NOT_FOUND. */
uint64_t store_turn_decide(struct store *s, const struct store_verdict *v, store_fn *fn, void *arg);
/* Ends a turn with an error event under the next epoch, if its epoch is still expected_epoch; why
 * ERR_CANCELLED: with turn_cancelled, as cancelled (a gateway does that to what it queues).
 * ERR_TURN_OVER. → turn */
uint64_t store_turn_fail(struct store *s, struct id session, struct id turn,
                         uint32_t expected_epoch, enum err why, store_fn *fn, void *arg);

/* ---- by the worker ---- */

/* Takes the lease for this worker; in one epoch for one worker only (ERR_FENCED). → load, messages
 * (all of the session, in order). */
uint64_t store_turn_load(struct store *s, struct id session, struct id turn, uint32_t epoch,
                         struct str holder, store_fn *fn, void *arg);
/* What a begin has brought this worker: fn is called from inside, once, with load and messages.
 * False: it is not readable (it is data from outside), and fn was not called. */
bool store_opening_read(struct str opening, struct id session, store_fn *fn, void *arg);
/* Stores provisional events: a batch made by record_event_add, the last of which has last_seq; seqs
 * without gap. After ERR_STORE_UNAVAILABLE it may be said again together with what follows.
 * Renews the lease. → turn (cancel) */
uint64_t store_turn_say(struct store *s, struct id session, struct id turn, uint32_t epoch,
                        uint32_t last_seq, struct str batch, store_fn *fn, void *arg);
struct store_seal {
    struct id session, turn;
    uint32_t epoch, last_seq;
    struct str batch; /* what was said and not stored, and the final events; not empty */
    const struct record_message *messages; /* appended to the conversation */
    unsigned message_count;
    enum turn_state state;  /* RUNNING: go on; else the turn's end */
    uint32_t step, attempt; /* where the turn stands afterwards: the next step; attempt 0, or the
                               one that begins now */
    struct usage usage;     /* of the turn, in all */
    /* AWAITING: the calls that wait for the person's decision */
    const struct record_call *approvals;
    unsigned approval_count;
    const struct str *servers; /* as event_approvals */
    int64_t expires_ms;        /* until when, by Redis's clock */
};
/* Idempotent: the same epoch and last_seq again answers as before and writes nothing. → turn */
uint64_t store_turn_seal(struct store *s, const struct store_seal *seal, store_fn *fn, void *arg);
/* Keeps what a model made of the messages up to `to`, as they were at that revision. A change of
 * one of them voids it, a fork has none. ERR_INVALID: they are not as they were. → turn */
uint64_t store_turn_summary(struct store *s, struct id session, struct id turn, uint32_t epoch,
                            uint32_t revision, uint32_t to, struct str text, store_fn *fn,
                            void *arg);
/* Approved calls that must not be done twice begin: the next load says DECISION_BEGUN of them. The
 * same again is fine. → turn */
uint64_t store_turn_mark(struct store *s, struct id session, struct id turn, uint32_t epoch,
                         struct str holder, const struct str *call_ids, unsigned count,
                         store_fn *fn, void *arg);
/* The worker hands the turn back before it ended: its lease ends, for the gateway to claim it. →
 * turn */
uint64_t store_turn_release(struct store *s, struct id session, struct id turn, uint32_t epoch,
                            store_fn *fn, void *arg);

#endif
