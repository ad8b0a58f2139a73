#include "worker/tools/mcp/schema.h"

#include <string.h>
#include <strings.h>
#include "common/json.h"
#include "worker/tools/text.h"

enum {
    TEXT_MAX = 500, /* of one text */
    NAME_MAX = 64,
    DEPTH_MAX = 16,
    LOOKED_MAX = 20000, /* members, with those of what is referred to again and again */
    COUNT_MAX = 1000,   /* llama.cpp's grammars refuse more repetitions */
};
struct copy {
    const json_t *root;
    const json_t *open[DEPTH_MAX]; /* what is referred to, and being copied */
    unsigned open_count;
    json_t *path; /* of names from the root, as long as only "properties" leads there; else NULL */
    json_t *marks;
    const char *why;
    size_t bytes; /* of texts and names so far */
    unsigned depth, looked;
};
/* A member of a schema, and where what it becomes goes. */
struct member {
    const json_t *schema, *value;
    const char *key;
    json_t *out;
};
typedef bool add_fn(struct copy *c, const struct member *m); /* false: the tool is refused */

static add_fn add_type, add_text, add_number, add_count, add_enum, add_const, add_default, add_one,
    add_more, add_properties, add_choices, add_all, add_ref, add_mark;
static const struct {
    const char *key;
    add_fn *add;
} keywords[] = {
    {"type", add_type},
    {"title", add_text},
    {"description", add_text},
    {"format", add_text},
    {"enum", add_enum},
    {"const", add_const},
    {"default", add_default},
    {"minimum", add_number},
    {"maximum", add_number},
    {"minLength", add_count},
    {"maxLength", add_count},
    {"minItems", add_count},
    {"maxItems", add_count},
    {"items", add_one},
    {"properties", add_properties},
    {"additionalProperties", add_more},
    {"anyOf", add_choices},
    {"oneOf", add_choices},
    {"allOf", add_all},
    {"$ref", add_ref},
    {"$dynamicRef", add_ref},
    {"x-mcp-header", add_mark},
};
static json_t *copy_schema(struct copy *c, const json_t *v);
static void finish(struct copy *c, const json_t *schema, json_t *out);

static bool refuse(struct copy *c, const char *why)
{
    c->why = why;
    return false;
}

/* ---- values ---- */

static bool weigh(struct copy *c, size_t bytes)
{
    c->bytes += bytes;
    return c->bytes <= MCP_SCHEMA_MAX || refuse(c, "its schema is too large");
}

/* NULL: refused. */
static json_t *clean(struct copy *c, struct str text)
{
    scoped_buf(b, TEXT_MAX + 8);
    text_clean(&b, text, TEXT_MAX);
    return weigh(c, b.len) ? json_stringn(b.len ? b.at : "", b.len) : NULL;
}

/* NULL: refused. */
static json_t *scalar(struct copy *c, const json_t *v)
{
    if (json_is_string(v))
        return clean(c, json_text(v));
    return weigh(c, 2) ? json_deep_copy(v) : NULL;
}

static bool is_scalar(const json_t *v) { return v && !json_is_object(v) && !json_is_array(v); }

static bool has(const json_t *array, const json_t *value)
{
    size_t i;
    const json_t *other;
    json_array_foreach((json_t *)array, i, other) if (json_equal(other, value)) return true;
    return false;
}

static bool set(json_t *out, const char *key, json_t *take_value)
{
    return json_object_set_new(out, key, take_value) == 0; /* NULL: it was refused */
}

static bool is_type(const json_t *v)
{
    static const char *const names[] = {"string", "number", "integer", "boolean",
                                        "array",  "object", "null"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_is(json_text(v), names[i]))
            return true;
    return false;
}

static bool add_type(struct copy *c, const struct member *m)
{
    size_t i;
    const json_t *type;
    json_auto_t *types = json_array();
    (void)c;
    json_array_foreach((json_t *)m->value, i, type) if (is_type(type) && !has(types, type))
        json_array_append(types, (json_t *)type);
    if (is_type(m->value))
        return set(m->out, m->key, json_deep_copy(m->value));
    return json_array_size(types) == 0 || set(m->out, m->key, json_incref(types));
}

static bool add_text(struct copy *c, const struct member *m)
{
    return !json_is_string(m->value) || set(m->out, m->key, clean(c, json_text(m->value)));
}

static bool add_number(struct copy *c, const struct member *m)
{
    (void)c;
    return !json_is_number(m->value) || set(m->out, m->key, json_deep_copy(m->value));
}

static bool add_count(struct copy *c, const struct member *m)
{
    json_int_t count = json_integer_value(m->value);
    (void)c;
    if (!json_is_integer(m->value) || count < 0 || count > COUNT_MAX)
        return true;
    return set(m->out, m->key, json_integer(count));
}

static bool add_enum(struct copy *c, const struct member *m)
{
    size_t i;
    const json_t *v;
    json_auto_t *values = json_array();
    json_array_foreach((json_t *)m->value, i, v)
    {
        json_auto_t *value = is_scalar(v) ? scalar(c, v) : NULL;
        if (is_scalar(v) && !value)
            return false;
        if (value && !has(values, value))
            json_array_append(values, value);
    }
    return json_array_size(values) == 0 || set(m->out, m->key, json_incref(values));
}

