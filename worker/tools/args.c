#include "worker/tools/args.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/json.h"
#include "common/loose.h"
#include "worker/tools/meant.h"
#include "worker/tools/sax.h"
#include "worker/tools/text.h"

enum {
    NAME_BYTES = 120, /* "panels[3].title" */
    ITEMS_MAX = ARGS_BYTES_MAX / 2,
};

struct reading {
    struct buf *error, *notes; /* notes: may be NULL */
    bool own;                  /* the schema is ours */
};

static json_t *fit(const struct reading *r, const json_t *schema, const char *name,
                   const json_t *value);
static json_t *fit_object(const struct reading *r, const json_t *schema, const char *within,
                          const json_t *given);
static json_t *unpack(const struct reading *r, const json_t *schema, struct str text);
static bool is_none(const json_t *wanted, const char *name, const json_t *value);

static void list_names(const json_t *properties, struct buf *b)
{
    const char *name;
    json_t *ignored;
    bool first = true;
    json_object_foreach((json_t *)properties, name, ignored)
    {
        buf_printf(b, "%s%s", first ? "" : ", ", name);
        first = false;
    }
}

/* X(name, word): the types that are known; all else is OTHER. */
#define TYPES(X)                                                                                   \
    X(STRING, "string")                                                                            \
    X(INTEGER, "integer")                                                                          \
    X(NUMBER, "number")                                                                            \
    X(BOOLEAN, "boolean")                                                                          \
    X(ARRAY, "array")                                                                              \
    X(OBJECT, "object")
enum type {
    TYPE_OTHER,
#define X(name, word) TYPE_##name,
    TYPES(X)
#undef X
};

static enum type type_of(const json_t *schema)
{
    const char *word = json_string_value(json_object_get(schema, "type"));
#define X(name, its_word)                                                                          \
    if (word != NULL && strcmp(word, its_word) == 0)                                               \
        return TYPE_##name;
    TYPES(X)
#undef X
    return TYPE_OTHER;
}

/* within: what the object is called in the arguments, "" for the arguments themselves. */
static bool check_required(const json_t *schema, const char *within, const json_t *args,
                           struct buf *error)
{
    const json_t *required = json_object_get(schema, "required");
    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *name = json_string_value(json_array_get(required, i));
        if (json_object_get(args, name) == NULL) {
            buf_printf(error, "The argument \"%s%s%s\" is missing.", within, within[0] ? "." : "",
                       name);
            return false;
        }
    }
    return true;
}

json_t *args_read(const json_t *schema, bool own, struct str text, struct buf *error,
                  struct buf *notes)
{
    const struct reading reading = {.error = error, .notes = notes, .own = own};
    json_error_t where;
    text = str_trim(text);
    if (text.len > ARGS_BYTES_MAX) {
        buf_printf(error, "The arguments are too long: at most %d bytes.", ARGS_BYTES_MAX);
        return NULL;
    }
    json_auto_t *given = text.len == 0 || str_is(text, "null")
                             ? json_object()
                             : json_loadb(text.at, text.len, JSON_REJECT_DUPLICATES, &where);
    json_auto_t *unpacked = own ? unpack(&reading, schema, text) : NULL;
    if (unpacked)
        return fit_object(&reading, schema, "", unpacked);
    if (!given) {
        buf_puts(error, "The arguments are not valid JSON: ");
        text_clean(error, str_of(where.text), 120);
        buf_putc(error, '.');
        return NULL;
    }
    if (!json_is_object(given)) {
        buf_puts(error, "The arguments must be a JSON object.");
        return NULL;
    }
    return fit_object(&reading, schema, "", given);
}

/* The object that a text means as arguments: in Markdown's fences, as JSON by hand, as a string
 * that is JSON. NULL: none. */
