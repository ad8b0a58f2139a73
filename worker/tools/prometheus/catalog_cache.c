#include "worker/tools/prometheus/catalog_cache.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/list.h"
#include "worker/tools/args.h"
#include "worker/tools/prometheus/catalog.h"
#include "worker/tools/gate.h"
#include "worker/tools/prometheus/prom.h"

enum {
    KEPT_MS = 60000,
    BOOKS_MAX = 64,
    BYTES_MAX = 192 * 1024 * 1024,
    NAMES_TIMEOUT_MS = 20000,
    FORM_BYTES_MAX = 1024,
    RANGE_MS = 24 * 3600000,
    PAGE = 100,
};

/* A catalog on the shelf: loading (names, then metadata), ready, or failed and about to go. */
struct book {
    struct shelf *shelf;
    struct list node;   /* the most lately loaded last */
    struct list visits; /* runs that wait for it or read it */
    struct door *door;
    unsigned char token_hash[32];
    int64_t start_ms, end_ms; /* the time range it was asked for */
    struct secret *token;     /* only while it loads */
    struct prom_ask ask;
    struct catalog catalog;
    bool ready, gone; /* gone: no new visits */
    bool telling;     /* it is being used right now: not to be freed */
    int64_t ready_ms;
};
struct shelf {
    struct tools *tools;
    struct list books;
    unsigned count;
};
struct shelf_visit {
    struct book *book;
    struct tool_run *run;
    struct list node;
    shelf_fn *fn;
    void *arg;
};

static void load_names(struct book *b);

struct shelf *shelf_new(struct tools *t)
{
    struct shelf *s = xcalloc(1, sizeof *s);
    s->tools = t;
    list_init(&s->books);
    return s;
}

static void book_free(struct book *b)
{
    CHECK(list_empty(&b->visits));
    list_remove(&b->node);
    b->shelf->count--;
    prom_ask_free(&b->ask);
    catalog_free(&b->catalog);
    secret_free(b->token);
    door_free(b->door);
    free(b);
}

void shelf_free(struct shelf *s)
{
    if (s == NULL)
        return;
    list_each (&s->books, node, tmp)
        book_free(list_of(node, struct book, node));
    free(s);
}

static void hash_token(const struct secret *token, unsigned char out[32])
{
    secret_hash(secret_reveal(token), out);
}

/* Books that nobody reads go when they are old, failed, or too many. */
static void tidy(struct shelf *s)
{
    int64_t now = loop_now_ms(s->tools->config.loop);
    size_t bytes = 0;
    list_each (&s->books, node, tmp)
        bytes += catalog_bytes(&list_of(node, struct book, node)->catalog);
    list_each (&s->books, node, tmp) {
        struct book *b = list_of(node, struct book, node);
        bool old = b->ready && now - b->ready_ms > KEPT_MS;
        if (!list_empty(&b->visits) || b->telling ||
            !(old || b->gone || s->count > BOOKS_MAX || bytes > BYTES_MAX))
            continue;
        bytes -= catalog_bytes(&b->catalog);
        book_free(b);
    }
}

static struct book *find(struct shelf *s, const struct tool_run *r, int64_t start, int64_t end)
{
    unsigned char hash[32];
    int64_t now = loop_now_ms(s->tools->config.loop);
    hash_token(r->token, hash);
    list_each (&s->books, node, tmp) {
        struct book *b = list_of(node, struct book, node);
        bool fresh = !b->gone && (!b->ready || now - b->ready_ms <= KEPT_MS);
        int64_t away = (b->start_ms > start ? b->start_ms - start : start - b->start_ms) +
                       (b->end_ms > end ? b->end_ms - end : end - b->end_ms);
        if (fresh && away <= 2 * KEPT_MS && strcmp(door_path(b->door), r->datasource) == 0 &&
            memcmp(b->token_hash, hash, sizeof hash) == 0)
            return b;
    }
    return NULL;
}

static struct book *open_book(struct shelf *s, const struct tool_run *r)
{
    int64_t start, end;
    prom_range(r, RANGE_MS, &start, &end);
    struct book *b = find(s, r, start, end);
    if (b != NULL)
        return b;
    b = xcalloc(1, sizeof *b);
    b->shelf = s;
    list_init(&b->node);
    list_init(&b->visits);
    b->door = door_ref(r->door);
    hash_token(r->token, b->token_hash);
    b->start_ms = start;
    b->end_ms = end;
    b->token = r->token ? secret_ref(r->token) : NULL;
    catalog_init(&b->catalog);
    list_push(&s->books, &b->node);
    s->count++;
    load_names(b);
    return b;
}

/* Loading */

static void tell(struct shelf_visit *v, bool ok)
{
    struct book *b = v->book;
    v->run->partial = v->run->partial || (ok && b->catalog.partial);
    v->fn(v->arg, ok ? &b->catalog : NULL, &b->ask);
}

