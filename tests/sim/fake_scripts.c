/* The scripts of proto/store/scripts/ that change turns, line by line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "tests/sim/fake_redis.h"

enum { DEATHS_MAX = 3, LAST_WORDS_MAX = 8192, SESSION_BYTES_MAX = 32 << 20 };

bool turn_open(const struct fake_turn *t)
{
    return t->state == TURN_RUNNING || t->state == TURN_AWAITING;
}

static struct fake_turn *turn_read(const struct fake_session *s, struct id turn)
{
    struct fake_turn *t = session_turn(s, turn);
    return t && !t->void_ ? t : NULL;
}

/* The last seq stored of the present epoch. */
static uint32_t turn_seq(const struct fake_turn *t) { return t->le == t->epoch ? t->ls : 0; }

static enum err answer_turn(struct redis *r, const struct fake_op *op, const struct fake_turn *t,
                            struct fake_reply *out)
{
    int64_t left = turn_open(t) ? t->lease_ms - r->now_ms : 0;
    out->answer.session = op->session;
    snprintf(out->holder, sizeof out->holder, "%s", t->holder);
    out->answer.turn =
        (struct store_turn){.session = op->session,
                            .turn = t->turn,
                            .state = t->state,
                            .epoch = t->epoch,
                            .last = {t->le, t->ls},
                            .lease_ms = left > 0 ? left : 0,
                            .waiting_ms = left < 0 ? -left : 0,
                            .decide_ms = t->state == TURN_AWAITING ? t->wait_ms - r->now_ms : 0,
                            .loss_epoch = t->loss_epoch,
                            .cancel = t->cancel,
                            .holder = str_of(out->holder)};
    return ERR_NONE;
}

static void turn_end(struct redis *r, const struct fake_op *op, struct fake_session *s,
                     struct fake_turn *t)
{
    blob_free(t->request);
    t->request = NULL;
    blob_free(t->approvals);
    t->approvals = NULL;
    t->lease_ms = 0;
    if (id_eq(s->running, t->turn))
        s->running = (struct id){{0}};
    s->updated_ms = r->now_ms;
    t->stream_until_ms = r->now_ms + op->config.events_keep_ms;
    redis_open_remove(r, s->session, t->turn);
}

static bool promoted_since(const struct redis *r, unsigned base_replid)
{
    return base_replid && base_replid != r->replid && r->was_replica;
}

/* The turn's next epoch. A server that is not the one on which the present epoch began may have
 * lost its last moments: ids never repeat. */
static uint32_t turn_next(const struct redis *r, struct fake_turn *t, uint32_t seen)
{
    uint32_t far = 16 + (uint32_t)(r->now_ms > t->begun_ms ? (r->now_ms - t->begun_ms) / 10 : 0);
    uint32_t epoch = (seen > t->epoch ? seen : t->epoch) + (t->run != r->run ? far : 1);
    if (seen > t->epoch || promoted_since(r, t->base_replid)) {
        t->loss_epoch = epoch;
        if (t->loss_from.epoch == 0)
            t->loss_from = (struct event_at){t->le, t->ls};
    }
    t->run = r->run;
    t->base_replid = r->replid;
    return epoch;
}

/* Ends a turn from outside its worker, by one event under the next epoch. */
static void turn_stop(struct redis *r, const struct fake_op *op, struct fake_session *s,
                      struct fake_turn *t, uint32_t seen, enum turn_state state, enum err why)
{
    struct buf payload, batch;
    buf_init(&payload, LAST_WORDS_MAX);
    buf_init(&batch, LAST_WORDS_MAX);
    CHECK(why == ERR_CANCELLED ? event_turn_cancelled(&payload, t->turn)
                               : event_error(&payload, why, NULL));
    CHECK(record_event_add(&batch, NULL, 1, 1, buf_str(&payload)));
    t->epoch = turn_next(r, t, seen);
    t->from = seen;
    struct blob *b = blob_new(buf_str(&batch));
    turn_entry_add(t, (struct event_at){t->epoch, 1}, b);
    blob_free(b);
    buf_free(&payload);
    buf_free(&batch);
    t->state = state;
    t->why = why;
    t->le = t->epoch;
    t->ls = 1;
    t->holder[0] = '\0';
    turn_end(r, op, s, t);
}

