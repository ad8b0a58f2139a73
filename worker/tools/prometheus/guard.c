#include "worker/tools/prometheus/guard.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "common/duration.h"
#include "worker/tools/moment.h"
#include "worker/tools/text.h"

bool guard_step(struct guard_range *r, uint32_t points_max)
{
    int64_t span = r->end_ms - r->start_ms;
    if (span <= 0 || guard_points(r) <= points_max)
        return false;
    int64_t least = (span + points_max - 2) / (points_max - 1);
    r->step_ms = (least + 999) / 1000 * 1000;
    return true;
}

uint64_t guard_points(const struct guard_range *r)
{
    return r->step_ms > 0 ? (uint64_t)((r->end_ms - r->start_ms) / r->step_ms) + 1 : 1;
}

/* The query's range, over which subqueries are evaluated; not those at a fixed moment, which every
 * server of those that know @ evaluates once. */
static int64_t span_of(const struct guard_range *r, bool fixed)
{
    return r->step_ms > 0 && !fixed ? r->end_ms - r->start_ms : 0;
}

static uint64_t sub_points(int64_t range_ms, int64_t step_ms, int64_t span_ms)
{
    return (uint64_t)((span_ms + range_ms) / step_ms) + 1;
}

bool guard_subqueries(struct guard_query *q, const struct guard_range *r,
                      const struct guard_limits *l)
{
    for (unsigned i = 0; i < q->subquery_count; i++) {
        const struct guard_subquery *s = &q->subqueries[i];
        int64_t own_ms = r->step_ms > 0 ? r->step_ms : GUARD_OWN_STEP_MS;
        int64_t step_ms = s->own_step && own_ms < s->step_ms ? own_ms : s->step_ms;
        int64_t span = span_of(r, s->fixed);
        uint64_t points = sub_points(s->range_ms, step_ms, span);
        if (points <= l->points_max)
            continue;
        int64_t step = moment_step((span + s->range_ms) / (l->points_max - 1) + 1);
        snprintf(q->error, sizeof(q->error),
                 "The subquery's resolution of %s makes %s points for each series, more than %s. "
                 "Use a resolution of %s or more, as in [%s:%s].",
                 duration_write(step_ms), text_count((double)points), text_count(l->points_max),
                 duration_write(step), duration_write(s->range_ms), duration_write(step));
        return false;
    }
    return true;
}

/* ---- counting ---- */

bool guard_count_query(const struct guard_query *q, bool grouped, struct buf *b)
{
    unsigned count = 0;
    buf_add_str(b, q->with.text);
    buf_puts(b, q->with.text.len > 0 ? " " : "");
    for (unsigned i = 0; i < q->selector_count; i++) {
        const struct guard_selector *s = &q->selectors[i];
        if (grouped && s->shape != GUARD_GROUPED)
            continue;
        buf_printf(b, "%slabel_replace(count(", count++ > 0 ? " or " : "");
        if (grouped) {
            buf_puts(b, "count ");
            buf_add_str(b, s->grouping);
            buf_putc(b, '(');
        }
        buf_add_str(b, s->text);
        if (s->offset.len > 0) {
            buf_putc(b, ' ');
            buf_add_str(b, s->offset);
        }
        if (s->at.len > 0) {
            buf_putc(b, ' ');
            buf_add_str(b, s->at);
        }
        buf_printf(b, "%s), \"i\", \"%u\", \"\", \"\")", grouped ? ")" : "", i);
    }
    return count > 0;
}

void guard_count_range(const struct guard_query *q, const struct guard_range *r,
                       struct guard_range *count)
{
    enum { INSTANTS = 4 };
    int64_t window = 0;
    for (unsigned i = 0; i < q->selector_count; i++)
        if (q->selectors[i].window_ms > window)
            window = q->selectors[i].window_ms;
    int64_t start = (r->step_ms > 0 ? r->start_ms : r->end_ms) - window;
    count->end_ms = r->end_ms;
    count->start_ms = start > 0 ? start : 0;
    int64_t span = count->end_ms - count->start_ms;
    count->step_ms = span >= INSTANTS - 1 ? (span + INSTANTS - 2) / (INSTANTS - 1) : 1;
}

/* ---- deciding ---- */

static double counted(double series) { return series > 0 ? series : 0; }

