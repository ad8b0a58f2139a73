#include "proto/store/owner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/utc.h"
#include "proto/store/call.h"
#include "proto/store/index.h"
#include "proto/store/key.h"
#include "proto/store/storage.h"

/* Owners: which there were of a name, and a session that becomes another's.
 *
 * A session is moved by its own script; the lists and counts of both owners lie in other slots of a
 * Cluster and follow, the first owner's list last: what a crash leaves between is found there
 * again, and the next move goes on with it. */
enum {
    PAGE = 32,       /* sessions moved side by side */
    OWNERS_MAX = 64, /* of one name; the earliest are left out */
};

struct moved {
    struct id session;
    int64_t updated_ms, bytes;
    bool keep;
    char once[STORE_HASH_TEXT + 1];
};
struct move {
    struct buf from;
    int64_t since_ms;
    unsigned left, moved; /* left: in the first owner's list, for they are not to be moved */
    struct moved page[PAGE];
};

static void move_page(struct store_call *c);
static void on_page(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply);
static void on_session(struct store_call *c, struct store_command *cmd, enum err err,
                       const struct redisReply *reply);
static void on_listed(struct store_call *c, struct store_command *cmd, enum err err,
                      const struct redisReply *reply);
static void on_unlisted(struct store_call *c, struct store_command *cmd, enum err err,
                        const struct redisReply *reply);
static void unlist(struct store_call *c, unsigned i);
static void on_followed(struct store_call *c, struct store_command *cmd, enum err err,
                        const struct redisReply *reply);
static void move_once(struct store_call *c, const struct moved *m);
static void page_over(struct store_call *c);
static void owners_free(void *own);
static void on_owners(struct store_call *c, struct store_command *cmd, enum err err,
                      const struct redisReply *reply);
static void scan_lists(struct store_call *c, struct str cursor);
static void on_scanned(struct store_call *c, struct store_command *cmd, enum err err,
                       const struct redisReply *reply);
static void count_sessions(struct store_call *c, unsigned i);
static void on_counted(struct store_call *c, struct store_command *cmd, enum err err,
                       const struct redisReply *reply);

/* ---- who was here ---- */

static void on_noted(struct store_call *c, struct store_command *cmd, enum err err,
                     const struct redisReply *reply)
{
    (void)cmd, (void)err, (void)reply;
    if (c->waiting == 0)
        store_call_end(c, ERR_NONE, &(struct store_answer){0});
}

/* It lasts a day longer than a session that was changed now. */
void store_owner_seen(struct store *s, struct str name, struct str owner)
{
    struct store_call *c = store_call_new(s, NULL, NULL);
    struct store_command *cmd = command_new(c, on_noted);
    command_str(cmd, STR("ZADD"));
    command_name_key(cmd, name);
    command_num(cmd, loop_wall_ms());
    command_str(cmd, owner);
    command_send(cmd);
    if (s->config.session_keep_ms <= 0)
        return;
    cmd = command_new(c, on_noted);
    command_str(cmd, STR("PEXPIRE"));
    command_name_key(cmd, name);
    command_num(cmd, s->config.session_keep_ms + UTC_DAY_MS);
    command_send(cmd);
}

/* ---- a move ---- */

static void move_free(void *own)
{
    struct move *m = own;
    buf_free(&m->from);
    free(m);
}

uint64_t store_owner_move(struct store *s, struct str from, struct str to, int64_t since_ms,
                          store_fn *fn, void *arg)
{
    struct store_call *c = store_call_new(s, fn, arg);
    struct move *m = c->own = xcalloc(1, sizeof(*m));
    c->own_free = move_free;
    m->since_ms = since_ms;
    buf_init(&m->from, STORE_OWNER_MAX);
    if (from.len == 0 || str_eq(from, to) || !buf_add_str(&m->from, from) ||
        !buf_add_str(&c->owner, to))
        return store_call_fail(c, ERR_INVALID);
    move_page(c);
    return c->id;
}

/* What was updated before was created before. */
static void move_page(struct store_call *c)
{
    const struct move *m = c->own;
    struct store_command *cmd = command_new(c, on_page);
    command_str(cmd, STR("ZRANGEBYSCORE"));
    command_owner_key(cmd, buf_str(&m->from));
    command_num(cmd, m->since_ms);
    command_str(cmd, STR("+inf"));
    command_str(cmd, STR("LIMIT"));
    command_num(cmd, m->left);
    command_num(cmd, PAGE);
    command_send(cmd);
}

