/* worker/llm/generate.c: Google's Gemini API, streamGenerateContent as server-sent events.
 *
 * Each event is a GenerateContentResponse of its own: parts are appended, usage is cumulative, the
 * last one says why it ended; no end follows. Members are read in camelCase and in snake_case. A
 * call comes whole. Thoughts of newer models are signed: signatures go back where they were, at the
 * part that had them. */
#include "worker/llm/llm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/json.h"
#include "worker/llm/delta.h"
#include "worker/llm/jsonio.h"
#include "worker/llm/history.h"

static enum err write_request(const struct llm_request *r, struct llm_wire *out);
static enum err read_event(struct reply *r, struct str name, struct str data);
static enum err read_body(struct reply *r, int http_status, struct str body);

const struct llm_format llm_generate = {write_request, read_event, read_body};

/* Instead of a signature, where another model made the call (documented for Gemini 3, which refuses
 * calls without one). */
static const char no_signature[] = "skip_thought_signature_validator";

static bool wants_signatures(const char *id)
{
    return strncmp(id, "gemini-", 7) == 0 && id[7] >= '3' && id[7] <= '9';
}

/* ---- the request ---- */

struct writer {
    struct buf *b;
    const struct llm_request *request;
    const char *role; /* of the open content, or NULL */
    struct history history;
    bool own; /* the last message of the model's is its own: its calls have ids that it knows */
};

static void open_part(struct writer *w, const char *role)
{
    if (w->role && strcmp(w->role, role) == 0) {
        buf_puts(w->b, ",{");
        return;
    }
    buf_puts(w->b, w->role ? "]},{" : "{");
    json_field(w->b, "role", str_of(role));
    buf_puts(w->b, ",\"parts\":[{");
    w->role = role;
}

/* Its own ids only: it takes calls and results without any, in the same order. */
static void write_id(struct writer *w, struct str call_id)
{
    if (w->own && !str_starts(call_id, STR("call_")))
        json_field(w->b, "id", call_id);
}

static void write_call(struct writer *w, unsigned at, unsigned n, const json_t *signatures)
{
    const struct record_call *c = &w->request->prompt->items[at].calls[n];
    char key[16];
    snprintf(key, sizeof(key), "%u", n);
    struct str signature = json_text(json_object_get(signatures, key));
    if (signatures == NULL && n == 0 && wants_signatures(w->request->model->id))
        signature = str_of(no_signature);
    open_part(w, "model");
    buf_puts(w->b, "\"functionCall\":{");
    write_id(w, history_call_id(&w->history, at, n));
    history_name(w->b, "name", c->tool_name);
    buf_puts(w->b, ",\"args\":");
    jsonio_arguments(w->b, c->arguments);
    buf_putc(w->b, '}');
    if (signature.len > 0)
        json_field(w->b, "thoughtSignature", signature);
    buf_putc(w->b, '}');
}

static void write_assistant(struct writer *w, unsigned at)
{
    const struct prompt_item *item = &w->request->prompt->items[at];
    w->own = history_own(&w->history, item);
    json_auto_t *signatures = w->own ? jsonio_parse(item->state) : NULL;
    if (item->text.len > 0 || item->call_count == 0) {
        struct str signature = json_text(json_object_get(signatures, "text"));
        open_part(w, "model");
        json_field(w->b, "text", item->text);
        if (signature.len > 0)
            json_field(w->b, "thoughtSignature", signature);
        buf_putc(w->b, '}');
    }
    for (unsigned n = 0; n < item->call_count; n++)
        write_call(w, at, n, signatures);
}

static void write_item(struct writer *w, unsigned at)
{
    const struct prompt_item *item = &w->request->prompt->items[at];
    switch (item->kind) {
    case PROMPT_USER:
        open_part(w, "user");
        json_field(w->b, "text", item->text);
        buf_putc(w->b, '}');
        break;
    case PROMPT_ASSISTANT:
        write_assistant(w, at);
        break;
    case PROMPT_RESULT:
        open_part(w, "user");
        buf_puts(w->b, "\"functionResponse\":{");
        write_id(w, history_result_id(&w->history, at));
        history_name(w->b, "name", item->tool_name);
        buf_puts(w->b, ",\"response\":{");
        json_field(w->b, item->failed ? "error" : "output", item->text);
        buf_puts(w->b, "}}}");
        break;
    }
}

static void write_tools(struct buf *b, const struct llm_request *r)
{
    for (unsigned i = 0; i < r->tool_count; i++) {
        const struct tool_spec *t = &r->tools[i];
        buf_puts(b, i == 0 ? ",\"tools\":[{\"functionDeclarations\":[{" : ",{");
        json_field(b, "name", str_of(t->name));
        json_field(b, "description", str_of(t->description));
        json_field_raw(b, "parametersJsonSchema", str_of(t->schema_json));
        buf_puts(b, i + 1 == r->tool_count ? "}]}]" : "}");
    }
}

