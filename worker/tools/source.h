/* worker/tools/source.h: how the tools ask a datasource, or Perses itself: through Perses's proxy,
 * with the person's own token. Inside worker/tools only. */
#ifndef WORKER_TOOLS_SOURCE_H
#define WORKER_TOOLS_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include "worker/tools/door.h"
#include "worker/tools/run.h"

enum source_outcome {
    SOURCE_WHOLE,
    SOURCE_CUT,     /* more than answer_bytes_max: what came before was given to on_piece */
    SOURCE_REFUSED, /* code and error say why */
};
struct source_request {
    struct tools *tools;
    struct fetch *fetch;
    /* A piece of the body of a 2xx answer. False: it is no such answer. */
    bool (*on_piece)(void *arg, struct str piece);
    /* Once, last. */
    void (*on_end)(void *arg, enum source_outcome outcome);
    /* The answer broke off and is asked for again: what on_piece was given is void. NULL: a broken
     * answer is the end. */
    void (*on_again)(void *arg);
    void *arg;
    /* of SOURCE_REFUSED */
    const char *code; /* "bad_data", "timeout", "unreachable", … */
    struct buf error;
    bool unauthorized;
    /* inside */
    const char *product; /* what it should be, for the model */
    bool refused;        /* the answer's status is no 2xx */
    int http_status;
    struct buf body; /* of a refusal */
    const char *method;
    char *datasource; /* path; NULL: Perses itself */
    const struct secret *token;
    struct buf url, form; /* kept to be sent again */
    bool json;
    int64_t deadline_ms;
    unsigned tries;
    struct trace_point trace;
};
struct source_call {
    const char *method; /* "GET", "POST": parameters in the address or as a form */
    const char *api;    /* "/api/v1/query_range" */
    struct buf *form;   /* a=b&c=d, escaped; not overflowed */
    int64_t timeout_ms;
    const char *product;      /* what should answer, as "Loki"; NULL: Prometheus */
    bool json;                /* form is a JSON body */
    struct trace_point trace; /* of the call that asks; or none */
};
/* ask's callbacks and arg are set. With on_again the token outlives the ask. door: of the
 * datasource; NULL: Perses's own API. */
void source_request(struct source_request *ask, struct tools *t, const struct door *door,
                    const struct secret *token, const struct source_call *request);
void source_request_free(struct source_request *ask); /* no callback comes any more */
/* Ends the run with what the ask was refused with. */
void source_fail(struct tool_run *r, const struct source_request *ask);

/* One parameter of a form. */
void source_param(struct buf *form, const char *name, struct str value);
void source_param_time(struct buf *form, const char *name, int64_t unix_ms);
void source_param_count(struct buf *form, const char *name, uint64_t count);

/* What the datasource says beside its data, at one of partial_paths: kept for the result. */
void source_said(struct tool_run *r, unsigned path, const json_t *item);

#endif
