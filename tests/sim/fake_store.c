#include "tests/sim/fake_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "proto/store/active.h"
#include "proto/store/events.h"
#include "proto/store/list.h"
#include "proto/store/parting.h"
#include "proto/store/session.h"
#include "proto/store/store.h"
#include "proto/store/turn.h"
#include "tests/sim/fake_redis.h"

struct store {
    struct redis *redis;
    struct store_config config;
    struct list waiting; /* of fake_op: not answered yet */
    uint64_t last_id;
    unsigned active_offset;
    fake_carry_fn *carry;
    void *carry_arg;
    bool away;
};

/* ---- ops ---- */
const char *fake_op_name(const struct fake_op *op)
{
    static const char *const names[] = {
#define X(name) #name,
        FAKE_OPS(X)
#undef X
    };
    return names[op->kind];
}

struct fake_op *fake_op_ref(struct fake_op *op)
{
    op->refs++;
    return op;
}

void fake_op_free(struct fake_op *op)
{
    if (--op->refs > 0)
        return;
    for (unsigned i = 0; i < TEXTS; i++)
        blob_free(op->texts[i]);
    for (unsigned i = 0; i < op->message_count; i++)
        blob_free(op->messages[i]);
    blob_free(op->batch);
    free(op->asked);
    free(op);
}

bool fake_op_waits(const struct fake_op *op) { return op->store != NULL; }

/* Nobody waits for it any more. */
static void leave(struct fake_op *op)
{
    op->store = NULL;
    list_remove(&op->node);
    fake_op_free(op);
}

static struct fake_op *op_new(struct store *s, enum fake_op_kind kind, store_fn *fn, void *arg)
{
    struct fake_op *op = xcalloc(1, sizeof *op);
    op->refs = 1;
    op->kind = kind;
    op->redis = s->redis;
    op->store = s;
    op->id = ++s->last_id;
    op->fn = fn;
    op->arg = arg;
    op->config = s->config;
    list_push(&s->waiting, &op->node);
    return op;
}

static struct fake_op *turn_op(struct store *s, enum fake_op_kind kind, struct id session,
                               struct id turn, store_fn *fn, void *arg)
{
    struct fake_op *op = op_new(s, kind, fn, arg);
    op->session = session;
    op->turn = turn;
    return op;
}

static uint64_t op_send(struct fake_op *op)
{
    if (op->sent++ == 0)
        op->first_ms = op->redis->now_ms;
    if (op->store->carry)
        op->store->carry(op->store->carry_arg, fake_op_ref(op));
    return op->id;
}

static uint64_t op_break(struct fake_op *op, enum err err)
{
    op->kind = OP_BROKEN;
    op->why = err;
    return op_send(op);
}

static void op_name(char out[FAKE_NAME_MAX], struct str name)
{
    CHECK(name.len < FAKE_NAME_MAX);
    if (name.len > 0)
        memcpy(out, name.at, name.len);
    out[name.len] = '\0';
}

static struct fake_asked *add_asked(struct fake_op *op)
{
    CHECK(op->asked_count < FAKE_ASKED_MAX);
    if (!op->asked)
        op->asked = xcalloc(FAKE_ASKED_MAX, sizeof *op->asked);
    return &op->asked[op->asked_count++];
}

/* ---- answers ---- */
struct str reply_hold(struct fake_reply *r, struct blob *b)
{
    if (!b)
        return (struct str){NULL, 0};
    if (r->held_count == r->held_max) {
        r->held_max = r->held_max ? 2 * r->held_max : 8;
        r->held = xrealloc(r->held, r->held_max * sizeof(*r->held));
    }
    r->held[r->held_count++] = blob_ref(b);
    return blob_str(b);
}

struct fake_reply *fake_op_execute(struct fake_op *op)
{
    struct fake_reply *r = xcalloc(1, sizeof *r);
    if (op->kind == OP_BROKEN)
        r->err = op->why;
    else if (op->kind < OP_TURN_BEGIN)
        scripts_session(op->redis, op, r);
    else
        scripts_turn(op->redis, op, r);
    return r;
}

