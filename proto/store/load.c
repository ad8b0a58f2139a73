#include <stdlib.h>
#include "proto/store/call.h"
#include "proto/store/key.h"
#include "proto/store/loaded_read.h"
#include "proto/store/turn.h"

/* A worker loads a turn with its conversation: page by page, since Redis does nothing else while it
 * reads one. The script of the last page takes the lease; no message comes between, for each
 * earlier epoch is fenced. A short conversation is one page. */
enum { PAGE_BYTES = 256 << 10 };

struct loading {
    struct pile messages;
    uint32_t epoch, after, upto; /* upto 0: not known before the first page */
    uint32_t revision;           /* of that time: a summary of what was changed since is refused */
    struct buf holder;
};

static void loading_free(void *own);
static void ask_page(struct store_call *c);
static void on_page(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply);
static void loaded(struct store_call *c, const struct redisReply *reply);

uint64_t store_turn_load(struct store *s, struct id session, struct id turn, uint32_t epoch,
                         struct str holder, store_fn *fn, void *arg)
{
    struct store_call *c = store_call_new(s, fn, arg);
    struct loading *l = c->own = xcalloc(1, sizeof(*l));
    c->own_free = loading_free;
    c->session = session;
    c->turn = turn;
    l->epoch = epoch;
    pile_init(&l->messages);
    buf_init(&l->holder, STORE_OWNER_MAX);
    if (!buf_add_str(&l->holder, holder))
        return store_call_fail(c, ERR_TOO_LARGE);
    ask_page(c);
    return c->id;
}

static void loading_free(void *own)
{
    struct loading *l = own;
    pile_free(&l->messages);
    buf_free(&l->holder);
    free(l);
}

static void ask_page(struct store_call *c)
{
    const struct loading *l = c->own;
    struct store_command *cmd = command_script(c, SCRIPT_turn_load, on_page);
    command_turn_keys(cmd, c->session, c->turn);
    command_num(cmd, l->epoch);
    command_str(cmd, buf_str(&l->holder));
    command_num(cmd, c->store->config.lease_ms);
    command_turn_prefix(cmd, c->session);
    command_num(cmd, l->after);
    command_num(cmd, l->upto);
    command_num(cmd, PAGE_BYTES);
    command_send(cmd);
}

static void on_page(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply)
{
    (void)cmd;
    struct loading *l = c->own;
    if (err != ERR_NONE) {
        store_call_end(c, err, NULL);
        return;
    }
    if (!pile_add(&l->messages, redis_at(reply, 1), redis_at(reply, 2))) {
        store_call_end(c, ERR_TOO_LARGE, NULL);
        return;
    }
    if (l->upto == 0)
        l->revision = (uint32_t)redis_int(redis_at(reply, 5));
    l->after = (uint32_t)redis_int(redis_at(reply, 3));
    l->upto = (uint32_t)redis_int(redis_at(reply, 4));
    if (l->after < l->upto)
        ask_page(c);
    else
        loaded(c, reply);
}

static void loaded(struct store_call *c, const struct redisReply *reply)
{
    struct loading *l = c->own;
    struct loaded_parts p;
    loaded_read(&p, c->session, l->revision, &l->messages, reply);
    store_call_end(c, ERR_NONE, &p.answer);
    loaded_free(&p);
}
