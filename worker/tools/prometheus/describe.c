/* describe_metric: what the metadata says of a metric, and its labels as the datasource counts
 * them.
 *
 * Labels are counted by count() in the datasource, never by reading all series: what comes back is
 * a number and a few values for each label, whatever the metric's size. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "worker/tools/handlers.h"
#include "worker/tools/args.h"
#include "worker/tools/prometheus/catalog.h"
#include "worker/tools/prometheus/match.h"
#include "worker/tools/prometheus/name.h"
#include "worker/tools/prometheus/near.h"
#include "worker/tools/partial.h"
#include "worker/tools/source.h"
#include "worker/tools/rows.h"
#include "worker/tools/prometheus/catalog_cache.h"
#include "worker/tools/span.h"
#include "worker/tools/text.h"

enum {
    FORM_BYTES_MAX = 64 * 1024,
    RANGE_MS = 24 * 3600000,
    LABELS_MAX = 24,
    LABEL_BYTES_MAX = 128,
    SAMPLES = 6, /* values of a label that are shown */
    TARGETS = 10,
    TIMEOUT_MS = 15000,
    SERIES_FACTOR = 5, /* × series_max: of more series the labels are not counted */
};

struct describe {
    struct tool_run *run;
    struct source_request ask;
    struct items items;
    struct catalog_cache_use *use;
    const struct catalog *catalog; /* NULL: could not be read */
    struct near *near;
    struct str metric; /* in name */
    bool family;       /* no series has the name itself: what is counted has it with _bucket … */
    struct buf name, selector;
    char type[24], unit[64];
    struct buf help;
    struct label {
        char *name;
        double values;
        struct buf samples; /* "value": series, … */
    } labels[LABELS_MAX];
    unsigned label_count, labels_left;
    double series;
    struct buf targets;
    const char *paths[1 + PARTIAL_PATHS];
    items_fn *on_item;
};

static const char *const members[] = {"_bucket", "_total", "_sum", "_count", "_info"};

static void ask_labels(struct describe *d);

static void describe_free(void *state)
{
    struct describe *d = state;
    source_request_free(&d->ask);
    items_free(&d->items);
    near_free(d->near);
    catalog_cache_leave(d->use);
    buf_free(&d->name);
    buf_free(&d->selector);
    buf_free(&d->help);
    buf_free(&d->targets);
    for (unsigned i = 0; i < d->label_count; i++) {
        free(d->labels[i].name);
        buf_free(&d->labels[i].samples);
    }
    free(d);
}

static bool on_piece(void *arg, struct str piece)
{
    return items_feed(&((struct describe *)arg)->items, piece);
}

static bool on_item(void *arg, unsigned path, struct str key, json_t *item)
{
    struct describe *d = arg;
    if (path == 0)
        return d->on_item(d, path, key, item);
    source_said(d->run, path - 1, item);
    return true;
}

static void ask(struct describe *d, const char *api, struct buf *form, const char *path,
                items_fn *fn, void (*on_end)(void *arg, enum source_outcome outcome))
{
    bool query = strcmp(api, "/api/v1/query") == 0;
    struct source_call request = {.method = query ? "POST" : "GET",
                                  .api = api,
                                  .form = form,
                                  .timeout_ms = TIMEOUT_MS,
                                  .trace = d->run->span.at};
    items_free(&d->items);
    d->on_item = fn;
    d->paths[0] = path;
    memcpy(&d->paths[1], partial_paths, sizeof(partial_paths));
    items_init(&d->items, d->paths, 1 + PARTIAL_PATHS, on_item, d);
    d->ask.on_piece = on_piece;
    d->ask.on_end = on_end;
    d->ask.arg = d;
    source_request(&d->ask, d->run->tools, d->run->door, d->run->token, &request);
}

/* ---- the end ---- */

