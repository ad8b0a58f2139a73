#include "worker/turn/journal.h"

#include "common/check.h"
#include "common/log.h"
#include "proto/record.h"
#include "proto/store/store.h"
#include "proto/store/turn.h"
#include "proto/store/wait.h"
#include "proto/traced.h"

enum {
    BACKOFF_MS_MIN = 50,
    BACKOFF_MS_MAX = 1000,
    BATCH_BYTES_MAX = RECORD_BYTES_MAX,
};

static void say_now(struct journal *j);
static void seal_now(struct journal *j);
static void hold_now(struct journal *j);
static void on_said(void *arg, enum err err, const struct store_answer *answer);
static void on_sealed(void *arg, enum err err, const struct store_answer *answer);
static void on_held(void *arg, enum err err, const struct store_answer *answer);
static bool settled(struct journal *j, enum err err, const struct store_answer *answer);
static void go_live(struct journal *j);
static void send_event(const struct journal *j, struct hub_link *to, const struct record_event *e);
static void tell_batch(const struct journal *j, struct hub_link *to, struct str batch);
static void empty(struct buf *b);

void journal_init(struct journal *j, const struct journal_config *c,
                  const struct journal_handler *h, void *arg, struct audience *audience,
                  struct id session, struct id turn, uint32_t epoch, uint32_t seq)
{
    *j = (struct journal){.config = c,
                          .handler = h,
                          .arg = arg,
                          .audience = audience,
                          .session = session,
                          .turn = turn,
                          .epoch = epoch,
                          .seq = seq,
                          .live_seq = seq,
                          .stored_seq = seq,
                          .touched_ms = loop_now_ms(c->loop)};
    buf_init(&j->pending, BATCH_BYTES_MAX);
    buf_init(&j->sent, BATCH_BYTES_MAX);
}

void journal_free(struct journal *j)
{
    if (!j->config)
        return; /* never initialised */
    store_forget(j->config->store, j->call);
    buf_free(&j->pending);
    buf_free(&j->sent);
    j->config = NULL;
}

bool journal_can_say(const struct journal *j)
{
    return !j->seal_waits && !j->confirms && j->state != JOURNAL_SEALING;
}

bool journal_say(struct journal *j, struct str payload)
{
    CHECK(journal_can_say(j));
    if (j->pending.len + j->sent.len + payload.len > j->config->backlog_bytes_max)
        return false;
    int64_t now_ms = loop_now_ms(j->config->loop);
    if (j->pending.len == 0)
        j->pending_ms = now_ms;
    if (!record_event_add(&j->pending, &j->base, j->seq + 1, 0, payload))
        return false;
    j->live_seq = ++j->seq;
    send_event(j, NULL, &(struct record_event){.seq = j->seq, .payload = payload});
    return true;
}

bool journal_add(struct journal *j, bool final, struct str payload)
{
    CHECK(journal_can_say(j));
    if (!record_event_add(&j->pending, &j->base, j->seq + 1, final, payload))
        return false;
    j->seq++;
    return true;
}

void journal_seal(struct journal *j, const struct store_seal *seal)
{
    CHECK(journal_can_say(j) && j->pending.len > 0);
    j->seal = *seal;
    j->seal_waits = true;
    trace_begin(&j->sealing, &j->trace);
    if (j->state != JOURNAL_SAYING) /* what a say may or may not have stored comes first */
        seal_now(j);
}

size_t journal_stored_bytes(const struct journal *j)
{
    return j->stored_bytes + j->sent.len + j->pending.len;
}

void journal_tick(struct journal *j, int64_t now_ms)
{
    if (j->call != 0)
        return;
    switch (j->state) {
    case JOURNAL_SAYING:
    case JOURNAL_SEALING:
    case JOURNAL_HOLDING: /* it failed */
        if (now_ms < j->retry_ms)
            return;
        if (j->state == JOURNAL_SAYING)
            say_now(j);
        else if (j->state == JOURNAL_SEALING)
            seal_now(j);
        else
            hold_now(j);
        return;
    case JOURNAL_IDLE:
        if (j->pending.len > 0 && (now_ms - j->pending_ms >= j->config->flush_ms ||
                                   j->pending.len >= j->config->flush_bytes)) {
            struct buf sent = j->sent;
            j->sent = j->pending;
            j->pending = sent;
            j->base = (struct record_base){0};
            j->sent_seq = j->seq;
            say_now(j);
        } else if (now_ms - j->touched_ms >= j->config->hold_ms) {
            hold_now(j);
        }
        return;
    }
}

static void say_now(struct journal *j)
{
    j->state = JOURNAL_SAYING;
    j->call = store_turn_say(j->config->store, j->session, j->turn, j->epoch, j->sent_seq,
                             buf_str(&j->sent), on_said, j);
}

/* A lease that is being renewed meanwhile needs no answer. */
static void seal_now(struct journal *j)
{
    store_forget(j->config->store, j->call);
    j->state = JOURNAL_SEALING;
    j->seal_waits = false;
    j->seal.session = j->session;
    j->seal.turn = j->turn;
    j->seal.epoch = j->epoch;
    j->seal.last_seq = j->seq;
    j->seal.batch = buf_str(&j->pending);
    j->asked_ms = loop_now_ms(j->config->loop);
    j->call = store_turn_seal(j->config->store, &j->seal, on_sealed, j);
}

