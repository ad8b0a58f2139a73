/* worker/llm_responses.c: OpenAI's Responses API, streaming, nothing kept there (store: false).
 *
 * A response is a list of output items, each with its number; events tell what is added to which.
 * Reasoning items come encrypted and go back with the tools' results, as they were. */
#include "worker/llm.h"

#include <stdlib.h>
#include <string.h>
#include "common/jsontext.h"
#include "worker/delta.h"
#include "worker/jsonio.h"

static enum err write_request(const struct llm_request *r, struct llm_wire *out);
static enum err read_event(struct reply *r, struct str name, struct str data);
static enum err read_body(struct reply *r, int http_status, struct str body);

const struct llm_format llm_responses = {write_request, read_event, read_body};

/* ---- the request ---- */

static void write_message(struct buf *b, const char *role, const char *type, struct str text)
{
    buf_puts(b, b->at[b->len - 1] == '[' ? "{" : ",{");
    jsonio_field(b, "type", STR("message"));
    jsonio_field(b, "role", str_of(role));
    buf_puts(b, ",\"content\":[{");
    jsonio_field(b, "type", str_of(type));
    jsonio_field(b, "text", text);
    buf_puts(b, "}]}");
}

static void write_item_head(struct buf *b, const char *type, struct str call_id)
{
    buf_puts(b, b->at[b->len - 1] == '[' ? "{" : ",{");
    jsonio_field(b, "type", str_of(type));
    jsonio_field(b, "call_id", call_id);
}

static void write_assistant(struct buf *b, const struct llm_request *r,
                            const struct prompt_item *item)
{
    bool own = str_is(item->model, r->model->name);
    json_auto_t *state = own ? jsonio_parse(item->state) : NULL;
    size_t i;
    const json_t *reasoning;
    json_array_foreach(state, i, reasoning)
    {
        char *text = json_dumps(reasoning, JSON_COMPACT);
        buf_puts(b, b->at[b->len - 1] == '[' ? "" : ",");
        buf_puts(b, text ? text : "{}");
        free(text);
    }
    if (item->text.len > 0 || item->call_count == 0)
        write_message(b, "assistant", "output_text", item->text);
    for (unsigned n = 0; n < item->call_count; n++) {
        const struct record_call *c = &item->calls[n];
        json_auto_t *valid = jsonio_parse(c->arguments);
        write_item_head(b, "function_call", c->call_id);
        jsonio_field(b, "name", c->tool_name);
        jsonio_field(b, "arguments", json_is_object(valid) ? c->arguments : STR("{}"));
        buf_putc(b, '}');
    }
}

static void write_input(struct buf *b, const struct llm_request *r)
{
    buf_puts(b, ",\"input\":[");
    for (unsigned i = 0; i < r->prompt->count; i++) {
        const struct prompt_item *item = &r->prompt->items[i];
        if (item->gone)
            continue;
        switch (item->kind) {
        case PROMPT_USER:
            write_message(b, "user", "input_text", item->text);
            break;
        case PROMPT_ASSISTANT:
            write_assistant(b, r, item);
            break;
        case PROMPT_RESULT:
            write_item_head(b, "function_call_output", item->call_id);
            jsonio_field(b, "output", item->text);
            buf_putc(b, '}');
            break;
        }
    }
    buf_putc(b, ']');
}

