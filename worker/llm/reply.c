#include "worker/llm/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/check.h"
#include "common/loop.h"

enum { ROOM_KEPT_BYTES = 64 << 10 }; /* most events are of a few hundred */

static enum err tell(struct reply *r, enum think_kind kind, struct str part);
static void retell(struct reply *r);
static enum err tell_text(struct reply *r, struct str text);
static enum err tell_reasoning(struct reply *r, struct str text);
static struct str shown(struct reply *r, struct unmask *words, struct str text);
static void say_text(struct reply *r, struct str text);
static void say_reasoning(struct reply *r, struct str text);
static void end_words(struct reply *r);
static enum err filter_text(struct reply *r, struct str text);
static enum err end_texts(struct reply *r);
static void keep_thoughts(struct reply *r);
static void count_tokens(struct reply *r);

void reply_init(struct reply *r, uint64_t bytes_max, const struct reply_handler *h, void *arg)
{
    *r = (struct reply){.bytes_max = bytes_max, .handler = h, .arg = arg};
    buf_init(&r->content, bytes_max);
    buf_init(&r->reasoning, bytes_max);
    buf_init(&r->tool_names, REPLY_TOOL_NAMES_MAX);
    buf_init(&r->signature, REPLY_STATE_MAX);
    buf_init(&r->state, REPLY_STATE_MAX);
}

void reply_free(struct reply *r)
{
    buf_free(&r->content);
    buf_free(&r->reasoning);
    if (r->own_room)
        reply_room_free(r->own_room);
    free(r->own_room);
    r->room = r->own_room = NULL;
    buf_free(&r->tool_names);
    buf_free(&r->signature);
    buf_free(&r->state);
    free(r->detail);
    free(r->refused_words);
    r->detail = r->refused_words = NULL;
    json_decref(r->thoughts);
    r->thoughts = NULL;
    reply_calls_free(r);
}

void reply_room_init(struct reply_room *room, uint64_t bytes_max)
{
    buf_init(&room->scratch, bytes_max);
    buf_init(&room->joined, 4 * bytes_max);
    buf_init(&room->shown, REPLY_SHOWN_MAX);
}

void reply_room_free(struct reply_room *room)
{
    buf_free(&room->scratch);
    buf_free(&room->joined);
    buf_free(&room->shown);
}

void reply_lend(struct reply *r, struct reply_room *room) { r->room = room; }

static struct reply_room *room_of(struct reply *r)
{
    if (!r->room) {
        r->own_room = xcalloc(1, sizeof(*r->own_room));
        reply_room_init(r->own_room, r->bytes_max);
        r->room = r->own_room;
    }
    return r->room;
}

struct buf *reply_scratch(struct reply *r) { return &room_of(r)->scratch; }

/* One of these, empty. It keeps no more memory than most events need. */
static struct buf *emptied(struct buf *b)
{
    if (b->cap > ROOM_KEPT_BYTES)
        buf_free(b);
    buf_clear(b);
    return b;
}

void reply_know_tool(struct reply *r, const char *tool_name)
{
    buf_puts(&r->tool_names, r->tool_names.len == 0 ? "\n" : "");
    buf_puts(&r->tool_names, tool_name);
    buf_putc(&r->tool_names, '\n');
}

void reply_thinks_first(struct reply *r) { r->thinks_first = r->think.opened = true; }

void reply_again(struct reply *r)
{
    free(r->detail);
    free(r->refused_words);
    r->detail = r->refused_words = NULL;
    r->refused_till[0] = '\0';
    r->stopped = r->ended = r->input_known = r->output_known = false;
    r->cached_tokens = 0;
    r->refused_status = 0;
    r->think = (struct think){.opened = r->thinks_first};
    r->text_half = r->reasoning_half = (struct ragged){0};
    r->text_words = r->reasoning_words = (struct unmask){0};
    /* Thoughts that are not shown (Anthropic's redacted ones) are no beginning, but kept. */
    buf_clear(&r->state);
    buf_clear(&r->signature);
    json_decref(r->thoughts);
    r->thoughts = NULL;
    r->thoughts_bytes = 0;
    r->others_input = r->had_marks = r->block_thinks = r->block_signed = false;
    r->text_came = r->item_from = 0;
    r->apart = false;
}

enum err reply_take(struct reply *r, size_t bytes)
{
    r->bytes += bytes;
    if (r->bytes > r->bytes_max)
        return reply_fail(r, ERR_OUTPUT_LIMIT, false, "%s", err_sentence(ERR_OUTPUT_LIMIT));
    r->began = true;
    return ERR_NONE;
}

struct str reply_join(struct reply *r, struct ragged *half, struct str text)
{
    if (half->len == 0 && !r->marked && str_utf8(text))
        return text;
    struct buf *joined = emptied(&room_of(r)->joined);
    ragged_add(half, text, r->marked, joined);
    return buf_str(joined);
}