void fake_reply_free(struct fake_reply *r)
{
    for (unsigned i = 0; r->messages && i < r->answer.message_count; i++)
        record_message_free(&r->messages[i].record);
    for (unsigned i = 0; i < r->held_count; i++)
        blob_free(r->held[i]);
    free(r->held);
    free(r->sessions);
    free(r->messages);
    free(r->events);
    free(r->turns);
    free(r->decisions);
    free(r);
}

static void skip_turns(const struct fake_op *op, struct fake_reply *r)
{
    unsigned found = r->answer.turn_count;
    r->answer.turn_count = 0;
    for (unsigned i = 0; i < found; i++)
        if (!op->skip(op->arg, r->turns[i].turn))
            r->turns[r->answer.turn_count++] = r->turns[i];
}

void fake_op_answer(struct fake_op *op, struct fake_reply *take_reply)
{
    struct store *s = op->store;
    if (s) {
        if (op->skip)
            skip_turns(op, take_reply);
        if (op->kind == OP_TURN_ACTIVE && take_reply->err == ERR_NONE)
            s->active_offset = take_reply->answer.more ? op->offset + op->max : 0;
        take_reply->answer.more = take_reply->answer.more && op->kind != OP_TURN_ACTIVE;
        store_fn *fn = op->fn;
        void *arg = op->arg;
        leave(op);
        fn(arg, take_reply->err, take_reply->err == ERR_NONE ? &take_reply->answer : NULL);
    }
    fake_reply_free(take_reply);
}

void fake_op_fail(struct fake_op *op, enum err err)
{
    struct fake_reply *r = xcalloc(1, sizeof *r);
    r->err = err;
    fake_op_answer(op, r);
}

/* ---- the store ---- */
struct store *store_new(struct loop *l, struct redis *borrowed, const struct store_config *c)
{
    (void)l;
    struct store *s = xcalloc(1, sizeof *s);
    s->redis = borrowed;
    s->config = *c;
    list_init(&s->waiting);
    return s;
}

void store_free(struct store *s)
{
    list_each (&s->waiting, node, next)
        leave(list_of(node, struct fake_op, node));
    free(s);
}

bool store_ready(const struct store *s) { return !s->away; }

void store_forget(struct store *s, uint64_t call)
{
    if (call == 0)
        return;
    list_each (&s->waiting, node, next) {
        struct fake_op *op = list_of(node, struct fake_op, node);
        if (op->id == call)
            leave(op);
    }
}

void fake_store_carry(struct store *s, fake_carry_fn *fn, void *arg)
{
    s->carry = fn;
    s->carry_arg = arg;
}

void fake_store_away(struct store *s, bool away) { s->away = away; }

void fake_store_again(struct store *s)
{
    list_each (&s->waiting, node, next)
        op_send(list_of(node, struct fake_op, node));
}

void fake_store_give_up(struct store *s, int64_t before_ms)
{
    while (!list_empty(&s->waiting)) {
        struct fake_op *op = list_first(&s->waiting, struct fake_op, node);
        if (op->first_ms > before_ms)
            return;
        fake_op_fail(op, ERR_STORE_UNAVAILABLE);
    }
}

void fake_store_run(struct store *s)
{
    while (!list_empty(&s->waiting)) {
        struct fake_op *op = list_first(&s->waiting, struct fake_op, node);
        fake_op_answer(op, fake_op_execute(op));
    }
}

/* ---- sessions ---- */
uint64_t store_session_create(struct store *s, struct str owner, struct str key, struct str body,
                              struct str title, struct str model, store_fn *fn, void *arg)
{
    struct fake_op *op = turn_op(s, OP_SESSION_CREATE, id_new(), (struct id){{0}}, fn, arg);
    op_name(op->owner, owner);
    op->texts[TEXT_KEY] = blob_new(key);
    op->texts[TEXT_BODY] = blob_new(body);
    op->texts[TEXT_TITLE] = blob_new(title);
    op->texts[TEXT_MODEL] = blob_new(model);
    return op_send(op);
}

