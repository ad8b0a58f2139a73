#include "worker/tools/mcp/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "worker/tools/mcp/schema.h"
#include "worker/tools/text.h"

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
                    const struct mcp_allowed *allowed, struct mcp_offer *out, const char **why)
{
    const json_t *schema = json_object_get(tool, "inputSchema");
    *out = (struct mcp_offer){.marks = json_array()};
    out->schema = mcp_schema_read(schema, out->marks, why);
    out->description = describe(tool, server, allowed);
    if (!out->schema)
        return false;
    out->schema_text = json_dumps(out->schema, JSON_COMPACT);
    *why = "its schema is too large";
    return out->schema_text && strlen(out->schema_text) <= MCP_SCHEMA_MAX;
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
