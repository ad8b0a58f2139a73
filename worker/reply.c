#include "worker/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/check.h"
#include "common/loop.h"

static enum err take(struct reply *r, size_t bytes);
static struct reply_call *find(struct reply *r, int64_t index, struct str call_id);
static void free_call(struct reply_call *c);
static void name_calls(struct reply *r, uint32_t step);

void reply_init(struct reply *r, uint64_t bytes_max, const struct reply_handler *h, void *arg)
{
    *r = (struct reply){.bytes_max = bytes_max, .handler = h, .arg = arg};
    buf_init(&r->content, bytes_max);
    buf_init(&r->reasoning, bytes_max);
    buf_init(&r->scratch, bytes_max);
    buf_init(&r->signature, REPLY_STATE_MAX);
    buf_init(&r->state, REPLY_STATE_MAX);
}

void reply_free(struct reply *r)
{
    buf_free(&r->content);
    buf_free(&r->reasoning);
    buf_free(&r->scratch);
    buf_free(&r->signature);
    buf_free(&r->state);
    for (unsigned i = 0; i < r->call_count; i++)
        free_call(&r->calls[i]);
    free(r->calls);
    r->calls = NULL;
    r->call_count = 0;
}

static void free_call(struct reply_call *c)
{
    free(c->call_id);
    free(c->tool_name);
    buf_free(&c->arguments);
}

static enum err take(struct reply *r, size_t bytes)
{
    r->bytes += bytes;
    if (r->bytes > r->bytes_max)
        return reply_fail(r, ERR_OUTPUT_LIMIT, false, "%s", err_sentence(ERR_OUTPUT_LIMIT));
    r->began = true;
    return ERR_NONE;
}

enum err reply_text(struct reply *r, struct str text)
{
    if (text.len == 0)
        return ERR_NONE;
    enum err err = take(r, text.len);
    if (err != ERR_NONE)
        return err;
    buf_add_str(&r->content, text);
    if (r->handler->on_text)
        r->handler->on_text(r->arg, text);
    return ERR_NONE;
}

enum err reply_reasoning(struct reply *r, struct str text)
{
    if (text.len == 0)
        return ERR_NONE;
    enum err err = take(r, text.len);
    if (err != ERR_NONE)
        return err;
    buf_add_str(&r->reasoning, text);
    if (r->handler->on_reasoning)
        r->handler->on_reasoning(r->arg, text);
    return ERR_NONE;
}

enum err reply_call(struct reply *r, int64_t index, struct str call_id, struct str tool_name,
                    struct str arguments)
{
    enum err err = take(r, call_id.len + tool_name.len + arguments.len);
    if (err != ERR_NONE)
        return err;
    struct reply_call *c = find(r, index, call_id);
    if (c == NULL) {
        if (r->call_count == REPLY_CALLS_MAX)
            return reply_fail(r, ERR_MODEL_BROKEN, false,
                              "The model asked for more than %d tool calls at once",
                              REPLY_CALLS_MAX);
        r->calls = xrealloc(r->calls, (r->call_count + 1) * sizeof(*r->calls));
        c = &r->calls[r->call_count++];
        *c = (struct reply_call){.index = index};
        buf_init(&c->arguments, r->bytes_max);
    }
    if (c->call_id == NULL && call_id.len > 0)
        c->call_id = xstrndup(call_id.at, call_id.len);
    if (tool_name.len > 0 && c->tool_name == NULL) {
        c->tool_name = xstrndup(tool_name.at, tool_name.len);
    } else if (tool_name.len > 0 && !str_is(tool_name, c->tool_name)) { /* a name in pieces */
        size_t len = strlen(c->tool_name);
        c->tool_name = xrealloc(c->tool_name, len + tool_name.len + 1);
        memcpy(c->tool_name + len, tool_name.at, tool_name.len);
        c->tool_name[len + tool_name.len] = '\0';
    }
    buf_add_str(&c->arguments, arguments);
    if (r->handler->on_call)
        r->handler->on_call(r->arg, c);
    return ERR_NONE;
}

static struct reply_call *find(struct reply *r, int64_t index, struct str call_id)
{
    for (unsigned i = r->call_count; i-- > 0;) { /* the latest of an index is the one meant */
        struct reply_call *c = &r->calls[i];
        bool same_id = call_id.len > 0 && c->call_id && str_is(call_id, c->call_id);
        bool other_id = call_id.len > 0 && c->call_id && !same_id;
        if (index >= 0 ? c->index == index && !other_id : same_id)
            return c;
    }
    if (index < 0 && call_id.len == 0 && r->call_count > 0)
        return &r->calls[r->call_count - 1];
    return NULL;
}

void reply_stop(struct reply *r, struct str reason)
{
    r->stopped = true;
    snprintf(r->stop_reason, sizeof(r->stop_reason), "%.*s", (int)reason.len, reason.at);
}

void reply_usage(struct reply *r, uint64_t input_tokens, uint64_t output_tokens,
                 uint64_t cached_tokens)
{
    r->usage_known = true;
    r->cached_tokens = cached_tokens;
    r->input_tokens = input_tokens;
    r->output_tokens = output_tokens;
}

