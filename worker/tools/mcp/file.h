/* worker/tools/mcp/file.h: PERSAI_MCP read: the MCP servers whose tools an operator allows.
 *
 * A JSON file: a list of objects. "name", "url" and "tools" must be there:
 *   name               short: its tools are offered as mcp_NAME_TOOL
 *   url                http:// or https://, of streamable HTTP; redirects are not followed
 *   tools              an object: the name of a tool as the server has it → "read" (it only reads)
 *                      or "ask" (the person is asked before each call). Others are not offered,
 *                      and what the server says of its tools decides nothing.
 *   key_env, key_file  the variable or file that holds a key: Authorization: Bearer KEY
 *   key_header         the key goes into this header instead
 *   headers            object of texts: more headers
 *   timeout            longest time of one request, "30s"; 1s to 10m
 *   max_bytes          of one answer, "1MiB"; up to 4 MiB
 *   refresh            time between two lists of its tools, "5m"; from 1s
 * A key is hidden wherever the server repeats it, in base64 and in URLs too, if it has 8 bytes: a
 * shorter one could be a part of any word. So is what has 8 bytes in a header whose name says auth,
 * cookie, key, token, secret, pass, cred or session; better, let key_header name it. */
#ifndef WORKER_TOOLS_MCP_FILE_H
#define WORKER_TOOLS_MCP_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include "common/secret.h"

enum {
    MCP_SERVERS_MAX = 16,
    MCP_SERVER_TOOLS_MAX = 64, /* that a server's object allows */
    MCP_SERVER_NAME_MAX = 24,
    MCP_TOOL_NAME_MAX = 128, /* as the server has it */
    MCP_OFFERED_NAME_MAX = 64,
    MCP_HEADERS_MAX = 8,
    MCP_HIDDEN_MAX = 32 * SECRET_FORMS_MAX,
};

struct mcp_allowed {
    char name[MCP_TOOL_NAME_MAX + 1];       /* as the server has it */
    char offered[MCP_OFFERED_NAME_MAX + 1]; /* as models know it: of A-Z a-z 0-9 _ - only */
    bool reads;                             /* else the person is asked */
};
struct mcp_config { /* of one server */
    char name[MCP_SERVER_NAME_MAX + 1];
    char *url;
    struct secret *key; /* NULL: none */
    char *key_header;   /* NULL: Authorization */
    struct {
        char *name, *value;
    } headers[MCP_HEADERS_MAX];
    unsigned header_count;
    struct secret *hidden[MCP_HIDDEN_MAX]; /* what the server must not be heard to repeat */
    unsigned hidden_count;
    struct mcp_allowed *tools;
    unsigned tool_count;
    int64_t timeout_ms, refresh_ms;
    uint64_t bytes_max;
};
struct mcp_file {
    struct mcp_config servers[MCP_SERVERS_MAX];
    unsigned count;
};
/* NULL and a sentence: which server, what is wrong. */
struct mcp_file *mcp_file_read(const char *path, char error[256]);
void mcp_file_free(struct mcp_file *f); /* NULL is fine */

#endif
