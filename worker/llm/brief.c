#include "worker/llm/brief.h"

#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include "common/check.h"

enum { TEXTS_EACH = 2 };

static char *first_sentence(const char *description);
static char *trimmed(const char *schema_json, bool one_source);

void brief_init(struct brief *b, const struct tool_spec *tools, unsigned count, bool one_source)
{
    *b = (struct brief){.count = count};
    b->tools = xcalloc(count + 1, sizeof(*b->tools));
    b->texts = xcalloc(TEXTS_EACH * count + 1, sizeof(*b->texts));
    for (unsigned i = 0; i < count; i++) {
        char **texts = &b->texts[TEXTS_EACH * i];
        b->tools[i] = tools[i];
        if (str_starts(str_of(tools[i].name), STR(TOOLS_MCP)))
            continue;
        texts[0] = first_sentence(tools[i].description);
        texts[1] = trimmed(tools[i].schema_json, one_source);
        b->tools[i].description = texts[0];
        if (texts[1])
            b->tools[i].schema_json = texts[1];
    }
}

void brief_free(struct brief *b)
{
    for (unsigned i = 0; b->texts && i < TEXTS_EACH * b->count; i++)
        free(b->texts[i]);
    free(b->texts);
    free(b->tools);
    *b = (struct brief){0};
}

static char *first_sentence(const char *description)
{
    const char *end = strstr(description, ". ");
    return end ? xstrndup(description, (size_t)(end - description) + 1) : xstrdup(description);
}

static bool is_required(const json_t *schema, const char *name)
{
    size_t i;
    const json_t *one;
    json_array_foreach(json_object_get(schema, "required"), i, one)
    {
        if (strcmp(json_string_value(one), name) == 0)
            return true;
    }
    return false;
}

static char *trimmed(const char *schema_json, bool one_source)
{
    static const char *const dressing[] = {"title", "unit", "kind", "order", "limit", "offset"};
    json_auto_t *schema = json_loads(schema_json, 0, NULL);
    json_t *properties = json_object_get(schema, "properties"), *property;
    const char *name;
    void *next;
    if (!schema)
        return NULL;
    json_object_foreach_safe(properties, next, name, property)
    {
        bool out = one_source && strcmp(name, "datasource") == 0;
        for (size_t i = 0; i < sizeof(dressing) / sizeof(dressing[0]); i++)
            out = out || strcmp(name, dressing[i]) == 0;
        if (out && !is_required(schema, name))
            json_object_del(properties, name);
        else
            json_object_del(property, "description");
    }
    return json_dumps(schema, JSON_COMPACT);
}

void brief_arguments(const char *schema_json, struct buf *b)
{
    json_auto_t *schema = json_loads(schema_json, 0, NULL);
    const char *name;
    const json_t *property;
    unsigned count = 0;
    json_object_foreach(json_object_get(schema, "properties"), name, property)
    {
        buf_printf(b, "%s%s%s", count++ > 0 ? ", " : "", name,
                   is_required(schema, name) ? "" : "?");
    }
}
