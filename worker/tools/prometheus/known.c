#include "worker/tools/prometheus/known.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "worker/tools/cache.h"
#include "worker/tools/items.h"

enum {
    KEPT_MS = 300000,
    FAILED_KEPT_MS = 30000,
    ENTRIES_MAX = 64, /* each below 300 KiB */
    TIMEOUT_MS = 10000,
    NAME_MAX = 200,
    FORM_BYTES_MAX = 64,
};

/* What one person may see of one datasource: loading (rules, then panels), or ready. */
struct entry {
    struct cache_entry cached;
    struct items items;
    struct known known;
    unsigned failed; /* of the two requests */
};
struct known_use {
    struct cache_use use;
    known_fn *fn;
    void *arg;
};

static void load(struct cache_entry *e, const struct tool_run *r);
static void clear(struct cache_entry *e);
static void on_ready(struct cache_use *u);

struct cache *known_cache_new(struct tools *t)
{
    static const struct cache_of known = {.size = sizeof(struct entry),
                                          .entries_max = ENTRIES_MAX,
                                          .of_datasource = true,
                                          .load = load,
                                          .clear = clear};
    return cache_new(&known, t);
}

struct known_use *known_use(struct tool_run *r, known_fn *fn, void *arg)
{
    struct known_use *u = xcalloc(1, sizeof(*u));
    u->fn = fn;
    u->arg = arg;
    cache_use(&u->use, r->tools->known, r, on_ready);
    return u;
}

void known_leave(struct known_use *u)
{
    if (!u)
        return;
    cache_leave(&u->use);
    free(u);
}

static struct entry *entry_of(struct cache_entry *e) { return list_of(e, struct entry, cached); }

static void on_ready(struct cache_use *u)
{
    struct known_use *v = list_of(u, struct known_use, use);
    v->fn(v->arg, &entry_of(u->entry)->known);
}

static void clear(struct cache_entry *cached)
{
    struct entry *e = entry_of(cached);
    items_free(&e->items);
    for (unsigned i = 0; i < e->known.name_count; i++)
        free(e->known.names[i]);
    for (unsigned i = 0; i < e->known.expression_count; i++) {
        free(e->known.expressions[i].name);
        free(e->known.expressions[i].text);
    }
}

/* ---- reading ---- */

static bool name_char(char c) { return isalnum((unsigned char)c) || c == '_' || c == ':'; }

static bool has_name(const struct known *k, struct str name)
{
    for (unsigned i = 0; i < k->name_count; i++)
        if (str_is(name, k->names[i]))
            return true;
    return false;
}

/* The next word that may be a metric's name; functions and labels are none in the catalog. */
static bool next_name(struct str *rest, struct str *name)
{
    while (rest->len > 0 && !name_char(rest->at[0]))
        *rest = str_skip(*rest, 1);
    size_t len = 0;
    while (len < rest->len && name_char(rest->at[len]))
        len++;
    *name = (struct str){rest->at, len};
    *rest = str_skip(*rest, len);
    return len > 0;
}

static void take_names(struct known *k, struct str text)
{
    struct str name;
    while (k->name_count < KNOWN_NAMES_MAX && next_name(&text, &name))
        if (name.len > 2 && name.len < NAME_MAX && !isdigit((unsigned char)name.at[0]) &&
            !has_name(k, name))
            k->names[k->name_count++] = str_dup(name);
}

/* One with variables can't be copied: only its names count. */
static void take(struct known *k, struct str name, struct str text, bool recorded)
{
    take_names(k, text);
    if (text.len == 0 || text.len > KNOWN_EXPRESSION_MAX || name.len == 0 || name.len > NAME_MAX ||
        memchr(text.at, '$', text.len) || k->expression_count == KNOWN_EXPRESSIONS_MAX)
        return;
    k->expressions[k->expression_count++] =
        (struct known_expression){str_dup(name), str_dup(text), recorded};
}

bool known_queries(const struct known_expression *e, struct str metric)
{
    struct str rest = str_of(e->text), name;
    while (next_name(&rest, &name))
        if (str_eq(name, metric))
            return true;
    return false;
}

static bool on_rule(void *arg, unsigned path, struct str key, json_t *item)
{
    (void)path, (void)key;
    struct entry *e = arg;
    bool recorded = str_is(item_str(item, "type"), "recording");
    struct str query = item_str(item, "query");
    if (recorded)
        take(&e->known, item_str(item, "name"), query, true);
    else
        take_names(&e->known, query);
    return true;
}

static bool on_panel(void *arg, unsigned path, struct str key, json_t *item)
{
    (void)path, (void)key;
    struct entry *e = arg;
    const json_t *spec = json_object_get(item, "spec");
    struct str title = item_str(json_object_get(spec, "display"), "name");
    size_t i;
    json_t *query;
    json_array_foreach(json_object_get(spec, "queries"), i, query)
    {
        const json_t *plugin = item_at(query, "spec", "plugin", NULL);
        if (str_is(item_str(plugin, "kind"), "PrometheusTimeSeriesQuery"))
            take(&e->known, title, item_str(json_object_get(plugin, "spec"), "query"), false);
    }
    return true;
}

/* ---- loading ---- */

static bool on_piece(void *arg, struct str piece)
{
    return items_feed(&((struct entry *)arg)->items, piece);
}

static void on_panels(void *arg, enum source_outcome outcome)
{
    struct entry *e = arg;
    e->failed += outcome == SOURCE_REFUSED;
    cache_ready(&e->cached, e->failed == 2 ? FAILED_KEPT_MS : KEPT_MS);
}

static void ask(struct entry *e, const struct door *door, const char *api, items_fn *fn,
                const char *const *paths, void (*on_end)(void *arg, enum source_outcome outcome))
{
    scoped_buf(form, FORM_BYTES_MAX);
    struct source_call call = {
        .method = "GET", .api = api, .form = &form, .timeout_ms = TIMEOUT_MS};
    items_free(&e->items);
    items_init(&e->items, paths, 1, fn, e);
    e->cached.ask.on_piece = on_piece;
    e->cached.ask.on_end = on_end;
    e->cached.ask.arg = e;
    source_request(&e->cached.ask, e->cached.tools, door, e->cached.token, &call);
}

static void on_rules(void *arg, enum source_outcome outcome)
{
    static const char *const paths[] = {"*/spec/panels/*"};
    struct entry *e = arg;
    e->failed += outcome == SOURCE_REFUSED; /* of one that is cut what came is used */
    ask(e, NULL, "/api/v1/dashboards", on_panel, paths, on_panels);
}

static void load(struct cache_entry *e, const struct tool_run *r)
{
    static const char *const paths[] = {"data/groups/*/rules/*"};
    (void)r;
    ask(entry_of(e), e->door, "/api/v1/rules", on_rule, paths, on_rules);
}
