/* Which keys of providers were refused, and how all of them are freed again: see limits.h. A list
 * of their own, since a Cluster can't be searched for them. */
#include <stdlib.h>
#include "common/check.h"
#include "proto/limits.h"
#include "proto/store/store_priv.h"

enum { KEYS_KEEP_MS = INT64_C(30) * 24 * 3600 * 1000 }; /* beyond what any refusal lasts */

static void on_keys(struct store_call *c, struct store_command *a, enum err err,
                    const struct redisReply *reply);
static void on_reset(struct store_call *c, struct store_command *a, enum err err,
                     const struct redisReply *reply);
static void end_when_all(struct store_call *c);

struct keys {
    struct limit_blocked *all; /* their texts are ours */
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

static void noted(struct store_call *c, struct store_command *a, enum err err,
                  const struct redisReply *reply)
{
    (void)a, (void)reply;
    if (c->waiting == 0)
        store_call_end(c, err, &(struct store_answer){0});
}

void store_key_note(struct store *s, const struct limit_key *k)
{
    struct store_call *c = store_call_new(s, NULL, NULL);
    struct store_command *a = ask_new(c, noted);
    ask_str(a, STR("HSET"));
    ask_str(a, STR("p:keys"));
    ask_str(a, k->key);
    ask_str(a, k->model);
    ask_send(a);
    a = ask_new(c, noted);
    ask_str(a, STR("PEXPIRE"));
    ask_str(a, STR("p:keys"));
    ask_num(a, KEYS_KEEP_MS);
    ask_send(a);
}

uint64_t limits_keys_reset(struct store *s, store_fn *fn, void *arg)
{
    struct store_command *a = ask_new(store_call_new(s, fn, arg), on_keys);
    ask_str(a, STR("HGETALL"));
    ask_str(a, STR("p:keys"));
    return ask_send(a);
}

static void on_keys(struct store_call *c, struct store_command *a, enum err err,
                    const struct redisReply *reply)
{
    (void)a, (void)err;
    struct keys *k = c->own = xcalloc(1, sizeof(*k));
    c->own_free = keys_free;
    k->count = redis_count(reply) / 2;
    k->all = xcalloc(k->count + 1, sizeof(*k->all));
    for (unsigned i = 0; i < k->count; i++) {
        k->all[i].key = str_of(str_dup(redis_text(redis_at(reply, 2 * i))));
        k->all[i].model = str_of(str_dup(redis_text(redis_at(reply, 2 * i + 1))));
    }
    for (unsigned i = 0; i < k->count; i++) {
        struct store_command *reset = ask_script(c, SCRIPT_key_reset, on_reset);
        reset->tag = i;
        store_key_ask(reset, k->all[i].key);
        reset->keys = 1;
        ask_send(reset);
    }
    end_when_all(c);
}

static void on_reset(struct store_call *c, struct store_command *a, enum err err,
                     const struct redisReply *reply)
{
    struct keys *k = c->own;
    k->all[a->tag].left_ms = err == ERR_NONE ? redis_int(redis_at(reply, 1)) : 0;
    end_when_all(c);
}

static void end_when_all(struct store_call *c)
{
    const struct keys *k = c->own;
    if (c->waiting == 0)
        store_call_end(c, ERR_NONE, &(struct store_answer){.keys = k->all, .key_count = k->count});
}
