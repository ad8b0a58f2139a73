/* gateway/api/mcp.h: POST /mcp: PersAI as a server of the Model Context Protocol. */
#ifndef GATEWAY_API_MCP_H
#define GATEWAY_API_MCP_H

#include "gateway/api/call.h"

extern const struct call_hooks mcp_hooks;

#endif