enum err reply_text(struct reply *r, struct str text)
{
    if (text.len == 0)
        return ERR_NONE;
    if (r->apart) {
        r->apart = false;
        enum err err = filter_text(r, STR("\n\n"));
        if (err != ERR_NONE)
            return err;
    }
    r->text_came += text.len;
    return filter_text(r, reply_join(r, &r->text_half, text));
}

enum err reply_reasoning(struct reply *r, struct str text)
{
    if (text.len == 0)
        return ERR_NONE;
    r->think.opened = false; /* they come apart from the text */
    return tell_reasoning(r, reply_join(r, &r->reasoning_half, text));
}

/* Thoughts that came in the text are told apart. */
static enum err filter_text(struct reply *r, struct str text)
{
    struct str part;
    enum think_kind kind;
    enum err err = ERR_NONE;
    while (err == ERR_NONE && (kind = think_read(&r->think, &text, &part)) != THINK_NOTHING)
        err = tell(r, kind, part);
    if (err == ERR_NONE && r->bytes + r->think.held_len > r->bytes_max)
        err = reply_take(r, r->think.held_len);
    return err;
}

static enum err tell(struct reply *r, enum think_kind kind, struct str part)
{
    if (kind == THINK_WAS_THOUGHT && r->learns && r->content.len > 0)
        return reply_fail(r, ERR_MODEL_BROKEN, true,
                          "The model's server gives out its thoughts as text");
    if (kind == THINK_WAS_THOUGHT)
        retell(r);
    return kind == THINK_THOUGHT ? tell_reasoning(r, part) : tell_text(r, part);
}

/* What was taken for text was a thought, it turns out. Where it was told as text it can't be taken
 * back: the step is run again, and then it is known. */
static void retell(struct reply *r)
{
    end_words(r);
    scoped_buf(thought, r->content.len);
    buf_add_str(&thought, buf_str(&r->content));
    buf_clear(&r->content);
    say_reasoning(r, buf_str(&thought)); /* its bytes were counted */
}

static enum err tell_text(struct reply *r, struct str text)
{
    if (text.len == 0)
        return ERR_NONE;
    enum err err = reply_take(r, text.len);
    if (err == ERR_NONE)
        say_text(r, shown(r, &r->text_words, text));
    return err;
}

static enum err tell_reasoning(struct reply *r, struct str text)
{
    if (text.len == 0)
        return ERR_NONE;
    enum err err = reply_take(r, text.len);
    if (err == ERR_NONE)
        say_reasoning(r, shown(r, &r->reasoning_words, text));
    return err;
}

/* What a person sees of a piece: the values of its masked words, without what may go on in the next
 * piece. Valid until the next call. */
static struct str shown(struct reply *r, struct unmask *words, struct str text)
{
    if (!r->mask)
        return text;
    struct buf *b = emptied(&room_of(r)->shown);
    unmask_feed(r->mask, words, text, b);
    return buf_str(b);
}

static void say_text(struct reply *r, struct str text)
{
    buf_add_str(&r->content, text);
    if (text.len > 0 && r->handler->on_text)
        r->handler->on_text(r->arg, text);
}

static void say_reasoning(struct reply *r, struct str text)
{
    buf_add_str(&r->reasoning, text);
    if (text.len > 0 && r->handler->on_reasoning)
        r->handler->on_reasoning(r->arg, text);
}

/* What was held since it might go on is said as it is. */
static void end_words(struct reply *r)
{
    if (!r->mask)
        return;
    struct buf *b = emptied(&room_of(r)->shown);
    unmask_end(r->mask, &r->reasoning_words, b);
    say_reasoning(r, buf_str(b));
    unmask_end(r->mask, &r->text_words, emptied(b));
    say_text(r, buf_str(b));
}

void reply_stop(struct reply *r, struct str reason)
{
    r->stopped = true;
    reason = str_cut(reason, sizeof(r->stop_reason) - 1);
    snprintf(r->stop_reason, sizeof(r->stop_reason), "%.*s", (int)reason.len, reason.at);
}

void reply_usage(struct reply *r, uint64_t input_tokens, uint64_t output_tokens,
                 uint64_t cached_tokens)
{
    if (input_tokens > 0 || !r->input_known) {
        r->input_tokens = input_tokens;
        r->cached_tokens = cached_tokens;
    }
    if (output_tokens > 0 || !r->output_known)
        r->output_tokens = output_tokens;
    r->input_known = r->input_known || input_tokens > 0;
    r->output_known = r->output_known || output_tokens > 0;
}

enum err reply_fail(struct reply *r, enum err err, bool again, const char *format, ...)
{
    char detail[REPLY_DETAIL_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof(detail), format, args);
    va_end(args);
    size_t len = strlen(detail);
    while (len > 0 && !str_utf8((struct str){detail, len})) /* cut inside a character */
        len--;
    free(r->detail);
    r->detail = str_dup((struct str){detail, len});
    r->again = again;
    return err;
}