static json_t *read_object(struct str text)
{
    size_t used;
    struct str line;
    json_auto_t *outer = NULL; /* what text is in, once it was a string */
    text = str_trim(text);
    if (text.len > 6 && str_starts(text, STR("```")) && str_ends(text, STR("```"))) {
        text = (struct str){text.at + 3, text.len - 6};
        const char *brace = memchr(text.at, '{', text.len);
        if (brace && brace != text.at && str_split(&text, '\n', &line)) /* "json" */
            text = str_trim(text);
        text = str_trim(text);
    }
    json_t *root = loose_value(text, &used);
    if (json_is_string(root) && used == text.len) {
        outer = root;
        text = json_text(outer);
        root = loose_read(text, &used);
        used = root ? used : 0;
    }
    if (json_is_array(root) && json_array_size(root) < 2) { /* [] and [{…}] */
        json_t *only = json_incref(json_array_get(root, 0));
        json_decref(root);
        root = only ? only : json_object();
    }
    if (json_is_object(root) && str_trim(str_skip(text, used)).len == 0)
        return root;
    json_decref(root);
    return NULL;
}

/* The arguments within what other formats put around them: {"arguments":{…}}, also beside the
 * tool's name. NULL: there is nothing around them, and they are plain JSON. */
static json_t *unpack(const struct reading *r, const json_t *schema, struct str text)
{
    static const char *const around[] = {"arguments", "parameters", "args",        "input",
                                         "params",    "kwargs",     "action_input"};
    json_auto_t *given = read_object(text);
    const json_t *properties = json_object_get(schema, "properties");
    const char *key;
    json_t *value, *inside = NULL;
    if (!given)
        return NULL;
    json_object_foreach(given, key, value)
    {
        bool known = json_object_get(properties, key) != NULL, wraps = false;
        for (size_t i = 0; !known && i < sizeof(around) / sizeof(around[0]); i++)
            wraps = wraps || strcmp(key, around[i]) == 0;
        bool names = !known && json_is_string(value) &&
                     (strcmp(key, "name") == 0 || strcmp(key, "tool") == 0 ||
                      strcmp(key, "type") == 0 || strcmp(key, "id") == 0);
        if (wraps && !inside)
            inside = value;
        else if (!names)
            return json_incref(given);
    }
    json_auto_t *read = json_is_string(inside) ? read_object(json_text(inside)) : NULL;
    if (!json_is_object(read ? read : inside))
        return json_incref(given);
    if (r->notes)
        buf_puts(r->notes, "The arguments were taken out of the object around them. ");
    return json_incref(read ? read : inside);
}

/* What other tools take or models say beside a query, and which changes nothing of what is asked:
 * its result is bounded anyway. */
static bool is_aside(const json_t *properties, const char *key)
{
    static const char *const asides[] = {"limit",       "max_results", "max_points", "timeout",
                                         "reason",      "reasoning",   "thought",    "thoughts",
                                         "explanation", "purpose",     "format",     "dedup"};
    for (size_t i = 0; i < sizeof(asides) / sizeof(asides[0]); i++)
        if (strcmp(key, asides[i]) == 0)
            return json_object_get(properties, "query") != NULL;
    return false;
}

static json_t *fit_object(const struct reading *r, const json_t *schema, const char *within,
                          const json_t *given)
{
    struct buf *error = r->error;
    const json_t *properties = json_object_get(schema, "properties");
    json_auto_t *args = json_object();
    bool closed = json_is_false(json_object_get(schema, "additionalProperties"));
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)given, key, value)
    {
        const char *as = key;
        const json_t *wanted = json_object_get(properties, key);
        if (wanted == NULL && closed && r->own && (as = meant_argument(properties, given, key)))
            wanted = json_object_get(properties, as);
        if (wanted == NULL && closed && r->own && is_aside(properties, key)) {
            if (r->notes)
                buf_printf(r->notes, "There is no argument \"%s\" here: it was left out. ", key);
            continue;
        }
        if (as == NULL || json_object_get(args, as) || (wanted == NULL && closed)) {
            buf_puts(error, "There is no argument ");
            text_json(error, str_of(key), 60);
            if (within[0])
                buf_printf(error, " in \"%s\"", within);
            buf_puts(error, "; there are: ");
            list_names(properties, error);
            buf_putc(error, '.');
            return NULL;
        }
        if ((json_is_null(value) && type_of(wanted) != TYPE_OTHER) ||
            (r->own && is_none(wanted, as, value)))
            continue;
        char name[NAME_BYTES];
        snprintf(name, sizeof(name), "%s%s%s", within, within[0] ? "." : "", as);
        json_t *fitted = fit(r, wanted, name, value);
        if (!fitted)
            return NULL;
        json_object_set_new(args, as, fitted);
    }
    return check_required(schema, within, args, error) ? json_incref(args) : NULL;
}

