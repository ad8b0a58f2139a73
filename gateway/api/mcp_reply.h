/* gateway/api/mcp_reply.h: a request of MCP, from its body on, and how it is answered. */
#ifndef GATEWAY_API_MCP_REPLY_H
#define GATEWAY_API_MCP_REPLY_H

#include "gateway/api/call.h"
#include "gateway/api/mcp_say.h"
#include "gateway/api/mcp_text.h"

struct mcp {
    json_t *request;
    struct mcp_client client; /* what it can */
    bool tool;                /* tools/call: what it is refused for is for its model to read */
    bool one_tool;            /* and not of `ask` */
    bool changes;             /* one that changes something */
    struct mcp_task task;     /* what it is about, once that is known */
    char *path;               /* of a datasource */
    char *arguments;          /* of one_tool, as JSON */
    char *context;            /* of ask, as JSON; or NULL */
    void (*decided)(struct call *c); /* goes on once the person's decision is stored */
};
struct mcp *mcp_of(const struct call *c); /* NULL before its body is there */
struct mcp *mcp_take(struct call *c);     /* takes its body; c owns it */
const json_t *mcp_params(const struct call *c);
/* For mcp_stream.h, with the call's progress token; borrows. */
bool mcp_is_method(const struct call *c, const char *name);
struct mcp_saying mcp_saying_of(const struct call *c);

/* Each ends the call. */
void mcp_reply_result(struct call *c, json_t *take_result);
void mcp_reply_error(struct call *c, unsigned status, int code, const char *sentence,
                     json_t *take_data);
void mcp_refuse_params(struct call *c, const char *sentence);
void mcp_refuse_tool(struct call *c, const char *sentence); /* as the tool's answer */
void mcp_fail(struct call *c, enum err err, const char *sentence);
/* Of a request whose id is not known: call_error_fn. */
void mcp_write_error(struct buf *b, enum err err, unsigned status, const char *sentence);

#endif
