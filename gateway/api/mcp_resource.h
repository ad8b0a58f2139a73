/* gateway/api/mcp_resource.h: what a person has here and in Perses, as resources of MCP: their
 * conversations, as Markdown, and the dashboards that they may read, as Perses has them. */
#ifndef GATEWAY_API_MCP_RESOURCE_H
#define GATEWAY_API_MCP_RESOURCE_H

#include "gateway/api/mcp_reply.h"

/* False: the method is none of resources. */
bool mcp_resource_method(struct call *c, struct str method);

#endif
