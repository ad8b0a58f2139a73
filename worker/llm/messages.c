/* worker/llm/messages.c: Anthropic's Messages API (version 2026-10-21; a model's headers may
 * ask for another), streaming.
 *
 * Blocks of a reply are numbered and come one after the other; thinking blocks are signed and go
 * back with the tools' results, as they were. Three cache breakpoints: after the tools, after the
 * system prompt, after the last message, so that the next step of a turn reads all of this one's
 * prompt from the cache. */
#include "worker/llm/llm.h"

#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "worker/llm/delta.h"
#include "worker/llm/jsonio.h"
#include "worker/llm/history.h"

static enum err write_request(const struct llm_request *r, struct llm_wire *out);
static enum err read_event(struct reply *r, struct str name, struct str data);
static enum err read_body(struct reply *r, int http_status, struct str body);

const struct llm_format llm_messages = {write_request, read_event, read_body};

static const char breakpoint[] = ",\"cache_control\":{\"type\":\"ephemeral\"}";

/* ---- the request ---- */

/* Every role's contents are one list of blocks: neighbours of one role share it. */
struct writer {
    struct buf *b;
    const struct llm_request *request;
    const char *role; /* of the open message, or NULL */
    struct history history;
};

static void open_block(struct writer *w, const char *role, const char *type)
{
    if (w->role && strcmp(w->role, role) == 0) {
        buf_putc(w->b, ',');
    } else {
        buf_puts(w->b, w->role ? "]},{" : "{");
        json_field(w->b, "role", str_of(role));
        buf_puts(w->b, ",\"content\":[");
        w->role = role;
    }
    buf_putc(w->b, '{');
    json_field(w->b, "type", str_of(type));
}

/* What this very model thought, signed: another's is not its to read. */
static json_t *own_state(const struct writer *w, const struct prompt_item *item)
{
    return history_own(&w->history, item) ? jsonio_parse(item->state) : NULL;
}

static void write_assistant(struct writer *w, unsigned at)
{
    const struct prompt_item *item = &w->request->prompt->items[at];
    json_auto_t *state = own_state(w, item);
    size_t i;
    const json_t *block;
    json_array_foreach(state, i, block)
    {
        const char *type = json_string_value(json_object_get(block, "type"));
        open_block(w, "assistant", type ? type : "thinking");
        const char *key;
        json_t *v;
        json_object_foreach((json_t *)block, key, v)
        {
            if (strcmp(key, "type") != 0)
                json_field(w->b, key, json_text(v));
        }
        buf_putc(w->b, '}');
    }
    if (str_trim(item->text).len > 0) { /* one of blanks alone is refused, and so is none */
        open_block(w, "assistant", "text");
        json_field(w->b, "text", item->text);
        buf_putc(w->b, '}');
    }
    for (unsigned n = 0; n < item->call_count; n++) {
        open_block(w, "assistant", "tool_use");
        json_field(w->b, "id", history_call_id(&w->history, at, n));
        history_name(w->b, "name", item->calls[n].tool_name);
        buf_puts(w->b, ",\"input\":");
        jsonio_arguments(w->b, item->calls[n].arguments);
        buf_putc(w->b, '}');
    }
}

static void write_item(struct writer *w, unsigned at, bool last)
{
    const struct prompt_item *item = &w->request->prompt->items[at];
    switch (item->kind) {
    case PROMPT_USER:
        open_block(w, "user", "text");
        json_field(w->b, "text", item->text.len > 0 ? item->text : STR("."));
        break;
    case PROMPT_ASSISTANT:
        write_assistant(w, at);
        return;
    case PROMPT_RESULT:
        open_block(w, "user", "tool_result");
        json_field(w->b, "tool_use_id", history_result_id(&w->history, at));
        json_field(w->b, "content", item->text);
        if (item->failed)
            buf_puts(w->b, ",\"is_error\":true");
        break;
    }
    if (last)
        buf_puts(w->b, breakpoint);
    buf_putc(w->b, '}');
}

/* A model that thinks wants its thoughts back with the results of the calls that they led to. A
 * turn that another model began has none: it has to go on without thinking. */
static bool lacks_thoughts(const struct writer *w)
{
    const struct prompt *p = w->request->prompt;
    for (unsigned i = p->count; i-- > 0;) {
        const struct prompt_item *item = &p->items[i];
        if (item->kind == PROMPT_USER)
            return false;
        if (item->kind == PROMPT_ASSISTANT && item->call_count > 0)
            return item->state.len == 0 || !history_own(&w->history, item);
    }
    return false;
}

/* True: it was to think on, but has not its thoughts: see lacks_thoughts. */
static bool write_messages(struct buf *b, const struct llm_request *r)
{
    const struct prompt *p = r->prompt;
    struct writer w = {.b = b, .request = r};
    history_init(&w.history, r);
    buf_puts(b, ",\"messages\":[");
    for (unsigned i = 0; i < p->count; i++)
        if (!p->items[i].gone)
            write_item(&w, i, i + 1 == p->count);
    buf_puts(b, w.role ? "]}]" : "]");
    bool lacks = lacks_thoughts(&w);
    history_free(&w.history);
    return lacks;
}

