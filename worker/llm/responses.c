/* worker/llm/responses.c: OpenAI's Responses API, streaming, nothing kept there (store: false).
 *
 * A response is a list of output items, each with its number; events tell what is added to which.
 * Reasoning items come encrypted and go back with the tools' results, as they were. */
#include "worker/llm/llm.h"

#include <stdlib.h>
#include <string.h>
#include "common/json.h"
#include "worker/llm/delta.h"
#include "worker/llm/jsonio.h"
#include "worker/llm/history.h"

static enum err write_request(const struct llm_request *r, struct llm_wire *out);
static enum err read_event(struct reply *r, struct str name, struct str data);
static enum err read_body(struct reply *r, int http_status, struct str body);

const struct llm_format llm_responses = {write_request, read_event, read_body};

/* ---- the request ---- */

static void open_item(struct buf *b, const char *type)
{
    buf_puts(b, b->at[b->len - 1] == '[' ? "{" : ",{");
    json_field(b, "type", str_of(type));
}

static void write_question(struct buf *b, struct str text)
{
    open_item(b, "message");
    buf_puts(b, ",\"role\":\"user\",\"content\":[{\"type\":\"input_text\"");
    json_field(b, "text", text);
    buf_puts(b, "}]}");
}

/* The API's types want each message of the model's as it was given out: with id, status and
 * annotations. The id is any that begins so: nothing was kept there. */
static void write_answer(struct buf *b, unsigned at, struct str text)
{
    open_item(b, "message");
    buf_printf(b,
               ",\"id\":\"msg_%u\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":"
               "[{\"type\":\"output_text\"",
               at);
    json_field(b, "text", text);
    buf_puts(b, ",\"annotations\":[]}]}");
}

static void write_reasoning(struct buf *b, struct str state)
{
    json_auto_t *items = jsonio_parse(state);
    size_t i;
    const json_t *reasoning;
    json_array_foreach(items, i, reasoning)
    {
        char *text = json_dumps(reasoning, JSON_COMPACT);
        buf_puts(b, b->at[b->len - 1] == '[' ? "" : ",");
        buf_puts(b, text ? text : "{}");
        free(text);
    }
}

static void write_assistant(struct buf *b, const struct llm_request *r, const struct history *h,
                            unsigned at)
{
    const struct prompt_item *item = &r->prompt->items[at];
    if (history_own(h, item))
        write_reasoning(b, item->state);
    if (item->text.len > 0 || item->call_count == 0)
        write_answer(b, at, item->text);
    for (unsigned n = 0; n < item->call_count; n++) {
        const struct record_call *c = &item->calls[n];
        json_auto_t *valid = jsonio_parse(c->arguments);
        open_item(b, "function_call");
        json_field(b, "call_id", history_call_id(h, at, n));
        history_name(b, "name", c->tool_name);
        json_field(b, "arguments", json_is_object(valid) ? c->arguments : STR("{}"));
        buf_putc(b, '}');
    }
}

static void write_input(struct buf *b, const struct llm_request *r)
{
    struct history h;
    history_init(&h, r);
    buf_puts(b, ",\"input\":[");
    for (unsigned i = 0; i < r->prompt->count; i++) {
        const struct prompt_item *item = &r->prompt->items[i];
        if (item->gone)
            continue;
        switch (item->kind) {
        case PROMPT_USER:
            write_question(b, item->text);
            break;
        case PROMPT_ASSISTANT:
            write_assistant(b, r, &h, i);
            break;
        case PROMPT_RESULT:
            open_item(b, "function_call_output");
            json_field(b, "call_id", history_result_id(&h, i));
            json_field(b, "output", item->text);
            buf_putc(b, '}');
            break;
        }
    }
    buf_putc(b, ']');
    history_free(&h);
}

static void write_tools(struct buf *b, const struct llm_request *r)
{
    for (unsigned i = 0; i < r->tool_count; i++) {
        const struct tool_spec *t = &r->tools[i];
        buf_puts(b, i == 0 ? ",\"tools\":[{" : ",{");
        json_field(b, "type", STR("function"));
        json_field(b, "name", str_of(t->name));
        json_field(b, "description", str_of(t->description));
        json_field_raw(b, "parameters", str_of(t->schema_json));
        json_field_bool(b, "strict", false);
        buf_puts(b, i + 1 == r->tool_count ? "}]" : "}");
    }
}

