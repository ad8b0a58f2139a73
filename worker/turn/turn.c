#include "worker/turn/turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/log.h"
#include "proto/event.h"
#include "proto/store/quota.h"
#include "proto/store/store.h"
#include "proto/store/turn.h"
#include "worker/llm/brief.h"
#include "worker/llm/prompt.h"
#include "worker/turn/offer.h"
#include "proto/traced.h"

enum {
    SAID_BYTES_MAX = 128 << 10, /* text of one event: escaped it still fits a frame */
    RELEASE_WAIT_MS = 2000,     /* for Redis to take note; the lease ends anyway */
    TEXT_EVERY_MS = 16, /* events of text of a turn, in the long run: no screen shows more */
    TEXT_BURST_MS = 7 * TEXT_EVERY_MS, /* eight may come at once: so that a late token's successor
                                          does not wait */
};

static void mark(struct turn *t);
static void flush_said(struct turn *t);
static void stop(struct turn *t);

static int64_t now_ms(const struct turn *t) { return loop_now_ms(t->config->journal.loop); }

struct turn *turn_new(const struct turn_config *c, struct hub_link *from, const struct hub_turn *of,
                      struct secret *take_token)
{
    struct turn *t = xcalloc(1, sizeof(*t));
    t->magic = TURN_MAGIC;
    t->config = c;
    if (c->users)
        ++*c->users;
    t->link = from;
    audience_init(&t->audience, from); /* holds the link */
    t->session = of->session;
    t->id = of->turn;
    t->epoch = of->epoch;
    t->load_ms = of->given_ms;
    buf_init(&t->opening, STORE_OPENING_MAX);
    buf_add_str(&t->opening, of->opening);
    if (secret_reveal(take_token).len > 0)
        t->token = take_token;
    else
        secret_free(take_token);
    agent_init(&t->agent, &c->limits);
    buf_init(&t->said, SAID_BYTES_MAX);
    buf_init(&t->assistant_bytes, RECORD_BYTES_MAX);
    t->begun_ms = t->placed_ms = now_ms(t);
    t->text_ms = t->begun_ms - TEXT_BURST_MS;
    list_init(&t->node);
    list_init(&t->dirty);
    turn_tell(t, (struct agent_fact){.kind = FACT_START});
    return t;
}

void turn_free(struct turn *t)
{
    MAGIC_CHECK(t, TURN_MAGIC);
    CHECK(list_empty(&t->node) && list_empty(&t->dirty));
    stop(t);
    turn_trace_end(t, "left", ERR_NONE);
    audience_free(&t->audience);
    secret_free(t->token);
    turn_context_free(&t->context);
    free(t->owner);
    free(t->detail);
    free(t->lookup.text);
    free(t->offered);
    free(t->first_question);
    free(t->given_title);
    turn_doubt_free(t);
    buf_free(&t->said);
    record_message_free(&t->assistant);
    free(t->tool.responses);
    buf_free(&t->assistant_bytes);
    buf_free(&t->opening);
    approval_free(&t->approval);
    t->magic = 0;
    if (t->config->users)
        --*t->config->users;
    free(t);
}

/* ---- facts ---- */

void turn_tell(struct turn *t, struct agent_fact f)
{
    f.now_ms = now_ms(t);
    enum agent_state before = t->agent.state;
    enum agent_act act = agent_step(&t->agent, &f);
    if (act != ACT_WAIT) { /* one that was not performed yet is overtaken by it */
        t->todo = act;
        mark(t);
    }
    if (before != t->agent.state)
        log_debug("turn.step", "turn=%s epoch=%u step=%u fact=%s act=%s from=%s to=%s",
                  traced_log(t->id), t->epoch, t->agent.step, agent_fact_name(f.kind),
                  agent_act_name(act), agent_state_name(before), agent_state_name(t->agent.state));
}

static void mark(struct turn *t)
{
    list_remove(&t->dirty);
    list_push(t->config->dirty, &t->dirty);
}

static void set_detail(struct turn *t, enum err of, const char *detail)
{
    free(t->detail);
    t->detail = xstrdup(detail && detail[0] ? detail : err_sentence(of));
    t->detail_of = of;
}

static void fail_as(struct turn *t, struct agent_fact f, const char *detail)
{
    set_detail(t, f.err, detail);
    f.kind = FACT_FAILED;
    turn_tell(t, f);
}

static void fail(struct turn *t, enum err err, bool again, const char *detail)
{
    fail_as(t, (struct agent_fact){.err = err, .again = again}, detail);
}

