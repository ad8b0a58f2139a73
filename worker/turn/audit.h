/* worker/turn/audit.h: the audit's lines of what a turn does: each tool call, and its end.
 *
 *     {"at", "program": "worker", "act": "tool", "user", "account", "session_id", "turn_id",
 *      "call_id", "tool", "arguments_hash", "arguments" (when they are asked for), "datasource",
 *      "approval": "none", "approved", "refused", "outcome": "ok" or "failed", "ms"}
 *     {…, "act": "turn_end", "model", "outcome": a turn's state, "error", "input_tokens",
 *      "output_tokens", "cost" (micro-dollars), "ms"}
 */
#ifndef WORKER_TURN_AUDIT_H
#define WORKER_TURN_AUDIT_H

#include "proto/record.h"
#include "worker/tools/tool.h"

struct audit_tool {
    struct str owner;
    struct id session, turn;
    const struct record_call *call;
    const struct record_response *response;
    enum tool_approval said; /* by the person */
};
void audit_tool(const struct audit_tool *t);
struct audit_turn {
    struct str owner, model;
    struct id session, turn;
    const char *state, *error;
    struct usage usage;
    int64_t ms;
};
void audit_turn_end(const struct audit_turn *t);

#endif
