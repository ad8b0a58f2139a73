#include "worker/llm/jsonio.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/check.h"
#include "common/json.h"

enum { METADATA_RAW_MAX = 1024, PLAIN_MAX = 1024, COUNT_MAX = 1000000000 };

static struct str message_of(const json_t *v, unsigned depth);

uint64_t jsonio_count(const json_t *v)
{
    uint64_t n = 0;
    if (json_is_string(v))
        return str_u64(json_text(v), COUNT_MAX, &n) ? n : 0;
    double count = json_number_value(v); /* some make a float of it */
    return count > 0 && count <= COUNT_MAX ? (uint64_t)count : 0;
}

json_t *jsonio_either(const json_t *v, const char *camel)
{
    json_t *found = json_object_get(v, camel);
    char snake[64];
    size_t len = 0;
    if (found || !json_is_object(v))
        return found;
    for (const char *at = camel; *at != '\0'; at++) {
        bool upper = *at >= 'A' && *at <= 'Z';
        CHECK(len + 2 < sizeof(snake));
        if (upper)
            snake[len++] = '_';
        snake[len++] = (char)(upper ? *at - 'A' + 'a' : *at);
    }
    return json_object_getn(v, snake, len);
}

json_t *jsonio_parse(struct str text)
{
    return text.len > 0 ? json_loadb(text.at, text.len, JSON_ALLOW_NUL, NULL) : NULL;
}

json_t *jsonio_read(struct reply *r, struct str text)
{
    json_t *root = ragged_parse(text, &r->marked);
    r->had_marks = r->had_marks || r->marked;
    return root;
}

int64_t jsonio_index(const json_t *v)
{
    uint64_t n;
    if (json_is_string(v) && str_u64(json_text(v), INT32_MAX, &n))
        return (int64_t)n;
    return json_is_number(v) && json_number_value(v) < INT32_MAX ? (int64_t)json_number_value(v)
                                                                 : -1;
}

char *jsonio_dump(const json_t *v)
{
    if (!v || json_is_null(v))
        return NULL;
    return json_is_string(v) ? xstrndup(json_string_value(v), json_string_length(v))
                             : json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
}

void jsonio_arguments(struct buf *b, struct str arguments)
{
    json_auto_t *valid = jsonio_parse(arguments);
    buf_add_str(b, json_is_object(valid) ? arguments : STR("{}"));
}

static bool is_one_of(const char *key, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(key, *words) == 0)
            return true;
    return false;
}

void jsonio_options(struct buf *b, json_t *take_fields, const struct model *m,
                    const char *const *reserved)
{
    json_auto_t *fields = take_fields;
    json_auto_t *options = m->options ? json_loads(m->options, 0, NULL) : NULL;
    const char *key;
    json_t *v;
    json_object_foreach(options, key, v)
    {
        json_t *present = json_object_get(fields, key);
        if (is_one_of(key, reserved))
            continue;
        if (json_is_object(present) && json_is_object(v))
            json_object_update_recursive(present, v);
        else
            json_object_set(fields, key, v);
    }
    json_object_foreach(fields, key, v)
    {
        if (json_is_null(v))
            continue;
        char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
        json_key(b, key);
        buf_puts(b, text);
        free(text);
    }
}

