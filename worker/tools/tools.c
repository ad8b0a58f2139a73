#include "worker/tools/tools.h"

#include <stdlib.h>
#include <string.h>
#include "common/audit.h"
#include "common/check.h"
#include "common/json.h"
#include "common/log.h"
#include "proto/path.h"
#include "proto/switches.h"
#include "worker/tools/args.h"
#include "worker/tools/cache.h"
#include "worker/tools/perses/datasources.h"
#include "worker/tools/docs/docs.h"
#include "worker/tools/gate.h"
#include "worker/tools/mcp/mcp.h"
#include "worker/tools/meant.h"
#include "worker/tools/handlers.h"
#include "worker/tools/schema.h"
#include "worker/tools/run.h"
#include "worker/tools/prometheus/catalog_cache.h"
#include "worker/tools/prometheus/known.h"
#include "worker/tools/prometheus/look.h"
#include "worker/tools/text.h"

/* ---- the table ---- */

#define TOOL(name, source, approval, function, description, ...)                                   \
    static const struct tool_arg name##_args[] = {__VA_ARGS__};
#include "worker/tools/tools.def"
#undef TOOL

static struct row {
    struct tool_spec spec; /* schema and approval are made of what follows, once in a process */
    tool_fn *fn, *rehearsal;
    const struct tool_arg *args;
    unsigned arg_count;
    const json_t *schema;
} table[] = {
#define READS NULL
#define ASKS(rehearsal) rehearsal
#define TOOL(name, source, approval, function, description, ...)                                   \
    {{#name, description, NULL, false, TOOL_SOURCE_##source},                                      \
     function,                                                                                     \
     approval,                                                                                     \
     name##_args,                                                                                  \
     sizeof(name##_args) / sizeof(name##_args[0]),                                                 \
     NULL},
#include "worker/tools/tools.def"
#undef TOOL
#undef ASKS
#undef READS
};
enum { TOOL_COUNT = sizeof(table) / sizeof(table[0]), SCHEMA_BYTES_MAX = 8192 };

static void make_schemas(void)
{
    for (unsigned i = 0; i < TOOL_COUNT && table[i].schema == NULL; i++) {
        scoped_buf(text, SCHEMA_BYTES_MAX);
        schema_write(table[i].args, table[i].arg_count, &text);
        CHECK(!text.overflowed);
        table[i].spec.schema_json = str_dup(buf_str(&text));
        table[i].schema = json_loads(table[i].spec.schema_json, 0, NULL);
        CHECK(table[i].schema != NULL);
        /* Not in the table: under the sanitizers a function's address is no constant to compare. */
        table[i].spec.needs_approval = table[i].rehearsal != NULL;
    }
}

const struct tool_spec *tools_specs(const struct tools *t, unsigned *count)
{
    *count = t->offered_count;
    return t->offered;
}

struct str tools_json(const struct tools *t) { return buf_str(&t->list); }

static const struct row *find_own(struct str name)
{
    for (unsigned i = 0; i < TOOL_COUNT; i++)
        if (str_is(name, table[i].spec.name))
            return &table[i];
    return NULL;
}

/* Of MCP servers; NULL: there is none of that name. */
static struct mcp_tool *find_other(const struct tools *t, struct str name)
{
    struct mcp_tool *tool;
    for (unsigned i = 0; (tool = mcp_tool_at(t->mcp, i)) != NULL; i++)
        if (str_is(name, mcp_tool_spec(tool)->name))
            return tool;
    return NULL;
}

/* The tool of a call, ours (or NULL) or another's: by its name, else by what its name means. */
static const struct row *find(const struct tools *t, const struct tool_call *c,
                              struct mcp_tool **other)
{
    const struct row *own = find_own(c->tool_name);
    *other = own ? NULL : find_other(t, c->tool_name);
    if (own == NULL && *other == NULL) {
        const char *meant = meant_tool(c->tool_name, c->arguments);
        own = meant ? find_own(str_of(meant)) : NULL;
    }
    return own;
}

/* False: it would be too much for the list; it is left out. */
static bool offer(struct tools *t, const struct tool_spec *spec)
{
    struct buf *b = &t->list;
    size_t before = b->len;
    buf_puts(b, t->offered_count > 0 ? ",{\"name\":" : "[{\"name\":");
    json_str(b, str_of(spec->name));
    json_field(b, "description", str_of(spec->description));
    json_key(b, "input_schema");
    buf_puts(b, spec->schema_json);
    json_key(b, "read_only");
    buf_puts(b, spec->needs_approval ? "false}" : "true}");
    if (b->overflowed || b->len == b->max_bytes) { /* the last byte is for the ] */
        b->len = before;
        b->overflowed = false;
        return false;
    }
    t->offered[t->offered_count++] = *spec;
    return true;
}

/* What people are told of it; NULL: it is on. */
static const char *is_off(const struct tools *t, const char *name)
{
    return switched_off(t->config.switched, "tool", str_of(name));
}

static void offer_all(struct tools *t)
{
    const struct mcp_tool *tool;
    unsigned others = 0;
    while (mcp_tool_at(t->mcp, others) != NULL)
        others++;
    free(t->offered);
    buf_clear(&t->list);
    t->offered = xcalloc(TOOL_COUNT + others, sizeof(*t->offered));
    t->offered_count = 0;
    for (unsigned i = 0; i < TOOL_COUNT; i++)
        CHECK(is_off(t, table[i].spec.name) || offer(t, &table[i].spec));
    for (unsigned i = 0; (tool = mcp_tool_at(t->mcp, i)) != NULL; i++)
        if (!is_off(t, mcp_tool_spec(tool)->name) && !offer(t, mcp_tool_spec(tool)))
            log_warn("tools.too_many", "tool=%s bytes_max=%d", mcp_tool_spec(tool)->name,
                     TOOLS_JSON_MAX);
    buf_puts(&t->list, t->offered_count > 0 ? "]" : "[]");
}

void tools_switched(struct tools *t) { offer_all(t); }

static void on_mcp_change(void *arg)
{
    struct tools *t = arg;
    offer_all(t);
    if (t->config.on_change)
        t->config.on_change(t->config.on_change_arg);
}

static bool hides(const json_t *v);

/* The arguments of a call that the person is to approve. NULL: the tool asks nobody, or they don't
 * fit. */
static json_t *asking_args(const struct tools *t, struct str name, struct str arguments)
{
    const struct row *own = find_own(name);
    const struct mcp_tool *other = own ? NULL : find_other(t, name);
    const struct tool_spec *spec = other ? mcp_tool_spec(other) : own ? &own->spec : NULL;
    if (spec == NULL || !spec->needs_approval || is_off(t, spec->name))
        return NULL;
    scoped_buf(error, 1024);
    json_t *args =
        args_read(other ? mcp_tool_schema(other) : own->schema, !other, arguments, &error, NULL);
    if (args != NULL && hides(args)) {
        json_decref(args);
        return NULL;
    }
    return args;
}

bool tools_change(struct str name)
{
    const struct row *own = find_own(name);
    return own && own->spec.needs_approval;
}

bool tools_once(const struct tools *t, struct str name)
{
    const struct mcp_tool *other = find_own(name) ? NULL : find_other(t, name);
    return other && !mcp_tool_reads(other); /* our own find what they did before */
}

bool tools_asks(const struct tools *t, struct str name, struct str arguments)
{
    json_auto_t *args = asking_args(t, name, arguments);
    return args != NULL;
}

bool tools_fit(const struct tools *t, struct str name, struct str arguments, struct buf *b)
{
    json_auto_t *args = asking_args(t, name, arguments);
    char *text = args ? json_dumps(args, JSON_COMPACT) : NULL;
    bool fits = text && buf_puts(b, text) && strlen(text) <= ARGS_BYTES_MAX;
    free(text);
    return fits;
}

bool tools_takes(const struct tools *t, struct str name, struct str arguments)
{
    const struct row *own = find_own(name);
    const struct mcp_tool *other = own ? NULL : find_other(t, name);
    scoped_buf(error, 1024);
    if (own == NULL && other == NULL)
        return false;
    json_auto_t *args =
        args_read(other ? mcp_tool_schema(other) : own->schema, !other, arguments, &error, NULL);
    return args != NULL;
}

bool tools_lacks(const struct tools *t, const struct secret *token, const char *const *paths,
                 unsigned path_count, enum tool_source source)
{
    const char *kind = tool_source_kind(source);
    return kind != NULL && datasources_lack(t->datasources, token, paths, path_count, kind);
}

void tools_reach(const struct tools *t, struct str name, struct buf *b)
{
    const struct mcp_tool *other = find_own(name) ? NULL : find_other(t, name);
    if (other)
        mcp_tool_reach(other, b);
}

/* Is there something in it that the person would not see as it is? Browsers round whole numbers
 * beyond 2^53 (RFC 8259, 6). */
static bool hides(const json_t *v)
{
    static const json_int_t exact_max = 9007199254740991;
    const char *key;
    size_t i;
    const json_t *child;
    if (json_is_string(v))
        return text_hides(json_text(v));
    if (json_is_integer(v))
        return json_integer_value(v) > exact_max || json_integer_value(v) < -exact_max;
    json_array_foreach(v, i, child)
    {
        if (hides(child))
            return true;
    }
    json_object_foreach((json_t *)v, key, child)
    {
        if (text_hides(str_of(key)) || hides(child))
            return true;
    }
    return false;
}

static void begin(struct tool_run *r);
static void release(struct tool_run *r);

struct tools *tools_new(const struct tools_config *c)
{
    struct tools *t = xcalloc(1, sizeof(*t));
    t->config = *c;
    t->perses_url = str_dup(str_trim_slashes(str_of(c->perses_url)));
    t->config.perses_url = t->perses_url;
    t->begin = begin;
    t->release = release;
    runs_open(t);
    list_init(&t->saves);
    make_schemas();
    t->catalog_cache = catalog_cache_new(t);
    t->known = known_cache_new(t);
    t->datasources = datasources_new(t);
    t->docs = docs_new(c->loop, c->docs);
    t->mcp = mcp_new(t, c->mcp, on_mcp_change);
    buf_init(&t->list, TOOLS_JSON_MAX);
    offer_all(t);
    return t;
}

void tools_free(struct tools *t)
{
    if (!t)
        return;
    cache_free(t->catalog_cache);
    cache_free(t->known);
    cache_free(t->datasources);
    docs_free(t->docs);
    mcp_free(t->mcp);
    buf_free(&t->list);
    free(t->offered);
    free(t->perses_url);
    runs_close(t);
}

bool tools_leave(struct tools *t) { return mcp_leave(t->mcp); }

bool tools_server(const struct tools *t, unsigned i, struct tools_server *out)
{
    return mcp_server(t->mcp, i, out);
}

bool tools_docs(const struct tools *t, unsigned *files, unsigned *left_out)
{
    return docs_count(t->docs, files, left_out);
}

/* ---- a run's turn ---- */

static void rehearse(struct tool_run *r)
{
    if (r->rehearsal)
        r->rehearsal(r);
    else
        run_rehearsed(r);
}

/* One that asks is rehearsed before the person is asked, and where they have not said yes. A
 * panel's datasource, which may have to be asked about, is found by its function. */
static void go_on(struct tool_run *r)
{
    bool finds = r->spec->source == TOOL_SOURCE_PANEL && r->datasource == NULL;
    bool waits = r->spec->needs_approval && !r->approved;
    if ((r->vet && !finds) || waits)
        rehearse(r);
    else
        r->fn(r);
}

static void begin(struct tool_run *r)
{
    if (r->look_up)
        datasources_find(r);
    else if (r->datasource)
        gate_pass(r, go_on);
    else
        go_on(r);
}

static void release(struct tool_run *r)
{
    datasources_leave(r->datasources);
    gate_leave(r->gate);
    mcp_tool_free(r->mcp);
}

/* ---- checks before a run ---- */

static bool was_offered(const struct tool_call *c, const char *name)
{
    scoped_buf(line, 256);
    buf_printf(&line, "\n%s\n", name);
    return c->offered.len == 0 ||
           memmem(c->offered.at, c->offered.len, buf_cstr(&line), line.len) != NULL;
}

static void refuse_name(struct tool_run *r, const struct tool_call *c)
{
    struct str name = c->tool_name;
    unsigned named = 0;
    const struct tools *t = r->tools;
    scoped_buf(error, 2000);
    buf_puts(&error, "There is no tool ");
    text_json(&error, name, 60);
    const struct tool_spec *nearest = NULL;
    unsigned least = 5;
    for (unsigned i = 0; i < t->offered_count; i++) {
        unsigned distance = text_distance(name, str_of(t->offered[i].name));
        if (distance < least && was_offered(c, t->offered[i].name))
            least = distance, nearest = &t->offered[i];
    }
    if (nearest)
        buf_printf(&error, "; did you mean %s?", nearest->name);
    buf_puts(&error, nearest ? " The tools are: " : ". The tools are: ");
    for (unsigned i = 0; i < t->offered_count; i++)
        if (was_offered(c, t->offered[i].name))
            buf_printf(&error, "%s%s", named++ > 0 ? ", " : "", t->offered[i].name);
    buf_putc(&error, '.');
    run_fail(r, "unknown_tool", "%s", buf_cstr(&error));
}

static void keep_paths(struct tool_run *r, const struct tool_call *c)
{
    r->paths = xcalloc(c->datasource_count + 1, sizeof(*r->paths));
    for (unsigned i = 0; i < c->datasource_count; i++)
        r->paths[r->path_count++] = str_dup(c->datasources[i]);
}

/* It is this one of the conversation's, unless that is of another kind, which would be sent what it
 * can't read: whether it is, is known or not by now. */
static bool picked(struct tool_run *r, const struct tool_call *c, const char *path,
                   struct str wanted)
{
    bool unknown = c->ordered && wanted.len > 0;
    r->datasource = xstrdup(path);
    r->look_up = unknown || datasources_differ(r->tools->datasources, r->token, path, r->kind);
    if (r->look_up && wanted.len > 0)
        r->wanted = str_dup(wanted);
    return true;
}

/* One of the conversation's by path or name; what is not among them, or is of another kind than a
 * Prometheus, is looked up in what the person may see. False: the run has failed. */
static bool pick_datasource(struct tool_run *r, const struct tool_call *c, struct str wanted)
{
    struct path path;
    const char *found = NULL;
    unsigned count = 0;
    r->kind = tool_source_kind(r->spec->source);
    if (!r->kind)
        return true;
    if (strcmp(r->kind, "PrometheusDatasource") != 0) {
        r->wanted = str_dup(wanted);
        r->look_up = true;
        return true;
    }
    for (unsigned i = 0; i < c->datasource_count; i++) {
        bool match = wanted.len == 0 ? i == 0 : str_eq(c->datasources[i], wanted);
        if (path_parse(c->datasources[i], &path) != ERR_NONE)
            continue; /* checked before; checked again where it is used */
        if (match)
            return picked(r, c, r->paths[i], wanted);
        if (str_eq(path.name, wanted)) {
            found = r->paths[i];
            count++;
        }
    }
    if (count == 1)
        return picked(r, c, found, wanted);
    if (count == 0 && wanted.len > 0) {
        r->wanted = str_dup(wanted);
        r->look_up = true;
        return true;
    }
    scoped_buf(error, 8192);
    buf_puts(&error, count > 1 ? "Several datasources have the name "
                               : "This conversation has no datasource ");
    text_json(&error, wanted, 100);
    buf_puts(&error, "; it has: ");
    for (unsigned i = 0; i < c->datasource_count && i < 16; i++) {
        buf_puts(&error, i > 0 ? ", " : "");
        text_clean(&error, c->datasources[i], PATH_MAX_BYTES);
    }
    run_fail(r, "unknown_datasource", "%s", buf_cstr(&error));
    return false;
}

/* Of a tool that needs the person's yes. False: the run has failed. */
static bool may_ask(struct tool_run *r, const struct tool_call *c, const json_t *args)
{
    bool begun = c->approval == APPROVAL_BEGUN;
    r->approved = begun || c->approval == APPROVAL_GIVEN;
    if (hides(args)) {
        run_fail(
            r, "bad_arguments",
            "The arguments hold invisible characters, or whole numbers of more than 15 digits: "
            "the person could not see what they are asked. Write them without.");
        return false;
    }
    if (c->approval == APPROVAL_REFUSED) {
        run_fail(r, "refused_by_person",
                 "The person was asked and said no: this was not done. Don't ask again for the "
                 "same; go on without it.");
        return false;
    }
    if (begun && r->mcp != NULL) {
        run_fail(
            r, "maybe_done",
            "This was begun once, by a process that ended before it had an answer: it may have "
            "been done, and was not sent again. Find out by a tool that reads, and tell the "
            "person.");
        return false;
    }
    if (r->mcp != NULL && !r->approved && !c->vet) {
        run_fail(r, "not_approved", "The person has not approved this: it was not done.");
        return false;
    }
    return true;
}

static void check_call(struct tool_run *r, const struct tool_call *c)
{
    scoped_buf(error, 1024);
    scoped_buf(notes, 512);
    struct mcp_tool *other = NULL;
    const struct row *own = find(r->tools, c, &other);
    if (own == NULL && other == NULL) {
        refuse_name(r, c);
        return;
    }
    if (own != NULL && !str_is(c->tool_name, own->spec.name)) {
        buf_puts(&notes, "There is no tool ");
        text_json(&notes, c->tool_name, 60);
        buf_printf(&notes, "; %s was run, which does that. ", own->spec.name);
    }
    r->mcp = other ? mcp_tool_ref(other) : NULL;
    r->server = other ? mcp_tool_server(other) : NULL;
    r->spec = other ? mcp_tool_spec(other) : &own->spec;
    r->fn = other ? mcp_call : own->fn;
    r->rehearsal = other ? NULL : own->rehearsal;
    const char *off = is_off(r->tools, r->spec->name);
    if (off) {
        run_fail(r, "switched_off",
                 "This tool is switched off by the administrator, who says: %s. Do without it, or "
                 "tell the person so.",
                 off);
        return;
    }
    json_t *args = args_read(other ? mcp_tool_schema(other) : own->schema, !other, c->arguments,
                             &error, &notes);
    if (!args) {
        run_fail(r, "bad_arguments", "%s", buf_cstr(&error));
        return;
    }
    if (r->spec->needs_approval && !may_ask(r, c, args)) {
        json_decref(args);
        return;
    }
    keep_paths(r, c);
    if (!other && !pick_datasource(r, c, args_str(args, "datasource"))) {
        json_decref(args);
        return;
    }
    r->args = args;
    if (notes.len > 0)
        run_remark(r, str_trim(buf_str(&notes)));
    run_wait(r);
}

/* By what the call names alone: one that goes to a datasource which is free needs no look. */
bool tools_vets(const struct tools *t, const struct tool_call *c)
{
    struct mcp_tool *other = NULL;
    const struct row *own = find(t, c, &other);
    scoped_buf(error, 1024);
    if (!own)
        return false;
    if (own->spec.needs_approval || own->spec.source == TOOL_SOURCE_PANEL)
        return true;
    const char *kind = tool_source_kind(own->spec.source);
    if (!kind)
        return false;
    json_auto_t *args = args_read(own->schema, true, c->arguments, &error, NULL);
    struct str wanted = args_str(args, "datasource");
    bool usual = strcmp(kind, "PrometheusDatasource") == 0;
    bool picked = usual && wanted.len == 0;
    for (unsigned i = 0; i < c->datasource_count; i++)
        picked = picked || (usual && str_eq(wanted, c->datasources[i]));
    return args != NULL && !picked;
}

struct tool_run *tool_start(struct tools *t, const struct tool_call *c, tool_done_fn *fn, void *arg)
{
    struct tool_run *r = run_new(t, c, fn, arg);
    if (audit_allows())
        check_call(r, c);
    else
        run_fail(r, "audit_unavailable",
                 "Tools run only while what they do can be written down, and it can't be now: tell "
                 "the person so.");
    return r;
}

struct tool_run *tools_look_up(struct tools *t, const struct tool_call *c, tool_done_fn *fn,
                               void *arg)
{
    static const struct tool_spec look_up = {"look_up", "", "{}", false, TOOL_SOURCE_PROMETHEUS};
    struct path path;
    json_t *args = json_loadb(c->arguments.at, c->arguments.len, JSON_ALLOW_NUL, NULL);
    if (args == NULL || c->datasource_count == 0 ||
        path_parse(c->datasources[0], &path) != ERR_NONE) {
        json_decref(args);
        return NULL;
    }
    struct tool_run *r = run_new(t, c, fn, arg);
    r->spec = &look_up;
    r->fn = prom_look_up;
    r->does_without = true;
    r->args = args;
    r->datasource = str_dup(c->datasources[0]);
    datasources_ask(r);
    run_wait(r);
    return r;
}

void tool_cancel(struct tool_run *r) { run_cancel(r); }
