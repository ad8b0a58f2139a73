#include "worker/jsonio.h"

#include <stdlib.h>
#include <string.h>
#include "common/jsontext.h"

uint64_t jsonio_count(const json_t *v)
{
    return json_is_integer(v) && json_integer_value(v) > 0 ? (uint64_t)json_integer_value(v) : 0;
}

json_t *jsonio_parse(struct str text)
{
    return text.len > 0 ? json_loadb(text.at, text.len, JSON_ALLOW_NUL, NULL) : NULL;
}

void jsonio_field(struct buf *b, const char *key, struct str value)
{
    json_key(b, key);
    json_str(b, value);
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

enum err jsonio_error(struct reply *r, int http_status, const json_t *error)
{
    const json_t *code = json_object_get(error, "code");
    struct str word = json_text(code);
    if (word.len == 0)
        word = json_text(json_object_get(error, "type")); /* OpenAI, Anthropic */
    if (word.len == 0)
        word = json_text(json_object_get(error, "status")); /* Google */
    if (http_status == 200 && json_is_integer(code))        /* an HTTP status in a 200 */
        http_status = (int)json_integer_value(code);
    struct str message = json_text(json_object_get(error, "message"));
    return reply_refused(r, http_status, word, message.len > 0 ? message : json_text(error));
}

enum err jsonio_refusal(struct reply *r, int http_status, const json_t *root)
{
    const json_t *first = json_is_array(root) ? json_array_get(root, 0) : root; /* Google: a list */
    const json_t *error = json_object_get(first, "error");
    if (error && !json_is_null(error))
        return jsonio_error(r, http_status, error);
    if (http_status == 200)
        return reply_fail(r, ERR_MODEL_BROKEN, true,
                          "The model's server answered with something "
                          "that is no stream");
    /* {"message"}, {"detail"}, or a page for a browser, of which
     * nothing is worth repeating */
    struct str message = json_text(json_object_get(first, "message"));
    return reply_refused(r, http_status, (struct str){NULL, 0},
                         message.len > 0 ? message : json_text(json_object_get(first, "detail")));
}
