/* worker/tools/tool.h: what a tool is to the rest of the worker: its row, a call, a result. */
#ifndef WORKER_TOOLS_TOOL_H
#define WORKER_TOOLS_TOOL_H

#include <stdbool.h>
#include <stdint.h>
#include "common/fetch.h"
#include "common/loop.h"
#include "common/otlp.h"
#include "common/secret.h"
#include "common/buf.h"
#include "proto/id.h"
#include "proto/record.h"

struct mcp_file;
struct tool_run;
typedef void tool_fn(struct tool_run *r); /* see run.h */

struct switched; /* proto/switches.h */
struct tools_config {
    struct loop *loop;
    struct fetch_pool *fetches;
    const char *perses_url;    /* as PERSES_API_URL, without a trailing slash or with one */
    int64_t timeout_ms;        /* of one request to a datasource; 30 s */
    uint64_t answer_bytes_max; /* of one answer of a datasource, cut off while it arrives; 16 MiB */
    uint64_t content_bytes_max; /* of one result, as the model sees it; 16 KiB */
    uint32_t series_max;        /* estimated series of a query; 20,000 */
    uint32_t points_max;        /* points of a series: the step is raised; 11,000 */
    uint32_t running_max;       /* runs at once in this process; 64 */
    const char *datasources;    /* patterns of paths, by commas: free to be used; or NULL */
    const char *docs;           /* folder of documents; NULL or "": none */
    struct redact *redact;      /* what MCP servers are not told; NULL: all. Borrowed */
    const struct mcp_file *mcp; /* MCP servers (mcp_file_read), as long as the tools; NULL: none */
    struct otlp *otlp;          /* where spans go; NULL: nowhere */
    bool capture;               /* spans hold arguments and results, masked */
    const struct switched *switched; /* what is off is not offered; NULL: nothing is */
    loop_fn *on_change;              /* other tools are offered; may be NULL */
    void *on_change_arg;
};

/* X(name, kind): what a tool asks, as its row in tools.def says, and the kind of the Perses
 * datasource; NULL: no datasource is picked before the tool runs. */
#define TOOL_SOURCES(X)                                                                            \
    X(NONE, NULL)  /* Perses itself, or documents */                                               \
    X(PANEL, NULL) /* the datasource of a panel, which its function looks up */                    \
    X(PROMETHEUS, "PrometheusDatasource")                                                          \
    X(NAMED, "PrometheusDatasource") /* written into a panel, and not asked */                     \
    X(LOKI, "LokiDatasource")                                                                      \
    X(TEMPO, "TempoDatasource")                                                                    \
    X(PYROSCOPE, "PyroscopeDatasource")                                                            \
    X(ALERTMANAGER, "AlertManagerDatasource")
enum tool_source {
#define X(name, kind) TOOL_SOURCE_##name,
    TOOL_SOURCES(X)
#undef X
};

/* "LokiDatasource", or NULL. */
static inline const char *tool_source_kind(enum tool_source source)
{
    static const char *const kinds[] = {
#define X(name, kind) kind,
        TOOL_SOURCES(X)
#undef X
    };
    return kinds[source];
}

/* What is offered. */
struct tool_spec {
    const char *name, *description;
    const char *schema_json; /* JSON Schema of the arguments: {"type":"object",…} */
    bool needs_approval;     /* it changes something: the person is asked first */
    enum tool_source source;
};

enum tool_approval {
    APPROVAL_NONE, /* the person was not asked, or has not decided */
    APPROVAL_REFUSED,
    APPROVAL_GIVEN,
    APPROVAL_BEGUN, /* given, and a worker that is gone began it: was it done? */
};
/* An MCP server's tool is mcp_SERVER_TOOL. */
#define TOOLS_MCP "mcp_"
/* The name under which the person is asked whether a datasource's server may get their sign-in. */
#define TOOLS_SOURCE "use_datasource"
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
    struct id turn;                /* for log lines */
    struct id conversation;        /* masked words are the same in all of it */
    struct str owner;              /* whose call it is: calls go by rounds of their owners */
    struct str call_id, tool_name; /* as the model wrote them */
    struct str arguments;          /* JSON text as the model wrote it; empty counts as {} */
    struct str offered; /* names that the model was told of: "\nNAME\nNAME\n"; empty: all, maybe */
    bool repeated;      /* this very call failed before in this turn */
    bool ordered;       /* a program's: no look-up has asked what datasources there are */
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
    struct trace_point trace;             /* of the turn */
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

/* For --check: how one of the servers of PERSAI_MCP is. Borrowed, until the next pass of the loop.
 */
struct tools_server {
    const char *name, *why; /* why: what went wrong when it was tried last, or "" */
    bool there;             /* its tools are listed */
    unsigned offered, missing;
    const char *lacks;   /* the first of the missing: allowed, and not to be had */
    const char *refused; /* why it is left out, though the server has it; or NULL */
};

#endif
