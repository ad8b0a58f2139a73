/* Loki's tools. A query is looked at before it runs: its selector must select something, and what
 * it would read (index/stats) must not be too much. */
#include "worker/tools/handlers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "worker/tools/args.h"
#include "worker/tools/logql.h"
#include "worker/tools/moment.h"
#include "worker/tools/perses/vars.h"
#include "worker/tools/prometheus/name.h"
#include "worker/tools/source.h"
#include "worker/tools/rows.h"
#include "worker/tools/prometheus/series.h"
#include "worker/tools/span.h"
#include "worker/tools/text.h"

enum {
    FORM_BYTES_MAX = 64 * 1024,
    LINES = 50,        /* without a limit */
    LINES_KEPT = 1000, /* five times what may be asked for */
    LINE_SHOWN = 400,
    STREAM_BYTES_MAX = 8000, /* of one stream's lines */
    LABELS_SHOWN = 800,
    POINTS = 120,
    SERIES_SHOWN = 40,
    STATS_TIMEOUT_MS = 5000,
};
/* A query that would read more is refused: about what one querier reads in half a minute. */
static const double bytes_max = 20.0 * 1024 * 1024 * 1024;

static void add_span(struct buf *form, const struct span *s)
{
    buf_printf(form, "%sstart=%lld000000&end=%lld000000", form->len > 0 ? "&" : "",
               (long long)s->start_ms, (long long)s->end_ms);
}

/* The run's query, read: each of its selectors selects something. False: the run has failed. */
static bool read_query(struct tool_run *run, struct str query, struct logql *q)
{
    bool read = logql_read(q, query);
    if (!read || q->count == 0) {
        run_fail(run, "bad_arguments",
                 "%s%sA LogQL query needs a stream selector, as {job=\"api\"}. Look with "
                 "loki_labels which labels there are.",
                 read ? "" : q->error, read ? "" : " ");
        return false;
    }
    for (unsigned i = 0; i < q->count; i++) {
        if (logql_selects(q->selectors[i]))
            continue;
        run_fail(
            run, "query_refused",
            "The selector selects every stream, as far as this tool can tell: a regular "
            "expression must hold letters that have to be there, and no \\x, \\u, \\Q or octal "
            "escapes, which are not read. Name at least one label's value, as {job=\"api\"}; "
            "look with loki_labels which there are.");
        return false;
    }
    return true;
}

/* The run's selector, checked: one, and nothing else. False: the run has failed. */
static bool check(struct tool_run *run, struct str query, struct str *selector)
{
    struct logql q;
    if (!read_query(run, query, &q))
        return false;
    *selector = q.selectors[0];
    return true;
}

/* ---- loki_query: index/stats, then query_range ---- */

struct loki {
    struct tool_run *run;
    struct source_request ask;
    struct items items;
    struct series series;
    struct span span;
    struct logql query; /* into the arguments */
    unsigned stats;     /* selectors that were asked about */
    double bytes;
};

static void loki_free(void *state)
{
    struct loki *l = state;
    source_request_free(&l->ask);
    items_free(&l->items);
    series_free(&l->series);
    free(l);
}

/* The time in nanoseconds, as text → RFC 3339 with milliseconds. */
static void write_time(struct buf *b, struct str ns)
{
    uint64_t at;
    if (!str_u64(ns, INT64_MAX, &at)) {
        text_json(b, ns, 40);
        return;
    }
    buf_putc(b, '"');
    moment_rfc3339(b, (int64_t)(at / 1000000));
    buf_putc(b, '"');
}

/* Lines of all streams, to be put in the order of their time: with structured metadata almost every
 * line is a stream of its own. */
struct logs {
    struct line {
        uint64_t ns;
        unsigned order;         /* as it came: of one time the server's order holds */
        json_t *stream, *entry; /* shared with what was read */
    } lines[LINES_KEPT];
    unsigned count, all;
    bool forward;
};

static void logs_free(void *extra)
{
    struct logs *l = extra;
    for (unsigned i = 0; i < l->count; i++) {
        json_decref(l->lines[i].stream);
        json_decref(l->lines[i].entry);
    }
    free(l);
}

