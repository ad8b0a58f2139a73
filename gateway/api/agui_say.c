#include "gateway/api/agui_say.h"

#include <stdio.h>
#include <stdlib.h>
#include "common/json.h"
#include "gateway/api/saying.h"

static void on_delta(struct agui_say *s, const struct saying *said, struct buf *out);
static void on_other(struct agui_say *s, const json_t *event, struct buf *out);
static void on_start(struct agui_say *s, struct buf *out);
static void on_end(struct agui_say *s, const json_t *turn, const char *outcome, struct buf *out);

enum { SNAPSHOT_BYTES_MAX = 4 << 20, INTERRUPT_BYTES_MAX = 2048 };

void agui_say_init(struct agui_say *s, struct str thread, struct str run)
{
    *s = (struct agui_say){.thread = str_dup(thread), .run = str_dup(run)};
    buf_init(&s->snapshot, SNAPSHOT_BYTES_MAX);
}

void agui_say_free(struct agui_say *s)
{
    free(s->thread);
    free(s->run);
    buf_free(&s->snapshot);
}

void agui_say_turn(struct agui_say *s, struct id turn) { id_text(turn, s->turn); }

void agui_say_event(struct agui_say *s, struct str payload, struct buf *out)
{
    struct saying said;
    if (!s->started)
        on_start(s, out);
    saying_read(payload, &said);
    if (said.kind != SAYING_OTHER) {
        on_delta(s, &said, out);
        return;
    }
    json_auto_t *event = saying_tree(payload);
    on_other(s, event, out);
}

/* ---- events, begun and ended ---- */

static void begin(struct buf *out, const char *type)
{
    buf_puts(out, "data: {\"type\":\"");
    buf_puts(out, type);
    buf_putc(out, '"');
}

static void end(struct buf *out) { buf_puts(out, "}\n\n"); }

static void message_id(struct buf *out, const char *prefix, const char *id)
{
    buf_puts(out, ",\"messageId\":\"");
    buf_puts(out, prefix);
    buf_puts(out, id);
    buf_putc(out, '"');
}

/* One that has its message's id alone. */
static void about_message(struct buf *out, const char *type, const char *prefix, const char *id)
{
    begin(out, type);
    message_id(out, prefix, id);
    end(out);
}

static void close_reasoning(struct agui_say *s, struct buf *out)
{
    if (!s->reasoning_open)
        return;
    s->reasoning_open = false;
    about_message(out, "REASONING_MESSAGE_END", "r-", s->message);
    about_message(out, "REASONING_END", "r-", s->message);
}

static void close_text(struct agui_say *s, struct buf *out)
{
    if (s->text_open)
        about_message(out, "TEXT_MESSAGE_END", "", s->message);
    s->text_open = false;
}

static void close_all(struct agui_say *s, struct buf *out)
{
    close_reasoning(s, out);
    close_text(s, out);
    if (s->step_open) {
        begin(out, "STEP_FINISHED");
        json_field(out, "stepName", str_of(s->step));
        end(out);
    }
    s->step_open = false;
}

/* ---- deltas: text is escaped already ---- */

static void open_text(struct agui_say *s, struct buf *out)
{
    close_reasoning(s, out);
    if (s->text_open)
        return;
    s->text_open = true;
    begin(out, "TEXT_MESSAGE_START");
    message_id(out, "", s->message);
    buf_puts(out, ",\"role\":\"assistant\"");
    end(out);
}

static void open_reasoning(struct agui_say *s, struct buf *out)
{
    if (s->reasoning_open)
        return;
    s->reasoning_open = true;
    about_message(out, "REASONING_START", "r-", s->message);
    begin(out, "REASONING_MESSAGE_START");
    message_id(out, "r-", s->message);
    buf_puts(out, ",\"role\":\"reasoning\"");
    end(out);
}

