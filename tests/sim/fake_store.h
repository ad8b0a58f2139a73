/* tests/sim/fake_store.h: the store without Redis: proto/store/ over a model of its scripts.
 *
 * A struct redis is the database, shared by all processes of a simulated world; a struct store is
 * one process's way to it. An operation leaves its process as a struct fake_op; who carries it (the
 * simulator's network) may execute it never, once or more often, and may lose its answer. Without a
 * carrier, operations wait until fake_store_run. The model passes the cases that the real scripts
 * pass (tests/support/store_cases.h): what is changed in proto/store/scripts/ is changed in
 * fake_scripts.c too. What only Redis has (memory, cluster slots, indexes that disagree) is not
 * modelled: the janitors' and owners' lists are always right. */
#ifndef TESTS_SIM_FAKE_STORE_H
#define TESTS_SIM_FAKE_STORE_H

#include "common/list.h"
#include "proto/store/active.h"
#include "proto/store/answer.h"
#include "proto/store/config.h"

/* Bugs that can be planted, to see that the simulator finds them. */
#define FAKE_PLANTS(X)                                                                             \
    X(NONE, "none")                                                                                \
    X(NO_EPOCH, "no-epoch-check") /* a worker's writes are taken whatever their epoch */           \
    X(EARLY_SEAL, "early-seal")   /* a seal is answered, so announced, before it is stored */      \
    X(CURSOR_OFF_BY_ONE, "cursor-off-by-one") /* events are read from one past the cursor */       \
    X(FOLLOW_LOST, "follow-lost")             /* a worker never hears that it is followed */       \
    X(FOLLOWING_FAR, "following-far")         /* it says that more is stored than there is */      \
    X(FOLLOWING_BARE, "following-bare")       /* … and not what it has that is not stored */     \
    X(FOLLOWING_OLD, "following-old")         /* … of an epoch that is over is believed */       \
    X(HELD_OLD, "held-old")                   /* … the store's answer of such an epoch is */     \
    X(STORED_FAR, "stored-far")               /* each event says that it is stored */              \
    X(STORED_NEVER, "stored-never")           /* … that nothing is */                            \
    X(EVENT_UNFOLLOWED, "event-unfollowed")   /* who follows takes them before FOLLOWING */        \
    X(DONE_LOST, "done-lost")       /* who follows is not told that it has the turn no more */     \
    X(DONE_OLD, "done-old")         /* … of an epoch that is over is believed */                 \
    X(NEWS_LOST, "news-lost")       /* nobody hears that a worker has a turn */                    \
    X(NEWS_UNHEARD, "news-unheard") /* … or a gateway does not look then */                      \
    X(CANCEL_LOST, "cancel-lost")   /* a worker hears of a cancel by the store alone */            \
    X(UNFOLLOW_UNSAID, "unfollow-unsaid")   /* a gateway whose last follower left is silent */     \
    X(UNFOLLOW_UNHEARD, "unfollow-unheard") /* a worker goes on sending after it */                \
    X(FENCED_FOLLOWED, "fenced-followed")   /* who lost the turn is not told UNFOLLOW */           \
    X(LINK_END_UNSEEN, "link-end-unseen")   /* followers wait on for one whose link ended */       \
    X(ONE_LIFE, "one-life")                 /* a link's HELLO again ends nothing */                \
    X(BACK_UNASKED, "back-unasked")         /* … and nobody asks what that worker still has */   \
    X(ABSENT_UNHEARD, "absent-unheard")     /* … or hears that it has not */                     \
    X(AUDIENCE_DOUBLES, "audience-doubles") /* FOLLOW twice is two who hear */                     \
    X(TAIL_TRIMS_ALL, "tail-trims-all")     /* … what was given, be it stored or not */          \
    X(TAIL_KEEPS_ALL, "tail-keeps-all")
enum fake_plant {
#define X(name, word) PLANT_##name,
    FAKE_PLANTS(X)
#undef X
};

struct blob { /* bytes that are shared and never change */
    unsigned refs;
    size_t len;
    char at[];
};
struct blob *blob_new(struct str s);
struct blob *blob_ref(struct blob *b);
void blob_free(struct blob *b); /* one reference less; NULL is fine */
struct str blob_str(const struct blob *b);

/* ---- the database ---- */
struct redis *fake_redis_new(void);
void fake_redis_free(struct redis *r);
void fake_redis_time(struct redis *r, int64_t now_ms); /* its clock, Unix ms */
void fake_redis_plant(struct redis *r, enum fake_plant plant);
struct redis *fake_redis_copy(const struct redis *r);
/* Another life begins; promoted: as a replica that took over, which may have lagged behind. */
void fake_redis_restarted(struct redis *r, bool promoted);
/* Becomes what `from` was: what was written since is lost. The clock stays. */
void fake_redis_restore(struct redis *r, const struct redis *from);
unsigned fake_redis_keys(const struct redis *r, struct id session); /* of the session; 0: none */

