#include <stdlib.h>
#include "proto/store/call.h"
#include "proto/store/create.h"
#include "proto/store/key.h"
#include "proto/store/quota.h"
#include "proto/store/reply.h"
#include "proto/store/session.h"
#include "proto/store/storage.h"

/* A copy of a conversation up to before a message.
 *
 * What it takes is counted first, and asked of the quota; only then is it copied, page by page, so
 * that whoever makes large ones holds a page of it here, and Redis as long as a page takes. The
 * messages come before their session is made: nobody sees half of it, and should this process die
 * they go by themselves. Of one owner one is copied at a time. */
enum {
    PAGE_BYTES = 256 << 10, /* Redis takes about half a millisecond for it */
    PUT_KEEP_MS = 60000,    /* until the next page, or the session, is there: 5 s of tries each */
};

struct fork {
    struct list node; /* of store.forks */
    bool running;
    struct id from;
    uint32_t before;
    uint32_t looked; /* up to this message it was counted, then copied */
    uint32_t count, copied, turns;
    int64_t bytes;
    struct buf title, model, settings;
    struct store_call *call;
};

static void fork_free(void *own);
static void begin_next(struct store *s, struct str owner);
static void count_on(struct store_call *c);
static void on_extent(struct store_call *c, struct store_command *cmd, enum err err,
                      const struct redisReply *reply);
static void copy_on(struct store_call *c);
static void on_page(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply);
static void put(struct store_call *c, const struct redisReply *reply);
static void on_put(struct store_call *c, struct store_command *cmd, enum err err,
                   const struct redisReply *reply);
static void make(struct store_call *c);

uint64_t store_session_fork(struct store *s, struct str owner, struct id session, uint32_t before,
                            store_fn *fn, void *arg)
{
    struct store_call *c = store_call_of(s, owner, id_new(), fn, arg);
    struct fork *f = c->own = xcalloc(1, sizeof(*f));
    c->own_free = fork_free;
    *f = (struct fork){.from = session, .before = before, .call = c};
    buf_init(&f->title, s->config.text_bytes_max);
    buf_init(&f->model, s->config.text_bytes_max);
    buf_init(&f->settings, s->config.text_bytes_max);
    list_init(&f->node);
    if (before == 0)
        return store_call_fail(c, ERR_MESSAGE_NOT_FOUND);
    list_push(&s->forks, &f->node);
    begin_next(s, buf_str(&c->owner));
    return c->id;
}

/* ---- one at a time ---- */

/* The oldest of this owner's, unless one is under way. */
static void begin_next(struct store *s, struct str owner)
{
    list_each (&s->forks, node, next) {
        struct fork *f = list_of(node, struct fork, node);
        if (!str_eq(buf_str(&f->call->owner), owner))
            continue;
        if (!f->running) {
            f->running = true;
            count_on(f->call);
        }
        return;
    }
}

static void fork_free(void *own)
{
    struct fork *f = own;
    bool was_running = f->running;
    list_remove(&f->node);
    if (was_running)
        begin_next(f->call->store, buf_str(&f->call->owner));
    buf_free(&f->title);
    buf_free(&f->model);
    buf_free(&f->settings);
    free(f);
}

/* ---- what it takes ---- */

static void count_on(struct store_call *c)
{
    const struct fork *f = c->own;
    struct store_command *cmd = command_script(c, SCRIPT_session_extent, on_extent);
    command_session_keys(cmd, f->from);
    command_str(cmd, buf_str(&c->owner));
    command_num(cmd, f->looked);
    command_num(cmd, f->before);
    command_send(cmd);
}

static void on_extent(struct store_call *c, struct store_command *cmd, enum err err,
                      const struct redisReply *reply)
{
    (void)cmd;
    struct fork *f = c->own;
    if (err != ERR_NONE) {
        store_call_end(c, err, NULL);
        return;
    }
    f->bytes += redis_int(redis_at(reply, 1));
    f->count += (uint32_t)redis_int(redis_at(reply, 2));
    f->looked = (uint32_t)redis_int(redis_at(reply, 3));
    if (f->looked + 1 < f->before) {
        count_on(c);
        return;
    }
    if (!buf_add_str(&f->title, redis_text(redis_at(reply, 4))) ||
        !buf_add_str(&f->model, redis_text(redis_at(reply, 5))) ||
        !buf_add_str(&f->settings, redis_text(redis_at(reply, 6)))) {
        store_call_end(c, ERR_TOO_LARGE, NULL);
        return;
    }
    int64_t texts = (int64_t)(f->title.len + f->model.len + f->settings.len);
    f->looked = 0;
    storage_take(c, SESSION_BYTES_MIN + texts + f->bytes + (int64_t)f->count * QUOTA_MESSAGE_BYTES,
                 false, copy_on);
}

/* ---- the copy ---- */

static void copy_on(struct store_call *c)
{
    struct fork *f = c->own;
    if (f->looked + 1 >= f->before) {
        make(c);
        return;
    }
    struct store_command *cmd = command_script(c, SCRIPT_session_messages, on_page);
    command_session_keys(cmd, f->from);
    command_str(cmd, buf_str(&c->owner));
    command_num(cmd, f->looked);
    command_num(cmd, f->before - 1);
    command_num(cmd, PAGE_BYTES);
    command_send(cmd);
}

/* It comes to nothing: what was taken for it is free again. */
static void give_up(struct store_call *c, enum err err)
{
    storage_note(c->store, buf_str(&c->owner), c->session, 0);
    store_call_end(c, err, NULL);
}

static void on_page(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply)
{
    (void)cmd;
    struct fork *f = c->own;
    if (err != ERR_NONE) {
        give_up(c, err);
        return;
    }
    f->looked = (uint32_t)redis_int(redis_at(reply, 3));
    if (redis_count(redis_at(reply, 1)) > 0)
        put(c, reply);
    else
        copy_on(c);
}

/* Records go on as they are, those too that can't be read, and so do flags. */
static void put(struct store_call *c, const struct redisReply *reply)
{
    struct fork *f = c->own;
    const struct redisReply *records = redis_at(reply, 1), *flags = redis_at(reply, 2);
    unsigned count, flag = 0;
    struct store_message *m = reply_messages(records, flags, &count);
    struct store_command *cmd = command_script(c, SCRIPT_session_put, on_put);
    command_session_keys(cmd, c->session);
    command_num(cmd, PUT_KEEP_MS);
    for (unsigned i = 0; i + 1 < redis_count(records); i += 2) {
        struct str id = redis_text(redis_at(records, i));
        const struct store_message *found =
            messages_find(m, count, (uint32_t)redis_int(redis_at(records, i)));
        f->turns += found && found->record.role == ROLE_USER;
        f->copied++;
        command_str(cmd, id);
        command_str(cmd, redis_text(redis_at(records, i + 1)));
        command_str(cmd, reply_flags(flags, &flag, id));
    }
    messages_free(m, count);
    command_send(cmd);
}

static void on_put(struct store_call *c, struct store_command *cmd, enum err err,
                   const struct redisReply *reply)
{
    (void)cmd, (void)reply;
    if (err != ERR_NONE)
        give_up(c, err);
    else
        copy_on(c);
}

static void make(struct store_call *c)
{
    const struct fork *f = c->own;
    struct creation new = {.title = buf_str(&f->title),
                           .model = buf_str(&f->model),
                           .settings = buf_str(&f->settings),
                           .turns = f->turns,
                           .last_message = f->before - 1,
                           .put = f->copied};
    list_session(c);
    command_send(create_command(c, &new));
}
