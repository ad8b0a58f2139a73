/* gateway/api/mcp_text.h: what the MCP server says: its versions, tools, prompts, results and
 * errors. Pure: JSON in, JSON out.
 *
 * Revision 2026-07-28 is stateless: each request names its version in params._meta, and headers
 * repeat it. 2025-11-25, 2025-06-18 and 2025-03-26 begin with initialize
 * (modelcontextprotocol.io/specification). */
#ifndef GATEWAY_API_MCP_TEXT_H
#define GATEWAY_API_MCP_TEXT_H

#include <jansson.h>
#include "common/buf.h"

/* JSON-RPC's codes and MCP's own. */
enum mcp_code {
    MCP_PARSE = -32700,
    MCP_REQUEST = -32600,
    MCP_METHOD = -32601,
    MCP_PARAMS = -32602,
    MCP_INTERNAL = -32603,
    MCP_HEADERS = -32020,    /* a header is missing or says something else than the body */
    MCP_CAPABILITY = -32021, /* the client lacks what the answer needs */
    MCP_VERSION = -32022,
    MCP_NOT_FOUND = -32002, /* of a resource, in the versions with a handshake */
    MCP_REFUSED = -32000,   /* ours: data.code has the API's word */
};
enum { MCP_TTL_MS = 60000 }; /* how long what is listed may be kept */
#define MCP_MODERN "2026-07-28"

/* A request's place in the protocol. headers: as they came, empty where there was none. */
struct mcp_headers {
    struct str version, method, name;
};
struct mcp_wrong { /* of mcp_check */
    int code;      /* 0: nothing is wrong */
    unsigned http_status;
    const char *sentence;
};
bool mcp_is_modern(const json_t *request, const struct mcp_headers *h);
struct mcp_client { /* who asks */
    bool modern;
    bool elicits; /* it can ask its person, by a form */
    bool tasks;   /* it can wait for a task; modern */
};
struct mcp_client mcp_client_of(const json_t *request, const struct mcp_headers *h);
/* May it be answered? Of a modern one its _meta and headers, of others the version's header. */
struct mcp_wrong mcp_check(const json_t *request, const struct mcp_headers *h, bool modern);

/* Owned by the caller. id: borrowed, NULL is null. */
json_t *mcp_answer(const json_t *id, json_t *take_result, bool modern);
json_t *mcp_error(const json_t *id, int code, const char *sentence, json_t *take_data);
/* Data of MCP_VERSION: what is spoken here, and what was asked for. */
json_t *mcp_unspoken(const json_t *request, const struct mcp_headers *h);

/* Results of methods. tools: what GET /tools says. */
json_t *mcp_discover(void);
json_t *mcp_initialize(const json_t *params);
json_t *mcp_tools(struct str tools, const struct mcp_client *client);
json_t *mcp_prompts(void);
json_t *mcp_prompt(const json_t *params, const char **wrong); /* NULL: wrong says why */
enum mcp_tool_kind { MCP_NO_TOOL, MCP_READS, MCP_CHANGES };
enum mcp_tool_kind mcp_tool_kind(const json_t *tools, struct str name);
/* Data of MCP_CAPABILITY: what the client lacks. */
json_t *mcp_needs_tasks(void);
json_t *mcp_needs_elicitation(void);
/* Of tools/call. structured: or NULL. */
json_t *mcp_tool_result(struct str text, json_t *take_structured, bool is_error);

#endif
