#include "proto/store/turn.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/log.h"
#include "proto/store/call.h"
#include "proto/store/index.h"
#include "proto/store/key.h"
#include "proto/store/reply.h"
#include "proto/store/storage.h"

/* Turns: begin, claim, hold, cancel, fail, load, say, seal, release. */
enum {
    VOID_KEEP_MS = 24 * 3600 * 1000,
    DEATHS_MAX = 3,
    STREAM_ENTRIES_MAX = 65536, /* of one turn; the agent's bounds end a turn long before */
    EVENT_BATCH_MAX = 8192,     /* the batch of one event that the store writes itself */
    OPENING_MESSAGES_MAX =
        STORE_OPENING_MAX / 2, /* bytes; beside them are a summary and settings */
};

static struct store_call *turn_call(struct store *s, struct id session, struct id turn,
                                    store_fn *fn, void *arg)
{
    struct store_call *c = store_call_new(s, fn, arg);
    c->session = session;
    c->turn = turn;
    return c;
}

/* Ends the call with the turn of reply[1], or with err. */
static void end_with_turn(struct store_call *c, enum err err, const struct redisReply *reply)
{
    struct store_answer answer = {.session = c->session};
    reply_turn(redis_at(reply, 1), c->session, c->turn, &answer.turn);
    store_call_end(c, err, &answer);
}

static void on_turn(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply)
{
    (void)cmd;
    end_with_turn(c, err, reply);
}

/* A turn that has ended leaves the list, its session moves up in its owner's. bytes: what it has
 * now; 0: its worker says so (quota_turn_end_note). */
static void note_end(struct store_call *c, struct str owner, int64_t now_ms, int64_t bytes)
{
    index_active_remove(c->store, c->session, c->turn);
    if (owner.len > 0)
        index_owner_move(c->store, owner, c->session, now_ms);
    if (bytes > 0)
        storage_note(c->store, owner, c->session, bytes);
}

/* ---- begin ---- */
static void begin_end(struct store_call *c)
{
    if (c->waiting > 0)
        return; /* accepted only when the janitors' list has it as well (invariant 1) */
    struct store_answer answer = {
        .session = c->session, .turn = c->found, .opening = buf_str(&c->opening)};
    store_call_end(c, ERR_NONE, &answer);
}

static void on_listed(struct store_call *c, struct store_command *cmd, enum err err,
                      const struct redisReply *reply)
{
    (void)cmd, (void)err, (void)reply;
    begin_end(c);
}

static void on_begun(struct store_call *c, struct store_command *cmd, enum err err,
                     const struct redisReply *reply)
{
    (void)cmd;
    struct id turn;
    if (err == ERR_TURN_RUNNING && id_parse(redis_text(redis_at(reply, 1)), &turn))
        index_active_add(c->store, c->session, turn); /* should it have been left out by a crash */
    if (err != ERR_NONE) {
        index_active_remove(c->store, c->session, c->turn);
        store_call_end(c, err, NULL);
        return;
    }
    if (!id_parse(redis_text(redis_at(reply, 2)), &turn)) {
        store_call_end(c, ERR_INTERNAL, NULL);
        return;
    }
    reply_turn(redis_at(reply, 1), c->session, turn, &c->found);
    c->found.duplicate = redis_int(redis_at(reply, 3)) == 1;
    if (redis_text(redis_at(reply, 5)).len <= STORE_OPENING_MAX)
        buf_add_str(&c->opening, redis_text(redis_at(reply, 5)));
    if (c->found.duplicate)
        index_active_remove(c->store, c->session, c->turn);
    else if (redis_int(redis_at(reply, 4)) > 0)
        index_owner_set(c->store, buf_str(&c->owner), c->session, redis_int(redis_at(reply, 4)));
    begin_end(c);
}

static void on_undone(struct store_call *c, struct store_command *cmd, enum err err,
                      const struct redisReply *reply)
{
    (void)cmd, (void)reply;
    if (err == ERR_NONE) { /* nothing of it is left to be waited for */
        command_forget_note(c->own);
        index_active_remove(c->store, c->session, c->turn);
    }
    store_call_end(c, ERR_STORE_UNAVAILABLE, NULL);
}