/* What a model is asked without it next time may depend on any of its words (learned.h). */
static void keep_words(struct reply *r, const json_t *error)
{
    char *text = error ? json_dumps(error, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    free(r->refused_words);
    r->refused_words = text ? xstrndup(text, strnlen(text, REPLY_ERROR_MAX - 1)) : NULL;
    free(text);
}

static void add_word(struct buf *b, const json_t *v)
{
    if (json_is_string(v) && json_string_length(v) > 0)
        buf_printf(b, "%s%s", b->len > 0 ? " " : "", json_string_value(v));
}

/* OpenRouter's: the headers that its own answer lacks, and what the provider behind it said, which
 * its message ("Provider returned error") does not tell
 * (openrouter.ai/docs/api-reference/errors). */
static void add_metadata(struct reply *r, const json_t *error, struct buf *message)
{
    const json_t *metadata = json_object_get(error, "metadata"), *v;
    struct str raw = json_text(json_object_get(metadata, "raw"));
    const char *name;
    if (raw.len > 0)
        buf_printf(message, "%s%.*s", message->len > 0 ? ": " : "",
                   (int)(raw.len < METADATA_RAW_MAX ? raw.len : METADATA_RAW_MAX), raw.at);
    json_object_foreach((json_t *)json_object_get(metadata, "headers"), name, v)
    {
        if (strcasecmp(name, "x-ratelimit-reset") != 0 && strcasecmp(name, "retry-after") != 0)
            continue;
        char *text = jsonio_dump(v); /* a text, or a number */
        snprintf(r->refused_till, sizeof(r->refused_till), "%s", text ? text : "");
        free(text);
    }
}

/* When it may be asked again, as a field beside the message: seconds are said behind it, where
 * others have them; a moment is kept. */
static void add_wait(struct reply *r, const json_t *error, struct buf *message)
{
    static const char *const fields[] = {"retry_after",         "retryAfter", "retry-after",
                                         "retry_after_seconds", "reset_at",   "resets_at",
                                         "estimated_time"}; /* Hugging Face: a model is loaded */
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        char *text = jsonio_dump(json_object_get(error, fields[i])), *end;
        if (!text)
            continue;
        double s = strtod(text, &end);
        if (s > 0 && s <= 86400.0 && *end == '\0')
            buf_printf(message, "%sretry in %.3f s", message->len > 0 ? "; " : "", s);
        else if (!r->refused_till[0])
            snprintf(r->refused_till, sizeof(r->refused_till), "%s", text);
        free(text);
    }
}

/* Google's details: ErrorInfo's reason and, of QuotaFailure, which limit it is, to words;
 * RetryInfo's delay is said behind the message, where others have it. */
static void add_details(const json_t *error, struct buf *words, struct buf *message)
{
    const json_t *detail, *violation;
    size_t i, j;
    json_array_foreach(json_object_get(error, "details"), i, detail)
    {
        struct str delay = json_text(jsonio_either(detail, "retryDelay"));
        if (llm_error_duration_ms(delay) > 0)
            buf_printf(message, "%sretry in %.*s", message->len > 0 ? "; " : "", (int)delay.len,
                       delay.at);
        add_word(words, json_object_get(detail, "reason"));
        json_array_foreach(json_object_get(detail, "violations"), j, violation)
            add_word(words, jsonio_either(violation, "quotaId"));
    }
}

/* The HTTP status that it amounts to, where it says so; 0: it does not. MiniMax has numbers of its
 * own (platform.minimax.io/docs/api-reference/errorcode). */
static int status_of(const json_t *error)
{
    static const struct {
        int number, http_status;
    } own[] = {{1002, 429}, {1004, 401}, {1008, 402}, {1026, 400}, {1027, 400},
               {1039, 429}, {1042, 400}, {2013, 400}, {2049, 401}};
    static const char *const fields[] = {
        "code",        "status",      "http_code", /* MiniMax */
        "status_code", "http_status", "http_status_code" /* TGI */};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        int64_t number = jsonio_index(json_object_get(error, fields[i]));
        if (number >= 100 && number < 600)
            return (int)number;
        bool theirs = strcmp(fields[i], "status_code") == 0;
        for (size_t j = 0; theirs && j < sizeof(own) / sizeof(own[0]); j++)
            if (number == own[j].number)
                return own[j].http_status;
    }
    return 0;
}

enum err jsonio_error(struct reply *r, int http_status, const json_t *error)
{
    const json_t *code = json_object_get(error, "code");
    scoped_buf(words, 512);
    keep_words(r, error);
    if (jsonio_index(code) < 0)
        add_word(&words, code);
    add_word(&words, json_object_get(error, "type"));       /* OpenAI, Anthropic */
    add_word(&words, json_object_get(error, "error_type")); /* TGI */
    add_word(&words, json_object_get(error, "status"));     /* Google */
    add_word(&words, json_object_get(error, "__type"));     /* AWS */
    int status = http_status == 200 ? status_of(error) : 0;
    if (status > 0)
        http_status = status;
    struct str message = message_of(error, 0);
    scoped_buf(said, message.len + METADATA_RAW_MAX + 256);
    buf_add_str(&said, message);
    add_metadata(r, error, &said);
    add_details(error, &words, &said);
    add_wait(r, error, &said);
    return reply_refused(r, http_status, buf_str(&words), buf_str(&said));
}

