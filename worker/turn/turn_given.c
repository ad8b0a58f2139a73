/* Calls that no model wrote stand where its reply would: the one that a program has ordered, and in
 * a small model's turn the query that the question suggests of the metric which fits it best. Such
 * a model writes a worse one more often than not, and each call of it costs the whole prompt. It
 * reads the result as that of a call of its own, and may make others. */
#include "worker/turn/turn.h"

#include "common/json.h"

static void reply(struct turn *t, const struct record_call *call)
{
    struct record_call calls[1];
    struct record_message m = {.role = ROLE_ASSISTANT,
                               .turn = t->id,
                               .step = t->agent.step,
                               .at_ms = loop_wall_ms(),
                               .stop_reason = call ? STR("tool_calls") : STR("stop"),
                               .calls = calls,
                               .call_count = call != NULL};
    if (call)
        calls[0] = *call;
    t->used = t->replied = (struct usage){0};
    turn_announce_step(t, STEP_INFERENCE);
    turn_tell_looked_up(t);
    turn_replied(t, &m);
}

void turn_call_ordered(struct turn *t, const struct store_answer *answer,
                       const struct record_request *request)
{
    unsigned count = answer->messages ? answer->message_count : 0;
    bool has_run = count > 0 && answer->messages[count - 1].record.role == ROLE_TOOL;
    struct record_call call = {.call_id = STR(TOOL_BATCH_ORDERED),
                               .tool_name = request->tool_name,
                               .arguments = request->arguments};
    reply(t, has_run ? NULL : &call);
}

/* Of what was looked up, the best that has one. */
static bool read_suggested(const struct turn *t, struct buf *arguments)
{
    struct str left = str_of(t->lookup.text), line, query = {0};
    json_t *metric = NULL;
    while (query.len == 0 && str_split(&left, '\n', &line)) {
        json_decref(metric);
        metric = json_loadb(line.at, line.len, 0, NULL);
        query = json_text(json_object_get(metric, "query"));
    }
    bool found = query.len > 0;
    buf_puts(arguments, "{\"query\":");
    json_str(arguments, query);
    buf_putc(arguments, '}');
    json_decref(metric);
    return found && !arguments->overflowed;
}

bool turn_call_suggested(struct turn *t)
{
    enum { ARGUMENTS_BYTES_MAX = 4096 };
    static const char tool[] = "execute_instant_query";
    scoped_buf(arguments, ARGUMENTS_BYTES_MAX);
    bool first = t->agent.step == 1 && !agent_last_call(&t->agent) && t->context.alert == NULL;
    if (!first || !t->model->small || !t->lookup.text || !read_suggested(t, &arguments) ||
        !model_offers(t->model, tool) || switched_off(t->config->switched, "tool", str_of(tool)))
        return false;
    reply(t, &(struct record_call){.call_id = STR("call_suggested"),
                                   .tool_name = str_of(tool),
                                   .arguments = buf_str(&arguments)});
    return true;
}