static struct fake_op *session_op(struct store *s, enum fake_op_kind kind, struct str owner,
                                  struct id session, store_fn *fn, void *arg)
{
    struct fake_op *op = turn_op(s, kind, session, (struct id){{0}}, fn, arg);
    op_name(op->owner, owner);
    return op;
}

uint64_t store_session_get(struct store *s, struct str owner, struct id session, store_fn *fn,
                           void *arg)
{
    return op_send(session_op(s, OP_SESSION_GET, owner, session, fn, arg));
}

/* All of it is one page. */
uint64_t store_session_page(struct store *s, struct str owner, struct id session, uint32_t after,
                            uint32_t upto, uint32_t bytes, store_fn *fn, void *arg)
{
    struct fake_op *op = session_op(s, OP_SESSION_GET, owner, session, fn, arg);
    CHECK(after == 0 && upto == 0 && bytes > 0);
    op->with_messages = true;
    return op_send(op);
}

uint64_t store_session_list(struct store *s, struct str owner, struct str q, unsigned limit,
                            struct str cursor, store_fn *fn, void *arg)
{
    struct fake_op *op = session_op(s, OP_SESSION_LIST, owner, (struct id){{0}}, fn, arg);
    op->max = limit;
    op->texts[TEXT_QUERY] = blob_new(q);
    op->texts[TEXT_KEY] = blob_new(cursor);
    return op_send(op);
}

uint64_t store_session_patch(struct store *s, struct str owner, struct id session,
                             const struct store_patch *p, store_fn *fn, void *arg)
{
    struct fake_op *op = session_op(s, OP_SESSION_PATCH, owner, session, fn, arg);
    const struct str *values[] = {p->title, p->model, p->settings};
    for (unsigned i = TEXT_TITLE; i <= TEXT_SETTINGS; i++) {
        if (values[i] && values[i]->len > s->config.text_bytes_max)
            return op_break(op, ERR_TOO_LARGE);
        if (values[i])
            op->texts[i] = blob_new(*values[i]);
    }
    return op_send(op);
}

uint64_t store_session_delete(struct store *s, struct str owner, struct id session, store_fn *fn,
                              void *arg)
{
    return op_send(session_op(s, OP_SESSION_DELETE, owner, session, fn, arg));
}

uint64_t store_session_fork(struct store *s, struct str owner, struct id session, uint32_t before,
                            store_fn *fn, void *arg)
{
    struct fake_op *op = session_op(s, OP_SESSION_FORK, owner, session, fn, arg);
    op->turn = id_new(); /* the copy */
    op->message = before;
    return op_send(op);
}

uint64_t store_message_patch(struct store *s, struct str owner, struct id session, uint32_t message,
                             int pinned, int excluded, store_fn *fn, void *arg)
{
    struct fake_op *op = session_op(s, OP_MESSAGE_PATCH, owner, session, fn, arg);
    op->message = message;
    op->pinned = pinned;
    op->excluded = excluded;
    return op_send(op);
}

uint64_t store_message_delete(struct store *s, struct str owner, struct id session,
                              uint32_t message, store_fn *fn, void *arg)
{
    struct fake_op *op = session_op(s, OP_MESSAGE_DELETE, owner, session, fn, arg);
    op->message = message;
    return op_send(op);
}

/* ---- turns, by the gateway ---- */
static bool add_message(struct fake_op *op, const struct record_message *m)
{
    scoped_buf(b, RECORD_BYTES_MAX);
    if (op->message_count == FAKE_MESSAGES_MAX || !record_message_encode(m, &b))
        return false;
    op->messages[op->message_count++] = blob_new(buf_str(&b));
    return true;
}