/* Others would refuse to be asked for their thoughts. */
static bool thinks(const char *id)
{
    return strncmp(id, "gemini-", 7) == 0 && strncmp(id, "gemini-1", 8) != 0 &&
           strncmp(id, "gemini-2.0", 10) != 0;
}

static enum err write_request(const struct llm_request *r, struct llm_wire *out)
{
    static const char *const reserved[] = {"contents", "systemInstruction", NULL};
    const struct model *m = r->model;
    struct buf *b = &out->body;
    struct writer w = {.b = b, .request = r};
    llm_url(out, m, "v1beta", "/models/");
    buf_printf(&out->url, "%s:streamGenerateContent?alt=sse", m->id);
    out->secret_header = "x-goog-api-key";
    buf_puts(b, "{\"systemInstruction\":{\"parts\":[{");
    json_field(b, "text", buf_str(&r->prompt->system));
    buf_puts(b, "}]},\"contents\":[");
    history_init(&w.history, r);
    for (unsigned i = 0; i < r->prompt->count; i++)
        if (!r->prompt->items[i].gone)
            write_item(&w, i);
    history_free(&w.history);
    buf_puts(b, w.role ? "]}]" : "]");
    write_tools(b, r);
    json_t *config = json_pack("{s:I}", "maxOutputTokens", (json_int_t)llm_output_max(r));
    if (thinks(m->id))
        json_object_set_new(config, "thinkingConfig", json_pack("{s:b}", "includeThoughts", 1));
    if (r->schema.len > 0) {
        json_object_set_new(config, "responseMimeType", json_string("application/json"));
        json_object_set_new(config, "responseJsonSchema", jsonio_parse(r->schema));
    }
    json_t *fields = json_object();
    json_object_set_new(fields, "generationConfig", config);
    jsonio_options(b, fields, m, reserved);
    buf_putc(b, '}');
    return b->overflowed || out->url.overflowed ? ERR_CONTEXT_TOO_LONG : ERR_NONE;
}

/* ---- the stream ---- */

/* Keeps a part's signature under its call's number, or "text". */
static void keep_signature(struct reply *r, const char *key, struct str signature)
{
    if (signature.len == 0)
        return;
    if (r->state.len > 0)
        r->state.len--; /* the object's end */
    else
        buf_putc(&r->state, '{');
    json_field(&r->state, key, signature);
    buf_putc(&r->state, '}');
}

/* None is {}; what is no object is kept as it is, to be refused and told what was wrong. */
static char *arguments_of(const json_t *args)
{
    if (args == NULL || json_is_null(args))
        return xstrdup("{}");
    if (json_is_string(args))
        return xstrdup(json_string_value(args));
    return json_dumps(args, JSON_COMPACT | JSON_ENCODE_ANY);
}

static enum err read_call(struct reply *r, const json_t *call, struct str signature)
{
    char *text = arguments_of(json_object_get(call, "args"));
    char key[16];
    snprintf(key, sizeof(key), "%u", r->call_count);
    enum err err =
        reply_call(r, (int64_t)r->call_count, json_text(json_object_get(call, "id")),
                   json_text(json_object_get(call, "name")), text ? str_of(text) : STR("{}"));
    free(text);
    if (err == ERR_NONE)
        keep_signature(r, key, signature);
    return err;
}

static enum err read_part(struct reply *r, const json_t *part)
{
    struct str text = json_text(json_object_get(part, "text"));
    struct str signature = json_text(jsonio_either(part, "thoughtSignature"));
    const json_t *call = jsonio_either(part, "functionCall");
    if (jsonio_either(call, "partialArgs") || json_is_true(jsonio_either(call, "willContinue")))
        return reply_fail(r, ERR_MODEL_REFUSED, false,
                          "The model's options ask for streamFunctionCallArguments, which is not "
                          "read here: leave it out of PERSAI_MODELS");
    if (json_is_object(call))
        return read_call(r, call, signature);
    if (json_is_true(json_object_get(part, "thought")))
        return reply_reasoning(r, text);
    keep_signature(r, "text", signature);
    return reply_text(r, text); /* executableCode and the like need tools that we don't offer */
}

static void read_usage(struct reply *r, const json_t *usage)
{
    if (!json_is_object(usage))
        return;
    uint64_t output = jsonio_count(jsonio_either(usage, "candidatesTokenCount")) +
                      jsonio_count(jsonio_either(usage, "thoughtsTokenCount"));
    uint64_t input = jsonio_count(jsonio_either(usage, "promptTokenCount")) +
                     jsonio_count(jsonio_either(usage, "toolUsePromptTokenCount"));
    reply_usage(r, input, output, jsonio_count(jsonio_either(usage, "cachedContentTokenCount")));
}

