#include "worker/tools/mcp/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/check.h"
#include "common/json.h"
#include "worker/tools/text.h"

/* A tool as a model may be shown it. Its schema is copied with every text cleaned; what providers
 * refuse in schemas, or what would make somebody fetch something, is taken out or refuses the tool:
 * one that is refused by a provider would take all the others with it. */

enum {
    TEXT_MAX = 500, /* of one text in a schema */
    KEY_MAX = 64,
    SCHEMA_DEPTH_MAX = 16,
};
/* What a value in a schema is. */
enum place {
    PLACE_SCHEMA,
    PLACE_NAMES, /* names → schemas */
    PLACE_VALUE,
};
struct copy {
    json_t *path;  /* of keys from the root, as long as only "properties" leads there; else NULL */
    json_t *marks; /* of the offer */
    const char *why;
    size_t bytes; /* of texts so far */
    unsigned depth;
};

static json_t *copy(struct copy *c, const json_t *v, enum place place);

static json_t *copy_text(struct copy *c, const json_t *v)
{
    scoped_buf(b, TEXT_MAX + 8);
    text_clean(&b, json_text(v), TEXT_MAX);
    c->bytes += b.len;
    if (c->bytes > MCP_SCHEMA_MAX) {
        c->why = "its schema is too large";
        return NULL;
    }
    return json_stringn(b.len ? b.at : "", b.len);
}

static bool key_ok(const char *key)
{
    scoped_buf(b, KEY_MAX + 8);
    return strlen(key) <= KEY_MAX && text_clean(&b, str_of(key), KEY_MAX) &&
           str_is(buf_str(&b), key);
}

/* Names of arguments, as every provider takes them. */
static bool name_ok(const char *key)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    return key[0] && strlen(key) <= KEY_MAX && strspn(key, letters) == strlen(key);
}

static enum place place_of(const char *key)
{
    static const char *const names[] = {"properties", "$defs", "definitions", "patternProperties",
                                        "dependentSchemas"};
    static const char *const values[] = {"enum", "const", "default", "examples", "required"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(key, names[i]) == 0)
            return PLACE_NAMES;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        if (strcmp(key, values[i]) == 0)
            return PLACE_VALUE;
    return PLACE_SCHEMA;
}

/* "x-mcp-header": NAME of the schema at c->path. */
static bool mark(struct copy *c, const json_t *schema, const char *name)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *type = json_string_value(json_object_get(schema, "type"));
    size_t i;
    const json_t *other;
    bool ok = name && name[0] && strlen(name) <= KEY_MAX && strspn(name, token) == strlen(name) &&
              c->path && json_array_size(c->path) > 0 && type &&
              (!strcmp(type, "string") || !strcmp(type, "integer") || !strcmp(type, "boolean")) &&
              json_array_size(c->marks) < MCP_MARKS_MAX;
    json_array_foreach(c->marks, i, other) ok =
        ok && strcasecmp(json_string_value(json_array_get(other, 0)), name) != 0;
    if (!ok) {
        c->why = "its schema has an x-mcp-header that is not valid";
        return false;
    }
    json_t *row = json_array();
    json_array_append_new(row, json_string(name));
    json_array_extend(row, c->path);
    json_array_append_new(c->marks, row);
    return true;
}

/* False: the tool is refused. *skip: the member is left out. */
static bool look_at(struct copy *c, const json_t *schema, const char *key, const json_t *value,
                    bool *skip)
{
    const char *text = json_string_value(value);
    *skip = strcmp(key, "$schema") == 0 || strcmp(key, "$id") == 0 ||
            strcmp(key, "$comment") == 0 || strcmp(key, "x-mcp-header") == 0;
    if (strcmp(key, "x-mcp-header") == 0)
        return mark(c, schema, text);
    if ((strcmp(key, "$ref") == 0 || strcmp(key, "$dynamicRef") == 0) &&
        (!text || text[0] != '#')) {
        c->why = "its schema refers to something elsewhere";
        return false;
    }
    return true;
}

static json_t *copy_object(struct copy *c, const json_t *v, enum place place)
{
    json_auto_t *out = json_object();
    json_t *path = c->path, *value;
    const char *key;
    json_object_foreach((json_t *)v, key, value)
    {
        bool skip = false;
        enum place next = place == PLACE_NAMES    ? PLACE_SCHEMA
                          : place == PLACE_SCHEMA ? place_of(key)
                                                  : PLACE_VALUE;
        if (place == PLACE_SCHEMA && !look_at(c, v, key, value, &skip))
            return NULL;
        if (skip)
            continue;
        if (!key_ok(key)) {
            c->why = "its schema has a name that can't be shown";
            return NULL;
        }
        bool named = place == PLACE_NAMES && path;
        if (place == PLACE_SCHEMA && strcmp(key, "properties") != 0)
            c->path = NULL;
        if (named)
            json_array_append_new(path, json_string(key));
        json_t *copied = copy(c, value, next);
        if (named)
            json_array_remove(path, json_array_size(path) - 1);
        c->path = path;
        c->bytes += strlen(key);
        if (!copied)
            return NULL;
        json_object_set_new(out, key, copied);
    }
    return json_incref(out);
}