/* How many series come out; -1: groups are not counted yet. */
static double result_series(const struct guard_query *q)
{
    double sum = 0, most = 0;
    for (unsigned i = 0; i < q->selector_count; i++) {
        const struct guard_selector *s = &q->selectors[i];
        double out = s->shape == GUARD_ONE ? 1 : counted(s->series);
        if (s->shape == GUARD_GROUPED && s->groups >= 0 && s->groups < out)
            out = s->groups;
        sum += out;
        most = out > most ? out : most;
    }
    return q->has_or ? sum : most;
}

static bool groups_unknown(const struct guard_query *q)
{
    for (unsigned i = 0; i < q->selector_count; i++)
        if (q->selectors[i].shape == GUARD_GROUPED && q->selectors[i].groups < 0)
            return true;
    return false;
}

/* Evaluations: outer is what a point of the query itself costs, inner what subqueries cost. */
static void evaluations(const struct guard_query *q, const struct guard_range *r, double *outer,
                        double *inner)
{
    *outer = *inner = 0;
    for (unsigned i = 0; i < q->selector_count; i++) {
        const struct guard_selector *s = &q->selectors[i];
        if (s->sub_ms > 0)
            *inner += counted(s->series) *
                      (double)sub_points(s->sub_ms, s->step_ms, span_of(r, s->fixed));
        else
            *outer += counted(s->series);
    }
}

static enum guard_verdict refuse_result(struct guard_query *q, double result,
                                        const struct guard_limits *l, struct buf *suggestion)
{
    struct str body = str_trim(str_skip(q->text, q->with.text.len));
    /* Else the guard would take it for a template that selects everything. */
    bool topk = !q->with.open || !with_has(&q->with, STR("topk"));
    if (topk) {
        buf_add_str(suggestion, q->with.text);
        buf_puts(suggestion, q->with.text.len > 0 ? " topk(10, " : "topk(10, ");
        buf_add_str(suggestion, body);
        /* a comment at its end must not swallow the parenthesis */
        buf_puts(suggestion, memchr(body.at, '#', body.len) ? "\n)" : ")");
    }
    snprintf(q->error, sizeof(q->error),
             "This query would return about %s series, more than the %s that are allowed. %s (as "
             "sum by (label) (…)), or add label matchers.",
             text_count(result), text_count(l->series_max),
             topk ? "Use the suggestion, aggregate" : "Aggregate");
    return GUARD_REFUSED;
}

static enum guard_verdict decide(struct guard_query *q, struct guard_range *r,
                                 const struct guard_limits *l, struct buf *suggestion)
{
    double read = 0, outer, inner, result = result_series(q);
    for (unsigned i = 0; i < q->selector_count; i++)
        read += counted(q->selectors[i].series);
    if (result > l->series_max)
        return groups_unknown(q) ? GUARD_COUNT_GROUPS : refuse_result(q, result, l, suggestion);
    if (read > (double)l->series_max * GUARD_READ_FACTOR) {
        snprintf(q->error, sizeof(q->error),
                 "This query would read about %s series, more than the %s that are allowed even "
                 "for an aggregation. Add label matchers that select fewer.",
                 text_count(read), text_count((double)l->series_max * GUARD_READ_FACTOR));
        return GUARD_REFUSED;
    }
    evaluations(q, r, &outer, &inner);
    double points = (double)guard_points(r), room = GUARD_EVALUATIONS_MAX - inner;
    if (outer * points <= room)
        return GUARD_RUN;
    double affordable = outer > 0 ? floor(room / outer) : 0;
    if (affordable < GUARD_POINTS_MIN || points <= 1) {
        snprintf(q->error, sizeof(q->error),
                 "This query would evaluate about %s samples (%s series at many points in time), "
                 "more than the %s that are allowed. Add label matchers, a shorter time range or a "
                 "coarser subquery.",
                 text_count(outer * points + inner), text_count(read),
                 text_count(GUARD_EVALUATIONS_MAX));
        return GUARD_REFUSED;
    }
    guard_step(r, (uint32_t)(affordable < UINT32_MAX ? affordable : UINT32_MAX));
    return GUARD_RAISED;
}

enum guard_verdict guard_decide(struct guard_query *q, struct guard_range *r,
                                const struct guard_limits *l, struct buf *suggestion)
{
    enum guard_verdict verdict = decide(q, r, l, suggestion);
    size_t len = strlen(q->error);
    if (verdict == GUARD_REFUSED && q->loose)
        snprintf(q->error + len, sizeof(q->error) - len,
                 " (Not the query is the limit but this tool: it cannot read all of its syntax, so "
                 "each selector counts in full, whatever aggregates it.)");
    return verdict;
}
