/* worker/tools/tools.h: the tools that a model may call: offered from one table (tools.def),
 * checked and run.
 *
 * What a model writes is input from outside: an unknown name, arguments that are no JSON or do not
 * fit the tool's schema end in a failed result whose content tells the model what was wrong; they
 * never end a turn. Tools reach Perses and nothing else: perses_url + a datasource path, with the
 * person's own token. Bounds: the configuration below. Runs are parallel; what is over running_max
 * waits its turn (line.h). */
#ifndef WORKER_TOOLS_TOOLS_H
#define WORKER_TOOLS_TOOLS_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"
#include "common/fetch.h"
#include "common/loop.h"
#include "common/secret.h"
#include "proto/id.h"
#include "proto/record.h"

struct mcp_file;
struct tools;
struct tool_run;

struct tools_config {
    struct loop *loop;
    struct fetch_pool *fetches;
    const char *perses_url;    /* as PERSES_API_URL, without a trailing slash or with one */
    int64_t timeout_ms;        /* of one request to a datasource; 30 s */
    uint64_t answer_bytes_max; /* of one answer of a datasource, cut off while it arrives; 16 MiB */
    uint32_t content_bytes_max; /* of one result, as the model sees it; 16 KiB */
    uint32_t series_max;        /* estimated series of a query; 20,000 */
    uint32_t points_max;        /* points of a series: the step is raised; 11,000 */
    uint32_t running_max;       /* runs at once in this process; 64 */
    const char *datasources;    /* patterns of paths, by commas: free to be used; or NULL */
    const char *docs;           /* folder of documents; NULL or "": none */
    const struct mcp_file *mcp; /* MCP servers (mcp_file_read), as long as the tools; NULL: none */
    loop_fn *on_change;         /* other tools are offered; may be NULL */
    void *on_change_arg;
};
struct tools *tools_new(const struct tools_config *c);
/* Takes leave of MCP servers, whose tools fail from now on. Again until true: nothing is left to
 * wait for. */
bool tools_leave(struct tools *t);
void tools_free(struct tools *t); /* all runs have ended or are cancelled; NULL is fine */

/* What is offered: the rows of tools.def in its order, then the tools of MCP servers that are there
 * now. Valid until the next pass of the loop. */
struct tool_spec {
    const char *name, *description;
    const char *schema_json; /* JSON Schema of the arguments: {"type":"object",…} */
    bool needs_approval;     /* it changes something: the person is asked first */
};
const struct tool_spec *tools_specs(const struct tools *t, unsigned *count);
/* Must the person be asked before this call runs? Not for one that can't run anyway: an unknown
 * tool, arguments that don't fit. */
bool tools_asks(const struct tools *t, struct str name, struct str arguments);
/* Is there more to find out about a call before it runs: whether the person must be asked, and
 * whether it could be done at all? Then tool_start it with vet. */
struct tool_call;
bool tools_vets(const struct tools *t, const struct tool_call *c);
/* The arguments as the tool would take them: mended where models are sloppy. What the person is
 * asked is this text, and this text runs. False: they don't fit, or the tool asks nobody. */
bool tools_fit(const struct tools *t, struct str name, struct str arguments, struct buf *b);
/* Whose server a call goes to, as members of a JSON object for the person: of an MCP server's tool.
 */
void tools_reach(const struct tools *t, struct str name, struct buf *b);
/* The name under which the person is asked whether a datasource's server may get their sign-in. */
#define TOOLS_SOURCE "use_datasource"
enum { TOOLS_JSON_MAX = 65536 }; /* of HELLO: frames.def */
/* GET /tools: [{"name","description","input_schema","read_only"}]. */
struct str tools_json(const struct tools *t);

/* For --check: how one of the servers of PERSAI_MCP is. Borrowed, until the next pass of the loop.
 */
struct tools_server {
    const char *name, *why; /* why: what went wrong when it was tried last, or "" */
    bool there;             /* its tools are listed */
    unsigned offered, missing;
    const char *lacks; /* the first of the missing: allowed, and not to be had */
};
bool tools_server(const struct tools *t, unsigned i, struct tools_server *out); /* false: no more */
/* What was indexed of PERSAI_DOCS. False: nothing yet. */
bool tools_docs(const struct tools *t, unsigned *files, unsigned *left_out);

enum tool_approval {
    APPROVAL_NONE, /* the person was not asked, or has not decided */
    APPROVAL_REFUSED,
    APPROVAL_GIVEN,
};
struct tool_grant { /* what the person said to TOOLS_SOURCE */
    char hash[RECORD_HASH_TEXT + 1];
    enum tool_approval said;
};
enum tool_ask {
    ASK_NOTHING,
    ASK_CALL, /* vetted: it can be done, when the person says yes */
};
/* One call and where it runs. Everything is borrowed until tool_start returns (the token is shared
 * by secret_ref). */
struct tool_call {
    struct id turn;                  /* for log lines */
    struct str owner;                /* whose call it is: calls go by rounds of their owners */
    struct str call_id, tool_name;   /* as the model wrote them */
    struct str arguments;            /* JSON text as the model wrote it; empty counts as {} */
    enum tool_approval approval;     /* a tool that needs approval runs with APPROVAL_GIVEN only */
    const struct tool_grant *grants; /* copied */
    unsigned grant_count;
    bool vet;                      /* nothing is done: see tools_vets */
    const struct str *datasources; /* paths (path_parse'd) that this turn may use; [0] is the
                                      default one */
    unsigned datasource_count;
    struct str project, dashboard;        /* of the dashboard that the person added, or empty */
    struct secret *token;                 /* NULL: the deployment has authentication off */
    int64_t now_ms;                       /* Unix time: what "now" means to this turn */
    struct str timezone;                  /* IANA name of the person's zone, or empty: UTC */
    int64_t range_start_ms, range_end_ms; /* what the person has selected; 0, 0: nothing */
};
struct tool_result {
    struct str content; /* what the model (and the person) sees: JSON or plain text, bounded */
    bool failed;        /* content says what went wrong, for the model */
    bool invalid; /* failed, and the call itself is why: no such tool, arguments that don't fit */
    bool unauthorized; /* Perses refused the token (401): with a fresh one it may be run again */
    uint32_t duration_ms;
    struct str datasource; /* the path it used, or empty */
    bool changes;          /* its tool needs the person's yes */
    enum tool_ask ask;     /* of a vetted call */
    struct str ask_source; /* of a vetted call: arguments of TOOLS_SOURCE, or empty */
};
/* Once, last, never from inside tool_start; the run is gone when it returns. r is borrowed. */
typedef void tool_done_fn(void *arg, const struct tool_result *r);
struct tool_run *tool_start(struct tools *t, const struct tool_call *c, tool_done_fn *fn,
                            void *arg);
void tool_cancel(struct tool_run *r); /* no callback comes any more; NULL is fine */

#endif
