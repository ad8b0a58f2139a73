/* list_metrics: the metrics that fit some words, best first (rank.h); without words all, by name.
 * Where none fits, the words may be labels: those are named. */
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "worker/tools/args.h"
#include "worker/tools/handlers.h"
#include "worker/tools/items.h"
#include "worker/tools/prometheus/catalog.h"
#include "worker/tools/prometheus/catalog_cache.h"
#include "worker/tools/prometheus/rank.h"
#include "worker/tools/rows.h"
#include "worker/tools/source.h"
#include "worker/tools/text.h"

enum {
    PAGE = 12,
    PAGE_BYTES_MAX = 1500, /* of a result that nobody asked more of: below 500 tokens of JSON */
    LABELS_MAX = 5,
    LABELS_TIMEOUT_MS = 3000,
};

struct reader {
    struct tool_run *run;
    struct catalog_cache_use *use;
    const struct catalog *catalog;
    struct catalog_search page; /* what is shown of it */
    struct rank rank;
    bool ranked;
    struct source_request ask;
    struct items items;
    struct buf labels;
    unsigned label_count;
};

static void on_catalog(void *arg, const struct catalog *c, const struct source_request *why);
static bool rank_slice(struct tool_run *r);
static bool letters_slice(struct tool_run *r);
static void take_hits(struct reader *reader);
static void ask_labels(struct reader *reader);
static void finish(struct reader *reader);
static void most_series(struct tool_run *r);

static void reader_free(void *state)
{
    struct reader *reader = state;
    source_request_free(&reader->ask);
    items_free(&reader->items);
    buf_free(&reader->labels);
    catalog_search_free(&reader->page);
    if (reader->ranked)
        rank_free(&reader->rank);
    catalog_cache_leave(reader->use);
    free(reader);
}

void prom_list_metrics(struct tool_run *r)
{
    if (str_is(args_str(r->args, "order"), "series")) {
        most_series(r);
        return;
    }
    struct reader *reader = xcalloc(1, sizeof(*reader));
    struct str search = str_trim(args_str(r->args, "search"));
    unsigned limit = (unsigned)args_int(r->args, "limit", PAGE);
    unsigned offset = (unsigned)args_int(r->args, "offset", 0);
    reader->run = r;
    r->state = reader;
    r->state_free = reader_free;
    buf_init(&reader->labels, 1024);
    if (search.len > 0 && offset + limit > RANK_HITS_MAX) {
        run_fail(r, "bad_arguments",
                 "A search by words shows its best %d metrics. Use more exact words instead of a "
                 "larger offset.",
                 RANK_HITS_MAX);
        return;
    }
    reader->page = (struct catalog_search){.limit = limit, .offset = offset};
    rank_init(&reader->rank, search);
    reader->ranked = true;
    reader->use = catalog_cache_use(r, on_catalog, reader);
}

static void on_catalog(void *arg, const struct catalog *c, const struct source_request *why)
{
    struct reader *reader = arg;
    struct tool_run *r = reader->run;
    reader->catalog = c;
    if (!c) {
        source_fail(r, why);
        return;
    }
    r->partial = r->partial || c->partial;
    run_steps(r, rank_slice);
}

static bool rank_slice(struct tool_run *r)
{
    struct reader *reader = r->state;
    struct str search = str_trim(args_str(r->args, "search"));
    if (search.len == 0) {
        catalog_search_step(&reader->page, reader->catalog);
        finish(reader);
        return false;
    }
    if (rank_step(&reader->rank, reader->catalog))
        return true;
    take_hits(reader);
    if (reader->page.total > 0) {
        finish(reader);
        return false;
    }
    struct catalog_search *p = &reader->page;
    unsigned offset = p->offset, limit = p->limit;
    catalog_search_free(p);
    CHECK(catalog_search_init(p, search, offset, limit));
    run_steps(r, letters_slice);
    return true;
}

/* What a question's words don't find may be a part of a name, or a word that says nothing in a
 * question. */
static bool letters_slice(struct tool_run *r)
{
    struct reader *reader = r->state;
    if (catalog_search_step(&reader->page, reader->catalog))
        return true;
    if (reader->page.total == 0)
        ask_labels(reader);
    else
        finish(reader);
    return false;
}