uint64_t store_turn_begin(struct store *s, const struct store_begin *b, store_fn *fn, void *arg)
{
    struct fake_op *op = turn_op(s, OP_TURN_BEGIN, b->session, b->turn, fn, arg);
    scoped_buf(request, RECORD_BYTES_MAX);
    scoped_buf(batch, RECORD_BYTES_MAX);
    if (!add_message(op, b->message) || !record_request_encode(b->request, &request) ||
        !record_event_add(&batch, NULL, 1, 0, b->turn_start))
        return op_break(op, ERR_TOO_LARGE);
    op_name(op->owner, b->owner);
    op_name(op->holder, b->holder);
    op_name(op->worker, b->worker);
    op->texts[TEXT_KEY] = blob_new(b->key);
    op->texts[TEXT_BODY] = blob_new(b->body);
    op->texts[TEXT_TITLE] = blob_new(b->title);
    op->texts[TEXT_REQUEST] = blob_new(buf_str(&request));
    op->batch = blob_new(buf_str(&batch));
    return op_send(op);
}

uint64_t store_turn_get(struct store *s, struct str owner, struct id session, struct id turn,
                        store_fn *fn, void *arg)
{
    struct fake_op *op = turn_op(s, OP_TURN_GET, session, turn, fn, arg);
    op_name(op->owner, owner);
    return op_send(op);
}

uint64_t store_turn_claim(struct store *s, struct id session, struct id turn,
                          uint32_t expected_epoch, bool died, bool only_if_unheld,
                          struct str holder, store_fn *fn, void *arg)
{
    struct fake_op *op = turn_op(s, OP_TURN_CLAIM, session, turn, fn, arg);
    op->epoch = expected_epoch;
    op->died = died;
    op->only_if_unheld = only_if_unheld;
    op_name(op->holder, holder);
    return op_send(op);
}

uint64_t store_turn_hold(struct store *s, struct id session, struct id turn, uint32_t epoch,
                         struct str holder, store_fn *fn, void *arg)
{
    struct fake_op *op = turn_op(s, OP_TURN_HOLD, session, turn, fn, arg);
    op->epoch = epoch;
    op_name(op->holder, holder);
    return op_send(op);
}

uint64_t store_turn_cancel(struct store *s, struct str owner, struct id session, struct id turn,
                           store_fn *fn, void *arg)
{
    struct fake_op *op = turn_op(s, OP_TURN_CANCEL, session, turn, fn, arg);
    op_name(op->owner, owner);
    return op_send(op);
}

uint64_t store_turn_decide(struct store *s, const struct store_verdict *v, store_fn *fn, void *arg)
{
    struct fake_op *op = turn_op(s, OP_TURN_DECIDE, v->session, v->turn, fn, arg);
    op_name(op->owner, v->owner);
    op_name(op->holder, v->holder);
    op->request = id_new();
    op->place = v->place;
    op->no_place = v->no_place;
    for (unsigned i = 0; i < v->count; i++) {
        struct str hash = v->decisions[i].hash;
        struct fake_asked *a = add_asked(op);
        op_name(a->call_id, v->decisions[i].call_id);
        snprintf(a->hash, sizeof a->hash, "%.*s", (int)hash.len, hash.at);
        a->what = (int)v->decisions[i].what;
    }
    return op_send(op);
}

uint64_t store_turn_fail(struct store *s, struct id session, struct id turn,
                         uint32_t expected_epoch, enum err why, store_fn *fn, void *arg)
{
    struct fake_op *op = turn_op(s, OP_TURN_FAIL, session, turn, fn, arg);
    op->epoch = expected_epoch;
    op->why = why;
    return op_send(op);
}

uint64_t store_turn_active(struct store *s, unsigned max, store_turn_fn *skip, store_fn *fn,
                           void *arg)
{
    struct fake_op *op = op_new(s, OP_TURN_ACTIVE, fn, arg);
    op->skip = skip;
    op->max = max;
    op->offset = s->active_offset;
    return op_send(op);
}

uint64_t store_events_read(struct store *s, struct id session, struct id turn,
                           struct event_at after, uint32_t max_bytes, store_fn *fn, void *arg)
{
    struct fake_op *op = turn_op(s, OP_EVENTS_READ, session, turn, fn, arg);
    op->epoch = after.epoch;
    op->last_seq = after.seq;
    op->max = max_bytes > 0 ? max_bytes : 1;
    return op_send(op);
}

