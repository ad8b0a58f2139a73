/* What a Prometheus knows of itself, a page at a time: list_label_names, list_series, list_alerts,
 * list_rules, list_targets, get_build_info. */
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "worker/tools/handlers.h"
#include "worker/tools/args.h"
#include "worker/tools/prometheus/match.h"
#include "worker/tools/rows.h"
#include "worker/tools/span.h"
#include "worker/tools/text.h"

enum {
    FORM_BYTES_MAX = 16 * 1024,
    RANGE_MS = 24 * 3600000,
    LABELS_MAX = 10000, /* asked for, where limit= is understood (from 2.52 on) */
    LABELS_SHOWN = 1500,
    EXPRESSION_SHOWN = 700,
};

static void add_range(const struct tool_run *run, struct buf *form)
{
    int64_t start, end;
    span_selected(run, RANGE_MS, &start, &end);
    source_param_time(form, "start", start);
    source_param_time(form, "end", end);
}

/* False: there is such an argument and the value is another. */
static bool fits(const struct rows *r, const char *argument, struct str value)
{
    struct str wanted = args_str(r->run->args, argument);
    return wanted.len == 0 || str_eq(wanted, value);
}

/* What is searched for is in a value of this object of strings. */
/* The name of a histogram's family, of which no series is. */
static bool of_family(struct rows *r, struct str name, const char *api, uint32_t limit)
{
    scoped_buf(form, FORM_BYTES_MAX);
    if (!match_family(&form, name))
        return false;
    add_range(r->run, &form);
    source_param_count(&form, "limit", limit);
    rows_ask(r, api, &form);
    return true;
}

static void family_head(struct rows *r, struct buf *b)
{
    (void)b;
    if (r->again && r->all > 0)
        rows_note(r, "%s", MATCH_FAMILY_NOTE);
}

/* ---- label names ---- */

static bool name_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)path, (void)key;
    struct str name = json_text(item);
    return json_is_string(item) && rows_has(r, name) && text_json(b, name, ROWS_TEXT_MAX);
}

static bool names_of_family(struct rows *r)
{
    struct str metric = str_trim(args_str(r->run->args, "metric"));
    struct str match = str_trim(args_str(r->run->args, "match"));
    return of_family(r, metric.len > 0 ? metric : match, "/api/v1/labels", LABELS_MAX);
}

static const struct rows_spec names_spec = {
    .kind = "label_names",
    .list = "labels",
    .product = "Prometheus",
    .page = 200,
    .path_count = 1,
    .paths = {"data/*"},
    .row = name_row,
    .empty = "No series fits in this time range, so there are no labels.",
    .again = names_of_family,
    .head = family_head,
};

void prom_label_names(struct tool_run *run)
{
    struct str metric = str_trim(args_str(run->args, "metric"));
    struct str match = str_trim(args_str(run->args, "match"));
    scoped_buf(form, FORM_BYTES_MAX);
    if (metric.len > 0 && match.len > 0) {
        run_fail(run, "bad_arguments", "Give metric or match, not both.");
        return;
    }
    if (match.len > 0 && !match_param(run, &form, match, "match"))
        return;
    if (metric.len > 0 && !match_param(run, &form, metric, "metric"))
        return;
    add_range(run, &form);
    source_param_count(&form, "limit", LABELS_MAX);
    rows_ask(rows_new(run, &names_spec), "/api/v1/labels", &form);
}

/* ---- series ---- */

static bool series_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)path, (void)key;
    if (!rows_has_label(r, item))
        return false;
    buf_putc(b, '{');
    row_labels(b, "labels", item, LABELS_SHOWN);
    buf_putc(b, '}');
    return true;
}

static bool series_of_family(struct rows *r)
{
    return of_family(r, str_trim(args_str(r->run->args, "match")), "/api/v1/series",
                     r->run->tools->config.series_max);
}

static const struct rows_spec series_spec = {
    .kind = "series",
    .list = "series",
    .product = "Prometheus",
    .page = 50,
    .path_count = 1,
    .paths = {"data/*"},
    .row = series_row,
    .empty = "No series fits in this time range.",
    .again = series_of_family,
    .head = family_head,
};

void prom_series(struct tool_run *run)
{
    scoped_buf(form, FORM_BYTES_MAX);
    if (!match_param(run, &form, str_trim(args_str(run->args, "match")), "match"))
        return;
    add_range(run, &form);
    source_param_count(&form, "limit", run->tools->config.series_max);
    rows_ask(rows_new(run, &series_spec), "/api/v1/series", &form);
}

/* ---- alerts ---- */

static bool alert_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)path, (void)key;
    const json_t *labels = json_object_get(item, "labels");
    const json_t *annotations = json_object_get(item, "annotations");
    if (!fits(r, "state", item_str(item, "state")) ||
        (rows_searching(r) && !rows_has_label(r, labels) && !rows_has_label(r, annotations)))
        return false;
    buf_putc(b, '{');
    row_text(b, "name", item_str(labels, "alertname"));
    row_text(b, "state", item_str(item, "state"));
    row_text(b, "since", item_str(item, "activeAt"));
    row_text(b, "value", item_str(item, "value"));
    row_labels(b, "labels", labels, LABELS_SHOWN);
    row_labels(b, "annotations", annotations, LABELS_SHOWN);
    buf_putc(b, '}');
    return true;
}