static void on_page(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply)
{
    (void)cmd, (void)err;
    struct move *m = c->own;
    unsigned count = redis_count(reply);
    if (count == 0) {
        store_call_end(c, ERR_NONE, &(struct store_answer){.moved = m->moved});
        return;
    }
    for (unsigned i = 0; i < count && i < PAGE; i++) {
        m->page[i] = (struct moved){0};
        if (!id_parse(redis_text(redis_at(reply, i)), &m->page[i].session)) {
            m->left++;
            continue;
        }
        struct store_command *one = command_script(c, SCRIPT_session_move, on_session);
        one->tag = i;
        command_session_key(one, m->page[i].session);
        command_str(one, buf_str(&m->from));
        command_str(one, buf_str(&c->owner));
        command_num(one, m->since_ms);
        command_send(one);
    }
    page_over(c);
}

static void page_over(struct store_call *c)
{
    if (c->waiting == 0)
        move_page(c);
}

static void on_session(struct store_call *c, struct store_command *cmd, enum err err,
                       const struct redisReply *reply)
{
    struct move *m = c->own;
    struct moved *one = &m->page[cmd->tag];
    struct str once = redis_text(redis_at(reply, 4));
    if (err != ERR_NONE) { /* it is gone, or another's */
        unlist(c, cmd->tag);
        return;
    }
    if (redis_int(redis_at(reply, 1)) == 0) {
        m->left++;
        page_over(c);
        return;
    }
    m->moved++;
    one->updated_ms = redis_int(redis_at(reply, 2));
    one->bytes = redis_int(redis_at(reply, 3));
    one->keep = redis_int(redis_at(reply, 5)) == 1;
    if (once.len == STORE_HASH_TEXT)
        memcpy(one->once, once.at, once.len);
    struct store_command *list = command_new(c, on_listed);
    list->tag = cmd->tag;
    command_str(list, STR("ZADD"));
    command_owner_key(list, buf_str(&c->owner));
    command_num(list, one->updated_ms);
    command_id(list, one->session);
    command_send(list);
}

static void on_listed(struct store_call *c, struct store_command *cmd, enum err err,
                      const struct redisReply *reply)
{
    (void)err, (void)reply;
    struct move *m = c->own;
    const struct moved *one = &m->page[cmd->tag];
    if (one->keep) {
        index_owner_keep(c->store, buf_str(&c->owner), one->session, true);
        index_owner_keep(c->store, buf_str(&m->from), one->session, false);
    }
    index_owner_move(c->store, buf_str(&c->owner), one->session, one->updated_ms); /* expires */
    storage_note_moved(c, on_followed, buf_str(&c->owner), one->session, one->bytes);
    storage_note_in(c, on_followed, buf_str(&m->from), one->session, 0);
    if (*one->once)
        move_once(c, one);
    unlist(c, cmd->tag);
}

/* Its idempotency key: an alert that comes again is not investigated again. */
static void move_once(struct store_call *c, const struct moved *one)
{
    const struct move *m = c->own;
    struct store_command *cmd = command_new(c, on_followed);
    command_str(cmd, STR("SET"));
    command_owner_once_key(cmd, buf_str(&c->owner), one->once);
    command_id(cmd, one->session);
    command_str(cmd, STR("NX"));
    command_str(cmd, STR("PX"));
    command_num(cmd, store_once_ms(c->store));
    command_send(cmd);
    index_owner_forget_once(c, on_followed, buf_str(&m->from), one->once);
}

static void unlist(struct store_call *c, unsigned i)
{
    const struct move *m = c->own;
    struct store_command *cmd = command_new(c, on_unlisted);
    command_str(cmd, STR("ZREM"));
    command_owner_key(cmd, buf_str(&m->from));
    command_id(cmd, m->page[i].session);
    command_send(cmd);
}

static void on_followed(struct store_call *c, struct store_command *cmd, enum err err,
                        const struct redisReply *reply)
{
    (void)cmd, (void)err, (void)reply;
    page_over(c);
}

static void on_unlisted(struct store_call *c, struct store_command *cmd, enum err err,
                        const struct redisReply *reply)
{
    (void)cmd, (void)err, (void)reply;
    page_over(c);
}

/* ---- who there is of a name ---- */

