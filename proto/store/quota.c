#include "proto/store/quota.h"

#include <stdio.h>
#include <stdlib.h>
#include "common/check.h"
#include "proto/store/call.h"
#include "proto/store/key.h"
#include "proto/store/storage.h"

enum {
    BUDGET_KEEP_MS = 3 * 24 * 3600 * 1000,
    OWNER_MAX = 600,
    SCOPE_MAX = OWNER_MAX + 8,
};
/* Beyond what any refusal lasts. */
#define KEYS_KEEP_MS (INT64_C(30) * 24 * 3600 * 1000)

static void on_keys(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply);
static void on_budget(struct store_call *c, struct store_command *cmd, enum err err,
                      const struct redisReply *reply);
static void on_reset(struct store_call *c, struct store_command *cmd, enum err err,
                     const struct redisReply *reply);
static void end_when_all(struct store_call *c);

/* {verdict, wait} of a script. */
static void on_quota(struct store_call *c, struct store_command *cmd, enum err err,
                     const struct redisReply *reply)
{
    (void)cmd;
    store_call_end(
        c, err,
        &(struct store_answer){.quota = {(enum quota_verdict)redis_int(redis_at(reply, 1)),
                                         redis_int(redis_at(reply, 2)), false}});
}

static void command_key(struct store_command *cmd, const char *prefix, struct str name,
                        const char *suffix)
{
    char key[OWNER_MAX + 64];
    int len = snprintf(key, sizeof(key), "%s{%.*s}%s", prefix,
                       (int)(name.len < OWNER_MAX ? name.len : OWNER_MAX), name.at, suffix);
    command_str(cmd, (struct str){key, (size_t)len});
}

static void command_budget_key(struct store_command *cmd, const struct quota_budget *b)
{
    char day[16];
    snprintf(day, sizeof(day), ":%u", b->day);
    command_key(cmd, "p:b:", b->scope, day);
}

/* A person's, in the room that is given. */
static struct str scope_of(struct str owner, char name[SCOPE_MAX])
{
    int len = snprintf(name, SCOPE_MAX, "o:%.*s",
                       (int)(owner.len < OWNER_MAX - 2 ? owner.len : OWNER_MAX - 2), owner.at);
    return (struct str){name, (size_t)len};
}

uint64_t quota_budget_begin(struct store *s, const struct quota_budget *b, struct id reservation,
                            uint64_t tokens, uint64_t cost, store_fn *fn, void *arg)
{
    struct store_command *cmd =
        command_script(store_call_new(s, fn, arg), SCRIPT_quota_budget_begin, on_quota);
    command_budget_key(cmd, b);
    cmd->keys = 1;
    command_id(cmd, reservation);
    command_num(cmd, (int64_t)tokens);
    command_num(cmd, (int64_t)cost);
    command_num(cmd, (int64_t)b->tokens_max);
    command_num(cmd, (int64_t)b->cost_max);
    command_id(cmd, b->turn);
    command_num(cmd, (int64_t)b->turn_cost_max);
    command_num(cmd, BUDGET_KEEP_MS);
    return command_send(cmd);
}

void quota_budget_end(struct store *s, const struct quota_budget *b, struct id reservation,
                      uint64_t tokens, uint64_t cost)
{
    struct store_command *cmd =
        command_script(store_call_new(s, NULL, NULL), SCRIPT_quota_budget_end, on_quota);
    command_budget_key(cmd, b);
    cmd->keys = 1;
    command_id(cmd, reservation);
    command_num(cmd, (int64_t)tokens);
    command_num(cmd, (int64_t)cost);
    command_id(cmd, b->turn);
    command_send(cmd);
}

uint64_t quota_budget_read(struct store *s, struct str owner, const struct quota_budget *b,
                           store_fn *fn, void *arg)
{
    struct store_command *cmd = command_new(store_call_new(s, fn, arg), on_budget);
    char name[SCOPE_MAX];
    struct quota_budget theirs = *b;
    if (owner.len > 0)
        theirs.scope = scope_of(owner, name);
    command_str(cmd, STR("HMGET"));
    command_budget_key(cmd, &theirs);
    command_str(cmd, STR("tokens"));
    command_str(cmd, STR("cost"));
    cmd->keys = 0;
    return command_send(cmd);
}

static void on_budget(struct store_call *c, struct store_command *cmd, enum err err,
                      const struct redisReply *reply)
{
    (void)cmd;
    store_call_end(c, err,
                   &(struct store_answer){.budget = {(uint64_t)redis_int(redis_at(reply, 0)),
                                                     (uint64_t)redis_int(redis_at(reply, 1))}});
}

static void noted(struct store_call *c, struct store_command *cmd, enum err err,
                  const struct redisReply *reply)
{
    (void)cmd, (void)reply;
    if (c->waiting == 0)
        store_call_end(c, err, &(struct store_answer){0});
}

