/* worker/tools/prometheus/mend_matchers.h: what stands in braces, as models write it:
 * {job=prometheus}, {job=="a"}, {a="b" and c="d"}, {a in ("b", "c")}, {a="b" or a="c"}; also
 * behind them: x{} where a = 'b'. Pure. */
#ifndef WORKER_TOOLS_PROMETHEUS_MEND_MATCHERS_H
#define WORKER_TOOLS_PROMETHEUS_MEND_MATCHERS_H

#include "worker/tools/prometheus/mending.h"

/* What is wrong of this kind at a token is edited and said. */
void mend_matchers(struct mending *m, unsigned at);

#endif
