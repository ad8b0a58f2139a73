#include "gateway/api/openai_say.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/json.h"
#include "gateway/api/saying.h"

enum { TEXT_BYTES_MAX = 8 << 20, HEAD_BYTES_MAX = 2048 };
#define PARAGRAPH "\\n\\n" /* escaped */

static void on_text(struct openai_say *s, struct str text, struct buf *out);
static void on_reasoning(struct openai_say *s, struct str text, struct buf *out);
static void on_other(struct openai_say *s, const json_t *event, struct buf *out);

void openai_say_init(struct openai_say *s, const struct openai_say_config *c)
{
    *s = (struct openai_say){.config = *c};
    buf_init(&s->head, HEAD_BYTES_MAX);
    buf_init(&s->step, TEXT_BYTES_MAX);
    buf_init(&s->text, TEXT_BYTES_MAX);
    buf_init(&s->reasoning, TEXT_BYTES_MAX);
    buf_printf(&s->head, "{\"id\":\"%s\",\"object\":\"chat.completion%s\",\"created\":%lld,", c->id,
               c->stream ? ".chunk" : "", (long long)c->created_s);
    buf_puts(&s->head, "\"model\":");
    json_str(&s->head, c->model);
    buf_puts(&s->head, ",\"system_fingerprint\":null,\"choices\":[");
}

void openai_say_free(struct openai_say *s)
{
    buf_free(&s->head);
    buf_free(&s->step);
    buf_free(&s->text);
    buf_free(&s->reasoning);
}

void openai_say_event(struct openai_say *s, struct str payload, struct buf *out)
{
    struct saying said;
    saying_read(payload, &said);
    if (said.kind == SAYING_TEXT) {
        on_text(s, said.text, out);
    } else if (said.kind == SAYING_REASONING || said.kind == SAYING_NOTICE) {
        on_reasoning(s, said.text, out);
        if (said.kind == SAYING_NOTICE)
            on_reasoning(s, STR("\\n"), out);
    } else {
        json_auto_t *event = saying_tree(payload);
        on_other(s, event, out);
    }
}

/* ---- deltas: text is escaped already ---- */

static void chunk_open(const struct openai_say *s, struct buf *out)
{
    buf_puts(out, "data: ");
    buf_add_str(out, buf_str(&s->head));
    buf_puts(out, "{\"index\":0,\"delta\":{");
}

static void chunk_close(struct buf *out)
{
    buf_puts(out, "},\"logprobs\":null,\"finish_reason\":null}]}\n\n");
}

static void say_text(struct openai_say *s, struct str before, struct str text, struct buf *out)
{
    if (!s->config.stream) {
        buf_add_str(&s->text, before);
        buf_add_str(&s->text, text);
        return;
    }
    chunk_open(s, out);
    buf_puts(out, "\"content\":\"");
    buf_add_str(out, before);
    buf_add_str(out, text);
    buf_putc(out, '"');
    chunk_close(out);
}

/* How much of text is what was said at this place before: whole characters of both. */
static bool repeats(const struct openai_say *s, struct str text)
{
    size_t left = s->step.len - s->matched;
    size_t len = text.len < left ? text.len : left;
    return memcmp(s->step.at + s->matched, text.at, len) == 0;
}

static void on_again(struct openai_say *s, struct str text, struct buf *out)
{
    size_t left = s->step.len - s->matched;
    if (repeats(s, text) && text.len <= left) {
        s->matched += text.len;
        s->again = s->matched < s->step.len;
        return;
    }
    s->again = false;
    if (repeats(s, text)) {
        struct str more = str_skip(text, left);
        buf_add_str(&s->step, more);
        say_text(s, STR(""), more, out);
        return;
    }
    s->step.len = s->matched; /* what it shares with the attempt before */
    buf_add_str(&s->step, text);
    say_text(s, STR(PARAGRAPH), buf_str(&s->step), out);
}

static void on_text(struct openai_say *s, struct str text, struct buf *out)
{
    if (s->again && s->config.stream) {
        on_again(s, text, out);
        return;
    }
    struct str before = s->parted && s->step.len == 0 ? STR(PARAGRAPH) : STR("");
    buf_add_str(&s->step, text);
    say_text(s, before, text, out);
}