/* Models that reason refuse nothing of this; of the others "include" is ignored. */
static enum err write_request(const struct llm_request *r, struct llm_wire *out)
{
    static const char *const reserved[] = {"input",        "stream", "model",
                                           "instructions", "store",  NULL};
    const struct model *m = r->model;
    struct buf *b = &out->body;
    llm_url(out, m, NULL, "/responses");
    out->bearer = m->key;
    buf_putc(b, '{');
    json_field(b, "model", str_of(m->id));
    json_field(b, "instructions", buf_str(&r->prompt->system));
    write_input(b, r);
    write_tools(b, r);
    buf_puts(b, ",\"stream\":true,\"store\":false");
    json_t *fields = json_pack("{s:[s], s:I}", "include", "reasoning.encrypted_content",
                               "max_output_tokens", (json_int_t)llm_output_max(r));
    if (r->schema.len > 0)
        json_object_set_new(fields, "text",
                            json_pack("{s:{s:s, s:s, s:o?}}", "format", "type", "json_schema",
                                      "name", "reply", "schema", jsonio_parse(r->schema)));
    jsonio_options(b, fields, m, reserved);
    buf_putc(b, '}');
    return b->overflowed || out->url.overflowed ? ERR_CONTEXT_TOO_LONG : ERR_NONE;
}

/* ---- the stream ---- */

/* Deltas name the call by its item's id, some by nothing else that is right. */
static enum err read_item(struct reply *r, int64_t index, const json_t *item)
{
    struct str none = {NULL, 0}, id = json_text(json_object_get(item, "id"));
    if (!str_is(json_text(json_object_get(item, "type")), "function_call"))
        return ERR_NONE;
    char *arguments = jsonio_dump(json_object_get(item, "arguments"));
    enum err err = reply_call(r, index, json_text(json_object_get(item, "call_id")),
                              json_text(json_object_get(item, "name")), str_of(arguments));
    free(arguments);
    return err != ERR_NONE || id.len == 0 ? err : reply_call(r, index, id, none, none);
}

/* Of several, what it says while it works (phase "commentary") comes before the answer. */
static void begin_message(struct reply *r, const json_t *item)
{
    if (str_is(json_text(json_object_get(item, "type")), "message") && r->text_came > 0)
        r->apart = true;
}

/* A reasoning item that is whole is kept as it came: id, summary, encrypted_content. */
static void keep_item(struct reply *r, const json_t *item)
{
    if (!str_is(json_text(json_object_get(item, "type")), "reasoning") ||
        json_text(json_object_get(item, "encrypted_content")).len == 0)
        return;
    if (r->state.len > 0)
        r->state.len--; /* the list's end */
    buf_puts(&r->state, r->state.len == 0 ? "[" : ",");
    reply_keep(r, item);
    buf_putc(&r->state, ']');
}

/* Arguments that never came in pieces. */
static enum err read_arguments(struct reply *r, int64_t index, struct str id, const json_t *v)
{
    struct str none = {NULL, 0};
    for (unsigned i = 0; i < r->call_count; i++) {
        const struct reply_call *c = &r->calls[i];
        bool its = id.len > 0 && c->other_id ? str_is(id, c->other_id) : c->index == index;
        if (!its || c->arguments.len > 0)
            continue;
        char *text = jsonio_dump(v);
        enum err err = reply_call(r, index, id, none, str_of(text));
        free(text);
        return err;
    }
    return ERR_NONE;
}

static enum err read_parts(struct reply *r, const json_t *parts, bool thoughts)
{
    size_t i;
    const json_t *part;
    json_array_foreach(parts, i, part)
    {
        struct str text = json_text(json_object_get(part, "text"));
        if (text.len == 0)
            text = json_text(json_object_get(part, "refusal"));
        enum err err = thoughts ? reply_reasoning(r, text) : reply_text(r, text);
        if (err != ERR_NONE)
            return err;
    }
    return ERR_NONE;
}

