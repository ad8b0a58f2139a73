/* What the model drafts: a panel or a whole dashboard, and after the person's yes a new dashboard.
 */
#include "worker/tools/handlers.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "proto/path.h"
#include "worker/tools/args.h"
#include "worker/tools/perses/panel.h"
#include "worker/tools/perses/perses.h"
#include "worker/tools/text.h"

/* Whether a definition is right only Perses knows, with the schemas of the plugins that it has:
 * POST /api/validate/dashboards (perses, internal/api/impl/validate) answers 200, or 400 and why.
 * What is proposed is asked about there and nothing is written.
 *
 * save_dashboard makes a dashboard, never changes one. Exactly once by construction: the panels'
 * keys come from the turn and the call. So one that is there already, after a crash or a lost
 * answer, shows by its first panel whether it is ours. */

enum {
    TRIES = 4,
    ANSWER_BYTES_MAX = 2 << 20,
    URL_BYTES_MAX = 1024,
    NAME_BYTES = 75, /* as Perses allows */
    PANEL_KEY_BYTES = PERSES_KEY_BYTES + 24,
};

struct draft {
    struct tool_run *run;
    struct fetch *fetch;
    struct buf url, one_url; /* of all dashboards, of this one */
    json_t *board;
    char key[PERSES_KEY_BYTES], name[NAME_BYTES + 1];
    bool only_panel;
    unsigned tries;
};

static void create(struct draft *d);
static void exists(struct draft *d);

static void draft_free(void *state)
{
    struct draft *d = state;
    fetch_cancel(d->fetch);
    json_decref(d->board);
    buf_free(&d->url);
    buf_free(&d->one_url);
    free(d);
}

static struct draft *draft_new(struct tool_run *r)
{
    struct draft *d = xcalloc(1, sizeof(*d));
    d->run = r;
    r->state = d;
    r->state_free = draft_free;
    buf_init(&d->url, URL_BYTES_MAX);
    buf_init(&d->one_url, URL_BYTES_MAX);
    perses_key(r, d->key);
    return d;
}

/* ---- the definition ---- */

/* A name from a title: what Perses does not allow becomes an underscore. */
static void name_from(struct str title, char name[static NAME_BYTES + 1])
{
    size_t len = 0;
    for (size_t i = 0; i < title.len && len < NAME_BYTES; i++) {
        char c = title.at[i];
        bool fine = isalnum((unsigned char)c) || c == '.' || c == '-';
        if (fine || (len > 0 && name[len - 1] != '_'))
            name[len++] = fine ? c : '_';
    }
    while (len > 0 && !isalnum((unsigned char)name[len - 1]))
        len--;
    name[len] = '\0';
    size_t skip = strspn(name, "._-");
    memmove(name, name + skip, len - skip + 1);
    if (name[0] == '\0')
        snprintf(name, NAME_BYTES + 1, "persai");
}

static json_t *text_of(struct str s) { return json_stringn(s.at ? s.at : "", s.len); }

static void panel_key(const struct draft *d, size_t index, char key[static PANEL_KEY_BYTES])
{
    snprintf(key, PANEL_KEY_BYTES, "%s-%zu", d->key, index + 1);
}

/* Of the arguments' panels, or of the arguments as the only one. */
static json_t *board_of(struct draft *d)
{
    const json_t *args = d->run->args, *panels = json_object_get(args, "panels");
    struct str duration = args_str(args, "duration"), project = args_str(args, "project");
    struct str description = args_str(args, "description");
    struct path path;
    CHECK(path_parse(str_of(d->run->datasource), &path) == ERR_NONE);
    json_t *spec = json_object();
    if (d->only_panel) {
        panel_place(spec, d->key, panel_define(args, path.name), STR(""), PANEL_COLUMNS);
    } else {
        json_t *display = json_pack("{s:o}", "name", text_of(args_str(args, "title")));
        if (description.len > 0)
            json_object_set_new(display, "description", text_of(description));
        json_object_set_new(spec, "display", display);
    }
    size_t i;
    json_t *panel;
    json_array_foreach((json_t *)panels, i, panel)
    {
        char key[PANEL_KEY_BYTES];
        panel_key(d, i, key);
        panel_place(spec, key, panel_define(panel, path.name), args_str(panel, "group"),
                    PANEL_HALF);
    }
    json_object_set_new(spec, "duration", text_of(duration.len > 0 ? duration : STR("1h")));
    return json_pack("{s:s, s:{s:s, s:o}, s:o}", "kind", "Dashboard", "metadata", "name", d->name,
                     "project", text_of(project.len > 0 ? project : STR("proposal")), "spec", spec);
}