static void on_delta(struct agui_say *s, const struct saying *said, struct buf *out)
{
    bool text = said->kind == SAYING_TEXT;
    if (said->text.len == 0) /* an empty delta is none there */
        return;
    if (text)
        open_text(s, out);
    else
        open_reasoning(s, out);
    begin(out, text ? "TEXT_MESSAGE_CONTENT" : "REASONING_MESSAGE_CONTENT");
    message_id(out, text ? "" : "r-", s->message);
    buf_puts(out, ",\"delta\":\"");
    buf_add_str(out, said->text);
    buf_putc(out, '"');
    end(out);
}

/* ---- the other events ---- */

static void on_step(struct agui_say *s, const json_t *event, struct buf *out)
{
    struct str id = json_text(json_object_get(event, "step_id"));
    close_all(s, out);
    snprintf(s->step, sizeof(s->step), "%.*s", (int)(id.len < 60 ? id.len : 60), id.at);
    snprintf(s->message, sizeof(s->message), "%s-%lld", s->step,
             (long long)json_integer_value(json_object_get(event, "attempt")));
    s->step_open = true;
    begin(out, "STEP_STARTED");
    json_field(out, "stepName", str_of(s->step));
    end(out);
}

static void on_tool(const json_t *call, const json_t *answer, struct buf *out)
{
    struct str id = json_text(json_object_get(call, "call_id"));
    char *arguments =
        json_dumps(json_object_get(call, "arguments"), JSON_COMPACT | JSON_ENCODE_ANY);
    begin(out, "TOOL_CALL_START");
    json_field(out, "toolCallId", id);
    json_field(out, "toolCallName", json_text(json_object_get(call, "tool_name")));
    end(out);
    begin(out, "TOOL_CALL_ARGS");
    json_field(out, "toolCallId", id);
    json_field(out, "delta", str_of(arguments ? arguments : "{}"));
    end(out);
    begin(out, "TOOL_CALL_END");
    json_field(out, "toolCallId", id);
    end(out);
    if (answer) {
        begin(out, "TOOL_CALL_RESULT");
        buf_puts(out, ",\"role\":\"tool\"");
        scoped_buf(message, 1024);
        buf_puts(&message, "result-");
        buf_add_str(&message, id);
        json_field(out, "messageId", buf_str(&message));
        json_field(out, "toolCallId", id);
        json_field(out, "content", json_text(json_object_get(answer, "content")));
        end(out);
    }
    free(arguments);
}

static void on_tools(const json_t *calls, const json_t *answers, struct buf *out)
{
    size_t i;
    const json_t *call;
    json_array_foreach(calls, i, call) { on_tool(call, json_array_get(answers, i), out); }
}

static void on_complete(struct agui_say *s, const json_t *details, struct buf *out)
{
    if (json_object_get(details, "tool_calls")) {
        on_tools(json_object_get(details, "tool_calls"), json_object_get(details, "tool_responses"),
                 out);
    } else if (!s->text_open) { /* of a model that does not stream */
        struct str text =
            json_text(json_object_get(json_object_get(details, "model_response"), "content"));
        scoped_buf(escaped, 8 << 20);
        json_str(&escaped, text);
        struct saying said = {.kind = SAYING_TEXT};
        if (escaped.len > 2)
            said.text = (struct str){escaped.at + 1, escaped.len - 2};
        on_delta(s, &said, out);
    }
    close_all(s, out);
}

static void finish(struct agui_say *s, const json_t *turn, struct buf *out)
{
    const json_t *u = json_object_get(turn, "usage");
    begin(out, "RUN_FINISHED");
    json_field(out, "threadId", str_of(s->thread));
    json_field(out, "runId", str_of(s->run));
    if (u)
        buf_printf(out, ",\"usage\":[{\"inputTokens\":%lld,\"outputTokens\":%lld}]",
                   (long long)json_integer_value(json_object_get(u, "input_tokens")),
                   (long long)json_integer_value(json_object_get(u, "output_tokens")));
    static const char *const cuts[] = {
        [SAYING_LENGTH] = "length", [SAYING_FILTERED] = "content_filter"};
    enum saying_cut cut = saying_cut(turn);
    if (cut != SAYING_WHOLE)
        buf_printf(out, ",\"result\":{\"stopReason\":\"%s\"}", cuts[cut]);
}

