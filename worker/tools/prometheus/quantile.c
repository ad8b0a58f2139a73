/* histogram_quantile: finds out what kind of histogram it is, writes the query, and runs it as
 * execute_range_query does, with all of its guards. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/duration.h"
#include "worker/tools/handlers.h"
#include "worker/tools/args.h"
#include "worker/tools/prometheus/guard.h"
#include "worker/tools/moment.h"
#include "worker/tools/prometheus/mend.h"
#include "worker/tools/prometheus/name.h"
#include "worker/tools/source.h"
#include "worker/tools/span.h"
#include "worker/tools/prometheus/series.h"

enum {
    QUERY_BYTES_MAX = 8000,
    LOOK_TIMEOUT_MS = 10000,
    WINDOW_MS = 300000,
    ROWS = 4,
    CLASSIC = 0,
    NATIVE = 1
};

#define GIVE                                                                                       \
    "Give the histogram's name as metric, and as matchers only label matchers, as job=\"api\"."

struct quantile {
    struct tool_run *run;
    struct source_request ask;
    struct series series;
    bool classic; /* the server knows no native ones: only the others are looked for */
    struct buf given;
    struct str name;  /* in given, without _bucket */
    struct span span; /* of the query that is written: it is looked for there */
    int64_t window_ms;
};

static void quantile_free(void *state)
{
    struct quantile *q = state;
    source_request_free(&q->ask);
    series_free(&q->series);
    buf_free(&q->given);
    free(q);
}

static bool on_piece(void *arg, struct str piece)
{
    return series_feed(&((struct quantile *)arg)->series, piece);
}

/* The answer broke off and comes again. */
static void on_again(void *arg)
{
    struct quantile *q = arg;
    series_free(&q->series);
    series_init(&q->series, ROWS, 16);
}

/* a_bucket{b="c"} is the metric and its matchers; "b=c" are matchers without their quotes. What
 * comes of it is checked as what was written would be. */
static void take_matchers(struct tool_run *r)
{
    struct str metric = str_trim(args_str(r->args, "metric"));
    struct str matchers = str_trim(args_str(r->args, "matchers"));
    const char *open = memchr(metric.at, '{', metric.len);
    scoped_buf(selector, QUERY_BYTES_MAX);
    scoped_buf(mended, QUERY_BYTES_MAX);
    scoped_buf(what, QUERY_BYTES_MAX);
    if (open && open > metric.at && metric.at[metric.len - 1] == '}' && matchers.len == 0) {
        size_t name = (size_t)(open - metric.at);
        json_object_set_new(r->args, "matchers", json_stringn(open + 1, metric.len - name - 2));
        json_object_set_new(r->args, "metric", json_stringn(metric.at, name));
        matchers = str_trim(args_str(r->args, "matchers"));
    }
    if (matchers.len > 2 && matchers.at[0] == '{' && matchers.at[matchers.len - 1] == '}')
        matchers = (struct str){matchers.at + 1, matchers.len - 2};
    buf_putc(&selector, '{');
    buf_add_str(&selector, matchers);
    buf_putc(&selector, '}');
    if (mend_syntax(buf_str(&selector), &mended, &what) && mended.len > 2)
        json_object_set_new(r->args, "matchers", json_stringn(mended.at + 1, mended.len - 2));
    else if (matchers.len + 2 == selector.len)
        json_object_set_new(r->args, "matchers", json_stringn(selector.at + 1, matchers.len));
}

static void add_selector(const struct quantile *q, bool native, struct buf *b)
{
    scoped_buf(name, NAME_BYTES_MAX + 8);
    buf_add_str(&name, q->name);
    buf_puts(&name, native ? "" : "_bucket");
    name_selector(b, buf_str(&name), str_trim(args_str(q->run->args, "matchers")));
}

/* "a, b" of the argument "by", each a label's name. False: one is none. */
static bool add_labels(const struct quantile *q, struct buf *b, unsigned *count)
{
    struct str rest = args_str(q->run->args, "by"), label;
    *count = 0;
    while (name_next(&rest, &label)) {
        scoped_buf(name, NAME_BYTES_MAX);
        label = str_trim(label);
        if (label.len == 0 || str_is(label, "le"))
            continue;
        if (!name_read(label, false, &name))
            return false;
        buf_puts(b, (*count)++ > 0 ? ", " : "");
        name_label(b, buf_str(&name));
    }
    return true;
}

static bool write_query(const struct quantile *q, bool native, struct buf *b)
{
    scoped_buf(labels, QUERY_BYTES_MAX);
    const json_t *quantile = json_object_get(q->run->args, "quantile");
    unsigned count;
    if (!add_labels(q, &labels, &count))
        return false;
    buf_printf(b, "histogram_quantile(%.10g, sum", quantile ? json_number_value(quantile) : 0.95);
    if (!native || count > 0) {
        buf_puts(b, native ? " by (" : count > 0 ? " by (le, " : " by (le");
        buf_add_str(b, buf_str(&labels));
        buf_puts(b, ") ");
    }
    buf_puts(b, "(rate(");
    add_selector(q, native, b);
    buf_putc(b, '[');
    buf_puts(b, duration_write(q->window_ms));
    buf_puts(b, "])))");
    return !b->overflowed;
}

/* VictoriaMetrics and old ones: histogram_count is no function there. */
static bool knows_no_native(const struct quantile *q)
{
    return !q->classic && (q->ask.http_status == 400 || q->ask.http_status == 422);
}

