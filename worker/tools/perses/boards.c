/* The tools that read Perses itself: projects, dashboards, panels. They see what the person may
 * see. */
#include "worker/tools/handlers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/check.h"
#include "common/json.h"
#include "proto/path.h"
#include "worker/tools/args.h"
#include "worker/tools/perses/datasources.h"
#include "worker/tools/moment.h"
#include "worker/tools/rows.h"
#include "worker/tools/span.h"
#include "worker/tools/text.h"
#include "worker/tools/perses/vars.h"
#include "worker/tools/prometheus/name.h"

static void run_query(struct rows *rows);
static void run_whole(struct tool_run *r);

enum {
    FORM_BYTES_MAX = 1024,
    API_BYTES_MAX = 512,
    NAME_MAX_BYTES = 75,
    QUERY_SHOWN = 400,
    QUERY_WHOLE = 8000,
    QUERIES = 6,
    POINTS = 240,
    LOCALS_BYTES_MAX = 8192,
    LOCAL_PATH = 3, /* of run_panel's paths */
};

/* "/api/v1/projects/P/dashboards/D"; without D all of P, without P of all. False: the run failed.
 */
static bool write_api(struct tool_run *r, struct buf *api, bool one)
{
    struct str project = str_trim(args_str(r->args, "project"));
    struct str dashboard = one ? str_trim(args_str(r->args, "dashboard")) : STR("");
    if ((project.len > 0 && !path_name_ok(project)) || (one && !path_name_ok(dashboard))) {
        run_fail(r, "bad_arguments",
                 "The argument \"%s\" is no name: letters, digits, '_', '-' and '.', as "
                 "list_dashboards gives it.",
                 one && !path_name_ok(dashboard) ? "dashboard" : "project");
        return false;
    }
    buf_puts(api, "/api/v1/");
    if (project.len > 0) {
        buf_puts(api, "projects/");
        buf_add_str(api, project);
        buf_putc(api, '/');
    }
    buf_puts(api, "dashboards");
    if (one) {
        buf_putc(api, '/');
        buf_add_str(api, dashboard);
    }
    return true;
}

/* list_projects */

static bool project_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)path, (void)key;
    struct str name = item_str(json_object_get(item, "metadata"), "name");
    struct str display = item_str(item_at(item, "spec", "display", NULL), "name");
    if (!rows_has(r, name) && !rows_has(r, display))
        return false;
    buf_putc(b, '{');
    row_text(b, "name", name);
    row_text(b, "display", display);
    buf_putc(b, '}');
    return true;
}

static const struct rows_spec projects_spec = {
    .kind = "projects",
    .list = "projects",
    .product = "Perses",
    .page = 100,
    .path_count = 1,
    .paths = {"*"},
    .row = project_row,
    .empty = "There is no project that this person may see.",
};

void boards_projects(struct tool_run *r)
{
    scoped_buf(form, FORM_BYTES_MAX);
    rows_ask_perses(rows_new(r, &projects_spec), "/api/v1/projects", &form);
}

/* list_dashboards */

static bool board_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)path, (void)key;
    const json_t *metadata = json_object_get(item, "metadata");
    struct str name = item_str(metadata, "name");
    struct str display = item_str(item_at(item, "spec", "display", NULL), "name");
    if (!rows_has(r, name) && !rows_has(r, display))
        return false;
    buf_putc(b, '{');
    row_text(b, "project", item_str(metadata, "project"));
    row_text(b, "dashboard", name);
    row_text(b, "display", display);
    row_text(b, "description", item_str(item_at(item, "spec", "display", NULL), "description"));
    if (!r->items.item_cut)
        row_number(b, "panels", (double)json_object_size(item_at(item, "spec", "panels", NULL)));
    buf_putc(b, '}');
    return true;
}

static const struct rows_spec boards_spec = {
    .kind = "dashboards",
    .list = "dashboards",
    .product = "Perses",
    .page = 50,
    .path_count = 1,
    .paths = {"*"},
    .row = board_row,
    .empty = "There is no dashboard that this person may see.",
};

