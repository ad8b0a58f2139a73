/* worker/tools/instead.h: a call that is made again, word for word, after it failed: what to call
 * instead, as a call that can be copied. Inside worker/tools only. Pure. */
#ifndef WORKER_TOOLS_INSTEAD_H
#define WORKER_TOOLS_INSTEAD_H

#include "worker/tools/tool.h"

struct instead {
    const struct tool_spec *spec; /* NULL: there is no such tool */
    bool ours;                    /* of an MCP server's nothing is known */
    const char *tool, *arguments; /* as the model wrote them */
    const char *code;             /* of the error */
    struct str suggestion;        /* a query that would do, or empty */
};
/* Members for the error's object: "again", and "instead" {"tool", "arguments"}. */
void instead_write(const struct instead *in, struct buf *b);

#endif
