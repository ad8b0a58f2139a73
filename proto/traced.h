/* proto/traced.h: which trace a turn is in, for its log lines. One map a process; empty while
 * nothing is traced. */
#ifndef PROTO_TRACED_H
#define PROTO_TRACED_H

#include "common/trace.h"
#include "proto/id.h"

void traced_put(struct id turn, const struct trace_point *at); /* off: it is in none */
void traced_remove(struct id turn);
/* For the %s of "turn=%s" in a log line: the id, and behind it " trace_id=…" of a traced turn. Up
 * to 4 live at once. */
const char *traced_log(struct id turn);

#endif