void boards_list(struct tool_run *r)
{
    scoped_buf(form, FORM_BYTES_MAX);
    scoped_buf(api, API_BYTES_MAX);
    if (write_api(r, &api, false))
        rows_ask_perses(rows_new(r, &boards_spec), buf_cstr(&api), &form);
}

/* Panels. What is kept while the panels of a dashboard come. */
struct board {
    struct vars vars;
    char project[NAME_MAX_BYTES + 1], name[NAME_MAX_BYTES + 1];
    struct buf display, variables, unknown;
    size_t query_max;
    /* run_panel */
    char *query, *datasource, *query_kind;
    struct buf locals; /* names of the dashboard's own Prometheus datasources, as |a|b| */
    bool found;
    unsigned outside; /* how many places outside of the dashboard were asked for variables */
    json_t *values;   /* of a label */
    uint64_t value_count;
};

static void board_free(void *extra)
{
    struct board *d = extra;
    vars_free(&d->vars);
    buf_free(&d->display);
    buf_free(&d->variables);
    buf_free(&d->unknown);
    buf_free(&d->locals);
    free(d->query);
    free(d->datasource);
    free(d->query_kind);
    json_decref(d->values);
    free(d);
}

static struct board *board_new(struct tool_run *r)
{
    struct board *d = xcalloc(1, sizeof(*d));
    int64_t start, end;
    span_selected(r, 3600000, &start, &end);
    d->vars.end_ms = end;
    d->vars.range_ms = end - start;
    d->vars.step_ms = moment_step((end - start) / POINTS + 1);
    d->vars.project = d->project;
    d->vars.dashboard = d->name;
    d->query_max = QUERY_SHOWN;
    buf_init(&d->display, 400);
    buf_init(&d->variables, 4096);
    buf_init(&d->unknown, 200);
    buf_init(&d->locals, LOCALS_BYTES_MAX);
    return d;
}

static const json_t *query_spec(const json_t *query)
{
    return item_at(query, "spec", "plugin", "spec", NULL);
}

/* Whatever language it is in: query (PromQL, LogQL, TraceQL), else nothing. */
static struct str query_text(const json_t *query) { return item_str(query_spec(query), "query"); }

