/* worker/tools/prometheus/match.h: an argument that is one selector, as match[] of a request. */
#ifndef WORKER_TOOLS_PROMETHEUS_MATCH_H
#define WORKER_TOOLS_PROMETHEUS_MATCH_H

#include "worker/tools/run.h"

/* One selector and nothing else (of the argument "metric": its name), as match[]. A name alone is
 * written as a selector, whatever is in it. False: the run
 * has failed; `name` is the argument. */
bool match_param(struct tool_run *r, struct buf *form, struct str selector, const char *name);

#endif
