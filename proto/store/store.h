/* proto/store/store.h: Redis as typed operations. Keys are spelled in store.c only; every change is
 * one script of proto/scripts/.
 *
 * Every operation is asynchronous: it returns a call number, and fn is called once, later, with
 * ERR_NONE and the answer or with an error (answer NULL). store_forget(call): fn no longer comes.
 * Answers are borrowed until fn returns. Times are Unix ms, by Redis's clock inside scripts. Errors
 * of any operation: ERR_STORE_UNAVAILABLE (not done, or not known to be done: every operation may
 * be sent again with the same arguments), ERR_STORE_FULL (maxmemory, disk). Operations with an
 * owner answer ERR_SESSION_NOT_FOUND when the session is another's (invariant 8). Operations with
 * an epoch answer ERR_FENCED when it is not the turn's present one (invariant 3), or when session
 * or turn are gone. Those of the worker (load, say, seal) answer ERR_HISTORY_LOST when the store
 * has less than this worker had stored (an older copy of Redis was promoted or restored): the turn
 * can only go on from what the store has, so release it.
 *
 * Keys of one session share the hash tag {SID}:
 *
 *   p:s:{SID}        hash    owner, title, model, settings, created, updated, turns, mseq, bytes,
 *                            running (TID or ''), itok, otok, ctok, cost (usage.h), once (its
 *                            p:i's HASH), body (hash of what was asked for with that key);
 *                            sum, sumto (what a model made of the messages up to that one), mrev
 *                            (how often messages were changed); sources (datasources that the
 *                            person said yes to); kept, evat, evkeep, evnow, evwas (bytes of
 *                            turns that are over, and of their streams: prelude.lua)
 *   p:m:{SID}        hash    message id (decimal, growing) -> record_message
 *   p:f:{SID}        hash    message id -> flags (p: pinned, x: excluded)
 *   p:w:{SID}        hash    replicated: writes whose copies are waited for (7 d)
 *   p:k:{SID}:HASH   string  idempotency key of a turn -> TID (24 h)
 *   p:l:{SID}        zset    its turns by begin
 *   p:t:{SID}:TID    hash    state, epoch, le and ls (where its last event stands), lease, holder,
 *                            claimer, deaths, loaded and loader (epoch and worker), step, attempt,
 *                            cancel, sealed, req, itok, otok, ctok, cost, begun, first (message),
 *                            ev (bytes of its stream), key (its p:k's HASH), body (hash of what
 *                            was asked for with that key); asked (calls that need a decision,
 *                            and the decisions), asks (those that wait, as clients see them),
 *                            wait (until when), decider, decided; goes 7 d after its end: then
 *                            p:l tells that it was
 *   p:e:{SID}:TID    stream  entry EPOCH-LASTSEQ: e = record_event batch
 *   p:u:{OWNER}      zset    SID by last update (mended by who reads it; expires as sessions do)
 *   p:i:{OWNER}:HASH string  idempotency key of a session -> SID (24 h)
 *   p:n:{NAME}       zset    the owners of this name by when they were here last
 *   p:active         zset    "SID TID" by begin: what janitors look at (mended likewise)
 *
 * Durability: scripts that are marked "-- Durable." answer only once store_config.copies replicas
 * have what they wrote; what can't be copied in time is ERR_STORE_UNAVAILABLE, and sent again by
 * who can wait (a seal). Who reads a session's messages or events waits for the copies of all that
 * it would see. copies 0: the level `local`.
 *
 * Redis 7 or later: scripts that only end what runs may pass maxmemory (allow-oom).
 */
#ifndef PROTO_STORE_STORE_H
#define PROTO_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include "common/loop.h"
#include "common/redis/redis.h"
#include "proto/err.h"
#include "proto/event.h"
#include "proto/id.h"
#include "proto/record.h"

#define TURN_STATES(X)                                                                             \
    X(NONE, "none")         /* there is no such turn */                                            \
    X(RUNNING, "running")   /* accepted: queued, or a worker has it, or it waits for one */        \
    X(AWAITING, "awaiting") /* waits for the person's decision; no process has it */               \
    X(DONE, "done")                                                                                \
    X(FAILED, "failed")                                                                            \
    X(CANCELLED, "cancelled")
