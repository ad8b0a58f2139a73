/* LOAD: what the store has of a turn and its conversation, and what that says is next. */
#include "worker/turn/turn.h"

#include <string.h>
#include "common/check.h"
#include "common/log.h"
#include "common/str.h"
#include "proto/store/turn.h"
#include "proto/traced.h"

enum { LOAD_RETRY_MS = 250 };

static void on_loaded(void *arg, enum err err, const struct store_answer *answer);
static void refuse(struct turn *t, enum err err);
static void take_place(struct turn *t, const struct store_load *load,
                       const struct record_request *request);
static void open_journal(struct turn *t, uint32_t seq);
static void take(struct turn *t, const struct store_answer *answer,
                 const struct record_request *request);
static void tell_loaded(struct turn *t, const struct store_answer *answer);

static int64_t now_ms(const struct turn *t) { return loop_now_ms(t->config->journal.loop); }

/* What its begin brought, if that is young enough to be believed without asking. Silence makes
 * nobody dead for its gateway within that time. */
static bool open_given(struct turn *t)
{
    struct buf opening = t->opening;
    bool fresh = t->load_ms != 0 && now_ms(t) - t->load_ms <= t->config->journal.fresh_ms;
    if (opening.len == 0)
        return false;
    buf_init(&t->opening, STORE_OPENING_MAX);
    bool opened = fresh && store_opening_read(buf_str(&opening), t->session, on_loaded, t);
    buf_free(&opening);
    if (fresh && !opened)
        log_error("turn.bad_opening", "turn=%s", traced_log(t->id));
    return opened;
}

void turn_load_begin(struct turn *t)
{
    const struct journal_config *c = &t->config->journal;
    if (open_given(t))
        return;
    t->load_ms = now_ms(t);
    t->call =
        store_turn_load(c->store, t->session, t->id, t->epoch, str_of(c->holder), on_loaded, t);
}

static void on_loaded(void *arg, enum err err, const struct store_answer *answer)
{
    struct turn *t = arg;
    MAGIC_CHECK(t, TURN_MAGIC);
    t->call = 0;
    if (err == ERR_STORE_UNAVAILABLE || err == ERR_STORE_FULL || err == ERR_LOST) {
        t->retry_ms = now_ms(t) + LOAD_RETRY_MS;
        return;
    }
    struct record_request request;
    if (err != ERR_NONE || record_request_decode(answer->load->request, &request) != ERR_NONE) {
        refuse(t, err);
        return;
    }
    if (!t->load_late && now_ms(t) - t->load_ms > t->config->journal.fresh_ms) {
        t->load_late = true; /* frozen or cut off meanwhile: the turn may be another's */
        turn_load_begin(t);
        return;
    }
    t->load_late = false;
    if (!t->owner) /* the first load */
        take_place(t, answer->load, &request);
    if (!t->journal_open)
        open_journal(t, answer->load->seq);
    take(t, answer, &request);
    tell_loaded(t, answer);
    if (t->todo == ACT_CALL) { /* at once: what the answer holds is borrowed */
        t->todo = ACT_WAIT;
        turn_begin_call(t, answer, &request);
    }
}

static void refuse(struct turn *t, enum err err)
{
    if (err != ERR_FENCED)
        log_error("turn.unloadable", "turn=%s epoch=%u err=%s", traced_log(t->id), t->epoch,
                  err_word(err));
    t->refused = err != ERR_NONE ? err : ERR_INTERNAL;
    turn_fenced(t);
}

/* Whose turn it is, and where it stands among theirs and in a trace. */
static void take_place(struct turn *t, const struct store_load *load,
                       const struct record_request *request)
{
    t->asked_ms = load->now_ms;
    t->owner = str_dup(request->owner);
    if (request->quota_id.len == sizeof(t->quota_id.bytes))
        memcpy(t->quota_id.bytes, request->quota_id.at, sizeof(t->quota_id.bytes));
    if (!id_is_zero(load->place))
        t->quota_id = load->place;
    if (t->epoch > 1) /* else its gateway has just kept it */
        turn_keep_place(t);
    turn_trace_loaded(t, request->traceparent);
}

static void on_journal_sealed(void *arg)
{
    turn_tell(arg, (struct agent_fact){.kind = FACT_SEALED});
}

static void on_journal_refused(void *arg, enum err why)
{
    struct turn *t = arg;
    t->refused = why;
    turn_fenced(t);
}

static void on_journal_cancel(void *arg) { turn_cancel(arg); }

static void open_journal(struct turn *t, uint32_t seq)
{
    static const struct journal_handler handler = {on_journal_sealed, on_journal_refused,
                                                   on_journal_cancel};
    t->journal_open = true;
    journal_init(&t->journal, &t->config->journal, &handler, t, &t->audience, t->session, t->id,
                 t->epoch, seq);
    t->journal.trace = t->trace.span.at;
    journal_tell(&t->journal);
    hub_send_news(t->link, t->id);
}

/* When the question came: "the last hour" is the same however late the turn goes on. */
static int64_t asked_at(const struct turn *t, const struct store_answer *answer)
{
    int64_t at_ms = answer->load->now_ms;
    for (unsigned i = 0; answer->messages && i < answer->message_count; i++) {
        const struct record_message *m = &answer->messages[i].record;
        if (m->role == ROLE_USER && id_eq(m->turn, t->id) && m->at_ms > 0 && m->at_ms < at_ms)
            at_ms = m->at_ms;
    }
    return at_ms;
}

/* What may have changed since the last load. */
static void take(struct turn *t, const struct store_answer *answer,
                 const struct record_request *request)
{
    const struct store_load *load = answer->load;
    t->session_bytes = load->bytes;
    t->clock_ms = load->now_ms - now_ms(t);
    approval_read(&t->approval, load->decisions, load->decision_count);
    turn_context_free(&t->context);
    turn_context_read(&t->context, request->context, request->datasource_path, asked_at(t, answer));
    turn_title_keep(t, answer);
    if (load->cancel)
        turn_cancel(t);
}

/* The conversation says what is next: its last message, if that is this turn's, may have calls. */
static void tell_loaded(struct turn *t, const struct store_answer *answer)
{
    const struct record_message *last =
        answer->message_count > 0 ? &answer->messages[answer->message_count - 1].record : NULL;
    bool ours = last && last->role == ROLE_ASSISTANT && id_eq(last->turn, t->id);
    if (ours)
        turn_keep_assistant(t, last);
    turn_tell(t, (struct agent_fact){.kind = FACT_LOADED,
                                     .step = answer->load->step,
                                     .attempt = answer->load->attempt,
                                     .open_calls = ours ? last->call_count : 0,
                                     .usage = answer->load->usage});
}
