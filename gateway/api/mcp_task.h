/* gateway/api/mcp_task.h: tasks of MCP, which are turns: tasks/get, tasks/update, tasks/cancel; and
 * the retry of a call that asked for its person's yes first. */
#ifndef GATEWAY_API_MCP_TASK_H
#define GATEWAY_API_MCP_TASK_H

#include "gateway/api/mcp_reply.h"

struct turn;
/* The turn goes on without this call, which is answered with its task. */
void mcp_task_made(struct call *c);
/* False: the method is none of tasks. */
bool mcp_task_method(struct call *c, struct str method);
/* A tools/call with a requestState: what was said is decided, and the turn is told to its end. */
void mcp_task_retry(struct call *c, struct str state);

void mcp_decided(struct call *c); /* hooks */
void mcp_cancelled(struct call *c);

#endif
