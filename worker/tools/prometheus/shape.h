/* worker/tools/prometheus/shape.h: what a series of points does, in a few words and numbers:
 * change, trend, outliers, where its extremes are. Pure; one pass or two over the points. */
#ifndef WORKER_TOOLS_PROMETHEUS_SHAPE_H
#define WORKER_TOOLS_PROMETHEUS_SHAPE_H

#include <stdbool.h>
#include "common/buf.h"

struct series_point {
    double at_s, value;
};
enum shape_word {
    SHAPE_UNKNOWN, /* fewer than SHAPE_POINTS_MIN finite points */
    SHAPE_FLAT,
    SHAPE_RISING,
    SHAPE_FALLING,
    SHAPE_STEP_UP,
    SHAPE_STEP_DOWN,
    SHAPE_SPIKE, /* calm but for a few outliers */
    SHAPE_FLUCTUATING,
};
enum { SHAPE_POINTS_MIN = 5 };

struct shape {
    enum shape_word word;
    double change;             /* last - first, of the finite points */
    double per_hour;           /* slope of the least-squares line */
    double min_at_s, max_at_s; /* of the first such point */
    double step_at_s;          /* of STEP_UP, STEP_DOWN: the first point after it */
    unsigned outliers;         /* farther than four standard deviations of the others */
    double outlier_at_s;       /* the farthest */
    bool any;                  /* there is a finite point */
};
void shape_of(const struct series_point *points, unsigned count, struct shape *out);
/* "change":…,"shape":"rising",… as members of an object; brief: these two alone. */
void shape_write(const struct shape *s, bool brief, struct buf *b);

#endif
