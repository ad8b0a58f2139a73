#include "proto/event.h"

#include <string.h>
#include "common/json.h"
#include "common/utc.h"

static const struct {
    const char *name;
    bool final;
} rows[EVENT_COUNT] = {
#define EVENT(name, final, text, fields) [EVENT_##name] = {#name, final},
#include "proto/events.def"
#undef EVENT
};

bool event_is_final(enum event_name e)
{
    CHECK((unsigned)e < EVENT_COUNT);
    return rows[e].final;
}

const char *event_text_name(enum event_name e)
{
    CHECK((unsigned)e < EVENT_COUNT);
    return rows[e].name;
}

int event_at_cmp(struct event_at a, struct event_at b)
{
    if (a.epoch != b.epoch)
        return a.epoch < b.epoch ? -1 : 1;
    return a.seq == b.seq ? 0 : a.seq < b.seq ? -1 : 1;
}

bool event_at_parse(struct str text, struct event_at *out)
{
    struct str epoch, seq;
    uint64_t e, s;
    if (!str_split(&text, '-', &epoch) || !str_split(&text, '-', &seq) || text.at != NULL)
        return false;
    if (!str_u64(epoch, EVENT_AT_MAX, &e) || !str_u64(seq, EVENT_AT_MAX, &s))
        return false;
    *out = (struct event_at){(uint32_t)e, (uint32_t)s};
    return true;
}

static const char *step_word(enum step_type type)
{
    return type == STEP_INFERENCE ? "inference" : "tool_execution";
}

/* The one shape of all payloads. */
#define HEAD "{\"event\":{\"payload\":{\"event_type\":\""

bool event_is(struct str payload, enum event_name e)
{
    struct str name = str_of(event_text_name(e));
    if (!str_starts(payload, STR(HEAD)))
        return false;
    payload = str_skip(payload, sizeof(HEAD) - 1);
    return str_starts(payload, name) && str_starts(str_skip(payload, name.len), STR("\""));
}

static void open_payload(struct buf *b, enum event_name e)
{
    buf_puts(b, HEAD);
    buf_puts(b, event_text_name(e));
    buf_putc(b, '"');
}

static bool close_payload(struct buf *b)
{
    buf_puts(b, "}}}");
    return !b->overflowed;
}

static void field_step(struct buf *b, enum step_type type, struct str step_id)
{
    json_field(b, "step_type", str_of(step_word(type)));
    json_field(b, "step_id", step_id);
}

static bool has(struct str text, const char *part)
{
    return text.len > 0 && memmem(text.at, text.len, part, strlen(part)) != NULL;
}

bool event_awaits(struct str payload)
{
    return str_starts(payload,
                      STR("{\"event\":{\"payload\":{\"event_type\":\"turn_awaiting_input"));
}

enum event_moment event_moment(struct str payload)
{
    enum { HEAD_BYTES = 160 }; /* up to the delta's type, with an id of a step */
    struct str steps = STR("{\"event\":{\"payload\":{\"event_type\":\"step_");
    if (!str_starts(payload, steps))
        return MOMENT_NONE;
    struct str rest = str_skip(payload, steps.len);
    if (rest.len > HEAD_BYTES)
        rest.len = HEAD_BYTES;
    if (str_starts(rest, STR("progress")))
        return has(rest, "\"delta\":{\"type\":\"tool_call\"") ? MOMENT_TOOL : MOMENT_NONE;
    bool model = has(rest, "\"step_type\":\"inference\"");
    if (str_starts(rest, STR("start")))
        return model ? MOMENT_MODEL : MOMENT_TOOL;
    return model ? MOMENT_REPLY : MOMENT_PASSED;
}

bool event_turn_start(struct buf *b, struct id turn, struct id session)
{
    open_payload(b, EVENT_turn_start);
    id_field(b, "turn_id", turn);
    id_field(b, "session_id", session);
    return close_payload(b);
}

bool event_step_start(struct buf *b, enum step_type type, struct str step_id, uint32_t attempt)
{
    open_payload(b, EVENT_step_start);
    field_step(b, type, step_id);
    json_field_u64(b, "attempt", attempt);
    return close_payload(b);
}

static bool progress(struct buf *b, struct str step_id, const char *type, struct str text)
{
    open_payload(b, EVENT_step_progress);
    field_step(b, STEP_INFERENCE, step_id);
    buf_puts(b, ",\"delta\":{\"type\":\"");
    buf_puts(b, type);
    buf_puts(b, "\",\"text\":");
    json_str(b, text);
    buf_putc(b, '}');
    return close_payload(b);
}

bool event_progress_text(struct buf *b, struct str step_id, struct str text)
{
    return progress(b, step_id, "text", text);
}

bool event_progress_reasoning(struct buf *b, struct str step_id, struct str text)
{
    return progress(b, step_id, "reasoning", text);
}

bool event_progress_notice(struct buf *b, struct str step_id, struct str text)
{
    return progress(b, step_id, "notice", text);
}

bool event_progress_looked_up(struct buf *b, struct str step_id, struct str text, struct str detail)
{
    open_payload(b, EVENT_step_progress);
    field_step(b, STEP_INFERENCE, step_id);
    buf_puts(b, ",\"delta\":{\"type\":\"notice\",\"text\":");
    json_str(b, text);
    json_field(b, "detail", detail);
    buf_putc(b, '}');
    return close_payload(b);
}

static void call_fields(struct buf *b, struct str call_id, struct str tool_name)
{
    json_field(b, "call_id", call_id);
    json_field(b, "tool_name", tool_name);
}

