#include "worker/tools/perses/perses.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "common/log.h"
#include "proto/path.h"
#include "proto/record.h"
#include "worker/tools/handlers.h"
#include "worker/tools/args.h"
#include "worker/tools/prometheus/guard.h"
#include "worker/tools/perses/panel.h"
#include "worker/tools/text.h"

/* save_panel: read the dashboard, add the panel, write it back.
 *
 * Exactly once by construction: the panel's key comes from the turn and the call, so that a run
 * which finds it there (after a crash, a lost answer, a repeated request) has nothing to do.
 * Perses 0.54 takes any version of a dashboard and counts it up (internal/api/impl/v1/dashboard/
 * service.go: update): a write between our read and our write is overwritten. So the two follow
 * each other at once, one save of a dashboard at a time in this process, and the version that comes
 * back tells whether somebody else was in between; a Perses that refuses (409) is read again. */

enum {
    SAVE_TRIES = 4,
    DASHBOARD_BYTES_MAX = 2 << 20, /* parsed and written in one go of the loop */
    URL_BYTES_MAX = 4096,
    SAID_BYTES_MAX = 600,
};

struct save {
    struct list node; /* of tools->saves */
    struct tool_run *run;
    struct fetch *fetch;
    struct buf url;
    char key[PERSES_KEY_BYTES];
    bool active; /* else it waits for another save of the same dashboard */
    bool writing;
    bool tries_only; /* nothing is written: the person is not asked yet */
    unsigned tries;
    json_int_t version; /* of the dashboard as it was read */
};

void perses_key(const struct tool_run *r, char key[static PERSES_KEY_BYTES])
{
    char turn[ID_TEXT + 1], hash[RECORD_HASH_TEXT + 1];
    id_text(r->turn, turn);
    record_hash(str_of(turn), str_of(r->call_id), hash);
    snprintf(key, PERSES_KEY_BYTES, "persai-%.16s", hash);
}

/* " It said: …", cleaned, if it said something. */
static void add_message(const struct fetch_result *f, struct buf *b)
{
    json_auto_t *json = json_loadb(f->body.at ? f->body.at : "", f->body.len, 0, NULL);
    const char *message = json_string_value(json_object_get(json, "message"));
    if (!message)
        message = json_string_value(json_object_get(json, "error"));
    if (!message)
        return;
    buf_puts(b, " It said: ");
    text_clean(b, str_of(message), SAID_BYTES_MAX - 16);
}

void perses_refused(struct tool_run *r, const struct fetch_result *f, bool writing)
{
    const char *what = writing ? "change" : "read";
    scoped_buf(said, SAID_BYTES_MAX + 64);
    add_message(f, &said);
    if (f->status != FETCH_OK && f->http_status == 0)
        run_fail(r, f->status == FETCH_TIMEOUT ? "timeout" : "unreachable",
                 "Perses cannot be reached: %s. %s", f->error,
                 writing ? "It may have been saved or not." : "Nothing was changed.");
    else if (f->status == FETCH_TOO_BIG)
        run_fail(r, "too_large", "The dashboard is too large to be changed from here.");
    else if (f->http_status == 401) {
        r->unauthorized = true;
        run_fail(r, "unauthorized", "The sign-in was refused (401).");
    } else if (f->http_status == 403)
        run_fail(r, "forbidden", "This person may not %s dashboards of this project (403).", what);
    else if (f->http_status == 404 || (f->http_status == 400 && !writing))
        run_fail(r, "not_found", "There is no such project or dashboard (%d).%s", f->http_status,
                 buf_cstr(&said));
    else if (f->http_status == 409)
        run_fail(r, "conflict", "Somebody else keeps changing this dashboard. Try again later.");
    else
        run_fail(r, f->http_status >= 500 ? "unavailable" : "refused",
                 "Perses did not %s the dashboard (HTTP %d).%s", what, f->http_status,
                 buf_cstr(&said));
}