/* A family stands as a series that can be asked for. */
static uint32_t shown_of(const struct catalog *c, const struct rank_hit *hit)
{
    static const char *const suffixes[] = {"_bucket", "_count"};
    struct str name = catalog_name(c, &c->metrics[hit->metric]);
    for (size_t i = 0; hit->family && i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        scoped_buf(text, 1024);
        buf_add_str(&text, rank_family(name));
        buf_puts(&text, suffixes[i]);
        const struct catalog_metric *m = catalog_find(c, buf_str(&text));
        if (m)
            return (uint32_t)(m - c->metrics);
    }
    return hit->metric;
}

static void take_hits(struct reader *reader)
{
    struct catalog_search *p = &reader->page;
    unsigned max = p->offset + p->limit;
    struct rank_hit *hits = xcalloc(max, sizeof(*hits));
    p->hit_count = rank_best(&reader->rank, reader->catalog, hits, max, &p->total);
    p->hits = xcalloc(max, sizeof(*p->hits));
    p->hit_max = max;
    p->word_count = 1;
    for (uint32_t i = 0; i < p->hit_count; i++)
        p->hits[i] = (struct catalog_hit){.rank = UINT32_MAX - i,
                                          .metric = shown_of(reader->catalog, &hits[i])};
    free(hits);
}

static void finish(struct reader *reader)
{
    struct tool_run *r = reader->run;
    size_t most = r->tools->config.content_bytes_max;
    if (json_object_get(r->args, "limit") == NULL && most > PAGE_BYTES_MAX)
        most = PAGE_BYTES_MAX;
    catalog_write(&reader->page, reader->catalog, str_of(r->datasource), most, buf_str(&r->remarks),
                  &r->content);
    run_done(r);
}

/* ---- labels that fit where no metric does ---- */

static bool on_label(void *arg, unsigned path, struct str key, json_t *item)
{
    (void)path, (void)key;
    struct reader *reader = arg;
    struct str name = json_text(item);
    struct str rest = args_str(reader->run->args, "search"), word;
    while (str_split(&rest, ' ', &word)) {
        if (word.len < 2 || reader->label_count == LABELS_MAX ||
            (text_distance(name, word) > 1 && !(word.len > 3 && str_starts(name, word))))
            continue;
        buf_puts(&reader->labels, reader->label_count++ > 0 ? ", " : "");
        text_clean(&reader->labels, name, 80);
        break;
    }
    return true;
}

static bool on_piece(void *arg, struct str piece)
{
    return items_feed(&((struct reader *)arg)->items, piece);
}

static void on_labels(void *arg, enum source_outcome outcome)
{
    (void)outcome;
    struct reader *reader = arg;
    scoped_buf(note, 1400);
    if (reader->label_count > 0) {
        buf_printf(&note,
                   "No metric is called so, but there are labels: %s. list_label_values has "
                   "their values, describe_metric the labels of a metric.",
                   buf_cstr(&reader->labels));
        run_remark(reader->run, buf_str(&note));
    }
    finish(reader);
}

static void ask_labels(struct reader *reader)
{
    static const char *const path[] = {"data/*"};
    struct tool_run *r = reader->run;
    scoped_buf(form, 64);
    struct source_call call = {.method = "GET",
                               .api = "/api/v1/labels",
                               .form = &form,
                               .timeout_ms = LABELS_TIMEOUT_MS,
                               .trace = r->span.at};
    items_init(&reader->items, path, 1, on_label, reader);
    reader->ask.on_piece = on_piece;
    reader->ask.on_end = on_labels;
    reader->ask.arg = reader;
    source_request(&reader->ask, r->tools, r->door, r->token, &call);
}

/* ---- which have the most series ---- */

static bool count_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)path, (void)key;
    struct str name = item_str(item, "name");
    if (!rows_has(r, name))
        return false;
    buf_puts(b, "{\"name\":");
    text_json(b, name, ROWS_TEXT_MAX);
    row_number(b, "series", json_number_value(json_object_get(item, "value")));
    buf_putc(b, '}');
    return true;
}

static const struct rows_spec count_spec = {
    .kind = "metrics_by_series",
    .list = "metrics",
    .product = "Prometheus",
    .page = PAGE,
    .path_count = 1,
    .paths = {"data/seriesCountByMetricName/*"},
    .row = count_row,
    .empty = "The datasource does not say which metrics have the most series.",
};

static void most_series(struct tool_run *r)
{
    scoped_buf(form, 64);
    source_param_count(&form, "limit",
                       (uint64_t)args_int(r->args, "offset", 0) +
                           (uint64_t)args_int(r->args, "limit", PAGE) + 1);
    rows_ask(rows_new(r, &count_spec), "/api/v1/status/tsdb", &form);
}