void turn_cancel(struct turn *t) { turn_tell(t, (struct agent_fact){.kind = FACT_CANCEL}); }
void turn_leave(struct turn *t) { turn_tell(t, (struct agent_fact){.kind = FACT_LEAVE}); }
void turn_fenced(struct turn *t) { turn_tell(t, (struct agent_fact){.kind = FACT_FENCED}); }

void turn_token(struct turn *t, struct secret *take_token)
{
    bool any = secret_reveal(take_token).len > 0;
    bool awaited = t->token_ms != 0;
    t->token_ms = 0;
    if (!any) {
        secret_free(take_token);
        if (awaited)
            fail(t, ERR_TOKEN_EXPIRED, false, NULL);
        return;
    }
    secret_free(t->token);
    t->token = take_token;
    tool_batch_token(&t->batch, t->token);
    if (awaited && t->agent.state == AGENT_THINKING)
        turn_tell(t, (struct agent_fact){.kind = FACT_REDO});
}

void turn_follow(struct turn *t, struct hub_link *from)
{
    audience_add(&t->audience, from);
    mark(t); /* told once a pass, however much it asks */
}

void turn_unfollow(struct turn *t, struct hub_link *from) { audience_remove(&t->audience, from); }

static void ask_token(struct turn *t)
{
    if (!hub_alive(t->link)) { /* nobody to ask: its owner's next request brings one */
        turn_leave(t);
    } else if (t->token_ms == 0) {
        t->token_ms = now_ms(t) + t->config->token_wait_ms;
        hub_send_need_token(t->link, t->id, t->epoch);
    }
}

/* Once a step: what is refused again is refused by the provider itself. */
bool turn_token_refused(struct turn *t)
{
    if (!llm_call_unauthorized(t->llm) || t->token_step == t->agent.step)
        return false;
    t->token_step = t->agent.step;
    ask_token(t);
    return true;
}

void turn_keep_place(struct turn *t)
{
    const struct journal_config *c = &t->config->journal;
    t->placed_ms = now_ms(t);
    quota_turn_hold(c->store, str_of(t->owner), t->quota_id, 3 * c->hold_ms);
}

void turn_tick(struct turn *t)
{
    int64_t now = now_ms(t);
    if (t->retry_ms != 0 && now >= t->retry_ms) {
        t->retry_ms = 0;
        if (t->agent.state == AGENT_ACTING) {
            turn_start_tools(t);
        } else {
            t->todo = t->agent.state == AGENT_OVER ? ACT_DROP : ACT_LOAD;
            mark(t);
        }
    }
    if (t->agent.state == AGENT_OVER)
        return;
    if (t->token_ms != 0 && now >= t->token_ms) {
        t->token_ms = 0;
        if (hub_alive(t->link))
            fail(t, ERR_TOKEN_EXPIRED, false, NULL);
        else /* its owner's next request brings one */
            turn_leave(t);
        return;
    }
    if (t->journal_open) {
        journal_tick(&t->journal, now);
        if (now - t->placed_ms >= t->config->journal.hold_ms)
            turn_keep_place(t);
    }
    if (t->llm)
        llm_call_hold(t->llm);
    if (t->ticked_ms != 0 && t->llm && llm_call_in_line(t->llm))
        agent_waited(&t->agent, now - t->ticked_ms);
    t->ticked_ms = now;
    turn_tell(t, (struct agent_fact){.kind = FACT_TICK});
}

/* ---- what is said ---- */

/* The event that is in the payload buffer. One that is too large to be said is provisional anyway.
 */
void turn_say_payload(struct turn *t)
{
    struct buf *b = t->config->payload;
    if (!b->overflowed && journal_can_say(&t->journal) && !journal_say(&t->journal, buf_str(b)))
        fail(t, ERR_STORE_UNAVAILABLE, false, NULL);
    buf_clear(b);
}

void turn_announce_step(struct turn *t, enum step_type type)
{
    char id[ID_TEXT + 1];
    id_text(t->id, id);
    snprintf(t->step_id, sizeof(t->step_id), "%s-%u", id, t->agent.step);
    t->step_ms = now_ms(t);
    if (t->announced_step == t->agent.step && t->announced_attempt == t->agent.attempt)
        return; /* sealed as the next attempt */
    t->announced_step = t->agent.step;
    t->announced_attempt = t->agent.attempt;
    event_step_start(t->config->payload, type, str_of(t->step_id), t->agent.attempt);
    turn_say_payload(t);
}

