/* worker/tools/prometheus/mend_window.h: ranges, offsets and moments as models write them: [5 m],
 * ["5m"], [5m, rate(x), rate(x, 5m), max(x)[1h], rate(x[5m]) offset 1d, x @ now. Pure. */
#ifndef WORKER_TOOLS_PROMETHEUS_MEND_WINDOW_H
#define WORKER_TOOLS_PROMETHEUS_MEND_WINDOW_H

#include "worker/tools/prometheus/mending.h"

/* What is wrong of this kind at a token is edited and said. */
void mend_window(struct mending *m, unsigned at);

/* rate(increase(x[5m])[1h:]): of a count per second none is counted. The one that was meant; false:
 * it is none such. */
bool mend_window_nested(const struct tokens *t, unsigned at, struct buf *meant);

#endif
