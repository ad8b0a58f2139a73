/* worker/llm_openai.c: OpenAI's Chat Completions, as OpenAI, Azure, vLLM, Ollama, llama.cpp,
 * OpenRouter and others speak it. */
#include "worker/llm.h"

#include <stdlib.h>
#include <string.h>
#include "common/jsontext.h"
#include "worker/delta.h"
#include "worker/jsonio.h"

static enum err write_request(const struct llm_request *r, struct llm_wire *out);
static enum err read_event(struct reply *r, struct str name, struct str data);
static enum err read_body(struct reply *r, int http_status, struct str body);

const struct llm_format llm_chat = {write_request, read_event, read_body};

/* ---- the request ---- */

static void write_assistant(struct buf *b, const struct prompt_item *item)
{
    json_key(b, "content");
    if (item->text.len > 0 || item->call_count == 0)
        json_str(b, item->text);
    else
        buf_puts(b, "null");
    for (unsigned i = 0; i < item->call_count; i++) {
        const struct record_call *c = &item->calls[i];
        buf_puts(b, i == 0 ? ",\"tool_calls\":[{" : ",{");
        jsonio_field(b, "id", c->call_id);
        buf_puts(b, ",\"type\":\"function\",\"function\":{");
        jsonio_field(b, "name", c->tool_name);
        /* What is no JSON would be refused by some servers for the rest of the conversation. */
        json_auto_t *valid = jsonio_parse(c->arguments);
        jsonio_field(b, "arguments", json_is_object(valid) ? c->arguments : STR("{}"));
        buf_puts(b, i + 1 == item->call_count ? "}}]" : "}}");
    }
}