static void write_queries(struct board *d, const json_t *queries, struct buf *b)
{
    size_t i;
    json_t *query;
    json_key(b, "queries");
    buf_putc(b, '[');
    json_array_foreach(queries, i, query)
    {
        struct str text = query_text(query), unknown = {NULL, 0};
        scoped_buf(whole, QUERY_WHOLE * 2);
        if (i == QUERIES)
            break;
        if (!vars_apply(&d->vars, text, &whole, &unknown) && d->unknown.len == 0)
            text_clean(&d->unknown, unknown, 80);
        buf_puts(b, i > 0 ? ",{" : "{");
        row_text(b, "language", item_str(item_at(query, "spec", "plugin", NULL), "kind"));
        row_long(b, "query", buf_str(&whole), d->query_max);
        row_text(b, "datasource",
                 item_str(json_object_get(query_spec(query), "datasource"), "name"));
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

static void write_panel(struct board *d, struct str id, const json_t *panel, struct buf *b)
{
    const json_t *spec = json_object_get(panel, "spec");
    const json_t *display = json_object_get(spec, "display");
    row_text(b, "panel", id);
    row_text(b, "title", item_str(display, "name"));
    row_text(b, "description", item_str(display, "description"));
    row_text(b, "chart", item_str(json_object_get(spec, "plugin"), "kind"));
    write_queries(d, json_object_get(spec, "queries"), b);
}

/* A title, or a query: what the panel is about. */
static bool panel_has(const struct rows *r, const json_t *panel)
{
    const json_t *spec = json_object_get(panel, "spec");
    size_t i;
    json_t *query;
    if (rows_has(r, item_str(json_object_get(spec, "display"), "name")) ||
        rows_has(r, item_str(json_object_get(spec, "display"), "description")))
        return true;
    json_array_foreach(json_object_get(spec, "queries"), i, query)
    {
        if (rows_has(r, query_text(query)))
            return true;
    }
    return false;
}

static void copy(char *to, size_t size, struct str from)
{
    size_t len = path_name_ok(from) ? from.len : 0;
    memcpy(to, len ? from.at : "", len < size ? len : 0);
    to[len < size ? len : 0] = '\0';
}

/* search_panels: over all dashboards as they arrive */

static bool found_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    struct board *d = r->extra;
    if (path == 0) {
        copy(d->project, sizeof(d->project), item_str(item, "project"));
        copy(d->name, sizeof(d->name), item_str(item, "name"));
        vars_free(&d->vars);
        r->all--;
        return false;
    }
    if (path == 1) {
        vars_read(&d->vars, item);
        r->all--;
        return false;
    }
    if (!panel_has(r, item))
        return false;
    buf_putc(b, '{');
    row_text(b, "project", str_of(d->project));
    row_text(b, "dashboard", str_of(d->name));
    write_panel(d, key, item, b);
    buf_putc(b, '}');
    return true;
}

static const struct rows_spec found_spec = {
    .kind = "panels",
    .list = "panels",
    .product = "Perses",
    .page = 20,
    .path_count = 3,
    .paths = {"*/metadata", "*/spec/variables/*", "*/spec/panels/*"},
    .row = found_row,
    .empty = "There are no panels that this person may see.",
};

void boards_search(struct tool_run *r)
{
    scoped_buf(form, FORM_BYTES_MAX);
    scoped_buf(api, API_BYTES_MAX);
    if (!write_api(r, &api, false))
        return;
    struct rows *rows = rows_new(r, &found_spec);
    rows->extra = board_new(r);
    rows->extra_free = board_free;
    rows_ask_perses(rows, buf_cstr(&api), &form);
}

/* get_dashboard, get_panel, run_panel: one dashboard */

static void take_variable(struct board *d, const json_t *item)
{
    const json_t *spec = json_object_get(item, "spec");
    struct str name = item_str(spec, "name");
    vars_read(&d->vars, item);
    buf_puts(&d->variables, d->variables.len > 0 ? ",{" : "{");
    row_text(&d->variables, "name", name);
    row_text(&d->variables, "from", item_str(json_object_get(spec, "plugin"), "kind"));
    for (unsigned i = 0; i < d->vars.count; i++) {
        scoped_buf(value, QUERY_WHOLE);
        if (!str_is(name, d->vars.all[i].name))
            continue;
        vars_write(&d->vars.all[i], &value);
        row_text(&d->variables, "value", buf_str(&value));
    }
    buf_putc(&d->variables, '}');
}

/* The panel that is asked for: by its id, or by its title. */
static bool is_wanted(const struct rows *r, struct str id, const json_t *panel)
{
    struct str wanted = str_trim(args_str(r->run->args, "panel"));
    struct str title = item_str(item_at(panel, "spec", "display", NULL), "name");
    return wanted.len == 0 || str_eq(wanted, id) ||
           (title.len == wanted.len && strncasecmp(title.at, wanted.at, title.len) == 0);
}

static void keep_query(struct board *d, const struct rows *r, const json_t *panel)
{
    size_t index = (size_t)args_int(r->run->args, "index", 1) - 1;
    const json_t *query = json_array_get(item_at(panel, "spec", "queries", NULL), index);
    if (query == NULL || d->query != NULL)
        return;
    d->query = str_dup(query_text(query));
    d->datasource = str_dup(item_str(json_object_get(query_spec(query), "datasource"), "name"));
    d->query_kind = str_dup(item_str(item_at(query, "spec", "plugin", NULL), "kind"));
}

/* {"default":…,"plugin":{"kind"}} by its name, which goes before those of project and Perses. */
static void take_local(struct board *d, struct str name, const json_t *item)
{
    if (!path_name_ok(name) ||
        !str_is(item_str(json_object_get(item, "plugin"), "kind"), "PrometheusDatasource"))
        return;
    size_t before = d->locals.len;
    if (before == 0)
        buf_putc(&d->locals, '|');
    buf_add_str(&d->locals, name);
    if (!buf_putc(&d->locals, '|')) {
        d->locals.len = before;
        d->locals.overflowed = false;
    }
}

/* Sets r->datasource when the dashboard itself defines the one that the query names. */
static bool find_local(struct tool_run *r, struct board *d)
{
    scoped_buf(named, NAME_MAX_BYTES + 2);
    scoped_buf(path, PATH_MAX_BYTES);
    struct path parsed;
    buf_printf(&named, "|%s|", d->datasource);
    if (named.overflowed || d->datasource[0] == '\0' || d->locals.len == 0 ||
        !strstr(buf_cstr(&d->locals), buf_cstr(&named)))
        return false;
    buf_puts(&path, "/proxy/projects/");
    buf_add_str(&path, str_trim(args_str(r->args, "project")));
    buf_puts(&path, "/dashboards/");
    buf_add_str(&path, str_trim(args_str(r->args, "dashboard")));
    buf_printf(&path, "/datasources/%s", d->datasource);
    if (path.overflowed || path_parse(buf_str(&path), &parsed) != ERR_NONE)
        return false;
    r->datasource = str_dup(buf_str(&path));
    return true;
}

static bool panel_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    struct board *d = r->extra;
    if (path == LOCAL_PATH) {
        take_local(d, key, item);
        r->all--;
        return false;
    }
    if (path < 2) {
        if (path == 0)
            text_clean(&d->display, item_str(item, "name"), 300);
        else
            take_variable(d, item);
        r->all--;
        return false;
    }
    if (!is_wanted(r, key, item))
        return false;
    d->found = true;
    keep_query(d, r, item);
    buf_putc(b, '{');
    write_panel(d, key, item, b);
    buf_putc(b, '}');
    return true;
}

