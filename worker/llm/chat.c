/* worker/llm/chat.c: OpenAI's Chat Completions, as OpenAI, Azure, vLLM, Ollama, llama.cpp,
 * OpenRouter and others speak it. */
#include "worker/llm/llm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/json.h"
#include "worker/llm/delta.h"
#include "worker/llm/jsonio.h"
#include "worker/llm/history.h"
#include "worker/llm/learned.h"

static enum err write_request(const struct llm_request *r, struct llm_wire *out);
static enum err read_event(struct reply *r, struct str name, struct str data);
static enum err read_body(struct reply *r, int http_status, struct str body);

const struct llm_format llm_chat = {write_request, read_event, read_body};

/* ---- the request ---- */

struct writer {
    const struct llm_request *request;
    struct history history;
};

/* What this server wants back of its own thoughts. DeepSeek demands them for each message of a turn
 * that called tools, in all later requests; of other turns nobody does. */
static void write_thoughts(struct buf *b, const json_t *thoughts)
{
    static const char *const fields[] = {"reasoning_content", "reasoning",      "reasoning_details",
                                         "thinking_blocks",   "reasoning_text", "reasoning_opaque"};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const json_t *v = json_object_get(thoughts, fields[i]);
        char *text = v ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
        if (!text)
            continue;
        json_key(b, fields[i]);
        buf_puts(b, text);
        free(text);
    }
}

/* As Mistral writes it, and wants it back:
 * https://docs.mistral.ai/studio-api/conversations/reasoning */