static bool has_call(const struct reply *r, struct str call_id)
{
    for (unsigned i = 0; i < r->call_count; i++)
        if (r->calls[i].tool_name && r->calls[i].call_id && str_is(call_id, r->calls[i].call_id))
            return true;
    return false;
}

/* A call whose beginning was not told: its arguments may have come all the same. */
static enum err read_late_call(struct reply *r, int64_t index, const json_t *item)
{
    struct str none = {NULL, 0};
    for (unsigned i = 0; i < r->call_count; i++)
        if (!r->calls[i].tool_name && r->calls[i].index == index && r->calls[i].arguments.len > 0)
            return reply_call(r, index, json_text(json_object_get(item, "call_id")),
                              json_text(json_object_get(item, "name")), none);
    return read_item(r, index, item);
}

/* What of the whole response no event has told. */
static enum err read_untold(struct reply *r, const json_t *output)
{
    size_t i, calls = 0;
    const json_t *item;
    enum err err = ERR_NONE;
    json_array_foreach(output, i, item) calls +=
        str_is(json_text(json_object_get(item, "type")), "function_call");
    bool silent = r->text_came == 0, missing = calls > r->call_count;
    json_array_foreach(output, i, item)
    {
        struct str type = json_text(json_object_get(item, "type"));
        if (silent && str_is(type, "message"))
            err = read_parts(r, json_object_get(item, "content"), false);
        else if (missing && !has_call(r, json_text(json_object_get(item, "call_id"))))
            err = read_item(r, (int64_t)i, item);
        if (err != ERR_NONE)
            break;
    }
    return err;
}

static void read_usage(struct reply *r, const json_t *usage)
{
    const json_t *details = json_object_get(usage, "input_tokens_details");
    if (json_is_object(usage))
        reply_usage(r, jsonio_count(json_object_get(usage, "input_tokens")),
                    jsonio_count(json_object_get(usage, "output_tokens")),
                    jsonio_count(json_object_get(details, "cached_tokens")));
}

/* response.completed, .incomplete, .failed, .cancelled; or a whole response. */
static enum err read_end(struct reply *r, const json_t *response)
{
    struct str status = json_text(json_object_get(response, "status"));
    const json_t *error = json_object_get(response, "error"); /* some say no status */
    read_usage(r, json_object_get(response, "usage"));
    if (str_is(status, "failed") || (status.len == 0 && json_object_size(error) > 0))
        return jsonio_error(r, 200, error);
    if (str_is(status, "cancelled"))
        return reply_fail(r, ERR_MODEL_UNAVAILABLE, true,
                          "The model's server cancelled the answer");
    r->ended = true;
    if (str_is(status, "incomplete")) {
        struct str why =
            json_text(json_object_get(json_object_get(response, "incomplete_details"), "reason"));
        reply_stop(r, str_is(why, "content_filter") ? why : STR("length"));
    } else {
        reply_stop(r, STR("stop"));
    }
    return ERR_NONE;
}

static bool is_end(struct str type)
{
    return str_is(type, "response.completed") || str_is(type, "response.incomplete") ||
           str_is(type, "response.failed") || str_is(type, "response.cancelled") ||
           str_is(type, "response.done"); /* of OpenAI's sockets, and of gateways to them */
}

static enum err read_typed(struct reply *r, struct str type, const json_t *root);
static enum err read_whole(struct reply *r, const json_t *root);

static enum err read_event(struct reply *r, struct str name, struct str data)
{
    if (str_is(str_trim(data), "[DONE]")) { /* of gateways */
        r->ended = true;
        return ERR_NONE;
    }
    struct str text;
    r->marked = false;
    if (delta_text(DELTA_RESPONSES, data, reply_scratch(r), &text))
        return reply_text(r, text);
    json_auto_t *root = jsonio_read(r, data);
    if (!json_is_object(root))
        return reply_fail(r, ERR_MODEL_BROKEN, true, "The model sent an event that is no JSON");
    struct str type = json_text(json_object_get(root, "type"));
    if (type.len == 0)
        type = name;
    if (jsonio_is_error(root, name))
        return jsonio_event_error(r, root);
    if (type.len == 0 && !json_object_get(root, "output") && jsonio_is_odd_error(root))
        return jsonio_odd_error(r, root);
    return read_typed(r, type, root);
}

