#include "gateway/api/openai_ask.h"

#include <stdlib.h>
#include <string.h>
#include "common/json.h"
#include "gateway/api/content.h"

enum { MODEL_BYTES_MAX = 200 };
static const char TOO_MANY[] =
    "More than 512 messages are too long a conversation; leave out the oldest";

static bool fail(struct openai_fault *f, unsigned status, const char *code, const char *param,
                 const char *sentence)
{
    *f = (struct openai_fault){status, sentence, param, code};
    return false;
}

static bool read_options(const json_t *body, struct openai_ask *out, struct openai_fault *f);
static bool read_messages(const json_t *list, struct openai_ask *out, struct openai_fault *f);

bool openai_ask_read(const json_t *body, struct openai_ask *out, struct openai_fault *fault)
{
    memset(out, 0, sizeof(*out));
    return read_options(body, out, fault) &&
           read_messages(json_object_get(body, "messages"), out, fault);
}

void openai_ask_free(struct openai_ask *a)
{
    for (unsigned i = 0; i < a->own_count; i++)
        free(a->own[i]);
    a->own_count = 0;
}

/* ---- all but the messages ---- */

static bool is_filled(const json_t *list) { return json_array_size(list) > 0; }

static bool read_model(const json_t *body, struct openai_ask *out, struct openai_fault *f)
{
    out->asked_model = json_text(json_object_get(body, "model"));
    if (out->asked_model.len == 0 || out->asked_model.len > MODEL_BYTES_MAX)
        return fail(f, 400, "missing_required_parameter", "model",
                    "model must be persai, or persai/NAME of a model of GET /v1/models");
    if (str_is(out->asked_model, "persai"))
        return true;
    if (!str_starts(out->asked_model, STR("persai/")) || str_is(out->asked_model, "persai/"))
        return fail(f, 404, "model_not_found", "model",
                    "There is no such model here; GET /v1/models lists those that there are");
    out->model = str_skip(out->asked_model, strlen("persai/"));
    return true;
}

static bool read_options(const json_t *body, struct openai_ask *out, struct openai_fault *f)
{
    const json_t *stream = json_object_get(body, "stream");
    const json_t *n = json_object_get(body, "n");
    out->stream = json_is_true(stream);
    out->usage =
        json_is_true(json_object_get(json_object_get(body, "stream_options"), "include_usage"));
    out->activity = json_is_true(json_object_get(json_object_get(body, "persai"), "activity"));
    if (stream && !json_is_boolean(stream) && !json_is_null(stream))
        return fail(f, 400, "invalid_type", "stream", "stream must be true or false");
    if (is_filled(json_object_get(body, "tools")) || is_filled(json_object_get(body, "functions")))
        return fail(f, 400, "client_tools_unsupported", "tools",
                    "PersAI runs its own tools; a client's own are not supported. Send the request "
                    "without tools");
    if (n && !json_is_null(n) && !json_is_integer(n))
        return fail(f, 400, "invalid_type", "n", "n must be an integer");
    if (json_is_integer(n) && json_integer_value(n) != 1)
        return fail(f, 400, "unsupported_value", "n", "Only one answer is made: n must be 1");
    return read_model(body, out, f);
}

/* ---- messages ---- */

/* *owned: to be freed, or NULL. */
static bool read_content(const json_t *content, struct str *text, char **owned,
                         struct openai_fault *f)
{
    switch (content_read(content, OPENAI_BODY_MAX, text, owned)) {
    case CONTENT_TEXT:
        return true;
    case CONTENT_OTHER:
        return fail(f, 400, "unsupported_content", "messages",
                    "Only text is read: images, audio and files are not supported");
    case CONTENT_STRANGE:
        break;
    }
    return fail(f, 400, "invalid_type", "messages", "content must be a text or a list of parts");
}

static void add(struct openai_ask *out, enum message_role role, struct str text, char *take_owned)
{
    struct record_message *m = &out->history[out->history_count++];
    *m = (struct record_message){.role = role, .content = text};
    if (role == ROLE_ASSISTANT)
        m->stop_reason = STR("stop");
    if (take_owned)
        out->own[out->own_count++] = take_owned;
}

/* The texts of count messages, as paragraphs of one. */
static struct str join(struct openai_ask *out, const struct record_message *m, unsigned count)
{
    struct buf joined;
    buf_init(&joined, 2 * OPENAI_BODY_MAX);
    for (unsigned i = 0; i < count; i++) {
        buf_puts(&joined, i > 0 ? "\n\n" : "");
        buf_add_str(&joined, m[i].content);
    }
    out->own[out->own_count++] = joined.at;
    return buf_str(&joined);
}

/* Some of one role become one: some models' templates want them in turns. */
static void merge(struct openai_ask *out)
{
    unsigned kept = 0, run;
    for (unsigned i = 0; i < out->history_count; i += run) {
        struct record_message *first = &out->history[i];
        for (run = 1; i + run < out->history_count && first[run].role == first->role;)
            run++;
        if (run > 1)
            first->content = join(out, first, run);
        out->history[kept++] = *first;
    }
    out->history_count = kept;
}

static bool read_message(const json_t *m, struct openai_ask *out, struct openai_fault *f)
{
    struct str role = json_text(json_object_get(m, "role")), text;
    char *owned;
    bool user = str_is(role, "user") || str_is(role, "system") || str_is(role, "developer");
    if (str_is(role, "tool") || str_is(role, "function") ||
        is_filled(json_object_get(m, "tool_calls")))
        return fail(f, 400, "client_tools_unsupported", "messages",
                    "PersAI runs its own tools; calls of a client's own can't be in its history");
    if (!user && !str_is(role, "assistant"))
        return fail(f, 400, "invalid_value", "messages",
                    "A message's role must be system, developer, user or assistant");
    if (!read_content(json_object_get(m, "content"), &text, &owned, f))
        return false;
    if (str_trim(text).len > 0)
        add(out, user ? ROLE_USER : ROLE_ASSISTANT, text, owned);
    else
        free(owned);
    return true;
}

/* What is asked: the last message, whoever says it. Where that is an assistant's, its client wants
 * more of it: Open WebUI's "Continue Response" and others send no more than that. */
static bool take_question(struct openai_ask *out, bool goes_on, struct openai_fault *f)
{
    const struct record_message *last =
        out->history_count > 0 ? &out->history[out->history_count - 1] : NULL;
    if (!last || (last->role != ROLE_USER && !goes_on))
        return fail(f, 400, "invalid_value", "messages", "The last message must have a text");
    if (last->role != ROLE_USER && out->history_count == OPENAI_MESSAGES_MAX)
        return fail(f, 400, "context_length_exceeded", "messages", TOO_MANY);
    if (last->role != ROLE_USER) {
        out->question = STR("Go on exactly where your last message ends; repeat nothing of it.");
        return true;
    }
    out->question = last->content;
    out->history_count--;
    return true;
}

static bool read_messages(const json_t *list, struct openai_ask *out, struct openai_fault *f)
{
    size_t i, count = json_array_size(list);
    const json_t *m;
    if (count == 0)
        return fail(f, 400, "missing_required_parameter", "messages",
                    "messages must be a list that is not empty");
    if (count > OPENAI_MESSAGES_MAX)
        return fail(f, 400, "context_length_exceeded", "messages", TOO_MANY);
    json_array_foreach(list, i, m)
    {
        if (!read_message(m, out, f))
            return false;
    }
    merge(out);
    m = json_array_get(list, count - 1);
    return take_question(out, str_is(json_text(json_object_get(m, "role")), "assistant"), f);
}
