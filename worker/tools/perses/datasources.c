#include "worker/tools/perses/datasources.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "proto/path.h"
#include "worker/tools/args.h"
#include "worker/tools/cache.h"
#include "worker/tools/handlers.h"
#include "worker/tools/rows.h"
#include "worker/tools/text.h"

enum {
    KEPT_MS = 60000,
    LISTINGS_MAX = 256,
    ENTRIES_MAX = 1000, /* datasources of one person */
    TIMEOUT_MS = 10000,
    NAMED = 16,
    ERROR_BYTES_MAX = 1800,
};

struct entry {
    char path[PATH_MAX_BYTES + 1];
    char kind[64], display[76];
    unsigned name_at; /* into path */
    bool by_default;
};
/* What one person may see: loading (global, then projects'), or ready. */
struct listing {
    struct cache_entry cached;
    struct items items;
    struct entry *entries;
    unsigned count, left_out;
    bool projects; /* the second half */
    bool partly, failed, unauthorized;
};
struct datasources_use {
    struct cache_use use;
    struct tool_run *run;
    void (*fn)(struct tool_run *r, const struct listing *s);
};

static void begin(struct cache_entry *e, const struct tool_run *r);
static void clear(struct cache_entry *e);

struct cache *datasources_new(struct tools *t)
{
    static const struct cache_of listings = {
        .size = sizeof(struct listing), .entries_max = LISTINGS_MAX, .load = begin, .clear = clear};
    return cache_new(&listings, t);
}

static struct listing *listing_of(struct cache_entry *e)
{
    return list_of(e, struct listing, cached);
}

static void clear(struct cache_entry *e)
{
    struct listing *s = listing_of(e);
    items_free(&s->items);
    free(s->entries);
}

/* ---- loading ---- */

static void copy(char *to, size_t size, struct str from)
{
    size_t len = from.len < size ? from.len : size - 1;
    memcpy(to, from.len ? from.at : "", len);
    to[len] = '\0';
}

/* {"kind":…,"metadata":{"name","project"},"spec":{"default","display":{"name"},"plugin":{"kind"}}}
 */
static bool on_entity(void *arg, unsigned path, struct str key, json_t *item)
{
    (void)path, (void)key;
    struct listing *s = arg;
    const json_t *metadata = json_object_get(item, "metadata");
    const json_t *spec = json_object_get(item, "spec");
    struct str name = item_str(metadata, "name"), project = item_str(metadata, "project");
    struct entry e = {.by_default = json_is_true(json_object_get(spec, "default"))};
    struct path parsed;
    scoped_buf(b, PATH_MAX_BYTES);
    buf_puts(&b, s->projects ? "/proxy/projects/" : "/proxy/globaldatasources/");
    if (s->projects) {
        buf_add_str(&b, project);
        buf_puts(&b, "/datasources/");
    }
    buf_add_str(&b, name);
    if (b.overflowed || path_parse(buf_str(&b), &parsed) != ERR_NONE)
        return true; /* no name that Perses allows */
    if (s->count == ENTRIES_MAX) {
        s->left_out++;
        return true;
    }
    if ((s->count & (s->count - 1)) == 0) /* a power of two: full */
        s->entries = xrealloc(s->entries, (s->count ? 2 * s->count : 1) * sizeof(*s->entries));
    copy(e.path, sizeof(e.path), buf_str(&b));
    copy(e.kind, sizeof(e.kind), item_str(item_at(spec, "plugin", NULL), "kind"));
    copy(e.display, sizeof(e.display), item_str(item_at(spec, "display", NULL), "name"));
    e.name_at = (unsigned)(b.len - name.len);
    s->entries[s->count++] = e;
    return true;
}

static bool on_piece(void *arg, struct str piece)
{
    return items_feed(&((struct listing *)arg)->items, piece);
}

static void load(struct listing *s);

static void on_end(void *arg, enum source_outcome outcome)
{
    struct listing *s = arg;
    bool whole = outcome == SOURCE_WHOLE && items_whole(&s->items);
    s->unauthorized = s->unauthorized || s->cached.ask.unauthorized;
    s->partly = s->partly || !whole;
    s->failed = !whole && s->count == 0 && (s->projects ? s->failed : true);
    if (s->projects || s->unauthorized) {
        if (s->failed)
            cache_failed(&s->cached);
        else
            cache_ready(&s->cached, KEPT_MS);
        return;
    }
    s->projects = true;
    load(s);
}