static void write_messages(struct buf *b, const struct prompt *p)
{
    buf_puts(b, ",\"messages\":[{\"role\":\"system\"");
    jsonio_field(b, "content", buf_str(&p->system));
    buf_putc(b, '}');
    for (unsigned i = 0; i < p->count; i++) {
        const struct prompt_item *item = &p->items[i];
        if (item->gone)
            continue;
        switch (item->kind) {
        case PROMPT_USER:
            buf_puts(b, ",{\"role\":\"user\"");
            jsonio_field(b, "content", item->text);
            break;
        case PROMPT_ASSISTANT:
            buf_puts(b, ",{\"role\":\"assistant\"");
            write_assistant(b, item);
            break;
        case PROMPT_RESULT:
            buf_puts(b, ",{\"role\":\"tool\"");
            jsonio_field(b, "tool_call_id", item->call_id);
            jsonio_field(b, "content", item->text);
            break;
        }
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

static void write_tools(struct buf *b, const struct llm_request *r)
{
    for (unsigned i = 0; i < r->tool_count; i++) {
        const struct tool_spec *t = &r->tools[i];
        buf_puts(b, i == 0 ? ",\"tools\":[" : ",");
        buf_puts(b, "{\"type\":\"function\",\"function\":{");
        jsonio_field(b, "name", str_of(t->name));
        jsonio_field(b, "description", str_of(t->description));
        buf_printf(b, ",\"parameters\":%s}}", t->schema_json);
    }
    if (r->tool_count > 0)
        buf_putc(b, ']');
}

/* OpenAI's newer models refuse max_tokens, most other servers know nothing else. */
static const char *tokens_field(const struct model *m)
{
    return strstr(m->base_url, "://api.openai.com") || strstr(m->base_url, ".openai.azure.com")
               ? "max_completion_tokens"
               : "max_tokens";
}

static void write_options(struct buf *b, const struct llm_request *r)
{
    const struct model *m = r->model;
    static const char *const reserved[] = {"messages", "stream", "model", NULL};
    json_t *fields = json_object();
    json_object_set_new(fields, "stream_options", json_pack("{s:b}", "include_usage", 1));
    json_object_set_new(fields, tokens_field(m), json_integer(llm_output_max(r)));
    if (r->schema.len > 0)
        json_object_set_new(fields, "response_format",
                            json_pack("{s:s, s:{s:s, s:o?}}", "type", "json_schema", "json_schema",
                                      "name", "reply", "schema", jsonio_parse(r->schema)));
    jsonio_options(b, fields, m, reserved);
}

static enum err write_request(const struct llm_request *r, struct llm_wire *out)
{
    const struct model *m = r->model;
    llm_url(out, m, NULL, "/chat/completions");
    out->bearer = m->key;
    if (strstr(m->base_url, ".openai.azure.com")) /* Azure wants it under another name, too */
        out->secret_header = "api-key";
    struct buf *b = &out->body;
    buf_putc(b, '{');
    jsonio_field(b, "model", str_of(m->id));
    write_messages(b, r->prompt);
    write_tools(b, r);
    buf_puts(b, ",\"stream\":true");
    write_options(b, r);
    buf_putc(b, '}');
    return b->overflowed || out->url.overflowed ? ERR_CONTEXT_TOO_LONG : ERR_NONE;
}

/* ---- the stream ---- */

static enum err read_calls(struct reply *r, const json_t *calls)
{
    size_t i;
    const json_t *v;
    json_array_foreach(calls, i, v)
    {
        const json_t *function = json_object_get(v, "function");
        const json_t *index = json_object_get(v, "index");
        const json_t *arguments = json_object_get(function, "arguments");
        char *dumped = json_is_object(arguments) ? json_dumps(arguments, JSON_COMPACT) : NULL;
        enum err err = reply_call(r, json_is_integer(index) ? json_integer_value(index) : -1,
                                  json_text(json_object_get(v, "id")),
                                  json_text(json_object_get(function, "name")),
                                  dumped ? str_of(dumped) : json_text(arguments));
        free(dumped);
        if (err != ERR_NONE)
            return err;
    }
    return ERR_NONE;
}

static enum err read_content(struct reply *r, const json_t *content)
{
    if (json_is_string(content))
        return reply_text(r, json_text(content));
    size_t i;
    const json_t *part; /* Mistral: a list of parts */
    json_array_foreach(content, i, part)
    {
        enum err err = reply_text(r, json_text(json_object_get(part, "text")));
        if (err != ERR_NONE)
            return err;
    }
    return ERR_NONE;
}

static enum err read_delta(struct reply *r, const json_t *delta)
{
    const json_t *reasoning = json_object_get(delta, "reasoning_content");
    if (!json_is_string(reasoning))
        reasoning = json_object_get(delta, "reasoning");
    enum err err = reply_reasoning(r, json_text(reasoning));
    if (err == ERR_NONE)
        err = read_content(r, json_object_get(delta, "content"));
    if (err == ERR_NONE)
        err = reply_text(r, json_text(json_object_get(delta, "refusal")));
    if (err == ERR_NONE)
        err = read_calls(r, json_object_get(delta, "tool_calls"));
    return err;
}

/* A chunk, or a whole reply, which has "message" where a chunk has "delta". */
static enum err read_chunk(struct reply *r, const json_t *root, const char *part)
{
    const json_t *error = json_object_get(root, "error");
    if (error && !json_is_null(error))
        return jsonio_error(r, 200, error);
    const json_t *choice = json_array_get(json_object_get(root, "choices"), 0);
    enum err err = read_delta(r, json_object_get(choice, part));
    if (err != ERR_NONE)
        return err;
    struct str finish = json_text(json_object_get(choice, "finish_reason"));
    if (finish.len > 0)
        reply_stop(r, str_is(finish, "function_call") ? STR("tool_calls") : finish);
    const json_t *usage = json_object_get(root, "usage");
    const json_t *details = json_object_get(usage, "prompt_tokens_details");
    if (json_is_object(usage))
        reply_usage(r, jsonio_count(json_object_get(usage, "prompt_tokens")),
                    jsonio_count(json_object_get(usage, "completion_tokens")),
                    jsonio_count(json_object_get(details, "cached_tokens")));
    return ERR_NONE;
}

static enum err read_event(struct reply *r, struct str name, struct str data)
{
    (void)name;
    data = str_trim(data);
    if (data.len == 0)
        return ERR_NONE;
    if (str_is(data, "[DONE]")) {
        r->ended = true;
        return ERR_NONE;
    }
    struct str text;
    if (delta_text(DELTA_CHAT, data, &r->scratch, &text))
        return reply_text(r, text);
    json_auto_t *root = jsonio_parse(data);
    if (!json_is_object(root))
        return reply_fail(r, ERR_MODEL_BROKEN, true, "The model sent an event that is no JSON");
    return read_chunk(r, root, "delta");
}

static enum err read_body(struct reply *r, int http_status, struct str body)
{
    json_auto_t *root = jsonio_parse(body);
    if (http_status != 200 || !json_object_get(root, "choices"))
        return jsonio_refusal(r, http_status, root);
    r->ended = true;
    return read_chunk(r, root, "message");
}