/* Redis refuses an entry that is not past the stream's last. */
static bool entry_add(struct redis *r, struct fake_turn *t, struct event_at last,
                      struct blob *batch)
{
    if (t->entry_count > 0 && event_at_cmp(last, t->entries[t->entry_count - 1].last) <= 0 &&
        r->plant != PLANT_NO_EPOCH)
        return false;
    turn_entry_add(t, last, batch);
    return true;
}

/* ---- begin ---- */
static struct fake_turn *begun_with_key(const struct fake_session *s, const struct blob *key)
{
    for (unsigned i = 0; key && key->len > 0 && i < s->begun_count; i++)
        if (s->begun[i]->key && str_eq(blob_str(s->begun[i]->key), blob_str(key)))
            return s->begun[i];
    return NULL;
}

static enum err begin_new(struct redis *r, struct fake_op *op, struct fake_session *s,
                          struct fake_reply *out)
{
    struct fake_turn *t = session_turn_add(s, op->turn);
    t->state = TURN_RUNNING;
    t->epoch = t->le = t->ls = 1;
    t->lease_ms = r->now_ms + op->config.lease_ms;
    t->begun_ms = r->now_ms;
    t->step = 1;
    t->run = r->run;
    t->base_replid = r->replid;
    t->from = -1;
    t->request = blob_ref(op->texts[TEXT_REQUEST]);
    t->key = blob_ref(op->texts[TEXT_KEY]);
    t->body = blob_ref(op->texts[TEXT_BODY]);
    snprintf(t->holder, sizeof t->holder, "%s", op->holder);
    turn_entry_add(t, (struct event_at){1, 1}, op->batch);
    t->first = ++s->mseq;
    session_message_add(s, t->first, op->messages[0]);
    s->turns++;
    s->running = op->turn;
    s->updated_ms = r->now_ms;
    if (blob_str(s->title).len == 0 && blob_str(op->texts[TEXT_TITLE]).len > 0) {
        blob_free(s->title);
        s->title = blob_ref(op->texts[TEXT_TITLE]);
    }
    redis_open_add(r, op->session, op->turn);
    if (op->worker[0]) {
        t->loaded = t->attempt = 1;
        snprintf(t->loader, sizeof t->loader, "%s", op->worker);
        snprintf(t->holder, sizeof t->holder, "%s", op->worker);
        answer_opening(r, s, t, out);
    }
    return answer_turn(r, op, t, out);
}

static enum err begin(struct redis *r, struct fake_op *op, struct fake_reply *out)
{
    struct fake_session *s = redis_session_owned(r, op);
    if (!s)
        return ERR_SESSION_NOT_FOUND;
    struct fake_turn *t = session_turn(s, op->turn);
    if (t && t->void_)
        return ERR_STORE_UNAVAILABLE;
    if (t)
        return answer_turn(r, op, t, out);
    t = begun_with_key(s, op->texts[TEXT_KEY]);
    if (t && other_body(t->body, op->texts[TEXT_BODY]))
        return ERR_IDEMPOTENCY_MISMATCH;
    if (t) {
        answer_turn(r, op, t, out);
        out->answer.turn.duplicate = true;
        return ERR_NONE;
    }
    t = id_is_zero(s->running) ? NULL : turn_read(s, s->running);
    if (t && turn_open(t))
        return ERR_TURN_RUNNING;
    uint64_t bytes_max =
        op->config.session_bytes_max ? op->config.session_bytes_max : SESSION_BYTES_MAX;
    if (s->message_count >= op->config.messages_max || s->bytes + op->messages[0]->len > bytes_max)
        return ERR_SESSION_FULL;
    return begin_new(r, op, s, out);
}

/* ---- get, claim, hold, cancel, fail, release ---- */
static enum err get(struct redis *r, struct fake_op *op, struct fake_reply *out)
{
    struct fake_session *s = redis_session_owned(r, op);
    if (!s)
        return ERR_SESSION_NOT_FOUND;
    struct fake_turn *t = turn_read(s, op->turn);
    return t ? answer_turn(r, op, t, out) : ERR_TURN_NOT_FOUND;
}