static void write_tools(struct buf *b, const struct llm_request *r)
{
    for (unsigned i = 0; i < r->tool_count; i++) {
        const struct tool_spec *t = &r->tools[i];
        buf_puts(b, i == 0 ? ",\"tools\":[{" : ",{");
        jsonio_field(b, "type", STR("function"));
        jsonio_field(b, "name", str_of(t->name));
        jsonio_field(b, "description", str_of(t->description));
        buf_printf(b, ",\"parameters\":%s,\"strict\":false", t->schema_json);
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
    jsonio_field(b, "model", str_of(m->id));
    jsonio_field(b, "instructions", buf_str(&r->prompt->system));
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

static enum err read_item(struct reply *r, int64_t index, const json_t *item)
{
    if (!str_is(json_text(json_object_get(item, "type")), "function_call"))
        return ERR_NONE;
    return reply_call(r, index, json_text(json_object_get(item, "call_id")),
                      json_text(json_object_get(item, "name")),
                      json_text(json_object_get(item, "arguments")));
}

/* A reasoning item that is whole is kept as it came: id, summary, encrypted_content. */
static void keep_item(struct reply *r, const json_t *item)
{
    if (!str_is(json_text(json_object_get(item, "type")), "reasoning") ||
        json_text(json_object_get(item, "encrypted_content")).len == 0)
        return;
    char *text = json_dumps(item, JSON_COMPACT);
    if (r->state.len > 0)
        r->state.len--; /* the list's end */
    buf_puts(&r->state, r->state.len == 0 ? "[" : ",");
    buf_puts(&r->state, text ? text : "{}");
    buf_putc(&r->state, ']');
    free(text);
}

/* Arguments that never came in pieces. */
static enum err read_arguments(struct reply *r, int64_t index, struct str arguments)
{
    struct str none = {NULL, 0};
    for (unsigned i = 0; i < r->call_count; i++)
        if (r->calls[i].index == index && r->calls[i].arguments.len == 0)
            return reply_call(r, index, none, none, arguments);
    return ERR_NONE;
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
    read_usage(r, json_object_get(response, "usage"));
    if (str_is(status, "failed"))
        return jsonio_error(r, 200, json_object_get(response, "error"));
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
           str_is(type, "response.failed") || str_is(type, "response.cancelled");
}

static enum err read_event(struct reply *r, struct str name, struct str data)
{
    if (str_trim(data).len == 0 || str_is(str_trim(data), "[DONE]"))
        return ERR_NONE;
    struct str text;
    if (delta_text(DELTA_RESPONSES, data, &r->scratch, &text))
        return reply_text(r, text);
    json_auto_t *root = jsonio_parse(data);
    if (!json_is_object(root))
        return reply_fail(r, ERR_MODEL_BROKEN, true, "The model sent an event that is no JSON");
    struct str type = json_text(json_object_get(root, "type")), none = {NULL, 0};
    if (type.len == 0)
        type = name;
    const json_t *number = json_object_get(root, "output_index");
    int64_t index = json_is_integer(number) ? json_integer_value(number) : -1;
    struct str delta = json_text(json_object_get(root, "delta"));
    const json_t *item = json_object_get(root, "item");
    if (str_is(type, "response.output_text.delta") || str_is(type, "response.refusal.delta"))
        return reply_text(r, delta);
    if (str_is(type, "response.reasoning_summary_text.delta") ||
        str_is(type, "response.reasoning_text.delta"))
        return reply_reasoning(r, delta);
    if (str_is(type, "response.reasoning_summary_part.added") && r->reasoning.len > 0)
        return reply_reasoning(r, STR("\n\n"));
    if (str_is(type, "response.output_item.added"))
        return read_item(r, index, item);
    if (str_is(type, "response.function_call_arguments.delta"))
        return reply_call(r, index, none, none, delta);
    if (str_is(type, "response.function_call_arguments.done"))
        return read_arguments(r, index, json_text(json_object_get(root, "arguments")));
    if (str_is(type, "response.output_item.done"))
        keep_item(r, item);
    if (is_end(type))
        return read_end(r, json_object_get(root, "response"));
    if (str_is(type, "error")) { /* its fields lie open, or in an error of their own */
        const json_t *error = json_object_get(root, "error");
        return jsonio_error(r, 200, json_is_object(error) ? error : root);
    }
    return ERR_NONE; /* created, in_progress, …; parts and their ends; other tools' events */
}

static enum err read_body(struct reply *r, int http_status, struct str body)
{
    json_auto_t *root = jsonio_parse(body);
    const json_t *output = json_object_get(root, "output"), *item, *part;
    if (http_status != 200 || !json_is_array(output))
        return jsonio_refusal(r, http_status, root);
    size_t i, j;
    enum err err = ERR_NONE;
    json_array_foreach(output, i, item)
    {
        if (err == ERR_NONE)
            err = read_item(r, (int64_t)i, item);
        keep_item(r, item);
        json_array_foreach(json_object_get(item, "content"), j, part)
        {
            if (err == ERR_NONE)
                err = reply_text(r, json_text(json_object_get(part, "text")));
        }
    }
    return err != ERR_NONE ? err : read_end(r, root);
}
