/* gateway/turn/spans.h: what a turn is in a trace, here: a span from the request to the turn's end,
 * and below it what it waited for: Redis to accept it, a worker to be free. The worker's spans hang
 * below the first one, whose place is kept with the turn's request. */
#ifndef GATEWAY_TURN_SPANS_H
#define GATEWAY_TURN_SPANS_H

#include "common/otlp.h"
#include "proto/err.h"
#include "proto/id.h"

struct turn_spans {
    struct trace_span turn, wait;
};
struct turn_facts {
    struct id session, turn;
    uint32_t epoch;
};
/* The client's traceparent, or empty: then the trace's id is the turn's. o NULL: nothing is told.
 * text: for the turn's request, "" when it is in no trace. */
void spans_begin(struct turn_spans *s, struct otlp *o, struct id turn, struct str traceparent,
                 char text[TRACE_PARENT_TEXT + 1]);
void spans_begun(struct turn_spans *s, struct otlp *o, enum err err); /* the store has answered */
void spans_queued(struct turn_spans *s);
void spans_left_queue(struct turn_spans *s, struct otlp *o);
/* It is not driven here any more: at which place it is then. */
void spans_end(struct turn_spans *s, struct otlp *o, const struct turn_facts *f, const char *place);

#endif
