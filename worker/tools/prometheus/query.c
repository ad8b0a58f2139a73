/* execute_range_query and execute_instant_query: guarded, asked, summarised. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/duration.h"
#include "common/json.h"
#include "worker/tools/handlers.h"
#include "worker/tools/args.h"
#include "worker/tools/perses/vars.h"
#include "worker/tools/prometheus/catalog.h"
#include "worker/tools/prometheus/catalog_cache.h"
#include "worker/tools/prometheus/explain.h"
#include "worker/tools/prometheus/labels.h"
#include "worker/tools/prometheus/name.h"
#include "worker/tools/prometheus/near.h"
#include "worker/tools/prometheus/repair.h"
#include "worker/tools/prometheus/why.h"
#include "worker/tools/prometheus/guard.h"
#include "worker/tools/moment.h"
#include "worker/tools/source.h"
#include "worker/tools/prometheus/series.h"
#include "worker/tools/span.h"
#include "worker/tools/text.h"

enum {
    FORM_BYTES_MAX = 64 * 1024,
    NOTES_BYTES_MAX = 8192,
    COUNT_TIMEOUT_MS = 8000, /* a count that takes longer says enough */
    CHECK_TIMEOUT_MS = 4000,
    CATALOG_PATIENCE_MS = 300, /* a catalog that is not there by then is done without */
    GRACE_MS = 3000,           /* so that the datasource's own word on a timeout comes first */
    RANGE_MS = SPAN_OTHERWISE_MS,
    POINTS = 240, /* when the model names no step: about a pixel column each */
    RANGE_SERIES = 40,
    INSTANT_SERIES = SERIES_KEPT_MAX,
};

struct query {
    struct tool_run *run;
    struct source_request ask, check; /* check: its syntax, while its series are counted */
    bool checked, counted;
    enum source_outcome count_outcome;
    struct guard_query guard;
    struct guard_range range;
    struct series series;
    bool range_query, by_groups;
    int64_t step_asked_ms;
    struct buf notes; /* JSON strings, comma-separated */
    struct explain *explain;
    struct why *why;
    bool cut, explained;
    /* names and types, where the catalog is there in time */
    struct catalog_cache_use *use;
    const struct catalog *catalog;
    struct loop_timer *patience;
    bool judged;
    bool known;            /* it is there, or waited for long enough */
    struct labels *labels; /* that it groups by; NULL: none */
    bool labelled;         /* they are there, or there is nothing to wait for */
    struct near *near;
    struct str unknown; /* the metric that is not in it */
    struct repair repair;
};

static void count(struct query *q, bool groups);
static void check_syntax(struct query *q);
static void execute(struct query *q);
static void look_up(struct query *q);
static void on_labels(void *arg);

static void query_free(void *state)
{
    struct query *q = state;
    source_request_free(&q->ask);
    source_request_free(&q->check);
    explain_free(q->explain);
    why_free(q->why);
    near_free(q->near);
    labels_free(q->labels);
    catalog_cache_leave(q->use);
    loop_timer_free(q->patience);
    repair_free(&q->repair);
    series_free(&q->series);
    buf_free(&q->notes);
    free(q);
}