static void note_key(struct store *s, const struct quota_key *k)
{
    struct store_call *c = store_call_new(s, NULL, NULL);
    struct store_command *cmd = command_new(c, noted);
    command_str(cmd, STR("HSET"));
    command_str(cmd, STR("p:keys"));
    command_str(cmd, k->key);
    command_str(cmd, k->model);
    command_send(cmd);
    cmd = command_new(c, noted);
    command_str(cmd, STR("PEXPIRE"));
    command_str(cmd, STR("p:keys"));
    command_num(cmd, KEYS_KEEP_MS);
    command_send(cmd);
}

static void on_key_begun(struct store_call *c, struct store_command *cmd, enum err err,
                         const struct redisReply *reply)
{
    (void)cmd;
    store_call_end(
        c, err,
        &(struct store_answer){.quota = {(enum quota_verdict)redis_int(redis_at(reply, 1)),
                                         redis_int(redis_at(reply, 2)),
                                         redis_int(redis_at(reply, 3)) == 1}});
}

static struct store_command *key_command(struct store *s, enum store_script script,
                                         const struct quota_key *k, store_fn *fn, void *arg)
{
    struct store_command *cmd = command_script(store_call_new(s, fn, arg), script, on_quota);
    command_key(cmd, "p:p:", k->key, "");
    command_key(cmd, "p:p:", k->key, ":c");
    command_key(cmd, "p:p:", k->key, ":q");
    command_key(cmd, "p:p:", k->key, ":x");
    command_key(cmd, "p:p:", k->key, ":o");
    cmd->keys = 5;
    return cmd;
}

uint64_t quota_key_begin(struct store *s, const struct quota_key *k, struct str owner,
                         struct id call, enum quota_place place, uint64_t tokens,
                         int64_t patience_ms, int64_t lease_ms, store_fn *fn, void *arg)
{
    struct store_command *cmd = key_command(s, SCRIPT_quota_key_begin, k, fn, arg);
    command_id(cmd, call);
    command_num(cmd, place);
    command_num(cmd, k->requests_per_minute);
    command_num(cmd, k->tokens_per_minute);
    command_num(cmd, k->concurrent);
    command_num(cmd, (int64_t)tokens);
    command_num(cmd, patience_ms);
    command_num(cmd, lease_ms);
    command_num(cmd, QUOTA_ASK_AGAIN_MS);
    cmd->fn = on_key_begun;
    command_str(cmd, owner);
    return command_send(cmd);
}

void quota_key_hold(struct store *s, const struct quota_key *k, struct id call, int64_t lease_ms)
{
    struct store_command *cmd = key_command(s, SCRIPT_quota_key_hold, k, NULL, NULL);
    command_id(cmd, call);
    command_num(cmd, lease_ms);
    command_send(cmd);
}

void quota_key_end(struct store *s, const struct quota_key *k, struct id call, int64_t tokens,
                   int64_t block_ms, int64_t lease_ms, int64_t age_ms)
{
    struct store_command *cmd = key_command(s, SCRIPT_quota_key_end, k, NULL, NULL);
    command_id(cmd, call);
    command_num(cmd, k->tokens_per_minute);
    command_num(cmd, tokens);
    command_num(cmd, block_ms);
    command_num(cmd, lease_ms);
    command_num(cmd, age_ms);
    command_send(cmd);
    if (block_ms > 0)
        note_key(s, k);
}

/* ---- keys that were refused ---- */

struct keys {
    struct quota_blocked *all; /* their texts are ours */
    unsigned count;
};

static void keys_free(void *own)
{
    struct keys *k = own;
    for (unsigned i = 0; i < k->count; i++) {
        free((char *)k->all[i].key.at);
        free((char *)k->all[i].model.at);
    }
    free(k->all);
    free(k);
}

uint64_t quota_keys_reset(struct store *s, store_fn *fn, void *arg)
{
    struct store_command *cmd = command_new(store_call_new(s, fn, arg), on_keys);
    command_str(cmd, STR("HGETALL"));
    command_str(cmd, STR("p:keys"));
    return command_send(cmd);
}

static void on_keys(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply)
{
    (void)cmd, (void)err;
    struct keys *k = c->own = xcalloc(1, sizeof(*k));
    c->own_free = keys_free;
    k->count = redis_count(reply) / 2;
    k->all = xcalloc(k->count + 1, sizeof(*k->all));
    for (unsigned i = 0; i < k->count; i++) {
        k->all[i].key = str_of(str_dup(redis_text(redis_at(reply, 2 * i))));
        k->all[i].model = str_of(str_dup(redis_text(redis_at(reply, 2 * i + 1))));
    }
    for (unsigned i = 0; i < k->count; i++) {
        struct store_command *reset = command_script(c, SCRIPT_quota_key_reset, on_reset);
        reset->tag = i;
        command_key(reset, "p:p:", k->all[i].key, "");
        reset->keys = 1;
        command_send(reset);
    }
    end_when_all(c);
}

