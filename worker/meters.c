#include "worker/meters.h"

void meters_init(struct meters *m)
{
#define METRIC(field, kind, name, labels, help)                                                    \
    m->field = metric_new(METRIC_##kind, name, labels, help);
#include "worker/metrics.def"
#undef METRIC
}
