#include "worker/tools/tools.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/jsontext.h"
#include "common/log.h"
#include "proto/path.h"
#include "worker/tools/args.h"
#include "worker/tools/perses/boards.h"
#include "worker/tools/perses/datasources.h"
#include "worker/tools/docs/docs.h"
#include "worker/tools/perses/draft.h"
#include "worker/tools/gate.h"
#include "worker/tools/line.h"
#include "worker/tools/loki.h"
#include "worker/tools/mcp/mcp.h"
#include "worker/tools/partial.h"
#include "worker/tools/perses/perses.h"
#include "worker/tools/plan.h"
#include "worker/tools/prometheus/prom.h"
#include "worker/tools/run.h"
#include "worker/tools/prometheus/catalog_cache.h"
#include "worker/tools/text.h"

/* The table */

static const struct tool_spec specs[] = {
#define TOOL(name, needs_approval, function, description, ...)                                     \
    {#name, description, #__VA_ARGS__, needs_approval},
#include "worker/tools/tools.def"
#undef TOOL
};
static tool_fn *const functions[] = {
#define TOOL(name, needs_approval, function, description, ...) function,
#include "worker/tools/tools.def"
#undef TOOL
};
enum { TOOL_COUNT = sizeof specs / sizeof specs[0] };

const struct tool_spec *tools_specs(const struct tools *t, unsigned *count)
{
    *count = t->offered_count;
    return t->offered;
}

struct str tools_json(const struct tools *t) { return buf_str(&t->list); }

static const struct tool_spec *find_own(struct str name)
{
    for (unsigned i = 0; i < TOOL_COUNT; i++)
        if (str_is(name, specs[i].name))
            return &specs[i];
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

/* False: it would be too much for the list; it is left out. */
static bool offer(struct tools *t, const struct tool_spec *spec)
{
    struct buf *b = &t->list;
    size_t before = b->len;
    buf_puts(b, t->offered_count > 0 ? ",{\"name\":" : "[{\"name\":");
    json_str(b, str_of(spec->name));
    json_key(b, "description");
    json_str(b, str_of(spec->description));
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

static void offer_all(struct tools *t)
{
    const struct mcp_tool *tool;
    unsigned others = 0;
    while (mcp_tool_at(t->mcp, others) != NULL)
        others++;
    free(t->offered);
    buf_clear(&t->list);
    t->offered = xcalloc(TOOL_COUNT + others, sizeof *t->offered);
    t->offered_count = 0;
    for (unsigned i = 0; i < TOOL_COUNT; i++)
        CHECK(offer(t, &specs[i]));
    for (unsigned i = 0; (tool = mcp_tool_at(t->mcp, i)) != NULL; i++)
        if (!offer(t, mcp_tool_spec(tool)))
            log_warn("tools.too_many", "tool=%s bytes_max=%d", mcp_tool_spec(tool)->name,
                     TOOLS_JSON_MAX);
    buf_putc(&t->list, ']');
}

static void on_mcp_change(void *arg)
{
    struct tools *t = arg;
    offer_all(t);
    if (t->config.on_change)
        t->config.on_change(t->config.on_change_arg);
}

static bool hides(const json_t *v);

/* Parsed once; lives as long as the process. */
static const json_t *schema_of(const struct tool_spec *spec)
{
    static json_t *schemas[TOOL_COUNT];
    size_t i = (size_t)(spec - specs);
    if (schemas[i] == NULL)
        schemas[i] = json_loads(spec->schema_json, 0, NULL);
    CHECK(schemas[i] != NULL);
    return schemas[i];
}

/* The arguments of a call that the person is to approve. NULL: the tool asks nobody, or they don't
 * fit. */
static json_t *asking_args(const struct tools *t, struct str name, struct str arguments)
{
    const struct tool_spec *own = find_own(name);
    const struct mcp_tool *other = own ? NULL : find_other(t, name);
    const struct tool_spec *spec = other ? mcp_tool_spec(other) : own;
    if (spec == NULL || !spec->needs_approval)
        return NULL;
    scoped_buf(error, 1024);
    json_t *args =
        args_read(other ? mcp_tool_schema(other) : schema_of(own), !other, arguments, &error);
    if (args != NULL && hides(args)) {
        json_decref(args);
        return NULL;
    }
    return args;
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

void tools_reach(const struct tools *t, struct str name, struct buf *b)
{
    const struct mcp_tool *other = find_own(name) ? NULL : find_other(t, name);
    if (other != NULL)
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

/* Runs: waiting, running, ended. Callbacks come from on_later only, so never from inside tool_start
 * or from a fetch's callback. */

static void on_later(void *arg);
static void go_on(struct tool_run *r);

struct tools *tools_new(const struct tools_config *c)
{
    struct tools *t = xcalloc(1, sizeof *t);
    t->config = *c;
    struct str url = str_of(c->perses_url);
    while (url.len > 0 && url.at[url.len - 1] == '/')
        url.len--;
    t->perses_url = str_dup(url);
    t->config.perses_url = t->perses_url;
    t->line = line_new(c->running_max);
    list_init(&t->running);
    list_init(&t->ended);
    list_init(&t->saves);
    t->catalog_cache = catalog_cache_new(t);
    t->datasources = datasources_new(t);
    t->docs = docs_new(c->loop, c->docs);
    t->mcp = mcp_new(t, c->mcp, on_mcp_change);
    buf_init(&t->list, TOOLS_JSON_MAX);
    offer_all(t);
    return t;
}

void tools_free(struct tools *t)
{
    if (t == NULL)
        return;
    CHECK(list_empty(&t->running) && list_empty(&t->ended));
    line_free(t->line);
    catalog_cache_free(t->catalog_cache);
    datasources_free(t->datasources);
    docs_free(t->docs);
    mcp_free(t->mcp);
    buf_free(&t->list);
    free(t->offered);
    free(t->perses_url);
    t->closing = true;
    if (!t->later) /* else on_later is still to come */
        free(t);
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

static void later(struct tools *t)
{
    if (t->later)
        return;
    t->later = true;
    loop_later(t->config.loop, on_later, t);
    loop_again(t->config.loop);
}

static int64_t now_ms(const struct tools *t) { return loop_now_ms(t->config.loop); }

static void run_free(struct tool_run *r)
{
    if (r->state_free != NULL)
        r->state_free(r->state);
    line_leave(r->tools->line, &r->ticket, now_ms(r->tools));
    list_remove(&r->node);
    datasources_leave(r->datasources);
    for (unsigned i = 0; i < r->path_count; i++)
        free(r->paths[i]);
    free(r->paths);
    free(r->project);
    free(r->dashboard);
    free(r->panel_project);
    free(r->wanted);
    json_decref(r->args);
    secret_free(r->token);
    buf_free(&r->content);
    buf_free(&r->remarks);
    free(r->call_id);
    gate_leave(r->gate);
    door_free(r->door);
    free(r->grants);
    free(r->ask_source);
    free(r->datasource);
    free(r->owner);
    free(r->timezone);
    mcp_tool_free(r->mcp);
    free(r);
}

static void end(struct tool_run *r)
{
    CHECK(!r->ended);
    r->ended = true;
    list_remove(&r->node);
    list_push(&r->tools->ended, &r->node);
    later(r->tools);
}

void run_done(struct tool_run *r)
{
    if (r->content.overflowed) {
        run_fail(r, "too_large", "The result is too large to be shown. Ask for less.");
        return;
    }
    end(r);
}

void run_refuse(struct tool_run *r, const char *code, const char *error, struct str suggestion)
{
    buf_clear(&r->content);
    buf_puts(&r->content, "{\"kind\":\"error\",\"code\":");
    json_str(&r->content, str_of(code));
    json_key(&r->content, "error");
    json_str(&r->content, str_of(error));
    if (suggestion.len > 0) {
        json_key(&r->content, "suggestion");
        json_str(&r->content, suggestion);
    }
    if (r->partial) {
        buf_puts(&r->content, ",\"partial\":true");
        json_key(&r->content, "note");
        json_str(&r->content, STR(PARTIAL_NOTE));
    }
    buf_putc(&r->content, '}');
    r->failed = true;
    r->invalid = strcmp(code, "unknown_tool") == 0 || strcmp(code, "bad_arguments") == 0;
    end(r);
}

void run_fail(struct tool_run *r, const char *code, const char *format, ...)
{
    char error[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(error, sizeof error, format, args);
    va_end(args);
    run_refuse(r, code, error, (struct str){NULL, 0});
}

void run_remark(struct tool_run *r, struct str text)
{
    size_t before = r->remarks.len;
    if (before > 0)
        buf_putc(&r->remarks, ',');
    text_json(&r->remarks, text, 600);
    if (!r->remarks.overflowed)
        return;
    r->remarks.len = before;
    r->remarks.overflowed = false;
}

void run_steps(struct tool_run *r, bool (*step)(struct tool_run *r))
{
    r->step = step;
    later(r->tools);
}

static void tell(struct tool_run *r)
{
    uint64_t ms = (loop_hr_ns() - r->started_ns) / 1000000;
    struct tool_result result = {
        .content = buf_str(&r->content),
        .failed = r->failed,
        .invalid = r->invalid,
        .unauthorized = r->unauthorized,
        .duration_ms = ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX,
        .datasource = str_of(r->datasource),
        .changes = r->spec && r->spec->needs_approval,
        .ask = r->failed ? ASK_NOTHING : r->ask,
        .ask_source = str_of(r->failed ? NULL : r->ask_source),
    };
    log_info("tool.done", "turn=%s tool=%s failed=%d unauthorized=%d bytes=%zu ms=%u datasource=%s",
             id_log(r->turn), r->spec ? r->spec->name : "unknown", r->failed, r->unauthorized,
             r->content.len, result.duration_ms, log_text(result.datasource));
    r->telling = true; /* a cancel from inside changes nothing */
    r->done(r->arg, &result);
    run_free(r);
}

static void start(struct tool_run *r, int64_t refused_ms)
{
    list_push(&r->tools->running, &r->node);
    if (refused_ms > 0)
        run_fail(r, "silent",
                 "%s gave no answer at all to the last calls, so it is left alone for now; it is "
                 "tried again in %lld s. Use another datasource, or tell the person.",
                 r->mcp ? "The MCP server" : "The datasource",
                 (long long)(refused_ms + 999) / 1000);
    else if (r->look_up)
        datasources_find(r);
    else if (r->datasource != NULL)
        gate_pass(r, go_on);
    else
        go_on(r);
}

/* What can be told of a call without doing it: before the person is asked. */
static void rehearse(struct tool_run *r)
{
    if (r->fn == perses_save_panel)
        perses_try_panel(r);
    else if (r->fn == draft_save_dashboard)
        draft_try_dashboard(r);
    else
        run_rehearsed(r);
}

/* It may be asked: a run_panel that is vetted has its datasource still to be found. */
static void go_on(struct tool_run *r)
{
    bool finds = r->fn == boards_run && r->datasource == NULL;
    if (r->vet && !finds)
        rehearse(r);
    else if (r->spec->needs_approval && !r->approved)
        rehearse(r);
    else
        r->fn(r);
}

void run_rehearsed(struct tool_run *r)
{
    if (r->vet) {
        r->ask = r->spec->needs_approval ? ASK_CALL : ASK_NOTHING;
        run_done(r);
    } else {
        run_fail(r, "not_approved", "The person has not approved this: it was not done.");
    }
}

static void start_waiting(struct tools *t)
{
    struct line_ticket *ticket;
    int64_t refused_ms;
    while ((ticket = line_next(t->line, now_ms(t), &refused_ms)) != NULL)
        start(list_of(ticket, struct tool_run, ticket), refused_ms);
}

/* What may hang for it: its datasource, or the server that has the tool. NULL: Perses alone is
 * asked, or the datasource is to be looked up. */
static const char *lane_of(const struct tool_run *r)
{
    bool only_named = r->spec->needs_approval || strncmp(r->spec->name, "propose_", 8) == 0;
    if (r->mcp != NULL)
        return mcp_tool_server(r->mcp);
    return r->look_up || only_named ? NULL : r->datasource;
}

void run_at_source(struct tool_run *r)
{
    struct tools *t = r->tools;
    r->look_up = false;
    line_leave(t->line, &r->ticket, now_ms(t));
    list_remove(&r->node);
    CHECK(line_join(t->line, &r->ticket, r->owner, lane_of(r), true));
    later(t);
}

/* Each run that has work to do gets one slice of it. */
static void step_running(struct tools *t)
{
    list_each (&t->running, node, tmp) {
        struct tool_run *r = list_of(node, struct tool_run, node);
        if (r->step == NULL)
            continue;
        if (!r->step(r))
            r->step = NULL;
        else
            later(t);
    }
}

static void on_later(void *arg)
{
    struct tools *t = arg;
    t->later = false;
    if (t->closing) {
        free(t);
        return;
    }
    step_running(t);
    start_waiting(t);
    struct list ended; /* those that end from now on are told in the next pass */
    list_init(&ended);
    while (!list_empty(&t->ended)) {
        struct tool_run *r = list_first(&t->ended, struct tool_run, node);
        list_remove(&r->node);
        list_push(&ended, &r->node);
    }
    while (!list_empty(&ended)) {
        struct tool_run *r = list_first(&ended, struct tool_run, node);
        list_remove(&r->node);
        tell(r);
        later(t); /* its room is another's */
    }
}

void tool_cancel(struct tool_run *r)
{
    if (r == NULL || r->telling)
        return;
    struct tools *t = r->tools;
    run_free(r);
    later(t); /* its room is another's */
}

/* Checks before a run */

static void refuse_name(struct tool_run *r, struct str name)
{
    const struct tools *t = r->tools;
    scoped_buf(error, 2000);
    buf_puts(&error, "There is no tool ");
    text_json(&error, name, 60);
    const struct tool_spec *nearest = NULL;
    unsigned least = 5;
    for (unsigned i = 0; i < t->offered_count; i++) {
        unsigned distance = text_distance(name, str_of(t->offered[i].name));
        if (distance < least)
            least = distance, nearest = &t->offered[i];
    }
    if (nearest != NULL)
        buf_printf(&error, "; did you mean %s?", nearest->name);
    buf_puts(&error, " The tools are: ");
    for (unsigned i = 0; i < t->offered_count; i++)
        buf_printf(&error, "%s%s", i > 0 ? ", " : "", t->offered[i].name);
    buf_putc(&error, '.');
    run_fail(r, "unknown_tool", "%s", buf_cstr(&error));
}

static void keep_paths(struct tool_run *r, const struct tool_call *c)
{
    r->paths = xcalloc(c->datasource_count + 1, sizeof *r->paths);
    for (unsigned i = 0; i < c->datasource_count; i++)
        r->paths[r->path_count++] = str_dup(c->datasources[i]);
}

/* One of the conversation's by path or name; what is not among them, or is of another kind than a
 * Prometheus, is looked up in what the person may see. False: the run has failed. */
static bool pick_datasource(struct tool_run *r, const struct tool_call *c, struct str wanted)
{
    struct path path;
    struct str found = {NULL, 0};
    unsigned count = 0;
    r->kind = datasources_kind(r->spec);
    if (r->kind == NULL)
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
        if (match) {
            r->datasource = str_dup(c->datasources[i]);
            return true;
        }
        if (str_eq(path.name, wanted)) {
            found = c->datasources[i];
            count++;
        }
    }
    if (count == 1) {
        r->datasource = str_dup(found);
        return true;
    }
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
    r->approved = c->approval == APPROVAL_GIVEN;
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
    if (r->mcp != NULL && !r->approved && !c->vet) {
        run_fail(r, "not_approved", "The person has not approved this: it was not done.");
        return false;
    }
    return true;
}

static void check_call(struct tool_run *r, const struct tool_call *c)
{
    scoped_buf(error, 1024);
    const struct tool_spec *own = find_own(c->tool_name);
    struct mcp_tool *other = own ? NULL : find_other(r->tools, c->tool_name);
    if (own == NULL && other == NULL) {
        refuse_name(r, c->tool_name);
        return;
    }
    r->mcp = other ? mcp_tool_ref(other) : NULL;
    r->spec = other ? mcp_tool_spec(other) : own;
    r->fn = other ? mcp_call : functions[own - specs];
    json_t *args =
        args_read(other ? mcp_tool_schema(other) : schema_of(own), !other, c->arguments, &error);
    if (args == NULL) {
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
    if (!line_join(r->tools->line, &r->ticket, r->owner, lane_of(r), false)) {
        run_fail(r, "too_many_calls",
                 "Too many calls wait already: this one was not made. Wait for the answers of the "
                 "others, and make fewer at once.");
        return;
    }
    later(r->tools);
}

/* By what the call names alone: one that goes to a datasource which is free needs no look. */
bool tools_vets(const struct tools *t, const struct tool_call *c)
{
    const struct tool_spec *own = find_own(c->tool_name);
    scoped_buf(error, 1024);
    if (own == NULL)
        return false;
    if (own->needs_approval || functions[own - specs] == boards_run)
        return true;
    const char *kind = datasources_kind(own);
    if (kind == NULL)
        return false;
    json_auto_t *args = args_read(schema_of(own), true, c->arguments, &error);
    struct str wanted = args_str(args, "datasource");
    bool usual = strcmp(kind, "PrometheusDatasource") == 0;
    bool picked = usual && wanted.len == 0;
    for (unsigned i = 0; i < c->datasource_count; i++)
        picked = picked || (usual && str_eq(wanted, c->datasources[i]));
    (void)t;
    return args != NULL && !picked;
}

struct tool_run *tool_start(struct tools *t, const struct tool_call *c, tool_done_fn *fn, void *arg)
{
    struct tool_run *r = xcalloc(1, sizeof *r);
    r->tools = t;
    list_init(&r->node);
    buf_init(&r->content, t->config.content_bytes_max);
    buf_init(&r->remarks, 4096);
    r->turn = c->turn;
    r->call_id = str_dup(c->call_id);
    r->owner = str_dup(c->owner);
    r->project = str_dup(path_name_ok(c->project) ? c->project : STR(""));
    r->dashboard = str_dup(path_name_ok(c->dashboard) ? c->dashboard : STR(""));
    r->token = c->token ? secret_ref(c->token) : NULL;
    r->now_ms = c->now_ms;
    r->range_start_ms = c->range_start_ms;
    r->range_end_ms = c->range_end_ms;
    r->timezone = str_dup(c->timezone);
    r->started_ns = loop_hr_ns();
    r->done = fn;
    r->arg = arg;
    r->vet = c->vet;
    r->grants = xcalloc(c->grant_count + 1, sizeof *r->grants);
    r->grant_count = c->grant_count;
    if (c->grant_count > 0)
        memcpy(r->grants, c->grants, c->grant_count * sizeof *r->grants);
    check_call(r, c);
    return r;
}
