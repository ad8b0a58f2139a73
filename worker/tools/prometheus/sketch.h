/* worker/tools/prometheus/sketch.h: the query that a question suggests of a metric: "per second" of
 * a counter is its rate, "how long ago" of a timestamp its distance from now, "by handler" a sum by
 * that label. What the question asks for is read by asked.c; what the metric is, by its type and
 * the labels of its series. A suggestion for a
 * model that might write a worse one, told beside the metric. Of the first metric it is a small
 * model's first call (worker/turn/turn_given.c). Pure. */
#ifndef WORKER_TOOLS_PROMETHEUS_SKETCH_H
#define WORKER_TOOLS_PROMETHEUS_SKETCH_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"
#include "worker/tools/prometheus/asked.h"

enum { SKETCH_LABELS_MAX = 12, SKETCH_VALUES_MAX = 6, SKETCH_BYTES_MAX = 400 };

struct sketch_label {
    struct str name;
    struct str values[SKETCH_VALUES_MAX]; /* samples */
    unsigned value_count;
};
struct sketch_metric { /* borrowed */
    struct str name;   /* of a histogram or summary its family's */
    const char *type;  /* as catalog_type's; "" when not known */
    struct sketch_label labels[SKETCH_LABELS_MAX];
    unsigned label_count; /* 0: not known either */
    bool native;          /* a histogram without buckets of their own series */
    struct str whole;     /* the metric that this one is a part of (sketch_whole); or empty */
};
/* Of "used", "free", "open", "failed" … in a name: the name with "total", "size", "max" … in its
 * place, the ith that there may be. False: there are no more. For who knows which exist. */
bool sketch_whole(struct str name, unsigned i, struct buf *whole);
/* Is its value a moment, in seconds since 1970? */
bool sketch_is_moment(struct str name);
/* Does the question ask for it by one of its labels? */
bool sketch_groups(const struct asked *a, const struct sketch_metric *m);
/* False: nothing is suggested of such a metric. */
bool sketch_write(const struct asked *a, const struct sketch_metric *m, struct buf *query);

#endif
