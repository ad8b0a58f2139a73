/* worker/tools/run.h: calls that run: what a tool's function sees of its own, and the batch of all
 * of them: who waits, who goes, who is told. Inside worker/tools only.
 *
 * A tool's function is called once, when the run's turn has come; it ends the run by run_done or
 * run_fail, at once or later from its fetch's callbacks, and does nothing with it afterwards. */
#ifndef WORKER_TOOLS_RUN_H
#define WORKER_TOOLS_RUN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "common/list.h"
#include "worker/tools/line.h"
#include "worker/tools/tool.h"

struct cache;
struct door;
struct gate;
struct datasources_use;
struct docs;
struct mcp;
struct mcp_tool;

struct tools {
    struct tools_config config;
    char *perses_url; /* without a trailing slash */
    struct list running, ended;
    struct line *line; /* of the runs that wait */
    tool_fn *begin;    /* a run's turn has come: what it needs is found, then run->fn is called */
    tool_fn *release;  /* a run ends: what begin found is given back */
    struct list saves; /* of perses.c */
    bool later, closing;
    struct cache *catalog_cache; /* catalogs of metrics */
    struct cache *known;         /* what rules and panels query */
    struct cache *datasources;   /* datasources that people may see */
    struct docs *docs;           /* NULL: none */
    struct mcp *mcp;             /* NULL: none */
    struct tool_spec *offered;
    unsigned offered_count;
    struct buf list; /* the same as JSON */
};
struct tool_run {
    struct tools *tools;
    struct list node; /* in running or ended */
    struct line_ticket ticket;
    const struct tool_spec *spec;
    struct mcp_tool *mcp;    /* the tool, when an MCP server has it; or NULL */
    const char *server;      /* that server's name; borrowed of mcp */
    tool_fn *fn, *rehearsal; /* rehearsal: what can be told of it without doing it; or NULL */
    /* the call */
    struct id turn, conversation;
    char *call_id, *owner;
    char *asked, *asked_tool; /* of a call that failed before: as the model wrote it; or NULL */
    char *again;              /* the query that such a call is run with instead, or NULL */
    unsigned ran_again;       /* times: a query may have more than one fault */
    json_t *args;
    char *datasource;  /* path, path_parse'd; NULL: refused before, or none is needed */
    struct door *door; /* to it (gate.h); NULL: not looked at yet */
    struct gate *gate;
    struct tool_grant *grants; /* what the person said of datasources */
    unsigned grant_count;
    bool approved; /* by the person */
    bool vet;      /* only what the person must be asked is found out; nothing is done */
    enum tool_ask ask;
    char *ask_source; /* or NULL */
    const char *kind; /* of datasource that the tool needs; NULL: none */
    char *wanted;     /* as the call names it, when it is to be looked up; or NULL */
    char **paths;     /* the conversation's datasources */
    unsigned path_count;
    char *project, *dashboard; /* of the dashboard that the person added, or "" */
    char *panel_project; /* of run_panel: of the dashboard that names the datasource; or NULL */
    bool look_up;        /* the datasource is found when the run's turn has come */
    bool does_without;   /* what was not to be had a moment ago (cache.h) */
    struct datasources_use *datasources;
    struct secret *token;
    int64_t now_ms, range_start_ms, range_end_ms;
    char *timezone;
    /* notes that its result has beside its own: JSON strings, comma-separated */
    struct buf remarks;
    unsigned said; /* of remarks: the datasource's own */
    bool partial;  /* the datasource says so (partial.h): of any answer that the result is of */
    /* its work */
    void *state;
    void (*state_free)(void *state);
    bool (*step)(struct tool_run *r); /* sliced work: called once a pass until it returns false */
    void *step_state;                 /* of a step that is not the tool's own */
    /* its end */
    struct buf content;
    bool failed, invalid, unauthorized, ended, telling;
    uint64_t started_ns;
    struct trace_span span;
    tool_done_fn *done;
    void *arg;
};

/* ---- the batch ---- */

/* t->config, begin and release are set. */
void runs_open(struct tools *t);
void runs_close(struct tools *t); /* no runs are left; frees t, at once or in the next pass */
struct tool_run *run_new(struct tools *t, const struct tool_call *c, tool_done_fn *fn, void *arg);
/* Its turn comes: spec, fn and what they need are set. Or it has failed: too many wait. */
void run_wait(struct tool_run *r);
void run_cancel(struct tool_run *r); /* no callback comes any more; NULL is fine */

/* ---- run_trace.c, for run.c ---- */

/* As a span and a metric: the run has ended, or was cancelled. */
void run_trace_end(const struct tool_run *r);

/* ---- for a tool's function ---- */

/* content is written. */
void run_done(struct tool_run *r);
/* {"kind":"error","code":…,"error":…}: what went wrong, for the model. What comes from outside is
 * cleaned before it comes here. */
void run_fail(struct tool_run *r, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with a query that would do. */
void run_refuse(struct tool_run *r, const char *code, const char *error, struct str suggestion);
/* One more of remarks. */
void run_remark(struct tool_run *r, struct str text);
/* Of a JSON request for it: how many headers were written. traceparent: room, as long as they. */
unsigned run_headers(const struct tool_run *r, bool body, struct fetch_header headers[3],
                     char traceparent[TRACE_PARENT_TEXT + 1]);
/* Nothing is known that stands against a call which needs the person's yes, and nothing was done.
 */
void run_rehearsed(struct tool_run *r);
/* Its datasource is known now: the run gives up its room and waits for one there; then its function
 * is called. */
void run_at_source(struct tool_run *r);
/* Work in slices of a few milliseconds, one a pass, so that the loop goes on in between. */
void run_steps(struct tool_run *r, bool (*step)(struct tool_run *r));

#endif