static void board_head(struct rows *r, struct buf *b)
{
    struct board *d = r->extra;
    row_text(b, "project", args_str(r->run->args, "project"));
    row_text(b, "dashboard", args_str(r->run->args, "dashboard"));
    row_text(b, "display", buf_str(&d->display));
    json_key(b, "variables");
    buf_putc(b, '[');
    buf_add_str(b, buf_str(&d->variables));
    buf_putc(b, ']');
    if (d->unknown.len > 0)
        rows_note(r, "The variable %s has no default: give it by variables, as %s=value.",
                  buf_cstr(&d->unknown), buf_cstr(&d->unknown));
}

static const struct rows_spec board_spec = {
    .kind = "dashboard",
    .list = "panels",
    .product = "Perses",
    .page = 40,
    .path_count = 3,
    .paths = {"spec/display", "spec/variables/*", "spec/panels/*"},
    .row = panel_row,
    .head = board_head,
    .empty = "The dashboard has no panels.",
};

static struct rows *ask_board(struct tool_run *r, const struct rows_spec *spec, size_t query_max)
{
    scoped_buf(form, FORM_BYTES_MAX);
    scoped_buf(api, API_BYTES_MAX);
    if (!write_api(r, &api, true))
        return NULL;
    struct rows *rows = rows_new(r, spec);
    struct board *d = board_new(r);
    rows->extra = d;
    rows->extra_free = board_free;
    copy(d->project, sizeof(d->project), str_trim(args_str(r->args, "project")));
    copy(d->name, sizeof(d->name), str_trim(args_str(r->args, "dashboard")));
    d->query_max = query_max;
    if (!vars_parse(&d->vars, args_str(r->args, "variables"))) {
        run_fail(r, "bad_arguments", "The argument \"variables\" must be as env=prod,job=api.");
        return NULL;
    }
    rows_ask_perses(rows, buf_cstr(&api), &form);
    return rows;
}