uint64_t store_owners_parted(struct store *s, struct str cursor, store_fn *fn, void *arg)
{
    (void)cursor;
    return op_send(op_new(s, OP_OWNERS_PARTED, fn, arg));
}

/* ---- turns, by the worker ---- */
uint64_t store_turn_load(struct store *s, struct id session, struct id turn, uint32_t epoch,
                         struct str holder, store_fn *fn, void *arg)
{
    struct fake_op *op = turn_op(s, OP_TURN_LOAD, session, turn, fn, arg);
    op->epoch = epoch;
    op_name(op->holder, holder);
    return op_send(op);
}

static void add_batch(struct fake_op *op, uint32_t epoch, uint32_t last_seq, struct str batch)
{
    op->batch = blob_new(batch);
    op->epoch = epoch;
    op->first_seq = record_events_first(batch);
    CHECK(op->first_seq > 0 && op->first_seq <= last_seq);
    op->last_seq = last_seq;
}

uint64_t store_turn_say(struct store *s, struct id session, struct id turn, uint32_t epoch,
                        uint32_t last_seq, struct str batch, store_fn *fn, void *arg)
{
    struct fake_op *op = turn_op(s, OP_TURN_SAY, session, turn, fn, arg);
    add_batch(op, epoch, last_seq, batch);
    return op_send(op);
}

static bool add_approvals(struct fake_op *op, const struct store_seal *seal)
{
    scoped_buf(shown, RECORD_BYTES_MAX);
    if (!event_approvals(&shown, seal->approvals, seal->servers, seal->approval_count,
                         seal->expires_ms))
        return false;
    op->texts[TEXT_APPROVALS] = blob_new(buf_str(&shown));
    op->expires_ms = seal->expires_ms;
    for (unsigned i = 0; i < seal->approval_count; i++) {
        struct fake_asked *a = add_asked(op);
        op_name(a->call_id, seal->approvals[i].call_id);
        record_call_hash(&seal->approvals[i], a->hash);
        a->what = -1;
    }
    return true;
}

uint64_t store_turn_seal(struct store *s, const struct store_seal *seal, store_fn *fn, void *arg)
{
    struct fake_op *op = turn_op(s, OP_TURN_SEAL, seal->session, seal->turn, fn, arg);
    add_batch(op, seal->epoch, seal->last_seq, seal->batch);
    op->state = seal->state;
    op->step = seal->step;
    op->attempt = seal->attempt;
    op->usage = seal->usage;
    if (!add_approvals(op, seal))
        return op_break(op, ERR_TOO_LARGE);
    for (unsigned i = 0; i < seal->message_count; i++)
        if (!add_message(op, &seal->messages[i]))
            return op_break(op, ERR_TOO_LARGE);
    return op_send(op);
}

uint64_t store_turn_summary(struct store *s, struct id session, struct id turn, uint32_t epoch,
                            uint32_t revision, uint32_t to, struct str text, store_fn *fn,
                            void *arg)
{
    struct fake_op *op = turn_op(s, OP_TURN_SUMMARY, session, turn, fn, arg);
    op->epoch = epoch;
    op->revision = revision;
    op->message = to;
    op->texts[TEXT_KEY] = blob_new(text);
    return op_send(op);
}

uint64_t store_turn_mark(struct store *s, struct id session, struct id turn, uint32_t epoch,
                         struct str holder, const struct str *call_ids, unsigned count,
                         store_fn *fn, void *arg)
{
    struct fake_op *op = turn_op(s, OP_TURN_MARK, session, turn, fn, arg);
    op->epoch = epoch;
    op_name(op->holder, holder);
    for (unsigned i = 0; i < count; i++)
        op_name(add_asked(op)->call_id, call_ids[i]);
    return op_send(op);
}

uint64_t store_turn_release(struct store *s, struct id session, struct id turn, uint32_t epoch,
                            store_fn *fn, void *arg)
{
    struct fake_op *op = turn_op(s, OP_TURN_RELEASE, session, turn, fn, arg);
    op->epoch = epoch;
    return op_send(op);
}
