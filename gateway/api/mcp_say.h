/* gateway/api/mcp_say.h: a turn's events → MCP's messages: progress while it runs, then the one
 * answer, of tools/call or of tasks/get. Pure. */
#ifndef GATEWAY_API_MCP_SAY_H
#define GATEWAY_API_MCP_SAY_H

#include <jansson.h>
#include "gateway/api/mcp_wait.h"

struct mcp_saying {
    const json_t *id, *token; /* of the request; token NULL: no progress is wanted */
    struct mcp_task task;     /* the turn */
    bool modern;
    bool elicits; /* the client can ask its person for a yes */
    bool as_task; /* the answer is of tasks/get */
    int64_t now_ms, keep_ms;
};
struct mcp_say {
    struct mcp_saying of; /* id and token: its own */
    json_t *queries, *tool_result;
    char session[ID_TEXT + 1], turn[ID_TEXT + 1];
    int progress;
    bool done, awaits; /* the answer was said; awaits: of a turn that waits for the person's yes */
};
void mcp_say_init(struct mcp_say *s, const struct mcp_saying *of);
void mcp_say_free(struct mcp_say *s);
/* payload: of event.h. The message that comes of it, owned by the caller, or NULL. */
json_t *mcp_say_event(struct mcp_say *s, struct str payload);
/* The turn can't be told to its end: the answer says so. */
json_t *mcp_say_failed(struct mcp_say *s, const char *sentence);
/* Of one that waits, to which nobody said anything; calls: of event_approvals. */
json_t *mcp_say_waits(struct mcp_say *s, const json_t *calls);

#endif