const char *reply_detail(const struct reply *r) { return r->detail ? r->detail : ""; }

void reply_show_detail(struct reply *r, const struct mask *mask)
{
    scoped_buf(values, 64 << 10);
    unmask_text(mask, str_of(r->detail), &values);
    struct str text = str_cut(buf_str(&values), REPLY_DETAIL_MAX - 1);
    if (text.len == 0)
        return;
    free(r->detail);
    r->detail = str_dup(text);
}

/* What was held of a text is said. Thoughts that were never ended, and after which nothing came,
 * are the answer: the model forgot the tag. */
static enum err end_texts(struct reply *r)
{
    struct str rest;
    r->marked = false;
    struct buf *joined = emptied(&room_of(r)->joined);
    ragged_end(&r->reasoning_half, joined);
    enum err err = tell_reasoning(r, buf_str(joined));
    ragged_end(&r->text_half, emptied(joined));
    if (err == ERR_NONE)
        err = filter_text(r, buf_str(joined));
    enum think_kind kind = think_end(&r->think, &rest);
    if (err == ERR_NONE && kind == THINK_THOUGHT)
        err = tell_reasoning(r, rest);
    if (err == ERR_NONE && kind == THINK_TEXT && (r->content.len > 0 || str_trim(rest).len > 0))
        err = tell_text(r, rest);
    end_words(r);
    bool forgot = r->think.state == THINK_INSIDE && r->content.len == 0 && r->call_count == 0 &&
                  strcmp(r->stop_reason, "length") != 0;
    if (err == ERR_NONE && forgot) {
        scoped_buf(answer, r->reasoning.len);
        buf_add_str(&answer, buf_str(&r->reasoning)); /* its bytes were counted */
        r->bytes -= answer.len;
        err = tell_text(r, buf_str(&answer));
        end_words(r);
    }
    return err;
}

enum err reply_end(struct reply *r, uint32_t step)
{
    if (!r->stopped && !r->ended)
        return reply_fail(r, ERR_MODEL_BROKEN, true, "The model's answer was cut off");
    r->step = step;
    enum err err = end_texts(r);
    if (err != ERR_NONE)
        return err;
    reply_calls_end(r);
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
    keep_thoughts(r);
    count_tokens(r);
    return ERR_NONE;
}

enum err reply_called(struct reply *r, const struct textcalls *c)
{
    struct str none = {NULL, 0};
    enum err err = ERR_NONE;
    r->bytes -= r->content.len - c->said; /* they are counted as calls */
    r->content.len = c->said;
    for (unsigned i = 0; i < c->count && err == ERR_NONE; i++)
        err = reply_call(r, (int64_t)i, none, str_of(c->all[i].tool_name),
                         str_of(c->all[i].arguments));
    reply_calls_end(r);
    reply_stop(r, STR("tool_calls"));
    return err;
}

static void keep_thoughts(struct reply *r)
{
    bool ours = r->think.began && !r->think.close; /* those with other tags nobody wants back */
    const char *field = ours ? "think" : r->thoughts_field;
    if (field && r->reasoning.len > 0) {
        if (!r->thoughts)
            r->thoughts = json_object();
        json_object_set_new(r->thoughts, field, json_stringn(r->reasoning.at, r->reasoning.len));
    }
    if (r->thoughts && r->state.len == 0 && r->thoughts_bytes <= REPLY_STATE_MAX)
        reply_keep(r, r->thoughts);
}

