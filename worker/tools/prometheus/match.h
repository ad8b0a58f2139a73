/* worker/tools/prometheus/match.h: an argument that is one selector, as match[] of a request. */
#ifndef WORKER_TOOLS_PROMETHEUS_MATCH_H
#define WORKER_TOOLS_PROMETHEUS_MATCH_H

#include "worker/tools/run.h"

/* One selector and nothing else (of the argument "metric": its name), as match[]. A name alone is
 * written as a selector, whatever is in it. False: the run
 * has failed; `name` is the argument. */
bool match_param(struct tool_run *r, struct buf *form, struct str selector, const char *name);
/* What match_param has written gave nothing: the series whose family has this name. False: it names
 * no metric, form is as it was. */
bool match_family(struct buf *form, struct str selector);
#define MATCH_FAMILY_NOTE                                                                          \
    "No series has this name itself: these are of the series that a histogram, a summary or a "    \
    "counter of this name has, as _bucket, _sum, _count or _total. Query one of those."

#endif