enum turn_state {
#define X(name, word) TURN_##name,
    TURN_STATES(X)
#undef X
};
const char *turn_state_word(enum turn_state s);
bool turn_state_over(enum turn_state s); /* DONE, FAILED, CANCELLED */

struct store_config {
    int64_t lease_ms;        /* how long a holder may be silent; 10 s */
    int64_t events_keep_ms;  /* a stream lives so long after its end; 1 h */
    int64_t session_keep_ms; /* 0: for ever; else a session expires so long after its last update */
    uint32_t messages_max;   /* of a session; 4000 */
    uint64_t session_bytes_max; /* of a session's messages: ERR_SESSION_FULL; 0: 32 MiB */
    uint32_t user_sessions_max; /* of one owner: ERR_TOO_MANY_SESSIONS; 0: not limited */
    uint64_t user_bytes_max; /* of all that one owner keeps: ERR_QUOTA_EXCEEDED; 0: not limited */
    bool quota_noted; /* without limits of its own: notes what sessions take, for those who have */
    uint32_t text_bytes_max; /* titles and settings: bounded by the caller; this is a last guard */
    unsigned copies;         /* as redis_config.copies */
};
/* PERSAI_DURABILITY: "local": 0; "replicated:N": N from 1 to 16. False: neither;
 * STORE_DURABILITY_HELP says what it must be. */
#define STORE_DURABILITY_HELP "must be local, or replicated:N with N from 1 to 16"
bool store_durability_parse(const char *text, unsigned *copies);
struct store;
struct store *store_new(struct loop *l, struct redis *borrowed, const struct store_config *c);
void store_free(struct store *s); /* forgets all calls */
bool store_ready(const struct store *s);
bool store_idle(
    const struct store *s); /* nothing waits for an answer, not of its own doing either */
void store_forget(struct store *s, uint64_t call); /* 0 is fine */

/* ---- what comes back ---- */
struct store_session {
    struct id session;
    struct str owner, title, model,
        settings; /* settings: JSON object: panel settings, pinned context; or empty */
    int64_t created_ms, updated_ms;
    uint32_t turns;
    struct id running; /* zero: none */
    enum turn_state running_state;
    uint32_t running_epoch;
    int64_t running_lease_ms; /* left of its lease; <= 0: nobody holds it: it waits for its owner's
                                 token */
    struct str running_asks;  /* of an AWAITING one: event_asks; else empty */
    struct usage usage;       /* of all its turns */
    /* Of get and load: what a model made of the messages up to one, or empty; and how often
     * messages were changed. */
    struct str summary;
    uint32_t summary_to, revision;
};
struct store_message {
    uint32_t message; /* its id in the session */
    bool pinned, excluded;
    struct record_message record;
};
struct store_turn {
    struct id session, turn;
    enum turn_state state;
    uint32_t epoch;
    struct event_at last; /* the last event stored */
    int64_t lease_ms;     /* left; <= 0: nobody holds it */
    int64_t waiting_ms;   /* how long nobody has held it; 0 when held */
    int64_t decide_ms;    /* AWAITING: left for the person's decision; <= 0: the time is over */
    bool fresh;           /* decide: this request decided it; its caller is to run it */
    bool duplicate;       /* begin: the idempotency key had begun it before */
    bool cancel;          /* somebody asked for its cancellation */
    uint32_t mended;      /* what was stored before this epoch was lost in part; 0: nothing was */
};
struct store_event {
    struct event_at at;
    bool final;
    struct str payload;
};
struct store_owner {
    struct str owner;
    unsigned sessions; /* in its list: a few may be gone */
    int64_t seen_ms;   /* when it was here last, Unix ms; 0: not since owners are noted */
};
struct store_answer { /* which fields are set is said at each operation */
    struct id session;
    const struct store_session *sessions;
    unsigned session_count;
    const struct store_message *messages;
    unsigned message_count;
    struct store_turn turn;
    const struct store_event *events;
    unsigned event_count;
    bool suspect; /* events: `after` is ahead of a store that may have lost its last moments:
                     ERR_HISTORY_LOST, should that stay so for a few seconds */
    uint32_t page_end,
        upto;          /* page: the last message that it went up to, and that all pages go to */
    bool more;         /* events: there are more now; list, page: there is a next page */
    struct str cursor; /* list: give it back for the next page */
    const struct store_load *load;
    const struct store_turn *turns; /* active */
    unsigned turn_count;
    const struct store_owner *owners;
    unsigned owner_count;
    unsigned moved;
    struct {
        int verdict; /* enum limit_verdict */
        int64_t wait_ms;
    } limit; /* of limits.h */
    const struct limit_blocked *keys;
    unsigned key_count;
};
typedef void store_fn(void *arg, enum err err, const struct store_answer *answer);

