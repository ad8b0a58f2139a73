/* Pyroscope's tools: which profiles there are, and the functions that cost most in one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "worker/tools/args.h"
#include "worker/tools/logql.h"
#include "worker/tools/handlers.h"
#include "worker/tools/rows.h"
#include "worker/tools/span.h"
#include "worker/tools/text.h"

enum { FORM_BYTES_MAX = 16 * 1024, NODES_MAX = 4096, NAMES_MAX = 8192, TOP = 25, NAME_SHOWN = 200 };

/* ---- pyroscope_profile_types: the Connect API, JSON by POST ---- */

static bool type_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)path, (void)key;
    if (!rows_has(r, item_str(item, "ID")))
        return false;
    buf_putc(b, '{');
    row_text(b, "id", item_str(item, "ID"));
    row_text(b, "name", item_str(item, "name"));
    row_text(b, "type", item_str(item, "sampleType"));
    row_text(b, "unit", item_str(item, "sampleUnit"));
    buf_putc(b, '}');
    return true;
}

static const struct rows_spec types_spec = {
    .kind = "profile_types",
    .list = "types",
    .product = "Pyroscope",
    .page = 100,
    .path_count = 1,
    .paths = {"profileTypes/*"},
    .row = type_row,
    .empty = "There are no profiles in this time range.",
};

void pyroscope_types(struct tool_run *r)
{
    struct span span;
    scoped_buf(body, 256);
    if (!span_read(r, &span))
        return;
    buf_printf(&body, "{\"start\":%lld,\"end\":%lld}", (long long)span.start_ms,
               (long long)span.end_ms);
    rows_post(rows_new(r, &types_spec), "/querier.v1.QuerierService/ProfileTypes", &body);
}

/* pyroscope_top: a flame graph, summed by function. A level is a flat list of bars, four numbers
 * each: gap before it, total, self, index of its name. Names come before the levels. */

struct function {
    char *name;
    double self, total;
};
struct top {
    struct function *functions;
    unsigned count;
    double ticks;
    char unit[32];
};

static bool flame_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)key, (void)b;
    struct top *t = r->extra;
    struct str text = json_text(item);
    if (path == 0 && t->count < NAMES_MAX) {
        t->functions[t->count++].name = str_dup(text);
    } else if (path == 1) {
        for (size_t i = 0; i + 3 < json_array_size(item); i += 4) {
            double index = json_number_value(json_array_get(item, i + 3));
            if (!(index >= 0 && index < t->count))
                continue;
            struct function *f = &t->functions[(unsigned)index];
            f->total += json_number_value(json_array_get(item, i + 1));
            f->self += json_number_value(json_array_get(item, i + 2));
        }
    } else if (path == 2) {
        t->ticks = json_number_value(item);
    } else if (path == 3) {
        snprintf(t->unit, sizeof(t->unit), "%.*s", (int)(text.len < 30 ? text.len : 30),
                 text.len ? text.at : "");
    }
    return false;
}

static int by_self(const void *a, const void *b)
{
    const struct function *x = a, *y = b;
    return x->self > y->self ? -1 : x->self < y->self;
}

static void top_head(struct rows *r, struct buf *b)
{
    struct top *t = r->extra;
    unsigned limit = (unsigned)args_int(r->run->args, "limit", TOP);
    qsort(t->functions, t->count, sizeof(*t->functions), by_self);
    row_long(b, "query", args_str(r->run->args, "query"), 2000);
    row_text(b, "unit", str_of(t->unit));
    row_number(b, "sum", t->ticks);
    buf_clear(&r->notes);
    r->total = r->shown = 0;
    for (unsigned i = 0; i < t->count; i++) {
        struct function *f = &t->functions[i];
        bool counts = f->self > 0;
        r->total += counts;
        if (counts && r->shown < limit && r->page.len + 600 < r->page.max_bytes) {
            buf_puts(&r->page, r->shown++ > 0 ? ",{" : "{");
            row_long(&r->page, "function", str_of(f->name), NAME_SHOWN);
            row_number(&r->page, "self", f->self);
            if (t->ticks > 0)
                row_number(&r->page, "self_percent", f->self / t->ticks * 100);
            row_number(&r->page, "total", f->total);
            buf_putc(&r->page, '}');
        }
        free(f->name);
    }
    free(t->functions);
    t->functions = NULL;
    t->count = 0;
    if (r->shown == 0)
        rows_note(r, "No profile fits in this time range: look with pyroscope_profile_types.");
}

static void top_free(void *extra)
{
    struct top *t = extra;
    for (unsigned i = 0; i < t->count; i++)
        free(t->functions[i].name);
    free(t->functions);
    free(t);
}

static const struct rows_spec top_spec = {
    .kind = "profile_top",
    .list = "functions",
    .product = "Pyroscope",
    .page = TOP,
    .path_count = 4,
    .paths = {"flamebearer/names/*", "flamebearer/levels/*", "flamebearer/numTicks",
              "metadata/units"},
    .row = flame_row,
    .head = top_head,
};

void pyroscope_top(struct tool_run *r)
{
    struct span span;
    scoped_buf(form, FORM_BYTES_MAX);
    if (!span_read(r, &span))
        return;
    struct str query = str_trim(args_str(r->args, "query"));
    struct logql q;
    if (!logql_read(&q, query)) {
        run_fail(r, "bad_arguments", "%s", q.error);
        return;
    }
    if (q.count != 1 || !logql_selects(q.selectors[0])) {
        run_fail(r, "query_refused",
                 "A query has one selector, and this one selects every profile, as far as this "
                 "tool can tell. Name one label's value, as TYPE{service_name=\"shop\"}.");
        return;
    }
    source_param(&form, "query", query);
    source_param_count(&form, "from", (uint64_t)span.start_ms);
    source_param_count(&form, "until", (uint64_t)span.end_ms);
    source_param(&form, "format", STR("json"));
    source_param_count(&form, "max-nodes", NODES_MAX);
    struct rows *rows = rows_new(r, &top_spec);
    struct top *t = xcalloc(1, sizeof(*t));
    t->functions = xcalloc(NAMES_MAX, sizeof(*t->functions));
    rows->extra = t;
    rows->span = span;
    rows->extra_free = top_free;
    rows_ask(rows, "/pyroscope/render", &form);
}