/* Other ways to say in ours that nothing is given: [], {} and, of a time, "null" and the like. */
static bool is_none(const json_t *wanted, const char *name, const json_t *value)
{
    static const char *const times[] = {"start", "end", "time", "step", "window"};
    static const char *const words[] = {"null",    "none",      "undefined", "auto",   "default",
                                        "$__from", "${__from}", "$__to",     "${__to}"};
    enum type type = type_of(wanted);
    if (type != TYPE_ARRAY && type != TYPE_OBJECT && type != TYPE_OTHER &&
        strcmp(name, "query") != 0 && (json_is_array(value) || json_is_object(value)))
        return json_array_size(value) + json_object_size(value) == 0;
    bool time = false, none = false;
    struct str text = str_trim(json_text(value));
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        time = time || strcmp(name, times[i]) == 0;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        none =
            none || (text.len == strlen(words[i]) && strncasecmp(text.at, words[i], text.len) == 0);
    return time && none;
}

/* Models like to write a list as a string. */
static json_t *as_array(const json_t *value)
{
    if (json_is_array(value))
        return json_incref((json_t *)value);
    json_t *read = json_is_string(value) ? json_loads(json_string_value(value), 0, NULL) : NULL;
    if (json_is_array(read))
        return read;
    json_decref(read);
    return NULL;
}

static json_t *fit_array(const struct reading *r, const json_t *schema, const char *name,
                         const json_t *given)
{
    json_auto_t *fitted = json_array();
    const json_t *items = json_object_get(schema, "items");
    size_t count = json_array_size(given);
    json_int_t least = json_integer_value(json_object_get(schema, "minItems"));
    json_int_t most = json_integer_value(json_object_get(schema, "maxItems"));
    if ((json_int_t)count < least || (most > 0 && (json_int_t)count > most)) {
        buf_printf(r->error, "The argument \"%s\" must have %lld to %lld items.", name,
                   (long long)least, (long long)(most > 0 ? most : ITEMS_MAX));
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        char one[NAME_BYTES];
        snprintf(one, sizeof(one), "%s[%zu]", name, i);
        json_t *item = fit(r, items, one, json_array_get(given, i));
        if (!item)
            return NULL;
        json_array_append_new(fitted, item);
    }
    return json_incref(fitted);
}

static json_t *as_string(const json_t *value)
{
    if (json_is_string(value))
        return json_incref((json_t *)value);
    if (!json_is_number(value))
        return NULL;
    char *text = json_dumps(value, JSON_ENCODE_ANY);
    json_t *string = text ? json_string(text) : NULL;
    free(text);
    return string;
}

/* In ours: label matchers as an object, a query as Markdown shows it. NULL: it is taken as it is.
 */
static json_t *unwrap(const struct reading *r, const char *name, const json_t *value)
{
    bool matchers = strcmp(name, "matchers") == 0;
    const char *label;
    json_t *one;
    if (json_is_object(value) && matchers) {
        scoped_buf(text, ARGS_BYTES_MAX);
        json_object_foreach((json_t *)value, label, one)
        {
            if (!json_is_string(one))
                return NULL;
            buf_printf(&text, "%s%s=", text.len > 0 ? "," : "", label);
            json_str(&text, json_text(one));
        }
        return text.overflowed ? NULL : json_stringn(text.at, text.len);
    }
    if (json_array_size(value) == 1 && json_is_string(json_array_get(value, 0)) &&
        strcmp(name, "query") != 0) /* ["job"]; a list of queries is of more than one */
        return json_incref(json_array_get(value, 0));
    if (json_is_array(value) && (strcmp(name, "by") == 0 || matchers)) {
        size_t i;
        scoped_buf(text, ARGS_BYTES_MAX);
        json_array_foreach(value, i, one)
        {
            if (!json_is_string(one))
                return NULL;
            buf_puts(&text, i > 0 ? "," : "");
            buf_add_str(&text, json_text(one));
        }
        return json_stringn(text.at, text.len);
    }
    if (json_is_string(value) && strcmp(name, "query") == 0) {
        struct str text = json_text(value), query = meant_query(text);
        if (query.len == text.len)
            return NULL;
        if (r->notes)
            buf_puts(r->notes, "The query was taken without the signs around it. ");
        return json_stringn(query.at, query.len);
    }
    return NULL;
}

