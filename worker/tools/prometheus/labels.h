/* worker/tools/prometheus/labels.h: do the series of a query have the labels that it groups and
 * joins by? sum by (pods) of series with the label pod is one sum of all, and looks right.
 *
 * Asks for the label names of the query's selectors while they are counted, where the query names
 * any; what can't be found out is nothing. A query that makes labels itself is not judged. */
#ifndef WORKER_TOOLS_PROMETHEUS_LABELS_H
#define WORKER_TOOLS_PROMETHEUS_LABELS_H

#include "worker/tools/prometheus/guard.h"
#include "worker/tools/run.h"

struct labels;
typedef void labels_fn(void *arg); /* once: labels_wrong can be asked */
/* NULL: there is nothing to ask. q is borrowed until labels_free. */
struct labels *labels_new(struct tool_run *r, const struct guard_query *q,
                          const struct guard_range *range, labels_fn *fn, void *arg);
void labels_free(struct labels *l); /* no callback comes any more; NULL is fine */
/* One of them no series has: what is wrong, and the query with the label that was meant, where one
 * is near. False: they are all there, or it is not known. */
bool labels_wrong(const struct labels *l, struct buf *error, struct buf *mended);

#endif