static enum err claim(struct redis *r, struct fake_op *op, struct fake_reply *out)
{
    struct fake_session *s = redis_session(r, op->session);
    struct fake_turn *t = turn_read(s, op->turn);
    uint32_t expected = op->epoch;
    if (!t)
        return ERR_FENCED;
    if (t->from == expected && strcmp(t->claimer, op->holder) == 0) { /* sent again */
        if (t->state == TURN_FAILED && t->why == ERR_WORKER_LOST)
            return ERR_WORKER_LOST;
        if (t->state == TURN_RUNNING)
            return answer_turn(r, op, t, out);
    }
    if (!turn_open(t))
        return ERR_TURN_OVER;
    if (t->state != TURN_RUNNING || expected < t->epoch ||
        (op->only_if_unheld && t->lease_ms > r->now_ms))
        return ERR_FENCED;
    if (op->died && ++t->deaths >= DEATHS_MAX) {
        snprintf(t->claimer, sizeof t->claimer, "%s", op->holder);
        turn_stop(r, op, s, t, expected, TURN_FAILED, ERR_WORKER_LOST);
        return ERR_WORKER_LOST;
    }
    t->epoch = turn_next(r, t, expected);
    t->from = expected;
    t->lease_ms = r->now_ms + op->config.lease_ms;
    snprintf(t->holder, sizeof t->holder, "%s", op->holder);
    snprintf(t->claimer, sizeof t->claimer, "%s", op->holder);
    return answer_turn(r, op, t, out);
}

static enum err hold(struct redis *r, struct fake_op *op, struct fake_reply *out)
{
    struct fake_turn *t = turn_read(redis_session(r, op->session), op->turn);
    if (!t || t->state != TURN_RUNNING || t->epoch != op->epoch)
        return ERR_FENCED;
    if (t->loaded != t->epoch || strcmp(t->loader, op->holder) == 0) {
        t->lease_ms = r->now_ms + op->config.lease_ms;
        snprintf(t->holder, sizeof t->holder, "%s", op->holder);
    }
    return answer_turn(r, op, t, out);
}

static enum err cancel(struct redis *r, struct fake_op *op, struct fake_reply *out)
{
    struct fake_session *s = redis_session_owned(r, op);
    if (!s)
        return ERR_SESSION_NOT_FOUND;
    struct fake_turn *t = turn_read(s, op->turn);
    if (!t)
        return ERR_TURN_NOT_FOUND;
    if (!turn_open(t)) {
        answer_turn(r, op, t, out);
        return t->state == TURN_CANCELLED ? ERR_NONE : ERR_TURN_OVER;
    }
    t->cancel = true;
    if (t->state == TURN_AWAITING || t->lease_ms <= r->now_ms || t->loaded != t->epoch)
        turn_stop(r, op, s, t, 0, TURN_CANCELLED, ERR_CANCELLED);
    return answer_turn(r, op, t, out);
}

static struct fake_asked *asked_of(const struct fake_turn *t, const char *call_id)
{
    for (unsigned i = 0; i < t->asked_count; i++)
        if (strcmp(t->asked[i].call_id, call_id) == 0)
            return &t->asked[i];
    return NULL;
}

/* How what is given compares with what was asked. */
static void compare_decisions(const struct fake_op *op, const struct fake_turn *t, bool *unknown,
                              bool *contrary, unsigned *fresh)
{
    for (unsigned i = 0; i < op->asked_count; i++) {
        const struct fake_asked *given = &op->asked[i], *a = asked_of(t, given->call_id);
        if (!a || (strcmp(given->hash, a->hash) != 0 && (given->hash[0] || a->reused)))
            *unknown = true;
        else if (a->what == -1)
            ++*fresh;
        else if (a->what != given->what)
            *contrary = true;
    }
}

static enum err decide_now(struct redis *r, struct fake_op *op, struct fake_session *s,
                           struct fake_turn *t, struct fake_reply *out)
{
    for (unsigned i = 0; i < op->asked_count; i++)
        asked_of(t, op->asked[i].call_id)->what = op->asked[i].what;
    t->state = TURN_RUNNING;
    t->epoch = turn_next(r, t, 0);
    t->lease_ms = r->now_ms + op->config.lease_ms;
    snprintf(t->holder, sizeof t->holder, "%s", op->holder);
    snprintf(t->claimer, sizeof t->claimer, "%s", op->holder);
    t->decider = op->request;
    t->decided = t->epoch;
    if (!id_is_zero(op->place))
        t->place = op->place;
    blob_free(t->approvals);
    t->approvals = NULL;
    t->wait_ms = 0;
    s->updated_ms = r->now_ms;
    answer_turn(r, op, t, out);
    out->answer.turn.fresh = true;
    return ERR_NONE;
}

