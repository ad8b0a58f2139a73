/* gateway/api/mcp_wait.h: what a turn is to a client of MCP that waits for it: a task, and what it
 * asks of the person. Pure.
 *
 * A task's id names the turn, and so does the requestState of a call that asks first: nothing of
 * either is kept here, so any gateway answers, and it outlives them all. Who forges one has named a
 * turn of their own at most: the store checks whose it is. What is said yes to is named by the hash
 * of the call that was shown. (modelcontextprotocol.github.io/ext-tasks, 2026-07-28.) */
#ifndef GATEWAY_API_MCP_WAIT_H
#define GATEWAY_API_MCP_WAIT_H

#include <jansson.h>
#include <stdint.h>
#include "common/buf.h"
#include "proto/id.h"

enum { MCP_TASK_TEXT_MAX = 2 * ID_TEXT + 32 };
struct mcp_task {
    struct id session, turn;
    int64_t created_ms; /* Unix time, as its maker said */
    bool one_tool;      /* the turn runs one tool: its result is the answer */
};
bool mcp_task_parse(struct str text, struct mcp_task *out);
void mcp_task_text(const struct mcp_task *t, char out[static MCP_TASK_TEXT_MAX]);

/* {taskId, status, createdAt, lastUpdatedAt, ttlMs, pollIntervalMs}. keep_ms: how long after its
 * end it can be asked for. Owned by the caller, as all of the following. */
json_t *mcp_task_json(const struct mcp_task *t, const char *status, int64_t now_ms,
                      int64_t keep_ms);

/* Can a client's form show all of these calls whole? If not, they are decided in PersAI only. */
bool mcp_can_ask(const json_t *calls);
/* calls: as event_approvals writes those that wait for the person's yes. {key: elicitation/create},
 * each key of one call only. */
json_t *mcp_input_requests(const json_t *calls);
enum mcp_said {
    MCP_SAID_NOTHING, /* to none of them, or somebody put the question off, or none was shown */
    MCP_SAID_PARTLY,
    MCP_SAID_ALL, /* *decisions: the body of …/resume */
};
enum mcp_said mcp_input_responses(const json_t *calls, const json_t *responses, json_t **decisions);

#endif
