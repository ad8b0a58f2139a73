/* What a checkpoint writes: messages, the events that go with them, and how the turn stands. */
#include "proto/store/quota.h"
#include "proto/store/turn.h"
#include "worker/turn/turn.h"

#include <stdlib.h>
#include "common/check.h"
#include "proto/event.h"

enum {
    CONTENTS_BYTES_MAX = 1 << 20, /* of all results, before they are cut to fit an event */
    CONTENTS_BYTES_MIN = 256,
};

static bool add_payload(struct turn *t, bool final)
{
    struct buf *b = t->config->payload;
    bool added = !b->overflowed && journal_add(&t->journal, final, buf_str(b));
    buf_clear(b);
    return added;
}

/* What was streamed stays in the conversation, though it is not whole. */
static unsigned keep_partial(struct turn *t, const char *why)
{
    struct reply *r = t->llm ? llm_reply(t->llm) : NULL;
    if (r == NULL || r->content.len == 0 || t->summarising || t->announced_step != t->agent.step)
        return 0;
    struct record_message m = turn_as_message(t, r, NULL, 0);
    m.stop_reason = str_of(why);
    turn_keep_assistant(t, &m);
    return 1;
}

/* Results that are too large for one event (many calls, much to escape) are cut evenly. */
static bool add_results(struct turn *t)
{
    struct buf *b = t->config->payload;
    size_t bytes_max = CONTENTS_BYTES_MAX;
    for (;;) {
        event_tools_complete(b, str_of(t->step_id), &t->assistant, &t->tool);
        if (!b->overflowed)
            return add_payload(t, false);
        buf_clear(b);
        if (bytes_max < CONTENTS_BYTES_MIN)
            return false;
        bytes_max /= 2;
        for (unsigned i = 0; i < t->tool.response_count; i++) {
            struct str *content = &t->tool.responses[i].content;
            if (content->len > bytes_max)
                content->len = bytes_max;
            while (content->len > 0 && !str_utf8(*content))
                content->len--;
        }
    }
}

static bool add_awaiting(struct turn *t, struct store_seal *s)
{
    const struct agent *a = &t->agent;
    scoped_buf(asks, RECORD_BYTES_MAX);
    s->state = TURN_AWAITING;
    s->approvals = t->vet.asks;
    s->servers = t->vet.servers;
    s->approval_count = t->vet.ask_count;
    s->expires_ms =
        t->clock_ms + loop_now_ms(t->config->journal.loop) + t->config->approval_wait_ms;
    if (!event_approvals(&asks, s->approvals, s->servers, s->approval_count, s->expires_ms))
        return false;
    event_turn_awaiting(t->config->payload, t->id, &t->assistant, buf_str(&asks), &a->usage);
    return add_payload(t, true);
}

static bool add_answer(struct turn *t, struct store_seal *s)
{
    struct buf *b = t->config->payload;
    const struct agent *a = &t->agent;
    event_inference_complete(b, str_of(t->step_id), &t->assistant);
    if (!add_payload(t, false))
        return false;
    s->messages = &t->assistant;
    s->message_count = 1;
    s->step = a->step + 1;
    if (a->seal == SEAL_REPLY) {
        s->attempt = 1; /* it begins at once */
        return true;
    }
    if (a->seal == SEAL_AWAIT)
        return add_awaiting(t, s);
    s->state = TURN_DONE;
    event_turn_complete(b, t->id, &t->assistant, &a->usage);
    return add_payload(t, true);
}

static bool add_end(struct turn *t, struct store_seal *s, enum turn_state state)
{
    struct buf *b = t->config->payload;
    s->message_count = keep_partial(t, state == TURN_CANCELLED ? "cancelled" : "error");
    s->messages = &t->assistant;
    s->state = state;
    if (state == TURN_CANCELLED)
        event_turn_cancelled(b, t->id);
    else
        event_error(b, t->agent.why, t->detail_of == t->agent.why ? t->detail : NULL);
    return add_payload(t, true);
}

