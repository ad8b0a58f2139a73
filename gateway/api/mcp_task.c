#include "gateway/api/mcp_task.h"

#include <stdlib.h>
#include <string.h>
#include "common/json.h"
#include "gateway/api/following.h"
#include "gateway/api/mcp_stream.h"
#include "proto/store/session.h"

static void on_session(void *arg, enum err err, const struct store_answer *a);
static void get(struct call *c, const struct store_session *s, const json_t *calls);
static void update(struct call *c, const json_t *calls);
static void retry(struct call *c, const json_t *calls);
static void tell(struct call *c, enum err err, struct turn *t, struct event_at after,
                 const struct store_answer *read);

void mcp_task_made(struct call *c)
{
    json_t *task = mcp_task_json(&mcp_of(c)->task, "working", loop_wall_ms(),
                                 c->gateway->settings.store.events_keep_ms);
    json_object_set_new(task, "resultType", json_string("task"));
    mcp_reply_result(c, task);
}

/* Whose turn it is, whether it runs, and what it waits for. */
static void look(struct call *c)
{
    c->session = mcp_of(c)->task.session;
    c->turn = mcp_of(c)->task.turn;
    c->store_call =
        store_session_get(c->gateway->store, str_of(c->user), c->session, on_session, c);
}

bool mcp_task_method(struct call *c, struct str method)
{
    struct mcp *m = mcp_of(c);
    bool cancels = str_is(method, "tasks/cancel");
    if (!m->client.modern ||
        !(cancels || str_is(method, "tasks/get") || str_is(method, "tasks/update")))
        return false;
    if (!m->client.tasks) {
        mcp_reply_error(c, 400, MCP_CAPABILITY, "This needs the extension for tasks",
                        mcp_needs_tasks());
    } else if (!mcp_task_parse(json_text(json_object_get(mcp_params(c), "taskId")), &m->task)) {
        mcp_refuse_params(c, "There is no task of this id");
    } else if (cancels) {
        c->session = m->task.session;
        c->turn = m->task.turn;
        api_turns_cancel(c);
    } else {
        look(c);
    }
    return true;
}

void mcp_task_retry(struct call *c, struct str state)
{
    if (mcp_task_parse(state, &mcp_of(c)->task))
        look(c);
    else
        mcp_refuse_params(c, "requestState is not as it was given out");
}

static void on_session(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    if (!call_stored(c, err))
        return;
    const struct store_session *s = &a->sessions[0];
    bool waits = id_eq(s->running, c->turn) && s->running_state == TURN_AWAITING;
    json_auto_t *calls =
        waits ? json_loadb(s->running_approvals.at, s->running_approvals.len, 0, NULL) : NULL;
    if (mcp_is_method(c, "tasks/get"))
        get(c, s, calls);
    else if (mcp_is_method(c, "tasks/update"))
        update(c, calls);
    else
        retry(c, calls);
}

/* ---- tasks/get ---- */

static void get(struct call *c, const struct store_session *s, const json_t *calls)
{
    struct mcp_saying saying = mcp_saying_of(c);
    if (calls) {
        struct mcp_say say;
        mcp_say_init(&say, &saying);
        json_auto_t *answer = mcp_say_waits(&say, calls);
        mcp_say_free(&say);
        mcp_reply_result(c, json_incref(json_object_get(answer, "result")));
    } else if (id_eq(s->running, c->turn)) {
        turns_adopt_of(c->gateway, s, str_of(c->user), &c->credentials);
        mcp_reply_result(c, mcp_task_json(&saying.task, "working", saying.now_ms, saying.keep_ms));
    } else {
        following_begin(c, (struct event_at){0, 0}, tell);
    }
}

/* ---- tasks/update, and a retry: what the person said ---- */

static void decide(struct call *c, json_t *take_decisions, void (*then)(struct call *c))
{
    mcp_of(c)->decided = then;
    json_decref(c->body);
    c->body = take_decisions;
    api_turns_resume(c);
}

void mcp_decided(struct call *c) { mcp_of(c)->decided(c); }

static void acknowledge(struct call *c) { mcp_reply_result(c, json_object()); }

void mcp_cancelled(struct call *c) { acknowledge(c); }

/* What was answered already, or is asked no more, is nothing new. */
static void update(struct call *c, const json_t *calls)
{
    json_t *decisions;
    enum mcp_said said =
        mcp_input_responses(calls, json_object_get(mcp_params(c), "inputResponses"), &decisions);
    if (said == MCP_SAID_ALL)
        decide(c, decisions, acknowledge);
    else if (said == MCP_SAID_PARTLY)
        mcp_refuse_params(c, "Answer all inputRequests of the task in one tasks/update");
    else
        acknowledge(c);
}

static void go_on(struct call *c) { following_begin(c, (struct event_at){0, 0}, tell); }

/* Put off: it is not asked again at once, but waits. */
static void retry(struct call *c, const json_t *calls)
{
    json_t *decisions;
    enum mcp_said said =
        mcp_input_responses(calls, json_object_get(mcp_params(c), "inputResponses"), &decisions);
    if (said == MCP_SAID_ALL) {
        decide(c, decisions, go_on);
        return;
    }
    if (calls && said == MCP_SAID_NOTHING)
        mcp_of(c)->client.elicits = false;
    go_on(c);
}

static void tell(struct call *c, enum err err, struct turn *t, struct event_at after,
                 const struct store_answer *read)
{
    (void)after;
    if (err) {
        call_fail(c, err, NULL);
        return;
    }
    struct mcp_saying saying = mcp_saying_of(c);
    if (saying.as_task)
        mcp_stream_collect(c, t, &saying, read);
    else
        mcp_stream_open(c, t, &saying, read);
}
