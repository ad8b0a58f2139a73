/* worker/tools/prometheus/mend_signs.h: signs that the query language does not have, as the ones
 * that are meant: “ ” ≥ × （ &gt; => \" and their like, // comments, "promql:" before a query. What
 * stands in quotes is left as it is. Pure. */
#ifndef WORKER_TOOLS_PROMETHEUS_MEND_SIGNS_H
#define WORKER_TOOLS_PROMETHEUS_MEND_SIGNS_H

#include <stdbool.h>
#include "common/buf.h"

/* to: the query with them, always. what: a sentence for each. False: there was none. */
bool mend_signs(struct str query, struct buf *to, struct buf *what);

#endif
