#include "proto/store/erase.h"

#include <stdio.h>
#include <stdlib.h>
#include "proto/store/call.h"
#include "proto/store/key.h"
#include "proto/store/tally.h"

enum {
    FOUND_MAX = 100000,
    ROUNDS_MAX = 1000000, /* of SCAN: a thousand million keys */
    DAYS = 8,             /* budgets of days that may still be kept, tomorrow's included */
};

struct find {
    struct store_session *at;
    unsigned count, cap, rounds;
    bool erase;
};

static void scan(struct store_call *c, struct str cursor);
static void on_ids(struct store_call *c, struct store_command *cmd, enum err err,
                   const struct redisReply *reply);
static void on_scanned(struct store_call *c, struct store_command *cmd, enum err err,
                       const struct redisReply *reply);
static void on_owner(struct store_call *c, struct store_command *cmd, enum err err,
                     const struct redisReply *reply);
static void on_done(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply);

static void find_free(void *own)
{
    struct find *f = own;
    free(f->at);
    free(f);
}

static void add(struct find *f, struct id session)
{
    for (unsigned i = 0; i < f->count; i++)
        if (id_eq(f->at[i].session, session))
            return;
    if (f->count == FOUND_MAX)
        return;
    if (f->count == f->cap) {
        f->cap = f->cap ? 2 * f->cap : 64;
        f->at = xrealloc(f->at, f->cap * sizeof(*f->at));
    }
    f->at[f->count++] = (struct store_session){.session = session};
}

uint64_t store_owner_find(struct store *s, struct str owner, bool erase, store_fn *fn, void *arg)
{
    struct store_call *c = store_call_new(s, fn, arg);
    struct find *f = c->own = xcalloc(1, sizeof(*f));
    c->own_free = find_free;
    f->erase = erase;
    if (owner.len == 0 || !buf_add_str(&c->owner, owner))
        return store_call_fail(c, ERR_INVALID);
    struct store_command *cmd = command_new(c, on_ids);
    command_str(cmd, STR("ZRANGE"));
    command_owner_key(cmd, owner);
    command_num(cmd, 0);
    command_num(cmd, -1);
    command_send(cmd);
    cmd = command_new(c, on_ids);
    command_str(cmd, STR("HKEYS"));
    command_storage_key(cmd, owner);
    command_send(cmd);
    return c->id;
}

static void on_ids(struct store_call *c, struct store_command *cmd, enum err err,
                   const struct redisReply *reply)
{
    (void)cmd, (void)err;
    struct id session;
    for (unsigned i = 0; i < redis_count(reply); i++)
        if (id_parse(redis_text(redis_at(reply, i)), &session))
            add(c->own, session);
    if (c->waiting == 0)
        scan(c, STR("0"));
}

static void scan(struct store_call *c, struct str cursor)
{
    command_scan(command_new(c, on_scanned), cursor, STR("p:[spi]:*"));
}

/* Of a session its owner is asked; an idempotency key and a place in a line of theirs goes. */
static void look_at(struct store_call *c, struct str key)
{
    const struct find *f = c->own;
    struct str owner = buf_str(&c->owner);
    scoped_buf(once, STORE_OWNER_MAX + 64);
    buf_puts(&once, "p:i:{");
    buf_add_str(&once, owner);
    buf_puts(&once, "}:");
    bool session = str_starts(key, STR("p:s:")), line = str_starts(key, STR("p:p:"));
    bool theirs = str_starts(key, buf_str(&once));
    if (!session && !(f->erase && (theirs || (line && str_ends(key, STR(":o"))))))
        return;
    struct store_command *cmd = command_new(c, session ? on_owner : on_done);
    command_str(cmd, session ? STR("HGET") : theirs ? STR("DEL") : STR("HDEL"));
    command_str(cmd, key);
    if (!theirs)
        command_str(cmd, session ? STR("owner") : owner);
    command_send(cmd);
}

static void on_scanned(struct store_call *c, struct store_command *cmd, enum err err,
                       const struct redisReply *reply)
{
    (void)cmd, (void)err;
    struct find *f = c->own;
    const struct redisReply *keys = redis_at(reply, 1);
    struct str cursor;
    for (unsigned i = 0; i < redis_count(keys); i++)
        look_at(c, redis_text(redis_at(keys, i)));
    if (scan_goes_on(reply, &cursor) && ++f->rounds < ROUNDS_MAX)
        scan(c, cursor);
    else if (c->waiting == 0)
        on_done(c, NULL, ERR_NONE, NULL);
}

/* Its key is the command's second word. */
static void on_owner(struct store_call *c, struct store_command *cmd, enum err err,
                     const struct redisReply *reply)
{
    struct str key = {cmd->bytes.at + cmd->ends[0], cmd->ends[1] - cmd->ends[0]};
    struct id session;
    key = str_skip(key, STR("p:s:{").len);
    key.len -= key.len > 0;
    if (err == ERR_NONE && str_eq(redis_text(reply), buf_str(&c->owner)) && id_parse(key, &session))
        add(c->own, session);
    on_done(c, cmd, err, reply);
}

static void on_done(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply)
{
    (void)cmd, (void)err, (void)reply;
    const struct find *f = c->own;
    if (c->waiting == 0)
        store_call_end(c, ERR_NONE,
                       &(struct store_answer){.sessions = f->at, .session_count = f->count});
}

/* ---- what is theirs beside sessions ---- */

static void on_wiped(struct store_call *c, struct store_command *cmd, enum err err,
                     const struct redisReply *reply)
{
    (void)err;
    unsigned *removed = c->own;
    *removed += (unsigned)redis_int(cmd->script ? redis_at(reply, 1) : reply);
    if (c->waiting == 0)
        store_call_end(c, ERR_NONE, &(struct store_answer){.removed = *removed});
}

static void wipe(struct store_call *c, const char *before, struct str owner, const char *behind)
{
    struct store_command *cmd = command_new(c, on_wiped);
    command_str(cmd, STR("UNLINK"));
    buf_puts(&cmd->bytes, before);
    buf_add_str(&cmd->bytes, owner);
    buf_puts(&cmd->bytes, behind);
    command_cut(cmd);
    command_send(cmd);
}

uint64_t store_owner_wipe(struct store *s, struct str owner, struct str name, store_fn *fn,
                          void *arg)
{
    struct store_call *c = store_call_new(s, fn, arg);
    unsigned today = tally_today();
    char day[32];
    c->own = xcalloc(1, sizeof(unsigned));
    c->own_free = free;
    wipe(c, "p:u:{", owner, "}");
    wipe(c, "p:v:{", owner, "}");
    wipe(c, "p:a:{o:", owner, "}");
    wipe(c, "p:a:{o:", owner, "}:m");
    wipe(c, "p:a:{o:", owner, "}:b");
    for (unsigned i = 0; i < DAYS; i++) {
        snprintf(day, sizeof(day), "}:%u", today + 1 - i);
        wipe(c, "p:b:{o:", owner, day);
    }
    for (unsigned i = 0; i <= TALLY_DAYS + 1; i++) {
        struct store_command *forget = command_script(c, SCRIPT_tally_forget, on_wiped);
        command_tally_key(forget, today + 1 - i);
        command_str(forget, owner);
        command_send(forget);
    }
    if (name.len == 0)
        return c->id;
    struct store_command *cmd = command_new(c, on_wiped);
    command_str(cmd, STR("ZREM"));
    command_name_key(cmd, name);
    command_str(cmd, owner);
    command_send(cmd);
    return c->id;
}