/* Those who wait go on, or are told why not. */
static void finish(struct book *b, bool ok)
{
    b->ready = ok;
    /* one that has just started fills up, one whose parts are away has them again */
    b->gone = !ok || b->catalog.count == 0 || b->catalog.partial;
    b->ready_ms = loop_now_ms(b->shelf->tools->config.loop);
    secret_free(b->token);
    b->token = NULL;
    catalog_end_metadata(&b->catalog);
    b->telling = true;
    list_each (&b->visits, node, tmp) {
        struct shelf_visit *v = list_of(node, struct shelf_visit, node);
        tell(v, ok);
    }
    b->telling = false;
}

static bool on_name_piece(void *arg, struct str piece)
{
    return catalog_feed_names(&((struct book *)arg)->catalog, piece);
}

static bool on_metadata_piece(void *arg, struct str piece)
{
    return catalog_feed_metadata(&((struct book *)arg)->catalog, piece);
}

/* Names without type and help are better than nothing: not every datasource has metadata. */
static void on_metadata(void *arg, enum prom_outcome outcome)
{
    (void)outcome;
    finish(arg, true);
}

static void on_names(void *arg, enum prom_outcome outcome)
{
    struct book *b = arg;
    if (outcome != PROM_REFUSED && !catalog_end_names(&b->catalog, outcome == PROM_CUT)) {
        b->ask.code = "broken";
        buf_puts(&b->ask.error, "The datasource's answer ended in the middle.");
        outcome = PROM_REFUSED;
    }
    if (outcome == PROM_REFUSED) {
        finish(b, false);
        return;
    }
    scoped_buf(form, FORM_BYTES_MAX);
    prom_param_count(&form, "limit", CATALOG_NAMES_MAX);
    prom_param_count(&form, "limit_per_metric", 1);
    struct prom_request request = {
        .method = "GET", .api = "/api/v1/metadata", .form = &form, .timeout_ms = NAMES_TIMEOUT_MS};
    b->ask.on_piece = on_metadata_piece;
    b->ask.on_end = on_metadata;
    prom_ask(&b->ask, b->shelf->tools, b->door, b->token, &request);
}

static void load_names(struct book *b)
{
    scoped_buf(form, FORM_BYTES_MAX);
    prom_param_time(&form, "start", b->start_ms);
    prom_param_time(&form, "end", b->end_ms);
    prom_param_count(&form, "limit", CATALOG_NAMES_MAX + 1);
    struct prom_request request = {.method = "GET",
                                   .api = "/api/v1/label/__name__/values",
                                   .form = &form,
                                   .timeout_ms = NAMES_TIMEOUT_MS};
    b->ask.on_piece = on_name_piece;
    b->ask.on_end = on_names;
    b->ask.arg = b;
    prom_ask(&b->ask, b->shelf->tools, b->door, b->token, &request);
}

/* Visits */

struct shelf_visit *shelf_visit(struct tool_run *r, shelf_fn *fn, void *arg)
{
    struct shelf_visit *v = xcalloc(1, sizeof *v);
    struct book *b = open_book(r->tools->shelf, r);
    v->book = b;
    v->run = r;
    v->fn = fn;
    v->arg = arg;
    list_init(&v->node);
    list_push(&b->visits, &v->node);
    if (b->ready)
        tell(v, true);
    return v;
}

void shelf_leave(struct shelf_visit *v)
{
    if (v == NULL)
        return;
    struct shelf *s = v->book->shelf;
    list_remove(&v->node);
    free(v);
    tidy(s);
}

/* list_metrics */

struct reader {
    struct shelf_visit *visit;
    const struct catalog *catalog;
    struct catalog_search search;
};

static void reader_free(void *state)
{
    struct reader *reader = state;
    catalog_search_free(&reader->search);
    shelf_leave(reader->visit);
    free(reader);
}

static bool search_step(struct tool_run *r)
{
    struct reader *reader = r->state;
    if (catalog_search_step(&reader->search, reader->catalog))
        return true;
    catalog_write(&reader->search, reader->catalog, str_of(r->datasource),
                  r->tools->config.content_bytes_max, &r->content);
    run_done(r);
    return false;
}

static void on_catalog(void *arg, const struct catalog *c, const struct prom_ask *why)
{
    struct tool_run *r = arg;
    struct reader *reader = r->state;
    reader->catalog = c;
    if (c != NULL)
        run_steps(r, search_step);
    else
        prom_fail(r, why);
}

void prom_list_metrics(struct tool_run *r)
{
    struct reader *reader = xcalloc(1, sizeof *reader);
    unsigned limit = (unsigned)args_int(r->args, "limit", PAGE);
    unsigned offset = (unsigned)args_int(r->args, "offset", 0);
    r->state = reader;
    r->state_free = reader_free;
    if (!catalog_search_init(&reader->search, args_str(r->args, "search"), offset, limit)) {
        run_fail(r, "bad_arguments",
                 "A search by words shows its best %d metrics. Use more exact words instead of a "
                 "larger offset.",
                 CATALOG_RANKED_MAX);
        return;
    }
    reader->visit = shelf_visit(r, on_catalog, r);
}
