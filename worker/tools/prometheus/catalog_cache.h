/* worker/tools/prometheus/catalog_cache.h: the catalogs of metrics that were read lately, one for
 * each datasource and person; list_metrics reads them.
 *
 * Models list metrics several times in a row and at once: those calls share one load. A catalog is
 * used for a minute, a small one for 10 s. Nobody sees what another person's token read: the
 * token's keyed hash is part of the key. Bounded by number and bytes, the oldest goes first. */
#ifndef WORKER_TOOLS_PROMETHEUS_CATALOG_CACHE_H
#define WORKER_TOOLS_PROMETHEUS_CATALOG_CACHE_H

struct cache;
struct tools;
struct tool_run;
struct catalog;
struct source_request;

struct cache *catalog_cache_new(struct tools *t);

/* A run that wants the catalog of its datasource. The callback comes once, maybe at once; c is
 * valid until catalog_cache_leave. c NULL: it could not be read, and why. */
struct catalog_cache_use;
typedef void catalog_cache_fn(void *arg, const struct catalog *c, const struct source_request *why);
struct catalog_cache_use *catalog_cache_use(struct tool_run *r, catalog_cache_fn *fn, void *arg);
void catalog_cache_leave(struct catalog_cache_use *v); /* NULL is fine */

#endif