static void write_parts(struct buf *b, struct str thinking, struct str text)
{
    buf_puts(b, "[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\"");
    json_field(b, "text", thinking);
    buf_puts(b, "}]}");
    if (text.len > 0) {
        buf_puts(b, ",{\"type\":\"text\"");
        json_field(b, "text", text);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

/* As the model wrote it: its template drops the thoughts of turns that are over by itself. */
static void write_content(struct buf *b, const struct prompt_item *item, const json_t *thoughts)
{
    struct str thought = json_text(json_object_get(thoughts, "think"));
    struct str thinking = json_text(json_object_get(thoughts, "thinking"));
    json_key(b, "content");
    if (thinking.len > 0) {
        write_parts(b, thinking, item->text);
    } else if (thought.len > 0) {
        scoped_buf(text, thought.len + item->text.len + 32);
        buf_puts(&text, "<think>");
        buf_add_str(&text, thought);
        buf_puts(&text, "</think>\n\n");
        buf_add_str(&text, item->text);
        json_str(b, buf_str(&text));
    } else if (item->text.len > 0 || item->call_count == 0) {
        json_str(b, item->text);
    } else {
        buf_puts(b, "null");
    }
}

/* Members of a call that go back with it, and the name under which they are kept: signatures of
 * Gemini's thoughts, from Google's own server and from LiteLLM. */
static const struct {
    const char *field, *kept;
} extras[] = {{"extra_content", "calls"}, {"provider_specific_fields", "provider_calls"}};
enum { EXTRAS = sizeof(extras) / sizeof(extras[0]) };

static void write_call(struct buf *b, const struct writer *w, unsigned at, unsigned n,
                       const json_t *thoughts)
{
    const struct record_call *c = &w->request->prompt->items[at].calls[n];
    char key[16];
    buf_puts(b, n == 0 ? ",\"tool_calls\":[{" : ",{");
    json_field(b, "id", history_call_id(&w->history, at, n));
    buf_puts(b, ",\"type\":\"function\",\"function\":{");
    history_name(b, "name", c->tool_name);
    /* What is no JSON would be refused by some servers for the rest of the conversation. */
    json_auto_t *valid = jsonio_parse(c->arguments);
    json_field(b, "arguments", json_is_object(valid) ? c->arguments : STR("{}"));
    buf_putc(b, '}');
    snprintf(key, sizeof(key), "%u", n);
    for (size_t i = 0; i < EXTRAS; i++) {
        const json_t *extra = json_object_get(json_object_get(thoughts, extras[i].kept), key);
        char *text = extra ? json_dumps(extra, JSON_COMPACT) : NULL;
        if (text) {
            json_key(b, extras[i].field);
            buf_puts(b, text);
        }
        free(text);
    }
    buf_putc(b, '}');
}

/* What goes back of the thoughts that a message had; the caller's, or NULL. Mistral wants its own
 * with every message, of turns without tools, too. */
static json_t *thoughts_of(const struct writer *w, unsigned at)
{
    const struct prompt_item *item = &w->request->prompt->items[at];
    bool of_tools =
        item->call_count > 0 || (at > 0 && w->request->prompt->items[at - 1].kind == PROMPT_RESULT);
    json_t *thoughts = history_own(&w->history, item) ? jsonio_parse(item->state) : NULL;
    if (of_tools || json_object_get(thoughts, "thinking"))
        return thoughts;
    json_decref(thoughts);
    return NULL;
}

static void write_assistant(struct buf *b, const struct writer *w, unsigned at)
{
    const struct prompt_item *item = &w->request->prompt->items[at];
    json_auto_t *thoughts = thoughts_of(w, at);
    write_content(b, item, thoughts);
    write_thoughts(b, thoughts);
    for (unsigned n = 0; n < item->call_count; n++)
        write_call(b, w, at, n, thoughts);
    if (item->call_count > 0)
        buf_putc(b, ']');
}

static void write_messages(struct buf *b, const struct llm_request *r)
{
    const struct prompt *p = r->prompt;
    struct writer w = {.request = r};
    history_init(&w.history, r);
    buf_puts(b, ",\"messages\":[{\"role\":\"system\"");
    json_field(b, "content", buf_str(&p->system));
    buf_putc(b, '}');
    for (unsigned i = 0; i < p->count; i++) {
        const struct prompt_item *item = &p->items[i];
        if (item->gone)
            continue;
        switch (item->kind) {
        case PROMPT_USER:
            buf_puts(b, ",{\"role\":\"user\"");
            json_field(b, "content", item->text);
            break;
        case PROMPT_ASSISTANT:
            buf_puts(b, ",{\"role\":\"assistant\"");
            write_assistant(b, &w, i);
            break;
        case PROMPT_RESULT:
            buf_puts(b, ",{\"role\":\"tool\"");
            json_field(b, "tool_call_id", history_result_id(&w.history, i));
            json_field(b, "content", item->text);
            break;
        }
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
    history_free(&w.history);
}

static void write_tools(struct buf *b, const struct llm_request *r)
{
    for (unsigned i = 0; i < r->tool_count; i++) {
        const struct tool_spec *t = &r->tools[i];
        buf_puts(b, i == 0 ? ",\"tools\":[" : ",");
        buf_puts(b, "{\"type\":\"function\",\"function\":{");
        json_field(b, "name", str_of(t->name));
        json_field(b, "description", str_of(t->description));
        buf_puts(b, ",\"parameters\":");
        buf_puts(b, t->schema_json);
        buf_puts(b, "}}");
    }
    if (r->tool_count > 0)
        buf_putc(b, ']');
}

static void write_options(struct buf *b, const struct llm_request *r)
{
    const struct model *m = r->model;
    static const char *const reserved[] = {"messages", "stream", "model", NULL};
    json_t *fields = json_object();
    json_object_set_new(fields, "stream_options", json_pack("{s:b}", "include_usage", 1));
    json_object_set_new(fields, learned_tokens_field(m), json_integer(llm_output_max(r)));
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
    json_field(b, "model", str_of(m->id));
    write_messages(b, r);
    write_tools(b, r);
    buf_puts(b, ",\"stream\":true");
    write_options(b, r);
    buf_putc(b, '}');
    return b->overflowed || out->url.overflowed ? ERR_CONTEXT_TOO_LONG : ERR_NONE;
}

/* ---- the stream ---- */

/* A member of what goes back on this message, made when it is not there. */
static json_t *kept(struct reply *r, const char *key, json_t *make(void))
{
    if (!r->thoughts)
        r->thoughts = json_object();
    json_t *v = json_object_get(r->thoughts, key);
    if (!v)
        json_object_set_new(r->thoughts, key, v = make());
    return v;
}

/* Is it a piece of the same block? */
static bool goes_on(const json_t *block, const json_t *piece)
{
    static const char *const same[] = {"type", "index", "id", "format"};
    const char *data = json_string_value(json_object_get(block, "data"));
    if (!block || data || json_text(json_object_get(block, "signature")).len > 0)
        return false;
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        const json_t *a = json_object_get(block, same[i]), *b = json_object_get(piece, same[i]);
        if (a && b && !json_is_null(a) && !json_is_null(b) && !json_equal(a, b))
            return false;
    }
    return true;
}

/* Texts grow, the rest is as it was said last. */
static void merge(json_t *block, const json_t *piece)
{
    const char *field;
    json_t *v;
    json_object_foreach((json_t *)piece, field, v)
    {
        struct str had = json_text(json_object_get(block, field)), more = json_text(v);
        bool grows = strcmp(field, "text") == 0 || strcmp(field, "summary") == 0 ||
                     strcmp(field, "thinking") == 0;
        if (json_is_null(v) || (grows && more.len == 0))
            continue;
        scoped_buf(text, had.len + more.len);
        buf_add_str(&text, had);
        buf_add_str(&text, more);
        if (grows)
            json_object_set_new(block, field, json_stringn(text.at, text.len));
        else
            json_object_set(block, field, v);
    }
}

/* Blocks of thoughts that go back as they were (OpenRouter, LiteLLM) and come in pieces. */
static void keep_blocks(struct reply *r, const json_t *pieces, const char *key)
{
    size_t i;
    const json_t *piece;
    json_array_foreach(pieces, i, piece)
    {
        json_t *list = kept(r, key, json_array), *copy;
        json_t *block = json_array_get(list, json_array_size(list) - 1);
        if (!json_is_object(piece) || !reply_room(r, piece))
            continue;
        if (goes_on(block, piece))
            merge(block, piece);
        else if ((copy = json_deep_copy(piece)) != NULL)
            json_array_append_new(list, copy);
    }
}

static enum err read_blocks(struct reply *r, const json_t *pieces)
{
    size_t i;
    const json_t *piece;
    json_array_foreach(pieces, i, piece)
    {
        struct str text = json_text(json_object_get(piece, "text"));
        enum err err =
            reply_reasoning(r, text.len > 0 ? text : json_text(json_object_get(piece, "summary")));
        if (err != ERR_NONE)
            return err;
    }
    return ERR_NONE;
}

/* at: its number where it has none, or -1. */
static enum err read_call(struct reply *r, const json_t *v, int64_t at)
{
    int64_t index = jsonio_index(json_object_get(v, "index"));
    const json_t *function = json_object_get(v, "function");
    if (!json_is_object(function) && json_text(json_object_get(v, "name")).len > 0)
        function = v; /* some leave the object out */
    const json_t *given = json_object_get(function, "arguments");
    if (!given) /* as the models themselves write it (Llama) */
        given = json_object_get(function, "parameters");
    char *arguments = jsonio_dump(given);
    char *id = jsonio_dump(json_object_get(v, "id")); /* a number by some */
    enum err err = reply_call(r, index < 0 ? at : index, str_of(id),
                              json_text(json_object_get(function, "name")), str_of(arguments));
    free(arguments);
    free(id);
    return err;
}

/* A member of theirs that goes back with the call it came with, by its number. */
static void keep_extra(struct reply *r, const json_t *call)
{
    char key[16];
    snprintf(key, sizeof(key), "%u", r->call_count - 1);
    for (size_t i = 0; i < EXTRAS && r->call_count > 0; i++) {
        json_t *extra = json_object_get(call, extras[i].field);
        if (json_is_object(extra) && reply_room(r, extra))
            json_object_set(kept(r, extras[i].kept, json_object), key, extra);
    }
}

/* Several at once that have no numbers are numbered as they stand. */
static enum err read_calls(struct reply *r, const json_t *calls)
{
    size_t count = json_is_object(calls) ? 1 : json_array_size(calls);
    for (size_t i = 0; i < count; i++) {
        const json_t *v = json_is_object(calls) ? calls : json_array_get(calls, i);
        enum err err = read_call(r, v, count > 1 ? (int64_t)i : -1);
        if (err != ERR_NONE)
            return err;
        keep_extra(r, v);
    }
    return ERR_NONE;
}

static enum err read_content(struct reply *r, const json_t *content)
{
    if (json_is_string(content))
        return reply_text(r, json_text(content));
    if (json_is_object(content)) /* one part */
        return reply_text(r, json_text(json_object_get(content, "text")));
    size_t i;
    const json_t *part; /* Mistral: a list of parts */
    json_array_foreach(content, i, part)
    {
        const json_t *thinking = json_object_get(part, "thinking");
        enum err err = read_blocks(r, thinking);
        if (json_is_array(thinking))
            r->thoughts_field = "thinking";
        if (err == ERR_NONE)
            err = reply_text(r, json_text(json_object_get(part, "text")));
        if (err != ERR_NONE)
            return err;
    }
    return ERR_NONE;
}

/* Encrypted thoughts (Copilot), in one piece. */
static void keep_opaque(struct reply *r, json_t *opaque)
{
    if (json_text(opaque).len == 0 || !reply_room(r, opaque))
        return;
    kept(r, "reasoning_opaque", json_null);
    json_object_set(r->thoughts, "reasoning_opaque", opaque);
}

static enum err read_thoughts(struct reply *r, const json_t *delta)
{
    static const char *const fields[] = {"reasoning_content", "reasoning", "reasoning_text",
                                         "thinking"};
    const json_t *details = json_object_get(delta, "reasoning_details");
    keep_opaque(r, json_object_get(delta, "reasoning_opaque"));
    keep_blocks(r, details, "reasoning_details");
    keep_blocks(r, json_object_get(delta, "thinking_blocks"), "thinking_blocks");
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct str text = json_text(json_object_get(delta, fields[i]));
        if (text.len == 0)
            continue;                           /* some say it in both */
        if (strcmp(fields[i], "thinking") != 0) /* of Ollama's, which wants none back */
            r->thoughts_field = fields[i];
        return reply_reasoning(r, text);
    }
    return read_blocks(r, details);
}

static enum err read_delta(struct reply *r, const json_t *delta)
{
    enum err err = read_thoughts(r, delta);
    if (err == ERR_NONE)
        err = read_content(r, json_object_get(delta, "content"));
    if (err == ERR_NONE)
        err = reply_text(r, json_text(json_object_get(delta, "refusal")));
    if (err == ERR_NONE)
        err = read_calls(r, json_object_get(delta, "tool_calls"));
    if (err == ERR_NONE && json_is_object(json_object_get(delta, "function_call"))) {
        json_auto_t *call = json_pack("{s:O}", "function", json_object_get(delta, "function_call"));
        err = read_call(r, call, -1); /* before there were several at once */
    }
    return err;
}

/* What a chunk adds. A whole reply has "message" where a chunk has "delta"; behind a stream it says
 * again what came. */
static enum err read_choice(struct reply *r, const json_t *choice)
{
    const json_t *delta = json_object_get(choice, "delta"),
                 *message = json_object_get(choice, "message");
    if (json_is_object(delta) || !json_is_object(message))
        return read_delta(r, delta);
    enum err err = r->began ? ERR_NONE : read_delta(r, message);
    r->ended = true;
    return err;
}

static bool ends_with(struct str text, const char *end)
{
    size_t len = strlen(end);
    return text.len >= len && strncasecmp(text.at + text.len - len, end, len) == 0;
}

/* Words that servers have for the same; "" is no end of a reply but a fault of theirs. */
static enum err read_finish(struct reply *r, struct str reason)
{
    static const char *const none[] = {"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"};
    static const char *const words[][2] = {
        {"function_call", "tool_calls"},
        {"tool_call", "tool_calls"},
        {"tool_use", "tool_calls"},
        {"max_tokens", "length"},
        {"max_output_tokens", "length"},
        {"model_length", "length"},           /* Mistral: the window is full */
        {"stop", "stop"},                     /* in capitals */
        {"end_turn", "stop"},                 /* Anthropic's, by gateways */
        {"stop_sequence", "stop"},            /* likewise */
        {"eos", "stop"},                      /* Together */
        {"eos_token", "stop"},                /* TGI */
        {"complete", "stop"},                 /* Cohere's, by gateways */
        {"error_toxic", "content_filter"},    /* likewise */
        {"safety", "content_filter"},         /* Google's, by gateways */
        {"recitation", "content_filter"},     /* likewise */
        {"refusal", "content_filter"},        /* Anthropic's, by gateways */
        {"sensitive", "content_filter"},      /* Zhipu */
        {"insufficient_system_resource", ""}, /* DeepSeek */
        {"network_error", ""},                /* Zhipu */
        {"abort", ""},                        /* vLLM, SGLang */
        {"aborted", ""},
        {"cancelled", ""},
        {"error", ""}, /* OpenRouter, Mistral */
    };
    const char *word = NULL;
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) /* "function_call_filter: …" */
        if (ends_with(reason, none[i]))
            return reply_fail(r, ERR_MODEL_BROKEN, true,
                              "The model wrote a tool call that is none");
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && !word; i++)
        if (reason.len == strlen(words[i][0]) &&
            strncasecmp(reason.at, words[i][0], reason.len) == 0)
            word = words[i][1];
    if (word && word[0] == '\0')
        return reply_fail(r, ERR_MODEL_UNAVAILABLE, true, "The model's server broke off");
    if (reason.len > 0)
        reply_stop(r, word ? str_of(word) : reason);
    return ERR_NONE;
}