/* Of a call that nobody asked about, or not of all. */
static bool leaves_open(const struct fake_op *op, const struct fake_turn *t)
{
    for (unsigned i = 0; i < t->asked_count; i++) {
        bool given = t->asked[i].what != -1;
        for (unsigned k = 0; k < op->asked_count; k++)
            given = given || strcmp(op->asked[k].call_id, t->asked[i].call_id) == 0;
        if (!given)
            return true;
    }
    return false;
}

static enum err decide(struct redis *r, struct fake_op *op, struct fake_reply *out)
{
    struct fake_session *s = redis_session_owned(r, op);
    if (!s)
        return ERR_SESSION_NOT_FOUND;
    struct fake_turn *t = turn_read(s, op->turn);
    if (!t)
        return ERR_TURN_NOT_FOUND;
    bool unknown = false, contrary = false;
    unsigned fresh = 0;
    compare_decisions(op, t, &unknown, &contrary, &fresh);
    if (op->asked_count > 0 && !unknown && !contrary && fresh == 0) {
        answer_turn(r, op, t, out);
        out->answer.turn.fresh =
            t->state == TURN_RUNNING && id_eq(t->decider, op->request) && t->decided == t->epoch;
        return ERR_NONE;
    }
    if (contrary)
        return ERR_ALREADY_DECIDED;
    if (t->state != TURN_AWAITING)
        return t->why == ERR_DECISION_EXPIRED ? ERR_DECISION_EXPIRED
               : turn_open(t)                 ? ERR_NOT_AWAITING
                                              : ERR_TURN_OVER;
    if (t->wait_ms <= r->now_ms) {
        turn_stop(r, op, s, t, 0, TURN_FAILED, ERR_DECISION_EXPIRED);
        return ERR_DECISION_EXPIRED;
    }
    if (unknown || leaves_open(op, t))
        return ERR_INVALID;
    if (op->no_place)
        return ERR_RATE_LIMITED;
    return decide_now(r, op, s, t, out);
}

static enum err fail(struct redis *r, struct fake_op *op, struct fake_reply *out)
{
    struct fake_session *s = redis_session(r, op->session);
    struct fake_turn *t = turn_read(s, op->turn);
    enum turn_state state = op->why == ERR_CANCELLED ? TURN_CANCELLED : TURN_FAILED;
    if (!t)
        return ERR_FENCED;
    if (!turn_open(t)) {
        bool same = t->from == op->epoch && t->state == state && t->why == op->why;
        answer_turn(r, op, t, out);
        return same ? ERR_NONE : ERR_TURN_OVER;
    }
    if (op->epoch < t->epoch)
        return ERR_FENCED;
    turn_stop(r, op, s, t, op->epoch, state, op->why);
    return answer_turn(r, op, t, out);
}

static enum err release(struct redis *r, struct fake_op *op, struct fake_reply *out)
{
    struct fake_turn *t = turn_read(redis_session(r, op->session), op->turn);
    if (!t || t->state != TURN_RUNNING || t->epoch != op->epoch)
        return ERR_FENCED;
    if (t->lease_ms > r->now_ms) {
        t->lease_ms = r->now_ms;
        t->holder[0] = '\0';
    }
    return answer_turn(r, op, t, out);
}

/* A page of the janitors' list. */
static enum err active(struct redis *r, struct fake_op *op, struct fake_reply *out)
{
    out->turns = xcalloc(op->max, sizeof *out->turns);
    unsigned at = op->offset, seen = 0;
    for (; at < r->open_count && seen < op->max; at++, seen++) {
        struct fake_turn *t = turn_read(redis_session(r, r->open[at].session), r->open[at].turn);
        if (!t || !turn_open(t))
            continue;
        struct fake_op of = {.session = r->open[at].session};
        answer_turn(r, &of, t, out);
        out->turns[out->answer.turn_count++] = out->answer.turn;
    }
    out->answer.turn = (struct store_turn){0};
    out->answer.turns = out->turns;
    out->answer.more = seen == op->max;
    return ERR_NONE;
}