static void hold_now(struct journal *j)
{
    j->state = JOURNAL_HOLDING;
    j->call = store_turn_hold(j->config->store, j->session, j->turn, j->epoch,
                              str_of(j->config->holder), on_held, j);
}

/* True: it is done, and the turn is still ours. Otherwise it is tried again, or the turn is told.
 */
static bool settled(struct journal *j, enum err err, const struct store_answer *answer)
{
    int64_t now_ms = loop_now_ms(j->config->loop);
    j->call = 0;
    if (err == ERR_NONE) {
        j->backoff_ms = 0;
        j->touched_ms = now_ms;
        if (answer->turn.cancel)
            j->handler->on_cancel(j->arg);
        return true;
    }
    if (err == ERR_STORE_UNAVAILABLE || err == ERR_STORE_FULL || err == ERR_LOST) {
        if (j->backoff_ms == 0)
            log_warn("journal.retry", "turn=%s epoch=%u state=%d err=%s", traced_log(j->turn),
                     j->epoch, (int)j->state, err_word(err));
        j->lost++;
        j->backoff_ms = j->backoff_ms == 0 ? BACKOFF_MS_MIN : j->backoff_ms * 2;
        if (j->backoff_ms > BACKOFF_MS_MAX)
            j->backoff_ms = BACKOFF_MS_MAX;
        j->retry_ms = now_ms + j->backoff_ms;
        return false;
    }
    if (err != ERR_FENCED)
        log_error("journal.refused", "turn=%s epoch=%u state=%d err=%s", traced_log(j->turn),
                  j->epoch, (int)j->state, err_word(err));
    j->retry_ms = INT64_MAX;
    j->handler->on_refused(j->arg, err);
    return false;
}

static void on_said(void *arg, enum err err, const struct store_answer *answer)
{
    struct journal *j = arg;
    if (!settled(j, err, answer))
        return;
    j->stored_bytes += j->sent.len;
    empty(&j->sent);
    j->stored_seq = j->sent_seq;
    j->state = JOURNAL_IDLE;
    j->pending_ms = j->touched_ms; /* the next one in a while, not at once */
    if (j->seal_waits)
        seal_now(j);
}

static void on_held(void *arg, enum err err, const struct store_answer *answer)
{
    struct journal *j = arg;
    if (!settled(j, err, answer))
        return;
    j->state = JOURNAL_IDLE;
    if (j->confirms) {
        j->confirms = false;
        j->handler->on_sealed(j->arg);
    }
}

/* A worker that was frozen or cut off reads the answer when the turn has long been another's:
 * before it goes on to the next step, which may be a tool, it asks. */
static void on_sealed(void *arg, enum err err, const struct store_answer *answer)
{
    struct journal *j = arg;
    if (!settled(j, err, answer))
        return;
    store_wait_told(j->config->otlp, &j->sealing, "turn_seal", ERR_NONE);
    j->stored_bytes = 0; /* what comes next reads anew what there is */
    j->stored_seq = j->seq;
    go_live(j);
    empty(&j->pending);
    j->base = (struct record_base){0};
    j->state = JOURNAL_IDLE;
    j->confirms =
        j->seal.state == TURN_RUNNING && j->touched_ms - j->asked_ms > j->config->fresh_ms;
    if (j->confirms)
        hold_now(j);
    else
        j->handler->on_sealed(j->arg);
}

/* The final events of the seal: stored, so they may be seen now. */
static void go_live(struct journal *j)
{
    struct record_events events;
    record_events_init(&events, buf_str(&j->pending));
    while (record_events_more(&events)) {
        struct record_event e;
        enum err err = record_events_next(&events, &e);
        CHECK(err == ERR_NONE); /* we wrote it */
        if (e.seq > j->live_seq)
            send_event(j, NULL, &e);
    }
    record_events_free(&events);
    j->live_seq = j->seq;
}

/* to NULL: the whole audience. */
static void send_event(const struct journal *j, struct hub_link *to, const struct record_event *e)
{
    struct frame_EVENT f = {.turn = j->turn,
                            .epoch = j->epoch,
                            .seq = e->seq,
                            .stored = j->stored_seq,
                            .final = e->final != 0,
                            .payload = e->payload};
    if (to)
        hub_send_event(to, &f);
    else
        audience_event(j->audience, &f);
}

void journal_tell(struct journal *j)
{
    struct hub_link *to;
    while ((to = audience_untold(j->audience)) != NULL) {
        hub_send_following(to, j->turn, (struct event_at){j->epoch, j->stored_seq});
        tell_batch(j, to, buf_str(&j->sent));
        tell_batch(j, to, buf_str(&j->pending));
    }
}

/* What of it went live: events of a seal under way have not. */
static void tell_batch(const struct journal *j, struct hub_link *to, struct str batch)
{
    struct record_events events;
    record_events_init(&events, batch);
    while (record_events_more(&events)) {
        struct record_event e;
        enum err err = record_events_next(&events, &e);
        CHECK(err == ERR_NONE); /* we wrote it */
        if (e.seq > j->stored_seq && e.seq <= j->live_seq)
            send_event(j, to, &e);
    }
    record_events_free(&events);
}

/* Given back: of thousands of turns most have nothing to store at a time. */
static void empty(struct buf *b)
{
    buf_free(b);
    buf_init(b, BATCH_BYTES_MAX);
}
