#include "proto/store/storage.h"

#include <stdlib.h>
#include <string.h>
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

static void on_taken(struct store_call *c, struct store_command *cmd, enum err err,
                     const struct redisReply *reply);
static void on_listed(struct store_call *c, struct store_command *cmd, enum err err,
                      const struct redisReply *reply);
static void on_noted_before(struct store_call *c, struct store_command *cmd, enum err err,
                            const struct redisReply *reply);
static void on_size(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply);
static void on_counted(struct store_call *c, struct store_command *cmd, enum err err,
                       const struct redisReply *reply);

static bool limited(const struct store *s)
{
    return s->config.user_sessions_max > 0 || s->config.user_bytes_max > 0;
}

static void take(struct store_call *c)
{
    const struct store_config *config = &c->store->config;
    struct store_command *cmd = command_script(c, SCRIPT_quota_storage_take, on_taken);
    command_storage_key(cmd, buf_str(&c->owner));
    command_id(cmd, c->session);
    command_num(cmd, c->storage.bytes);
    command_num(cmd, c->storage.add);
    command_num(cmd, config->user_sessions_max);
    command_num(cmd, (int64_t)config->user_bytes_max);
    command_num(cmd, config->session_keep_ms);
    command_send(cmd);
}

void storage_take(struct store_call *c, int64_t bytes, bool add, void (*then)(struct store_call *c))
{
    if (!limited(c->store)) {
        then(c);
        return;
    }
    c->storage = (struct storage_taking){.bytes = bytes, .add = add, .then = then};
    take(c);
}

static void on_taken(struct store_call *c, struct store_command *cmd, enum err err,
                     const struct redisReply *reply)
{
    (void)cmd;
    int64_t verdict = redis_int(redis_at(reply, 1)), since_ms = redis_int(redis_at(reply, 2));
    if (err != ERR_NONE)
        store_call_end(c, err, NULL);
    else if (verdict == QUOTA_OK)
        c->storage.then(c);
    else if (storage_stale(c, since_ms))
        storage_count(c, take);
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

/* Those of the list, and those that are in no list, but were noted when they were made. */
void storage_count(struct store_call *c, void (*then)(struct store_call *c))
{
    c->storage.recounted = then;
    c->storage.found_count = 0;
    struct store_command *cmd = command_new(c, on_listed);
    command_str(cmd, STR("ZRANGE"));
    command_owner_key(cmd, buf_str(&c->owner));
    command_num(cmd, 0);
    command_num(cmd, COUNT_MAX - 1);
    command_send(cmd);
}

static int by_id(const void *a, const void *b)
{
    return memcmp(((const struct counted *)a)->session.bytes,
                  ((const struct counted *)b)->session.bytes, sizeof(struct id));
}

/* Ids that are among the first `sorted` already are left out. */
static void find(struct store_call *c, const struct redisReply *ids, unsigned sorted)
{
    struct storage_taking *t = &c->storage;
    unsigned count = redis_count(ids);
    t->found = xrealloc(t->found, (t->found_count + count + 1) * sizeof(*t->found));
    for (unsigned i = 0; i < count; i++) {
        struct counted one = {0};
        if (id_parse(redis_text(redis_at(ids, i)), &one.session) &&
            !bsearch(&one, t->found, sorted, sizeof(one), by_id))
            t->found[t->found_count++] = one;
    }
}

static void on_listed(struct store_call *c, struct store_command *cmd, enum err err,
                      const struct redisReply *reply)
{
    (void)cmd, (void)err;
    find(c, reply, 0);
    struct store_command *noted = command_new(c, on_noted_before);
    command_str(noted, STR("HKEYS"));
    command_storage_key(noted, buf_str(&c->owner));
    command_send(noted);
}

static void on_noted_before(struct store_call *c, struct store_command *cmd, enum err err,
                            const struct redisReply *reply)
{
    (void)cmd, (void)err;
    qsort(c->storage.found, c->storage.found_count, sizeof(*c->storage.found), by_id);
    find(c, reply, c->storage.found_count);
    for (unsigned i = 0; i < c->storage.found_count; i++) {
        struct store_command *size = command_script(c, SCRIPT_session_size, on_size);
        size->tag = i;
        command_session_key(size, c->storage.found[i].session);
        command_str(size, buf_str(&c->owner));
        command_send(size);
    }
    if (c->storage.found_count == 0)
        on_size(c, NULL, ERR_NONE, NULL);
}

static void on_size(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply)
{
    (void)err;
    if (cmd)
        c->storage.found[cmd->tag].bytes = redis_int(redis_at(reply, 1));
    if (c->waiting > 0)
        return;
    struct store_command *count = command_script(c, SCRIPT_quota_storage_count, on_counted);
    command_storage_key(count, buf_str(&c->owner));
    command_num(count, c->store->config.session_keep_ms);
    for (unsigned i = 0; i < c->storage.found_count; i++) {
        if (c->storage.found[i].bytes == 0)
            continue;
        command_id(count, c->storage.found[i].session);
        command_num(count, c->storage.found[i].bytes);
    }
    command_send(count);
}

static void on_counted(struct store_call *c, struct store_command *cmd, enum err err,
                       const struct redisReply *reply)
{
    (void)cmd, (void)reply;
    if (err != ERR_NONE) {
        store_call_end(c, err, NULL);
        return;
    }
    c->storage.counted = true;
    c->storage.recounted(c);
}

/* ---- afterwards ---- */

static void on_noted(struct store_call *c, struct store_command *cmd, enum err err,
                     const struct redisReply *reply)
{
    (void)cmd, (void)err, (void)reply;
    store_call_end(c, ERR_NONE, &(struct store_answer){0});
}

static bool note(struct store_call *c, command_fn *fn, struct str owner, struct id session,
                 int64_t bytes, bool moved)
{
    if (!limited(c->store) || owner.len == 0)
        return false;
    struct store_command *cmd = command_script(c, SCRIPT_quota_storage_note, fn);
    command_storage_key(cmd, owner);
    command_id(cmd, session);
    command_num(cmd, bytes);
    command_num(cmd, c->store->config.session_keep_ms);
    command_num(cmd, moved);
    command_send(cmd);
    return true;
}

void storage_note(struct store *s, struct str owner, struct id session, int64_t bytes)
{
    if (limited(s) && owner.len > 0)
        note(store_call_new(s, NULL, NULL), on_noted, owner, session, bytes, false);
}

bool storage_note_in(struct store_call *c, command_fn *fn, struct str owner, struct id session,
                     int64_t bytes)
{
    return note(c, fn, owner, session, bytes, false);
}

bool storage_note_moved(struct store_call *c, command_fn *fn, struct str owner, struct id session,
                        int64_t bytes)
{
    return note(c, fn, owner, session, bytes, true);
}