/* Nobody hands on or erases here what they have. */
static enum err owners_parted(struct redis *r, struct fake_op *op, struct fake_reply *out)
{
    (void)r, (void)op, (void)out;
    return ERR_NONE;
}

/* ---- events ---- */
static bool follows(struct event_at before, struct event_at at)
{
    if (at.epoch == before.epoch)
        return at.seq == before.seq + 1;
    return at.seq == 1 && (before.epoch != 0 || at.epoch == 1);
}

struct reading {
    struct event_at cursor;
    uint64_t bytes;
    bool full, gap;
    unsigned cap;
};

static void take_event(struct reading *f, const struct fake_op *op, struct event_at at,
                       const struct record_event *e, struct fake_reply *out);

static void take_entry(struct reading *f, const struct fake_op *op, const struct fake_entry *entry,
                       struct fake_reply *out)
{
    struct record_events events;
    record_events_init(&events, blob_str(entry->batch));
    while (record_events_more(&events) && !f->full && !f->gap) {
        struct record_event e;
        CHECK(record_events_next(&events, &e) == ERR_NONE);
        take_event(f, op, (struct event_at){entry->last.epoch, e.seq}, &e, out);
    }
    record_events_free(&events);
}

static void take_event(struct reading *f, const struct fake_op *op, struct event_at at,
                       const struct record_event *e, struct fake_reply *out)
{
    unsigned count = out->answer.event_count;
    if (event_at_cmp(at, f->cursor) <= 0)
        return;
    if (!follows(f->cursor, at)) {
        f->gap = true;
    } else if (count > 0 && f->bytes + e->payload.len > op->max) {
        f->full = true;
    } else {
        if (count == f->cap) {
            f->cap = f->cap ? 2 * f->cap : 16;
            out->events = xrealloc(out->events, f->cap * sizeof *out->events);
        }
        struct blob *own = blob_new(e->payload);
        out->events[count] = (struct store_event){at, e->final != 0, reply_hold(out, own)};
        blob_free(own);
        out->answer.event_count++;
        f->bytes += e->payload.len;
        f->cursor = at;
    }
}

static enum err events_read(struct redis *r, struct fake_op *op, struct fake_reply *out)
{
    struct fake_turn *t = turn_read(redis_session(r, op->session), op->turn);
    struct event_at after = {op->epoch, op->last_seq};
    if (r->plant == PLANT_CURSOR_OFF_BY_ONE && after.epoch > 0)
        after.seq++;
    if (!t)
        return redis_session(r, op->session) && op->last_seq > 0 ? ERR_HISTORY_LOST
                                                                 : ERR_TURN_NOT_FOUND;
    if (t->stream_until_ms && t->stream_until_ms <= r->now_ms)
        return ERR_EVENTS_EXPIRED;
    bool ahead = after.epoch > t->le || (after.epoch == t->le && after.seq > t->ls);
    bool lost = t->loss_from.epoch > 0 && after.epoch < t->loss_epoch &&
                event_at_cmp(after, t->loss_from) > 0;
    if (after.epoch > t->epoch || (ahead && t->state != TURN_RUNNING) || lost)
        return ERR_HISTORY_LOST;
    out->answer.suspect = ahead && after.epoch == t->epoch && promoted_since(r, t->base_replid);
    struct reading f = {.cursor = after};
    int64_t budget = op->max;
    unsigned i = 0;
    while (i < t->entry_count && event_at_cmp(t->entries[i].last, after) <= 0)
        i++;
    for (; i < t->entry_count && budget > 0 && !f.full && !f.gap; i++) {
        take_entry(&f, op, &t->entries[i], out);
        budget -= (int64_t)t->entries[i].batch->len;
    }
    if (f.gap && out->answer.event_count == 0)
        return ERR_HISTORY_LOST;
    answer_turn(r, op, t, out);
    out->answer.events = out->events;
    out->answer.more = f.full || f.gap || i < t->entry_count;
    return ERR_NONE;
}

