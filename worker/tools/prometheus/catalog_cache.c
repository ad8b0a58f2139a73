#include "worker/tools/prometheus/catalog_cache.h"

#include <stdlib.h>
#include "common/check.h"
#include "worker/tools/cache.h"
#include "worker/tools/prometheus/catalog.h"
#include "worker/tools/span.h"

enum {
    KEPT_MS = 60000,
    SMALL = 2000, /* names: such a catalog costs little, and one that fills up is soon whole */
    SMALL_KEPT_MS = 10000,
    ENTRIES_MAX = 64,
    BYTES_MAX = 192 * 1024 * 1024,
    NAMES_TIMEOUT_MS = 20000,
    FORM_BYTES_MAX = 1024,
    RANGE_MS = 24 * 3600000,
};

/* A catalog: loading (names, then metadata), ready, or failed. */
struct entry {
    struct cache_entry cached;
    int64_t start_ms, end_ms; /* the time range it was asked for */
    struct catalog catalog;
};
struct catalog_cache_use {
    struct cache_use use;
    catalog_cache_fn *fn;
    void *arg;
};

static void load(struct cache_entry *e, const struct tool_run *r);
static void clear(struct cache_entry *e);
static bool fits(const struct cache_entry *e, const struct tool_run *r);
static size_t bytes_of(const struct cache_entry *e);
static void on_ready(struct cache_use *u);
static void load_names(struct entry *b);

struct cache *catalog_cache_new(struct tools *t)
{
    static const struct cache_of catalogs = {.size = sizeof(struct entry),
                                             .entries_max = ENTRIES_MAX,
                                             .bytes_max = BYTES_MAX,
                                             .of_datasource = true,
                                             .load = load,
                                             .clear = clear,
                                             .fits = fits,
                                             .bytes = bytes_of};
    return cache_new(&catalogs, t);
}

struct catalog_cache_use *catalog_cache_use(struct tool_run *r, catalog_cache_fn *fn, void *arg)
{
    struct catalog_cache_use *v = xcalloc(1, sizeof(*v));
    v->fn = fn;
    v->arg = arg;
    cache_use(&v->use, r->tools->catalog_cache, r, on_ready);
    return v;
}

void catalog_cache_leave(struct catalog_cache_use *v)
{
    if (!v)
        return;
    cache_leave(&v->use);
    free(v);
}

static struct entry *entry_of(struct cache_entry *e) { return list_of(e, struct entry, cached); }

static void on_ready(struct cache_use *u)
{
    struct catalog_cache_use *v = list_of(u, struct catalog_cache_use, use);
    struct entry *b = entry_of(u->entry);
    v->fn(v->arg, b->cached.failed ? NULL : &b->catalog, &b->cached.ask);
}

static void clear(struct cache_entry *e) { catalog_free(&entry_of(e)->catalog); }

static size_t bytes_of(const struct cache_entry *e)
{
    return catalog_bytes(&((const struct entry *)e)->catalog);
}

static bool fits(const struct cache_entry *e, const struct tool_run *r)
{
    const struct entry *b = (const struct entry *)e;
    int64_t start, end;
    span_selected(r, RANGE_MS, &start, &end);
    int64_t away = (b->start_ms > start ? b->start_ms - start : start - b->start_ms) +
                   (b->end_ms > end ? b->end_ms - end : end - b->end_ms);
    return away <= 2 * KEPT_MS;
}

/* ---- loading ---- */

static void load(struct cache_entry *e, const struct tool_run *r)
{
    struct entry *b = entry_of(e);
    span_selected(r, RANGE_MS, &b->start_ms, &b->end_ms);
    catalog_init(&b->catalog);
    load_names(b);
}

/* Those who wait go on, or are told why not. */
static void finish(struct entry *b, bool ok)
{
    int64_t keep_ms = b->catalog.count < SMALL ? SMALL_KEPT_MS : KEPT_MS;
    catalog_end_metadata(&b->catalog);
    /* one that has just started fills up, one whose parts are away has them again */
    if (ok)
        cache_ready(&b->cached, b->catalog.count == 0 || b->catalog.partial ? -1 : keep_ms);
    else
        cache_failed(&b->cached);
}

static bool on_name_piece(void *arg, struct str piece)
{
    return catalog_feed_names(&((struct entry *)arg)->catalog, piece);
}

static bool on_metadata_piece(void *arg, struct str piece)
{
    return catalog_feed_metadata(&((struct entry *)arg)->catalog, piece);
}

/* Names without type and help are better than nothing: not every datasource has metadata. */
static void on_metadata(void *arg, enum source_outcome outcome)
{
    (void)outcome;
    finish(arg, true);
}

static void on_names(void *arg, enum source_outcome outcome)
{
    struct entry *b = arg;
    if (outcome != SOURCE_REFUSED && !catalog_end_names(&b->catalog, outcome == SOURCE_CUT)) {
        b->cached.ask.code = "broken";
        buf_puts(&b->cached.ask.error, "The datasource's answer ended in the middle.");
        outcome = SOURCE_REFUSED;
    }
    if (outcome == SOURCE_REFUSED) {
        finish(b, false);
        return;
    }
    scoped_buf(form, FORM_BYTES_MAX);
    source_param_count(&form, "limit", CATALOG_NAMES_MAX);
    source_param_count(&form, "limit_per_metric", 1);
    struct source_call request = {
        .method = "GET", .api = "/api/v1/metadata", .form = &form, .timeout_ms = NAMES_TIMEOUT_MS};
    b->cached.ask.on_piece = on_metadata_piece;
    b->cached.ask.on_end = on_metadata;
    source_request(&b->cached.ask, b->cached.tools, b->cached.door, b->cached.token, &request);
}

static void load_names(struct entry *b)
{
    scoped_buf(form, FORM_BYTES_MAX);
    source_param_time(&form, "start", b->start_ms);
    source_param_time(&form, "end", b->end_ms);
    source_param_count(&form, "limit", CATALOG_NAMES_MAX + 1);
    struct source_call request = {.method = "GET",
                                  .api = "/api/v1/label/__name__/values",
                                  .form = &form,
                                  .timeout_ms = NAMES_TIMEOUT_MS};
    b->cached.ask.on_piece = on_name_piece;
    b->cached.ask.on_end = on_names;
    b->cached.ask.arg = b;
    source_request(&b->cached.ask, b->cached.tools, b->cached.door, b->cached.token, &request);
}
