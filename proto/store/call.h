/* proto/store/call.h: one operation of the store while it runs; private to this folder.
 *
 * A call sends Redis one or more commands, alone or side by side. A command keeps its arguments:
 * when its answer was lost it is sent again, which every script allows. The first command that
 * fails ends the call; the command's fn ends it otherwise. Owned by the store until store_call_end
 * or store_forget.
 */
#ifndef PROTO_STORE_CALL_H
#define PROTO_STORE_CALL_H

#include "common/list.h"
#include "common/loop.h"
#include "common/map.h"
#include "common/redis/redis.h"
#include "proto/store/answer.h"
#include "proto/store/config.h"
#include "proto/store/scripts.h"

enum { STORE_NAME_TEXT = 12, STORE_HASH_TEXT = 32, STORE_OWNER_MAX = 1024 };

struct store_call;
struct counted;
struct tallies;

struct store {
    struct loop *loop;
    struct redis *redis;
    struct store_config config;
    struct map *by_id;       /* 8 bytes of the call's id → call */
    struct list calls, late; /* late: commands and calls that wait for the timer */
    struct loop_timer *timer;
    uint64_t last_id;
    struct list forks;              /* of struct fork: who waits for their owner's one before */
    struct tallies *tallies;        /* tally.c: what was not told yet, or NULL */
    struct trimmed *trimmed;        /* index.c */
    unsigned active_offset;         /* store_turn_active walks the list in turns */
    char name[STORE_NAME_TEXT + 1]; /* of tokens, unique among all stores */
};

struct storage_taking { /* of a call that takes some of its owner's quota (storage.c) */
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
    struct list commands;
    unsigned waiting; /* commands not answered yet */
    enum err failed;  /* before anything was sent: told by the timer */
    struct id session, turn;
    struct buf owner;               /* a copy, where the answer needs it */
    struct buf opening;             /* of a begin */
    char once[STORE_HASH_TEXT + 1]; /* begin: of its idempotency key, or empty */
    struct storage_taking storage;
    struct store_turn found; /* kept while other commands are waited for */
    void *own;               /* an operation's own state */
    void (*own_free)(void *own);
};

struct store_command;
/* err: ERR_NONE ("ok" of a script, any answer of a plain command) or the script's word. again: it
 * was sent more than once. Sees only what is not for all to fail alike (Redis away, full). Must end
 * the call, send more, or have others still waiting. */
typedef void command_fn(struct store_call *c, struct store_command *cmd, enum err err,
                        const struct redisReply *reply);
struct store_command {
    unsigned magic;
    struct list node, late;
    struct store_call *call;
    const struct redis_script *script; /* NULL: a plain command */
    command_fn *fn;
    /* It is done, and stays on too few replicas: undo it, and end the call. NULL: the call ends
     * with ERR_STORE_UNAVAILABLE. */
    void (*unreplicated)(struct store_call *c);
    unsigned tag; /* the operation's own */
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
/* One of this owner's session. */
struct store_call *store_call_of(struct store *s, struct str owner, struct id session, store_fn *fn,
                                 void *arg);
/* For arguments that can't be sent: the callback comes later, with err. */
uint64_t store_call_fail(struct store_call *c, enum err err);
/* Ends it without an answer; also what waits for the timer. */
void store_call_drop(struct store_call *c);
void store_call_end(struct store_call *c, enum err err, struct store_answer *answer);
/* The fn of a call's only command, which answers nothing but that it was done. */
void store_call_done(struct store_call *c, struct store_command *cmd, enum err err,
                     const struct redisReply *reply);

struct store_command *command_new(struct store_call *c, command_fn *fn);
struct store_command *command_script(struct store_call *c, enum store_script script,
                                     command_fn *fn);
void command_str(struct store_command *cmd, struct str s);
void command_num(struct store_command *cmd, int64_t n);
void command_id(struct store_command *cmd, struct id id);

/* Ends the argument that was written into bytes. */
void command_cut(struct store_command *cmd);
/* Sends one that looks at some keys, those of this pattern, from this cursor ("0": the first). */
void command_scan(struct store_command *cmd, struct str cursor, struct str pattern);
/* Its reply: are there more, and from which cursor (of the reply)? Its keys are the second item. */
bool scan_goes_on(const struct redisReply *reply, struct str *cursor);
/* A durable command's write is copied, or undone: readers need not wait for it. */
void command_forget_note(const struct store_command *cmd);
uint64_t command_send(struct store_command *cmd); /* the call's id */

void tally_free(struct store *s); /* of store_free: what was not told is lost */

/* The store's timer: what waits for it is sent again, what failed before it was sent is told. */
loop_fn store_calls_late;

#endif