static void on_reset(struct store_call *c, struct store_command *cmd, enum err err,
                     const struct redisReply *reply)
{
    struct keys *k = c->own;
    k->all[cmd->tag].left_ms = err == ERR_NONE ? redis_int(redis_at(reply, 1)) : 0;
    end_when_all(c);
}

static void end_when_all(struct store_call *c)
{
    const struct keys *k = c->own;
    if (c->waiting == 0)
        store_call_end(c, ERR_NONE, &(struct store_answer){.keys = k->all, .key_count = k->count});
}

/* ---- a person's turns ---- */

struct turn_quota {
    struct quota_budget budget; /* without its scope: the call's owner is it */
    struct id turn;
    uint32_t at_once, per_minute;
    int64_t lease_ms;
};

static void on_turn(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply);

static void begin_turn(struct store_call *c)
{
    const struct turn_quota *want = c->own;
    struct store_command *cmd = command_script(c, SCRIPT_quota_turn_begin, on_turn);
    char name[SCOPE_MAX];
    struct quota_budget theirs = want->budget;
    theirs.scope = scope_of(buf_str(&c->owner), name);
    command_key(cmd, "p:a:", theirs.scope, "");
    command_key(cmd, "p:a:", theirs.scope, ":m");
    command_budget_key(cmd, &theirs);
    command_key(cmd, "p:a:", theirs.scope, ":b");
    cmd->keys = 4;
    command_id(cmd, want->turn);
    command_num(cmd, want->at_once);
    command_num(cmd, want->per_minute);
    command_num(cmd, want->lease_ms);
    command_num(cmd, (int64_t)theirs.tokens_max);
    command_num(cmd, (int64_t)theirs.cost_max);
    command_num(cmd, (int64_t)c->store->config.user_bytes_max);
    command_send(cmd);
}

/* Who is refused for what they keep is counted first: some of it may have expired. */
static void on_turn(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply)
{
    if (err == ERR_NONE && redis_int(redis_at(reply, 1)) == QUOTA_BYTES &&
        storage_stale(c, redis_int(redis_at(reply, 3))))
        storage_count(c, begin_turn);
    else
        on_quota(c, cmd, err, reply);
}

uint64_t quota_turn_begin(struct store *s, struct str owner, struct id turn, uint32_t at_once,
                          uint32_t per_minute, int64_t lease_ms, const struct quota_budget *b,
                          store_fn *fn, void *arg)
{
    struct store_call *c = store_call_new(s, fn, arg);
    struct turn_quota *want = c->own = xcalloc(1, sizeof(*want));
    c->own_free = free;
    *want = (struct turn_quota){*b, turn, at_once, per_minute, lease_ms};
    want->budget.scope = (struct str){0};
    if (!buf_add_str(&c->owner, owner))
        return store_call_fail(c, ERR_TOO_LARGE);
    begin_turn(c);
    return c->id;
}

static void command_places_key(struct store_command *cmd, struct str owner)
{
    char name[SCOPE_MAX];
    command_key(cmd, "p:a:", scope_of(owner, name), "");
    cmd->keys = cmd->argc;
}

static struct store_command *turn_command(struct store *s, enum store_script script,
                                          struct str owner, struct id turn)
{
    struct store_command *cmd = command_script(store_call_new(s, NULL, NULL), script, on_quota);
    command_places_key(cmd, owner);
    command_id(cmd, turn);
    return cmd;
}

void quota_turn_hold(struct store *s, struct str owner, struct id turn, int64_t lease_ms)
{
    if (id_is_zero(turn))
        return;
    struct store_command *cmd = turn_command(s, SCRIPT_quota_turn_hold, owner, turn);
    command_num(cmd, lease_ms);
    command_send(cmd);
}

void quota_turn_end(struct store *s, struct str owner, struct id turn)
{
    if (!id_is_zero(turn))
        command_send(turn_command(s, SCRIPT_quota_turn_end, owner, turn));
}

void quota_turn_end_note(struct store *s, struct str owner, struct id turn, struct id session,
                         int64_t bytes)
{
    if (id_is_zero(turn))
        return;
    struct store_command *cmd =
        command_script(store_call_new(s, NULL, NULL), SCRIPT_quota_turn_end, on_quota);
    command_places_key(cmd, owner);
    command_storage_key(cmd, owner);
    command_id(cmd, turn);
    command_id(cmd, session);
    command_num(cmd, bytes);
    command_num(cmd, s->config.session_keep_ms);
    command_send(cmd);
}