static bool add_final(struct turn *t, struct store_seal *s)
{
    struct agent *a = &t->agent;
    switch (a->seal) {
    case SEAL_REPLY:
    case SEAL_ANSWER:
    case SEAL_AWAIT:
        return add_answer(t, s);
    case SEAL_RESULTS:
        free(t->tool.responses);
        t->tool = (struct record_message){
            .role = ROLE_TOOL, .turn = t->id, .step = a->step, .at_ms = loop_wall_ms()};
        tool_batch_responses(&t->batch, &t->tool.responses, &t->tool.response_count);
        s->messages = &t->tool;
        s->message_count = 1;
        s->step = a->step + 1;
        s->attempt = 1;
        metric_observe(t->config->meters->tools_seconds,
                       (double)(loop_now_ms(t->config->journal.loop) - t->step_ms) / 1000);
        return add_results(t);
    case SEAL_AGAIN:
        t->announced_step = a->step;
        t->announced_attempt = a->attempt;
        s->attempt = a->attempt;
        event_step_start(t->config->payload, STEP_INFERENCE, str_of(t->step_id), a->attempt);
        return add_payload(t, false);
    case SEAL_CANCELLED:
        return add_end(t, s, TURN_CANCELLED);
    case SEAL_FAILURE:
        return add_end(t, s, TURN_FAILED);
    case SEAL_NOTHING:
        break;
    }
    CHECK(false && "nothing to seal");
    return false;
}

static struct store_seal new_seal(const struct turn *t)
{
    const struct agent *a = &t->agent;
    return (struct store_seal){.state = TURN_RUNNING, .step = a->step, .usage = a->usage};
}

/* About what this seal adds to its session. */
static int64_t seal_bytes(const struct turn *t, const struct store_seal *s)
{
    size_t bytes = journal_stored_bytes(&t->journal);
    for (unsigned i = 0; i < s->message_count; i++) {
        const struct record_message *m = &s->messages[i];
        bytes += QUOTA_MESSAGE_BYTES + m->content.len;
        for (unsigned k = 0; k < m->call_count; k++)
            bytes += m->calls[k].arguments.len;
        for (unsigned k = 0; k < m->response_count; k++)
            bytes += m->responses[k].content.len;
    }
    return (int64_t)bytes;
}

/* Before the end is told: who sees it may ask again at once, and is refused if what they keep is
 * too much by then. A worker that has to take the turn over keeps the place anew. */
static void give_up_place(struct turn *t, const struct store_seal *s)
{
    quota_turn_end_note(t->config->journal.store, str_of(t->owner), t->quota_id, t->session,
                        t->session_bytes + seal_bytes(t, s));
    t->quota_id = (struct id){0};
}

void turn_keep_assistant(struct turn *t, const struct record_message *m)
{
    record_message_free(&t->assistant);
    CHECK(record_message_copy(m, &t->assistant_bytes, &t->assistant));
}

void turn_seal(struct turn *t)
{
    t->token_ms = 0;
    if (t->llm) { /* it was stopped while it wrote: nobody counted that */
        struct usage used = turn_count_used(t);
        agent_used(&t->agent, &used);
    }
    turn_summary_stop(t);
    turn_lookup_stop(t);
    struct store_seal s = new_seal(t);
    if (!add_final(t, &s)) { /* an answer too large to be told: that is what is told */
        t->agent.seal = SEAL_FAILURE;
        t->agent.why = ERR_OUTPUT_LIMIT;
        t->detail_of = ERR_NONE;
        llm_call_free(t->llm);
        t->llm = NULL;
        s = new_seal(t);
        bool added = add_end(t, &s, TURN_FAILED);
        CHECK(added);
    }
    llm_call_free(t->llm); /* stops the provider's stream */
    t->llm = NULL;
    if (s.state != TURN_RUNNING)
        give_up_place(t, &s);
    journal_seal(&t->journal, &s);
    if (t->agent.seal != SEAL_RESULTS)
        tool_batch_free(&t->batch);
}
