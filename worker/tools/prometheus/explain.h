/* worker/tools/prometheus/explain.h: why a query returned nothing: which of its selectors select no
 * series, whether the metric, a label or a value is what does not exist, and what there is instead.
 *
 * Asks the datasource as the query did, a few cheap requests for each of the first selectors; what
 * cannot be found out is left out, it never fails a run. */
#ifndef WORKER_TOOLS_PROMETHEUS_EXPLAIN_H
#define WORKER_TOOLS_PROMETHEUS_EXPLAIN_H

#include "worker/tools/prometheus/guard.h"
#include "worker/tools/run.h"

struct explain;
/* Once, last. notes: JSON strings, comma-separated, or empty; borrowed. */
typedef void explain_fn(void *arg, struct str notes);
/* q is counted and borrowed until the end. It has a selector with 0 series. */
struct explain *explain_new(struct tool_run *r, const struct guard_query *q,
                            const struct guard_range *range, explain_fn *fn, void *arg);
void explain_free(struct explain *e); /* no callback comes any more; NULL is fine */

/* One matcher of a selector: label op "value", quotes and all. */
struct matcher {
    struct str label, op, value; /* value as it was written, in its quotes */
};
enum { MATCHERS_MAX = 16 };
/* The metric (in its quotes, where it has some) and the matchers of a selector that guard_read has
 * read. */
unsigned explain_matchers(struct str selector, struct str *metric, struct matcher *out);

#endif