/* ---- interrupts: TURN:HASH:CALL names one call of one turn, as it was shown ---- */

#define SCHEMA                                                                                     \
    "{\"type\":\"object\",\"properties\":{\"approve\":{\"type\":\"boolean\"}},"                    \
    "\"required\":[\"approve\"]}"

/* The call itself is shown before it; what it has not is whose tool it is. */
static void write_message(const json_t *call, struct buf *message)
{
    const json_t *server = json_object_get(call, "server");
    char *of = server ? json_dumps(server, JSON_COMPACT) : NULL;
    buf_puts(message, str_is(json_text(json_object_get(call, "tool_name")), "use_datasource")
                          ? "This datasource's server gets your sign-in: it needs your yes"
                          : "This call changes something: it needs your yes");
    if (of)
        buf_puts(message, ". Its tool is of the server ");
    if (of)
        buf_puts(message, of);
    free(of);
}

static void interrupt(struct agui_say *s, const json_t *call, struct buf *out)
{
    struct str id = json_text(json_object_get(call, "call_id"));
    scoped_buf(name, INTERRUPT_BYTES_MAX);
    buf_printf(&name, "%s:", s->turn);
    buf_add_str(&name, json_text(json_object_get(call, "arguments_hash")));
    buf_putc(&name, ':');
    buf_add_str(&name, id);
    scoped_buf(message, INTERRUPT_BYTES_MAX);
    write_message(call, &message);
    buf_putc(out, '{');
    json_field(out, "id", buf_str(&name));
    json_field(out, "reason", STR("tool_call"));
    json_field(out, "toolCallId", id);
    json_field(out, "message", buf_str(&message));
    json_field_raw(out, "responseSchema", STR(SCHEMA));
    json_field(out, "expiresAt", json_text(json_object_get(call, "expires_at")));
    buf_putc(out, '}');
}

/* What waits for the person's yes: one interrupt for each call. */
static void on_awaiting(struct agui_say *s, const json_t *turn, struct buf *out)
{
    size_t i;
    const json_t *calls = json_object_get(turn, "tool_calls"), *call;
    close_all(s, out);
    json_array_foreach(calls, i, call) { on_tool(call, NULL, out); }
    begin(out, "STATE_SNAPSHOT"); /* there is none; the protocol wants it before an interrupt */
    buf_puts(out, ",\"snapshot\":{}");
    end(out);
    finish(s, turn, out);
    buf_puts(out, ",\"outcome\":{\"type\":\"interrupt\",\"interrupts\":[");
    json_array_foreach(calls, i, call)
    {
        if (i > 0)
            buf_putc(out, ',');
        interrupt(s, call, out);
    }
    buf_puts(out, "]}");
    end(out);
    s->over = true;
}

bool agui_decision(const json_t *entry, struct id *turn, json_t **decision)
{
    struct str name = json_text(json_object_get(entry, "interruptId")), id, hash;
    struct str status = json_text(json_object_get(entry, "status"));
    const json_t *approve = json_object_get(json_object_get(entry, "payload"), "approve");
    bool resolved = str_is(status, "resolved"), yes = resolved && json_is_true(approve);
    if (!(resolved ? json_is_boolean(approve) : str_is(status, "cancelled")) ||
        !str_split(&name, ':', &id) || !id_parse(id, turn) || !str_split(&name, ':', &hash) ||
        name.len == 0)
        return false;
    *decision = json_pack("{s:s%,s:s%,s:b}", "call_id", name.at, name.len, "arguments_hash",
                          hash.at, hash.len, "approve", (int)yes);
    return *decision != NULL;
}

static void on_end(struct agui_say *s, const json_t *turn, const char *outcome, struct buf *out)
{
    close_all(s, out);
    finish(s, turn, out);
    buf_printf(out, ",\"outcome\":{\"type\":\"%s\"}", outcome);
    end(out);
    s->over = true;
}

static void on_error(struct agui_say *s, const json_t *event, struct buf *out)
{
    begin(out, "RUN_ERROR");
    json_field(out, "message", json_text(json_object_get(event, "message")));
    json_field(out, "code", json_text(json_object_get(event, "code")));
    end(out);
    s->over = true;
}