static void write_tools(struct buf *b, const struct llm_request *r)
{
    for (unsigned i = 0; i < r->tool_count; i++) {
        const struct tool_spec *t = &r->tools[i];
        buf_puts(b, i == 0 ? ",\"tools\":[{" : ",{");
        json_field(b, "name", str_of(t->name));
        json_field(b, "description", str_of(t->description));
        json_field_raw(b, "input_schema", str_of(t->schema_json));
        if (i + 1 == r->tool_count)
            buf_puts(b, breakpoint);
        buf_puts(b, i + 1 == r->tool_count ? "}]" : "}");
    }
}

static enum err write_request(const struct llm_request *r, struct llm_wire *out)
{
    static const char *const reserved[] = {"messages", "stream", "model", "system", NULL};
    static const char *const unthinking[] = {"messages",      "stream",   "model", "system",
                                             "output_config", "thinking", NULL};
    const struct model *m = r->model;
    struct buf *b = &out->body;
    json_t *fields = json_object();
    llm_url(out, m, "v1", "/messages");
    llm_header(out, "anthropic-version", "2026-10-21");
    out->secret_header = "x-api-key";
    buf_putc(b, '{');
    json_field(b, "model", str_of(m->id));
    write_tools(b, r); /* in the order in which they are cached */
    buf_puts(b, ",\"system\":[{\"type\":\"text\"");
    json_field(b, "text", buf_str(&r->prompt->system));
    buf_printf(b, "%s}]", breakpoint);
    bool lacks = write_messages(b, r);
    buf_puts(b, ",\"stream\":true");
    json_object_set_new(fields, "max_tokens", json_integer(llm_output_max(r)));
    jsonio_options(b, fields, m, lacks ? unthinking : reserved);
    buf_putc(b, '}');
    return b->overflowed || out->url.overflowed ? ERR_CONTEXT_TOO_LONG : ERR_NONE;
}

/* ---- the stream ---- */

/* input_tokens are those that were neither read from the cache nor written to it. Of message_delta
 * they are cumulative, and what is not in it is as it was. */
static void read_usage(struct reply *r, const json_t *usage)
{
    if (!json_is_object(usage))
        return;
    const json_t *input = json_object_get(usage, "input_tokens");
    const json_t *output = json_object_get(usage, "output_tokens");
    uint64_t cached = jsonio_count(json_object_get(usage, "cache_read_input_tokens"));
    uint64_t all = jsonio_count(input) + cached +
                   jsonio_count(json_object_get(usage, "cache_creation_input_tokens"));
    bool has_input = jsonio_count(input) + all > 0 && input && !json_is_null(input);
    reply_usage(r, has_input ? all : 0, jsonio_count(output), cached);
}

static void read_stop(struct reply *r, struct str reason)
{
    static const char *const words[][2] = {
        {"end_turn", "stop"},         {"stop_sequence", "stop"},
        {"pause_turn", "stop"},       {"max_tokens", "length"},
        {"tool_use", "tool_calls"},   {"model_context_window_exceeded", "length"},
        {"refusal", "content_filter"}};
    if (reason.len == 0)
        return;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (str_is(reason, words[i][0]))
            reason = str_of(words[i][1]);
    reply_stop(r, reason);
}

static void begin_state(struct reply *r, const char *type)
{
    if (r->state.len > 0)
        r->state.len--; /* the list's end */
    buf_puts(&r->state, r->state.len == 0 ? "[{" : ",{");
    json_field(&r->state, "type", str_of(type));
}

/* A thought goes back as it came: DeepSeek's has no signature, and is wanted all the same. */
static void end_block(struct reply *r)
{
    struct str thought = str_skip(buf_str(&r->reasoning), r->block_from);
    bool any = r->block_thinks && (thought.len > 0 || r->signature.len > 0);
    r->block_thinks = false;
    if (!any)
        return;
    begin_state(r, "thinking");
    json_field(&r->state, "thinking", thought);
    if (r->block_signed || r->signature.len > 0)
        json_field(&r->state, "signature", buf_str(&r->signature));
    buf_puts(&r->state, "}]");
    buf_clear(&r->signature);
}