static void load(struct listing *s)
{
    static const char *const path[] = {"*"};
    scoped_buf(form, 64);
    struct source_call request = {.method = "GET",
                                  .api = s->projects ? "/api/v1/datasources"
                                                     : "/api/v1/globaldatasources",
                                  .form = &form,
                                  .timeout_ms = TIMEOUT_MS,
                                  .product = "Perses"};
    items_free(&s->items);
    items_init(&s->items, path, 1, on_entity, s);
    s->cached.ask.on_piece = on_piece;
    s->cached.ask.on_end = on_end;
    s->cached.ask.arg = s;
    source_request(&s->cached.ask, s->cached.tools, NULL, s->cached.token, &request);
}

static void begin(struct cache_entry *e, const struct tool_run *r)
{
    (void)r;
    load(listing_of(e));
}

static void on_ready(struct cache_use *u)
{
    struct datasources_use *v = list_of(u, struct datasources_use, use);
    v->fn(v->run, listing_of(u->entry));
}

static void use(struct tool_run *r, void (*fn)(struct tool_run *r, const struct listing *s))
{
    struct datasources_use *v = xcalloc(1, sizeof(*v));
    v->run = r;
    v->fn = fn;
    r->datasources = v;
    cache_use(&v->use, r->tools->datasources, r, on_ready);
}

void datasources_ask(const struct tool_run *r) { cache_open(r->tools->datasources, r); }

/* NULL: it is not listed. */
static const struct entry *entry_of(const struct listing *s, const char *path)
{
    for (unsigned i = 0; i < s->count; i++)
        if (strcmp(s->entries[i].path, path) == 0)
            return &s->entries[i];
    return NULL;
}

static bool lacks(const struct listing *s, const char *const *paths, unsigned path_count,
                  const char *kind)
{
    if (!s->cached.ready || s->partly || s->left_out > 0)
        return false;
    for (unsigned i = 0; i < path_count; i++)
        if (!entry_of(s, paths[i]))
            return false;
    for (unsigned i = 0; i < s->count; i++)
        if (strcmp(s->entries[i].kind, kind) == 0)
            return false;
    return true;
}

bool datasources_lack(const struct cache *c, const struct secret *token, const char *const *paths,
                      unsigned path_count, const char *kind)
{
    const struct cache_entry *e = cache_find(c, token);
    return e && lacks((const struct listing *)e, paths, path_count, kind);
}

bool datasources_differ(const struct cache *c, const struct secret *token, const char *path,
                        const char *kind)
{
    const struct cache_entry *e = cache_find(c, token);
    const struct entry *found = e && e->ready ? entry_of((const struct listing *)e, path) : NULL;
    return found && strcmp(found->kind, kind) != 0;
}

void datasources_leave(struct datasources_use *v)
{
    if (!v)
        return;
    cache_leave(&v->use);
    free(v);
}

/* ---- choosing ---- */

/* "Loki" of "LokiDatasource" */
static int short_kind(const char *kind) { return (int)(strlen(kind) - strlen("Datasource")); }

static void refuse(struct tool_run *r, const struct listing *s, const char *kind,
                   const struct entry *wrong)
{
    struct str wanted = str_of(r->wanted);
    unsigned named = 0;
    scoped_buf(error, ERROR_BYTES_MAX);
    if (wrong)
        buf_printf(&error, "The datasource %s is a %s; this tool needs a %s.", wrong->path,
                   wrong->kind, kind);
    else if (wanted.len > 0) {
        buf_puts(&error, "This person has no datasource ");
        text_json(&error, wanted, 100);
        for (unsigned i = 0; i < r->path_count && i < NAMED; i++)
            buf_printf(&error, "%s%s",
                       i > 0 ? ", " : ", nor has this conversation; it has: ", r->paths[i]);
        buf_puts(&error, ".");
    } else {
        buf_printf(&error, "There is no %.*s datasource that this person may see.",
                   short_kind(kind), kind);
    }
    for (unsigned i = 0; i < s->count && named < NAMED; i++)
        if (strcmp(s->entries[i].kind, kind) == 0)
            buf_printf(&error, "%s%s", named++ > 0 ? ", " : " There are: ", s->entries[i].path);
    if (s->failed)
        buf_puts(&error, " The list of datasources could not be read from Perses.");
    r->unauthorized = s->unauthorized;
    run_fail(r, s->unauthorized ? "unauthorized" : "unknown_datasource", "%s", buf_cstr(&error));
}