static enum err read_finish(struct reply *r, struct str reason)
{
    static const char *const filtered[] = {"SAFETY",
                                           "RECITATION",
                                           "LANGUAGE",
                                           "BLOCKLIST",
                                           "PROHIBITED_CONTENT",
                                           "SPII",
                                           "IMAGE_SAFETY",
                                           "IMAGE_PROHIBITED_CONTENT",
                                           "IMAGE_RECITATION",
                                           "MODEL_ARMOR"};
    if (reason.len == 0 || str_is(reason, "FINISH_REASON_UNSPECIFIED"))
        return ERR_NONE;
    if (str_is(reason, "MALFORMED_FUNCTION_CALL") || str_is(reason, "UNEXPECTED_TOOL_CALL") ||
        str_is(reason, "TOO_MANY_TOOL_CALLS") || str_is(reason, "MALFORMED_RESPONSE") ||
        str_is(reason, "MISSING_THOUGHT_SIGNATURE"))
        return reply_fail(r, ERR_MODEL_BROKEN, true, "The model wrote a tool call that is none");
    for (size_t i = 0; i < sizeof(filtered) / sizeof(filtered[0]); i++)
        if (str_is(reason, filtered[i]))
            reason = STR("content_filter");
    if (str_is(reason, "STOP"))
        reason = STR("stop");
    if (str_is(reason, "MAX_TOKENS"))
        reason = STR("length");
    reply_stop(r, reason);
    return ERR_NONE;
}

static enum err read_response(struct reply *r, const json_t *root)
{
    const json_t *part;
    read_usage(r, jsonio_either(root, "usageMetadata"));
    struct str blocked =
        json_text(jsonio_either(jsonio_either(root, "promptFeedback"), "blockReason"));
    if (blocked.len > 0 && !str_is(blocked, "BLOCKED_REASON_UNSPECIFIED"))
        return reply_fail(r, ERR_MODEL_REFUSED, false, "The model's provider blocked the question");
    const json_t *candidate = json_array_get(json_object_get(root, "candidates"), 0);
    size_t i;
    json_array_foreach(json_object_get(json_object_get(candidate, "content"), "parts"), i, part)
    {
        enum err err = read_part(r, part);
        if (err != ERR_NONE)
            return err;
    }
    return read_finish(r, json_text(jsonio_either(candidate, "finishReason")));
}

/* Without alt=sse, and from some gateways, it is a list of responses. */
static enum err read_responses(struct reply *r, struct str name, const json_t *root)
{
    size_t count = json_is_array(root) ? json_array_size(root) : 1;
    enum err err = ERR_NONE;
    for (size_t i = 0; i < count && err == ERR_NONE; i++) {
        const json_t *v = json_is_array(root) ? json_array_get(root, i) : root;
        if (!json_is_object(v))
            return reply_fail(r, ERR_MODEL_BROKEN, true, "The model sent an event that is no JSON");
        bool ours = json_object_get(v, "candidates") || jsonio_either(v, "promptFeedback") ||
                    jsonio_either(v, "usageMetadata");
        if (jsonio_is_error(v, name))
            err = jsonio_event_error(r, v);
        else if (!ours && jsonio_is_odd_error(v))
            err = jsonio_odd_error(r, v);
        else
            err = read_response(r, v);
    }
    return err;
}

static enum err read_event(struct reply *r, struct str name, struct str data)
{
    if (str_trim(data).len == 0)
        return ERR_NONE;
    if (str_is(str_trim(data), "[DONE]")) { /* of gateways */
        r->ended = true;
        return ERR_NONE;
    }
    struct str text;
    r->marked = false;
    if (delta_text(DELTA_GENERATE, data, reply_scratch(r), &text))
        return reply_text(r, text);
    json_auto_t *root = jsonio_read(r, data);
    if (json_array_size(root) > 0 || json_is_object(root))
        return read_responses(r, name, root);
    return reply_fail(r, ERR_MODEL_BROKEN, true, "The model sent an event that is no JSON");
}

static enum err read_body(struct reply *r, int http_status, struct str body)
{
    json_auto_t *root = jsonio_read(r, body);
    const json_t *first = json_is_array(root) ? json_array_get(root, 0) : root;
    struct str none = {NULL, 0};
    if (http_status != 200 || json_object_get(first, "error") ||
        !(json_object_get(first, "candidates") || jsonio_either(first, "promptFeedback")))
        return jsonio_refusal(r, http_status, root, body);
    return read_responses(r, none, root);
}
