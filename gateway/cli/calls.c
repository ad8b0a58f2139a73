#include "gateway/cli/calls.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "common/config.h"
#include "common/duration.h"
#include "common/json.h"
#include "gateway/cli/plot.h"

enum {
    SERIES_MOST = 6, /* more lines than these no eye tells apart in braille */
    POINTS_MOST = 4096,
    LABEL_BYTES_MAX = 4096,
    PLOT_LINES = 8,
};

struct drawing { /* what a range result has to be drawn */
    struct plot plot;
    struct plot_series series[SERIES_MOST];
    char *labels[SERIES_MOST];
    unsigned total; /* with those that are not drawn */
    double step_s;  /* points are [n, value] at start + n * step; 0: at Unix times, as once */
};

static json_t *result_of(struct str content);
static bool drawing_read(struct drawing *d, const json_t *result);
static void drawing_free(struct drawing *d);
static void take_series(struct drawing *d, const json_t *one);
static char *label_of(const json_t *labels);
static double moment_s(const json_t *text);
static double number_of(const json_t *v);
static void what(struct buf *b, const struct call_view *v, unsigned columns);
static void outcome(struct buf *b, const struct call_view *v, const json_t *result);
static void write_took(struct buf *b, int64_t took_ms);
static void write_arguments(struct buf *b, const struct screen *s, const json_t *arguments);

/* ---- one line ---- */

void call_line(struct buf *b, const struct screen *s, const struct call_view *v)
{
    enum { REST_COLUMNS = 42 }; /* the values, blocks and time behind it */
    json_auto_t *result = result_of(v->content);
    unsigned room = s->width > REST_COLUMNS + 20 ? s->width - REST_COLUMNS : 20;
    style_on(b, s, v->failed ? STYLE_BAD : STYLE_GOOD);
    buf_puts(b, v->failed ? "✗ " : "✓ ");
    style_off(b, s, v->failed ? STYLE_BAD : STYLE_GOOD);
    style_on(b, s, STYLE_DIM);
    what(b, v, room);
    outcome(b, v, result);
    write_took(b, v->took_ms);
    style_off(b, s, STYLE_DIM);
    buf_putc(b, '\n');
}

/* The query says it best; else the tool and its first argument. */
static void what(struct buf *b, const struct call_view *v, unsigned columns)
{
    static const char *const telling[] = {"query",  "metric",    "match",
                                          "search", "dashboard", "name"};
    struct str query = json_text(json_object_get(v->arguments, "query"));
    if (query.len > 0) {
        screen_short(b, query, columns);
        return;
    }
    screen_short(b, v->tool_name, columns);
    for (size_t i = 0; i < sizeof(telling) / sizeof(telling[0]); i++) {
        struct str value = json_text(json_object_get(v->arguments, telling[i]));
        if (value.len == 0)
            continue;
        buf_putc(b, ' ');
        screen_short(b, value,
                     columns > v->tool_name.len + 9 ? columns - (unsigned)v->tool_name.len : 8);
        return;
    }
}

static void from_to(struct buf *b, const struct drawing *d)
{
    enum { SPARK_COLUMNS = 10 };
    const struct plot_series *s = &d->series[0];
    if (d->total > 1) {
        buf_printf(b, "  %u series", d->total);
        return;
    }
    buf_puts(b, "  ");
    plot_number(b, s->points[0].value, d->plot.unit);
    buf_puts(b, " → ");
    plot_number(b, s->points[s->count - 1].value, d->plot.unit);
    buf_putc(b, ' ');
    plot_spark(b, s->points, s->count, SPARK_COLUMNS);
}

static void outcome(struct buf *b, const struct call_view *v, const json_t *result)
{
    struct drawing d;
    const json_t *series = json_object_get(result, "series");
    if (v->failed) {
        struct str error = json_text(json_object_get(result, "error"));
        buf_puts(b, "  ");
        screen_short(b, error.len > 0 ? error : v->content, 120);
        return;
    }
    if (drawing_read(&d, result))
        from_to(b, &d);
    else if (json_array_size(series) == 1 &&
             isfinite(number_of(json_object_get(json_array_get(series, 0), "value")))) {
        buf_puts(b, "  ");
        plot_number(b, number_of(json_object_get(json_array_get(series, 0), "value")),
                    plot_unit_of(json_text(json_object_get(result, "query"))));
    } else if (json_is_integer(json_object_get(result, "series_total"))) {
        buf_printf(b, "  %lld series",
                   (long long)json_integer_value(json_object_get(result, "series_total")));
    }
    drawing_free(&d);
}