/* The more, the earlier the conversation names it; 0: it does not. */
static int in_conversation(const struct tool_run *r, const struct entry *e)
{
    for (unsigned i = 0; i < r->path_count; i++)
        if (strcmp(r->paths[i], e->path) == 0)
            return (int)(r->path_count - i);
    return 0;
}

/* Of one that fits, or -1: it may not be taken. What is named by its path is that; else it is the
 * conversation's first one, then a global one, which an administrator made, then a project's; of
 * these a default one first. A panel's name is found as Perses finds it: in the dashboard's
 * project, then among the global ones, and never in another project. */
static int rank_of(const struct tool_run *r, const struct entry *e)
{
    enum { DEFAULT = 1, GLOBAL = 2, OWN = 4, PICKED = 8 };
    struct path path;
    enum err err = path_parse(str_of(e->path), &path);
    CHECK(err == ERR_NONE);
    bool own = r->panel_project && str_is(path.project, r->panel_project);
    int place = in_conversation(r, e);
    if (r->panel_project && path.project.len > 0 && !own)
        return -1;
    if (!r->panel_project && str_is(str_of(r->wanted), e->path))
        return INT_MAX;
    if (!r->panel_project && place > 0)
        return PICKED + place;
    return (own ? OWN : 0) + (path.project.len == 0 ? GLOBAL : 0) + (e->by_default ? DEFAULT : 0);
}

static const struct entry *choose(const struct tool_run *r, const struct listing *s,
                                  const char *kind, const struct entry **wrong)
{
    const struct entry *best = NULL;
    int best_rank = -1;
    struct str wanted = str_of(r->wanted);
    for (unsigned i = 0; i < s->count; i++) {
        const struct entry *e = &s->entries[i];
        if (wanted.len > 0 && !str_is(wanted, e->path) && !str_is(wanted, e->path + e->name_at))
            continue;
        if (strcmp(e->kind, kind) != 0) {
            *wrong = wanted.len > 0 ? e : NULL;
            continue;
        }
        int rank = rank_of(r, e);
        if (rank > best_rank)
            best = e, best_rank = rank;
    }
    return best;
}

static void on_listing(struct tool_run *r, const struct listing *s)
{
    const char *kind = r->kind; /* of a panel's query for run_panel */
    const struct entry *wrong = NULL, *found = choose(r, s, kind, &wrong);
    if (found) {
        free(r->datasource);
        r->datasource = xstrdup(found->path);
    } else if (wrong || !r->wanted || !r->datasource) {
        refuse(r, s, kind, wrong);
        return;
    }
    run_at_source(r);
}

void datasources_find(struct tool_run *r) { use(r, on_listing); }

/* ---- list_datasources ---- */

static void on_listed(struct tool_run *r, const struct listing *s)
{
    struct str kind = args_str(r->args, "kind");
    struct buf *b = &r->content;
    unsigned total = 0, shown = 0;
    if (s->failed) {
        r->unauthorized = s->unauthorized;
        run_fail(r, s->unauthorized ? "unauthorized" : "unavailable",
                 "The list of datasources could not be read from Perses.");
        return;
    }
    buf_puts(b, "{\"kind\":\"datasources\",\"datasources\":[");
    for (unsigned i = 0; i < s->count; i++) {
        const struct entry *e = &s->entries[i];
        if (kind.len > 0 && !str_starts(str_of(e->kind), kind))
            continue;
        total++;
        if (b->len + 1000 > r->tools->config.content_bytes_max)
            continue;
        buf_puts(b, shown++ > 0 ? ",{" : "{");
        row_text(b, "path", str_of(e->path));
        row_text(b, "kind", str_of(e->kind));
        row_text(b, "display", str_of(e->display));
        if (e->by_default)
            buf_puts(b, ",\"default\":true");
        if (in_conversation(r, e) > 0)
            buf_puts(b, ",\"in_conversation\":true");
        buf_putc(b, '}');
    }
    buf_printf(b, "],\"total\":%u,\"shown\":%u,\"notes\":[", total, shown);
    if (s->partly || s->left_out > 0)
        json_str(b, STR("Not all datasources could be read: there may be more."));
    buf_puts(b, "]}");
    run_done(r);
}

void datasources_list(struct tool_run *r) { use(r, on_listed); }