/* ---- by the worker ---- */
static enum err summary(struct redis *r, struct fake_op *op, struct fake_reply *out)
{
    struct fake_session *s = redis_session(r, op->session);
    struct fake_turn *t = turn_read(s, op->turn);
    if (!t || t->state != TURN_RUNNING || t->epoch != op->epoch)
        return ERR_FENCED;
    if (s->revision != op->revision || s->summary_to > op->message)
        return ERR_INVALID;
    blob_free(s->summary);
    s->summary = blob_ref(op->texts[TEXT_KEY]);
    s->summary_to = op->message;
    return answer_turn(r, op, t, out);
}

static enum err load(struct redis *r, struct fake_op *op, struct fake_reply *out)
{
    struct fake_session *s = redis_session(r, op->session);
    struct fake_turn *t = turn_read(s, op->turn);
    if (!t)
        return ERR_FENCED;
    if (op->epoch > t->epoch)
        return ERR_HISTORY_LOST;
    if (t->state != TURN_RUNNING || op->epoch < t->epoch)
        return ERR_FENCED;
    if (t->loaded != op->epoch) { /* once an epoch: the step is tried again */
        t->attempt++;
        t->loaded = op->epoch;
        snprintf(t->loader, sizeof t->loader, "%s", op->holder);
    } else if (strcmp(t->loader, op->holder) != 0) {
        return ERR_FENCED;
    }
    t->lease_ms = r->now_ms + op->config.lease_ms;
    t->base_replid = r->replid;
    snprintf(t->holder, sizeof t->holder, "%s", op->holder);
    out->load = (struct store_load){.request = reply_hold(out, t->request),
                                    .seq = turn_seq(t),
                                    .step = t->step,
                                    .attempt = t->attempt,
                                    .begun_ms = t->begun_ms,
                                    .usage = t->usage,
                                    .cancel = t->cancel,
                                    .place = t->place,
                                    .now_ms = r->now_ms};
    out->decisions = xcalloc(t->asked_count + 1, sizeof *out->decisions);
    for (unsigned i = 0; i < t->asked_count; i++) {
        const struct fake_asked *a = &t->asked[i];
        struct blob *id = blob_new(str_of(a->call_id)), *hash = blob_new(str_of(a->hash));
        out->decisions[i] = (struct store_decision){reply_hold(out, id), reply_hold(out, hash),
                                                    a->begun       ? DECISION_BEGUN
                                                    : a->what == 1 ? DECISION_APPROVED
                                                    : a->what == 0 ? DECISION_REFUSED
                                                                   : DECISION_NONE};
        blob_free(id);
        blob_free(hash);
    }
    out->load.decisions = out->decisions;
    out->load.decision_count = t->asked_count;
    answer_session(r, s, out, &out->load.session);
    answer_summary(s, out, &out->load.session);
    answer_messages(s, out);
    out->answer.session = op->session;
    out->answer.load = &out->load;
    return ERR_NONE;
}

static enum err begin_calls(struct redis *r, struct fake_op *op, struct fake_reply *out)
{
    struct fake_turn *t = turn_read(redis_session(r, op->session), op->turn);
    if (!t || t->state != TURN_RUNNING || t->epoch != op->epoch || t->loaded != t->epoch ||
        strcmp(t->loader, op->holder) != 0)
        return ERR_FENCED;
    for (unsigned i = 0; i < op->asked_count; i++) {
        struct fake_asked *a = asked_of(t, op->asked[i].call_id);
        if (a)
            a->begun = true;
    }
    return answer_turn(r, op, t, out);
}

static enum err say(struct redis *r, struct fake_op *op, struct fake_reply *out)
{
    struct fake_turn *t = turn_read(redis_session(r, op->session), op->turn);
    bool check = r->plant != PLANT_NO_EPOCH;
    if (t && op->epoch > t->epoch)
        return ERR_HISTORY_LOST;
    if (!t || t->state != TURN_RUNNING || (check && t->epoch != op->epoch))
        return ERR_FENCED;
    uint32_t seq = turn_seq(t);
    if (check && op->first_seq > seq + 1)
        return ERR_HISTORY_LOST;
    if (op->last_seq > seq) {
        if (!entry_add(r, t, (struct event_at){op->epoch, op->last_seq}, op->batch))
            return ERR_FENCED;
        t->le = op->epoch;
        t->ls = op->last_seq;
    }
    t->lease_ms = r->now_ms + op->config.lease_ms;
    return answer_turn(r, op, t, out);
}