static const struct rows_spec alerts_spec = {
    .kind = "alerts",
    .list = "alerts",
    .product = "Prometheus",
    .page = 50,
    .path_count = 1,
    .paths = {"data/alerts/*"},
    .row = alert_row,
    .empty = "No alert is pending or firing.",
};

void prom_alerts(struct tool_run *run)
{
    scoped_buf(form, FORM_BYTES_MAX);
    rows_ask(rows_new(run, &alerts_spec), "/api/v1/alerts", &form);
}

/* ---- rules ---- */

static bool rule_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)path, (void)key;
    bool alert = str_is(item_str(item, "type"), "alerting");
    if (!fits(r, "type", alert ? STR("alert") : STR("record")) ||
        (rows_searching(r) && !rows_has(r, item_str(item, "name")) &&
         !rows_has(r, item_str(item, "query"))))
        return false;
    buf_putc(b, '{');
    row_text(b, "name", item_str(item, "name"));
    row_text(b, "type", alert ? STR("alert") : STR("record"));
    row_long(b, "query", item_str(item, "query"), EXPRESSION_SHOWN);
    if (alert) {
        row_text(b, "state", item_str(item, "state"));
        row_number(b, "for_s", item_number(item, "duration"));
        buf_printf(b, ",\"active\":%zu", json_array_size(json_object_get(item, "alerts")));
    }
    row_labels(b, "labels", json_object_get(item, "labels"), LABELS_SHOWN);
    row_labels(b, "annotations", json_object_get(item, "annotations"), LABELS_SHOWN);
    if (!str_is(item_str(item, "health"), "ok"))
        row_text(b, "health", item_str(item, "health"));
    row_text(b, "last_error", item_str(item, "lastError"));
    buf_putc(b, '}');
    return true;
}

static const struct rows_spec rules_spec = {
    .kind = "rules",
    .list = "rules",
    .product = "Prometheus",
    .page = 50,
    .path_count = 1,
    .paths = {"data/groups/*/rules/*"},
    .row = rule_row,
    .empty = "The datasource has no rules.",
};

void prom_rules(struct tool_run *run)
{
    scoped_buf(form, FORM_BYTES_MAX);
    struct str type = args_str(run->args, "type");
    if (type.len > 0)
        source_param(&form, "type", type);
    rows_ask(rows_new(run, &rules_spec), "/api/v1/rules", &form);
}

/* ---- targets ---- */

struct healths {
    unsigned up, down, unknown;
};

static bool target_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)path, (void)key;
    struct healths *count = r->extra;
    struct str health = item_str(item, "health");
    if (str_is(health, "up"))
        count->up++;
    else if (str_is(health, "down"))
        count->down++;
    else
        count->unknown++;
    if (!fits(r, "health", health) ||
        (rows_searching(r) && !rows_has_label(r, json_object_get(item, "labels")) &&
         !rows_has(r, item_str(item, "scrapeUrl")) && !rows_has(r, item_str(item, "lastError"))))
        return false;
    buf_putc(b, '{');
    row_labels(b, "labels", json_object_get(item, "labels"), LABELS_SHOWN);
    row_text(b, "health", health);
    row_text(b, "last_error", item_str(item, "lastError"));
    row_text(b, "last_scrape", item_str(item, "lastScrape"));
    row_number(b, "scrape_seconds", item_number(item, "lastScrapeDuration"));
    row_text(b, "scrape_interval", item_str(item, "scrapeInterval"));
    buf_putc(b, '}');
    return true;
}

static void targets_head(struct rows *r, struct buf *b)
{
    const struct healths *count = r->extra;
    buf_printf(b, ",\"up\":%u,\"down\":%u,\"unknown\":%u", count->up, count->down, count->unknown);
}

static const struct rows_spec targets_spec = {
    .kind = "targets",
    .list = "targets",
    .product = "Prometheus",
    .page = 50,
    .path_count = 1,
    .paths = {"data/activeTargets/*"},
    .row = target_row,
    .head = targets_head,
    .empty = "The datasource scrapes nothing itself.",
};

void prom_targets(struct tool_run *run)
{
    scoped_buf(form, FORM_BYTES_MAX);
    source_param(&form, "state", STR("active"));
    struct rows *r = rows_new(run, &targets_spec);
    r->extra = xcalloc(1, sizeof(struct healths));
    rows_ask(r, "/api/v1/targets", &form);
}

/* ---- build info ---- */

static bool build_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)r, (void)path, (void)key;
    buf_putc(b, '{');
    row_text(b, "version", item_str(item, "version"));
    row_text(b, "revision", item_str(item, "revision"));
    row_text(b, "branch", item_str(item, "branch"));
    row_text(b, "build_date", item_str(item, "buildDate"));
    row_text(b, "go_version", item_str(item, "goVersion"));
    buf_putc(b, '}');
    return true;
}

static const struct rows_spec build_spec = {
    .kind = "build_info",
    .list = "builds",
    .product = "Prometheus",
    .page = 1,
    .path_count = 1,
    .paths = {"data"},
    .row = build_row,
    .empty = "The datasource does not say its version.",
};

void prom_build_info(struct tool_run *run)
{
    scoped_buf(form, FORM_BYTES_MAX);
    rows_ask(rows_new(run, &build_spec), "/api/v1/status/buildinfo", &form);
}