static void flush_said(struct turn *t)
{
    struct buf *b = t->config->payload;
    if (t->said.len == 0)
        return;
    if (t->said_kind == SAID_TEXT)
        event_progress_text(b, str_of(t->step_id), buf_str(&t->said));
    else
        event_progress_reasoning(b, str_of(t->step_id), buf_str(&t->said));
    buf_clear(&t->said);
    t->said_kind = SAID_NOTHING;
    metric_add(t->config->meters->text_events, 1);
    turn_say_payload(t);
}

static void on_said(struct turn *t, enum turn_said kind, struct str text)
{
    bool thinking = t->agent.state == AGENT_THINKING;
    if (!thinking && t->todo != ACT_SEAL) /* until it is sealed, what it keeps of the reply grows */
        return;
    if (!t->first_token) {
        t->first_token = true;
        metric_observe(t->config->meters->first_token_seconds,
                       (double)(now_ms(t) - t->begun_ms) / 1000);
    }
    if (t->said_kind != kind || t->said.len + text.len > t->said.max_bytes)
        flush_said(t);
    while (text.len > t->said.max_bytes) { /* no provider does, but one may: in pieces */
        size_t len = t->said.max_bytes;
        while (len > 0 && ((unsigned char)text.at[len] & 0xC0) == 0x80)
            len--;
        t->said_kind = kind;
        buf_add(&t->said, text.at, len);
        flush_said(t);
        text = str_skip(text, len);
    }
    t->said_kind = kind;
    buf_add_str(&t->said, text);
    mark(t);
    if (thinking && agent_said(&t->agent, text.len) != ERR_NONE)
        fail(t, ERR_OUTPUT_LIMIT, false, NULL);
}

static void on_text(void *arg, struct str text) { on_said(arg, SAID_TEXT, text); }
static void on_reasoning(void *arg, struct str text) { on_said(arg, SAID_REASONING, text); }

/* A call is told on when it begins and whenever it has doubled: the cost stays linear. */
static void on_call(void *arg, const struct reply_call *c)
{
    struct turn *t = arg;
    if (t->agent.state != AGENT_THINKING || c->tool_name == NULL)
        return;
    size_t index = (size_t)(c - llm_reply(t->llm)->calls);
    CHECK(index < REPLY_CALLS_MAX);
    if (t->told[index] > 0 && c->arguments.len + 1 < 2 * t->told[index])
        return;
    t->told[index] = (uint32_t)c->arguments.len + 1;
    flush_said(t);
    const struct mask *mask = llm_reply(t->llm)->mask;
    struct str arguments = buf_str(&c->arguments);
    scoped_buf(shown, c->arguments.max_bytes);
    if (mask) {
        unmask_json_begun(mask, arguments, &shown);
        arguments = buf_str(&shown);
    }
    event_progress_tool_call(t->config->payload, STEP_INFERENCE, str_of(t->step_id),
                             str_of(c->call_id), str_of(c->tool_name), arguments, "writing");
    turn_say_payload(t);
}

/* ---- CALL ---- */

static void on_llm_done(void *arg, enum err err);
static void ask_model(struct turn *t, const struct store_answer *answer,
                      const struct tool_spec *tools, unsigned tool_count);

/* last: of answer's messages, or NULL. */
void turn_begin_call(struct turn *t, const struct store_answer *answer,
                     const struct record_request *request)
{
    const struct turn_config *c = t->config;
    if (request->tool_name.len > 0) {
        turn_call_ordered(t, answer, request);
        return;
    }
    struct str wanted = request->model.len > 0 ? request->model : answer->load->session.model;
    const char *off = turn_choose_model(t, wanted);
    if (t->model == NULL || off) {
        fail(t, off ? ERR_SWITCHED_OFF : ERR_MODEL_UNKNOWN, false, off);
        return;
    }
    if (turn_lookup_begin(t, answer))
        return;
    turn_doubt_read(t, answer->messages, answer->message_count);
    if (turn_call_suggested(t))
        return;
    unsigned tool_count;
    const struct tool_spec *all = tools_specs(c->tools, &tool_count);
    struct tool_spec *tools = xcalloc(tool_count + 1, sizeof(*tools));
    struct offer_facts facts = {.model = t->model,
                                .messages = answer->messages,
                                .message_count = answer->message_count,
                                .dashboards = t->context.about != NULL,
                                .alert = t->context.alert != NULL,
                                .all = !c->find_tools,
                                .lacks = turn_lacks,
                                .arg = t};
    tool_count = offer_tools(&facts, all, tool_count, tools);
    struct brief brief = {0};
    if (t->model->small)
        brief_init(&brief, tools, tool_count, t->context.datasource_count <= 1);
    ask_model(t, answer, t->model->small ? brief.tools : tools, tool_count);
    brief_free(&brief);
    free(tools);
}