/* Most count in a chunk's usage, some in the choice's (Kimi) or in a field of their own (Groq); for
 * what was read from the cache each has its word. */
static void read_usage(struct reply *r, const json_t *root, const json_t *choice)
{
    const json_t *usage = json_object_get(root, "usage");
    if (!json_is_object(usage))
        usage = json_object_get(choice, "usage");
    if (!json_is_object(usage))
        usage = json_object_get(json_object_get(root, "x_groq"), "usage");
    if (!json_is_object(usage))
        return;
    uint64_t input = jsonio_count(json_object_get(usage, "prompt_tokens"));
    uint64_t output = jsonio_count(json_object_get(usage, "completion_tokens"));
    uint64_t cached = jsonio_count(
        json_object_get(json_object_get(usage, "prompt_tokens_details"), "cached_tokens"));
    if (input == 0) /* the words of other APIs, by gateways */
        input = jsonio_count(json_object_get(usage, "input_tokens"));
    if (output == 0)
        output = jsonio_count(json_object_get(usage, "output_tokens"));
    if (cached == 0)
        cached = jsonio_count(json_object_get(usage, "prompt_cache_hit_tokens")); /* DeepSeek */
    if (cached == 0)
        cached = jsonio_count(json_object_get(usage, "cached_tokens")); /* Kimi */
    reply_usage(r, input, output, cached);
}

