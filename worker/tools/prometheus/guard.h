/* worker/tools/prometheus/guard.h: may this PromQL query run? No query can hurt a production
 * Prometheus. Pure.
 *
 * Reads PromQL, and what VictoriaMetrics adds to it, as far as cost needs it: which vector
 * selectors there are, over which window or subquery, and whether an aggregation around them makes
 * the result small. What it cannot read is never guessed (a query that is read wrongly would go
 * round the bounds): it is bounded by its selectors alone, or refused.
 *
 * Before a query runs, each selector is counted by count(SELECTOR), all in one small range query
 * of a few instants over the query's own time. Why count() and not /api/v1/series: it answers one
 * number instead of every series' labels, obeys timeout=, and is understood by every Prometheus and
 * what is like it (limit= of /series only from 2.52 on); it touches the index and one sample of
 * each series. */
#ifndef WORKER_TOOLS_PROMETHEUS_GUARD_H
#define WORKER_TOOLS_PROMETHEUS_GUARD_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"
#include "worker/tools/prometheus/with.h"

enum {
    GUARD_SELECTORS_MAX = 20,
    GUARD_SUBQUERIES_MAX = 20,
    GUARD_ERROR_MAX = 512,
    /* Series × points that a query may evaluate: what Prometheus itself allows a query to hold by
     * default (--query.max-samples). */
    GUARD_EVALUATIONS_MAX = 50000000,
    /* A query whose result is small (sum, topk) may read this many times the series that it
     * may return. */
    GUARD_READ_FACTOR = 10,
    GUARD_SUBQUERY_STEP_MS = 60000, /* of [1h:]: the usual evaluation interval of a server */
    GUARD_OWN_STEP_MS = 300000, /* VictoriaMetrics's for an instant query (its step's default) */
    GUARD_POINTS_MIN = 50, /* the fewest points that the step is raised to, to make a query cheap */
};

enum guard_shape {
    GUARD_WHOLE,   /* as many series come out as go in */
    GUARD_ONE,     /* one, or the few of a topk */
    GUARD_GROUPED, /* as many as grouping makes */
};
struct guard_selector {
    struct str text;         /* name{matchers} */
    struct str offset, at;   /* modifiers as they were written, or empty */
    int64_t window_ms;       /* of [5m], and of subqueries around it: so far back it reads */
    int64_t sub_ms, step_ms; /* of the subqueries around it: their range, the finest step; or 0 */
    bool fixed; /* @ follows the outermost of those subqueries: they are evaluated once */
    enum guard_shape shape;
    struct str grouping; /* of GROUPED: by (a, b) or without (c) */
    double series;       /* counted; -1: not yet */
    double groups;
};
/* A subquery with those around it, whatever is inside: vector(1) is evaluated at each point too. */
struct guard_subquery {
    int64_t range_ms, step_ms; /* their ranges' sum, the finest step */
    bool fixed;                /* @ follows the outermost: they are evaluated once */
    bool own_step;             /* one of them has none: it goes by the query's (MetricsQL) */
};
struct guard_query {
    struct str text; /* borrowed, trimmed */
    struct guard_selector selectors[GUARD_SELECTORS_MAX];
    unsigned selector_count;
    struct guard_subquery subqueries[GUARD_SUBQUERIES_MAX];
    unsigned subquery_count;
    bool has_or; /* results add up */
    bool dotted; /* it has a name with dots that is in no quotes, which Prometheus does not take */
    struct with with;
    bool loose; /* guard_read_loosely has read it */
    char error[GUARD_ERROR_MAX];
};
/* False: refused, error says why in words for the model. */
bool guard_read(struct guard_query *q, struct str query);
/* What guard_read could not read (its error is in q): syntax newer than ours, or of a server that
 * speaks more than PromQL. What selects series is found all the same and counts in full, whatever
 * stands around it; whether the query is right the server says. False: not even that, or nothing
 * selects. */
bool guard_read_loosely(struct guard_query *q, struct str query);

struct guard_limits {
    uint32_t series_max, points_max;
};
struct guard_range {
    int64_t start_ms, end_ms, step_ms; /* step 0: an instant query at end_ms */
};
/* The step so that no series has more than points_max points; true when it had to be raised. */
bool guard_step(struct guard_range *r, uint32_t points_max);
uint64_t guard_points(const struct guard_range *r);
/* Subqueries whose resolution is too fine: refused by error. */
bool guard_subqueries(struct guard_query *q, const struct guard_range *r,
                      const struct guard_limits *l);

/* The query that counts, and where; its answer's rows carry the selector's number as label "i".
 * grouped: those that are GROUPED, by their groups; else all. False: there is nothing to count. */
bool guard_count_query(const struct guard_query *q, bool grouped, struct buf *b);
void guard_count_range(const struct guard_query *q, const struct guard_range *r,
                       struct guard_range *count);

enum guard_verdict {
    GUARD_RUN,
    GUARD_RAISED,       /* run it with the step in r, which is longer now */
    GUARD_COUNT_GROUPS, /* count the groups, then ask again */
    GUARD_REFUSED,      /* error says why; suggestion is a query that would do, or empty */
};
enum guard_verdict guard_decide(struct guard_query *q, struct guard_range *r,
                                const struct guard_limits *l, struct buf *suggestion);

#endif
