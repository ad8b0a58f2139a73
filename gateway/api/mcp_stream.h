/* gateway/api/mcp_stream.h: a turn's events → MCP's: progress while it runs, then the one answer.
 *
 * A follower as any other (turn/stream.h), whose bytes are read and written anew: what the turn's
 * worker and the store know of it is the turn. */
#ifndef GATEWAY_API_MCP_STREAM_H
#define GATEWAY_API_MCP_STREAM_H

#include <jansson.h>
#include "gateway/api/call.h"

struct mcp_streamed {
    const json_t *id, *token; /* of the request: borrowed; token NULL: no progress is wanted */
    bool modern;
    bool one_tool; /* the turn runs one tool: its result is the answer */
};
/* Ends the call. */
void mcp_stream_open(struct call *c, struct turn *t, const struct mcp_streamed *s);

#endif