static void write_took(struct buf *b, int64_t took_ms)
{
    if (took_ms < 0)
        return;
    if (took_ms < 10000)
        buf_printf(b, "  %lld ms", (long long)took_ms);
    else
        buf_printf(b, "  %.1f s", (double)took_ms / 1000);
}

/* ---- a plot ---- */

bool call_plot(struct buf *b, const struct screen *s, const struct call_view *v)
{
    struct drawing d;
    json_auto_t *result = v->failed ? NULL : result_of(v->content);
    bool drawn = drawing_read(&d, result) && plot_draw(b, s, &d.plot);
    if (drawn && d.total > d.plot.count)
        buf_printf(b, "  … and %u more series\n", d.total - d.plot.count);
    drawing_free(&d);
    return drawn;
}

static json_t *result_of(struct str content)
{
    return content.len > 0 ? json_loadb(content.at, content.len, JSON_DISABLE_EOF_CHECK, NULL)
                           : NULL;
}

static bool drawing_read(struct drawing *d, const json_t *result)
{
    *d = (struct drawing){0};
    const json_t *list = json_object_get(result, "series");
    d->plot = (struct plot){.series = d->series,
                            .start_s = moment_s(json_object_get(result, "start")),
                            .end_s = moment_s(json_object_get(result, "end")),
                            .unit = plot_unit_of(json_text(json_object_get(result, "query"))),
                            .height = PLOT_LINES};
    int64_t step_ms;
    if (duration_parse(json_text(json_object_get(result, "step")), &step_ms) &&
        json_object_get(result, "points_are"))
        d->step_s = (double)step_ms / 1000;
    for (size_t i = 0; i < json_array_size(list) && d->plot.count < SERIES_MOST; i++)
        take_series(d, json_array_get(list, i));
    json_int_t total = json_integer_value(json_object_get(result, "series_total"));
    d->total = total > d->plot.count && total < 1000000000 ? (unsigned)total : d->plot.count;
    return d->plot.count > 0;
}

static void drawing_free(struct drawing *d)
{
    for (unsigned i = 0; i < d->plot.count; i++) {
        free(d->series[i].points);
        free(d->labels[i]);
    }
    d->plot.count = 0;
}

/* One that is flat comes without points: its first and last value say it all. */
static json_t *flat_points(const struct drawing *d, const json_t *one)
{
    const json_t *last = json_object_get(one, "last"), *since = json_object_get(one, "data_since");
    const json_t *first = json_object_get(one, "first");
    double start = d->plot.start_s, end = d->plot.end_s;
    double from = since ? moment_s(since) : start, step = d->step_s > 0 ? d->step_s : 1;
    if (!json_is_number(last) || !isfinite(from) || !isfinite(end))
        return NULL;
    double base = d->step_s > 0 ? start : 0;
    return json_pack("[[f,O],[f,O]]", (from - base) / step, json_is_number(first) ? first : last,
                     (end - base) / step, last);
}

/* One with fewer than two points is no line. */
static void take_series(struct drawing *d, const json_t *one)
{
    json_auto_t *flat = json_object_get(one, "points") ? NULL : flat_points(d, one);
    const json_t *points = flat ? flat : json_object_get(one, "points");
    size_t count = json_array_size(points) < POINTS_MOST ? json_array_size(points) : POINTS_MOST;
    if (count < 2)
        return;
    struct plot_series *s = &d->series[d->plot.count];
    s->points = xcalloc(count, sizeof(*s->points));
    for (size_t i = 0; i < count; i++) {
        const json_t *pair = json_array_get(points, i);
        double at = number_of(json_array_get(pair, 0));
        s->points[i] =
            (struct plot_point){.at_s = d->step_s > 0 ? d->plot.start_s + at * d->step_s : at,
                                .value = number_of(json_array_get(pair, 1))};
    }
    s->count = (unsigned)count;
    d->labels[d->plot.count] = label_of(json_object_get(one, "labels"));
    s->label = str_of(d->labels[d->plot.count]);
    d->plot.count++;
}

