/* proto/store/wait.h: a wait for Redis as a span. */
#ifndef PROTO_STORE_WAIT_H
#define PROTO_STORE_WAIT_H

#include "common/otlp.h"
#include "proto/err.h"

/* It is over: name is the script's, as "turn_seal". */
void store_wait_told(struct otlp *o, const struct trace_span *s, const char *name, enum err err);

#endif
