/* run_panel: a panel's query goes on as execute_range_query, when what has to be known first is
 * known: its variables of outside, then all values of those that only the datasource knows. */
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "common/pattern.h"
#include "proto/path.h"
#include "worker/tools/args.h"
#include "worker/tools/handlers.h"
#include "worker/tools/perses/board.h"
#include "worker/tools/perses/datasources.h"
#include "worker/tools/prometheus/guard.h"
#include "worker/tools/prometheus/name.h"
#include "worker/tools/text.h"

enum { API_BYTES_MAX = 512 };
/* What a capturingRegexp may take for all values of a variable: whoever may edit a dashboard wrote
 * it, and one that tries all ways through a value takes a search's whole limit for each. */
enum { CAPTURE_NS_MAX = 50 * 1000 * 1000 };

static void run_whole(struct tool_run *r);

/* ---- all values of an open variable ---- */

static bool is_slow(const struct board *d) { return d->capture_ns > CAPTURE_NS_MAX; }

/* What the groups of a capturingRegexp took, as Perses joins it. */
static void capture(struct board *d, struct str value, struct buf *part)
{
    enum pattern_found found = PATTERN_FOUND;
    size_t begin, end = 0;
    while (found == PATTERN_FOUND && !is_slow(d)) {
        uint64_t since_ns = loop_hr_ns();
        found = pattern_find(d->pattern, value, end, &begin, &end);
        d->capture_ns += loop_hr_ns() - since_ns;
        if (found == PATTERN_FOUND)
            pattern_groups(d->pattern, value, part);
    }
}

static void add_value(struct board *d, struct str value)
{
    scoped_buf(part, 2 * VARS_VALUE_MAX);
    if (value.len > VARS_VALUE_MAX)
        return;
    if (d->pattern)
        capture(d, value, &part);
    else
        buf_add_str(&part, value);
    if ((part.len > 0 || !d->pattern) && !part.overflowed)
        json_object_set_new(d->values, buf_cstr(&part), json_null());
}

static bool value_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)path, (void)key, (void)b;
    struct board *d = r->extra;
    if (d->label.len == 0)
        add_value(d, json_text(item));
    else if (json_object_get(item, buf_cstr(&d->label)))
        add_value(d, item_str(item, buf_cstr(&d->label)));
    return false;
}

/* None is no value, not any. */
static json_t *values_of(struct board *d)
{
    json_t *values = json_array(), *value;
    const char *text;
    json_object_foreach(d->values, text, value) json_array_append_new(values, json_string(text));
    if (json_array_size(values) == 0)
        json_array_append_new(values, json_string(""));
    return values;
}

static bool take_values(struct rows *rows)
{
    struct tool_run *r = rows->run;
    struct board *d = board_take(rows);
    struct var *var = vars_open(&d->vars, str_of(d->query));
    CHECK(var != NULL);
    size_t count = json_object_size(d->values);
    if (count <= VARS_VALUES_MAX && !is_slow(d)) {
        vars_close(var, values_of(d));
    } else {
        scoped_buf(remark, 400);
        buf_printf(&remark, "All of the variable %s is any value here: ", var->name);
        if (is_slow(d))
            buf_puts(&remark, "its capturingRegexp takes too long.");
        else
            buf_printf(&remark, "it has %zu, too many for a query.", count);
        run_remark(r, buf_str(&remark));
        d->any_said = true;
        vars_close(var, NULL);
    }
    r->state = d;
    r->state_free = board_free;
    run_whole(r);
    return true;
}

#define VALUES(path)                                                                               \
    {                                                                                              \
        .kind = "values", .list = "values", .product = "Prometheus", .path_count = 1,              \
        .paths = {path}, .row = value_row, .then = take_values,                                    \
    }
static const struct rows_spec values_spec = VALUES("data/*");
static const struct rows_spec series_spec = VALUES("data/result/*/metric");

static void apply(const struct board *d, struct str text, struct buf *out)
{
    vars_apply(&d->vars, text, out, NULL);
}

