/* worker/tools/prometheus/look.h: the look-up that tools_look_up runs. Inside worker/tools only. */
#ifndef WORKER_TOOLS_PROMETHEUS_LOOK_H
#define WORKER_TOOLS_PROMETHEUS_LOOK_H

#include "worker/tools/run.h"

enum { LOOK_BYTES_MAX = 4096 }; /* of its result: about 1,100 tokens */

/* Arguments: question, and queried: the text of queries that were run here before. Content: lines
 * of JSON, a metric each, best first; empty: nothing fits. */
tool_fn prom_look_up;

#endif
