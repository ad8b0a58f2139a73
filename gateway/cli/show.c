#include "gateway/cli/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/json.h"
#include "gateway/cli/calls.h"

enum { DRAWN_BYTES_MAX = 8 << 20 };

static void step_start(struct show *s, const json_t *payload);
static void step_progress(struct show *s, const json_t *payload, int64_t now_ms);
static void step_complete(struct show *s, const json_t *payload, int64_t now_ms);
static void tool_progress(struct show *s, const json_t *delta, int64_t now_ms);
static void show_tools(struct show *s, const json_t *details);
static void end(struct show *s, const char *kind, const json_t *payload);

void show_init(struct show *s, struct out *out)
{
    *s = (struct show){.out = out};
    buf_init(&s->draft, DRAWN_BYTES_MAX);
}

void show_free(struct show *s)
{
    out_text(s->out, buf_str(&s->draft));
    out_text_end(s->out);
    buf_free(&s->draft);
}

bool show_event(struct show *s, const json_t *payload, int64_t now_ms)
{
    const char *kind = json_string_value(json_object_get(payload, "event_type"));
    if (s->out->json) {
        char *line = json_dumps(payload, JSON_COMPACT);
        out_json(s->out, str_of(line));
        free(line);
    }
    if (!kind)
        return false;
    if (strcmp(kind, "step_start") == 0)
        step_start(s, payload);
    else if (strcmp(kind, "step_progress") == 0)
        step_progress(s, payload, now_ms);
    else if (strcmp(kind, "step_complete") == 0)
        step_complete(s, payload, now_ms);
    else
        end(s, kind, payload);
    return s->end != SHOW_GOES_ON;
}

static bool is_text(const json_t *object, const char *key, const char *text)
{
    return str_is(json_text(json_object_get(object, key)), text);
}

/* ---- steps ---- */

/* What a terminal has shown it can't take back: it says so. */
static void step_start(struct show *s, const json_t *payload)
{
    struct str step = json_text(json_object_get(payload, "step_id"));
    int64_t attempt = json_integer_value(json_object_get(payload, "attempt"));
    buf_clear(&s->draft);
    if (str_is(step, s->step) && attempt > s->attempt && s->printed > 0) {
        out_text_end(s->out);
        out_note(s->out, "(this part is written again)");
    }
    snprintf(s->step, sizeof(s->step), "%.*s", (int)step.len, step.at ? step.at : "");
    s->attempt = attempt;
    s->printed = 0;
    s->call_count = 0;
}

static void step_progress(struct show *s, const json_t *payload, int64_t now_ms)
{
    const json_t *delta = json_object_get(payload, "delta");
    struct str text = json_text(json_object_get(delta, "text"));
    if (is_text(delta, "type", "text") && text.len > 0) {
        s->first_ms = s->first_ms ? s->first_ms : now_ms;
        if (!s->out->answer.terminal && buf_add_str(&s->draft, text))
            return;
        s->printed += text.len;
        out_text(s->out, text);
    } else if (is_text(delta, "type", "notice")) {
        out_note(s->out, "%.*s", (int)text.len, text.at ? text.at : "");
    } else if (is_text(delta, "type", "tool_call") &&
               is_text(payload, "step_type", "tool_execution")) {
        tool_progress(s, delta, now_ms);
    }
}

static void tool_progress(struct show *s, const json_t *delta, int64_t now_ms)
{
    struct str id = json_text(json_object_get(delta, "call_id"));
    unsigned i = 0;
    while (i < s->call_count && !str_is(id, s->calls[i].call_id))
        i++;
    if (i == SHOW_CALLS_MAX || id.len == 0 || id.len >= sizeof(s->calls[0].call_id))
        return;
    if (i == s->call_count) {
        memcpy(s->calls[i].call_id, id.at, id.len);
        s->calls[i].call_id[id.len] = '\0';
        s->calls[i].began_ms = now_ms;
        s->calls[i].took_ms = -1;
        s->calls[i].failed = false;
        s->call_count++;
    }
    if (is_text(delta, "state", "running"))
        return;
    s->calls[i].took_ms = now_ms - s->calls[i].began_ms;
    s->calls[i].failed = is_text(delta, "state", "failed");
}

static void step_complete(struct show *s, const json_t *payload, int64_t now_ms)
{
    const json_t *details = json_object_get(payload, "step_details");
    const json_t *reply = json_object_get(details, "model_response");
    struct str content = json_text(json_object_get(reply, "content"));
    if (is_text(details, "step_type", "tool_execution")) {
        show_tools(s, details);
        return;
    }
    if (s->printed == 0 && content.len > 0) { /* joined late: the text was not streamed to us */
        s->first_ms = s->first_ms ? s->first_ms : now_ms;
        out_text(s->out, content);
    }
    buf_clear(&s->draft);
    out_text_end(s->out);
}

static const json_t *response_of(const json_t *details, struct str call_id)
{
    const json_t *list = json_object_get(details, "tool_responses");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_eq(json_text(json_object_get(json_array_get(list, i), "call_id")), call_id))
            return json_array_get(list, i);
    return NULL;
}

static void show_tool(struct show *s, const struct call_view *v)
{
    scoped_buf(line, DRAWN_BYTES_MAX);
    call_line(&line, &s->out->notes, v);
    if (s->out->verbose)
        call_details(&line, &s->out->notes, v);
    out_note_drawn(s->out, buf_str(&line));
    buf_clear(&line);
    if (s->out->answer.terminal && call_plot(&line, &s->out->answer, v))
        out_drawn(s->out, buf_str(&line));
}

static void show_tools(struct show *s, const json_t *details)
{
    const json_t *list = json_object_get(details, "tool_calls");
    if (s->out->json)
        return;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *call = json_array_get(list, i);
        struct str id = json_text(json_object_get(call, "call_id"));
        struct call_view v = {.tool_name = json_text(json_object_get(call, "tool_name")),
                              .arguments = json_object_get(call, "arguments"),
                              .content =
                                  json_text(json_object_get(response_of(details, id), "content")),
                              .took_ms = -1};
        for (unsigned k = 0; k < s->call_count; k++)
            if (str_is(id, s->calls[k].call_id)) {
                v.took_ms = s->calls[k].took_ms;
                v.failed = s->calls[k].failed;
            }
        show_tool(s, &v);
    }
}

/* ---- the end ---- */

static void end(struct show *s, const char *kind, const json_t *payload)
{
    if (strcmp(kind, "turn_complete") == 0) {
        s->end = SHOW_ANSWERED;
    } else if (strcmp(kind, "turn_cancelled") == 0) {
        s->end = SHOW_CANCELLED;
        out_text_end(s->out);
        out_note(s->out, "cancelled");
    } else if (strcmp(kind, "turn_awaiting_input") == 0) {
        s->end = SHOW_AWAITING;
    } else if (strcmp(kind, "error") == 0) {
        s->end = SHOW_FAILED;
        out_text_end(s->out);
        out_error(s->out, json_text(json_object_get(payload, "code")),
                  json_text(json_object_get(payload, "message")));
    }
    if (s->end != SHOW_GOES_ON)
        out_text_end(s->out);
}
