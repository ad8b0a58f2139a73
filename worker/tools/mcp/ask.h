/* worker/tools/mcp/ask.h: one message to an MCP server, by POST, and what comes of it: the answer
 * in one piece of JSON or in a stream of events, in which the server may say other things first.
 *
 * The person's token never goes here: a server gets the operator's key for it and nothing else.
 * Bounds: the server's timeout and max_bytes, for streams too; one that never ends is left. */
#ifndef WORKER_TOOLS_MCP_ASK_H
#define WORKER_TOOLS_MCP_ASK_H

#include "common/fetch.h"
#include "common/list.h"
#include "common/trace.h"
#include "worker/tools/mcp/message.h"

enum { MCP_SESSION_MAX = 1024 };

/* Where asks go, and what they say of us. Embedded; mcp_peer_init, mcp_peer_free. */
struct mcp_peer {
    const struct mcp_config *config;
    struct loop *loop;
    struct fetch_pool *fetches;
    bool modern;
    char version[16];                  /* MCP-Protocol-Version; empty: not agreed yet */
    char session[MCP_SESSION_MAX + 1]; /* Mcp-Session-Id; empty: none */
    uint64_t last_id;
    struct list asks;
    unsigned notes; /* of them that nobody waits for */
};
void mcp_peer_init(struct mcp_peer *p, struct loop *loop, struct fetch_pool *fetches,
                   const struct mcp_config *c);
void mcp_peer_free(struct mcp_peer *p); /* cancels all */

/* X(name): how an ask ended. */
#define MCP_ENDS(X)                                                                                \
    X(ANSWERED) /* a result; of a notification: it was taken */                                    \
    X(REFUSED)  /* a JSON-RPC error, whatever the HTTP status */                                   \
    X(STATUS)   /* an HTTP status and no JSON-RPC */                                               \
    X(NONSENSE) /* what came is no answer */                                                       \
    X(TOO_BIG)                                                                                     \
    X(TIMEOUT)                                                                                     \
    X(UNREACHABLE)
enum mcp_end {
#define X(name) MCP_END_##name,
    MCP_ENDS(X)
#undef X
};
struct mcp_answer {
    enum mcp_end end;
    int http_status;    /* 0: none came */
    const json_t *body; /* ANSWERED: the result, or NULL; REFUSED: the error */
    struct str session; /* Mcp-Session-Id of the answer */
    bool list_changed;  /* the server said so on the way */
    const char *why;    /* a sentence's part, for the others: "the connection was refused" */
};
typedef void mcp_ask_fn(void *arg, const struct mcp_answer *a);
struct mcp_ask;
struct mcp_asking {
    const char *method;       /* "tools/call" */
    struct str params;        /* members of an object; borrowed */
    bool notification;        /* no answer is due */
    const char *name;         /* of the tool, for Mcp-Name; or NULL */
    const char *call_key;     /* or NULL */
    const json_t *marks;      /* of the tool's offer, */
    const json_t *args;       /* whose values go into headers; or NULL */
    int64_t timeout_ms;       /* 0: the server's */
    struct trace_point trace; /* of the call; or none */
};
/* fn comes once, later, and the ask is gone when it returns. */
struct mcp_ask *mcp_ask(struct mcp_peer *p, const struct mcp_asking *what, mcp_ask_fn *fn,
                        void *arg);
/* fn no longer comes; the connection is closed, and a legacy server is told. NULL is fine. */
void mcp_ask_cancel(struct mcp_ask *a);
/* Ends the session, which nobody waits for. */
void mcp_bye(struct mcp_peer *p);

#endif