/* It was begun, and is on too few replicas: its client hears 503, so it must not run. Should the
 * master be lost now, a replica may have the begin without this: it is as one that nobody was told
 * of (PROTOCOL.md). */
static void undo_begin(struct store_call *c)
{
    struct store_command *cmd = command_script(c, SCRIPT_turn_undo, on_undone);
    command_turn_keys(cmd, c->session, c->turn);
    command_once_key(cmd, c->session, c->once);
    command_id(cmd, c->turn);
    command_num(cmd, VOID_KEEP_MS);
    command_send(cmd);
}

uint64_t store_turn_begin(struct store *s, const struct store_begin *b, store_fn *fn, void *arg)
{
    struct store_call *c = turn_call(s, b->session, b->turn, fn, arg);
    scoped_buf(message, RECORD_BYTES_MAX);
    scoped_buf(request, RECORD_BYTES_MAX);
    scoped_buf(batch, RECORD_BYTES_MAX);
    char body[STORE_HASH_TEXT + 1] = "";
    if (!record_message_encode(b->message, &message) ||
        !record_request_encode(b->request, &request) ||
        !record_event_add(&batch, NULL, 1, 0, b->turn_start) || !buf_add_str(&c->owner, b->owner))
        return store_call_fail(c, ERR_TOO_LARGE);

    /* The list first: a turn that is in it and never began is voided by who looks at it, one that
     * began outside it would be nobody's. Both go out together. */
    struct store_command *list = command_new(c, on_listed);
    command_str(list, STR("ZADD"));
    command_active_key(list);
    command_str(list, STR("NX"));
    command_num(list, loop_wall_ms());
    command_active_entry(list, b->session, b->turn);
    command_send(list);

    if (b->key.len > 0)
        store_hash(b->key, c->once);
    struct store_command *cmd = command_script(c, SCRIPT_turn_begin, on_begun);
    cmd->unreplicated = undo_begin;
    c->own = cmd;
    command_turn_keys(cmd, b->session, b->turn);
    command_once_key(cmd, b->session, c->once);
    command_str(cmd, b->owner);
    command_id(cmd, b->turn);
    command_str(cmd, str_of(c->once));
    command_num(cmd, store_once_ms(s));
    command_str(cmd, b->title);
    command_str(cmd, buf_str(&message));
    command_str(cmd, buf_str(&request));
    command_str(cmd, buf_str(&batch));
    command_str(cmd, b->holder);
    command_num(cmd, s->config.lease_ms);
    command_num(cmd, s->config.session_keep_ms);
    command_num(cmd, s->config.messages_max);
    command_num(cmd, (int64_t)s->config.session_bytes_max);
    command_turn_prefix(cmd, b->session);
    if (b->body.len > 0)
        store_hash(b->body, body);
    command_str(cmd, str_of(body));
    if (b->instead_of)
        command_num(cmd, b->instead_of);
    else
        command_str(cmd, STR(""));
    command_str(cmd, b->worker);
    command_num(cmd, OPENING_MESSAGES_MAX);
    return command_send(cmd);
}

/* ---- get, claim, hold, cancel, fail ---- */
uint64_t store_turn_get(struct store *s, struct str owner, struct id session, struct id turn,
                        store_fn *fn, void *arg)
{
    struct store_command *cmd =
        command_script(turn_call(s, session, turn, fn, arg), SCRIPT_turn_get, on_turn);
    command_turn_keys(cmd, session, turn);
    command_str(cmd, owner);
    command_id(cmd, turn);
    command_num(cmd, 1);
    return command_send(cmd);
}

static void on_claimed(struct store_call *c, struct store_command *cmd, enum err err,
                       const struct redisReply *reply)
{
    (void)cmd;
    if (err == ERR_WORKER_LOST)
        note_end(c, redis_text(redis_at(reply, 1)), redis_int(redis_at(reply, 2)),
                 redis_int(redis_at(reply, 3)));
    end_with_turn(c, err, reply);
}