static void send(struct draft *d, const char *method, const struct buf *url, bool body,
                 const struct fetch_handler *handler)
{
    char traceparent[TRACE_PARENT_TEXT + 1];
    struct fetch_header headers[3];
    struct tools *t = d->run->tools;
    char *text = body ? json_dumps(d->board, JSON_COMPACT) : NULL;
    struct fetch_request f = {.method = method,
                              .url = url->at,
                              .headers = headers,
                              .header_count = run_headers(d->run, body, headers, traceparent),
                              .bearer = d->run->token,
                              .body = text ? str_of(text) : (struct str){NULL, 0},
                              .total_ms = t->config.timeout_ms,
                              .body_bytes_max = ANSWER_BYTES_MAX,
                              .collect = true};
    d->fetch = fetch_start(t->config.fetches, &f, handler, d);
    free(text);
}

/* ---- propose_panel, propose_dashboard ---- */

static void add_json(struct buf *b, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    buf_puts(b, text ? text : "null");
    free(text);
}

static void propose(struct draft *d, bool checked)
{
    struct buf *b = &d->run->content;
    if (d->only_panel) {
        buf_puts(b, "{\"kind\":\"panel_proposal\",\"panel\":");
        const json_t *panels = json_object_get(json_object_get(d->board, "spec"), "panels");
        add_json(b, json_object_get(panels, d->key));
    } else {
        buf_puts(b, "{\"kind\":\"dashboard_proposal\",\"dashboard\":");
        add_json(b, d->board);
    }
    buf_printf(b, ",\"checked\":%s,\"notes\":[", checked ? "true" : "false");
    if (!checked)
        buf_puts(b, "\"Perses could not be asked whether its plugins accept this.\",");
    buf_puts(b, "\"Nothing is saved: the person sees it and decides.\"]}");
    run_done(d->run);
}

static void on_checked(void *arg, const struct fetch_result *f)
{
    struct draft *d = arg;
    d->fetch = NULL;
    if (f->status == FETCH_OK && f->http_status == 401) {
        perses_refused(d->run, f, false);
    } else if (f->status == FETCH_OK && f->http_status == 400) {
        perses_tried(d->run, f);
    } else { /* an older Perses has no such address */
        propose(d, f->status == FETCH_OK && f->http_status >= 200 && f->http_status <= 299);
    }
}

static void check(struct draft *d)
{
    static const struct fetch_handler handler = {NULL, NULL, on_checked};
    d->board = board_of(d);
    buf_printf(&d->url, "%s" PERSES_VALIDATE, d->run->tools->perses_url);
    CHECK(!d->url.overflowed);
    buf_cstr(&d->url);
    send(d, "POST", &d->url, true, &handler);
}

void draft_propose_panel(struct tool_run *r)
{
    if (!perses_guard(r, args_str(r->args, "query")))
        return;
    struct draft *d = draft_new(r);
    d->only_panel = true;
    snprintf(d->name, sizeof(d->name), "proposal");
    check(d);
}

/* A project's name goes into a path. False: the run has failed. */
static bool project_ok(struct tool_run *r)
{
    if (path_name_ok(args_str(r->args, "project")))
        return true;
    run_fail(r, "bad_arguments",
             "The argument \"project\" is no name: letters, digits, '_', '-' "
             "and '.', as list_projects gives it.");
    return false;
}

/* False: the run has failed. */
static bool panels_ok(struct tool_run *r)
{
    size_t i;
    json_t *panel;
    if (!project_ok(r))
        return false;
    json_array_foreach(json_object_get(r->args, "panels"), i, panel)
    {
        if (!perses_guard(r, args_str(panel, "query")))
            return false;
    }
    return true;
}

void draft_propose_dashboard(struct tool_run *r)
{
    if (!panels_ok(r))
        return;
    struct draft *d = draft_new(r);
    name_from(args_str(r->args, "title"), d->name);
    check(d);
}

/* ---- save_dashboard ---- */

static void saved(struct draft *d, bool already)
{
    struct tool_run *r = d->run;
    struct buf *b = &r->content;
    buf_puts(b, "{\"kind\":\"dashboard_saved\",\"project\":");
    json_str(b, args_str(r->args, "project"));
    json_field(b, "dashboard", str_of(d->name));
    json_field(b, "title", args_str(r->args, "title"));
    buf_printf(b, ",\"panels\":%zu", json_array_size(json_object_get(r->args, "panels")));
    if (already)
        buf_puts(b, ",\"already\":true");
    buf_putc(b, '}');
    run_done(r);
}