enum err reply_fail(struct reply *r, enum err err, bool again, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->detail, sizeof(r->detail), format, args);
    va_end(args);
    size_t len = strlen(r->detail);
    while (len > 0 && !str_utf8((struct str){r->detail, len})) /* cut inside a character */
        len--;
    r->detail[len] = '\0';
    r->again = again;
    return err;
}

enum err reply_end(struct reply *r, uint32_t step)
{
    if (!r->stopped && !r->ended)
        return reply_fail(r, ERR_MODEL_BROKEN, true, "The model's answer was cut off");
    name_calls(r, step);
    if (r->content.len == 0 && r->call_count == 0) {
        if (r->stopped && strcmp(r->stop_reason, "content_filter") == 0)
            return reply_fail(r, ERR_MODEL_REFUSED, false,
                              "The model's provider filtered the answer out");
        if (r->stopped && strcmp(r->stop_reason, "length") == 0)
            return reply_fail(r, ERR_OUTPUT_LIMIT, false,
                              "The model used up its output tokens before it answered");
        return reply_fail(r, ERR_MODEL_BROKEN, true, "The model's answer was empty");
    }
    if (!r->stopped)
        reply_stop(r, STR("stop"));
    if (r->call_count > 0 && strcmp(r->stop_reason, "stop") == 0)
        reply_stop(r, STR("tool_calls")); /* some say "stop" after them */
    if (!r->usage_known) {
        uint64_t bytes = r->content.len + r->reasoning.len;
        for (unsigned i = 0; i < r->call_count; i++)
            bytes += r->calls[i].arguments.len;
        r->output_tokens = (bytes + 3) / 4;
    }
    return ERR_NONE;
}

struct record_message reply_message(const struct reply *r, struct record_call *calls,
                                    unsigned call_count)
{
    for (unsigned i = 0; i < call_count; i++)
        calls[i] = (struct record_call){
            str_of(r->calls[i].call_id), str_of(r->calls[i].tool_name),
            r->calls[i].arguments.len > 0 ? buf_str(&r->calls[i].arguments) : STR("{}")};
    return (struct record_message){.role = ROLE_ASSISTANT,
                                   .at_ms = loop_wall_ms(),
                                   .content = buf_str(&r->content),
                                   .reasoning = buf_str(&r->reasoning),
                                   .stop_reason = str_of(r->stop_reason),
                                   .state = r->state.overflowed ? (struct str){NULL, 0}
                                                                : buf_str(&r->state),
                                   .calls = calls,
                                   .call_count = call_count};
}

bool reply_other_may(const struct reply *r, enum err err)
{
    return !r->began && (err == ERR_MODEL_UNAVAILABLE || err == ERR_MODEL_REFUSED ||
                         err == ERR_MODEL_TIMEOUT || err == ERR_MODEL_BROKEN);
}

static void name_calls(struct reply *r, uint32_t step)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < r->call_count; i++) {
        struct reply_call c = r->calls[i];
        bool twice = false;
        for (unsigned j = 0; j < kept; j++)
            twice = twice || (c.call_id && strcmp(c.call_id, r->calls[j].call_id) == 0);
        if (c.tool_name == NULL) {
            free_call(&c);
            continue;
        }
        if (c.call_id == NULL || twice) { /* results are told apart by it */
            char name[48];
            snprintf(name, sizeof(name), "call_%u_%u", step, i);
            free(c.call_id);
            c.call_id = xstrdup(name);
        }
        r->calls[kept++] = c;
    }
    r->call_count = kept;
}

static bool contains(struct str text, const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 0; i + len <= text.len; i++)
        if (strncasecmp(text.at + i, word, len) == 0)
            return true;
    return false;
}

static bool is_too_long(struct str code, struct str message)
{
    static const char *const words[] = {
        "context_length_exceeded", "context length", "context window",
        "maximum context",         "context size",   "prompt is too long",
        "too many tokens"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (contains(code, words[i]) || contains(message, words[i]))
            return true;
    return contains(code, "exceed_context_size");
}

enum err reply_refused(struct reply *r, int http_status, struct str code, struct str message)
{
    if (is_too_long(code, message) && http_status != 401)
        return reply_fail(r, ERR_CONTEXT_TOO_LONG, true, "%s", err_sentence(ERR_CONTEXT_TOO_LONG));
    if (http_status == 401 || http_status == 403 || contains(code, "invalid_api_key"))
        return reply_fail(r, ERR_MODEL_REFUSED, false,
                          "The model's provider refused the key of this deployment");
    if (contains(code, "insufficient_quota"))
        return reply_fail(r, ERR_MODEL_REFUSED, false,
                          "The model's provider says that this deployment's quota is used up");
    if (http_status == 408 || http_status == 409 || http_status == 429 || http_status >= 500 ||
        contains(code, "rate_limit") || contains(code, "overloaded") ||
        contains(code, "server_error") || contains(code, "unavailable"))
        return reply_fail(r, ERR_MODEL_UNAVAILABLE, true,
                          "The model is not available at the moment (status %d)%s%.*s", http_status,
                          message.len > 0 ? ": " : "", (int)(message.len < 200 ? message.len : 200),
                          message.len > 0 ? message.at : "");
    return reply_fail(r, ERR_MODEL_REFUSED, false,
                      "The model's provider refused the request (status %d)%s%.*s", http_status,
                      message.len > 0 ? ": " : "", (int)(message.len < 200 ? message.len : 200),
                      message.len > 0 ? message.at : "");
}