/* Of what the model is sent, but for its tools. */
static struct prompt_input prompt_facts(const struct turn *t, const struct store_answer *answer,
                                        bool last_call)
{
    return (struct prompt_input){.messages = answer->messages,
                                 .message_count = answer->message_count,
                                 .context = &t->context,
                                 .summary = answer->load->session.summary,
                                 .summary_to = answer->load->session.summary_to,
                                 .extra = t->config->extra_prompt,
                                 .looked_up = str_of(t->lookup.text),
                                 .small = t->model->small,
                                 .draft = str_of(t->doubt.draft),
                                 .doubt = str_of(t->doubt.note),
                                 .now_ms = t->asked_ms,
                                 .window_tokens = t->model->window_tokens,
                                 .output_tokens_max = t->model->output_tokens_max,
                                 .estimate = t->model->estimate,
                                 .last_call = last_call,
                                 .shrink = t->agent.shrink,
                                 .refused_bytes = t->refused_bytes};
}

/* tools: what it is offered, but in its last call. As JSON they stay there too: the server's cache
 * holds a prompt as far as it begins as the one before. */
static void ask_model(struct turn *t, const struct store_answer *answer,
                      const struct tool_spec *tools, unsigned tool_count)
{
    static const struct llm_handler handler = {
        {on_text, on_reasoning, on_call}, on_llm_done, turn_tell_wait};
    const struct turn_config *c = t->config;
    bool last_call = agent_last_call(&t->agent) || turn_must_answer(t);
    bool without_tools = last_call && !t->model->json_tools;
    if (without_tools)
        tool_count = 0;
    struct prompt_input in = prompt_facts(t, answer, without_tools);
    in.tools_bytes = prompt_tools_bytes(tools, tool_count);
    struct prompt prompt;
    enum err err = prompt_build(&in, &prompt);
    if (err != ERR_NONE) {
        fail(t, err, false, NULL);
        return;
    }
    llm_call_free(t->llm);
    t->llm = NULL;
    if (prompt.left_out > 0 && turn_summary_begin(t, &prompt, &in, &answer->load->session)) {
        prompt_free(&prompt);
        return;
    }
    t->prompt_bytes = prompt.bytes;
    memset(t->told, 0, sizeof(t->told));
    t->used = (struct usage){0};
    turn_announce_step(t, STEP_INFERENCE);
    turn_tell_looked_up(t);
    if (prompt.left_out > 0)
        turn_tell_left_out(t, prompt.left_out);
    struct llm_request r = {.model = t->model,
                            .prompt = &prompt,
                            .tools = tools,
                            .tool_count = tool_count,
                            .form = last_call           ? JSONTOOLS_ANSWER
                                    : turn_must_call(t) ? JSONTOOLS_CALL
                                                        : JSONTOOLS_ANY,
                            .step = t->agent.step,
                            .output_tokens_max = prompt_output_max(&in),
                            .turn = t->id,
                            .conversation = t->session,
                            .owner = str_of(t->owner),
                            .attempts_before = t->agent.tries > 1 ? t->agent.tries - 1 : 0,
                            .has_fallback = t->fallback_left,
                            .token = t->token,
                            .trace = t->trace.span.at};
    if (t->agent.state == AGENT_THINKING)
        err = llm_call_start(c->llm, &r, &handler, t, &t->llm);
    prompt_free(&prompt);
    if (err != ERR_NONE)
        fail(t, err, false, NULL);
}

struct record_message turn_as_message(struct turn *t, struct reply *r, struct record_call *calls,
                                      unsigned call_count)
{
    struct record_message m = reply_message(r, calls, call_count);
    m.turn = t->id;
    m.step = t->agent.step;
    m.model = str_of(t->model->name);
    history_maker(t->model, t->maker);
    m.maker = str_of(t->maker);
    m.usage = t->used;
    return m;
}

/* What the person is asked is what runs: arguments as the tool takes them, not as the model wrote
 * them. fitted: owned by the caller. */
static void fit(struct turn *t, struct record_message *m, char *fitted[REPLY_CALLS_MAX])
{
    for (unsigned i = 0; i < m->call_count; i++) {
        struct record_call *call = &m->calls[i];
        scoped_buf(text, RECORD_BYTES_MAX);
        if (tools_fit(t->config->tools, call->tool_name, call->arguments, &text)) {
            fitted[i] = str_dup(buf_str(&text));
            call->arguments = str_of(fitted[i]);
        }
    }
}

