/* worker/tools/mcp/schema.h: a tool's schema as models may be shown it. Inside mcp/ only. Pure.
 *
 * A provider that refuses one schema refuses the request, with all other tools in it. So what is
 * shown is written anew from what each provider takes: the keywords of a table, with values of
 * their kind; a $ref is what it refers to, an allOf what it adds up to. What is left out tells the
 * model less and costs no tool: the server still checks what it wants. */
#ifndef WORKER_TOOLS_MCP_SCHEMA_H
#define WORKER_TOOLS_MCP_SCHEMA_H

#include <jansson.h>

enum {
    MCP_SCHEMA_MAX = 8192, /* bytes of JSON */
    MCP_MARKS_MAX = 16,    /* arguments that go into headers too (x-mcp-header) */
};

/* Of an object; the caller's. marks: an array, gets arguments that go into headers too: [NAME, key,
 * key …]. NULL: it can't be shown, *why says why. */
json_t *mcp_schema_read(const json_t *schema, json_t *marks, const char **why);

#endif