static void on_reasoning(struct openai_say *s, struct str text, struct buf *out)
{
    if (!s->config.activity)
        return;
    if (!s->config.stream) {
        buf_add_str(&s->reasoning, text);
        return;
    }
    chunk_open(s, out);
    buf_puts(out, "\"reasoning_content\":\"");
    buf_add_str(out, text);
    buf_putc(out, '"');
    chunk_close(out);
}

/* A sentence of ours, not escaped yet. */
static void on_sentence(struct openai_say *s, struct str sentence, struct buf *out,
                        void (*say)(struct openai_say *s, struct str text, struct buf *out))
{
    scoped_buf(escaped, TEXT_BYTES_MAX);
    json_str(&escaped, sentence);
    if (escaped.len >= 2)
        say(s, (struct str){escaped.at + 1, escaped.len - 2}, out);
}

/* ---- the other events ---- */

static void on_start(struct openai_say *s, struct buf *out)
{
    if (!s->config.stream)
        return;
    chunk_open(s, out);
    buf_puts(out, "\"role\":\"assistant\",\"content\":\"\"");
    chunk_close(out);
}

static void on_step(struct openai_say *s, const json_t *event)
{
    if (!str_is(json_text(json_object_get(event, "step_type")), "inference"))
        return;
    s->matched = 0;
    if (json_integer_value(json_object_get(event, "attempt")) <= 1) {
        s->parted = s->parted || s->step.len > 0;
        buf_clear(&s->step);
    } else if (s->config.stream) {
        s->again = s->step.len > 0;
    } else { /* nobody has seen it */
        size_t before = s->parted && s->step.len > 0 ? sizeof(PARAGRAPH) - 1 : 0;
        if (!s->text.overflowed) /* else it is not all there */
            s->text.len -= s->step.len + before;
        buf_clear(&s->step);
    }
}

/* One line for each tool that was run. */
static void on_tools(struct openai_say *s, const json_t *details, struct buf *out)
{
    size_t i;
    const json_t *call;
    const json_t *answers = json_object_get(details, "tool_responses");
    json_array_foreach(json_object_get(details, "tool_calls"), i, call)
    {
        scoped_buf(line, 8192);
        const json_t *answer = json_array_get(answers, i);
        bool failed = json_is_true(json_object_get(answer, "failed"));
        char *arguments = json_dumps(json_object_get(call, "arguments"), JSON_COMPACT);
        buf_puts(&line, failed ? "✗ " : "✓ ");
        buf_add_str(&line, json_text(json_object_get(call, "tool_name")));
        if (arguments && strlen(arguments) < 4096)
            buf_printf(&line, " %s", arguments);
        buf_printf(&line, " (%lld ms)\n",
                   (long long)json_integer_value(json_object_get(answer, "duration_ms")));
        on_sentence(s, buf_str(&line), out, on_reasoning);
        free(arguments);
    }
}

/* A model that does not stream says its text here alone. */
static void on_complete(struct openai_say *s, const json_t *details, struct buf *out)
{
    const json_t *answer = json_object_get(details, "model_response");
    if (answer && s->step.len == 0)
        on_sentence(s, json_text(json_object_get(answer, "content")), out, on_text);
    if (!answer && s->config.activity)
        on_tools(s, details, out);
}

static void end(struct openai_say *s, const json_t *turn, struct buf *out);

static void on_awaiting(struct openai_say *s, const json_t *turn, struct buf *out)
{
    scoped_buf(text, 2048);
    const json_t *first = json_array_get(json_object_get(turn, "tool_calls"), 0);
    buf_puts(&text, s->text.len + s->step.len > 0 ? "\n\n" : "");
    buf_puts(&text, "This needs a person's yes, which can't be given here: ");
    buf_add_str(&text, json_text(json_object_get(first, "tool_name")));
    buf_puts(&text, " would change something. Ask for it in Perses.");
    s->awaits = true;
    s->again = false;
    on_sentence(s, buf_str(&text), out, on_text);
    end(s, turn, out);
}

static enum err err_of_word(struct str word)
{
    for (unsigned e = 1; e < ERR_COUNT; e++)
        if (str_is(word, err_word((enum err)e)))
            return (enum err)e;
    return ERR_INTERNAL;
}