static void on_vetted(void *arg)
{
    struct turn *t = arg;
    MAGIC_CHECK(t, TURN_MAGIC);
    if (t->agent.state != AGENT_THINKING)
        return;
    turn_tell(t, (struct agent_fact){.kind = FACT_REPLIED,
                                     .open_calls = t->assistant.call_count,
                                     .needs_approval = t->vet.ask_count > 0,
                                     .usage = t->replied});
}

static struct tool_batch_world world_of(struct turn *t)
{
    return (struct tool_batch_world){.tools = t->config->tools,
                                     .session = t->session,
                                     .turn = t->id,
                                     .owner = str_of(t->owner),
                                     .context = &t->context,
                                     .approval = &t->approval,
                                     .token = t->token,
                                     .now_ms = loop_wall_ms(),
                                     .offered = str_of(t->offered),
                                     .failed_before = turn_failed_before,
                                     .arg = t,
                                     .trace = t->trace.span.at};
}

/* Nobody is there to say yes in an investigation: such a call fails, and its report goes on. */
static void begin_vet(struct turn *t)
{
    struct tool_batch_world world = world_of(t);
    vet_free(&t->vet);
    if (t->context.alert != NULL || !vet_start(&t->vet, &world, &t->assistant, on_vetted, t))
        on_vetted(t);
}

void turn_replied(struct turn *t, struct record_message *m)
{
    char *fitted[REPLY_CALLS_MAX] = {0};
    fit(t, m, fitted);
    turn_keep_assistant(t, m);
    for (unsigned i = 0; i < m->call_count; i++)
        free(fitted[i]);
    begin_vet(t);
}

/* The next model of the list is asked when this one could not even begin. */
static void fail_call(struct turn *t, enum err err, const struct reply *r)
{
    bool other = t->fallback_left && reply_other_may(r, err);
    metric_add(t->config->meters->model_errors, 1);
    t->fallback += other;
    if (err == ERR_CONTEXT_TOO_LONG)
        t->refused_bytes = t->prompt_bytes;
    fail_as(t,
            (struct agent_fact){
                .err = err, .again = r->again, .other_model = other, .usage = turn_count_used(t)},
            reply_detail(r));
}

static void on_llm_done(void *arg, enum err err)
{
    struct turn *t = arg;
    MAGIC_CHECK(t, TURN_MAGIC);
    struct meters *meters = t->config->meters;
    struct reply *r = llm_reply(t->llm);
    metric_observe(meters->model_seconds, (double)(now_ms(t) - t->step_ms) / 1000);
    if (t->agent.state != AGENT_THINKING)
        return;
    flush_said(t);
    if (err == ERR_NONE && r->call_count == 0)
        err = turn_take_spoken(t, r);
    if (err != ERR_NONE) {
        if (!turn_token_refused(t))
            fail_call(t, err, r);
        return;
    }
    t->replied = turn_count_used(t);
    if (r->input_known)
        token_estimate_learn(t->model->estimate, t->prompt_bytes, r->input_tokens);
    if (r->call_count == 0 && turn_doubts(t, r)) {
        turn_tell(t, (struct agent_fact){.kind = FACT_DOUBTED, .usage = t->replied});
        return;
    }
    if (t->agent.state != AGENT_THINKING) /* what is said behind the answer was too much */
        return;
    turn_distinguish(t, r);
    struct record_call calls[REPLY_CALLS_MAX];
    struct record_message m = turn_as_message(t, r, calls, r->call_count);
    turn_replied(t, &m);
}

/* ---- TOOLS ---- */

static void say_call(struct turn *t, unsigned index, const char *state)
{
    const struct record_call *call = &t->assistant.calls[index];
    event_progress_tool_call(t->config->payload, STEP_TOOL_EXECUTION, str_of(t->step_id),
                             call->call_id, call->tool_name, call->arguments, state);
    turn_say_payload(t);
}

static void on_tool_result(void *arg, unsigned index)
{
    struct turn *t = arg;
    MAGIC_CHECK(t, TURN_MAGIC);
    if (t->agent.state != AGENT_ACTING)
        return;
    say_call(t, index, t->batch.calls[index].response.failed ? "failed" : "done");
    bool invalid = t->batch.calls[index].invalid;
    if (invalid) /* in case that it is the last straw */
        set_detail(t, ERR_MODEL_BROKEN,
                   "The model kept asking for tools or with arguments that don't exist");
    turn_tell(t, (struct agent_fact){.kind = FACT_TOOLED, .invalid = invalid});
}