/* Where servers and what stands before them write their sentence: FastAPI's list, AWS, Cloudflare's
 * list, Apigee, RFC 9457 … */
static struct str message_of(const json_t *v, unsigned depth)
{
    static const char *const fields[] = {"message",     "Message", "msg",       "error_msg",
                                         "faultstring", "detail",  "error",     "errors",
                                         "fault",       "title",   "status_msg"};
    struct str text = json_text(v);
    if (json_is_array(v))
        return message_of(json_array_get(v, 0), depth);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]) && text.len == 0 && depth < 4; i++)
        text = message_of(json_object_get(v, fields[i]), depth + 1);
    return text;
}

/* A page for a browser says nothing worth repeating. */
static struct str plain_text(struct str body)
{
    body = str_cut(str_trim(body), PLAIN_MAX);
    struct str none = {NULL, 0};
    return body.len > 0 && body.at[0] != '<' && str_utf8(body) ? body : none;
}

/* Some have the member in what is no error as well. */
static bool tells(const json_t *error)
{
    return json_string_length(error) > 0 || json_object_size(error) > 0 ||
           json_array_size(error) > 0 || json_is_number(error) || json_is_true(error);
}

/* The member that tells of one, a text or an object; NULL: there is none. */
static const json_t *error_in(const json_t *root)
{
    const json_t *error = json_object_get(root, "error");
    const json_t *base = json_object_get(root, "base_resp"); /* MiniMax: with status 200 */
    if (tells(error))
        return error;
    return jsonio_index(json_object_get(base, "status_code")) > 0 ? base : NULL;
}

enum err jsonio_refusal(struct reply *r, int http_status, const json_t *root, struct str body)
{
    const json_t *first = json_is_array(root) ? json_array_get(root, 0) : root; /* Google: a list */
    const json_t *error = error_in(first);
    if (error)
        return jsonio_error(r, http_status, json_is_object(error) ? error : first);
    if (http_status == 200 && json_is_object(first) && jsonio_is_odd_error(first))
        return jsonio_odd_error(r, first);
    if (http_status == 200)
        return reply_fail(r, ERR_MODEL_BROKEN, true,
                          "The model's server answered with something "
                          "that is no stream");
    keep_words(r, first);
    scoped_buf(words, 512);
    add_word(&words, json_object_get(first, "type"));
    add_word(&words, json_object_get(first, "code"));
    add_word(&words, json_object_get(first, "__type")); /* AWS */
    struct str message = root ? message_of(first, 0) : plain_text(body);
    scoped_buf(said, message.len + 256);
    buf_add_str(&said, message);
    add_wait(r, first, &said);
    return reply_refused(r, http_status, buf_str(&words), buf_str(&said));
}

bool jsonio_is_error(const json_t *root, struct str name)
{
    struct str object = json_text(json_object_get(root, "object"));
    return error_in(root) || str_is(name, "error") || str_is(object, "error") ||
           str_is(json_text(json_object_get(root, "type")), "error");
}

/* Bedrock: {"throttlingException":{"message":…}} */
static const char *exception_of(const json_t *root)
{
    const char *name = json_object_iter_key(json_object_iter((json_t *)root));
    return name && json_object_size(root) == 1 && str_ends(str_of(name), STR("Exception")) ? name
                                                                                           : NULL;
}

bool jsonio_is_odd_error(const json_t *root)
{
    return exception_of(root) || message_of(root, 0).len > 0;
}

enum err jsonio_odd_error(struct reply *r, const json_t *root)
{
    const char *name = exception_of(root);
    json_auto_t *error = json_copy((json_t *)root);
    if (name) {
        json_object_set_new(error, "__type", json_string(name));
        json_object_set(error, "message", json_object_get(json_object_get(root, name), "message"));
    } else if (json_text(json_object_get(root, "message")).len == 0) {
        struct str message = message_of(root, 0);
        json_object_set_new(error, "message", json_stringn(message.at, message.len));
    }
    return jsonio_error(r, 200, error);
}

enum err jsonio_event_error(struct reply *r, const json_t *root)
{
    const json_t *error = error_in(root);
    bool object = json_object_size(error) > 0; /* else a text, and more beside it */
    return jsonio_error(r, 200, object ? error : root);
}