bool reply_room(struct reply *r, const json_t *thought)
{
    if (r->thoughts_bytes <= REPLY_STATE_MAX)
        r->thoughts_bytes += json_dumpb(thought, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
    return r->thoughts_bytes <= REPLY_STATE_MAX;
}

void reply_keep(struct reply *r, const json_t *v)
{
    struct ragged half = {.len = 0};
    char *text = json_dumps(v, JSON_COMPACT);
    ragged_add(&half, str_of(text), r->had_marks, &r->state);
    ragged_end(&half, &r->state);
    free(text);
}

static void count_tokens(struct reply *r)
{
    uint64_t bytes = r->content.len + r->reasoning.len;
    for (unsigned i = 0; i < r->call_count; i++)
        bytes += r->calls[i].arguments.len;
    if (!r->output_known)
        r->output_tokens = (bytes + 3) / 4;
}

struct record_message reply_message(const struct reply *r, struct record_call *calls,
                                    unsigned call_count)
{
    for (unsigned i = 0; i < call_count; i++)
        calls[i] = (struct record_call){.call_id = str_of(r->calls[i].call_id),
                                        .tool_name = str_of(r->calls[i].tool_name),
                                        .arguments = r->calls[i].arguments.len > 0
                                                         ? buf_str(&r->calls[i].arguments)
                                                         : STR("{}")};
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

bool reply_came(const struct reply *r, enum err err)
{
    if (err == ERR_NONE || r->began || r->stopped || r->ended)
        return true;
    switch (r->refusal.kind) { /* as the provider says it, whatever its status is */
    case LLM_ERROR_THROTTLED:
    case LLM_ERROR_SPOILED:
        return true;
    case LLM_ERROR_OVERLOADED:
    case LLM_ERROR_SERVER:
        return false;
    case LLM_ERROR_BAD_REQUEST: /* or it said nothing */
    case LLM_ERROR_TOO_LONG:
    case LLM_ERROR_QUOTA_GONE:
    case LLM_ERROR_AUTH:
    case LLM_ERROR_PARAMETER:
    case LLM_ERROR_FILTERED:
        break;
    }
    return err == ERR_MODEL_REFUSED || err == ERR_CONTEXT_TOO_LONG || err == ERR_OUTPUT_LIMIT ||
           (err == ERR_MODEL_BROKEN && !r->again);
}

static bool contains(struct str text, const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 0; i + len <= text.len; i++)
        if (strncasecmp(text.at + i, word, len) == 0)
            return true;
    return false;
}

/* An error inside a stream that was begun as well (200) is what its status would have been. One
 * that says nothing is a fault of the server: what it does not like it refuses at the beginning. */
static int status_of(struct str code)
{
    static const struct {
        const char *word;
        int http_status;
    } rows[] = {
        {"rate_limit", 429},
        {"too_many_requests", 429},
        {"resource_exhausted", 429},
        {"throttl", 429},
        {"insufficient_quota", 429},
        {"overloaded", 529},
        {"server_error", 500},
        {"api_error", 500},
        {"internal", 500},
        {"unavailable", 503},
        {"timeout", 504},
        {"deadline_exceeded", 504},
        {"authentication", 401},
        {"api_key", 401},
        {"unauthenticated", 401},
        {"permission", 403},
        {"billing", 402},
        {"not_found", 404},
        {"too_large", 413},
        {"invalid", 400},
        {"failed_precondition", 400},
        {"unsupported", 400},
        {"bad_request", 400},
        {"content_filter", 400},
        {"badrequest", 400},
        {"validation", 400}, /* Bedrock, TGI */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (contains(code, rows[i].word))
            return rows[i].http_status;
    return 500;
}

enum err reply_refused(struct reply *r, int http_status, struct str code, struct str message)
{
    int status = http_status == 200 ? status_of(code) : http_status;
    struct llm_error e = llm_error_judge(status, code, message);
    r->refused_status = status;
    r->refusal = e;
    const char *colon = message.len > 0 ? ": " : "";
    int len = (int)(message.len < 200 ? message.len : 200);
    const char *words = message.len > 0 ? message.at : "";
    switch (e.kind) {
    case LLM_ERROR_TOO_LONG:
        return reply_fail(r, ERR_CONTEXT_TOO_LONG, true, "%s", err_sentence(ERR_CONTEXT_TOO_LONG));
    case LLM_ERROR_AUTH:
        return reply_fail(r, ERR_MODEL_REFUSED, false,
                          "The model's provider refused the key of this deployment");
    case LLM_ERROR_QUOTA_GONE:
        return reply_fail(r, ERR_MODEL_REFUSED, false,
                          "The model's provider says that this deployment's quota is used up");
    case LLM_ERROR_SPOILED:
        return reply_fail(r, ERR_MODEL_BROKEN, true,
                          "The model wrote a tool call that is none (status %d)%s%.*s", status,
                          colon, len, words);
    case LLM_ERROR_THROTTLED:
    case LLM_ERROR_OVERLOADED:
    case LLM_ERROR_SERVER:
        return reply_fail(r, ERR_MODEL_UNAVAILABLE, true,
                          "The model is not available at the moment (status %d)%s%.*s", status,
                          colon, len, words);
    case LLM_ERROR_BAD_REQUEST:
    case LLM_ERROR_PARAMETER:
    case LLM_ERROR_FILTERED:
        break;
    }
    return reply_fail(r, ERR_MODEL_REFUSED, false,
                      "The model's provider refused the request (status %d)%s%.*s", status, colon,
                      len, words);
}

enum err reply_moved(struct reply *r, int http_status, struct str to)
{
    size_t len = 0; /* what is behind it may be a secret */
    while (len < to.len && len < 200 && !strchr("?#", to.at[len]))
        len++;
    return reply_fail(r, ERR_MODEL_REFUSED, false,
                      "The model's server redirects to %.*s (status %d): its address in the "
                      "settings must be the one that answers",
                      (int)len, len > 0 ? to.at : "", http_status);
}
