#include "worker/tools/cache.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"

enum { FAILED_KEPT_MS = 30000 };

struct cache {
    const struct cache_of *of;
    struct tools *tools;
    struct list entries; /* the one that was used most lately last */
    unsigned count;
};

static void entry_free(struct cache_entry *e);
static bool is_old(const struct cache_entry *e);
static bool is_of(const struct cache_entry *e, const unsigned char token_hash[32]);
static struct cache_entry *find(const struct cache *c, const struct tool_run *r);
static void tidy(struct cache *c);

struct cache *cache_new(const struct cache_of *of, struct tools *t)
{
    struct cache *c = xcalloc(1, sizeof(*c));
    c->of = of;
    c->tools = t;
    list_init(&c->entries);
    return c;
}

void cache_free(struct cache *c)
{
    if (!c)
        return;
    list_each (&c->entries, node, tmp)
        entry_free(list_of(node, struct cache_entry, node));
    free(c);
}

static void entry_free(struct cache_entry *e)
{
    CHECK(list_empty(&e->waiting) && list_empty(&e->using));
    list_remove(&e->node);
    e->cache->count--;
    source_request_free(&e->ask);
    e->cache->of->clear(e);
    secret_free(e->token);
    door_free(e->door);
    free(e);
}

struct cache_entry *cache_open(struct cache *c, const struct tool_run *r)
{
    struct cache_entry *e = find(c, r);
    if (e) {
        list_remove(&e->node);
        list_push(&c->entries, &e->node);
        return e;
    }
    e = xcalloc(1, c->of->size);
    e->cache = c;
    e->tools = c->tools;
    list_init(&e->node);
    list_init(&e->waiting);
    list_init(&e->using);
    secret_hash(secret_reveal(r->token), e->token_hash);
    e->token = r->token ? secret_ref(r->token) : NULL;
    e->door = c->of->of_datasource ? door_ref(r->door) : NULL;
    list_push(&c->entries, &e->node);
    c->count++;
    c->of->load(e, r);
    return e;
}

const struct cache_entry *cache_find(const struct cache *c, const struct secret *token)
{
    unsigned char hash[32];
    secret_hash(secret_reveal(token), hash);
    list_each (&c->entries, node, tmp) {
        const struct cache_entry *e = list_of(node, struct cache_entry, node);
        if (!is_old(e) && !e->failed && is_of(e, hash))
            return e;
    }
    return NULL;
}

static struct cache_entry *find(const struct cache *c, const struct tool_run *r)
{
    unsigned char hash[32];
    secret_hash(secret_reveal(r->token), hash);
    /* the newest first: one that could not be loaded may have been loaded since */
    for (struct list *node = c->entries.prev; node != &c->entries; node = node->prev) {
        struct cache_entry *e = list_of(node, struct cache_entry, node);
        if (!is_old(e) && is_of(e, hash) && (!e->failed || r->does_without) &&
            (!e->door || strcmp(door_path(e->door), r->datasource) == 0) &&
            (!c->of->fits || c->of->fits(e, r)))
            return e;
    }
    return NULL;
}

static bool is_old(const struct cache_entry *e)
{
    return e->ready && loop_now_ms(e->tools->config.loop) - e->ready_ms > e->keep_ms;
}

static bool is_of(const struct cache_entry *e, const unsigned char token_hash[32])
{
    return memcmp(e->token_hash, token_hash, sizeof(e->token_hash)) == 0;
}

void cache_ready(struct cache_entry *e, int64_t keep_ms)
{
    e->ready = true;
    e->ready_ms = loop_now_ms(e->tools->config.loop);
    e->keep_ms = keep_ms;
    secret_free(e->token);
    e->token = NULL;
    e->telling = true; /* who leaves meanwhile does not take it along */
    while (!list_empty(&e->waiting)) {
        struct cache_use *u = list_head(&e->waiting, struct cache_use, node);
        list_remove(&u->node);
        list_push(&e->using, &u->node);
        u->fn(u);
    }
    e->telling = false;
}

void cache_failed(struct cache_entry *e)
{
    e->failed = true;
    cache_ready(e, FAILED_KEPT_MS);
}

/* ---- uses ---- */

void cache_use(struct cache_use *u, struct cache *c, const struct tool_run *r,
               void (*fn)(struct cache_use *u))
{
    struct cache_entry *e = cache_open(c, r);
    u->entry = e;
    u->fn = fn;
    list_init(&u->node);
    list_push(e->ready ? &e->using : &e->waiting, &u->node);
    if (e->ready)
        fn(u);
}

void cache_leave(struct cache_use *u)
{
    list_remove(&u->node);
    tidy(u->entry->cache);
}

/* Those that nobody uses go when they are old, or too many. */
static void tidy(struct cache *c)
{
    size_t bytes = 0;
    list_each (&c->entries, node, tmp)
        bytes += c->of->bytes ? c->of->bytes(list_of(node, struct cache_entry, node)) : 0;
    list_each (&c->entries, node, tmp) {
        struct cache_entry *e = list_of(node, struct cache_entry, node);
        bool used = !list_empty(&e->waiting) || !list_empty(&e->using) || e->telling;
        if (used || !(is_old(e) || c->count > c->of->entries_max ||
                      (c->of->bytes && bytes > c->of->bytes_max)))
            continue;
        bytes -= c->of->bytes ? c->of->bytes(e) : 0;
        entry_free(e);
    }
}