static void on_error(struct openai_say *s, const json_t *event, struct buf *out)
{
    struct str word = json_text(json_object_get(event, "code"));
    struct str sentence = json_text(json_object_get(event, "message"));
    s->state = OPENAI_FAILED;
    s->err = err_of_word(word);
    sentence = str_cut(sentence, 500);
    snprintf(s->message, sizeof(s->message), "%.*s", (int)sentence.len,
             sentence.len ? sentence.at : "");
    if (!s->config.stream)
        return;
    buf_puts(out, "data: ");
    struct openai_fault fault = openai_fault_of(s->err);
    openai_error(out, fault.status, s->message, fault.param, fault.code);
    buf_puts(out, "\n\ndata: [DONE]\n\n");
}

static void on_other(struct openai_say *s, const json_t *event, struct buf *out)
{
    struct str type = json_text(json_object_get(event, "event_type"));
    if (str_is(type, "turn_start"))
        on_start(s, out);
    else if (str_is(type, "step_start"))
        on_step(s, event);
    else if (str_is(type, "step_complete"))
        on_complete(s, json_object_get(event, "step_details"), out);
    else if (str_is(type, "turn_complete"))
        end(s, json_object_get(event, "turn"), out);
    else if (str_is(type, "turn_awaiting_input"))
        on_awaiting(s, json_object_get(event, "turn"), out);
    else if (str_is(type, "turn_cancelled"))
        end(s, NULL, out);
    else if (str_is(type, "error"))
        on_error(s, event, out);
}

/* ---- the end ---- */

static void write_usage(const json_t *turn, struct buf *out)
{
    const json_t *u = json_object_get(turn, "usage");
    long long in = json_integer_value(json_object_get(u, "input_tokens"));
    long long made = json_integer_value(json_object_get(u, "output_tokens"));
    long long cached = json_integer_value(json_object_get(u, "cached_input_tokens"));
    buf_printf(out,
               "\"usage\":{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,\"total_tokens\":%lld,"
               "\"prompt_tokens_details\":{\"cached_tokens\":%lld},"
               "\"completion_tokens_details\":{\"reasoning_tokens\":0}}",
               in, made, in + made, cached);
}

static const char *finish_of(const json_t *turn)
{
    static const char *const reasons[] = {
        [SAYING_WHOLE] = "stop", [SAYING_LENGTH] = "length", [SAYING_FILTERED] = "content_filter"};
    return reasons[saying_cut(turn)];
}

static void end_stream(const struct openai_say *s, const json_t *turn, struct buf *out)
{
    buf_puts(out, "data: ");
    buf_add_str(out, buf_str(&s->head));
    buf_printf(out, "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"%s\"}]}\n\n",
               finish_of(turn));
    if (s->config.usage) {
        buf_puts(out, "data: ");
        buf_add_str(out, buf_str(&s->head));
        buf_puts(out, "],");
        write_usage(turn, out);
        buf_puts(out, "}\n\n");
    }
    buf_puts(out, "data: [DONE]\n\n");
}

static void end(struct openai_say *s, const json_t *turn, struct buf *out)
{
    s->state = OPENAI_ANSWERED;
    if (s->config.stream) {
        end_stream(s, turn, out);
        return;
    }
    buf_add_str(out, buf_str(&s->head));
    buf_puts(out, "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"");
    buf_add_str(out, buf_str(&s->text));
    if (s->config.activity) {
        buf_puts(out, "\",\"reasoning_content\":\"");
        buf_add_str(out, buf_str(&s->reasoning));
    }
    buf_printf(out, "\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"%s\"}],",
               finish_of(turn));
    write_usage(turn, out);
    buf_putc(out, '}');
}

/* Their clients cut the oldest messages, or tell their person so, by this word alone. */
struct openai_fault openai_fault_of(enum err err)
{
    if (err == ERR_CONTEXT_TOO_LONG)
        return (struct openai_fault){400, "", "messages", "context_length_exceeded"};
    return (struct openai_fault){err_http_status(err), "", NULL, err_word(err)};
}

void openai_error(struct buf *b, unsigned status, const char *sentence, const char *param,
                  const char *code)
{
    const char *type = status == 401   ? "authentication_error"
                       : status == 403 ? "permission_error"
                       : status == 429 ? "rate_limit_error"
                       : status >= 500 ? "server_error"
                                       : "invalid_request_error";
    buf_puts(b, "{\"error\":{\"message\":");
    json_str(b, str_of(sentence));
    buf_printf(b, ",\"type\":\"%s\",\"param\":", type);
    if (param)
        json_str(b, str_of(param));
    else
        buf_puts(b, "null");
    buf_puts(b, ",\"code\":");
    json_str(b, str_of(code));
    buf_puts(b, "}}");
}