/* A query of nothing that costs more than a panel's. False: it is refused. */
static bool write_expression(struct tool_run *r, const struct board *d, const json_t *spec,
                             struct buf *form)
{
    const struct tools_config *c = &r->tools->config;
    const struct guard_limits limits = {.series_max = c->series_max, .points_max = c->points_max};
    const struct guard_range moment = {.end_ms = r->now_ms};
    scoped_buf(whole, BOARD_QUERY_WHOLE);
    struct guard_query q;
    apply(d, item_str(spec, "expr"), &whole);
    if (whole.overflowed ||
        !(guard_read(&q, buf_str(&whole)) || guard_read_loosely(&q, buf_str(&whole))) ||
        !guard_subqueries(&q, &moment, &limits))
        return false;
    source_param(form, "query", buf_str(&whole));
    return true;
}

/* In the panel's time. */
static void write_matchers(const struct board *d, const json_t *spec, struct buf *form)
{
    size_t i;
    json_t *match;
    json_array_foreach(json_object_get(spec, "matchers"), i, match)
    {
        scoped_buf(whole, BOARD_QUERY_WHOLE);
        apply(d, json_text(match), &whole);
        source_param(form, "match[]", buf_str(&whole));
    }
    source_param_time(form, "start", d->vars.end_ms - d->vars.range_ms);
    source_param_time(form, "end", d->vars.end_ms);
}

/* As Perses's plugins do, which ask a PromQL query as of now. False: it can't be asked. */
static bool ask_values(struct tool_run *r, struct board *d, const struct var *var)
{
    scoped_buf(form, 2 * BOARD_QUERY_WHOLE);
    scoped_buf(api, API_BYTES_MAX);
    scoped_buf(label, VARS_VALUE_MAX);
    const json_t *spec = json_object_get(var->open, "spec");
    struct str kind = item_str(var->open, "kind"), part = item_str(var->open, "capturingRegexp");
    char error[160];
    pattern_free(d->pattern);
    d->capture_ns = 0;
    d->pattern = part.len > 0 ? pattern_new(part, error) : NULL;
    apply(d, item_str(spec, "labelName"), &label);
    bool query = str_is(kind, "PrometheusPromQLVariable");
    bool names = str_is(kind, "PrometheusLabelNamesVariable");
    if ((part.len > 0 && !d->pattern) || (label.len == 0 && !names) ||
        (query && !write_expression(r, d, spec, &form)))
        return false;
    buf_puts(&api, query ? "/api/v1/query" : names ? "/api/v1/labels" : "/api/v1/label/");
    if (!query && !names) {
        name_segment(&api, buf_str(&label), false);
        buf_puts(&api, "/values");
    }
    if (!query)
        write_matchers(d, spec, &form);
    if (api.overflowed || form.overflowed)
        return false;
    buf_clear(&d->label);
    buf_add_str(&d->label, query ? buf_str(&label) : STR(""));
    json_decref(d->values);
    d->values = json_object();
    rows_ask(board_rows(r, query ? &series_spec : &values_spec, d), buf_cstr(&api), &form);
    return true;
}

/* ---- the query ---- */

/* What runs may be of more than the dashboard shows. */
static void remark_any(struct tool_run *r, const struct board *d)
{
    const struct var *var = vars_any(&d->vars, str_of(d->query));
    scoped_buf(remark, 400);
    if (!var || d->any_said)
        return;
    buf_printf(&remark,
               "All of the variable %s is any value here, since its values could not be found "
               "out: this can be more than the dashboard shows. Give its values by variables.",
               var->name);
    run_remark(r, buf_str(&remark));
}

/* A datasource's name, where it may be a variable ("$source"): of one with several values, or none,
 * it is the default, as Perses has it. False: it is that. */
static bool name_source(const struct board *d, struct str text, struct buf *name)
{
    bool known = vars_apply(&d->vars, text, name, NULL);
    if (known && path_name_ok(buf_str(name)))
        return true;
    buf_clear(name);
    return text.len == 0;
}

