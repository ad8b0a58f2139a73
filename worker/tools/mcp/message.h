/* worker/tools/mcp/message.h: what is said to an MCP server and what it says: JSON-RPC messages,
 * its tools, their results. Pure.
 *
 * Of the protocol (modelcontextprotocol.io) two eras are spoken: the versions that carry all in
 * each request (2026-07-28), and those that begin with initialize (2025-11-25 and two before). A
 * server's words are untrusted: what nests or branches too much is refused before it is parsed, and
 * all texts are cleaned and capped, also those in the schemas that models are shown. */
#ifndef WORKER_TOOLS_MCP_MESSAGE_H
#define WORKER_TOOLS_MCP_MESSAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"
#include "worker/tools/mcp/file.h"
#include "worker/tools/mcp/schema.h"

#define MCP_MODERN "2026-07-28"
#define MCP_LEGACY "2025-11-25" /* the newest that begins with initialize: what we ask for */
enum {
    MCP_DESCRIPTION_MAX = 1024,
};
bool mcp_version_ok(struct str version); /* one of the legacy era that we speak */

/* ---- messages ---- */

/* id 0: a notification. params: members of an object, without braces; may be empty. call_key: what
 * a server can tell a repeated call by, or NULL. modern: with what each request of that era
 * carries. */
void mcp_write(struct buf *b, uint64_t id, const char *method, struct str params,
               const char *call_key, bool modern);
/* The answer to a server's request, whose id is any JSON value: {} for ping, else a refusal. */
void mcp_write_reply(struct buf *b, const json_t *id, bool is_ping);

enum mcp_kind { MCP_RESULT, MCP_ERROR, MCP_REQUEST, MCP_NOTIFICATION };
struct mcp_message {
    enum mcp_kind kind;
    const json_t *id;   /* NULL: it has none */
    const json_t *body; /* the result, the error, or the params; may be NULL */
    struct str method;  /* of requests and notifications */
};
/* False: enough. */
typedef bool mcp_message_fn(void *arg, const struct mcp_message *m);
/* One message or a batch. False: it is none, *why says what is wrong with it. */
bool mcp_read(struct str bytes, mcp_message_fn *fn, void *arg, const char **why);
bool mcp_is_bounded(struct str bytes); /* JSON that is small enough to be made a tree */
bool mcp_is_id(const json_t *id, uint64_t ours);

/* ---- tools ---- */

struct mcp_offer {
    char *description; /* for models */
    char *schema_text;
    json_t *schema; /* the same */
    json_t *marks;  /* arguments that go into headers too: [[NAME, key, key …], …] */
};
/* One of tools/list, as the operator allows it. False: it can't be offered, why says why. */
bool mcp_offer_read(const json_t *tool, const struct mcp_config *server,
                    const struct mcp_allowed *allowed, struct mcp_offer *out, const char **why);
void mcp_offer_free(struct mcp_offer *o);
bool mcp_offer_same(const struct mcp_offer *a, const struct mcp_offer *b);
/* A value as a header takes it, in Base64 where it must be; the caller's. NULL: it can't go there.
 */
char *mcp_header_value(const json_t *value);

/* ---- results ---- */

/* {"kind":"mcp","server","tool",…} of a tool's result: its text, its structured content, the names
 * of what else it has; cut to what b takes, and said so. Call with b empty. */
void mcp_result_write(const json_t *result, const struct mcp_config *server,
                      const struct mcp_allowed *allowed, struct buf *b);
/* The text of a result that says isError, or of an error object. */
void mcp_text(const json_t *body, struct buf *b, size_t bytes_max);

#endif