static bool stream_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)path, (void)key, (void)b;
    struct logs *l = r->extra;
    json_t *stream = json_object_get(item, "stream"), *entry;
    size_t i;
    json_array_foreach(json_object_get(item, "values"), i, entry)
    {
        struct line line = {0};
        l->all++;
        if (l->count == LINES_KEPT || !json_is_array(entry))
            continue;
        str_u64(json_text(json_array_get(entry, 0)), INT64_MAX, &line.ns);
        line.order = l->count;
        line.stream = json_incref(stream);
        line.entry = json_incref(entry);
        l->lines[l->count++] = line;
    }
    return false;
}

static int by_time(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    if (x->ns != y->ns)
        return x->ns < y->ns ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static int by_time_back(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    return x->ns != y->ns ? by_time(b, a) : by_time(a, b);
}

/* Lines from `at` on that follow each other in one stream, as a row. How many. */
static unsigned write_stream(const struct logs *l, unsigned at, struct buf *b)
{
    const json_t *stream = l->lines[at].stream;
    unsigned shown = 0;
    buf_putc(b, '{');
    row_labels(b, "stream", stream, LABELS_SHOWN);
    json_key(b, "lines");
    buf_putc(b, '[');
    for (; at + shown < l->count && b->len < STREAM_BYTES_MAX; shown++) {
        const struct line *line = &l->lines[at + shown];
        if (line->stream != stream && !json_equal(line->stream, stream))
            break;
        buf_puts(b, shown > 0 ? ",[" : "[");
        write_time(b, json_text(json_array_get(line->entry, 0)));
        buf_putc(b, ',');
        text_json(b, json_text(json_array_get(line->entry, 1)), LINE_SHOWN);
        buf_putc(b, ']');
    }
    buf_puts(b, "]}");
    return shown;
}

/* As many as the page has room for. */
static unsigned write_streams(struct rows *r, const struct logs *l)
{
    unsigned shown = 0;
    r->total = r->shown = 0;
    while (shown < l->count) {
        size_t before = r->page.len;
        buf_clear(&r->row);
        unsigned lines = write_stream(l, shown, &r->row);
        buf_puts(&r->page, before > 0 ? "," : "");
        if (r->row.overflowed || !buf_add_str(&r->page, buf_str(&r->row))) {
            r->page.len = before;
            r->page.overflowed = false;
            break;
        }
        r->shown++;
        shown += lines;
    }
    r->total = r->shown;
    return shown;
}

static void streams_head(struct rows *r, struct buf *b)
{
    struct logs *l = r->extra;
    if (l->count > 0) {
        buf_clear(&r->notes); /* what rows.c says of rows is not meant */
        qsort(l->lines, l->count, sizeof(l->lines[0]), l->forward ? by_time : by_time_back);
    }
    unsigned shown = write_streams(r, l);
    row_long(b, "query", args_str(r->run->args, "query"), 8000);
    buf_printf(b, ",\"lines_total\":%u,\"lines_shown\":%u", l->all, shown);
    if (r->cut)
        rows_note(r, "The answer was too large and was cut off while it arrived: ask for less.");
    if (shown < l->all && shown > 0) {
        scoped_buf(last, 64);
        /* An end is left out of the answer: what else was in that millisecond must not be. */
        uint64_t up = l->forward ? 0 : 999999;
        moment_rfc3339(&last, (int64_t)((l->lines[shown - 1].ns + up) / 1000000));
        rows_note(r,
                  "Only the %s %u of %u lines fit in here: for the next ones ask again with %s %s.",
                  l->forward ? "oldest" : "newest", shown, l->all, l->forward ? "start" : "end",
                  buf_cstr(&last));
    }
    if (l->all >= (unsigned)args_int(r->run->args, "limit", LINES))
        rows_note(r, "As many lines as were asked for came: there may be more. Count them with a "
                     "metric query, as sum(count_over_time({…}[1h])).");
}

static const struct rows_spec streams_spec = {
    .kind = "logs",
    .list = "streams",
    .product = "Loki",
    .page = 100,
    .path_count = 1,
    .paths = {"data/result/*"},
    .row = stream_row,
    .head = streams_head,
    .empty = "No line fits in this time range. Look with loki_series whether the selector selects "
             "streams, then at the line filters.",
};

static bool on_series_piece(void *arg, struct str piece)
{
    return series_feed(&((struct loki *)arg)->series, piece);
}

static void on_series(void *arg, enum source_outcome outcome)
{
    struct loki *l = arg;
    struct tool_run *r = l->run;
    if (outcome == SOURCE_REFUSED) {
        source_fail(r, &l->ask);
        return;
    }
    if (outcome == SOURCE_CUT)
        series_cut(&l->series);
    else if (!sax_whole(&l->series.sax)) {
        run_fail(r, "broken", "The answer ended in the middle.");
        return;
    }
    struct series_head head = {.kind = "log_metric",
                               .query = args_str(r->args, "query"),
                               .datasource = str_of(r->datasource),
                               .start_ms = l->span.start_ms,
                               .end_ms = l->span.end_ms,
                               .step_ms = moment_step((l->span.end_ms - l->span.start_ms) / POINTS),
                               .cut = outcome == SOURCE_CUT,
                               .partial = r->partial,
                               .notes = buf_str(&r->remarks),
                               .bytes_max = r->tools->config.content_bytes_max};
    series_write(&l->series, &head, &r->content);
    run_done(r);
}

static void run_metric(struct loki *l, struct buf *form)
{
    struct tool_run *r = l->run;
    buf_printf(form, "&step=%lld",
               (long long)moment_step((l->span.end_ms - l->span.start_ms) / POINTS) / 1000);
    series_init(&l->series, SERIES_SHOWN, r->tools->config.points_max + 1);
    struct source_call request = {.method = "GET",
                                  .api = "/loki/api/v1/query_range",
                                  .form = form,
                                  .timeout_ms = r->tools->config.timeout_ms,
                                  .product = "Loki",
                                  .trace = r->span.at};
    l->ask.on_piece = on_series_piece;
    l->ask.on_end = on_series;
    source_request(&l->ask, r->tools, r->door, r->token, &request);
}

static void run_logs(struct loki *l, struct buf *form)
{
    struct tool_run *r = l->run;
    struct str direction = args_str(r->args, "direction");
    struct span span = l->span;
    int64_t limit = args_int(r->args, "limit", LINES);
    source_param_count(form, "limit", (uint64_t)limit);
    source_param(form, "direction", direction.len > 0 ? direction : STR("backward"));
    r->state = NULL;
    loki_free(l);
    struct rows *rows = rows_new(r, &streams_spec);
    rows->limit = streams_spec.page; /* the argument limits lines, not streams */
    struct logs *logs = xcalloc(1, sizeof(*logs));
    logs->forward = str_is(direction, "forward");
    rows->extra = logs;
    rows->extra_free = logs_free;
    rows->span = span;
    rows_ask(rows, "/loki/api/v1/query_range", form);
}

static void execute(struct loki *l)
{
    struct str query = str_trim(args_str(l->run->args, "query"));
    scoped_buf(form, FORM_BYTES_MAX);
    source_param(&form, "query", query);
    add_span(&form, &l->span);
    if (!l->query.metric)
        run_logs(l, &form);
    else
        run_metric(l, &form);
}

static void ask_stats(struct loki *l);

static bool on_stats_item(void *arg, unsigned path, struct str key, json_t *item)
{
    (void)path, (void)key;
    ((struct loki *)arg)->bytes += json_number_value(item);
    return true;
}

static bool on_stats_piece(void *arg, struct str piece)
{
    return items_feed(&((struct loki *)arg)->items, piece);
}

/* A Loki that has no stats (or does not allow them) is asked without; what says nothing in time
 * may be about to read too much. */
static bool has_none(const struct source_request *ask)
{
    int status = ask->http_status;
    return status == 404 || status == 403 || status == 501;
}

static void on_stats(void *arg, enum source_outcome outcome)
{
    struct loki *l = arg;
    if (outcome == SOURCE_REFUSED && strcmp(l->ask.code, "timeout") == 0)
        run_fail(l->run, "query_refused",
                 "The query was not run: already asking how much it would read took too long. Use "
                 "a shorter time range or more label matchers.");
    else if (outcome == SOURCE_REFUSED && !has_none(&l->ask))
        source_fail(l->run, &l->ask);
    else if (l->bytes > bytes_max)
        run_fail(l->run, "query_refused",
                 "The selector's streams hold about %s MB in this time range, more than the %s MB "
                 "that a query may read. Use a shorter time range or more label matchers; "
                 "loki_volume says which labels hold most.",
                 text_count(l->bytes / 1e6), text_count(bytes_max / 1e6));
    else if (++l->stats < l->query.count)
        ask_stats(l);
    else
        execute(l);
}

/* Of the next selector, from as far back as the query reads. */
static void ask_stats(struct loki *l)
{
    static const char *const path[] = {"bytes"};
    struct tool_run *r = l->run;
    struct span span = l->span;
    scoped_buf(form, FORM_BYTES_MAX);
    items_free(&l->items);
    items_init(&l->items, path, 1, on_stats_item, l);
    span.start_ms -= l->query.window_ms < span.start_ms ? l->query.window_ms : span.start_ms;
    source_param(&form, "query", l->query.selectors[l->stats]);
    add_span(&form, &span);
    struct source_call request = {.method = "GET",
                                  .api = "/loki/api/v1/index/stats",
                                  .form = &form,
                                  .timeout_ms = STATS_TIMEOUT_MS,
                                  .product = "Loki",
                                  .trace = r->span.at};
    l->ask.on_piece = on_stats_piece;
    l->ask.on_end = on_stats;
    l->ask.arg = l;
    source_request(&l->ask, r->tools, r->door, r->token, &request);
}

/* $__interval and its like, as in a query of PromQL. */
static void put_in_variables(struct loki *l)
{
    struct tool_run *r = l->run;
    struct str query = args_str(r->args, "query");
    int64_t range_ms = l->span.end_ms - l->span.start_ms;
    struct vars built_in = {
        .end_ms = l->span.end_ms, .range_ms = range_ms, .step_ms = moment_step(range_ms / POINTS)};
    scoped_buf(text, FORM_BYTES_MAX / 4);
    if (query.len == 0 || !memchr(query.at, '$', query.len))
        return;
    vars_apply(&built_in, query, &text, NULL);
    if (text.overflowed || str_eq(buf_str(&text), query))
        return;
    json_object_set_new(r->args, "query", json_stringn(text.at, text.len));
    run_remark(r, STR(VARS_PUT_IN_NOTE));
}

static void remark_name(struct tool_run *r, struct str name)
{
    scoped_buf(remark, 600);
    scoped_buf(clean, 200);
    text_clean(&clean, name, 100);
    buf_printf(&remark, "Loki has %s as ", buf_cstr(&clean));
    logql_name(&remark, buf_str(&clean));
    buf_puts(&remark, ": it was asked so.");
    run_remark(r, buf_str(&remark));
}

/* OpenTelemetry's names in an argument become Loki's. */
static void take_names(struct tool_run *r, const char *argument)
{
    struct str first;
    scoped_buf(text, FORM_BYTES_MAX / 4);
    if (!logql_names(args_str(r->args, argument), &text, &first) || text.overflowed)
        return;
    remark_name(r, first);
    json_object_set_new(r->args, argument, json_stringn(text.at, text.len));
}

void loki_query(struct tool_run *r)
{
    struct loki *l = xcalloc(1, sizeof(*l));
    l->run = r;
    r->state = l;
    r->state_free = loki_free;
    series_init(&l->series, 1, 3);
    series_free(&l->series);
    if (!span_read(r, &l->span))
        return;
    put_in_variables(l);
    take_names(r, "query");
    if (read_query(r, str_trim(args_str(r->args, "query")), &l->query))
        ask_stats(l);
}

/* ---- lists ---- */

static bool text_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)path, (void)key;
    struct str text = json_text(item);
    return json_is_string(item) && rows_has(r, text) && text_json(b, text, ROWS_TEXT_MAX);
}