/* A whole item: some gateways send no pieces of it, or not its beginning. */
static enum err end_item(struct reply *r, int64_t index, const json_t *item)
{
    struct str id = json_text(json_object_get(item, "id"));
    const json_t *arguments = json_object_get(item, "arguments");
    bool silent = r->item_from == r->text_came;
    keep_item(r, item);
    r->item_from = r->text_came;
    if (str_is(json_text(json_object_get(item, "type")), "message"))
        return silent ? read_parts(r, json_object_get(item, "content"), false) : ERR_NONE;
    return has_call(r, json_text(json_object_get(item, "call_id")))
               ? read_arguments(r, index, id, arguments)
               : read_late_call(r, index, item);
}

static enum err read_typed(struct reply *r, struct str type, const json_t *root)
{
    int64_t index = jsonio_index(json_object_get(root, "output_index"));
    struct str delta = json_text(json_object_get(root, "delta")), none = {NULL, 0};
    struct str id = json_text(json_object_get(root, "item_id"));
    const json_t *item = json_object_get(root, "item");
    if (type.len == 0 && json_is_array(json_object_get(root, "output")))
        return read_whole(r, root); /* no stream, though one was asked for */
    if (str_is(type, "response.output_text.delta") || str_is(type, "response.refusal.delta"))
        return reply_text(r, delta);
    if (str_is(type, "response.reasoning_summary_text.delta") ||
        str_is(type, "response.reasoning_text.delta"))
        return reply_reasoning(r, delta);
    if (str_is(type, "response.reasoning_summary_part.added") && r->reasoning.len > 0)
        return reply_reasoning(r, STR("\n\n"));
    if (str_is(type, "response.output_item.added")) {
        r->item_from = r->text_came;
        begin_message(r, item);
        return read_item(r, index, item);
    }
    if (str_is(type, "response.function_call_arguments.delta"))
        return reply_call(r, index, id, none, delta);
    if (str_is(type, "response.function_call_arguments.done"))
        return read_arguments(r, index, id, json_object_get(root, "arguments"));
    if (str_is(type, "response.output_item.done"))
        return end_item(r, index, item);
    if (!is_end(type))
        return ERR_NONE; /* created, in_progress, …; parts and their ends; news */
    const json_t *response = json_object_get(root, "response");
    bool only = !r->began && r->state.len == 0; /* gateways that make events of a whole response */
    if (only)
        return read_whole(r, response);
    enum err err = str_is(type, "response.completed") || str_is(type, "response.done")
                       ? read_untold(r, json_object_get(response, "output"))
                       : ERR_NONE;
    return err != ERR_NONE ? err : read_end(r, response);
}

static enum err read_body(struct reply *r, int http_status, struct str body)
{
    json_auto_t *root = jsonio_read(r, body);
    if (http_status != 200 || !json_is_array(json_object_get(root, "output")))
        return jsonio_refusal(r, http_status, root, body);
    return read_whole(r, root);
}

static enum err read_output(struct reply *r, const json_t *output)
{
    const json_t *item;
    size_t i;
    json_array_foreach(output, i, item)
    {
        bool thoughts = str_is(json_text(json_object_get(item, "type")), "reasoning");
        enum err err = read_item(r, (int64_t)i, item);
        begin_message(r, item);
        keep_item(r, item);
        if (err == ERR_NONE)
            err = read_parts(r, json_object_get(item, "summary"), thoughts);
        if (err == ERR_NONE)
            err = read_parts(r, json_object_get(item, "content"), thoughts);
        if (err != ERR_NONE)
            return err;
    }
    return ERR_NONE;
}

static enum err read_whole(struct reply *r, const json_t *root)
{
    enum err err = read_output(r, json_object_get(root, "output"));
    return err != ERR_NONE ? err : read_end(r, root);
}