static void on_start(struct agui_say *s, struct buf *out)
{
    s->started = true;
    begin(out, "RUN_STARTED");
    json_field(out, "threadId", str_of(s->thread));
    json_field(out, "runId", str_of(s->run));
    end(out);
    buf_add_str(out, buf_str(&s->snapshot));
    buf_free(&s->snapshot);
}

void agui_say_nothing(struct agui_say *s, struct buf *out)
{
    on_start(s, out);
    on_end(s, NULL, "success", out);
}

static void on_other(struct agui_say *s, const json_t *event, struct buf *out)
{
    struct str type = json_text(json_object_get(event, "event_type"));
    if (str_is(type, "step_start"))
        on_step(s, event, out);
    else if (str_is(type, "step_complete"))
        on_complete(s, json_object_get(event, "step_details"), out);
    else if (str_is(type, "turn_complete"))
        on_end(s, json_object_get(event, "turn"), "success", out);
    else if (str_is(type, "turn_awaiting_input"))
        on_awaiting(s, json_object_get(event, "turn"), out);
    else if (str_is(type, "turn_cancelled"))
        on_end(s, NULL, "cancelled", out);
    else if (str_is(type, "error"))
        on_error(s, event, out);
}

/* ---- what there was before ---- */

static void snapshot_calls(const struct record_message *m, struct buf *out)
{
    json_key(out, "toolCalls");
    buf_putc(out, '[');
    for (unsigned i = 0; i < m->call_count; i++) {
        scoped_buf(arguments, SNAPSHOT_BYTES_MAX);
        record_arguments_json(&arguments, m->calls[i].arguments);
        buf_puts(out, i > 0 ? ",{" : "{");
        json_field(out, "id", m->calls[i].call_id);
        json_field(out, "type", STR("function"));
        json_key(out, "function");
        buf_putc(out, '{');
        json_field(out, "name", m->calls[i].tool_name);
        json_field(out, "arguments", buf_str(&arguments));
        buf_puts(out, "}}");
    }
    buf_putc(out, ']');
}

/* Opens it: what is common to all roles. */
static void snapshot_open(unsigned message, unsigned part, const char *role, struct str content,
                          struct buf *out)
{
    char id[32];
    snprintf(id, sizeof(id), "m-%u-%u", message, part);
    if (out->at[out->len - 1] != '[')
        buf_putc(out, ',');
    buf_putc(out, '{');
    json_field(out, "id", str_of(id));
    json_field(out, "role", str_of(role));
    json_field(out, "content", content);
}

static void snapshot_message(const struct store_message *m, struct buf *out)
{
    const struct record_message *r = &m->record;
    for (unsigned i = 0; i < r->response_count; i++) {
        snapshot_open(m->message, i, "tool", r->responses[i].content, out);
        json_field(out, "toolCallId", r->responses[i].call_id);
        buf_putc(out, '}');
    }
    if (r->role == ROLE_TOOL)
        return;
    snapshot_open(m->message, 0, r->role == ROLE_USER ? "user" : "assistant", r->content, out);
    if (r->call_count > 0)
        snapshot_calls(r, out);
    buf_putc(out, '}');
}

bool agui_say_snapshot(struct agui_say *s, const struct store_message *messages, unsigned count,
                       struct id running)
{
    if (s->snapshot.len == 0) {
        begin(&s->snapshot, "MESSAGES_SNAPSHOT");
        buf_puts(&s->snapshot, ",\"messages\":[");
    }
    for (unsigned i = 0; i < count; i++)
        if (!id_eq(messages[i].record.turn, running) || messages[i].record.role == ROLE_USER)
            snapshot_message(&messages[i], &s->snapshot);
    return !s->snapshot.overflowed;
}

/* One that is too large is left out: its client keeps what it has. */
void agui_say_snapshot_end(struct agui_say *s)
{
    buf_putc(&s->snapshot, ']');
    end(&s->snapshot);
    if (s->snapshot.overflowed)
        buf_free(&s->snapshot);
}
