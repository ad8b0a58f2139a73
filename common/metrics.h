/* common/metrics.h: counters, gauges and histograms of one process → Prometheus text format 0.0.4.
 *
 * Metrics are declared as rows of a table (X-macro) by each program and registered once at start.
 * Labels are fixed words of the code, never from outside, so the number of series is bounded.
 * Process metrics (process_*) come with it. */
#ifndef COMMON_METRICS_H
#define COMMON_METRICS_H

#include <stdint.h>
#include "common/buf.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
struct metric;

/* The texts are borrowed for good (literals). The same series twice is one metric. labels: "" or
 * `outcome="ok"`. Same name with other labels: a series of the same family (same kind and help).
 * Lives as long as the process. Histogram buckets: seconds, 1 ms to 120 s, roughly doubling. */
struct metric *metric_new(enum metric_kind kind, const char *name, const char *labels,
                          const char *help);
/* A histogram of other values than seconds: its bounds, ascending, at most METRIC_BOUNDS_MAX. */
enum { METRIC_BOUNDS_MAX = 17 };
struct metric *metric_histogram(const char *name, const char *labels, const char *help,
                                const double *bounds, unsigned bound_count);
void metric_add(struct metric *m, double by);
void metric_set(struct metric *m, double value);
void metric_catch_up(struct metric *m, uint64_t total); /* a counter that another module keeps */
void metric_observe(struct metric *m, double seconds);
double metric_get(const struct metric *m); /* of a histogram: how many were observed */
void metrics_write(struct buf *b);         /* all of them, families grouped, names sorted */

#endif