void boards_get(struct tool_run *r) { ask_board(r, &board_spec, QUERY_SHOWN); }

void boards_panel(struct tool_run *r) { ask_board(r, &board_spec, QUERY_WHOLE); }

/* run_panel: its query goes on as execute_range_query. */

/* What has to be known first keeps d while its own rows end. */
static struct board *take_board(struct rows *rows)
{
    struct board *d = rows->extra;
    rows->extra = NULL;
    rows->extra_free = NULL;
    rows_end(rows);
    return d;
}

static struct rows *rows_of(struct tool_run *r, const struct rows_spec *spec, struct board *take_d)
{
    struct rows *rows = rows_new(r, spec);
    rows->extra = take_d;
    rows->extra_free = board_free;
    return rows;
}

/* A variable of the project, or of all projects: its name is the resource's. */
static bool outside_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)path, (void)key, (void)b;
    struct board *d = r->extra;
    struct str name = item_str(json_object_get(item, "metadata"), "name");
    json_t *variable = json_object_get(item, "spec");
    json_t *spec = json_object_get(variable, "spec");
    if (json_is_object(spec) && name.len > 0) {
        json_object_set_new(spec, "name", json_stringn(name.at, name.len));
        vars_read(&d->vars, variable);
    }
    return false;
}

static const struct rows_spec outside_spec = {
    .kind = "variables",
    .list = "variables",
    .product = "Perses",
    .path_count = 1,
    .paths = {"*"},
    .row = outside_row,
    .then = run_query,
    .optional = true,
};

/* The project's go before those of all projects. */
static void ask_outside(struct tool_run *r, struct board *take_d)
{
    scoped_buf(form, FORM_BYTES_MAX);
    scoped_buf(api, API_BYTES_MAX);
    buf_puts(&api, "/api/v1/");
    if (take_d->outside++ == 0) {
        buf_puts(&api, "projects/");
        buf_add_str(&api, str_trim(args_str(r->args, "project")));
        buf_puts(&api, "/variables");
    } else {
        buf_puts(&api, "globalvariables");
    }
    rows_ask_perses(rows_of(r, &outside_spec, take_d), buf_cstr(&api), &form);
}

/* ---- all values of a label ---- */

static bool value_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)path, (void)key, (void)b;
    struct board *d = r->extra;
    if (d->value_count++ < VARS_VALUES_MAX && json_text(item).len <= VARS_VALUE_MAX)
        json_array_append(d->values, item);
    return false;
}

/* None is no value, not any. */
static void take_values(struct rows *rows)
{
    struct tool_run *r = rows->run;
    struct board *d = take_board(rows);
    struct var *var = vars_open(&d->vars, str_of(d->query));
    CHECK(var != NULL);
    if (json_array_size(d->values) == d->value_count) {
        if (d->value_count == 0)
            json_array_append_new(d->values, json_string(""));
        vars_close(var, d->values);
        d->values = NULL;
    } else {
        scoped_buf(remark, 400);
        buf_printf(&remark,
                   "All of the variable %s is any value here: it has %llu, too many for a query.",
                   var->name, (unsigned long long)d->value_count);
        run_remark(r, buf_str(&remark));
        vars_close(var, NULL);
    }
    r->state = d;
    r->state_free = board_free;
    run_whole(r);
}

static const struct rows_spec values_spec = {
    .kind = "values",
    .list = "values",
    .product = "Prometheus",
    .path_count = 1,
    .paths = {"data/*"},
    .row = value_row,
    .then = take_values,
};

