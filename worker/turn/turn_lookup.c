/* What fits the question is looked up before the model is asked for the first time in a turn, and
 * stands beside the question from then on. The model waits LOOK_MS for it: what comes later is
 * there for its next call. It is not stored: who takes the turn over looks it up again. */
#include "worker/turn/turn.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "common/log.h"
#include "proto/event.h"
#include "proto/store/loaded.h"
#include "worker/tools/tools.h"
#include "proto/traced.h"

enum {
    LOOK_MS = 300,
    SHORT_BYTES = 60, /* a shorter question may be about what was asked before it */
    QUESTION_BYTES_MAX = 1000,
    QUERIED_BYTES_MAX = 8 << 10,
};

static void write_arguments(const struct turn *t, const struct store_message *messages,
                            unsigned count, struct buf *b);
static void on_found(void *arg, const struct tool_result *r);
static void on_late(void *arg);

bool turn_lookup_begin(struct turn *t, const struct store_answer *loaded)
{
    struct turn_lookup *l = &t->lookup;
    if (l->asked || t->context.datasource_count == 0)
        return false;
    l->asked = l->unknown = true;
    if (!t->config->look_up)
        return false;
    scoped_buf(arguments, 8 * QUESTION_BYTES_MAX + 6 * QUERIED_BYTES_MAX);
    write_arguments(t, loaded->messages, loaded->message_count, &arguments);
    struct str datasources[TURN_CONTEXT_DATASOURCES_MAX];
    for (unsigned i = 0; i < t->context.datasource_count; i++)
        datasources[i] = str_of(t->context.datasources[i]);
    struct tool_call call = {.turn = t->id,
                             .owner = str_of(t->owner),
                             .call_id = STR("look_up"),
                             .tool_name = STR("look_up"),
                             .arguments = buf_str(&arguments),
                             .datasources = datasources,
                             .datasource_count = t->context.datasource_count,
                             .token = t->token,
                             .now_ms = t->asked_ms,
                             .timezone = str_of(t->context.timezone),
                             .range_start_ms = t->context.range_start_ms,
                             .range_end_ms = t->context.range_end_ms,
                             .trace = t->trace.span.at};
    l->run = tools_look_up(t->config->tools, &call, on_found, t);
    if (!l->run)
        return false;
    l->kept = store_loaded_keep(loaded);
    l->timer = loop_timer_new(t->config->journal.loop, on_late, t);
    loop_timer_set(l->timer, LOOK_MS, 0);
    return true;
}

static void stop_waiting(struct turn *t)
{
    loop_timer_free(t->lookup.timer);
    t->lookup.timer = NULL;
    store_loaded_free(t->lookup.kept);
    t->lookup.kept = NULL;
}

void turn_lookup_stop(struct turn *t)
{
    tool_cancel(t->lookup.run);
    t->lookup.run = NULL;
    stop_waiting(t);
}

/* The names of what fits, for a line that people read. */
static void write_names(struct str found, struct buf *b)
{
    struct str line;
    while (str_split(&found, '\n', &line)) {
        static const char before[] = "{\"metric\":\"";
        if (!str_starts(line, str_of(before)))
            continue;
        line = str_skip(line, sizeof(before) - 1);
        const char *end = memchr(line.at, '"', line.len);
        buf_puts(b, b->len > 0 ? ", " : "");
        buf_add_str(b, (struct str){line.at, end ? (size_t)(end - line.at) : line.len});
    }
}

/* Once: the person sees what the model is given. */
void turn_tell_looked_up(struct turn *t)
{
    struct turn_lookup *l = &t->lookup;
    if (l->text == NULL || l->told)
        return;
    l->told = true;
    scoped_buf(names, 4096);
    scoped_buf(text, 4096);
    write_names(str_of(l->text), &names);
    buf_puts(&text, "Looked up for the model: ");
    buf_add_str(&text, buf_str(&names));
    event_progress_looked_up(t->config->payload, str_of(t->step_id), buf_str(&text),
                             str_of(l->text));
    turn_say_payload(t);
}

/* What it has after a question mark or not: the present one, and the one before a short one. */
static void write_question(const struct store_message *messages, unsigned count, struct buf *b)
{
    unsigned taken = 0;
    for (unsigned i = count; i > 0 && taken < 2; i--) {
        const struct record_message *m = &messages[i - 1].record;
        if (m->role != ROLE_USER || messages[i - 1].excluded)
            continue;
        struct str text = str_cut(m->content, QUESTION_BYTES_MAX);
        buf_puts(b, taken > 0 ? " " : "");
        buf_add_str(b, text);
        taken++;
        if (text.len >= SHORT_BYTES)
            break;
    }
}

/* Arguments of the calls that worked, the newest first; whatever in them is no metric is nothing
 * to who reads it. */
static void write_queried(const struct turn *t, const struct store_message *messages,
                          unsigned count, struct buf *b)
{
    for (unsigned i = count; i-- > 1;) {
        const struct record_message *m = &messages[i - 1].record, *results = &messages[i].record;
        for (unsigned k = 0; m->role == ROLE_ASSISTANT && k < m->call_count; k++) {
            bool worked = results->role == ROLE_TOOL && k < results->response_count &&
                          !results->responses[k].failed;
            struct str text = m->calls[k].arguments;
            if (worked && b->len + text.len < QUERIED_BYTES_MAX && str_utf8(text)) {
                buf_add_str(b, text);
                buf_putc(b, '\n');
            }
        }
    }
    struct str about = str_of(t->context.about);
    if (b->len + about.len < QUERIED_BYTES_MAX)
        buf_add_str(b, about);
}

static void write_arguments(const struct turn *t, const struct store_message *messages,
                            unsigned count, struct buf *b)
{
    scoped_buf(question, 2 * QUESTION_BYTES_MAX + 8);
    scoped_buf(queried, QUERIED_BYTES_MAX);
    write_question(messages, count, &question);
    write_queried(t, messages, count, &queried);
    buf_puts(b, "{\"question\":");
    json_str(b, buf_str(&question));
    json_field(b, "queried", buf_str(&queried));
    buf_putc(b, '}');
}

/* Unless we were frozen meanwhile, and the turn may be another's. */
static bool call_kept(struct turn *t, const struct store_loaded *kept)
{
    const struct journal_config *c = &t->config->journal;
    struct record_request request;
    if (!kept || loop_now_ms(c->loop) - t->load_ms > c->fresh_ms)
        return false;
    const struct store_answer *answer = store_loaded_answer(kept);
    CHECK(record_request_decode(answer->load->request, &request) == ERR_NONE); /* it was before */
    turn_begin_call(t, answer, &request);
    return true;
}

static void go_on(struct turn *t)
{
    struct store_loaded *kept = t->lookup.kept;
    t->lookup.kept = NULL;
    stop_waiting(t);
    if (t->agent.state == AGENT_THINKING && !call_kept(t, kept))
        turn_tell(t, (struct agent_fact){.kind = FACT_REDO});
    store_loaded_free(kept);
}

static void on_found(void *arg, const struct tool_result *r)
{
    struct turn *t = arg;
    MAGIC_CHECK(t, TURN_MAGIC);
    t->lookup.run = NULL;
    t->lookup.unknown = r->failed;
    if (!r->failed && r->content.len > 0) {
        free(t->lookup.text);
        t->lookup.text = str_dup(r->content);
    }
    if (t->lookup.timer)
        go_on(t);
}

static void on_late(void *arg)
{
    struct turn *t = arg;
    MAGIC_CHECK(t, TURN_MAGIC);
    log_info("turn.lookup_late", "turn=%s", traced_log(t->id));
    go_on(t);
}
