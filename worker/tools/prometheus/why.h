/* worker/tools/prometheus/why.h: why a query returned nothing although each of its selectors has
 * series: a window with fewer than two samples, a comparison that none passes, two sides whose
 * labels differ. What cannot be found out is left out, it never fails a run. */
#ifndef WORKER_TOOLS_PROMETHEUS_WHY_H
#define WORKER_TOOLS_PROMETHEUS_WHY_H

#include "worker/tools/prometheus/guard.h"
#include "worker/tools/run.h"

/* In the note on a comparison that is false for all series there are. */
#define WHY_NONE_PASSES "that is an answer, not missing data"

struct why;
/* Once, last, maybe at once. notes: JSON strings, comma-separated, or empty; borrowed. */
typedef void why_fn(void *arg, struct str notes);
/* q is counted and borrowed until the end. */
struct why *why_new(struct tool_run *r, const struct guard_query *q,
                    const struct guard_range *range, why_fn *fn, void *arg);
void why_free(struct why *w); /* no callback comes any more; NULL is fine */

#endif