/* name{a="b"} as PromQL writes it. */
static char *label_of(const json_t *labels)
{
    scoped_buf(b, LABEL_BYTES_MAX);
    const char *key;
    json_t *value;
    bool first = true;
    buf_add_str(&b, json_text(json_object_get(labels, "__name__")));
    json_object_foreach((json_t *)labels, key, value)
    {
        if (strcmp(key, "__name__") == 0)
            continue;
        buf_puts(&b, first ? "{" : ", ");
        first = false;
        buf_printf(&b, "%s=\"%s\"", key, json_is_string(value) ? json_string_value(value) : "…");
    }
    if (!first)
        buf_putc(&b, '}');
    if (b.len == 0)
        buf_puts(&b, "value");
    return xstrdup(buf_cstr(&b));
}

/* "2026-01-01T00:00:00Z", with or without a fraction; NAN: it is none. */
static double moment_s(const json_t *text)
{
    struct tm tm = {0};
    if (!json_is_string(text) || !strptime(json_string_value(text), "%Y-%m-%dT%H:%M:%S", &tm))
        return NAN;
    return (double)timegm(&tm);
}

/* NaN and infinities come as strings: gaps. */
static double number_of(const json_t *v) { return json_is_number(v) ? json_number_value(v) : NAN; }

/* ---- details ---- */

static void write_arguments(struct buf *b, const struct screen *s, const json_t *arguments)
{
    const char *key;
    json_t *value;
    if (!json_is_object(arguments)) {
        buf_puts(b, "    ");
        screen_reveal(b, json_text(arguments));
        buf_putc(b, '\n');
        return;
    }
    json_object_foreach((json_t *)arguments, key, value)
    {
        char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY);
        buf_puts(b, "    ");
        style_on(b, s, STYLE_BOLD);
        screen_reveal(b, str_of(key));
        style_off(b, s, STYLE_BOLD);
        buf_puts(b, ": ");
        scoped_buf(shown, 1 << 20);
        screen_reveal(&shown, text ? str_of(text) : json_text(value));
        struct str rest = buf_str(&shown);
        bool first = true;
        for (struct str line; str_split(&rest, '\n', &line); first = false) {
            if (!first)
                buf_puts(b, "\n      ");
            buf_add_str(b, line);
        }
        buf_putc(b, '\n');
        free(text);
    }
}

void call_details(struct buf *b, const struct screen *s, const struct call_view *v)
{
    enum { CONTENT_BYTES = 2000 };
    write_arguments(b, s, v->arguments);
    buf_puts(b, "    ");
    style_on(b, s, STYLE_DIM);
    screen_clean(b,
                 (struct str){v->content.at,
                              v->content.len < CONTENT_BYTES ? v->content.len : CONTENT_BYTES},
                 false);
    buf_puts(b, v->content.len > CONTENT_BYTES ? " …" : "");
    style_off(b, s, STYLE_DIM);
    buf_putc(b, '\n');
}

void call_ask(struct buf *b, const struct screen *s, const json_t *call)
{
    const json_t *server = json_object_get(call, "server");
    struct str hash = json_text(json_object_get(call, "arguments_hash"));
    style_on(b, s, STYLE_BOLD);
    screen_reveal(b, json_text(json_object_get(call, "tool_name")));
    style_off(b, s, STYLE_BOLD);
    buf_putc(b, '\n');
    write_arguments(b, s, json_object_get(call, "arguments"));
    if (server) {
        char *text = json_dumps(server, JSON_ENCODE_ANY);
        buf_puts(b, "    goes to: ");
        screen_reveal(b, str_of(text));
        buf_putc(b, '\n');
        free(text);
    }
    if (hash.len > 0) {
        buf_puts(b, "    arguments' hash: ");
        screen_reveal(b, hash);
        buf_putc(b, '\n');
    }
}
