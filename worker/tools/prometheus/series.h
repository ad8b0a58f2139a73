/* worker/tools/prometheus/series.h: a Prometheus answer (matrix, vector, scalar, string), read as
 * it arrives and summarised for a model. Pure.
 *
 * Nothing of the answer is kept but the best KEPT series (few points each), so memory is bounded
 * whatever arrives, and each piece costs its own length. An answer that was cut off anywhere still
 * gives what came before, and the result says so. */
#ifndef WORKER_TOOLS_PROMETHEUS_SERIES_H
#define WORKER_TOOLS_PROMETHEUS_SERIES_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"
#include "worker/tools/sax.h"
#include "worker/tools/prometheus/shape.h"

enum {
    SERIES_KEPT_MAX = 120,
    SERIES_POINTS_KEPT = 60, /* of one series, until it is known how many fit */
    SERIES_LABEL_MAX = 128,  /* bytes of a label's name, and */
    SERIES_VALUE_MAX = 256,  /* of its value, as shown */
    SERIES_LABELS_MAX = 2048,
    SERIES_NOTES_MAX = 5, /* warnings that are passed on */
    SERIES_NOTE_MAX = 300,
};

struct series_row {
    char *labels; /* JSON object, clean */
    double min, max, sum, first, last, key;
    double first_at_s, last_at_s;
    uint64_t count, numbers, nans; /* numbers: neither NaN nor Inf */
    uint64_t order;                /* as it arrived */
    struct series_point *points;
    unsigned point_count;
    struct shape shape;
    bool shortened;
};
struct series {
    struct sax sax;
    uint8_t where[SAX_DEPTH_MAX + 1];
    unsigned depth;
    uint8_t key; /* of the object that is open */
    unsigned index;
    /* the series that is being read */
    struct series_row row;
    struct buf labels, label;
    struct series_point sample;
    /* all of them, up to points_max: the shape is chosen at its end */
    struct series_point *samples;
    unsigned sample_count, samples_max, sample_cap;
    bool sample_ok, row_bad;
    /* what was read */
    struct series_row kept[SERIES_KEPT_MAX];
    unsigned kept_count, kept_max;
    uint64_t total, samples_total;
    double least, most; /* last values of all */
    bool any_last, histograms, matrix, scalar, text;
    bool partial;                                /* the datasource says so (partial.h) */
    bool warns;                                  /* it is "warnings" that are read, not "infos" */
    struct buf status, error_type, error, notes; /* notes: JSON strings, comma-separated */
    unsigned note_count;
};
/* samples_max: more of one series are not looked at. */
void series_init(struct series *s, unsigned kept_max, unsigned samples_max);
void series_free(struct series *s);
bool series_feed(struct series *s, struct str piece); /* false: it is no such answer */
void series_cut(struct series *s); /* no more comes: what was read of the present series counts */

/* What the summary says beside the data. */
struct series_head {
    const char *kind; /* "range", "instant" */
    struct str query, datasource;
    int64_t start_ms, end_ms, step_ms; /* instant: end_ms is its time */
    bool cut;                          /* the answer was cut off */
    bool partial;                      /* another answer that it rests on was */
    bool explained;                    /* the notes say why there is nothing */
    struct str notes;                  /* JSON strings, comma-separated, or empty */
    size_t bytes_max;                  /* of the summary */
};
void series_write(struct series *s, const struct series_head *h, struct buf *b);

/* Which of the points show the shape best: first, last and those that span the largest triangles
 * (Steinarsson's LTTB). In place; returns how many are left. */
unsigned series_thin(struct series_point *points, unsigned count, unsigned want);

#endif
