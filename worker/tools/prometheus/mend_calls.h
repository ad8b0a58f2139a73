/* worker/tools/prometheus/mend_calls.h: functions, aggregations and numbers as models write them:
 * mean(x), Rate(x[5m]), rat(x[5m]), p95(x), topk(x, 5), topk 5 (x), sum by [a] (x), x > 4GB,
 * x order by value desc limit 5. Pure. */
#ifndef WORKER_TOOLS_PROMETHEUS_MEND_CALLS_H
#define WORKER_TOOLS_PROMETHEUS_MEND_CALLS_H

#include "worker/tools/prometheus/mending.h"

/* What is wrong of this kind at a token is edited and said. */
void mend_call(struct mending *m, unsigned at);

#endif