/* The batch of the one event that ends a turn from outside its worker. */
static bool last_words(struct buf *batch, struct id turn, enum err why)
{
    scoped_buf(payload, EVENT_BATCH_MAX);
    bool fine = why == ERR_CANCELLED ? event_turn_cancelled(&payload, turn)
                                     : event_error(&payload, why, NULL);
    return fine && record_event_add(batch, NULL, 1, 1, buf_str(&payload));
}

uint64_t store_turn_claim(struct store *s, struct id session, struct id turn,
                          uint32_t expected_epoch, bool died, bool only_if_unheld,
                          struct str holder, store_fn *fn, void *arg)
{
    struct store_call *c = turn_call(s, session, turn, fn, arg);
    scoped_buf(batch, EVENT_BATCH_MAX);
    CHECK(last_words(&batch, turn, ERR_WORKER_LOST));
    struct store_command *cmd = command_script(c, SCRIPT_turn_claim, on_claimed);
    command_turn_keys(cmd, session, turn);
    command_id(cmd, turn);
    command_num(cmd, expected_epoch);
    command_num(cmd, died);
    command_num(cmd, only_if_unheld);
    command_str(cmd, holder);
    command_num(cmd, s->config.lease_ms);
    command_num(cmd, DEATHS_MAX);
    command_str(cmd, buf_str(&batch));
    command_num(cmd, s->config.events_keep_ms);
    return command_send(cmd);
}

uint64_t store_turn_hold(struct store *s, struct id session, struct id turn, uint32_t epoch,
                         struct str holder, store_fn *fn, void *arg)
{
    struct store_command *cmd =
        command_script(turn_call(s, session, turn, fn, arg), SCRIPT_turn_hold, on_turn);
    command_turn_key(cmd, session, turn);
    command_num(cmd, epoch);
    command_str(cmd, holder);
    command_num(cmd, s->config.lease_ms);
    return command_send(cmd);
}

static void on_cancelled(struct store_call *c, struct store_command *cmd, enum err err,
                         const struct redisReply *reply)
{
    (void)cmd;
    struct store_turn t;
    reply_turn(redis_at(reply, 1), c->session, c->turn, &t);
    if (err == ERR_NONE && turn_state_over(t.state))
        note_end(c, buf_str(&c->owner), redis_int(redis_at(reply, 2)),
                 redis_int(redis_at(reply, 3)));
    end_with_turn(c, err, reply);
}

static uint64_t cancel(struct store *s, struct str owner, struct id session, struct id turn,
                       int64_t life_ms, store_fn *fn, void *arg)
{
    struct store_call *c = turn_call(s, session, turn, fn, arg);
    scoped_buf(batch, EVENT_BATCH_MAX);
    CHECK(last_words(&batch, turn, ERR_CANCELLED));
    if (!buf_add_str(&c->owner, owner))
        return store_call_fail(c, ERR_TOO_LARGE);
    struct store_command *cmd = command_script(c, SCRIPT_turn_cancel, on_cancelled);
    command_turn_keys(cmd, session, turn);
    command_str(cmd, owner);
    command_id(cmd, turn);
    command_str(cmd, buf_str(&batch));
    command_num(cmd, s->config.events_keep_ms);
    command_num(cmd, life_ms);
    return command_send(cmd);
}

uint64_t store_turn_cancel(struct store *s, struct str owner, struct id session, struct id turn,
                           store_fn *fn, void *arg)
{
    return cancel(s, owner, session, turn, 0, fn, arg);
}

uint64_t store_turn_abandon(struct store *s, struct str owner, struct id session, struct id turn,
                            store_fn *fn, void *arg)
{
    enum { LIFE_MS = 60000 }; /* who cancelled it may still read how it ended */
    return cancel(s, owner, session, turn, LIFE_MS, fn, arg);
}

