#include "proto/store/storage.h"

#include <stdlib.h>
#include "proto/store/call.h"
#include "proto/store/key.h"

/* What one person keeps in all: sessions and bytes.
 *
 * It is kept in one hash of the owner's, outside of the sessions' keys, and so of another slot of a
 * Cluster: it is taken before a session is made or grows, and noted afterwards as it is. What a
 * crash leaves out, or expires with a session, is found by counting all again: when somebody meets
 * the limit, or nobody counted yet. */
enum {
    COUNTED_MS = 60 * 1000, /* who meets the limit is counted again at most this often */
    COUNT_MAX = 20000,      /* sessions; more are not counted */
};

static void on_taken(struct store_call *c, struct store_command *a, enum err err,
                     const struct redisReply *reply);
static void on_index(struct store_call *c, struct store_command *a, enum err err,
                     const struct redisReply *reply);
static void on_size(struct store_call *c, struct store_command *a, enum err err,
                    const struct redisReply *reply);
static void on_counted(struct store_call *c, struct store_command *a, enum err err,
                       const struct redisReply *reply);

static bool limited(const struct store *s)
{
    return s->config.user_sessions_max > 0 || s->config.user_bytes_max > 0;
}

static bool noted(const struct store *s) { return limited(s) || s->config.quota_noted; }

static void ask_take(struct store_call *c)
{
    const struct store_config *config = &c->store->config;
    struct store_command *a = ask_script(c, SCRIPT_quota_storage_take, on_taken);
    ask_storage_key(a, buf_str(&c->owner));
    ask_id(a, c->session);
    ask_num(a, c->storage.bytes);
    ask_num(a, c->storage.add);
    ask_num(a, config->user_sessions_max);
    ask_num(a, (int64_t)config->user_bytes_max);
    ask_num(a, config->session_keep_ms);
    ask_send(a);
}

void storage_take(struct store_call *c, int64_t bytes, bool add, void (*then)(struct store_call *c))
{
    if (!limited(c->store)) {
        then(c);
        return;
    }
    c->storage = (struct storage_taking){.bytes = bytes, .add = add, .then = then};
    ask_take(c);
}

static void on_taken(struct store_call *c, struct store_command *a, enum err err,
                     const struct redisReply *reply)
{
    (void)a;
    int64_t verdict = redis_int(redis_at(reply, 1)), since_ms = redis_int(redis_at(reply, 2));
    if (err != ERR_NONE)
        store_call_end(c, err, NULL);
    else if (verdict == QUOTA_OK)
        c->storage.then(c);
    else if (storage_stale(c, since_ms))
        storage_count(c, ask_take);
    else
        store_call_end(c, verdict == QUOTA_SESSIONS ? ERR_TOO_MANY_SESSIONS : ERR_QUOTA_EXCEEDED,
                       NULL);
}

/* ---- counting ---- */

struct counted {
    struct id session;
    int64_t bytes;
};

bool storage_stale(const struct store_call *c, int64_t since_ms)
{
    return since_ms > COUNTED_MS && !c->storage.counted;
}

void storage_count(struct store_call *c, void (*then)(struct store_call *c))
{
    c->storage.recounted = then;
    struct store_command *a = ask_new(c, on_index);
    ask_str(a, STR("ZRANGE"));
    ask_owner_key(a, buf_str(&c->owner));
    ask_num(a, 0);
    ask_num(a, COUNT_MAX - 1);
    ask_send(a);
}

static void on_index(struct store_call *c, struct store_command *a, enum err err,
                     const struct redisReply *reply)
{
    (void)a, (void)err;
    unsigned count = redis_count(reply);
    c->storage.found = xcalloc(count + 1, sizeof(*c->storage.found));
    for (unsigned i = 0; i < count; i++) {
        struct counted *one = &c->storage.found[c->storage.found_count];
        if (!id_parse(redis_text(redis_at(reply, i)), &one->session))
            continue;
        struct store_command *size = ask_script(c, SCRIPT_session_size, on_size);
        size->tag = c->storage.found_count++;
        ask_session_key(size, one->session);
        ask_str(size, buf_str(&c->owner));
        ask_send(size);
    }
    if (c->storage.found_count == 0)
        on_size(c, NULL, ERR_NONE, NULL);
}

static void on_size(struct store_call *c, struct store_command *a, enum err err,
                    const struct redisReply *reply)
{
    (void)err;
    if (a)
        c->storage.found[a->tag].bytes = redis_int(redis_at(reply, 1));
    if (c->waiting > 0)
        return;
    struct store_command *count = ask_script(c, SCRIPT_quota_storage_count, on_counted);
    ask_storage_key(count, buf_str(&c->owner));
    ask_num(count, c->store->config.session_keep_ms);
    for (unsigned i = 0; i < c->storage.found_count; i++) {
        if (c->storage.found[i].bytes == 0)
            continue;
        ask_id(count, c->storage.found[i].session);
        ask_num(count, c->storage.found[i].bytes);
    }
    ask_send(count);
}

static void on_counted(struct store_call *c, struct store_command *a, enum err err,
                       const struct redisReply *reply)
{
    (void)a, (void)reply;
    if (err != ERR_NONE) {
        store_call_end(c, err, NULL);
        return;
    }
    c->storage.counted = true;
    c->storage.recounted(c);
}

/* ---- afterwards ---- */

static void on_noted(struct store_call *c, struct store_command *a, enum err err,
                     const struct redisReply *reply)
{
    (void)a, (void)err, (void)reply;
    store_call_end(c, ERR_NONE, &(struct store_answer){0});
}

static void note(struct store *s, struct str owner, struct id session, int64_t bytes, bool moved)
{
    if (!noted(s) || owner.len == 0)
        return;
    struct store_command *a =
        ask_script(store_call_new(s, NULL, NULL), SCRIPT_quota_storage_note, on_noted);
    ask_storage_key(a, owner);
    ask_id(a, session);
    ask_num(a, bytes);
    ask_num(a, s->config.session_keep_ms);
    ask_num(a, moved);
    ask_send(a);
}

void storage_note(struct store *s, struct str owner, struct id session, int64_t bytes)
{
    note(s, owner, session, bytes, false);
}

void storage_note_moved(struct store *s, struct str owner, struct id session, int64_t bytes)
{
    note(s, owner, session, bytes, true);
}
