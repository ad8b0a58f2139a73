#include "worker/tools/perses/board.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/json.h"
#include "common/pattern.h"
#include "proto/path.h"
#include "worker/tools/args.h"
#include "worker/tools/moment.h"
#include "worker/tools/span.h"
#include "worker/tools/text.h"

enum {
    FORM_BYTES_MAX = 1024,
    API_BYTES_MAX = 512,
    QUERIES = 6,
    POINTS = 240,
    LOCALS_BYTES_MAX = 8192,
    LACKING_BYTES_MAX = 16384,
};

/* Outside of the dashboard; the nearer first. */
static const char *const places[] = {"project", "all projects"};
enum { PLACES = sizeof(places) / sizeof(places[0]) };

void board_free(void *extra)
{
    struct board *d = extra;
    vars_free(&d->vars);
    buf_free(&d->display);
    buf_free(&d->variables);
    buf_free(&d->unknown);
    buf_free(&d->lacking);
    buf_free(&d->any);
    buf_free(&d->label);
    buf_free(&d->locals);
    free(d->query);
    free(d->datasource);
    free(d->query_kind);
    json_decref(d->values);
    pattern_free(d->pattern);
    free(d);
}

struct board *board_new(struct tool_run *r)
{
    struct board *d = xcalloc(1, sizeof(*d));
    int64_t start, end;
    span_selected(r, 3600000, &start, &end);
    d->vars.end_ms = end;
    d->vars.range_ms = end - start;
    d->vars.step_ms = moment_step((end - start) / POINTS + 1);
    d->vars.project = d->project;
    d->vars.dashboard = d->name;
    d->vars.keep_any = true;
    d->query_max = BOARD_QUERY_SHOWN;
    buf_init(&d->display, 400);
    buf_init(&d->variables, 4096);
    buf_init(&d->unknown, 200);
    buf_init(&d->lacking, LACKING_BYTES_MAX);
    buf_init(&d->any, 200);
    buf_init(&d->label, VARS_VALUE_MAX);
    buf_init(&d->locals, LOCALS_BYTES_MAX);
    return d;
}

static void copy(char *to, size_t size, struct str from)
{
    size_t len = path_name_ok(from) ? from.len : 0;
    memcpy(to, len ? from.at : "", len < size ? len : 0);
    to[len < size ? len : 0] = '\0';
}

void board_place(struct board *d, struct str project, struct str name)
{
    copy(d->project, sizeof(d->project), project);
    copy(d->name, sizeof(d->name), name);
}

static const json_t *query_spec(const json_t *query)
{
    return item_at(query, "spec", "plugin", "spec", NULL);
}

struct str board_query_text(const json_t *query) { return item_str(query_spec(query), "query"); }

struct str board_source(const json_t *spec)
{
    const json_t *source = json_object_get(spec, "datasource");
    return json_is_string(source) ? json_text(source) : item_str(source, "name");
}

/* The first is named; whether it has a value outside of the dashboard is found out. */
static void take_unknown(struct board *d, struct str text, struct str unknown)
{
    if (d->unknown.len == 0)
        text_clean(&d->unknown, unknown, 80);
    buf_add_str(&d->lacking, text);
    buf_putc(&d->lacking, ' ');
}