/* ---- operations on their way ---- */
enum { FAKE_NAME_MAX = 128, FAKE_MESSAGES_MAX = 4, FAKE_ASKED_MAX = 16 };
#define FAKE_OPS(X)                                                                                \
    X(BROKEN) /* its arguments can't be sent: answers err */                                       \
    X(SESSION_CREATE)                                                                              \
    X(SESSION_GET)                                                                                 \
    X(SESSION_LIST)                                                                                \
    X(SESSION_PATCH)                                                                               \
    X(SESSION_DELETE)                                                                              \
    X(SESSION_FORK)                                                                                \
    X(MESSAGE_PATCH)                                                                               \
    X(MESSAGE_DELETE)                                                                              \
    X(TURN_BEGIN)                                                                                  \
    X(TURN_GET)                                                                                    \
    X(TURN_CLAIM)                                                                                  \
    X(TURN_HOLD)                                                                                   \
    X(TURN_CANCEL)                                                                                 \
    X(TURN_DECIDE)                                                                                 \
    X(TURN_FAIL)                                                                                   \
    X(TURN_ACTIVE)                                                                                 \
    X(EVENTS_READ)                                                                                 \
    X(OWNERS_PARTED)                                                                               \
    X(TURN_LOAD) X(TURN_SAY) X(TURN_SEAL) X(TURN_RELEASE) X(TURN_SUMMARY) X(TURN_MARK)
enum fake_op_kind {
#define X(name) OP_##name,
    FAKE_OPS(X)
#undef X
};
enum {
    TEXT_TITLE,
    TEXT_MODEL,
    TEXT_SETTINGS,
    TEXT_KEY,
    TEXT_BODY,
    TEXT_REQUEST,
    TEXT_QUERY,
    TEXT_APPROVALS,
    TEXTS
};

struct fake_asked { /* a call that needs the person's decision */
    char call_id[FAKE_NAME_MAX], hash[RECORD_HASH_TEXT + 1];
    int what;    /* -1: not decided, 0, 1 */
    bool reused; /* the id was asked about before, with another hash */
    bool begun;  /* and must not begin twice */
};

struct fake_op {
    unsigned refs;
    enum fake_op_kind kind;
    struct redis *redis;
    struct store *store; /* NULL: nobody waits for the answer any more */
    struct list node;    /* of the store's, while it waits */
    uint64_t id;
    store_fn *fn;
    store_turn_fn *skip; /* of OP_TURN_ACTIVE, or NULL */
    void *arg;
    struct store_config config;
    unsigned sent;    /* how often it left */
    int64_t first_ms; /* when it did so first, by the database's clock */
    struct id session, turn;
    uint32_t epoch, first_seq, last_seq, max, message, offset, revision;
    bool died, only_if_unheld, with_messages;
    enum turn_state state;
    uint32_t step, attempt;
    struct usage usage;
    enum err why;
    int pinned, excluded;
    char owner[FAKE_NAME_MAX], holder[FAKE_NAME_MAX], worker[FAKE_NAME_MAX];
    struct blob *texts[TEXTS], *batch, *messages[FAKE_MESSAGES_MAX];
    unsigned message_count;
    struct fake_asked *asked; /* by a seal; decided; or NULL */
    unsigned asked_count;
    int64_t expires_ms;
    struct id request; /* decide: this one, however often it is sent */
    struct id place;   /* decide: what was taken for it */
    bool no_place;
};
const char *fake_op_name(const struct fake_op *op);
struct fake_op *fake_op_ref(struct fake_op *op);
void fake_op_free(struct fake_op *op); /* one reference less */
bool fake_op_waits(const struct fake_op *op);

struct fake_reply {
    enum err err;
    struct store_answer answer;
    struct store_load load;
    struct store_session *sessions;
    struct store_message *messages;
    struct store_event *events;
    struct store_turn *turns;
    struct store_decision *decisions;
    struct blob **held; /* what the answer borrows from */
    unsigned held_count, held_max;
    char cursor[80], holder[FAKE_NAME_MAX];
};
struct fake_reply *fake_op_execute(struct fake_op *op); /* in the database, now */
void fake_reply_free(struct fake_reply *r);
/* The answer arrives: told on if somebody still waits for it. */
void fake_op_answer(struct fake_op *op, struct fake_reply *take_reply);
void fake_op_fail(struct fake_op *op, enum err err);

/* ---- a process's way to it ---- */
/* Owns a reference to each op that it is given. */
typedef void fake_carry_fn(void *arg, struct fake_op *take_op);
void fake_store_carry(struct store *s, fake_carry_fn *fn, void *arg);
void fake_store_away(struct store *s, bool away); /* what store_ready says */
/* After a lost connection: sends what waits again, in order; gives up what has waited since before
 * then. */
void fake_store_again(struct store *s);
void fake_store_give_up(struct store *s, int64_t before_ms);
void fake_store_run(struct store *s); /* without a carrier: executes what waits */

#endif