/* Somebody's dashboard of this name, or the one that this call has made before? */
static void on_looked(void *arg, const struct fetch_result *f)
{
    struct draft *d = arg;
    char key[PANEL_KEY_BYTES];
    panel_key(d, 0, key);
    d->fetch = NULL;
    if (f->status == FETCH_OK && f->http_status == 404 && d->tries < TRIES) {
        create(d);
        return;
    }
    if (f->status != FETCH_OK || f->http_status != 200) {
        perses_refused(d->run, f, false);
        return;
    }
    json_auto_t *there = json_loadb(f->body.at ? f->body.at : "", f->body.len, 0, NULL);
    if (json_object_get(json_object_get(json_object_get(there, "spec"), "panels"), key))
        saved(d, true);
    else
        exists(d);
}

static void exists(struct draft *d)
{
    run_fail(d->run, "exists",
             "The project has a dashboard %s already, and it was not changed. Choose another "
             "title, or add panels to it with save_panel.",
             d->name);
}

static void on_created(void *arg, const struct fetch_result *f)
{
    static const struct fetch_handler handler = {NULL, NULL, on_looked};
    struct draft *d = arg;
    d->fetch = NULL;
    if (f->status == FETCH_OK && f->http_status >= 200 && f->http_status <= 299)
        saved(d, false);
    else if (f->http_status == 409 || f->http_status >= 500 || f->http_status == 0)
        send(d, "GET", &d->one_url, false, &handler);
    else
        perses_refused(d->run, f, true);
}

static void create(struct draft *d)
{
    static const struct fetch_handler handler = {NULL, NULL, on_created};
    d->tries++;
    send(d, "POST", &d->url, true, &handler);
}

/* The draft with its addresses. NULL: the run has failed. */
static struct draft *open_save(struct tool_run *r)
{
    if (!panels_ok(r))
        return NULL;
    struct draft *d = draft_new(r);
    struct str project = args_str(r->args, "project");
    name_from(args_str(r->args, "title"), d->name);
    d->board = board_of(d);
    buf_printf(&d->url, "%s/api/v1/projects/%.*s/dashboards", r->tools->perses_url,
               (int)project.len, project.at);
    buf_printf(&d->one_url, "%s/%s", buf_cstr(&d->url), d->name);
    CHECK(!d->one_url.overflowed);
    buf_cstr(&d->one_url);
    return d;
}

void draft_save_dashboard(struct tool_run *r)
{
    struct draft *d = open_save(r);
    if (d)
        create(d);
}

/* ---- the same, tried before the person is asked ---- */

static void on_tried_project(void *arg, const struct fetch_result *f);
static void on_tried_name(void *arg, const struct fetch_result *f);
static void on_tried(void *arg, const struct fetch_result *f);

void draft_try_dashboard(struct tool_run *r)
{
    static const struct fetch_handler handler = {NULL, NULL, on_tried_project};
    struct str project = args_str(r->args, "project");
    struct draft *d = open_save(r);
    if (!d)
        return;
    scoped_buf(url, URL_BYTES_MAX);
    buf_printf(&url, "%s/api/v1/projects/%.*s", r->tools->perses_url, (int)project.len, project.at);
    CHECK(!url.overflowed);
    buf_cstr(&url);
    send(d, "GET", &url, false, &handler);
}

static void on_tried_project(void *arg, const struct fetch_result *f)
{
    static const struct fetch_handler handler = {NULL, NULL, on_tried_name};
    struct draft *d = arg;
    d->fetch = NULL;
    if (f->status != FETCH_OK || f->http_status != 200)
        perses_refused(d->run, f, false);
    else
        send(d, "GET", &d->one_url, false, &handler);
}

/* 404 is what it should be; who may not read it is told so when it is made. */
static void on_tried_name(void *arg, const struct fetch_result *f)
{
    struct draft *d = arg;
    d->fetch = NULL;
    if (f->status == FETCH_OK && f->http_status == 200) {
        exists(d);
        return;
    }
    static const struct fetch_handler handler = {NULL, NULL, on_tried};
    buf_clear(&d->url);
    buf_printf(&d->url, "%s" PERSES_VALIDATE, d->run->tools->perses_url);
    buf_cstr(&d->url);
    send(d, "POST", &d->url, true, &handler);
}

static void on_tried(void *arg, const struct fetch_result *f)
{
    struct draft *d = arg;
    d->fetch = NULL;
    perses_tried(d->run, f);
}