/* ---- sessions ---- */
/* → session (its id). key: idempotency key or empty. body: hash of what is asked for, or empty: a
 * key that came before with another one is ERR_IDEMPOTENCY_MISMATCH. */
uint64_t store_session_create(struct store *s, struct str owner, struct str key, struct str body,
                              struct str title, struct str model, store_fn *fn, void *arg);
/* → sessions[0]; with_messages: messages too, in order. */
uint64_t store_session_get(struct store *s, struct str owner, struct id session, bool with_messages,
                           store_fn *fn, void *arg);
/* A page of its messages past `after`, about as many bytes as asked for, at least one message. →
 * messages, page_end, upto, more; after 0: sessions[0] too. The next page: after page_end, up to
 * the first one's upto, so that all pages are of one moment, but for what was removed meanwhile. */
uint64_t store_session_page(struct store *s, struct str owner, struct id session, uint32_t after,
                            uint32_t upto, uint32_t bytes, store_fn *fn, void *arg);
/* → sessions, newest update first, cursor, more. q: words that a title or a message's text contains
 * (ASCII case folded); empty: all. limit 1..200. */
uint64_t store_session_list(struct store *s, struct str owner, struct str q, unsigned limit,
                            struct str cursor, store_fn *fn, void *arg);
struct store_patch {
    const struct str *title, *model, *settings; /* NULL: as it is */
};
uint64_t store_session_patch(struct store *s, struct str owner, struct id session,
                             const struct store_patch *p, store_fn *fn, void *arg);
/* Removes every key of it; a running turn is fenced by that. → turn.turn: the turn that was
 * running, or zero. */
uint64_t store_session_delete(struct store *s, struct str owner, struct id session, store_fn *fn,
                              void *arg);
/* → session: a new one with the messages before `before` (ERR_MESSAGE_NOT_FOUND), title, model,
 * settings. */
uint64_t store_session_fork(struct store *s, struct str owner, struct id session, uint32_t before,
                            store_fn *fn, void *arg);
/* ERR_MESSAGE_NOT_FOUND. -1: as it is, 0, 1. */
uint64_t store_message_patch(struct store *s, struct str owner, struct id session, uint32_t message,
                             int pinned, int excluded, store_fn *fn, void *arg);
/* ERR_TURN_RUNNING while the message belongs to the running turn. */
uint64_t store_message_delete(struct store *s, struct str owner, struct id session,
                              uint32_t message, store_fn *fn, void *arg);

/* ---- owners: any text of at most 1024 bytes ---- */
/* This owner was here: it is one of that name, until its sessions would have expired. */
void store_owner_seen(struct store *s, struct str name, struct str owner);
/* → owners: one that is the name itself, then those seen of it, the latest first. */
uint64_t store_owner_list(struct store *s, struct str name, store_fn *fn, void *arg);
/* The sessions of one owner that were created at or after since_ms (Unix ms) become another's:
 * their turns go on, quotas are counted but not asked. → moved. What was moved before an error
 * stays so, and the same call again goes on. ERR_INVALID: they are one owner, or none. */
uint64_t store_owner_move(struct store *s, struct str from, struct str to, int64_t since_ms,
                          store_fn *fn, void *arg);