static const struct rows_spec labels_spec = {
    .kind = "log_labels",
    .list = "labels",
    .product = "Loki",
    .page = 200,
    .path_count = 1,
    .paths = {"data/*"},
    .row = text_row,
    .empty = "There are no labels in this time range.",
};
static const struct rows_spec label_values_spec = {
    .kind = "log_label_values",
    .list = "values",
    .product = "Loki",
    .page = 200,
    .path_count = 1,
    .paths = {"data/*"},
    .row = text_row,
    .empty = "The label has no values in this time range.",
};

void loki_labels(struct tool_run *r)
{
    struct str selector, given = args_str(r->args, "label"), label;
    struct span span;
    scoped_buf(form, FORM_BYTES_MAX);
    scoped_buf(api, 512);
    scoped_buf(read, NAME_BYTES_MAX);
    scoped_buf(name, NAME_BYTES_MAX);
    take_names(r, "match");
    struct str query = str_trim(args_str(r->args, "match"));
    if (!span_read(r, &span) || (query.len > 0 && !check(r, query, &selector)))
        return;
    if (given.len > 0 && (!name_read(given, false, &read) || strchr("./-", read.at[0]))) {
        run_fail(r, "bad_arguments", "The argument \"label\" is no label name.");
        return;
    }
    logql_name(&name, buf_str(&read));
    label = buf_str(&name);
    if (!str_eq(label, buf_str(&read)))
        remark_name(r, buf_str(&read));
    add_span(&form, &span);
    if (query.len > 0)
        source_param(&form, "query", selector);
    buf_puts(&api, label.len > 0 ? "/loki/api/v1/label/" : "/loki/api/v1/labels");
    buf_add_str(&api, label);
    buf_puts(&api, label.len > 0 ? "/values" : "");
    rows_ask(rows_new(r, label.len > 0 ? &label_values_spec : &labels_spec), buf_cstr(&api), &form);
}

