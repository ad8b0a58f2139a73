/* worker/tools/span.h: the time range of a call: its start and end arguments, else what the person
 * has selected, else the last hour. Inside worker/tools only. */
#ifndef WORKER_TOOLS_SPAN_H
#define WORKER_TOOLS_SPAN_H

#include "worker/tools/run.h"

enum { SPAN_OTHERWISE_MS = 3600000 };
struct span {
    int64_t start_ms, end_ms;
};
/* False: the run has failed (no time, or start and end are the same). */
bool span_read(struct tool_run *r, struct span *s);
/* The same, but start and end may be the same moment. */
bool span_times(struct tool_run *r, struct span *s);
/* One moment by an argument, otherwise as it is. False: the run has failed. */
bool span_moment(struct tool_run *r, const char *argument, int64_t *unix_ms);
/* Start and end of what the person has selected, else the last `otherwise_ms`. */
void span_selected(const struct tool_run *r, int64_t otherwise_ms, int64_t *start_ms,
                   int64_t *end_ms);

#endif
