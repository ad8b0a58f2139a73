/* worker/tools/mcp/mcp.h: the MCP servers of PERSAI_MCP: which of their tools are there, and calls.
 * Inside worker/tools only.
 *
 * A server that is away takes its own tools along and nothing else: it is tried again and again,
 * ever less often. Which era it speaks is found out at each connection: server/discover first, else
 * initialize. Tools are listed anew from time to time, and soon after a server said that they
 * changed.
 *
 *   AWAY      not reached, or lost; tried again by timer, and when a call wants it
 *   PROBING   server/discover was asked: a result → LISTING; any refusal → GREETING
 *   GREETING  initialize was asked → TOLD
 *   TOLD      it is told that we are ready → LISTING
 *   LISTING   tools/list, page after page → READY. Calls go
 *   READY     by timer → LISTING. Calls go; a session that is gone (404) → GREETING */
#ifndef WORKER_TOOLS_MCP_MCP_H
#define WORKER_TOOLS_MCP_MCP_H

#include "worker/tools/mcp/file.h"
#include "worker/tools/run.h"

#define MCP_STATES(X) X(AWAY) X(PROBING) X(GREETING) X(TOLD) X(LISTING) X(READY)
enum mcp_state {
#define X(name) MCP_##name,
    MCP_STATES(X)
#undef X
};

struct mcp;
struct mcp_tool; /* counted: runs keep theirs, the server may have taken it back meanwhile */

/* on_change: other tools are there. file: borrowed; NULL: no servers, no mcp (NULL). */
struct mcp *mcp_new(struct tools *t, const struct mcp_file *file, loop_fn *on_change);
void mcp_free(struct mcp *m); /* no run uses it any more; NULL is fine */
/* Ends the sessions. True: nothing is left to wait for. */
bool mcp_leave(struct mcp *m);

/* The i-th tool that is there; NULL: no more. Borrowed. */
struct mcp_tool *mcp_tool_at(const struct mcp *m, unsigned i);
const struct tool_spec *mcp_tool_spec(const struct mcp_tool *t);
const json_t *mcp_tool_schema(const struct mcp_tool *t);
bool mcp_tool_reads(const struct mcp_tool *t);         /* and nothing else, says the operator */
const char *mcp_tool_server(const struct mcp_tool *t); /* its name */
struct mcp_tool *mcp_tool_ref(struct mcp_tool *t);
void mcp_tool_free(struct mcp_tool *t); /* one reference; NULL is fine */

bool mcp_server(const struct mcp *m, unsigned i, struct tools_server *out); /* tools_server's */

/* For the person who is asked: the server, its host, whose key it is given. A JSON object. */
void mcp_tool_reach(const struct mcp_tool *t, struct buf *b);

/* The function of a run whose mcp is set. */
void mcp_call(struct tool_run *r);

#endif