static void write_labels(struct describe *d, struct buf *b)
{
    json_key(b, "labels");
    buf_putc(b, '[');
    for (unsigned i = 0; i < d->label_count; i++) {
        struct label *l = &d->labels[i];
        buf_puts(b, i > 0 ? ",{" : "{");
        row_text(b, "name", str_of(l->name));
        if (l->values > 0)
            row_number(b, "values", l->values);
        if (l->samples.len > 0) {
            json_key(b, "most_series");
            buf_putc(b, '{');
            buf_add_str(b, buf_str(&l->samples));
            buf_putc(b, '}');
        }
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

static const struct catalog_metric *member(struct describe *d, unsigned which)
{
    scoped_buf(name, NAME_BYTES_MAX + 8);
    buf_add_str(&name, d->metric);
    buf_puts(&name, members[which]);
    return d->catalog ? catalog_find(d->catalog, buf_str(&name)) : NULL;
}

static void write_family(struct describe *d, struct buf *b)
{
    bool any = false;
    json_key(b, "family");
    buf_putc(b, '[');
    for (unsigned i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        const struct catalog_metric *m = member(d, i);
        if (!m)
            continue;
        buf_puts(b, any ? "," : "");
        json_str(b, catalog_name(d->catalog, m));
        any = true;
    }
    buf_putc(b, ']');
    run_remark(d->run, STR(MATCH_FAMILY_NOTE));
}

/* A histogram that has series of its own name is a native one. */
static void remark_native(struct describe *d)
{
    scoped_buf(text, NAME_BYTES_MAX * 3);
    if (d->family || strcmp(d->type, "histogram") != 0 || str_ends(d->metric, STR("_bucket")))
        return;
    buf_printf(&text,
               "A native histogram: it has no buckets as series. Use the tool histogram_quantile, "
               "or histogram_quantile(0.95, sum(rate(%s[5m]))), histogram_count() and "
               "histogram_avg().",
               buf_cstr(&d->selector));
    run_remark(d->run, buf_str(&text));
}

static void write(struct describe *d, const char *note)
{
    struct buf *b = &d->run->content;
    remark_native(d);
    buf_puts(b, "{\"kind\":\"metric\"");
    if (d->run->partial) {
        run_remark(d->run, STR(PARTIAL_NOTE));
        buf_puts(b, ",\"partial\":true");
    }
    row_text(b, "datasource", str_of(d->run->datasource));
    row_text(b, "name", d->metric);
    row_text(b, "type", str_of(d->type));
    row_long(b, "help", buf_str(&d->help), CATALOG_HELP_MAX);
    row_text(b, "unit", str_of(d->unit));
    row_number(b, "series", d->series);
    if (d->family)
        write_family(d, b);
    write_labels(d, b);
    json_key(b, "exposed_by");
    buf_putc(b, '[');
    buf_add_str(b, buf_str(&d->targets));
    if (note)
        run_remark(d->run, str_of(note));
    if (d->labels_left > 0) {
        char text[80];
        snprintf(text, sizeof(text), "%u more labels: list_label_names.", d->labels_left);
        run_remark(d->run, str_of(text));
    }
    buf_puts(b, "],\"notes\":[");
    buf_add_str(b, buf_str(&d->run->remarks));
    buf_puts(b, "]}");
    run_done(d->run);
}

/* Details: for each label the number of its values (c0), the values with most series (s0), and the
 * targets (t): one query, told apart by the label i. */

static const char result_path[] = "data/result/*";

static bool on_detail(void *arg, unsigned path, struct str key, json_t *item)
{
    (void)path, (void)key;
    struct describe *d = arg;
    const json_t *metric = json_object_get(item, "metric");
    struct str i = item_str(metric, "i"), value = item_str(metric, "v");
    const json_t *text = json_array_get(json_object_get(item, "value"), 1);
    uint64_t index;
    double count;
    if (!sax_double(json_text(text), &count))
        return true;
    if (str_is(i, "t")) {
        buf_puts(&d->targets, d->targets.len > 0 ? ",{" : "{");
        row_text(&d->targets, "job", item_str(metric, "job"));
        row_text(&d->targets, "instance", item_str(metric, "instance"));
        row_number(&d->targets, "series", count);
        buf_putc(&d->targets, '}');
    }
    if (i.len < 2 || !str_u64(str_skip(i, 1), LABELS_MAX - 1, &index) || index >= d->label_count)
        return true;
    struct label *l = &d->labels[index];
    if (i.at[0] == 'c') {
        l->values = count;
    } else if (i.at[0] == 's' && value.len > 0) {
        buf_puts(&l->samples, l->samples.len > 0 ? "," : "");
        text_json(&l->samples, value, 120);
        buf_putc(&l->samples, ':');
        text_number(&l->samples, count, false);
    }
    return true;
}

static void on_details(void *arg, enum source_outcome outcome)
{
    write(arg, outcome == SOURCE_WHOLE
                   ? NULL
                   : "The values of the labels could not be counted: use list_label_values.");
}

static void ask_details(struct describe *d)
{
    int64_t start, end;
    scoped_buf(query, FORM_BYTES_MAX / 4);
    scoped_buf(form, FORM_BYTES_MAX);
    span_selected(d->run, RANGE_MS, &start, &end);
    const char *selector = buf_cstr(&d->selector);
    buf_printf(&query,
               "label_replace(topk(%d, count by (job, instance) (%s)), \"i\", \"t\", \"\", \"\")",
               TARGETS, selector);
    for (unsigned i = 0; i < d->label_count; i++) {
        scoped_buf(label, LABEL_BYTES_MAX * 2 + 8);
        scoped_buf(source, LABEL_BYTES_MAX * 2 + 8);
        name_label(&label, str_of(d->labels[i].name));
        name_quote(&source, str_of(d->labels[i].name));
        buf_printf(&query,
                   " or label_replace(count(count by (%s) (%s)), \"i\", \"c%u\", \"\", \"\")"
                   " or label_replace(label_replace(topk(%d, count by (%s) (%s)), \"v\", \"$1\", "
                   "%s, \"(.*)\"), \"i\", \"s%u\", \"\", \"\")",
                   buf_cstr(&label), selector, i, SAMPLES, buf_cstr(&label), selector,
                   buf_cstr(&source), i);
    }
    source_param(&form, "query", buf_str(&query));
    source_param_time(&form, "time", end);
    if (form.overflowed || query.overflowed)
        write(d, "It has too many labels with long names to count their values.");
    else
        ask(d, "/api/v1/query", &form, result_path, on_detail, on_details);
}

/* ---- counting its series ---- */

static bool on_count_item(void *arg, unsigned path, struct str key, json_t *item)
{
    (void)path, (void)key;
    struct describe *d = arg;
    const json_t *text = json_array_get(json_object_get(item, "value"), 1);
    sax_double(json_text(text), &d->series);
    return true;
}

static void on_count(void *arg, enum source_outcome outcome)
{
    struct describe *d = arg;
    if (outcome == SOURCE_REFUSED)
        source_fail(d->run, &d->ask);
    else if (!(d->series > 0))
        write(d, "It has no sample at the end of this time range, but had some in it.");
    else if (d->series > (double)d->run->tools->config.series_max * SERIES_FACTOR)
        write(d, "It has so many series that the values of its labels are not counted: use "
                 "list_label_values for the label that you need, and select by it.");
    else
        ask_details(d);
}

static void ask_count(struct describe *d)
{
    int64_t start, end;
    scoped_buf(form, FORM_BYTES_MAX);
    span_selected(d->run, RANGE_MS, &start, &end);
    buf_printf(&form, "query=count(");
    fetch_escape(&form, buf_str(&d->selector));
    buf_puts(&form, ")");
    source_param_time(&form, "time", end);
    ask(d, "/api/v1/query", &form, result_path, on_count_item, on_count);
}

/* ---- the names of its labels ---- */

static bool on_label(void *arg, unsigned path, struct str key, json_t *item)
{
    (void)path, (void)key;
    struct describe *d = arg;
    struct str name = json_text(item);
    if (str_is(name, "__name__") || name.len == 0)
        return true;
    if (d->label_count == LABELS_MAX || name.len > LABEL_BYTES_MAX || !str_utf8(name)) {
        d->labels_left++;
        return true;
    }
    struct label *l = &d->labels[d->label_count++];
    l->name = str_dup(name);
    buf_init(&l->samples, 1024);
    return true;
}

static void on_near(void *arg, struct str names)
{
    struct describe *d = arg;
    run_fail(d->run, "unknown_metric", "There is no metric %.*s in this time range.%s%.*s",
             (int)(d->metric.len < 256 ? d->metric.len : 256), d->metric.at,
             names.len > 0 ? " The nearest are: " : " Find one with list_metrics.", (int)names.len,
             names.at ? names.at : "");
}

static void ask_family(struct describe *d)
{
    d->family = true;
    buf_clear(&d->selector);
    name_family(&d->selector, d->metric, STR(""));
    ask_labels(d);
}

static void on_labels(void *arg, enum source_outcome outcome)
{
    struct describe *d = arg;
    if (outcome == SOURCE_REFUSED)
        source_fail(d->run, &d->ask);
    else if (d->label_count == 0 && d->labels_left == 0 && !d->family)
        ask_family(d);
    else if (d->label_count == 0 && d->labels_left == 0)
        d->near = near_find(d->run, d->catalog, d->metric, on_near, d);
    else
        ask_count(d);
}

static void ask_labels(struct describe *d)
{
    int64_t start, end;
    scoped_buf(form, FORM_BYTES_MAX);
    source_param(&form, "match[]", buf_str(&d->selector));
    span_selected(d->run, RANGE_MS, &start, &end);
    source_param_time(&form, "start", start);
    source_param_time(&form, "end", end);
    ask(d, "/api/v1/labels", &form, "data/*", on_label, on_labels);
}

/* Without a catalog it is described as far as the datasource can. */
static void on_catalog(void *arg, const struct catalog *c, const struct source_request *why)
{
    (void)why;
    struct describe *d = arg;
    const struct catalog_metric *m = c ? catalog_find(c, d->metric) : NULL;
    d->catalog = c;
    for (unsigned i = 0; !m && i < sizeof(members) / sizeof(members[0]); i++)
        m = member(d, i);
    d->run->partial = d->run->partial || (c && c->partial);
    if (m) {
        struct str unit = catalog_unit(c, m);
        snprintf(d->type, sizeof(d->type), "%s", catalog_type(m));
        snprintf(d->unit, sizeof(d->unit), "%.*s", (int)unit.len, unit.len ? unit.at : "");
        buf_add_str(&d->help, catalog_help(c, m));
    }
    ask_labels(d);
}

void prom_describe_metric(struct tool_run *r)
{
    struct describe *d = xcalloc(1, sizeof(*d));
    d->run = r;
    r->state = d;
    r->state_free = describe_free;
    buf_init(&d->name, NAME_BYTES_MAX);
    buf_init(&d->selector, NAME_BYTES_MAX * 4);
    buf_init(&d->help, CATALOG_HELP_MAX * 2);
    buf_init(&d->targets, TARGETS * 800);
    if (!name_read(args_str(r->args, "metric"), true, &d->name)) {
        run_fail(r, "bad_arguments",
                 "The argument \"metric\" must be the name of a metric and nothing else.");
        return;
    }
    d->metric = buf_str(&d->name);
    name_selector(&d->selector, d->metric, STR(""));
    d->use = catalog_cache_use(r, on_catalog, d);
}