static void on_decided(struct store_call *c, struct store_command *cmd, enum err err,
                       const struct redisReply *reply)
{
    (void)cmd;
    struct store_answer answer = {.session = c->session};
    reply_turn(redis_at(reply, 1), c->session, c->turn, &answer.turn);
    answer.turn.fresh = redis_int(redis_at(reply, 2)) == 1;
    struct str owner = redis_text(redis_at(reply, 3));
    if (err == ERR_DECISION_EXPIRED)
        note_end(c, owner, redis_int(redis_at(reply, 4)), 0);
    else if (err == ERR_NONE && answer.turn.fresh)
        index_owner_move(c->store, owner, c->session, redis_int(redis_at(reply, 4)));
    store_call_end(c, err, &answer);
}

uint64_t store_turn_decide(struct store *s, const struct store_verdict *v, store_fn *fn, void *arg)
{
    struct store_call *c = turn_call(s, v->session, v->turn, fn, arg);
    scoped_buf(batch, EVENT_BATCH_MAX);
    CHECK(last_words(&batch, v->turn, ERR_DECISION_EXPIRED));
    struct store_command *cmd = command_script(c, SCRIPT_turn_decide, on_decided);
    command_turn_keys(cmd, v->session, v->turn);
    command_str(cmd, v->owner);
    command_id(cmd, v->turn);
    command_id(cmd, id_new()); /* of this request, however often it is sent */
    command_str(cmd, v->holder);
    command_num(cmd, s->config.lease_ms);
    command_str(cmd, buf_str(&batch));
    command_num(cmd, s->config.events_keep_ms);
    command_str(cmd, id_is_zero(v->place) ? STR("") : id_key(&v->place));
    command_num(cmd, v->no_place);
    for (unsigned i = 0; i < v->count; i++) {
        CHECK(v->decisions[i].what != DECISION_NONE);
        command_str(cmd, v->decisions[i].call_id);
        command_num(cmd, v->decisions[i].what);
        command_str(cmd, v->decisions[i].hash);
    }
    return command_send(cmd);
}

static void on_ended(struct store_call *c, struct store_command *cmd, enum err err,
                     const struct redisReply *reply)
{
    (void)cmd;
    struct store_turn t;
    reply_turn(redis_at(reply, 1), c->session, c->turn, &t);
    struct str owner = redis_text(redis_at(reply, 2));
    if (err == ERR_NONE && turn_state_over(t.state))
        note_end(c, owner, redis_int(redis_at(reply, 3)), redis_int(redis_at(reply, 4)));
    end_with_turn(c, err, reply);
}

uint64_t store_turn_fail(struct store *s, struct id session, struct id turn,
                         uint32_t expected_epoch, enum err why, store_fn *fn, void *arg)
{
    struct store_call *c = turn_call(s, session, turn, fn, arg);
    scoped_buf(batch, EVENT_BATCH_MAX);
    CHECK(why != ERR_NONE && last_words(&batch, turn, why));
    struct store_command *cmd = command_script(c, SCRIPT_turn_fail, on_ended);
    command_turn_keys(cmd, session, turn);
    command_id(cmd, turn);
    command_num(cmd, expected_epoch);
    command_str(cmd, str_of(turn_state_word(why == ERR_CANCELLED ? TURN_CANCELLED : TURN_FAILED)));
    command_str(cmd, str_of(err_word(why)));
    command_str(cmd, buf_str(&batch));
    command_num(cmd, s->config.events_keep_ms);
    return command_send(cmd);
}

/* ---- by the worker ---- */
uint64_t store_turn_say(struct store *s, struct id session, struct id turn, uint32_t epoch,
                        uint32_t last_seq, struct str batch, store_fn *fn, void *arg)
{
    uint32_t first = record_events_first(batch);
    CHECK(first > 0 && first <= last_seq);
    struct store_command *cmd =
        command_script(turn_call(s, session, turn, fn, arg), SCRIPT_turn_say, on_turn);
    command_turn_key(cmd, session, turn);
    command_stream_key(cmd, session, turn);
    command_num(cmd, epoch);
    command_num(cmd, first);
    command_num(cmd, last_seq);
    command_str(cmd, batch);
    command_num(cmd, s->config.lease_ms);
    command_num(cmd, STREAM_ENTRIES_MAX);
    return command_send(cmd);
}