static json_t *as_integer(const json_t *value)
{
    double number;
    struct str text = json_text(value);
    if (json_is_integer(value))
        return json_incref((json_t *)value);
    if (json_is_real(value))
        number = json_real_value(value);
    else if (!json_is_string(value) || !sax_double(str_trim(text), &number))
        return NULL;
    return number == floor(number) && fabs(number) < 1e15 ? json_integer((json_int_t)number) : NULL;
}

/* Also "0.95", "95%", "p95", "95th" */
static json_t *as_number(const json_t *value)
{
    double number;
    struct str text = str_trim(json_text(value));
    if (json_is_number(value))
        return json_incref((json_t *)value);
    if (text.len > 1 && (text.at[0] | 32) == 'p')
        text = str_skip(text, 1);
    if (text.len > 1 && text.at[text.len - 1] == '%')
        text.len--;
    else if (text.len > 2 && str_is(str_skip(text, text.len - 2), "th"))
        text.len -= 2;
    return json_is_string(value) && sax_double(text, &number) && isfinite(number)
               ? json_real(number)
               : NULL;
}

static json_t *as_boolean(const json_t *value)
{
    const char *text = json_string_value(value);
    if (json_is_boolean(value))
        return json_incref((json_t *)value);
    if (text == NULL || (strcasecmp(text, "true") != 0 && strcasecmp(text, "false") != 0))
        return NULL;
    return json_boolean((text[0] | 32) == 't');
}

