#include <stdlib.h>
#include <string.h>
#include "proto/store/call.h"
#include "proto/store/key.h"
#include "proto/store/pile.h"
#include "proto/store/reply.h"
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
static struct store_decision *read_decisions(const struct redisReply *p, unsigned *count);

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
    const struct redisReply *p = redis_at(reply, 7);
    struct store_load load = {
        .request = redis_text(redis_at(p, 0)),
        .seq = (uint32_t)redis_int(redis_at(p, 1)),
        .step = (uint32_t)redis_int(redis_at(p, 2)),
        .attempt = (uint32_t)redis_int(redis_at(p, 3)),
        .begun_ms = redis_int(redis_at(p, 4)),
        .usage = {(uint64_t)redis_int(redis_at(p, 5)), (uint64_t)redis_int(redis_at(p, 6)),
                  (uint64_t)redis_int(redis_at(p, 7)), (uint64_t)redis_int(redis_at(p, 8))},
        .cancel = redis_int(redis_at(p, 9)) == 1,
        .now_ms = redis_int(redis_at(p, 10)),
        .bytes = redis_int(redis_at(reply, 9)),
    };
    struct str place = redis_text(redis_at(p, 11));
    if (place.len == sizeof(load.place.bytes))
        memcpy(load.place.bytes, place.at, place.len);
    reply_session(redis_at(reply, 6), c->session, &load.session);
    load.session.revision = l->revision;
    struct store_answer answer = {.session = c->session, .load = &load};
    struct store_decision *decisions = read_decisions(redis_at(reply, 8), &load.decision_count);
    load.decisions = decisions;
    struct store_message *m = pile_messages(&l->messages, &answer.message_count);
    answer.messages = m;
    unsigned count = answer.message_count;
    struct pile pile = l->messages; /* their texts: they outlive the call, which the next ends */
    pile_init(&l->messages);
    answer.pile = &pile;
    store_call_end(c, ERR_NONE, &answer);
    messages_free(m, count);
    pile_free(&pile);
    free(decisions);
}

/* Triples (call id, hash, decision). */
static struct store_decision *read_decisions(const struct redisReply *p, unsigned *count)
{
    *count = redis_count(p) / 3;
    struct store_decision *d = xcalloc(*count + 1, sizeof(*d));
    for (unsigned i = 0; i < *count; i++) {
        int64_t what = redis_int(redis_at(p, 3 * i + 2));
        d[i] = (struct store_decision){redis_text(redis_at(p, 3 * i)),
                                       redis_text(redis_at(p, 3 * i + 1)),
                                       what == 2   ? DECISION_BEGUN
                                       : what == 1 ? DECISION_APPROVED
                                       : what == 0 ? DECISION_REFUSED
                                                   : DECISION_NONE};
    }
    return d;
}