bool event_progress_tool_call(struct buf *b, enum step_type type, struct str step_id,
                              struct str call_id, struct str tool_name, struct str arguments_so_far,
                              const char *state)
{
    open_payload(b, EVENT_step_progress);
    field_step(b, type, step_id);
    buf_puts(b, ",\"delta\":{\"type\":\"tool_call\"");
    call_fields(b, call_id, tool_name);
    json_field(b, "arguments", arguments_so_far);
    json_field(b, "state", str_of(state));
    buf_putc(b, '}');
    return close_payload(b);
}

bool event_inference_complete(struct buf *b, struct str step_id,
                              const struct record_message *assistant)
{
    open_payload(b, EVENT_step_complete);
    buf_puts(b, ",\"step_details\":{");
    field_step(b, STEP_INFERENCE, step_id);
    buf_puts(b, ",\"model_response\":{");
    json_field(b, "content", assistant->content);
    json_field(b, "stop_reason", assistant->stop_reason);
    buf_puts(b, "}}");
    return close_payload(b);
}

static void call_open(struct buf *b, bool first, const struct record_call *call)
{
    buf_puts(b, first ? "{" : ",{");
    call_fields(b, call->call_id, call->tool_name);
    json_key(b, "arguments");
    record_arguments_json(b, call->arguments);
}

static void tool_calls(struct buf *b, const struct record_message *assistant)
{
    json_key(b, "tool_calls");
    buf_putc(b, '[');
    for (unsigned i = 0; i < assistant->call_count; i++) {
        call_open(b, i == 0, &assistant->calls[i]);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

bool event_tools_complete(struct buf *b, struct str step_id, const struct record_message *assistant,
                          const struct record_message *tool)
{
    open_payload(b, EVENT_step_complete);
    buf_puts(b, ",\"step_details\":{");
    field_step(b, STEP_TOOL_EXECUTION, step_id);
    tool_calls(b, assistant);
    buf_puts(b, ",\"tool_responses\":[");
    for (unsigned i = 0; i < tool->response_count; i++) {
        const struct record_response *r = &tool->responses[i];
        buf_puts(b, i ? ",{" : "{");
        call_fields(b, r->call_id, r->tool_name);
        json_field(b, "content", r->content);
        buf_puts(b, r->failed ? ",\"failed\":true" : ",\"failed\":false");
        json_field_u64(b, "duration_ms", r->duration_ms);
        json_field(b, "datasource", r->datasource);
        buf_putc(b, '}');
    }
    buf_puts(b, "]}");
    return close_payload(b);
}

static void turn_body(struct buf *b, struct id turn, const struct record_message *assistant,
                      const struct usage *usage)
{
    buf_puts(b, ",\"turn\":{");
    id_field(b, "turn_id", turn);
    buf_puts(b, ",\"output_message\":{\"role\":\"assistant\"");
    json_field(b, "content", assistant->content);
    json_field(b, "stop_reason", assistant->stop_reason);
    buf_puts(b, "},\"usage\":");
    usage_json(b, usage);
}

bool event_turn_complete(struct buf *b, struct id turn, const struct record_message *assistant,
                         const struct usage *usage)
{
    open_payload(b, EVENT_turn_complete);
    turn_body(b, turn, assistant, usage);
    buf_putc(b, '}');
    return close_payload(b);
}

bool event_approvals(struct buf *b, const struct record_call *asks, const struct str *servers,
                     unsigned count, int64_t expires_ms)
{
    char hash[RECORD_HASH_TEXT + 1];
    buf_putc(b, '[');
    for (unsigned i = 0; i < count; i++) {
        call_open(b, i == 0, &asks[i]);
        record_call_hash(&asks[i], hash);
        if (servers && servers[i].len > 0) {
            json_key(b, "server");
            buf_add_str(b, servers[i]);
        }
        json_field(b, "arguments_hash", str_of(hash));
        utc_field(b, "expires_at", expires_ms, UTC_SECONDS);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
    return !b->overflowed;
}

bool event_turn_awaiting(struct buf *b, struct id turn, const struct record_message *assistant,
                         struct str asks, const struct usage *usage)
{
    open_payload(b, EVENT_turn_awaiting_input);
    turn_body(b, turn, assistant, usage);
    json_key(b, "tool_calls");
    buf_add_str(b, asks);
    buf_putc(b, '}');
    return close_payload(b);
}

bool event_turn_cancelled(struct buf *b, struct id turn)
{
    open_payload(b, EVENT_turn_cancelled);
    id_field(b, "turn_id", turn);
    return close_payload(b);
}

bool event_error(struct buf *b, enum err e, const char *message)
{
    open_payload(b, EVENT_error);
    json_field(b, "code", str_of(err_word(e)));
    json_field(b, "message", str_of(message ? message : err_sentence(e)));
    return close_payload(b);
}

/* Decimal digits of value to the end of b; printf is too dear on the token path. */
static void add_u32(struct buf *b, uint32_t value)
{
    char digits[10];
    size_t at = sizeof(digits);
    do
        digits[--at] = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    buf_add(b, digits + at, sizeof(digits) - at);
}

bool event_sse(struct buf *b, struct event_at at, struct str payload)
{
    buf_add(b, "id: ", 4);
    add_u32(b, at.epoch);
    buf_putc(b, '-');
    add_u32(b, at.seq);
    buf_add(b, "\ndata: ", 7);
    buf_add_str(b, payload);
    return buf_add(b, "\n\n", 2) && !b->overflowed;
}