static bool series_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)r, (void)path, (void)key;
    buf_putc(b, '{');
    row_labels(b, "stream", item, LABELS_SHOWN);
    buf_putc(b, '}');
    return true;
}

static const struct rows_spec series_spec = {
    .kind = "log_streams",
    .list = "streams",
    .product = "Loki",
    .page = 50,
    .path_count = 1,
    .paths = {"data/*"},
    .row = series_row,
    .empty = "No stream fits in this time range.",
};

/* What takes a selector and a time range. */
static void ask_selector(struct tool_run *r, const struct rows_spec *spec, const char *parameter,
                         const char *api)
{
    struct str selector;
    struct span span;
    scoped_buf(form, FORM_BYTES_MAX);
    take_names(r, "match");
    if (!check(r, str_trim(args_str(r->args, "match")), &selector) || !span_read(r, &span))
        return;
    source_param(&form, parameter, selector);
    add_span(&form, &span);
    if (spec->page == LINES)
        source_param_count(&form, "limit", LINES);
    rows_ask(rows_new(r, spec), api, &form);
}

void loki_series(struct tool_run *r)
{
    ask_selector(r, &series_spec, "match[]", "/loki/api/v1/series");
}

static bool pattern_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)path, (void)key;
    const json_t *samples = json_object_get(item, "samples");
    double lines = 0;
    size_t i;
    json_t *sample;
    if (!rows_has(r, item_str(item, "pattern")))
        return false;
    json_array_foreach(samples, i, sample) lines += json_number_value(json_array_get(sample, 1));
    buf_putc(b, '{');
    row_long(b, "pattern", item_str(item, "pattern"), LINE_SHOWN);
    row_number(b, "lines", lines);
    buf_putc(b, '}');
    return true;
}

