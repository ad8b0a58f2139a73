/* proto/store/store_priv.h: one operation of the store while it runs; private to this folder.
 *
 * A call asks Redis one or more commands (asks), alone or side by side. An ask keeps its arguments:
 * when its answer was lost it is sent again, which every script allows. The first ask that fails
 * ends the call; the ask's fn ends it otherwise. Owned by the store until store_call_end or
 * store_forget.
 */
#ifndef PROTO_STORE_STORE_PRIV_H
#define PROTO_STORE_STORE_PRIV_H

#include "common/list.h"
#include "common/map.h"
#include "proto/store/store.h"
#include "proto/store_scripts.h"

enum { STORE_NAME_TEXT = 12, STORE_HASH_TEXT = 32, STORE_OWNER_MAX = 1024 };

struct store_call;
struct counted;
struct limit_key;

struct store {
    struct loop *loop;
    struct redis *redis;
    struct store_config config;
    struct map *by_id;       /* 8 bytes of the call's id → call */
    struct list calls, late; /* late: asks and calls that wait for the timer */
    struct loop_timer *timer;
    uint64_t last_id;
    unsigned active_offset;         /* store_turn_active walks the list in turns */
    char name[STORE_NAME_TEXT + 1]; /* of tokens, unique among all stores */
};

struct store_quota { /* of a call that takes some of its owner's quota (quota.c) */
    int64_t bytes;
    bool add, counted;
    void (*then)(struct store_call *c), (*recounted)(struct store_call *c);
    struct counted *found;
    unsigned found_count;
};

struct store_call {
    struct store *store;
    struct list node;
    uint64_t id;
    store_fn *fn;
    void *arg;
    struct list asks;
    unsigned waiting; /* asks not answered yet */
    enum err failed;  /* before anything was sent: told by the timer */
    struct id session, turn;
    struct buf owner;               /* a copy, where the answer needs it */
    char once[STORE_HASH_TEXT + 1]; /* begin: of its idempotency key, or empty */
    struct store_quota quota;
    struct store_turn found; /* kept while other asks are waited for */
    void *own;               /* an operation's own state */
    void (*own_free)(void *own);
};

struct store_command;
/* err: ERR_NONE ("ok" of a script, any answer of a plain command) or the script's word. again: it
 * was sent more than once. Sees only what is not for all to fail alike (Redis away, full). Must end
 * the call, ask more, or have other asks still waiting. */
typedef void ask_fn(struct store_call *c, struct store_command *a, enum err err,
                    const struct redisReply *reply);
struct store_command {
    unsigned magic;
    struct list node, late;
    struct store_call *call;
    const struct redis_script *script; /* NULL: a plain command */
    ask_fn *fn;
    void (*few)(struct store_call *c); /* it is done, and stays on too few copies: undo it, and end
                                          the call; NULL: ERR_STORE_UNAVAILABLE */
    unsigned tag;                      /* the operation's own */
    unsigned keys, argc, cap;
    struct buf bytes;
    size_t *ends;     /* where each argument ends in bytes */
    uint64_t sent;    /* Redis's call, 0: none */
    uint64_t token;   /* what its write is noted under until it is copied */
    struct buf waits; /* a reader's: the notes that it found, each followed by a blank */
    int64_t first_ms; /* when it was sent first, 0: not yet */
    unsigned tries;
};

struct store_call *store_call_new(struct store *s, store_fn *fn, void *arg);
/* For arguments that can't be sent: the callback comes later, with err. */
uint64_t store_call_fail(struct store_call *c, enum err err);
void store_call_end(struct store_call *c, enum err err, struct store_answer *answer);

