/* worker/tools/prometheus/sketch.h: the query that a question suggests of a metric: "per second" of
 * a counter is its rate, "how long ago" of a timestamp its distance from now, "by handler" a sum by
 * that label. What the question asks for is read by how people say it in a few languages
 * (sketch.def); what the metric is, by its type and the labels of its series. A suggestion for a
 * model that might write a worse one, told beside the metric. Of the first metric it is a small
 * model's first call (worker/turn/turn_given.c). Pure. */
#ifndef WORKER_TOOLS_PROMETHEUS_SKETCH_H
#define WORKER_TOOLS_PROMETHEUS_SKETCH_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"
#include "worker/tools/prometheus/words.h"

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
    struct str whole;     /* the metric that this one is a part of (sketch_whole); or empty */
};
struct sketch {
    const struct words *words; /* borrowed: of the question */
    char said[WORDS_TEXT_MAX]; /* words_normalise */
    uint32_t wishes;           /* bits, of sketch.def */
    unsigned window_s;         /* "in the last hour"; 0: not said */
    unsigned percent;          /* of a percentile, in hundredths: 9500; 0: none */
    bool root;                 /* "/" is meant, of a label that has it */
    unsigned top;              /* "top 5"; 0: not said */
};
void sketch_read(struct sketch *s, const struct words *words, struct str question);
/* Of "used", "free", "open" … in a name: the name with "total", "size", "max" … in its place, the
 * ith that there may be. False: there are no more. For who knows which exist. */
bool sketch_whole(struct str name, unsigned i, struct buf *whole);
/* Does the question ask when something was, and does this metric say so? */
bool sketch_likes(const struct sketch *s, struct str name);
/* Is it 0 or 1, where the question asks for the most of something, or for a share? */
bool sketch_dislikes(const struct sketch *s, struct str name);
/* False: nothing is suggested of such a metric. */
bool sketch_write(const struct sketch *s, const struct sketch_metric *m, struct buf *query);

#endif