static json_t *copy_array(struct copy *c, const json_t *v, enum place place)
{
    json_auto_t *out = json_array();
    json_t *path = c->path;
    size_t i;
    const json_t *value;
    c->path = NULL;
    json_array_foreach((json_t *)v, i, value)
    {
        json_t *copied = copy(c, value, place);
        if (!copied)
            return NULL;
        json_array_append_new(out, copied);
    }
    c->path = path;
    return json_incref(out);
}

static json_t *copy(struct copy *c, const json_t *v, enum place place)
{
    json_t *out;
    if (json_is_string(v))
        return copy_text(c, v);
    if (!json_is_object(v) && !json_is_array(v))
        return json_deep_copy(v);
    if (++c->depth > SCHEMA_DEPTH_MAX) {
        c->why = "its schema is too deeply nested";
        return NULL;
    }
    out = json_is_object(v) ? copy_object(c, v, place) : copy_array(c, v, place);
    c->depth--;
    return out;
}

/* What models' APIs want of a schema's top: an object, and none of what would make it something
 * else; the server still checks what it wants. */
static const char *trim_top(json_t *schema)
{
    static const char *const gone[] = {"oneOf", "anyOf", "allOf", "not", "enum",
                                       "const", "if",    "then",  "else"};
    const char *type = json_string_value(json_object_get(schema, "type")), *name;
    json_t *value;
    size_t i;
    if (json_object_get(schema, "type") && !(type && strcmp(type, "object") == 0))
        return "its schema is not of an object";
    json_object_set_new(schema, "type", json_string("object"));
    for (size_t k = 0; k < sizeof(gone) / sizeof(gone[0]); k++)
        json_object_del(schema, gone[k]);
    if (!json_is_object(json_object_get(schema, "properties")))
        json_object_set_new(schema, "properties", json_object());
    json_object_foreach(
        json_object_get(schema, "properties"), name,
        value) if (!name_ok(name)) return "its schema has a name that models can't be shown";
    json_array_foreach(
        json_object_get(schema, "required"), i,
        value) if (!json_is_string(value)) return "its schema's required is no list of names";
    return NULL;
}

static char *describe(const json_t *tool, const struct mcp_config *server,
                      const struct mcp_allowed *allowed)
{
    const json_t *text = json_object_get(tool, "description");
    scoped_buf(b, MCP_DESCRIPTION_MAX + 256);
    buf_printf(&b, "From the MCP server %s: ", server->name);
    text_clean(&b, json_text(text), MCP_DESCRIPTION_MAX);
    if (!allowed->reads)
        buf_puts(&b, " (The person is asked to approve each call.)");
    return str_dup(buf_str(&b));
}

bool mcp_offer_read(const json_t *tool, const struct mcp_config *server,
                    const struct mcp_allowed *allowed, struct mcp_offer *out, char why[160])
{
    const json_t *schema = json_object_get(tool, "inputSchema");
    *out = (struct mcp_offer){.marks = json_array()};
    json_auto_t *path = json_array();
    struct copy c = {.path = path, .marks = out->marks, .why = "it has no schema"};
    if (json_is_object(schema))
        out->schema = copy(&c, schema, PLACE_SCHEMA);
    const char *wrong = out->schema ? trim_top(out->schema) : c.why;
    if (!wrong) {
        out->schema_text = json_dumps(out->schema, JSON_COMPACT);
        if (out->schema_text == NULL || strlen(out->schema_text) > MCP_SCHEMA_MAX)
            wrong = "its schema is too large";
    }
    out->description = describe(tool, server, allowed);
    if (wrong)
        snprintf(why, 160, "%s", wrong);
    return wrong == NULL;
}

void mcp_offer_free(struct mcp_offer *o)
{
    free(o->description);
    free(o->schema_text);
    json_decref(o->schema);
    json_decref(o->marks);
    *o = (struct mcp_offer){0};
}

bool mcp_offer_same(const struct mcp_offer *a, const struct mcp_offer *b)
{
    return strcmp(a->description, b->description) == 0 &&
           strcmp(a->schema_text, b->schema_text) == 0 && json_equal(a->marks, b->marks);
}