void perses_tried(struct tool_run *r, const struct fetch_result *f)
{
    bool known = f->status == FETCH_OK;
    if (known && f->http_status == 401) {
        perses_refused(r, f, false);
    } else if (known && f->http_status == 400) {
        scoped_buf(said, 2048);
        add_message(f, &said);
        run_fail(r, "refused", "Perses's plugins don't accept this definition.%s", buf_cstr(&said));
    } else { /* taken, or an older Perses, which has no such address */
        run_rehearsed(r);
    }
}

bool perses_guard(struct tool_run *r, struct str query)
{
    struct guard_query q;
    const struct tools_config *c = &r->tools->config;
    const struct guard_limits limits = {.series_max = c->series_max, .points_max = c->points_max};
    const struct guard_range least = {.end_ms = r->now_ms}; /* a panel shows more than a moment */
    if ((guard_read(&q, query) || guard_read_loosely(&q, query)) &&
        guard_subqueries(&q, &least, &limits))
        return true;
    run_fail(r, "query_refused", "%s", q.error);
    return false;
}

/* ---- save_panel ---- */

static void send_read(struct save *s);

/* One of those that wait for the dashboard that this one was at. */
static void wake_next(const struct save *before)
{
    list_each (&before->run->tools->saves, node, tmp) {
        struct save *s = list_of(node, struct save, node);
        if (s == before || s->active || strcmp(buf_cstr(&s->url), before->url.at) != 0)
            continue;
        s->active = true;
        send_read(s);
        return;
    }
}

static void save_free(void *state)
{
    struct save *s = state;
    fetch_cancel(s->fetch);
    list_remove(&s->node);
    if (s->active)
        wake_next(s);
    buf_free(&s->url);
    free(s);
}

static bool is_taken(const struct save *s)
{
    list_each (&s->run->tools->saves, node, tmp) {
        struct save *other = list_of(node, struct save, node);
        if (other->active && strcmp(other->url.at, s->url.at) == 0)
            return true;
    }
    return false;
}

/* ---- reading and writing ---- */

static void done(struct save *s, bool already, bool overtook)
{
    struct tool_run *r = s->run;
    struct buf *b = &r->content;
    buf_puts(b, "{\"kind\":\"panel_saved\",\"project\":");
    json_str(b, args_str(r->args, "project"));
    json_field(b, "dashboard", args_str(r->args, "dashboard"));
    json_field(b, "panel", str_of(s->key));
    json_field(b, "title", args_str(r->args, "title"));
    if (already)
        buf_puts(b, ",\"already\":true");
    if (overtook) {
        json_field(b, "note",
                   STR("Somebody else saved this dashboard at the same moment, and Perses keeps "
                       "the last one: tell the person to check that nothing of theirs is "
                       "missing."));
    }
    buf_putc(b, '}');
    run_done(r);
}

static json_int_t version_of(const json_t *dashboard)
{
    return json_integer_value(json_object_get(json_object_get(dashboard, "metadata"), "version"));
}

static void on_written(void *arg, const struct fetch_result *f)
{
    struct save *s = arg;
    bool fine = f->status == FETCH_OK && f->http_status >= 200 && f->http_status <= 299;
    s->fetch = NULL;
    /* Refused for a newer version, or nobody knows whether it was done: what is there tells. */
    bool unknown = f->http_status == 409 || f->http_status >= 500 || f->http_status == 0;
    if (!fine && unknown && s->tries < SAVE_TRIES) {
        send_read(s);
    } else if (!fine) {
        perses_refused(s->run, f, s->writing);
    } else {
        json_auto_t *now = json_loadb(f->body.at ? f->body.at : "", f->body.len, 0, NULL);
        done(s, false, json_is_object(now) && version_of(now) > s->version + 1);
    }
}

