#include "proto/store/create.h"

#include <stdio.h>
#include <stdlib.h>
#include "proto/store/index.h"
#include "proto/store/key.h"
#include "proto/store/quota.h"
#include "proto/store/session.h"
#include "proto/store/storage.h"

/* Sessions that are made: empty, or with what their client brings. */

struct draft {
    struct buf title, model;
    char once[STORE_HASH_TEXT + 1]; /* its idempotency key's hash, or empty */
    char body[STORE_HASH_TEXT + 1]; /* of what is asked for with it, or empty */
};

static void draft_free(void *own)
{
    struct draft *d = own;
    buf_free(&d->title);
    buf_free(&d->model);
    free(d);
}

static void on_indexed(struct store_call *c, struct store_command *cmd, enum err err,
                       const struct redisReply *reply)
{
    (void)cmd, (void)err, (void)reply;
    if (c->waiting == 0)
        store_call_end(c, ERR_NONE, &(struct store_answer){.session = c->session});
}

static void on_created(struct store_call *c, struct store_command *cmd, enum err err,
                       const struct redisReply *reply)
{
    (void)cmd;
    if (err == ERR_IDEMPOTENCY_MISMATCH) /* what the quota took for it is its own again */
        storage_note(c->store, buf_str(&c->owner), c->session, redis_int(redis_at(reply, 2)));
    if (err == ERR_SESSION_NOT_FOUND) /* another's has that id: nothing is kept here */
        storage_note(c->store, buf_str(&c->owner), c->session, 0);
    if (err != ERR_NONE) {
        store_call_end(c, err, NULL);
        return;
    }
    if (redis_int(redis_at(reply, 1)) > 0)
        index_owner_set(c->store, buf_str(&c->owner), c->session, redis_int(redis_at(reply, 1)));
    storage_note(c->store, buf_str(&c->owner), c->session, redis_int(redis_at(reply, 2)));
    if (c->waiting == 0)
        store_call_end(c, ERR_NONE, &(struct store_answer){.session = c->session});
}

void list_session(struct store_call *c)
{
    struct store_command *cmd = command_new(c, on_indexed);
    command_str(cmd, STR("ZADD"));
    command_owner_key(cmd, buf_str(&c->owner));
    command_str(cmd, STR("NX"));
    command_num(cmd, loop_wall_ms());
    command_id(cmd, c->session);
    command_send(cmd);
}

struct store_command *create_command(struct store_call *c, const struct creation *new)
{
    struct store_command *cmd = command_script(c, SCRIPT_session_create, on_created);
    command_session_keys(cmd, c->session);
    command_str(cmd, buf_str(&c->owner));
    command_str(cmd, new->title);
    command_str(cmd, new->model);
    command_str(cmd, new->settings);
    command_num(cmd, new->turns);
    command_num(cmd, c->store->config.session_keep_ms);
    command_num(cmd, new->last_message);
    command_str(cmd, new->once);
    command_str(cmd, new->body);
    command_num(cmd, new->life_ms);
    command_num(cmd, new->put);
    return cmd;
}

static void create(struct store_call *c)
{
    const struct draft *d = c->own;
    struct creation new = {.title = buf_str(&d->title),
                           .model = buf_str(&d->model),
                           .once = str_of(d->once),
                           .body = str_of(d->body)};
    list_session(c);
    command_send(create_command(c, &new));
}

static int64_t draft_bytes(const struct store_call *c)
{
    const struct draft *d = c->own;
    return SESSION_BYTES_MIN + (int64_t)(d->title.len + d->model.len);
}

/* The answer of SET … NX GET: nil, or the session that this key made meanwhile. */
static void on_claimed(struct store_call *c, struct store_command *cmd, enum err err,
                       const struct redisReply *reply)
{
    (void)cmd, (void)err;
    struct id before;
    if (id_parse(redis_text(reply), &before)) {
        storage_note(c->store, buf_str(&c->owner), c->session, 0);
        c->session = before;
    }
    create(c);
}

/* Only who has room leaves a key behind. */
static void claim(struct store_call *c)
{
    const struct draft *d = c->own;
    struct store_command *cmd = command_new(c, on_claimed);
    command_str(cmd, STR("SET"));
    command_owner_once_key(cmd, buf_str(&c->owner), d->once);
    command_id(cmd, c->session);
    command_str(cmd, STR("NX"));
    command_str(cmd, STR("GET"));
    command_str(cmd, STR("PX"));
    command_num(cmd, store_once_ms(c->store));
    command_send(cmd);
}

static void on_once(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply)
{
    (void)cmd, (void)err;
    struct id before;
    bool known = id_parse(redis_text(reply), &before);
    if (known)
        c->session = before;
    storage_take(c, draft_bytes(c), false, known ? create : claim);
}

uint64_t store_session_create(struct store *s, struct str owner, struct str key, struct str body,
                              struct str title, struct str model, store_fn *fn, void *arg)
{
    struct store_call *c = store_call_of(s, owner, id_new(), fn, arg);
    struct draft *d = c->own = xcalloc(1, sizeof(*d));
    c->own_free = draft_free;
    buf_init(&d->title, s->config.text_bytes_max);
    buf_init(&d->model, s->config.text_bytes_max);
    if (c->owner.overflowed || !buf_add_str(&d->title, title) || !buf_add_str(&d->model, model))
        return store_call_fail(c, ERR_TOO_LARGE);
    if (key.len == 0) {
        storage_take(c, draft_bytes(c), false, create);
        return c->id;
    }
    store_hash(key, d->once);
    if (body.len > 0)
        store_hash(body, d->body);
    struct store_command *cmd = command_new(c, on_once);
    command_str(cmd, STR("GET"));
    command_owner_once_key(cmd, owner, d->once);
    return command_send(cmd);
}

/* ---- with messages that its client brings ---- */

static void seed_send(struct store_call *c)
{
    struct store_command *create = c->own;
    c->own = NULL;
    command_send(create);
}

static void seed_send_listed(struct store_call *c)
{
    list_session(c);
    seed_send(c);
}

uint64_t store_session_seed(struct store *s, const struct store_seed *seed, store_fn *fn, void *arg)
{
    struct store_call *c = store_call_of(s, seed->owner, seed->session, fn, arg);
    uint32_t turns = 0;
    if (c->owner.overflowed || seed->title.len > s->config.text_bytes_max)
        return store_call_fail(c, ERR_TOO_LARGE);
    for (unsigned i = 0; i < seed->count; i++)
        turns += seed->messages[i].role == ROLE_USER;
    struct creation new = {.title = seed->title,
                           .turns = turns,
                           .last_message = seed->count,
                           .life_ms = seed->life_ms};
    struct store_command *create = c->own = create_command(c, &new);
    scoped_buf(message, RECORD_BYTES_MAX);
    for (unsigned i = 0; i < seed->count; i++) {
        buf_clear(&message);
        if (!record_message_encode(&seed->messages[i], &message))
            return store_call_fail(c, ERR_TOO_LARGE);
        command_num(create, i + 1);
        command_str(create, buf_str(&message));
        command_str(create, STR(""));
    }
    int64_t bytes = SESSION_BYTES_MIN + (int64_t)create->bytes.len;
    storage_take(c, bytes + (int64_t)seed->count * QUOTA_MESSAGE_BYTES, false,
                 seed->life_ms ? seed_send : seed_send_listed);
    return c->id;
}