static bool add_const(struct copy *c, const struct member *m)
{
    json_auto_t *values = json_array();
    if (!is_scalar(m->value))
        return true;
    return json_array_append_new(values, scalar(c, m->value)) == 0 &&
           set(m->out, "enum", json_incref(values));
}

static bool add_default(struct copy *c, const struct member *m)
{
    return !is_scalar(m->value) || set(m->out, m->key, scalar(c, m->value));
}

/* ---- schemas in schemas ---- */

/* One that no "properties" leads to. */
static json_t *copy_off_path(struct copy *c, const json_t *v)
{
    json_t *path = c->path;
    c->path = NULL;
    json_t *out = copy_schema(c, v);
    c->path = path;
    return out;
}

static bool add_one(struct copy *c, const struct member *m)
{
    return set(m->out, m->key, copy_off_path(c, m->value));
}

static bool add_more(struct copy *c, const struct member *m)
{
    if (json_is_boolean(m->value))
        return set(m->out, m->key, json_deep_copy(m->value));
    return !json_is_object(m->value) || add_one(c, m);
}

static bool name_ok(const char *name)
{
    scoped_buf(b, NAME_MAX + 8);
    return name[0] && strlen(name) <= NAME_MAX && text_clean(&b, str_of(name), NAME_MAX) &&
           str_is(buf_str(&b), name);
}

static bool add_properties(struct copy *c, const struct member *m)
{
    const char *name;
    json_t *value, *out = json_object_get(m->out, m->key); /* of what was referred to */
    if (!out)
        json_object_set_new(m->out, m->key, out = json_object());
    json_object_foreach((json_t *)m->value, name, value)
    {
        if (!name_ok(name))
            return refuse(c, "its schema has a name that can't be shown");
        if (c->path)
            json_array_append_new(c->path, json_string(name));
        json_t *copied = copy_schema(c, value);
        if (c->path)
            json_array_remove(c->path, json_array_size(c->path) - 1);
        if (!set(out, name, copied) || !weigh(c, strlen(name)))
            return false;
    }
    return true;
}

/* oneOf as anyOf, which all know. */
static bool add_choices(struct copy *c, const struct member *m)
{
    size_t i;
    const json_t *v;
    json_auto_t *choices = json_array();
    json_array_foreach((json_t *)m->value, i,
                       v) if (json_array_append_new(choices, copy_off_path(c, v)) !=
                              0) return false;
    if (json_array_size(choices) == 0 || json_object_get(m->out, "anyOf"))
        return true;
    return set(m->out, "anyOf", json_incref(choices));
}

static bool merge(struct copy *c, json_t *out, const json_t *v)
{
    json_auto_t *other = copy_off_path(c, v);
    json_t *more = json_object_get(other, "properties"), *ours = json_object_get(out, "properties");
    if (ours && more)
        json_object_update_missing(ours, more);
    return other && json_object_update_missing(out, other) == 0;
}

static bool add_all(struct copy *c, const struct member *m)
{
    size_t i;
    const json_t *v;
    json_array_foreach((json_t *)m->value, i, v) if (!merge(c, m->out, v)) return false;
    return true;
}

/* "#", "#/$defs/NAME"; NULL: it is not there. */
static const json_t *find(const json_t *root, const char *ref)
{
    const char *at = ref + 1;
    while (root && *at == '/') {
        scoped_buf(name, 1024);
        for (at++; *at && *at != '/'; at++) {
            bool coded = *at == '~' && (at[1] == '0' || at[1] == '1');
            buf_putc(&name, coded ? "~/"[at[1] - '0'] : *at);
            at += coded;
        }
        root = name.overflowed ? NULL : json_object_get(root, buf_cstr(&name));
    }
    return *at ? NULL : root;
}

static bool add_ref(struct copy *c, const struct member *m)
{
    const char *ref = json_string_value(m->value);
    if (!ref || ref[0] != '#')
        return refuse(c, "its schema refers to something elsewhere");
    const json_t *to = find(c->root, ref);
    if (!to)
        return refuse(c, "its schema refers to something that is not there");
    for (unsigned i = 0; i < c->open_count; i++)
        if (c->open[i] == to)
            return true;           /* within itself: anything */
    c->open[c->open_count++] = to; /* each is deeper than the last */
    bool merged = merge(c, m->out, to);
    c->open_count--;
    return merged;
}

