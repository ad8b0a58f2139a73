/* list_metrics: the metrics that fit some words, best first. */
#include <stdlib.h>
#include "common/check.h"
#include "worker/tools/args.h"
#include "worker/tools/handlers.h"
#include "worker/tools/prometheus/catalog.h"
#include "worker/tools/prometheus/catalog_cache.h"
#include "worker/tools/source.h"

enum { PAGE = 100 };

struct reader {
    struct catalog_cache_use *use;
    const struct catalog *catalog;
    struct catalog_search search;
};

static void reader_free(void *state)
{
    struct reader *reader = state;
    catalog_search_free(&reader->search);
    catalog_cache_leave(reader->use);
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

static void on_catalog(void *arg, const struct catalog *c, const struct source_request *why)
{
    struct tool_run *r = arg;
    struct reader *reader = r->state;
    reader->catalog = c;
    r->partial = r->partial || (c && c->partial);
    if (c != NULL)
        run_steps(r, search_step);
    else
        source_fail(r, why);
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
    reader->use = catalog_cache_use(r, on_catalog, r);
}