/* ---- turns, by the gateway ---- */
struct store_begin {
    struct str owner;
    struct id session, turn; /* turn: a new id; the answer's is an older one when key was seen */
    struct str key, body;    /* as of store_session_create */
    struct str title;        /* for a session without one */
    const struct record_message *message; /* the user's */
    const struct record_request *request;
    struct str turn_start; /* payload of event 1-1; written with this turn's id */
    struct str holder;     /* this gateway's name */
};
/* Accepts: owner, nothing running (ERR_TURN_RUNNING), appends the message, epoch 1, event 1-1,
 * lease. → turn, duplicate. */
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
struct store_decision {
    struct str call_id;
    /* record_call_hash. To decide with: may be empty, then it is not checked; needed where the turn
     * had asked about another call by the same id before. */
    struct str hash;
    enum { DECISION_NONE = -1, DECISION_REFUSED, DECISION_APPROVED } what;
};
/* Decides on all calls that an AWAITING turn waits for: the first request takes it for its next
 * epoch, as a claim does (→ turn, fresh: run it). The same decision again: fine, not fresh, also
 * when the turn has ended meanwhile. ERR_ALREADY_DECIDED: otherwise. ERR_INVALID: not of all calls,
 * or of another one, or with another hash. ERR_DECISION_EXPIRED: the time was over; the turn has
 * ended by that. ERR_NOT_AWAITING, ERR_TURN_OVER, ERR_TURN_NOT_FOUND. */
uint64_t store_turn_decide(struct store *s, struct str owner, struct id session, struct id turn,
                           const struct store_decision *decisions, unsigned count,
                           struct str holder, store_fn *fn, void *arg);
/* Ends a turn with an error event under the next epoch, if its epoch is still expected_epoch; why
 * ERR_CANCELLED: with turn_cancelled, as cancelled (a gateway does that to what it queues).
 * ERR_TURN_OVER. → turn */
uint64_t store_turn_fail(struct store *s, struct id session, struct id turn,
                         uint32_t expected_epoch, enum err why, store_fn *fn, void *arg);
/* → turns begun and not over, at most max, oldest first; the next call goes on where this one
 * ended, so that each has its turn however many wait: the janitors' list. Entries whose turn is
 * over are removed on the way. */
uint64_t store_turn_active(struct store *s, unsigned max, store_fn *fn, void *arg);
/* → events after `after` in order, at most max_bytes (at least one), more, turn (state, last).
 * ERR_EVENTS_EXPIRED when the turn is over and its stream gone, ERR_HISTORY_LOST when `after` is
 * ahead of what is stored and the turn is over, or a later epoch has begun since that was lost. The
 * owner was checked by store_turn_get. */
uint64_t store_events_read(struct store *s, struct id session, struct id turn,
                           struct event_at after, uint32_t max_bytes, store_fn *fn, void *arg);

/* ---- turns, by the worker ---- */
struct store_load {
    struct store_session session;
    struct str request;     /* record_request */
    uint32_t seq;           /* the last seq of this epoch: 1 in epoch 1 (turn_start), else 0 */
    uint32_t step, attempt; /* the step to run now; its attempt: 1, or higher when an earlier epoch
                               had been at it */
    int64_t begun_ms;       /* Unix time of acceptance */
    struct usage usage;     /* of this turn so far */
    bool cancel;
    int64_t now_ms;                         /* Redis's clock */
    const struct store_decision *decisions; /* calls that the person was asked about in this turn */
    unsigned decision_count;
};
/* Takes the lease for this worker; in one epoch for one worker only (ERR_FENCED). → load, messages
 * (all of the session, in order). */
uint64_t store_turn_load(struct store *s, struct id session, struct id turn, uint32_t epoch,
                         struct str holder, store_fn *fn, void *arg);
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
    const struct record_call *asks; /* AWAITING: the calls that wait for the person's decision */
    unsigned ask_count;
    const struct str *servers; /* as event_asks */
    int64_t expires_ms;        /* until when, by Redis's clock */
};
/* Idempotent: the same epoch and last_seq again answers as before and writes nothing. → turn */
uint64_t store_turn_seal(struct store *s, const struct store_seal *seal, store_fn *fn, void *arg);
/* Keeps what a model made of the messages up to `to`, as they were at that revision. A change of
 * one of them voids it, a fork has none. ERR_INVALID: they are not as they were. → turn */
uint64_t store_turn_summary(struct store *s, struct id session, struct id turn, uint32_t epoch,
                            uint32_t revision, uint32_t to, struct str text, store_fn *fn,
                            void *arg);
/* The worker hands the turn back before it ended: its lease ends, for the gateway to claim it. →
 * turn */
uint64_t store_turn_release(struct store *s, struct id session, struct id turn, uint32_t epoch,
                            store_fn *fn, void *arg);

#endif
