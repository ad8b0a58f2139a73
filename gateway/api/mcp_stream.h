/* gateway/api/mcp_stream.h: a turn's events to a client of MCP: as a stream with the call's answer
 * at its end, or collected as the answer of tasks/get.
 *
 * A follower as any other (turn/stream.h): what the turn's worker and the store know of it is the
 * turn. */
#ifndef GATEWAY_API_MCP_STREAM_H
#define GATEWAY_API_MCP_STREAM_H

#include "gateway/api/call.h"
#include "gateway/api/mcp_say.h"

struct turn;
/* Both end the call, collect when the turn has ended. read: as of following_fn. */
void mcp_stream_open(struct call *c, struct turn *t, const struct mcp_saying *s,
                     const struct store_answer *read);
void mcp_stream_collect(struct call *c, struct turn *t, const struct mcp_saying *s,
                        const struct store_answer *read);
/* What the client of a handshake's version asked and takes back, by notifications/cancelled: its
 * turn ends, if this gateway has the call. */
void mcp_stream_cancel(struct call *c);

#endif