static const struct rows_spec patterns_spec = {
    .kind = "log_patterns",
    .list = "patterns",
    .product = "Loki",
    .page = 40,
    .path_count = 1,
    .paths = {"data/*"},
    .row = pattern_row,
    .empty = "Loki found no patterns: pattern ingestion may be off, or the range too old.",
};

void loki_patterns(struct tool_run *r)
{
    ask_selector(r, &patterns_spec, "query", "/loki/api/v1/patterns");
}

static bool volume_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)r, (void)path, (void)key;
    const json_t *value = json_array_get(json_object_get(item, "value"), 1);
    double bytes = 0;
    sax_double(json_text(value), &bytes);
    buf_putc(b, '{');
    row_labels(b, "labels", json_object_get(item, "metric"), LABELS_SHOWN);
    row_number(b, "bytes", bytes);
    buf_putc(b, '}');
    return true;
}

static const struct rows_spec volume_spec = {
    .kind = "log_volume",
    .list = "volumes",
    .product = "Loki",
    .page = LINES,
    .path_count = 1,
    .paths = {"data/result/*"},
    .row = volume_row,
    .empty = "No volume: nothing fits, or Loki does not keep volumes.",
};

void loki_volume(struct tool_run *r)
{
    ask_selector(r, &volume_spec, "query", "/loki/api/v1/index/volume");
}
