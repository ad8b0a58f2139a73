/* worker/tools/prometheus/extent.h: PromQL's duration expressions (of Prometheus from 3.4 on): 5m,
 * 5m*2, (1h + 30m) / 2, step(), range(), max(step(), 5m). Pure.
 *
 * step() and range() are the query's own, which is not known where it is read. What reads the
 * expression says which error is harmless: a range is rather taken for too long, the step of a
 * subquery for too short. */
#ifndef WORKER_TOOLS_PROMETHEUS_EXTENT_H
#define WORKER_TOOLS_PROMETHEUS_EXTENT_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"

enum extent_guess { EXTENT_LONG, EXTENT_SHORT };
/* All of the text. False: it is none. Signed; up to ± 100 years. */
bool extent_read(struct str text, enum extent_guess guess, int64_t *ms);

#endif