static void look(struct quantile *q);

static bool take_end(struct quantile *q, struct str end)
{
    bool has = q->name.len > end.len && str_ends(q->name, end);
    q->name.len -= has ? end.len : 0;
    return has;
}

static void on_looked(void *arg, enum source_outcome outcome)
{
    struct quantile *q = arg;
    struct tool_run *r = q->run;
    double found[2] = {0, 0};
    r->partial = r->partial || q->series.partial;
    if (outcome == SOURCE_REFUSED && knows_no_native(q)) {
        q->classic = true;
        look(q);
        return;
    }
    if (outcome == SOURCE_REFUSED) {
        source_fail(r, &q->ask);
        return;
    }
    for (unsigned i = 0; i < q->series.kept_count; i++) {
        unsigned n;
        if (sscanf(q->series.kept[i].labels, "{\"i\":\"%u\"", &n) == 1 && n <= NATIVE)
            found[n] = q->series.kept[i].max;
    }
    if (!(found[CLASSIC] > 0) && !(found[NATIVE] > 0)) {
        if (take_end(q, STR("_sum")) || take_end(q, STR("_count"))) { /* another of its series */
            look(q);
            return;
        }
        run_fail(r, "not_found",
                 "There is no histogram %.*s with these matchers in this time range: neither "
                 "%.*s_bucket nor a native one has series. Look with list_metrics for a metric of "
                 "type histogram.",
                 (int)q->name.len, q->name.at, (int)q->name.len, q->name.at);
        return;
    }
    scoped_buf(query, QUERY_BYTES_MAX);
    if (!write_query(q, !(found[CLASSIC] > 0), &query)) {
        run_fail(r, "bad_arguments", "The argument \"by\" must be label names, comma-separated.");
        return;
    }
    json_object_set_new(r->args, "query", json_stringn(query.at, query.len));
    r->state = NULL;
    quantile_free(q);
    prom_range_query(r);
}

/* Which of the two has series. */
static void look(struct quantile *q)
{
    struct tool_run *r = q->run;
    int64_t start = q->span.start_ms, end = q->span.end_ms;
    scoped_buf(query, QUERY_BYTES_MAX);
    scoped_buf(form, QUERY_BYTES_MAX * 4);
    on_again(q);
    buf_puts(&query, "label_replace(count(");
    add_selector(q, false, &query);
    buf_puts(&query, "), \"i\", \"0\", \"\", \"\")");
    if (!q->classic) {
        buf_puts(&query, " or label_replace(count(histogram_count(");
        add_selector(q, true, &query);
        buf_puts(&query, ")), \"i\", \"1\", \"\", \"\")");
    }
    source_param(&form, "query", buf_str(&query));
    source_param_time(&form, "start", start);
    source_param_time(&form, "end", end);
    source_param_time(&form, "step", (end - start) / 3);
    struct source_call request = {.method = "POST",
                                  .api = "/api/v1/query_range",
                                  .form = &form,
                                  .timeout_ms = LOOK_TIMEOUT_MS,
                                  .trace = r->span.at};
    q->ask.on_piece = on_piece;
    q->ask.on_end = on_looked;
    q->ask.on_again = on_again;
    q->ask.arg = q;
    source_request(&q->ask, r->tools, r->door, r->token, &request);
}

/* name{matchers} is one selector: what is written into the query is what was checked. */
static bool check(struct quantile *q)
{
    struct guard_query guard;
    scoped_buf(selector, QUERY_BYTES_MAX);
    struct str length = str_trim(args_str(q->run->args, "window"));
    add_selector(q, true, &selector);
    if (!guard_read(&guard, buf_str(&selector))) {
        run_fail(q->run, "bad_arguments", "%s", guard.error);
        return false;
    }
    if (guard.selector_count != 1 || !str_eq(guard.selectors[0].text, guard.text)) {
        run_fail(q->run, "bad_arguments", GIVE);
        return false;
    }
    q->window_ms = WINDOW_MS;
    if (length.len > 0 && !moment_said_duration(length, &q->window_ms)) {
        run_fail(q->run, "bad_arguments", "The argument \"window\" is no duration. Write 5m.");
        return false;
    }
    return true;
}

/* As the query reads it. A moment is looked for in the usual window before it. */
static bool read_span(struct quantile *q)
{
    struct tool_run *r = q->run;
    struct str start = args_str(r->args, "start"), end = args_str(r->args, "end");
    if (start.len == 0 || !str_eq(start, end))
        return span_read(r, &q->span);
    if (!span_moment(r, "end", &q->span.end_ms))
        return false;
    q->span.start_ms = q->span.end_ms > WINDOW_MS ? q->span.end_ms - WINDOW_MS : 0;
    return true;
}

void prom_quantile(struct tool_run *r)
{
    struct quantile *q = xcalloc(1, sizeof(*q));
    q->run = r;
    r->state = q;
    r->state_free = quantile_free;
    series_init(&q->series, ROWS, 16);
    buf_init(&q->given, NAME_BYTES_MAX);
    take_matchers(r);
    if (!name_read(args_str(r->args, "metric"), true, &q->given)) {
        run_fail(r, "bad_arguments", GIVE);
        return;
    }
    q->name = buf_str(&q->given);
    take_end(q, STR("_bucket"));
    if (!check(q) || !read_span(q))
        return;
    look(q);
}