struct owners {
    struct buf names[OWNERS_MAX + 1];
    struct store_owner at[OWNERS_MAX + 1];
    unsigned count;
};

static void owners_free(void *own)
{
    struct owners *o = own;
    for (unsigned i = 0; i < o->count; i++)
        buf_free(&o->names[i]);
    free(o);
}

static void add_owner(struct owners *o, struct str owner, int64_t seen_ms)
{
    struct buf *b = &o->names[o->count];
    buf_init(b, STORE_OWNER_MAX);
    buf_add_str(b, owner);
    o->at[o->count++] = (struct store_owner){.owner = buf_str(b), .seen_ms = seen_ms};
}

uint64_t store_owner_list(struct store *s, struct str name, store_fn *fn, void *arg)
{
    struct store_call *c = store_call_new(s, fn, arg);
    c->own = xcalloc(1, sizeof(struct owners));
    c->own_free = owners_free;
    if (name.len == 0 || name.len > STORE_OWNER_MAX)
        return store_call_fail(c, ERR_INVALID);
    add_owner(c->own, name, 0);
    struct store_command *cmd = command_new(c, on_owners);
    command_str(cmd, STR("ZREVRANGE"));
    command_name_key(cmd, name);
    command_num(cmd, 0);
    command_num(cmd, OWNERS_MAX - 1);
    command_str(cmd, STR("WITHSCORES"));
    return command_send(cmd);
}

static void on_owners(struct store_call *c, struct store_command *cmd, enum err err,
                      const struct redisReply *reply)
{
    (void)cmd, (void)err;
    struct owners *o = c->own;
    for (unsigned i = 0; i + 1 < redis_count(reply) && o->count <= OWNERS_MAX; i += 2)
        add_owner(o, redis_text(redis_at(reply, i)), redis_int(redis_at(reply, i + 1)));
    scan_lists(c, STR("0"));
}

/* The name as a pattern: those of Perses have none of these characters, what is typed may. */
static void scan_lists(struct store_call *c, struct str cursor)
{
    const struct owners *o = c->own;
    struct str name = o->at[0].owner;
    scoped_buf(pattern, 2 * name.len + 16);
    buf_puts(&pattern, "p:u:{");
    for (size_t i = 0; i < name.len; i++) {
        if (strchr("*?[]\\", name.at[i]))
            buf_putc(&pattern, '\\');
        buf_putc(&pattern, name.at[i]);
    }
    buf_puts(&pattern, ":*}");
    command_scan(command_new(c, on_scanned), cursor, buf_str(&pattern));
}

/* A list's owner is the name, a colon and a number: another name may begin with this one. */
static void add_listed(struct owners *o, struct str key)
{
    uint64_t number;
    struct str owner = str_skip(key, STR("p:u:{").len);
    owner.len -= owner.len > 0;
    bool known = !str_u64(str_skip(owner, o->at[0].owner.len + 1), INT64_MAX, &number);
    for (unsigned i = 0; i < o->count; i++)
        known = known || str_eq(o->at[i].owner, owner);
    if (!known && o->count <= OWNERS_MAX)
        add_owner(o, owner, 0);
}

static void on_scanned(struct store_call *c, struct store_command *cmd, enum err err,
                       const struct redisReply *reply)
{
    (void)cmd, (void)err;
    struct owners *o = c->own;
    const struct redisReply *keys = redis_at(reply, 1);
    struct str cursor;
    for (unsigned i = 0; i < redis_count(keys); i++)
        add_listed(o, redis_text(redis_at(keys, i)));
    if (scan_goes_on(reply, &cursor)) {
        scan_lists(c, cursor);
        return;
    }
    for (unsigned i = 0; i < o->count; i++)
        count_sessions(c, i);
}

static void count_sessions(struct store_call *c, unsigned i)
{
    const struct owners *o = c->own;
    struct store_command *cmd = command_new(c, on_counted);
    cmd->tag = i;
    command_str(cmd, STR("ZCARD"));
    command_owner_key(cmd, o->at[i].owner);
    command_send(cmd);
}

static void on_counted(struct store_call *c, struct store_command *cmd, enum err err,
                       const struct redisReply *reply)
{
    (void)err;
    struct owners *o = c->own;
    o->at[cmd->tag].sessions = (unsigned)redis_int(reply);
    if (c->waiting == 0)
        store_call_end(c, ERR_NONE,
                       &(struct store_answer){.owners = o->at, .owner_count = o->count});
}
