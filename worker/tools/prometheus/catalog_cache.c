#include "worker/tools/prometheus/catalog_cache.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/list.h"
#include "worker/tools/prometheus/catalog.h"
#include "worker/tools/source.h"
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

/* A catalog on the catalog_cache: loading (names, then metadata), ready, or failed and about to go.
 */
struct entry {
    struct catalog_cache *catalog_cache;
    struct list node; /* the most lately loaded last */
    struct list uses; /* runs that wait for it or read it */
    struct door *door;
    unsigned char token_hash[32];
    int64_t start_ms, end_ms; /* the time range it was asked for */
    struct secret *token;     /* only while it loads */
    struct source_request ask;
    struct catalog catalog;
    bool ready, gone; /* gone: no new uses */
    bool telling;     /* it is being used right now: not to be freed */
    int64_t ready_ms;
};
struct catalog_cache {
    struct tools *tools;
    struct list entries;
    unsigned count;
};
struct catalog_cache_use {
    struct entry *entry;
    struct tool_run *run;
    struct list node;
    catalog_cache_fn *fn;
    void *arg;
};

static void load_names(struct entry *b);

struct catalog_cache *catalog_cache_new(struct tools *t)
{
    struct catalog_cache *s = xcalloc(1, sizeof *s);
    s->tools = t;
    list_init(&s->entries);
    return s;
}

static void entry_free(struct entry *b)
{
    CHECK(list_empty(&b->uses));
    list_remove(&b->node);
    b->catalog_cache->count--;
    source_request_free(&b->ask);
    catalog_free(&b->catalog);
    secret_free(b->token);
    door_free(b->door);
    free(b);
}

void catalog_cache_free(struct catalog_cache *s)
{
    if (s == NULL)
        return;
    list_each (&s->entries, node, tmp)
        entry_free(list_of(node, struct entry, node));
    free(s);
}

static void hash_token(const struct secret *token, unsigned char out[32])
{
    secret_hash(secret_reveal(token), out);
}

static bool is_old(const struct entry *b, int64_t now)
{
    return b->ready && now - b->ready_ms > (b->catalog.count < SMALL ? SMALL_KEPT_MS : KEPT_MS);
}

/* Entries that nobody reads go when they are old, failed, or too many. */
static void tidy(struct catalog_cache *s)
{
    int64_t now = loop_now_ms(s->tools->config.loop);
    size_t bytes = 0;
    list_each (&s->entries, node, tmp)
        bytes += catalog_bytes(&list_of(node, struct entry, node)->catalog);
    list_each (&s->entries, node, tmp) {
        struct entry *b = list_of(node, struct entry, node);
        bool old = is_old(b, now);
        if (!list_empty(&b->uses) || b->telling ||
            !(old || b->gone || s->count > ENTRIES_MAX || bytes > BYTES_MAX))
            continue;
        bytes -= catalog_bytes(&b->catalog);
        entry_free(b);
    }
}

static struct entry *find(struct catalog_cache *s, const struct tool_run *r, int64_t start,
                          int64_t end)
{
    unsigned char hash[32];
    int64_t now = loop_now_ms(s->tools->config.loop);
    hash_token(r->token, hash);
    list_each (&s->entries, node, tmp) {
        struct entry *b = list_of(node, struct entry, node);
        bool fresh = !b->gone && !is_old(b, now);
        int64_t away = (b->start_ms > start ? b->start_ms - start : start - b->start_ms) +
                       (b->end_ms > end ? b->end_ms - end : end - b->end_ms);
        if (fresh && away <= 2 * KEPT_MS && strcmp(door_path(b->door), r->datasource) == 0 &&
            memcmp(b->token_hash, hash, sizeof hash) == 0)
            return b;
    }
    return NULL;
}

static struct entry *open_entry(struct catalog_cache *s, const struct tool_run *r)
{
    int64_t start, end;
    span_selected(r, RANGE_MS, &start, &end);
    struct entry *b = find(s, r, start, end);
    if (b != NULL)
        return b;
    b = xcalloc(1, sizeof *b);
    b->catalog_cache = s;
    list_init(&b->node);
    list_init(&b->uses);
    b->door = door_ref(r->door);
    hash_token(r->token, b->token_hash);
    b->start_ms = start;
    b->end_ms = end;
    b->token = r->token ? secret_ref(r->token) : NULL;
    catalog_init(&b->catalog);
    list_push(&s->entries, &b->node);
    s->count++;
    load_names(b);
    return b;
}

/* Loading */

static void tell(struct catalog_cache_use *v, bool ok)
{
    struct entry *b = v->entry;
    v->fn(v->arg, ok ? &b->catalog : NULL, &b->ask);
}

/* Those who wait go on, or are told why not. */
static void finish(struct entry *b, bool ok)
{
    b->ready = ok;
    /* one that has just started fills up, one whose parts are away has them again */
    b->gone = !ok || b->catalog.count == 0 || b->catalog.partial;
    b->ready_ms = loop_now_ms(b->catalog_cache->tools->config.loop);
    secret_free(b->token);
    b->token = NULL;
    catalog_end_metadata(&b->catalog);
    b->telling = true;
    list_each (&b->uses, node, tmp) {
        struct catalog_cache_use *v = list_of(node, struct catalog_cache_use, node);
        tell(v, ok);
    }
    b->telling = false;
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
        b->ask.code = "broken";
        buf_puts(&b->ask.error, "The datasource's answer ended in the middle.");
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
    b->ask.on_piece = on_metadata_piece;
    b->ask.on_end = on_metadata;
    source_request(&b->ask, b->catalog_cache->tools, b->door, b->token, &request);
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
    b->ask.on_piece = on_name_piece;
    b->ask.on_end = on_names;
    b->ask.arg = b;
    source_request(&b->ask, b->catalog_cache->tools, b->door, b->token, &request);
}

/* Uses */

struct catalog_cache_use *catalog_cache_use(struct tool_run *r, catalog_cache_fn *fn, void *arg)
{
    struct catalog_cache_use *v = xcalloc(1, sizeof *v);
    struct entry *b = open_entry(r->tools->catalog_cache, r);
    v->entry = b;
    v->run = r;
    v->fn = fn;
    v->arg = arg;
    list_init(&v->node);
    list_push(&b->uses, &v->node);
    if (b->ready)
        tell(v, true);
    return v;
}

void catalog_cache_leave(struct catalog_cache_use *v)
{
    if (v == NULL)
        return;
    struct catalog_cache *s = v->entry->catalog_cache;
    list_remove(&v->node);
    free(v);
    tidy(s);
}
