#include "gateway/api/mcp_say.h"

#include <string.h>
#include "common/json.h"
#include "gateway/api/mcp_text.h"
#include "gateway/api/saying.h"

static json_t *on_progress(struct mcp_say *s, const json_t *event);
static void on_tools(struct mcp_say *s, const json_t *details);
static json_t *on_complete(struct mcp_say *s, const json_t *turn);
static json_t *finish(struct mcp_say *s, const char *status, struct str text, bool is_error);
static json_t *as_task(struct mcp_say *s, const char *status, const char *key, json_t *take_value);
static json_t *answer(struct mcp_say *s, json_t *take_result);

void mcp_say_init(struct mcp_say *s, const struct mcp_saying *of)
{
    *s = (struct mcp_say){.of = *of, .queries = json_array()};
    s->of.id = json_deep_copy(of->id);
    s->of.token = json_deep_copy(of->token);
    id_text(of->task.session, s->session);
    id_text(of->task.turn, s->turn);
}

void mcp_say_free(struct mcp_say *s)
{
    json_decref((json_t *)s->of.id);
    json_decref((json_t *)s->of.token);
    json_decref(s->queries);
    json_decref(s->tool_result);
}

static bool is_text(const json_t *object, const char *key, const char *text)
{
    return str_is(json_text(json_object_get(object, key)), text);
}

/* The answer comes whole at the end: its text is not read while it is said. */
json_t *mcp_say_event(struct mcp_say *s, struct str payload)
{
    struct saying said;
    saying_read(payload, &said);
    if (s->done || said.kind != SAYING_OTHER)
        return NULL;
    json_auto_t *event = saying_tree(payload);
    const json_t *details = json_object_get(event, "step_details");
    const json_t *turn = json_object_get(event, "turn");
    if (is_text(event, "event_type", "step_progress"))
        return on_progress(s, event);
    if (is_text(details, "step_type", "tool_execution"))
        on_tools(s, details);
    else if (is_text(event, "event_type", "turn_complete"))
        return on_complete(s, turn);
    else if (is_text(event, "event_type", "turn_cancelled"))
        return finish(s, "cancelled", STR("The question was cancelled"), true);
    else if (is_text(event, "event_type", "error"))
        return finish(s, "failed", json_text(json_object_get(event, "message")), true);
    else if (is_text(event, "event_type", "turn_awaiting_input"))
        return mcp_say_waits(s, json_object_get(turn, "tool_calls"));
    return NULL;
}

json_t *mcp_say_failed(struct mcp_say *s, const char *sentence)
{
    return finish(s, "failed", str_of(sentence), true);
}

static json_t *on_progress(struct mcp_say *s, const json_t *event)
{
    const json_t *delta = json_object_get(event, "delta");
    struct str tool = json_text(json_object_get(delta, "tool_name"));
    struct str state = json_text(json_object_get(delta, "state"));
    scoped_buf(text, 512);
    if (!s->of.token || state.len == 0 || tool.len > 200 ||
        !is_text(event, "step_type", "tool_execution"))
        return NULL;
    buf_add_str(&text, tool);
    buf_puts(&text, ": ");
    buf_add_str(&text, state);
    return json_pack("{s:s,s:s,s:{s:O,s:i,s:s}}", "jsonrpc", "2.0", "method",
                     "notifications/progress", "params", "progressToken", s->of.token, "progress",
                     ++s->progress, "message", buf_cstr(&text));
}

static void on_tools(struct mcp_say *s, const json_t *details)
{
    const json_t *calls = json_object_get(details, "tool_calls"), *call;
    size_t i;
    json_array_foreach(calls, i, call) json_array_append_new(
        s->queries, json_pack("{s:O?,s:O?}", "tool", json_object_get(call, "tool_name"),
                              "arguments", json_object_get(call, "arguments")));
    const json_t *first = json_array_get(json_object_get(details, "tool_responses"), 0);
    json_decref(s->tool_result);
    s->tool_result = json_incref(json_object_get(first, "content"));
}