static bool is_there(const struct board *d, const struct var *var)
{
    scoped_buf(name, VARS_VALUE_MAX);
    name_source(d, board_source(json_object_get(var->open, "spec")), &name);
    return str_is(buf_str(&name), d->datasource);
}

static void settle_source(struct tool_run *r, struct board *d)
{
    scoped_buf(name, VARS_VALUE_MAX);
    if (!name_source(d, str_of(d->datasource), &name)) {
        scoped_buf(remark, 400);
        buf_puts(&remark, "The panel's datasource is the variable ");
        text_clean(&remark, str_of(d->datasource), 80);
        buf_puts(&remark, ", which has not one name as its value: the default was asked. Give it "
                          "by variables.");
        run_remark(r, buf_str(&remark));
    }
    free(d->datasource);
    d->datasource = str_dup(buf_str(&name));
}

/* At its datasource: with the values that only that knows the query is whole. Those of another
 * datasource stay any. */
static void run_whole(struct tool_run *r)
{
    struct board *d = r->state;
    scoped_buf(whole, BOARD_QUERY_WHOLE * 2);
    struct var *var;
    r->state = NULL;
    r->state_free = NULL;
    while ((var = vars_open(&d->vars, str_of(d->query))) != NULL) {
        if (is_there(d, var) && ask_values(r, d, var))
            return;
        vars_close(var, NULL);
    }
    vars_apply(&d->vars, str_of(d->query), &whole, NULL);
    remark_any(r, d);
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

/* Sets r->datasource when the dashboard itself defines the one that the query names. */
static bool find_local(struct tool_run *r, struct board *d)
{
    scoped_buf(named, BOARD_NAME_MAX + 2);
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

static void run_at(struct tool_run *r, struct board *take_d)
{
    settle_source(r, take_d);
    r->fn = run_whole;
    r->kind = "PrometheusDatasource";
    r->wanted = take_d->datasource[0] != '\0' ? xstrdup(take_d->datasource) : NULL;
    r->panel_project = str_dup(str_trim(args_str(r->args, "project")));
    r->state = take_d;
    r->state_free = board_free;
    if (find_local(r, take_d)) {
        run_at_source(r);
    } else if (r->wanted == NULL && r->path_count > 0) {
        r->datasource = xstrdup(r->paths[0]);
        run_at_source(r);
    } else {
        datasources_find(r);
    }
}

static bool run_query(struct rows *rows)
{
    struct tool_run *r = rows->run;
    struct board *d = rows->extra;
    d->vars.keep_any = false;
    if (d->query == NULL || d->query[0] == '\0') {
        run_fail(r, "not_found", "%s",
                 d->found ? "The panel has no such query."
                          : "The dashboard has no such panel: get_dashboard lists them.");
        return true;
    }
    if (strstr(d->query_kind, "Prometheus") == NULL) {
        struct str kind = str_of(d->query_kind);
        scoped_buf(clean, 200);
        text_clean(&clean, kind, 80);
        run_fail(r, "not_prometheus",
                 "The panel's query is a %s: read it with get_panel and run it with the tool for "
                 "it (loki_query, tempo_search).",
                 buf_cstr(&clean));
        return true;
    }
    board_take(rows);
    if (board_lacks(d, str_of(d->query)) || board_lacks(d, str_of(d->datasource)))
        board_ask_outside(r, d);
    else
        run_at(r, d);
    return true;
}

static const struct rows_spec run_spec = {
    .kind = "dashboard",
    .list = "panels",
    .product = "Perses",
    .page = 40,
    .path_count = 4,
    .paths = {BOARD_PATHS, BOARD_LOCALS},
    .row = board_row,
    .then = run_query,
};

void boards_run(struct tool_run *r) { board_begin(r, &run_spec, BOARD_QUERY_SHOWN, run_query); }