static void seal_approvals(struct fake_op *op, struct fake_turn *t)
{
    if (!t->asked)
        t->asked = xcalloc(FAKE_ASKED_MAX, sizeof *t->asked);
    for (unsigned i = 0; i < op->asked_count; i++) {
        struct fake_asked *a = asked_of(t, op->asked[i].call_id), next = op->asked[i];
        CHECK(a || t->asked_count < FAKE_ASKED_MAX);
        next.reused = a && (a->reused || strcmp(a->hash, next.hash) != 0);
        *(a ? a : &t->asked[t->asked_count++]) = next;
    }
    t->wait_ms = op->expires_ms;
    blob_free(t->approvals);
    t->approvals = blob_ref(op->texts[TEXT_APPROVALS]);
}

static void seal_write(struct redis *r, struct fake_op *op, struct fake_session *s,
                       struct fake_turn *t)
{
    for (unsigned i = 0; i < op->message_count; i++)
        session_message_add(s, ++s->mseq, op->messages[i]);
    s->usage.input_tokens += op->usage.input_tokens - t->usage.input_tokens;
    s->usage.output_tokens += op->usage.output_tokens - t->usage.output_tokens;
    s->usage.cached_tokens += op->usage.cached_tokens - t->usage.cached_tokens;
    s->usage.cost += op->usage.cost - t->usage.cost;
    t->state = op->state;
    t->le = op->epoch;
    t->ls = op->last_seq;
    t->sealed = (struct event_at){op->epoch, op->last_seq};
    t->lease_ms = r->now_ms + (op->state == TURN_RUNNING ? op->config.lease_ms : 0);
    t->deaths = t->step == op->step ? t->deaths : 0;
    t->step = op->step;
    t->attempt = op->attempt;
    t->usage = op->usage;
    if (!turn_open(t)) {
        turn_end(r, op, s, t);
    } else if (op->state == TURN_AWAITING) {
        seal_approvals(op, t);
        t->holder[0] = '\0';
        s->updated_ms = r->now_ms;
    }
}

static enum err seal(struct redis *r, struct fake_op *op, struct fake_reply *out)
{
    struct fake_session *s = redis_session(r, op->session);
    struct fake_turn *t = turn_read(s, op->turn);
    struct event_at id = {op->epoch, op->last_seq};
    bool check = r->plant != PLANT_NO_EPOCH;
    if (t && op->epoch > t->epoch)
        return ERR_HISTORY_LOST;
    if (!t || (check && t->epoch != op->epoch))
        return ERR_FENCED;
    if (event_at_cmp(t->sealed, id) == 0) /* sent again */
        return answer_turn(r, op, t, out);
    if (t->state != TURN_RUNNING)
        return ERR_FENCED;
    uint32_t seq = turn_seq(t);
    if (check && op->last_seq <= seq)
        return ERR_INTERNAL;
    if (check && op->first_seq > seq + 1)
        return ERR_HISTORY_LOST;
    if (!entry_add(r, t, id, op->batch))
        return ERR_FENCED;
    seal_write(r, op, s, t);
    return answer_turn(r, op, t, out);
}

void scripts_turn(struct redis *r, struct fake_op *op, struct fake_reply *out)
{
    static enum err (*const scripts[])(struct redis *, struct fake_op *, struct fake_reply *) = {
        [OP_TURN_BEGIN] = begin,
        [OP_TURN_GET] = get,
        [OP_TURN_CLAIM] = claim,
        [OP_TURN_HOLD] = hold,
        [OP_TURN_CANCEL] = cancel,
        [OP_TURN_FAIL] = fail,
        [OP_TURN_DECIDE] = decide,
        [OP_TURN_ACTIVE] = active,
        [OP_EVENTS_READ] = events_read,
        [OP_TURN_LOAD] = load,
        [OP_TURN_SAY] = say,
        [OP_TURN_SEAL] = seal,
        [OP_TURN_RELEASE] = release,
        [OP_TURN_SUMMARY] = summary,
        [OP_TURN_MARK] = begin_calls,
        [OP_OWNERS_PARTED] = owners_parted,
    };
    CHECK(op->kind < sizeof scripts / sizeof *scripts && scripts[op->kind]);
    out->err = scripts[op->kind](r, op, out);
}