/* What is waited for: until when, as clients see it, and what a decision is bound to. */
static bool command_approvals(struct store_command *cmd, const struct store_seal *seal)
{
    scoped_buf(shown, RECORD_BYTES_MAX);
    if (!event_approvals(&shown, seal->approvals, seal->servers, seal->approval_count,
                         seal->expires_ms))
        return false;
    command_num(cmd, seal->expires_ms);
    command_str(cmd, buf_str(&shown));
    command_num(cmd, seal->approval_count);
    for (unsigned i = 0; i < seal->approval_count; i++) {
        char hash[RECORD_HASH_TEXT + 1];
        record_call_hash(&seal->approvals[i], hash);
        command_str(cmd, seal->approvals[i].call_id);
        command_str(cmd, str_of(hash));
    }
    return true;
}

uint64_t store_turn_seal(struct store *s, const struct store_seal *seal, store_fn *fn, void *arg)
{
    uint32_t first = record_events_first(seal->batch);
    CHECK(first > 0 && first <= seal->last_seq && seal->state != TURN_NONE);
    struct store_call *c = turn_call(s, seal->session, seal->turn, fn, arg);
    struct store_command *cmd = command_script(c, SCRIPT_turn_seal, on_ended);
    command_turn_keys(cmd, seal->session, seal->turn);
    command_id(cmd, seal->turn);
    command_num(cmd, seal->epoch);
    command_num(cmd, first);
    command_num(cmd, seal->last_seq);
    command_str(cmd, seal->batch);
    command_str(cmd, str_of(turn_state_word(seal->state)));
    command_num(cmd, seal->step);
    command_num(cmd, seal->attempt);
    command_num(cmd, (int64_t)seal->usage.input_tokens);
    command_num(cmd, (int64_t)seal->usage.output_tokens);
    command_num(cmd, (int64_t)seal->usage.cached_tokens);
    command_num(cmd, (int64_t)seal->usage.cost);
    command_num(cmd, s->config.lease_ms);
    command_num(cmd, s->config.session_keep_ms);
    command_num(cmd, s->config.events_keep_ms);
    command_num(cmd, STREAM_ENTRIES_MAX);
    if (!command_approvals(cmd, seal))
        return store_call_fail(c, ERR_TOO_LARGE);
    for (unsigned i = 0; i < seal->message_count; i++) {
        scoped_buf(message, RECORD_BYTES_MAX);
        if (!record_message_encode(&seal->messages[i], &message))
            return store_call_fail(c, ERR_TOO_LARGE);
        command_str(cmd, buf_str(&message));
    }
    return command_send(cmd);
}

uint64_t store_turn_summary(struct store *s, struct id session, struct id turn, uint32_t epoch,
                            uint32_t revision, uint32_t to, struct str text, store_fn *fn,
                            void *arg)
{
    struct store_command *cmd =
        command_script(turn_call(s, session, turn, fn, arg), SCRIPT_turn_summary, on_turn);
    command_turn_keys(cmd, session, turn);
    command_num(cmd, epoch);
    command_num(cmd, revision);
    command_num(cmd, to);
    command_str(cmd, text);
    return command_send(cmd);
}

uint64_t store_turn_mark(struct store *s, struct id session, struct id turn, uint32_t epoch,
                         struct str holder, const struct str *call_ids, unsigned count,
                         store_fn *fn, void *arg)
{
    struct store_command *cmd =
        command_script(turn_call(s, session, turn, fn, arg), SCRIPT_turn_mark, on_turn);
    command_turn_key(cmd, session, turn);
    command_num(cmd, epoch);
    command_str(cmd, holder);
    for (unsigned i = 0; i < count; i++)
        command_str(cmd, call_ids[i]);
    return command_send(cmd);
}

uint64_t store_turn_release(struct store *s, struct id session, struct id turn, uint32_t epoch,
                            store_fn *fn, void *arg)
{
    struct store_command *cmd =
        command_script(turn_call(s, session, turn, fn, arg), SCRIPT_turn_release, on_turn);
    command_turn_key(cmd, session, turn);
    command_num(cmd, epoch);
    return command_send(cmd);
}