/* One answer is asked for; Copilot's Claude has its calls in a choice beside the text. */
static enum err read_others(struct reply *r, const json_t *choices)
{
    enum err err = ERR_NONE;
    for (size_t i = 1; i < json_array_size(choices) && err == ERR_NONE; i++) {
        const json_t *choice = json_array_get(choices, i);
        const json_t *delta = json_object_get(choice, "delta");
        if (!delta)
            delta = json_object_get(choice, "message");
        err = read_calls(r, json_object_get(delta, "tool_calls"));
    }
    return err;
}

static enum err read_chunk(struct reply *r, const json_t *root)
{
    const json_t *choice = json_array_get(json_object_get(root, "choices"), 0);
    const json_t *groq = json_object_get(root, "x_groq");
    if (jsonio_is_error(choice, STR(""))) /* OpenRouter */
        return jsonio_event_error(r, choice);
    if (jsonio_is_error(groq, STR(""))) /* why it stops early */
        return jsonio_event_error(r, groq);
    enum err err = read_choice(r, choice);
    if (err == ERR_NONE)
        err = read_others(r, json_object_get(root, "choices"));
    if (err != ERR_NONE)
        return err;
    read_usage(r, root, choice);
    return read_finish(r, json_text(json_object_get(choice, "finish_reason")));
}

