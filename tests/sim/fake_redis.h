/* tests/sim/fake_redis.h: the database of the fake store; known to fake_*.c and to the checker. */
#ifndef TESTS_SIM_FAKE_REDIS_H
#define TESTS_SIM_FAKE_REDIS_H

#include "tests/sim/fake_store.h"

struct fake_entry { /* of a turn's stream: a batch whose last event is `last` */
    struct event_at last;
    struct blob *batch;
};
struct fake_turn {
    struct id turn;
    bool void_; /* given up by a janitor before it began */
    enum turn_state state;
    enum err why;
    uint32_t epoch, le, ls;
    /* The server on which the epoch began, the history known to be whole. */
    unsigned run, base_replid;
    /* What was stored behind it before the epoch `loss_epoch` may be lost. */
    struct event_at loss_from;
    uint32_t loss_epoch;
    int64_t from; /* the epoch that the last claim or end was expected on; -1: none */
    int64_t lease_ms, begun_ms, stream_until_ms; /* until: 0: no end */
    char holder[FAKE_NAME_MAX], claimer[FAKE_NAME_MAX], loader[FAKE_NAME_MAX];
    unsigned deaths;
    uint32_t loaded, step, attempt, first;
    bool cancel;
    struct event_at sealed;
    struct blob *request, *key, *body;
    struct blob *approvals;   /* what waits for a decision, as clients see it */
    struct fake_asked *asked; /* to the turn's end */
    unsigned asked_count;
    int64_t wait_ms;   /* until when */
    struct id decider; /* the request that decided */
    uint32_t decided;  /* the epoch that it began */
    struct id place;   /* among its person's turns since then */
    struct usage usage;
    struct fake_entry *entries;
    unsigned entry_count, entry_cap;
};
struct fake_message {
    uint32_t message;
    bool pinned, excluded;
    struct blob *record;
};
struct fake_session {
    struct id session;
    char owner[FAKE_NAME_MAX];
    struct blob *title, *model, *settings, *body;
    int64_t created_ms, updated_ms;
    uint32_t turns, mseq, revision, summary_to;
    struct blob *summary; /* or NULL */
    uint64_t bytes;
    struct usage usage;
    struct id running;
    struct fake_message *messages;
    unsigned message_count, message_cap;
    struct fake_turn **begun; /* by begin */
    unsigned begun_count, begun_cap;
};
struct fake_open { /* of the janitors' list */
    struct id session, turn;
};
struct fake_once { /* an idempotency key of a session */
    char owner[FAKE_NAME_MAX];
    struct blob *key;
    struct id session;
};
struct redis {
    int64_t now_ms;
    enum fake_plant plant;
    unsigned run, replid; /* this server in this life; the history that it has */
    bool was_replica;     /* it was a replica once */
    struct fake_session **sessions;
    unsigned session_count, session_cap;
    struct fake_open *open;
    unsigned open_count, open_cap;
    struct fake_once *once;
    unsigned once_count, once_cap;
};

struct fake_session *redis_session(const struct redis *r, struct id session); /* NULL: none */
/* The op's session; NULL: none, or somebody else's. */
struct fake_session *redis_session_owned(const struct redis *r, const struct fake_op *op);
struct fake_session *redis_session_add(struct redis *r, struct id session, struct str owner);
void redis_session_remove(struct redis *r, struct fake_session *s);
struct fake_turn *session_turn(const struct fake_session *s, struct id turn); /* void ones too */
struct fake_turn *session_turn_add(struct fake_session *s, struct id turn);
void session_message_add(struct fake_session *s, uint32_t id, struct blob *record);
void turn_entry_add(struct fake_turn *t, struct event_at last, struct blob *batch);
void redis_open_add(struct redis *r, struct id session, struct id turn); /* unless it is there */
void redis_open_remove(struct redis *r, struct id session, struct id turn);
void redis_once_remove(struct redis *r, struct id session);
/* A key came before: with another request? */
bool other_body(const struct blob *before, const struct blob *now);
void redis_once_add(struct redis *r, const char *owner, struct blob *key, struct id session);

/* The scripts, by op->kind. */
void scripts_turn(struct redis *r, struct fake_op *op, struct fake_reply *out);
void scripts_session(struct redis *r, struct fake_op *op, struct fake_reply *out);
/* Shared by both. */
bool turn_open(const struct fake_turn *t);
void answer_session(struct redis *r, const struct fake_session *s, struct fake_reply *reply,
                    struct store_session *out);
void answer_summary(const struct fake_session *s, struct fake_reply *reply,
                    struct store_session *out);
void answer_messages(const struct fake_session *s, struct fake_reply *reply);
/* What turn/load would answer, in MessagePack: out->answer.opening. */
void answer_opening(struct redis *r, const struct fake_session *s, const struct fake_turn *t,
                    struct fake_reply *out);
struct str reply_hold(struct fake_reply *r, struct blob *b); /* its bytes, for the answer */

#endif
