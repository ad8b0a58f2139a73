/* worker/meters.h: the rows of metrics.def as a struct. */
#ifndef WORKER_METERS_H
#define WORKER_METERS_H

#include "common/metrics.h"

struct meters {
#define METRIC(field, kind, name, labels, help) struct metric *field;
#include "worker/metrics.def"
#undef METRIC
};
void meters_init(struct meters *m); /* once a process */

#endif
