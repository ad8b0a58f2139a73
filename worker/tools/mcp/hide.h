/* worker/tools/mcp/hide.h: a server that repeats what it was given by the operator must not show it
 * to models, persons and logs: stars stand for it. Pure. */
#ifndef WORKER_TOOLS_MCP_HIDE_H
#define WORKER_TOOLS_MCP_HIDE_H

#include <jansson.h>
#include "worker/tools/mcp/file.h"

/* In all texts and names of v, once they are read: JSON has many ways to write a character. */
void mcp_hide(json_t *v, const struct mcp_config *c);

#endif
