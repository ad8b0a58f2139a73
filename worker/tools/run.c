#include "worker/tools/run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "common/log.h"
#include "proto/path.h"
#include "worker/tools/door.h"
#include "worker/tools/instead.h"
#include "worker/tools/partial.h"
#include "worker/tools/text.h"
#include "proto/traced.h"

/* Runs wait, run, have ended. Callbacks come from on_later only, so never from inside tool_start or
 * from a fetch's callback. */

static void on_later(void *arg);
static void end(struct tool_run *r);

/* ---- the batch ---- */

void runs_open(struct tools *t)
{
    t->line = line_new(t->config.running_max);
    list_init(&t->running);
    list_init(&t->ended);
}

void runs_close(struct tools *t)
{
    CHECK(list_empty(&t->running) && list_empty(&t->ended));
    line_free(t->line);
    t->closing = true;
    if (!t->later) /* else on_later is still to come */
        free(t);
}

static void later(struct tools *t)
{
    if (t->later)
        return;
    t->later = true;
    loop_later(t->config.loop, on_later, t);
    loop_again(t->config.loop);
}

static int64_t now_ms(const struct tools *t) { return loop_now_ms(t->config.loop); }

struct tool_run *run_new(struct tools *t, const struct tool_call *c, tool_done_fn *fn, void *arg)
{
    struct tool_run *r = xcalloc(1, sizeof(*r));
    r->tools = t;
    list_init(&r->node);
    buf_init(&r->content, t->config.content_bytes_max);
    buf_init(&r->remarks, 4096);
    r->turn = c->turn;
    r->conversation = c->conversation;
    r->call_id = str_dup(c->call_id);
    r->owner = str_dup(c->owner);
    r->project = str_dup(path_name_ok(c->project) ? c->project : STR(""));
    r->dashboard = str_dup(path_name_ok(c->dashboard) ? c->dashboard : STR(""));
    r->token = c->token ? secret_ref(c->token) : NULL;
    r->now_ms = c->now_ms;
    r->range_start_ms = c->range_start_ms;
    r->range_end_ms = c->range_end_ms;
    r->timezone = str_dup(c->timezone);
    r->started_ns = loop_hr_ns();
    trace_begin(&r->span, &c->trace);
    r->done = fn;
    r->arg = arg;
    r->vet = c->vet;
    r->asked = c->repeated ? str_dup(c->arguments) : NULL;
    r->asked_tool = c->repeated ? str_dup(c->tool_name) : NULL;
    r->grants = xcalloc(c->grant_count + 1, sizeof(*r->grants));
    r->grant_count = c->grant_count;
    if (c->grant_count > 0)
        memcpy(r->grants, c->grants, c->grant_count * sizeof(*r->grants));
    return r;
}

static void run_free(struct tool_run *r)
{
    run_trace_end(r);
    if (r->state_free)
        r->state_free(r->state);
    line_leave(r->tools->line, &r->ticket, now_ms(r->tools));
    list_remove(&r->node);
    r->tools->release(r);
    for (unsigned i = 0; i < r->path_count; i++)
        free(r->paths[i]);
    free(r->paths);
    free(r->project);
    free(r->dashboard);
    free(r->panel_project);
    free(r->wanted);
    json_decref(r->args);
    secret_free(r->token);
    buf_free(&r->content);
    buf_free(&r->remarks);
    free(r->call_id);
    free(r->asked);
    free(r->asked_tool);
    free(r->again);
    door_free(r->door);
    free(r->grants);
    free(r->ask_source);
    free(r->datasource);
    free(r->owner);
    free(r->timezone);
    free(r);
}

void run_cancel(struct tool_run *r)
{
    if (r == NULL || r->telling)
        return;
    struct tools *t = r->tools;
    run_free(r);
    later(t); /* its room is another's */
}

/* What may hang for it: its datasource, or the server that has the tool. NULL: Perses alone is
 * asked, or the datasource is to be looked up. */
static const char *lane_of(const struct tool_run *r)
{
    if (r->server)
        return r->server;
    return r->look_up || r->spec->source == TOOL_SOURCE_NAMED ? NULL : r->datasource;
}

