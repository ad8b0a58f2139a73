/* worker/llm/llm_trace.h: a call of a model as a span and as metrics. For llm.c.
 *
 * What was said is told only where the operator asked for it (capture), and masked as the provider
 * is told it. */
#ifndef WORKER_LLM_LLM_TRACE_H
#define WORKER_LLM_LLM_TRACE_H

#include "common/otlp.h"
#include "proto/id.h"
#include "proto/usage.h"
#include "worker/llm/mask.h"
#include "worker/llm/model.h"
#include "worker/llm/prompt.h"
#include "worker/llm/reply.h"

struct llm_trace {
    struct otlp *otlp; /* NULL: off */
    struct trace_span span;
    int64_t began_ns;                   /* trace_clock_ns; 0: it is not begun, or over */
    int64_t first_ns;                   /* of the reply's first piece; 0: none yet */
    struct buf system, input;           /* of capture; else empty */
    char header[TRACE_PARENT_TEXT + 1]; /* "": none */
};
/* parent: of the turn. prompt: told, if it is; else NULL. */
void llm_trace_begin(struct llm_trace *t, struct otlp *o, const struct trace_point *parent,
                     const struct prompt *prompt);
void llm_trace_said(struct llm_trace *t); /* a piece of the reply was told on */
struct llm_trace_end {
    const struct model *model;
    const struct reply *reply;
    struct mask *mask;
    struct usage used;
    enum err err;
    int http_status;
    unsigned tries;
};
void llm_trace_end(struct llm_trace *t, const struct llm_trace_end *e); /* once; again: nothing */

const char *llm_trace_provider(enum provider p); /* gen_ai.provider.name */

#endif