/* Ollama's own API (/api/chat), which has no choices. */
static enum err read_ollama(struct reply *r, const json_t *root)
{
    struct str why = json_text(json_object_get(root, "done_reason"));
    enum err err = read_delta(r, json_object_get(root, "message"));
    if (err != ERR_NONE || !json_is_true(json_object_get(root, "done")))
        return err;
    reply_stop(r, why.len > 0 ? why : STR("stop"));
    reply_usage(r, jsonio_count(json_object_get(root, "prompt_eval_count")),
                jsonio_count(json_object_get(root, "eval_count")), 0);
    r->ended = true;
    return ERR_NONE;
}

static enum err read_object(struct reply *r, const json_t *root)
{
    bool ollama = !json_object_get(root, "choices") &&
                  json_is_object(json_object_get(root, "message")) && json_object_get(root, "done");
    if (ollama)
        return read_ollama(r, root);
    if (!json_object_get(root, "choices") && jsonio_is_odd_error(root))
        return jsonio_odd_error(r, root);
    return read_chunk(r, root);
}

/* What the library would have read of it, and read_chunk made of that. */
static enum err read_end(struct reply *r, const struct delta_end *end)
{
    if (end->counted)
        reply_usage(r, end->input_tokens, end->output_tokens, end->cached_tokens);
    return read_finish(r, end->reason);
}