static void add_note(struct query *q, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void add_note(struct query *q, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (q->notes.len > 0)
        buf_putc(&q->notes, ',');
    json_str(&q->notes, str_of(text));
}

static bool read_range(struct query *q)
{
    struct tool_run *r = q->run;
    struct str step = str_trim(args_str(r->args, "step"));
    struct span span;
    if (!span_times(r, &span))
        return false;
    q->range.start_ms = span.start_ms;
    q->range.end_ms = span.end_ms;
    if (q->range.start_ms == q->range.end_ms) {
        q->range_query = false;
        q->range = (struct guard_range){.end_ms = q->range.end_ms};
        add_note(q, "Start and end are the same moment: this is the value at it.");
        return true;
    }
    q->range.step_ms = moment_step((q->range.end_ms - q->range.start_ms) / POINTS + 1);
    if (str_is(step, "auto"))
        step.len = 0;
    if (step.len > 0 && !moment_said_duration(step, &q->range.step_ms)) {
        run_fail(r, "bad_arguments", "The argument \"step\" is no duration. Write 15s, 1m or 1h.");
        return false;
    }
    q->step_asked_ms = q->range.step_ms;
    return true;
}

static bool read_instant(struct query *q)
{
    int64_t start;
    span_selected(q->run, RANGE_MS, &start, &q->range.end_ms);
    return span_moment(q->run, "time", &q->range.end_ms);
}

static struct guard_limits limits_of(const struct query *q)
{
    const struct tools_config *c = &q->run->tools->config;
    return (struct guard_limits){.series_max = c->series_max, .points_max = c->points_max};
}

static void refuse(struct query *q, struct str suggestion)
{
    run_refuse(q->run, "query_refused", q->guard.error, suggestion);
}

/* $__rate_interval and its like, as Perses would put them in. What is not known stays, and is
 * refused by the guard. */
static void put_in_variables(struct query *q)
{
    struct str query = args_str(q->run->args, "query"), unknown;
    if (query.len == 0 || memchr(query.at, '$', query.len) == NULL)
        return;
    int64_t range_ms = q->range_query ? q->range.end_ms - q->range.start_ms : RANGE_MS;
    struct vars built_in = {.range_ms = range_ms,
                            .end_ms = q->range.end_ms,
                            .step_ms = q->range_query ? q->range.step_ms
                                                      : moment_step(range_ms / POINTS + 1)};
    scoped_buf(text, FORM_BYTES_MAX / 4);
    vars_apply(&built_in, query, &text, &unknown);
    if (text.overflowed || str_eq(buf_str(&text), query))
        return;
    json_object_set_new(q->run->args, "query", json_stringn(text.at, text.len));
    add_note(q, VARS_PUT_IN_NOTE);
}

static void start(struct tool_run *r, bool range_query)
{
    struct query *q = xcalloc(1, sizeof(*q));
    q->run = r;
    q->range_query = range_query;
    buf_init(&q->notes, NOTES_BYTES_MAX);
    repair_init(&q->repair);
    r->state = q;
    r->state_free = query_free;
    struct guard_limits limits = limits_of(q);
    if (range_query ? !read_range(q) : !read_instant(q))
        return;
    if (q->range_query)
        guard_step(&q->range, limits.points_max);
    put_in_variables(q);
    struct str query = args_str(r->args, "query");
    if (!guard_read(&q->guard, query) && !guard_read_loosely(&q->guard, query)) {
        repair_refuse(r, "query_refused", q->guard.error, query);
        return;
    }
    if (!guard_subqueries(&q->guard, &q->range, &limits)) {
        refuse(q, (struct str){NULL, 0});
        return;
    }
    if (q->guard.selector_count == 0) {
        execute(q);
        return;
    }
    check_syntax(q);
    q->labels = labels_new(r, &q->guard, &q->range, on_labels, q);
    q->labelled = q->labels == NULL;
    count(q, false);
    look_up(q);
}

void prom_range_query(struct tool_run *r) { start(r, true); }

void prom_instant_query(struct tool_run *r) { start(r, false); }

/* ---- counting what it would touch ---- */

static void on_counted(void *arg, enum source_outcome outcome);
static void judge(struct query *q);
static void judge_count(struct query *q);
static bool names_are_known(struct query *q);
static bool labels_are_known(struct query *q);
static void on_result(void *arg, enum source_outcome outcome);

static bool on_piece(void *arg, struct str piece)
{
    struct query *q = arg;
    return series_feed(&q->series, piece);
}

static void on_again(void *arg)
{
    struct query *q = arg;
    unsigned kept_max = q->series.kept_max, samples_max = q->series.samples_max;
    series_free(&q->series);
    series_init(&q->series, kept_max, samples_max);
}

static void ask(struct query *q, const char *api, struct buf *form, int64_t timeout_ms,
                void (*on_end)(void *arg, enum source_outcome outcome))
{
    struct tool_run *r = q->run;
    buf_printf(form, "&timeout=%llds", (long long)(timeout_ms + 999) / 1000);
    struct source_call request = {.method = "POST",
                                  .api = api,
                                  .form = form,
                                  .timeout_ms = timeout_ms + GRACE_MS,
                                  .trace = r->span.at};
    q->ask.on_piece = on_piece;
    q->ask.on_end = on_end;
    q->ask.on_again = on_again;
    q->ask.arg = q;
    source_request(&q->ask, r->tools, r->door, r->token, &request);
}

static void add_range(struct buf *form, const struct guard_range *range)
{
    source_param_time(form, "start", range->start_ms);
    source_param_time(form, "end", range->end_ms);
    source_param_time(form, "step", range->step_ms);
}

static void count(struct query *q, bool groups)
{
    scoped_buf(form, FORM_BYTES_MAX);
    struct guard_range range;
    scoped_buf(text, FORM_BYTES_MAX / 4);
    if (!guard_count_query(&q->guard, groups, &text) || text.overflowed) {
        snprintf(q->guard.error, sizeof(q->guard.error),
                 "The query has too many long selectors. Ask for less at once.");
        refuse(q, (struct str){NULL, 0});
        return;
    }
    guard_count_range(&q->guard, &q->range, &range);
    source_param(&form, "query", buf_str(&text));
    add_range(&form, &range);
    q->by_groups = groups;
    series_free(&q->series);
    series_init(&q->series, GUARD_SELECTORS_MAX, 16);
    int64_t timeout_ms = q->run->tools->config.timeout_ms;
    ask(q, "/api/v1/query_range", &form,
        timeout_ms < COUNT_TIMEOUT_MS ? timeout_ms : COUNT_TIMEOUT_MS, on_counted);
}

/* The rows of the count carry the selector's number as {"i":"3"}. */
static bool take_counts(struct query *q)
{
    for (unsigned i = 0; i < q->guard.selector_count; i++)
        *(q->by_groups ? &q->guard.selectors[i].groups : &q->guard.selectors[i].series) = 0;
    for (unsigned i = 0; i < q->series.kept_count; i++) {
        const struct series_row *row = &q->series.kept[i];
        unsigned n = GUARD_SELECTORS_MAX;
        if (sscanf(row->labels, "{\"i\":\"%u\"", &n) != 1 || n >= q->guard.selector_count)
            return false;
        struct guard_selector *s = &q->guard.selectors[n];
        *(q->by_groups ? &s->groups : &s->series) = row->max > 0 ? row->max : 0;
    }
    return true;
}

static void decide(struct query *q)
{
    struct guard_limits limits = limits_of(q);
    scoped_buf(suggestion, FORM_BYTES_MAX / 4);
    switch (guard_decide(&q->guard, &q->range, &limits, &suggestion)) {
    case GUARD_RUN:
    case GUARD_RAISED:
        if (names_are_known(q) && labels_are_known(q) &&
            repair_judge(&q->repair, q->run, q->catalog, q->guard.text, q->range_query))
            execute(q);
        break;
    case GUARD_COUNT_GROUPS:
        count(q, true);
        break;
    case GUARD_REFUSED:
        refuse(q, buf_str(&suggestion));
        break;
    }
}

/* ---- names and types ---- */

static void on_near(void *arg, struct str names)
{
    struct query *q = arg;
    scoped_buf(error, NOTES_BYTES_MAX);
    scoped_buf(mended, FORM_BYTES_MAX / 4);
    buf_puts(&error, "There is no metric ");
    text_clean(&error, q->unknown, 200);
    buf_puts(&error, " in this datasource: the query was not run. ");
    buf_puts(&error, names.len > 0 ? "The nearest are: " : "Find one with list_metrics");
    buf_add_str(&error, names);
    buf_putc(&error, '.');
    if (str_is(q->unknown, "true") || str_is(q->unknown, "false") || str_is(q->unknown, "now")) {
        repair_refuse(q->run, "unknown_metric", buf_cstr(&error), q->guard.text);
        return;
    }
    repair_name(q->guard.text, q->unknown, names, &mended);
    run_refuse(q->run, "unknown_metric", buf_cstr(&error), buf_str(&mended));
}

/* May it have no series, and the query still an answer? */
static bool may_lack(const struct query *q)
{
    return q->guard.has_or || q->guard.with.text.len > 0 || q->guard.loose ||
           text_has(q->guard.text, STR("absent")) || text_has(q->guard.text, STR("unless"));
}

/* False: a metric that no selector found is not in the catalog either, and the run ends with the
 * nearest. */
static bool names_are_known(struct query *q)
{
    struct matcher matchers[MATCHERS_MAX];
    if (q->catalog == NULL || q->catalog->left_out > 0 || q->catalog->partial ||
        q->catalog->count == 0 || may_lack(q))
        return true;
    for (unsigned i = 0; i < q->guard.selector_count; i++) {
        struct str name;
        if (q->guard.selectors[i].series > 0)
            continue;
        explain_matchers(q->guard.selectors[i].text, &name, matchers);
        if (!name_is_classic(name, true) || catalog_find(q->catalog, name))
            continue;
        q->unknown = name;
        q->near = near_find(q->run, q->catalog, name, on_near, q);
        return false;
    }
    return true;
}

static bool labels_are_known(struct query *q)
{
    scoped_buf(error, NOTES_BYTES_MAX);
    scoped_buf(mended, FORM_BYTES_MAX / 4);
    if (q->labels == NULL || !labels_wrong(q->labels, &error, &mended))
        return true;
    run_refuse(q->run, "unknown_label", buf_cstr(&error), buf_str(&mended));
    return false;
}

static void on_labels(void *arg)
{
    struct query *q = arg;
    q->labelled = true;
    judge(q);
}

static void on_catalog(void *arg, const struct catalog *c, const struct source_request *why)
{
    (void)why;
    struct query *q = arg;
    q->catalog = c;
    q->known = true;
    judge(q);
}

static void on_patience(void *arg)
{
    struct query *q = arg;
    q->known = q->labelled = true;
    judge(q);
}

static void look_up(struct query *q)
{
    struct loop *loop = q->run->tools->config.loop;
    q->patience = loop_timer_new(loop, on_patience, q);
    loop_timer_set(q->patience, CATALOG_PATIENCE_MS, 0);
    q->use = catalog_cache_use(q->run, on_catalog, q);
}

/* When all that is asked before has come. */
static void judge(struct query *q)
{
    if (q->counted && q->checked && q->known && q->labelled && !q->judged && !q->run->ended) {
        q->judged = true;
        judge_count(q);
    }
}

/* The server's word on what it could not read, and what we know of it. */
static void refuse_syntax(struct query *q, struct source_request *ask)
{
    if (q->guard.dotted && strcmp(ask->code, "bad_data") == 0)
        buf_puts(&ask->error, " A name with dots stands in quotes inside the braces: "
                              "{\"a.name\", \"a.label\"=\"value\"}.");
    if (strcmp(ask->code, "bad_data") == 0 && !ask->unauthorized)
        repair_refuse(q->run, ask->code, buf_cstr(&ask->error), q->guard.text);
    else
        source_fail(q->run, ask);
}

static void judge_count(struct query *q)
{
    enum source_outcome outcome = q->count_outcome;
    if (outcome == SOURCE_REFUSED && strcmp(q->ask.code, "timeout") == 0)
        run_fail(q->run, "query_refused",
                 "The query was not run: already counting its series took too long. Add label "
                 "matchers that select fewer, or a shorter time range.");
    else if (outcome == SOURCE_REFUSED)
        refuse_syntax(q, &q->ask);
    else if (outcome == SOURCE_CUT || !sax_whole(&q->series.sax) || !take_counts(q))
        run_fail(q->run, "broken",
                 "The datasource's answer is not what Prometheus's API answers. "
                 "Is the datasource a Prometheus?");
    else
        decide(q);
}

static void on_counted(void *arg, enum source_outcome outcome)
{
    struct query *q = arg;
    q->run->partial = q->run->partial || q->series.partial;
    q->count_outcome = outcome;
    q->counted = true;
    q->judged = false; /* counted again, by groups */
    judge(q);
}

/* Its syntax, by the server's own parser (format_query, from Prometheus 2.40 on), at the same time
 * as the count. Only a plain "this is wrong" counts: what has no such API is asked without. */

static bool on_check_piece(void *arg, struct str piece)
{
    (void)arg, (void)piece;
    return true;
}

static void on_checked(void *arg, enum source_outcome outcome)
{
    struct query *q = arg;
    q->checked = true;
    if (outcome == SOURCE_REFUSED && q->check.http_status == 400 &&
        strcmp(q->check.code, "bad_data") == 0) {
        source_request_free(&q->ask);
        refuse_syntax(q, &q->check);
    } else {
        judge(q);
    }
}

static void check_syntax(struct query *q)
{
    struct tool_run *r = q->run;
    scoped_buf(form, FORM_BYTES_MAX);
    source_param(&form, "query", q->guard.text);
    struct source_call request = {.method = "POST",
                                  .api = "/api/v1/format_query",
                                  .form = &form,
                                  .timeout_ms = CHECK_TIMEOUT_MS,
                                  .trace = r->span.at};
    q->check.on_piece = on_check_piece;
    q->check.on_end = on_checked;
    q->check.arg = q;
    source_request(&q->check, r->tools, r->door, r->token, &request);
}

/* ---- the query itself ---- */

static void execute(struct query *q)
{
    const struct tools_config *c = &q->run->tools->config;
    scoped_buf(form, FORM_BYTES_MAX);
    if (q->range.step_ms > q->step_asked_ms && q->range_query)
        add_note(q,
                 "The step was raised from %s to %s: so that a series has at most %s points and "
                 "the query stays affordable.",
                 duration_write(q->step_asked_ms), duration_write(q->range.step_ms),
                 text_count(c->points_max));
    source_param(&form, "query", q->guard.text);
    if (q->range_query)
        add_range(&form, &q->range);
    else
        source_param_time(&form, "time", q->range.end_ms);
    /* Understood from Prometheus 3 on: holds where more series came since they were counted. */
    source_param_count(&form, "limit", c->series_max);
    series_free(&q->series);
    series_init(&q->series, q->range_query ? RANGE_SERIES : INSTANT_SERIES, c->points_max + 1);
    ask(q, q->range_query ? "/api/v1/query_range" : "/api/v1/query", &form, c->timeout_ms,
        on_result);
}

static void add_notes(struct query *q, struct str notes)
{
    if (notes.len == 0)
        return;
    buf_puts(&q->notes, q->notes.len > 0 ? "," : "");
    buf_add_str(&q->notes, notes);
}

static void finish(struct query *q)
{
    struct tool_run *r = q->run;
    bool nothing = q->series.total == 0 && !q->cut;
    bool absent = str_starts(q->guard.text, STR("absent(")) ||
                  str_starts(q->guard.text, STR("absent_over_time("));
    if (nothing && absent)
        add_note(q, "There are such series, so that absent() gives nothing: " WHY_NONE_PASSES ".");
    add_notes(q, buf_str(&r->remarks));
    add_notes(q, buf_str(nothing ? &q->repair.if_empty : &q->repair.notes));
    struct series_head head = {
        .kind = q->range_query ? "range" : "instant",
        .query = q->guard.text,
        .datasource = str_of(r->datasource),
        .start_ms = q->range.start_ms,
        .end_ms = q->range.end_ms,
        .step_ms = q->range_query ? q->range.step_ms : 0,
        .cut = q->cut,
        .partial = r->partial,
        .explained = absent || q->explained || q->repair.if_empty.len > 0,
        .notes = buf_str(&q->notes),
        .bytes_max = r->tools->config.content_bytes_max,
    };
    series_write(&q->series, &head, &r->content);
    run_done(r);
}

static void on_explained(void *arg, struct str notes)
{
    struct query *q = arg;
    q->explained = notes.len > 0;
    add_notes(q, notes);
    finish(q);
}

static bool selects_nothing(const struct query *q)
{
    for (unsigned i = 0; i < q->guard.selector_count; i++)
        if (q->guard.selectors[i].series == 0)
            return q->guard.with.text.len == 0; /* what is a template's is no metric */
    return false;
}

static void on_result(void *arg, enum source_outcome outcome)
{
    struct query *q = arg;
    struct tool_run *r = q->run;
    if (outcome == SOURCE_REFUSED) {
        refuse_syntax(q, &q->ask); /* one without a selector has not been checked before */
        return;
    }
    if (outcome == SOURCE_CUT)
        series_cut(&q->series);
    bool whole = outcome == SOURCE_WHOLE && sax_whole(&q->series.sax);
    if (outcome == SOURCE_WHOLE && (!whole || !str_is(buf_str(&q->series.status), "success"))) {
        run_fail(r, "broken",
                 whole ? "The datasource's answer is no success: %s"
                       : "The datasource's answer ended in the middle.%s",
                 whole ? buf_cstr(&q->series.error) : "");
        return;
    }
    q->cut = outcome == SOURCE_CUT;
    if (q->series.total > 0 || q->cut || q->guard.selector_count == 0)
        finish(q);
    else if (selects_nothing(q))
        q->explain = explain_new(r, &q->guard, &q->range, on_explained, q);
    else if (q->repair.if_empty.len == 0 && !q->guard.loose)
        q->why = why_new(r, &q->guard, &q->range, on_explained, q);
    else
        finish(q);
}