/* As Perses's plugin does: the label's values of the series that fit, in the panel's time. */
static void ask_values(struct tool_run *r, struct board *take_d, const struct var *var)
{
    scoped_buf(form, QUERY_WHOLE);
    scoped_buf(api, API_BYTES_MAX);
    size_t i;
    json_t *match;
    buf_puts(&api, "/api/v1/label/");
    name_segment(&api, item_str(var->open, "labelName"), false);
    buf_puts(&api, "/values");
    json_array_foreach(json_object_get(var->open, "matchers"), i, match)
    {
        scoped_buf(whole, QUERY_WHOLE);
        vars_apply(&take_d->vars, json_text(match), &whole, NULL);
        source_param(&form, "match[]", buf_str(&whole));
    }
    source_param_time(&form, "start", take_d->vars.end_ms - take_d->vars.range_ms);
    source_param_time(&form, "end", take_d->vars.end_ms);
    json_decref(take_d->values);
    take_d->values = json_array();
    take_d->value_count = 0;
    rows_ask(rows_of(r, &values_spec, take_d), buf_cstr(&api), &form);
}

/* At its datasource: with the values that only that knows the query is whole. Those of another
 * datasource stay any. */
static void run_whole(struct tool_run *r)
{
    struct board *d = r->state;
    scoped_buf(whole, QUERY_WHOLE * 2);
    struct var *var;
    r->state = NULL;
    r->state_free = NULL;
    while ((var = vars_open(&d->vars, str_of(d->query))) != NULL) {
        if (str_is(item_str(json_object_get(var->open, "datasource"), "name"), d->datasource)) {
            ask_values(r, d, var);
            return;
        }
        vars_close(var, NULL);
    }
    vars_apply(&d->vars, str_of(d->query), &whole, NULL);
    board_free(d);
    if (whole.overflowed) {
        run_fail(r, "bad_arguments",
                 "With all values of its variables the panel's query is too long: give fewer by "
                 "variables.");
        return;
    }
    json_object_set_new(r->args, "query", json_string(buf_cstr(&whole)));
    r->fn = prom_range_query;
    r->fn(r);
}

static void run_query(struct rows *rows)
{
    enum { OUTSIDE = 2 };
    struct tool_run *r = rows->run;
    struct board *d = rows->extra;
    if (d->query == NULL || d->query[0] == '\0') {
        run_fail(r, "not_found", "%s",
                 d->found ? "The panel has no such query."
                          : "The dashboard has no such panel: get_dashboard lists them.");
        return;
    }
    if (strstr(d->query_kind, "Prometheus") == NULL) {
        struct str kind = str_of(d->query_kind);
        scoped_buf(clean, 200);
        text_clean(&clean, kind, 80);
        run_fail(r, "not_prometheus",
                 "The panel's query is a %s: read it with get_panel and run it with the tool for "
                 "it (loki_query, tempo_search).",
                 buf_cstr(&clean));
        return;
    }
    take_board(rows);
    if (d->outside < OUTSIDE && vars_lack(&d->vars, str_of(d->query))) {
        ask_outside(r, d);
        return;
    }
    r->fn = run_whole;
    r->kind = "PrometheusDatasource";
    r->wanted = d->datasource[0] != '\0' ? xstrdup(d->datasource) : NULL;
    r->panel_project = str_dup(str_trim(args_str(r->args, "project")));
    r->state = d;
    r->state_free = board_free;
    if (find_local(r, d)) {
        run_at_source(r);
    } else if (r->wanted == NULL && r->path_count > 0) {
        r->datasource = xstrdup(r->paths[0]);
        run_at_source(r);
    } else {
        datasources_find(r);
    }
}

static const struct rows_spec run_spec = {
    .kind = "dashboard",
    .list = "panels",
    .product = "Perses",
    .page = 40,
    .path_count = LOCAL_PATH + 1,
    .paths = {"spec/display", "spec/variables/*", "spec/panels/*", "spec/datasources/*"},
    .row = panel_row,
    .then = run_query,
};

void boards_run(struct tool_run *r) { ask_board(r, &run_spec, QUERY_SHOWN); }