/* ---- the answer ---- */

/* A tool's answer is JSON of ours; one that is none goes as {"text": …}. */
static json_t *tool_answer(const struct mcp_say *s)
{
    struct str text = json_text(s->tool_result);
    json_t *structured = text.len ? json_loadb(text.at, text.len, 0, NULL) : NULL;
    if (!json_is_object(structured)) {
        json_decref(structured);
        structured = json_pack("{s:s%}", "text", text.at ? text.at : "", text.len);
    }
    bool failed = is_text(structured, "kind", "error") || json_object_get(structured, "error");
    return mcp_tool_result(text, structured, failed);
}

/* A model reads the answer: that it is not whole stands in it. */
static json_t *on_complete(struct mcp_say *s, const json_t *turn)
{
    static const char *const notes[] = {
        [SAYING_LENGTH] = "\n\n(This answer was cut off: the model had reached its output limit.)",
        [SAYING_FILTERED] = "\n\n(This answer was cut off by the provider's content filter.)"};
    struct str text =
        json_text(json_object_get(json_object_get(turn, "output_message"), "content"));
    enum saying_cut cut = saying_cut(turn);
    scoped_buf(noted, text.len + 256);
    if (cut == SAYING_WHOLE)
        return finish(s, "answered", text, false);
    buf_add_str(&noted, text);
    buf_puts(&noted, notes[cut]);
    return finish(s, "answered", buf_str(&noted), false);
}

static json_t *finish(struct mcp_say *s, const char *status, struct str text, bool is_error)
{
    json_t *result;
    if (s->of.as_task && strcmp(status, "cancelled") == 0)
        return as_task(s, "cancelled", NULL, NULL);
    if (s->of.task.one_tool && s->tool_result) {
        result = tool_answer(s);
    } else {
        json_t *structured =
            json_pack("{s:s,s:s%,s:s,s:s,s:O}", "status", status, "answer", text.at ? text.at : "",
                      text.len, "conversation", s->session, "turn", s->turn, "queries", s->queries);
        result = mcp_tool_result(text, structured, is_error);
    }
    return s->of.as_task ? as_task(s, "completed", "result", result) : answer(s, result);
}

static json_t *as_task(struct mcp_say *s, const char *status, const char *key, json_t *take_value)
{
    json_t *task = mcp_task_json(&s->of.task, status, s->of.now_ms, s->of.keep_ms);
    if (key)
        json_object_set_new(task, key, take_value);
    return answer(s, task);
}

static json_t *answer(struct mcp_say *s, json_t *take_result)
{
    s->done = true;
    return mcp_answer(s->of.id, take_result, s->of.modern);
}

/* For a client that can't ask. */
static void write_waits(const struct mcp_say *s, struct buf *b)
{
    buf_puts(b,
             "Nothing was done yet: a tool call waits for the person's yes. They decide in PersAI, "
             "or by `persai approve ");
    buf_puts(b, s->session);
    buf_puts(b, "`");
}

json_t *mcp_say_waits(struct mcp_say *s, const json_t *calls)
{
    char state[MCP_TASK_TEXT_MAX];
    scoped_buf(waits, 512);
    s->awaits = true;
    write_waits(s, &waits);
    bool asks = s->of.elicits && mcp_can_ask(calls);
    if (s->of.as_task)
        return asks ? as_task(s, "input_required", "inputRequests", mcp_input_requests(calls))
                    : as_task(s, "working", "statusMessage", json_string(buf_cstr(&waits)));
    if (!asks)
        return finish(s, "awaiting_approval", buf_str(&waits), false);
    mcp_task_text(&s->of.task, state);
    return answer(s, json_pack("{s:s,s:o,s:s}", "resultType", "input_required", "inputRequests",
                               mcp_input_requests(calls), "requestState", state));
}
