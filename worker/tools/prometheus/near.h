/* worker/tools/prometheus/near.h: "did you mean": the metrics of the run's datasource whose names
 * share most words with one that does not exist. Sliced: a catalog of 250,000 names does not hold
 * the loop. */
#ifndef WORKER_TOOLS_PROMETHEUS_NEAR_H
#define WORKER_TOOLS_PROMETHEUS_NEAR_H

#include "common/buf.h"
#include "worker/tools/run.h"

struct near;
struct catalog;
/* Once, never from inside near_find. names: "a, b, c", clean, or empty; borrowed. */
typedef void near_fn(void *arg, struct str names);
/* c: borrowed until near_free; NULL: it could not be read, and nothing is near. */
struct near *near_find(struct tool_run *r, const struct catalog *c, struct str name, near_fn *fn,
                       void *arg);
void near_free(struct near *n); /* no callback comes any more; NULL is fine */

#endif
