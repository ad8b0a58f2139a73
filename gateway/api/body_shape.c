#include "gateway/api/body_shape.h"

#include <string.h>
#include "common/check.h"
#include "common/json.h"

/* Where in the body we are: a chain on the stack. */
struct place {
    const struct place *in;
    const char *key; /* NULL: of an array, at index */
    size_t index;
};

struct fit {
    const json_t *schemas;
    struct buf *why; /* NULL: only whether it fits is of interest */
};

static bool fits(const struct fit *f, const json_t *schema, const json_t *v, const struct place *p);
static bool is_of_type(const json_t *types, const json_t *v);
static bool object_fits(const struct fit *f, const json_t *schema, const json_t *v,
                        const struct place *p);
static bool refuse(const struct fit *f, const struct place *p, const char *how);

bool body_shape_fits(const json_t *schemas, const json_t *schema, const json_t *value,
                     struct buf *why)
{
    struct fit f = {schemas, why};
    return fits(&f, schema, value, NULL);
}

static const json_t *target_of(const struct fit *f, const json_t *schema)
{
    struct str prefix = STR("#/components/schemas/");
    struct str ref = json_text(json_object_get(schema, "$ref"));
    if (ref.len == 0)
        return schema;
    CHECK(str_starts(ref, prefix));
    const json_t *target = json_object_get(f->schemas, ref.at + prefix.len);
    CHECK(target);
    return target;
}

/* As the first of anyOf that takes it, else as the first that is of its type says. */
static bool any_fits(const struct fit *f, const json_t *any, const json_t *v, const struct place *p)
{
    const struct fit silent = {f->schemas, NULL};
    const json_t *one, *alike = NULL;
    size_t i;
    json_array_foreach((json_t *)any, i, one)
    {
        if (fits(&silent, one, v, p))
            return true;
        if (!alike && is_of_type(json_object_get(target_of(f, one), "type"), v))
            alike = one;
    }
    return alike ? fits(f, alike, v, p) : refuse(f, p, "has a type that is not allowed");
}

static bool fits(const struct fit *f, const json_t *schema, const json_t *v, const struct place *p)
{
    schema = target_of(f, schema);
    const json_t *any = json_object_get(schema, "anyOf"), *items = json_object_get(schema, "items");
    const json_t *types = json_object_get(schema, "type"), *one;
    size_t i;
    if (any)
        return any_fits(f, any, v, p);
    if (!is_of_type(types, v)) {
        char how[128];
        const json_t *first = json_is_array(types) ? json_array_get(types, 0) : types;
        snprintf(how, sizeof(how), "must be of type %s", json_string_value(first));
        return refuse(f, p, how);
    }
    if (json_is_object(v))
        return object_fits(f, schema, v, p);
    if (!json_is_array(v) || !items)
        return true;
    json_array_foreach((json_t *)v, i, one)
    {
        struct place at = {p, NULL, i};
        if (!fits(f, items, one, &at))
            return false;
    }
    return true;
}

static bool object_fits(const struct fit *f, const json_t *schema, const json_t *v,
                        const struct place *p)
{
    const json_t *known = json_object_get(schema, "properties"), *one, *name;
    const json_t *more = json_object_get(schema, "additionalProperties");
    const char *key;
    size_t i;
    json_array_foreach(json_object_get(schema, "required"), i, name)
    {
        struct place at = {p, json_string_value(name), 0};
        if (!json_object_get(v, at.key))
            return refuse(f, &at, "is missing");
    }
    json_object_foreach((json_t *)v, key, one)
    {
        struct place at = {p, key, 0};
        const json_t *its = json_object_get(known, key);
        if (!its && json_is_false(more))
            return refuse(f, &at, "has no place here");
        if (!its && json_is_object(more))
            its = more;
        if (its && !fits(f, its, one, &at))
            return false;
    }
    return true;
}

/* 1.0 too (JSON Schema, section 4.2.3), as far as each whole number has a double. */
static bool is_whole(const json_t *v)
{
    static const double most = 9007199254740992.0;
    double d = json_real_value(v);
    return json_is_integer(v) ||
           (json_is_real(v) && d >= -most && d <= most && d == (double)(int64_t)d);
}

static bool is_one(struct str type, const json_t *v)
{
    return (str_is(type, "object") && json_is_object(v)) ||
           (str_is(type, "array") && json_is_array(v)) ||
           (str_is(type, "string") && json_is_string(v)) ||
           (str_is(type, "boolean") && json_is_boolean(v)) ||
           (str_is(type, "null") && json_is_null(v)) ||
           (str_is(type, "number") && json_is_number(v)) ||
           (str_is(type, "integer") && is_whole(v));
}

/* types: a word, several, or NULL (any). */
static bool is_of_type(const json_t *types, const json_t *v)
{
    bool ok = !types || is_one(json_text(types), v);
    for (size_t i = 0; i < json_array_size(types); i++)
        ok = ok || is_one(json_text(json_array_get(types, i)), v);
    return ok;
}

/* ---- what is said of it ---- */

/* A body's key may be long, and anything. */
static void write_place(struct buf *b, const struct place *p)
{
    enum { KEY_BYTES_MAX = 64 };
    if (!p)
        return;
    write_place(b, p->in);
    if (!p->key) {
        buf_printf(b, "[%zu]", p->index);
        return;
    }
    if (b->len > 0)
        buf_putc(b, '.');
    buf_add(b, p->key, strnlen(p->key, KEY_BYTES_MAX));
}

static bool refuse(const struct fit *f, const struct place *p, const char *how)
{
    if (!f->why)
        return false;
    write_place(f->why, p);
    buf_printf(f->why, "%s%s", p ? " " : "The body ", how);
    return false;
}