static void on_tool_refused(void *arg)
{
    struct turn *t = arg;
    MAGIC_CHECK(t, TURN_MAGIC);
    ask_token(t);
}

void turn_start_tools(struct turn *t)
{
    static const struct tool_batch_handler handler = {on_tool_result, on_tool_refused};
    struct tool_batch_world world = world_of(t);
    if (t->agent.state == AGENT_ACTING && !turn_once_begin(t))
        tool_batch_start(&t->batch, &world, &handler, t, &t->assistant);
}

static void begin_tools(struct turn *t)
{
    turn_keep_offered(t);
    llm_call_free(t->llm); /* the reply is in t->assistant */
    t->llm = NULL;
    turn_announce_step(t, STEP_TOOL_EXECUTION);
    for (unsigned i = 0; i < t->assistant.call_count; i++)
        say_call(t, i, "running");
    turn_start_tools(t);
}

/* ---- the end ---- */

static void stop(struct turn *t)
{
    llm_call_free(t->llm);
    t->llm = NULL;
    turn_summary_stop(t);
    turn_lookup_stop(t);
    vet_free(&t->vet);
    tool_batch_free(&t->batch);
    if (t->journal_open) {
        metric_add(t->config->meters->store_retries, (double)t->journal.lost);
        journal_free(&t->journal);
    }
    t->journal_open = false;
    store_forget(t->config->journal.store, t->call);
    t->call = 0;
}

static void on_released(void *arg, enum err err, const struct store_answer *answer)
{
    struct turn *t = arg;
    MAGIC_CHECK(t, TURN_MAGIC);
    (void)answer;
    t->call = 0;
    if (err == ERR_NONE) { /* else its lease ends by itself, or it is another's already */
        hub_send_release(t->link, t->id, t->epoch, "leaving");
        t->refused = ERR_NONE;
    }
    t->retry_ms = 0;
    t->todo = ACT_DROP;
    mark(t);
}

/* Who is stuck can't tell Redis either, maybe: its gateway is told in any case. */
static void begin_release(struct turn *t)
{
    if (t->agent.gave_up) {
        t->refused = ERR_STORE_UNAVAILABLE;
        log_warn("turn.stuck", "turn=%s epoch=%u step=%u", id_log(t->id), t->epoch, t->agent.step);
    }
    stop(t);
    metric_add(t->config->meters->turns_released, 1);
    log_info("turn.released", "turn=%s epoch=%u step=%u", traced_log(t->id), t->epoch,
             t->agent.step);
    t->retry_ms = now_ms(t) + RELEASE_WAIT_MS;
    t->call =
        store_turn_release(t->config->journal.store, t->session, t->id, t->epoch, on_released, t);
}

/* The text of a model that is faster than TEXT_EVERY_MS gathers, so that it costs each process that
 * it passes through no more than that: the generic cell rate algorithm (ITU-T I.371). */
static bool text_waits(struct turn *t)
{
    int64_t now = now_ms(t), earliest = now - TEXT_BURST_MS;
    if (t->said.len == 0 || t->todo != ACT_WAIT)
        return false;
    if (t->text_ms > now)
        return true;
    t->text_ms = (t->text_ms > earliest ? t->text_ms : earliest) + TEXT_EVERY_MS;
    return false;
}

bool turn_perform(struct turn *t)
{
    if (t->journal_open) /* else who follows is told once it is loaded, or that it is not here */
        journal_tell(&t->journal);
    if (t->agent.state != AGENT_OVER && !text_waits(t))
        flush_said(t);
    enum agent_act act = t->todo;
    t->todo = ACT_WAIT;
    switch (act) {
    case ACT_WAIT:
        return true;
    case ACT_LOAD:
        tool_batch_free(&t->batch);
        turn_load_begin(t);
        return true;
    case ACT_TOOLS:
        begin_tools(t);
        return true;
    case ACT_SEAL:
        turn_seal(t);
        return true;
    case ACT_RELEASE:
        begin_release(t);
        return true;
    case ACT_FINISH:
        turn_finish(t);
        return false;
    case ACT_DROP:
        turn_drop(t);
        return false;
    case ACT_CALL: /* begun where the conversation is at hand */
        break;
    }
    CHECK(false && "a call without a conversation");
    return true;
}