void run_wait(struct tool_run *r)
{
    if (line_join(r->tools->line, &r->ticket, r->owner, lane_of(r), false))
        later(r->tools);
    else
        run_fail(r, "too_many_calls",
                 "Too many calls wait already: this one was not made. Wait for the answers of the "
                 "others, and make fewer at once.");
}

void run_at_source(struct tool_run *r)
{
    struct tools *t = r->tools;
    r->look_up = false;
    line_leave(t->line, &r->ticket, now_ms(t));
    list_remove(&r->node);
    CHECK(line_join(t->line, &r->ticket, r->owner, lane_of(r), true));
    later(t);
}

static void start(struct tool_run *r, int64_t refused_ms)
{
    list_push(&r->tools->running, &r->node);
    if (refused_ms > 0)
        run_fail(r, "silent",
                 "%s gave no answer at all to the last calls, so it is left alone for now; it is "
                 "tried again in %lld s. Use another datasource, or tell the person.",
                 r->server ? "The MCP server" : "The datasource",
                 (long long)(refused_ms + 999) / 1000);
    else
        r->tools->begin(r);
}

static void start_waiting(struct tools *t)
{
    struct line_ticket *ticket;
    int64_t refused_ms;
    while ((ticket = line_next(t->line, now_ms(t), &refused_ms)) != NULL)
        start(list_of(ticket, struct tool_run, ticket), refused_ms);
}

/* ---- ends ---- */

static void end(struct tool_run *r)
{
    CHECK(!r->ended);
    r->ended = true;
    list_remove(&r->node);
    list_push(&r->tools->ended, &r->node);
    later(r->tools);
}

void run_done(struct tool_run *r)
{
    if (r->content.overflowed) {
        run_fail(r, "too_large", "The result is too large to be shown. Ask for less.");
        return;
    }
    end(r);
}

/* Only what reads and takes a query, for as many faults as one may have. */
static bool may_again(const struct tool_run *r)
{
    enum { AGAIN_MAX = 3 };
    return r->spec && r->fn && !r->mcp && !r->vet && !r->spec->needs_approval &&
           r->ran_again < AGAIN_MAX && json_object_get(r->args, "query") != NULL;
}

void run_refuse(struct tool_run *r, const char *code, const char *error, struct str suggestion)
{
    buf_clear(&r->content);
    buf_puts(&r->content, "{\"kind\":\"error\",\"code\":");
    json_str(&r->content, str_of(code));
    json_field(&r->content, "error", str_of(error));
    if (suggestion.len > 0) {
        json_field(&r->content, "suggestion", suggestion);
    }
    const struct instead instead = {r->spec,  r->mcp == NULL, r->asked_tool,
                                    r->asked, code,           suggestion};
    if (r->asked)
        instead_write(&instead, &r->content);
    if (r->asked && suggestion.len > 0 && may_again(r) &&
        !str_eq(suggestion, json_text(json_object_get(r->args, "query")))) {
        free(r->again);
        r->again = str_dup(suggestion);
    }
    if (r->remarks.len > 0) {
        buf_puts(&r->content, ",\"notes\":[");
        buf_add_str(&r->content, buf_str(&r->remarks));
        buf_putc(&r->content, ']');
    }
    if (r->partial) {
        buf_puts(&r->content, ",\"partial\":true");
        json_field(&r->content, "note", STR(PARTIAL_NOTE));
    }
    buf_putc(&r->content, '}');
    r->failed = true;
    r->invalid = strcmp(code, "unknown_tool") == 0 || strcmp(code, "bad_arguments") == 0;
    end(r);
}