static size_t characters(const json_t *value)
{
    const char *text = json_string_value(value);
    size_t count = 0;
    for (size_t i = 0; i < json_string_length(value); i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

static bool check_string(const json_t *schema, const char *name, const json_t *value,
                         struct buf *error)
{
    json_int_t longest = json_integer_value(json_object_get(schema, "maxLength"));
    json_int_t shortest = json_integer_value(json_object_get(schema, "minLength"));
    size_t len = characters(value);
    if (longest > 0 && len > (size_t)longest) {
        buf_printf(error, "The argument \"%s\" is too long: at most %lld characters.", name,
                   (long long)longest);
        return false;
    }
    if (shortest > 0 && len < (size_t)shortest) {
        buf_printf(error, "The argument \"%s\" must %s.", name,
                   len == 0 ? "not be empty" : "be longer");
        return false;
    }
    return true;
}

/* One of the schema's words, in whatever case. In ours another counts as the default, where there
 * is one; what an MCP server's default would do is not known. */
static json_t *fit_word(const struct reading *r, const json_t *schema, const char *name,
                        const json_t *value)
{
    const json_t *words = json_object_get(schema, "enum");
    json_t *otherwise = json_object_get(schema, "default");
    struct str given = str_trim(json_text(value));
    for (size_t i = 0; i < json_array_size(words); i++)
        if (json_equal(json_array_get(words, i), value))
            return json_incref((json_t *)value);
    for (size_t i = 0; i < json_array_size(words); i++) {
        json_t *word = json_array_get(words, i);
        struct str text = json_text(word);
        if (text.len == given.len && strncasecmp(text.at, given.at, given.len) == 0)
            return json_incref(word);
    }
    if (!words)
        return json_incref((json_t *)value);
    if (r->own && otherwise)
        return json_incref(otherwise);
    char *all = json_dumps(words, 0);
    buf_printf(r->error, "The argument \"%s\" must be one of %s.", name, all);
    free(all);
    return NULL;
}

/* More than may be asked for is the most; a percentage is a share. NULL: it is taken as it is. */
static json_t *fit_number(const struct reading *r, const json_t *schema, const char *name,
                          const json_t *value)
{
    const json_t *most = json_object_get(schema, "maximum");
    double number = json_number_value(value), top = json_number_value(most);
    if (!r->own || !most || number <= top)
        return NULL;
    if (json_is_real(value) || type_of(schema) == TYPE_NUMBER)
        return top == 1 && number >= 2 && number <= 100 ? json_real(number / 100) : NULL;
    if (strcmp(name, "limit") != 0)
        return NULL;
    if (r->notes)
        buf_printf(r->notes, "The limit of %.10g was taken as %.10g, the most that there is. ",
                   number, top);
    return json_incref((json_t *)most);
}

static bool check_number(const json_t *schema, const char *name, const json_t *value,
                         struct buf *error)
{
    const json_t *least = json_object_get(schema, "minimum");
    const json_t *most = json_object_get(schema, "maximum");
    double number = json_number_value(value);
    bool low = least && number < json_number_value(least);
    if (!low && !(most && number > json_number_value(most)))
        return true;
    if (least && most)
        buf_printf(error, "The argument \"%s\" must be from %.10g to %.10g.", name,
                   json_number_value(least), json_number_value(most));
    else
        buf_printf(error, "The argument \"%s\" must be at %s %.10g.", name, low ? "least" : "most",
                   json_number_value(low ? least : most));
    return false;
}

static json_t *as_type(enum type type, const json_t *value)
{
    switch (type) {
    case TYPE_STRING:
        return as_string(value);
    case TYPE_INTEGER:
        return as_integer(value);
    case TYPE_BOOLEAN:
        return as_boolean(value);
    case TYPE_NUMBER:
        return as_number(value);
    case TYPE_ARRAY:
        return as_array(value);
    case TYPE_OBJECT:
        return json_is_object(value) ? json_incref((json_t *)value) : NULL;
    case TYPE_OTHER:
        break;
    }
    return json_incref((json_t *)value);
}

static json_t *fit(const struct reading *r, const json_t *schema, const char *name,
                   const json_t *value)
{
    struct buf *error = r->error;
    enum type type = type_of(schema);
    json_t *fitted = r->own && type == TYPE_STRING ? unwrap(r, name, value) : NULL;
    if (!fitted)
        fitted = as_type(type, value);
    if (!fitted) {
        const char *word = json_string_value(json_object_get(schema, "type"));
        bool vowel = type == TYPE_INTEGER || type == TYPE_ARRAY || type == TYPE_OBJECT;
        buf_printf(error, "The argument \"%s\" must be %s %s.", name, vowel ? "an" : "a", word);
        return NULL;
    }
    json_t *whole = NULL;
    switch (type) {
    case TYPE_STRING:
        if (check_string(schema, name, fitted, error))
            whole = fit_word(r, schema, name, fitted);
        break;
    case TYPE_INTEGER:
    case TYPE_NUMBER:
        whole = fit_number(r, schema, name, fitted);
        if (whole == NULL && check_number(schema, name, fitted, error))
            whole = json_incref(fitted);
        break;
    case TYPE_ARRAY:
        whole = fit_array(r, schema, name, fitted);
        break;
    case TYPE_OBJECT:
        whole = fit_object(r, schema, name, fitted);
        break;
    case TYPE_BOOLEAN:
    case TYPE_OTHER:
        whole = json_incref(fitted);
        break;
    }
    json_decref(fitted);
    return whole;
}

struct str args_str(const json_t *args, const char *name)
{
    const json_t *value = json_object_get(args, name);
    return json_text(value);
}

int64_t args_int(const json_t *args, const char *name, int64_t otherwise)
{
    const json_t *value = json_object_get(args, name);
    return value ? (int64_t)json_integer_value(value) : otherwise;
}
