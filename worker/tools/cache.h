/* worker/tools/cache.h: what was read lately, for each person and, where it is of one, each
 * datasource. Calls that want the same at once share one load.
 *
 * Nobody sees what another person's token read: the token's keyed hash is part of the key. Bounded
 * by number and bytes; of those that nobody uses the one that was used least lately goes first.
 * Inside worker/tools only. */
#ifndef WORKER_TOOLS_CACHE_H
#define WORKER_TOOLS_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/list.h"
#include "worker/tools/run.h"
#include "worker/tools/source.h"

/* What a kind of entry begins with. It loads, once, and is ready then. */
struct cache_entry {
    struct cache *cache;
    struct tools *tools;
    struct list node, waiting, using;
    unsigned char token_hash[32];
    struct secret *token; /* only while it loads */
    struct door *door;    /* NULL: it is of no datasource */
    struct source_request ask;
    bool ready, telling;
    bool failed; /* kept for runs that do without it alone */
    int64_t ready_ms, keep_ms;
};
struct cache_of {
    size_t size; /* of an entry */
    unsigned entries_max;
    size_t bytes_max; /* 0: each is small */
    bool of_datasource;
    /* Asks for it, by e->ask with e->token and e->door; what comes ends with cache_ready. */
    void (*load)(struct cache_entry *e, const struct tool_run *r);
    void (*clear)(struct cache_entry *e); /* frees what the kind has */
    /* Would this one do for the run, too? NULL: always. */
    bool (*fits)(const struct cache_entry *e, const struct tool_run *r);
    size_t (*bytes)(const struct cache_entry *e); /* NULL: each is small */
};
struct cache *cache_new(const struct cache_of *of, struct tools *t);
void cache_free(struct cache *c); /* NULL is fine; nobody uses an entry any more */
/* The one that the run needs; begins to load it where there is none. */
struct cache_entry *cache_open(struct cache *c, const struct tool_run *r);
/* Of a person, if one is there; nothing is loaded. */
const struct cache_entry *cache_find(const struct cache *c, const struct secret *token);
/* It is loaded, or could not be: those who wait are told, in the order in which they came. keep_ms:
 * how long it may be used; below 0: by none but them. */
void cache_ready(struct cache_entry *e, int64_t keep_ms);
/* It could not be loaded. Who waits is told, as are, for half a minute, runs that do without: what
 * is forbidden or away is not asked for by each turn. Whoever needs it has it loaded anew. */
void cache_failed(struct cache_entry *e);

/* Who waits for an entry or reads it. Embedded; fn is called once, maybe at once. */
struct cache_use {
    struct list node;
    struct cache_entry *entry;
    void (*fn)(struct cache_use *u);
};
void cache_use(struct cache_use *u, struct cache *c, const struct tool_run *r,
               void (*fn)(struct cache_use *u));
void cache_leave(struct cache_use *u);

#endif