void run_fail(struct tool_run *r, const char *code, const char *format, ...)
{
    char error[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(error, sizeof(error), format, args);
    va_end(args);
    run_refuse(r, code, error, (struct str){NULL, 0});
}

void run_remark(struct tool_run *r, struct str text)
{
    size_t before = r->remarks.len;
    scoped_buf(remark, 1300);
    text_json(&remark, text, 600);
    if (strstr(buf_cstr(&r->remarks), buf_cstr(&remark)))
        return; /* the same argument was read twice */
    if (before > 0)
        buf_putc(&r->remarks, ',');
    buf_add_str(&r->remarks, buf_str(&remark));
    if (!r->remarks.overflowed)
        return;
    r->remarks.len = before;
    r->remarks.overflowed = false;
}

void run_steps(struct tool_run *r, bool (*step)(struct tool_run *r))
{
    r->step = step;
    later(r->tools);
}

unsigned run_headers(const struct tool_run *r, bool body, struct fetch_header headers[3],
                     char traceparent[TRACE_PARENT_TEXT + 1])
{
    unsigned count = 0;
    headers[count++] = (struct fetch_header){"Accept", STR("application/json")};
    if (body)
        headers[count++] = (struct fetch_header){"Content-Type", STR("application/json")};
    if (trace_on(&r->span.at)) {
        trace_write(&r->span.at, traceparent);
        headers[count++] = (struct fetch_header){"traceparent", str_of(traceparent)};
    }
    return count;
}

void run_rehearsed(struct tool_run *r)
{
    if (r->vet) {
        r->ask = r->spec->needs_approval ? ASK_CALL : ASK_NOTHING;
        run_done(r);
    } else {
        run_fail(r, "not_approved", "The person has not approved this: it was not done.");
    }
}

/* The same failing call, and it is known what would have been right: a model that makes it again
 * does not read what it is told. The query that it was told is run, and the result says so. */
static void run_again(struct tool_run *r)
{
    scoped_buf(remark, 1024);
    buf_puts(&remark, "You made this same call before, and it failed: this is the result of the "
                      "query that was suggested then, ");
    buf_add_str(&remark, str_cut(str_of(r->again), 400));
    if (r->state_free)
        r->state_free(r->state);
    r->state = NULL;
    r->state_free = NULL;
    r->step = NULL;
    list_remove(&r->node);
    list_push(&r->tools->running, &r->node);
    r->ended = r->failed = r->invalid = r->unauthorized = r->partial = false;
    r->ran_again++;
    buf_clear(&r->content);
    run_remark(r, buf_str(&remark));
    json_object_set_new(r->args, "query", json_string(r->again));
    free(r->again);
    r->again = NULL;
    r->fn(r);
}

static void tell(struct tool_run *r)
{
    if (r->again) {
        run_again(r);
        return;
    }
    /* A datasource may be handed the person's sign-in, and repeat its request. */
    secret_hide_parts(r->token, r->content.at, r->content.len);
    uint64_t ms = (loop_hr_ns() - r->started_ns) / 1000000;
    struct tool_result result = {
        .content = buf_str(&r->content),
        .failed = r->failed,
        .invalid = r->invalid,
        .unauthorized = r->unauthorized,
        .duration_ms = ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX,
        .datasource = str_of(r->datasource),
        .changes = r->spec && r->spec->needs_approval,
        .ask = r->failed ? ASK_NOTHING : r->ask,
        .ask_source = str_of(r->failed ? NULL : r->ask_source),
    };
    log_info("tool.done", "turn=%s tool=%s failed=%d unauthorized=%d bytes=%zu ms=%u datasource=%s",
             traced_log(r->turn), r->spec ? r->spec->name : "unknown", r->failed, r->unauthorized,
             r->content.len, result.duration_ms, log_text(result.datasource));
    r->telling = true; /* a cancel from inside changes nothing */
    r->done(r->arg, &result);
    run_free(r);
}

/* ---- a pass of the loop ---- */

/* Each run that has work to do gets one slice of it. */
static void step_running(struct tools *t)
{
    list_each (&t->running, node, tmp) {
        struct tool_run *r = list_of(node, struct tool_run, node);
        if (!r->step)
            continue;
        if (!r->step(r))
            r->step = NULL;
        else
            later(t);
    }
}

static void on_later(void *arg)
{
    struct tools *t = arg;
    t->later = false;
    if (t->closing) {
        free(t);
        return;
    }
    step_running(t);
    start_waiting(t);
    struct list ended; /* those that end from now on are told in the next pass */
    list_init(&ended);
    while (!list_empty(&t->ended)) {
        struct tool_run *r = list_first(&t->ended, struct tool_run, node);
        list_remove(&r->node);
        list_push(&ended, &r->node);
    }
    while (!list_empty(&ended)) {
        struct tool_run *r = list_first(&ended, struct tool_run, node);
        list_remove(&r->node);
        tell(r);
        later(t); /* its room is another's */
    }
}