static void write_queries(struct board *d, const json_t *queries, struct buf *b)
{
    size_t i;
    json_t *query;
    json_key(b, "queries");
    buf_putc(b, '[');
    json_array_foreach(queries, i, query)
    {
        struct str text = board_query_text(query), unknown = {NULL, 0};
        scoped_buf(whole, BOARD_QUERY_WHOLE * 2);
        if (i == QUERIES)
            break;
        if (!vars_apply(&d->vars, text, &whole, &unknown) && unknown.len > 0)
            take_unknown(d, text, unknown);
        const struct var *any = d->any.len == 0 ? vars_any(&d->vars, text) : NULL;
        if (any)
            buf_puts(&d->any, any->name);
        buf_puts(b, i > 0 ? ",{" : "{");
        row_text(b, "language", item_str(item_at(query, "spec", "plugin", NULL), "kind"));
        row_long(b, "query", buf_str(&whole), d->query_max);
        row_text(b, "datasource", board_source(query_spec(query)));
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

void board_note_any(struct rows *r)
{
    struct board *d = r->extra;
    if (d->any.len > 0)
        rows_note(r,
                  "$%s is all of its values, which only its datasource knows: run_panel puts them "
                  "in. Any value (.*) can be more than the dashboard shows.",
                  buf_cstr(&d->any));
}

void board_panel(struct board *d, struct str id, const json_t *panel, struct buf *b)
{
    const json_t *spec = json_object_get(panel, "spec");
    const json_t *display = json_object_get(spec, "display");
    row_text(b, "panel", id);
    row_text(b, "title", item_str(display, "name"));
    row_text(b, "description", item_str(display, "description"));
    row_text(b, "chart", item_str(json_object_get(spec, "plugin"), "kind"));
    write_queries(d, json_object_get(spec, "queries"), b);
}

bool board_api(struct tool_run *r, struct buf *api, bool one)
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

/* from: the place outside of the dashboard that it is of; NULL: the dashboard. */
static void take_variable(struct board *d, const json_t *item, const char *from)
{
    const json_t *spec = json_object_get(item, "spec");
    struct str name = item_str(spec, "name");
    size_t before = d->variables.len;
    scoped_buf(value, BOARD_QUERY_WHOLE);
    vars_read(&d->vars, item);
    struct var *var = vars_find(&d->vars, name);
    if (var && var->told)
        return;
    buf_puts(&d->variables, before > 0 ? ",{" : "{");
    row_text(&d->variables, "name", name);
    if (from)
        row_text(&d->variables, "of", str_of(from));
    row_text(&d->variables, "from", item_str(json_object_get(spec, "plugin"), "kind"));
    if (var) {
        var->told = true;
        if (var->any)
            buf_puts(&value, VARS_ALL);
        else
            vars_write(var, &value);
        row_text(&d->variables, "value", buf_str(&value));
    }
    buf_putc(&d->variables, '}');
    if (d->variables.overflowed) {
        d->variables.len = before;
        d->variables.overflowed = false;
        d->more = true;
    }
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
    d->query = str_dup(board_query_text(query));
    d->datasource = str_dup(board_source(query_spec(query)));
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

bool board_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    enum { DISPLAY, VARIABLES, PANELS, LOCALS }; /* of BOARD_PATHS and BOARD_LOCALS */
    struct board *d = r->extra;
    if (path != PANELS) {
        if (path == LOCALS)
            take_local(d, key, item);
        else if (path == DISPLAY && d->outside == 0)
            text_clean(&d->display, item_str(item, "name"), 300);
        else if (path == VARIABLES && d->outside == 0)
            take_variable(d, item, NULL);
        r->all--;
        return false;
    }
    if (!is_wanted(r, key, item))
        return false;
    d->found = true;
    keep_query(d, r, item);
    buf_putc(b, '{');
    board_panel(d, key, item, b);
    buf_putc(b, '}');
    return true;
}

void board_begin(struct tool_run *r, const struct rows_spec *spec, size_t query_max,
                 bool (*known)(struct rows *rows))
{
    struct board *d = board_new(r);
    d->query_max = query_max;
    d->known = known;
    if (vars_parse(&d->vars, args_str(r->args, "variables"))) {
        board_ask(r, spec, d);
        return;
    }
    board_free(d);
    run_fail(r, "bad_arguments", "The argument \"variables\" must be as env=prod,job=api.");
}

void board_ask(struct tool_run *r, const struct rows_spec *spec, struct board *take_d)
{
    scoped_buf(form, FORM_BYTES_MAX);
    scoped_buf(api, API_BYTES_MAX);
    struct rows *rows = board_rows(r, spec, take_d);
    if (!board_api(r, &api, true))
        return;
    board_place(take_d, str_trim(args_str(r->args, "project")),
                str_trim(args_str(r->args, "dashboard")));
    buf_clear(&take_d->unknown);
    buf_clear(&take_d->lacking);
    buf_clear(&take_d->any);
    rows_ask_perses(rows, buf_cstr(&api), &form);
}

/* ---- the variables of the project and of all projects ---- */

struct board *board_take(struct rows *rows)
{
    struct board *d = rows->extra;
    rows->extra = NULL;
    rows->extra_free = NULL;
    rows_end(rows);
    return d;
}

struct rows *board_rows(struct tool_run *r, const struct rows_spec *spec, struct board *take_d)
{
    struct rows *rows = rows_new(r, spec);
    rows->extra = take_d;
    rows->extra_free = board_free;
    return rows;
}

/* Its name is the resource's; the nearer one of a name counts. */
static bool outside_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)path, (void)key, (void)b;
    struct board *d = r->extra;
    struct str name = item_str(json_object_get(item, "metadata"), "name");
    json_t *variable = json_object_get(item, "spec");
    json_t *spec = json_object_get(variable, "spec");
    if (json_is_object(spec) && name.len > 0) {
        json_object_set_new(spec, "name", json_stringn(name.at, name.len));
        take_variable(d, variable, places[d->outside - 1]);
    }
    return false;
}

static bool outside_known(struct rows *rows)
{
    const struct board *d = rows->extra;
    return d->known(rows);
}

static const struct rows_spec outside_spec = {
    .kind = "variables",
    .list = "variables",
    .product = "Perses",
    .path_count = 1,
    .paths = {"*"},
    .row = outside_row,
    .then = outside_known,
    .optional = true,
};

bool board_lacks(const struct board *d, struct str text)
{
    return d->outside < PLACES && vars_lack(&d->vars, text);
}

void board_ask_outside(struct tool_run *r, struct board *take_d)
{
    scoped_buf(form, FORM_BYTES_MAX);
    scoped_buf(api, API_BYTES_MAX);
    if (take_d->outside++ == 0)
        buf_printf(&api, "/api/v1/projects/%s/variables", take_d->project);
    else
        buf_puts(&api, "/api/v1/globalvariables");
    rows_ask_perses(board_rows(r, &outside_spec, take_d), buf_cstr(&api), &form);
}