/* "x-mcp-header": NAME of the schema at c->path. */
static bool add_mark(struct copy *c, const struct member *m)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *type = json_string_value(json_object_get(m->schema, "type"));
    const char *name = json_string_value(m->value);
    size_t i;
    const json_t *other;
    bool ok = name && name[0] && strlen(name) <= NAME_MAX && strspn(name, token) == strlen(name) &&
              c->path && json_array_size(c->path) > 0 && type &&
              (!strcmp(type, "string") || !strcmp(type, "integer") || !strcmp(type, "boolean")) &&
              json_array_size(c->marks) < MCP_MARKS_MAX;
    json_array_foreach(c->marks, i, other) ok =
        ok && strcasecmp(json_string_value(json_array_get(other, 0)), name) != 0;
    if (!ok)
        return refuse(c, "its schema has an x-mcp-header that is not valid");
    json_t *row = json_array();
    json_array_append_new(row, json_string(name));
    json_array_extend(row, c->path);
    json_array_append_new(c->marks, row);
    return true;
}

/* ---- one schema ---- */

static bool add(struct copy *c, const struct member *m)
{
    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
        if (strcmp(keywords[i].key, m->key) == 0)
            return keywords[i].add(c, m);
    return true;
}

/* true, and what is none, is that of anything. NULL: refused. */
static json_t *copy_schema(struct copy *c, const json_t *v)
{
    json_auto_t *out = json_object();
    const char *key;
    json_t *value;
    if (++c->depth > DEPTH_MAX) {
        c->why = "its schema is too deeply nested";
        return NULL;
    }
    json_object_foreach((json_t *)v, key, value)
    {
        if (++c->looked > LOOKED_MAX)
            return refuse(c, "its schema is too large"), NULL;
        if (!add(c, &(struct member){.schema = v, .key = key, .value = value, .out = out}))
            return NULL;
    }
    if (!weigh(c, 2))
        return NULL;
    finish(c, v, out);
    c->depth--;
    return json_incref(out);
}

static void drop_if_crossed(json_t *out, const char *least, const char *most)
{
    const json_t *a = json_object_get(out, least), *b = json_object_get(out, most);
    if (!a || !b || json_number_value(a) <= json_number_value(b))
        return;
    json_object_del(out, least);
    json_object_del(out, most);
}

/* The names in "required" that are properties: Gemini refuses others. */
static void require(const json_t *names, json_t *out)
{
    size_t i;
    const json_t *name, *properties = json_object_get(out, "properties");
    json_t *required = json_object_get(out, "required"); /* of what was referred to */
    required = required ? json_incref(required) : json_array();
    json_array_foreach((json_t *)names, i, name)
    {
        const char *text = json_string_value(name);
        if (text && json_object_get(properties, text) && !has(required, name))
            json_array_append(required, (json_t *)name);
    }
    if (json_array_size(required) > 0)
        json_object_set(out, "required", required);
    json_decref(required);
}

static void describe_pattern(struct copy *c, const json_t *pattern, json_t *out)
{
    scoped_buf(b, 2 * TEXT_MAX + 32);
    struct str said = json_text(json_object_get(out, "description"));
    buf_add_str(&b, said);
    buf_puts(&b, said.len > 0 ? " Pattern: " : "Pattern: ");
    text_clean(&b, json_text(pattern), TEXT_MAX);
    if (weigh(c, b.len - said.len))
        json_object_set_new(out, "description", json_stringn(b.at, b.len));
}

/* What depends on more than one member. */
static void finish(struct copy *c, const json_t *schema, json_t *out)
{
    const json_t *pattern = json_object_get(schema, "pattern"),
                 *type = json_object_get(out, "type");
    json_auto_t *array = json_string("array");
    require(json_object_get(schema, "required"), out);
    drop_if_crossed(out, "minimum", "maximum");
    drop_if_crossed(out, "minLength", "maxLength");
    drop_if_crossed(out, "minItems", "maxItems");
    if (json_is_string(pattern)) /* each provider has another dialect, llama.cpp wants ^ and $ */
        describe_pattern(c, pattern, out);
    if ((json_equal(type, array) || has(type, array)) && !json_object_get(out, "items"))
        json_object_set_new(out, "items", json_object()); /* OpenAI refuses an array without */
}

/* Names of arguments, as every provider takes them. */
static bool argument_ok(const char *name)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    return name[0] && strlen(name) <= NAME_MAX && strspn(name, letters) == strlen(name);
}

json_t *mcp_schema_read(const json_t *schema, json_t *marks, const char **why)
{
    json_auto_t *path = json_array();
    struct copy c = {.root = schema, .path = path, .marks = marks, .why = "it has no schema"};
    json_auto_t *out = json_is_object(schema) ? copy_schema(&c, schema) : NULL;
    const json_t *type = json_object_get(out, "type");
    const char *name;
    json_t *value;
    *why = c.why;
    if (!out)
        return NULL;
    if (json_object_get(schema, "type") && !str_is(json_text(type), "object")) {
        *why = "its schema is not of an object";
        return NULL;
    }
    json_object_foreach(json_object_get(out, "properties"), name, value) if (!argument_ok(name))
    {
        *why = "its schema has a name that models can't be shown";
        return NULL;
    }
    json_object_set_new(out, "type", json_string("object"));
    json_object_del(out, "anyOf"); /* what would make its top something else */
    json_object_del(out, "enum");
    if (!json_object_get(out, "properties"))
        json_object_set_new(out, "properties", json_object());
    return json_incref(out);
}