static enum err read_event(struct reply *r, struct str name, struct str data)
{
    data = str_trim(data);
    if (data.len == 0)
        return ERR_NONE;
    if (str_is(data, "[DONE]")) {
        r->ended = true;
        return ERR_NONE;
    }
    struct str text;
    r->marked = false;
    if (delta_text(DELTA_CHAT, data, reply_scratch(r), &text))
        return reply_text(r, text);
    struct delta_end end;
    if (!str_is(name, "error") && delta_chat_end(data, &end))
        return read_end(r, &end);
    json_auto_t *root = jsonio_read(r, data);
    if (!json_is_object(root) && r->stopped) { /* a proxy's line behind the answer */
        r->ended = true;
        return ERR_NONE;
    }
    if (!json_is_object(root))
        return reply_fail(r, ERR_MODEL_BROKEN, true, "The model sent an event that is no JSON");
    return jsonio_is_error(root, name) ? jsonio_event_error(r, root) : read_object(r, root);
}

static enum err read_body(struct reply *r, int http_status, struct str body)
{
    json_auto_t *root = jsonio_read(r, body);
    if (http_status != 200 || !json_is_array(json_object_get(root, "choices")))
        return jsonio_refusal(r, http_status, root, body);
    r->ended = true;
    return read_chunk(r, root);
}