static enum err begin_block(struct reply *r, int64_t index, const json_t *block)
{
    struct str type = json_text(json_object_get(block, "type"));
    end_block(r); /* some send no end of one */
    r->block_from = r->reasoning.len;
    r->others_input = type.len > 0 && !str_is(type, "tool_use");
    buf_clear(&r->signature);
    if (str_is(type, "tool_use")) {
        const json_t *input = json_object_get(block, "input");
        bool none = json_is_object(input) && json_object_size(input) == 0; /* pieces follow */
        char *whole = none ? NULL : jsonio_dump(input);
        enum err err = reply_call(r, index, json_text(json_object_get(block, "id")),
                                  json_text(json_object_get(block, "name")), str_of(whole));
        free(whole);
        return err;
    }
    if (str_is(type, "redacted_thinking")) {
        begin_state(r, "redacted_thinking");
        json_field(&r->state, "data", json_text(json_object_get(block, "data")));
        buf_puts(&r->state, "}]");
    }
    if (str_is(type, "thinking")) {
        if (r->reasoning.len > 0) { /* set apart from the one before */
            enum err err = reply_reasoning(r, STR("\n\n"));
            if (err != ERR_NONE)
                return err;
            r->block_from = r->reasoning.len;
        }
        r->block_thinks = true;
        r->block_signed = json_object_get(block, "signature") != NULL;
        buf_add_str(&r->signature, json_text(json_object_get(block, "signature")));
        return reply_reasoning(r, json_text(json_object_get(block, "thinking")));
    }
    return str_is(type, "text") ? reply_text(r, json_text(json_object_get(block, "text")))
                                : ERR_NONE;
}

static enum err read_delta(struct reply *r, int64_t index, const json_t *delta)
{
    struct str type = json_text(json_object_get(delta, "type")), none = {NULL, 0};
    if (str_is(type, "text_delta"))
        return reply_text(r, json_text(json_object_get(delta, "text")));
    if (str_is(type, "input_json_delta") && r->others_input)
        return ERR_NONE; /* server_tool_use */
    if (str_is(type, "input_json_delta"))
        return reply_call(r, index, none, none, json_text(json_object_get(delta, "partial_json")));
    if (str_is(type, "thinking_delta"))
        return reply_reasoning(r, json_text(json_object_get(delta, "thinking")));
    if (str_is(type, "signature_delta") &&
        !buf_add_str(&r->signature, json_text(json_object_get(delta, "signature"))))
        return reply_fail(r, ERR_OUTPUT_LIMIT, false, "%s", err_sentence(ERR_OUTPUT_LIMIT));
    return ERR_NONE; /* citations_delta, and what is to come */
}

static enum err read_whole(struct reply *r, const json_t *root);

static enum err read_event(struct reply *r, struct str name, struct str data)
{
    struct str text;
    if (str_is(str_trim(data), "[DONE]")) { /* of gateways */
        r->ended = true;
        return ERR_NONE;
    }
    r->marked = false;
    if (delta_text(DELTA_MESSAGES, data, reply_scratch(r), &text))
        return reply_text(r, text);
    json_auto_t *root = jsonio_read(r, data);
    if (!json_is_object(root))
        return reply_fail(r, ERR_MODEL_BROKEN, true, "The model sent an event that is no JSON");
    struct str type = json_text(json_object_get(root, "type"));
    if (type.len == 0)
        type = name;
    if (jsonio_is_error(root, name))
        return jsonio_event_error(r, root);
    bool odd = type.len == 0 || str_is(type, "exception") || str_ends(type, STR("Exception"));
    if (odd && jsonio_is_odd_error(root)) /* Bedrock, and what stands before a server */
        return jsonio_odd_error(r, root);
    if (str_is(type, "message")) /* no stream, though one was asked for */
        return read_whole(r, root);
    int64_t index = jsonio_index(json_object_get(root, "index"));
    if (str_is(type, "content_block_delta"))
        return read_delta(r, index, json_object_get(root, "delta"));
    if (str_is(type, "content_block_start"))
        return begin_block(r, index, json_object_get(root, "content_block"));
    if (str_is(type, "content_block_stop"))
        end_block(r);
    if (str_is(type, "message_start"))
        read_usage(r, json_object_get(json_object_get(root, "message"), "usage"));
    if (str_is(type, "message_delta")) {
        read_usage(r, json_object_get(root, "usage"));
        read_stop(r, json_text(json_object_get(json_object_get(root, "delta"), "stop_reason")));
    }
    if (str_is(type, "message_stop")) {
        end_block(r);
        r->ended = true;
    }
    return ERR_NONE; /* ping, and what is to come */
}

static enum err read_body(struct reply *r, int http_status, struct str body)
{
    json_auto_t *root = jsonio_read(r, body);
    if (http_status != 200 || !json_is_array(json_object_get(root, "content")))
        return jsonio_refusal(r, http_status, root, body);
    return read_whole(r, root);
}

static enum err read_whole(struct reply *r, const json_t *root)
{
    size_t i;
    const json_t *block;
    json_array_foreach(json_object_get(root, "content"), i, block)
    {
        enum err err = begin_block(r, (int64_t)i, block);
        if (err != ERR_NONE)
            return err;
        end_block(r);
    }
    read_usage(r, json_object_get(root, "usage"));
    read_stop(r, json_text(json_object_get(root, "stop_reason")));
    r->ended = true;
    return ERR_NONE;
}