struct store_command *ask_new(struct store_call *c, ask_fn *fn);
struct store_command *ask_script(struct store_call *c, enum store_script script, ask_fn *fn);
void ask_str(struct store_command *a, struct str s);
void ask_num(struct store_command *a, int64_t n);
void ask_id(struct store_command *a, struct id id);
/* The keys of a script: S M F L, and T E of a turn. They come before other arguments. */
void ask_session_keys(struct store_command *a, struct id session);
void ask_turn_keys(struct store_command *a, struct id session, struct id turn);
/* Arguments in the form of keys. */
void ask_turn_key(struct store_command *a, struct id session, struct id turn);
void ask_stream_key(struct store_command *a, struct id session, struct id turn);
void ask_turn_prefix(struct store_command *a, struct id session);
void ask_stream_prefix(struct store_command *a, struct id session);
void ask_once_prefix(struct store_command *a, struct id session);
void ask_once_key(struct store_command *a, struct id session, const char *hash);
void ask_owner_key(struct store_command *a, struct str owner);
/* Of a person's name: the owners that bore it. */
void ask_name_key(struct store_command *a, struct str name);
void ask_owner_once_key(struct store_command *a, struct str owner, const char *hash);
void ask_active_key(struct store_command *a);
/* The one key of a script: S alone; what the owner keeps in all, in the slot of limits.h's p:a. */
void ask_session_key(struct store_command *a, struct id session);
void ask_quota_key(struct store_command *a, struct str owner);
void ask_active_entry(struct store_command *a, struct id session, struct id turn);
/* A durable ask's write is copied, or undone: readers need not wait for it. */
void ask_forget_note(const struct store_command *a);
uint64_t ask_send(struct store_command *a); /* the call's id */

void store_hash(struct str key, char out[STORE_HASH_TEXT + 1]); /* of an idempotency key */

/* The indexes outside a session's keys. They are brought up to date after the script that changed
 * something; what a crash leaves out is mended by those that read them. */
void index_active_add(struct store *s, struct id session, struct id turn);
void index_active_remove(struct store *s, struct id session, struct id turn);
void index_owner_set(struct store *s, struct str owner, struct id session, int64_t updated_ms);
/* Of one that is listed: what was deleted meanwhile stays so. */
void index_owner_move(struct store *s, struct str owner, struct id session, int64_t updated_ms);
void index_owner_remove(struct store *s, struct str owner, struct id session);
void index_owner_forget_once(struct store *s, struct str owner, const char *hash);
int64_t store_once_ms(const struct store *s); /* how long an idempotency key is kept */

/* ---- what one person keeps in all (quota.c) ---- */
enum {
    SESSION_BYTES_MIN = 1024, /* of an empty one, as Redis holds it: prelude.lua has the same */
    MESSAGE_BYTES = 128,      /* of a message beside its text */
};
/* Takes bytes (all that the call's session has, or with add: more than it has) of the call's
 * owner's quota, then goes on; else the call ends with ERR_TOO_MANY_SESSIONS or ERR_QUOTA_EXCEEDED.
 */
void quota_take(struct store_call *c, int64_t bytes, bool add, void (*then)(struct store_call *c));
/* Counts all sessions of the call's owner, then goes on; a call does it once at most, and only
 * when the last count is so old that it may be wrong (quota_stale). */
void quota_count(struct store_call *c, void (*then)(struct store_call *c));
bool quota_stale(const struct store_call *c, int64_t since_ms);
/* The bytes that a session has now; 0: it is gone. One that the owner's quota does not know was
 * deleted meanwhile: nothing is noted. */
void quota_note(struct store *s, struct str owner, struct id session, int64_t bytes);
/* The same of one that was another owner's until now. */
void quota_note_moved(struct store *s, struct str owner, struct id session, int64_t bytes);

/* ---- keys that were refused (keys.c) ---- */
void store_key_note(struct store *s, const struct limit_key *k);
void store_key_ask(struct store_command *a, struct str key); /* its hash, as a script's key */

/* ---- answers ---- */
void reply_turn(const struct redisReply *p, struct id session, struct id turn,
                struct store_turn *out);
void reply_session(const struct redisReply *p, struct id session, struct store_session *out);
struct store_message *reply_messages(const struct redisReply *messages,
                                     const struct redisReply *flags, unsigned *count);
struct store_message *messages_find(struct store_message *m, unsigned count, uint32_t message);
void messages_free(struct store_message *m, unsigned count);
/* Ends the call with the turn of reply[1], or with err. */
void end_with_turn(struct store_call *c, enum err err, const struct redisReply *reply);

#endif