static void send(struct save *s, const char *method, struct str body,
                 const struct fetch_handler *handler)
{
    char traceparent[TRACE_PARENT_TEXT + 1];
    struct fetch_header headers[3];
    struct tools *t = s->run->tools;
    struct fetch_request f = {.method = method,
                              .url = buf_cstr(&s->url),
                              .headers = headers,
                              .header_count =
                                  run_headers(s->run, body.len > 0, headers, traceparent),
                              .bearer = s->run->token,
                              .body = body,
                              .total_ms = t->config.timeout_ms,
                              .body_bytes_max = DASHBOARD_BYTES_MAX,
                              .collect = true};
    s->fetch = fetch_start(t->config.fetches, &f, handler, s);
}

static void on_tried(void *arg, const struct fetch_result *f)
{
    struct save *s = arg;
    s->fetch = NULL;
    perses_tried(s->run, f);
}

static void on_read(void *arg, const struct fetch_result *f)
{
    static const struct fetch_handler handler = {NULL, NULL, on_written};
    static const struct fetch_handler tried = {NULL, NULL, on_tried};
    struct save *s = arg;
    s->fetch = NULL;
    if (f->status != FETCH_OK || f->http_status != 200) {
        perses_refused(s->run, f, s->writing);
        return;
    }
    json_auto_t *dashboard = json_loadb(f->body.at ? f->body.at : "", f->body.len, 0, NULL);
    json_t *spec = json_object_get(dashboard, "spec");
    if (!json_is_object(spec)) {
        run_fail(s->run, "broken", "What Perses answered is no dashboard.");
        return;
    }
    if (json_object_get(json_object_get(spec, "panels"), s->key)) {
        done(s, s->tries == 1, false); /* later it is our own write, whose answer was lost */
        return;
    }
    s->version = version_of(dashboard);
    struct path path;
    CHECK(path_parse(str_of(s->run->datasource), &path) == ERR_NONE);
    panel_place(spec, s->key, panel_define(s->run->args, path.name),
                args_str(s->run->args, "group"), PANEL_COLUMNS);
    char *text = json_dumps(dashboard, JSON_COMPACT);
    if (!text) {
        run_fail(s->run, "broken", "The dashboard can't be written.");
        return;
    }
    s->writing = !s->tries_only;
    if (s->tries_only) {
        buf_clear(&s->url);
        buf_printf(&s->url, "%s" PERSES_VALIDATE, s->run->tools->perses_url);
        send(s, "POST", str_of(text), &tried);
    } else {
        send(s, "PUT", str_of(text), &handler);
    }
    free(text);
}

static void send_read(struct save *s)
{
    static const struct fetch_handler handler = {NULL, NULL, on_read};
    s->writing = false;
    s->tries++;
    send(s, "GET", (struct str){NULL, 0}, &handler);
}

/* NULL: the run has failed. */
static struct save *open_save(struct tool_run *r)
{
    struct str project = args_str(r->args, "project"), dashboard = args_str(r->args, "dashboard");
    if (!path_name_ok(project) || !path_name_ok(dashboard)) {
        run_fail(r, "bad_arguments",
                 "project and dashboard are names: 1 to 75 letters, digits, dots, dashes and "
                 "underscores, not titles.");
        return NULL;
    }
    if (!perses_guard(r, args_str(r->args, "query")))
        return NULL;
    struct save *s = xcalloc(1, sizeof(*s));
    s->run = r;
    r->state = s;
    r->state_free = save_free;
    buf_init(&s->url, URL_BYTES_MAX);
    buf_printf(&s->url, "%s/api/v1/projects/%.*s/dashboards/%.*s", r->tools->perses_url,
               (int)project.len, project.at, (int)dashboard.len, dashboard.at);
    CHECK(!s->url.overflowed);
    buf_cstr(&s->url);
    perses_key(r, s->key);
    list_init(&s->node);
    return s;
}

void perses_save_panel(struct tool_run *r)
{
    struct save *s = open_save(r);
    if (!s)
        return;
    s->active = !is_taken(s);
    list_push(&r->tools->saves, &s->node);
    if (s->active)
        send_read(s);
}

void perses_try_panel(struct tool_run *r)
{
    struct save *s = open_save(r);
    if (!s)
        return;
    s->tries_only = true;
    send_read(s);
}
