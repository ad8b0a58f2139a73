#include "gateway/doctor_sources.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/config.h"
#include "common/duration.h"
#include "common/json.h"
#include "gateway/gateway.h"
#include "proto/path.h"
#include "proto/upstream.h"

enum {
    LIST_BYTES_MAX = 64 << 20, /* dashboards come whole */
    CONNECT_MS = 3000,
    TOTAL_MS = 10000,
    LINES_MAX = 50, /* of one kind: what goes beyond is counted */
    /* Perses 0.54 makes a connection for each query and leaves it open for HELD_MS. */
    HELD_MS = 90000,
    /* A busy dashboard or a few questions at once need as many queries a second. */
    QUERIES_MIN = 20,
};

enum hands { HANDS_NOTHING, HANDS_ON, HANDS_UNKNOWN };
struct source {
    char *label, *path; /* path: of the proxy; NULL: a name that no path may have */
    char server[UPSTREAM_SERVER_MAX];
    enum { OTHER, PERSAI, PROMETHEUS } kind;
    enum hands hands;
    bool global;
};
struct doctor_sources {
    struct gateway *gateway;
    struct secret *token, *cookies; /* the same, as Perses's cookies */
    struct report *report;
    loop_fn *done;
    void *arg;
    struct fetch *fetch;
    unsigned list;                    /* that is being read */
    json_t *secrets, *global_secrets; /* lists; NULL: can't be read */
    struct source *sources;
    unsigned count, cap, asked; /* asked: the one that is */
};
struct list_of {
    const char *api, *what;
    void (*take)(struct doctor_sources *s, const json_t *entries);
};

static void take_global_secrets(struct doctor_sources *s, const json_t *entries);
static void take_secrets(struct doctor_sources *s, const json_t *entries);
static void take_globals(struct doctor_sources *s, const json_t *entries);
static void take_projects(struct doctor_sources *s, const json_t *entries);
static void take_dashboards(struct doctor_sources *s, const json_t *entries);
static void read_list(void *arg);
static void on_list(void *arg, const struct fetch_result *r);
static void get(struct doctor_sources *s, const char *path, const char *end,
                const struct fetch_handler *h);
static struct secret *cookies_of(const struct secret *token);
static void add(struct doctor_sources *s, struct str project, struct str dashboard, struct str name,
                const json_t *spec);
static enum hands hands_of(const struct doctor_sources *s, struct str project,
                           const struct upstream *u);
static void tell_hands(struct doctor_sources *s);
static void ask_next(void *arg);
static void on_persai(void *arg, const struct fetch_result *r);
static void on_prometheus(void *arg, const struct fetch_result *r);
static void judge_limits(struct doctor_sources *s, const struct source *one, const json_t *flags);

/* Secrets first: they say what the datasources hand on. */
static const struct list_of lists[] = {
    {"/api/v1/globalsecrets", "global secrets", take_global_secrets},
    {"/api/v1/secrets", "secrets of projects", take_secrets},
    {"/api/v1/globaldatasources", "global datasources", take_globals},
    {"/api/v1/datasources", "datasources of projects", take_projects},
    {"/api/v1/dashboards", "datasources of dashboards", take_dashboards},
};
enum { LISTS = sizeof(lists) / sizeof(lists[0]) };

struct doctor_sources *doctor_sources_new(struct gateway *g, struct secret *token,
                                          struct report *report, loop_fn *done, void *arg)
{
    struct doctor_sources *s = xcalloc(1, sizeof(*s));
    s->gateway = g;
    s->token = token ? secret_ref(token) : NULL;
    s->cookies = cookies_of(token);
    s->report = report;
    s->done = done;
    s->arg = arg;
    loop_later(g->loop, read_list, s);
    return s;
}

void doctor_sources_free(struct doctor_sources *s)
{
    if (!s)
        return;
    fetch_cancel(s->fetch);
    for (unsigned i = 0; i < s->count; i++) {
        free(s->sources[i].label);
        free(s->sources[i].path);
    }
    free(s->sources);
    json_decref(s->secrets);
    json_decref(s->global_secrets);
    secret_free(s->token);
    secret_free(s->cookies);
    free(s);
}

/* ---- what there is ---- */

static void read_list(void *arg)
{
    static const struct fetch_handler handler = {.on_done = on_list};
    struct doctor_sources *s = arg;
    if (s->list == LISTS) {
        tell_hands(s);
        ask_next(s);
        return;
    }
    get(s, lists[s->list].api, "", &handler);
}

static void get(struct doctor_sources *s, const char *path, const char *end,
                const struct fetch_handler *h)
{
    scoped_buf(url, 4096);
    buf_printf(&url, "%s%s%s", s->gateway->settings.perses, path, end);
    struct fetch_request r = {.method = "GET",
                              .url = buf_cstr(&url),
                              .secret_header = s->cookies ? "Cookie" : NULL,
                              .secret_value = s->cookies,
                              .bearer = s->cookies ? NULL : s->token,
                              .connect_ms = CONNECT_MS,
                              .total_ms = TOTAL_MS,
                              .body_bytes_max = LIST_BYTES_MAX,
                              .collect = true};
    s->fetch = fetch_start(s->gateway->fetch, &r, h, s);
}

/* As a browser asks: the PersAIDatasource's own secret takes the place of a Bearer. NULL: this
 * token is none of Perses's own, head.payload.signature. */
static struct secret *cookies_of(const struct secret *token)
{
    struct str whole = secret_reveal(token);
    const char *dot = whole.len > 0 ? memrchr(whole.at, '.', whole.len) : NULL;
    scoped_buf(text, SECRET_MAX);
    if (!dot)
        return NULL;
    buf_keep_secret(&text);
    buf_puts(&text, "jwtPayload=");
    buf_add_str(&text, (struct str){whole.at, (size_t)(dot - whole.at)});
    buf_puts(&text, "; jwtSignature=");
    buf_add_str(&text, (struct str){dot + 1, whole.len - (size_t)(dot + 1 - whole.at)});
    return text.overflowed ? NULL : secret_new(buf_str(&text));
}

static json_t *body_of(const struct fetch_result *r)
{
    return r->status == FETCH_OK ? json_loadb(r->body.at ? r->body.at : "", r->body.len, 0, NULL)
                                 : NULL;
}

static void on_list(void *arg, const struct fetch_result *r)
{
    struct doctor_sources *s = arg;
    const struct list_of *l = &lists[s->list];
    json_auto_t *body = body_of(r);
    s->fetch = NULL;
    if (json_is_array(body) && r->http_status == 200)
        l->take(s, body);
    else
        report_unknown(s->report,
                       "The %s: they can't be read (%s, HTTP %d); let an administrator's sign-in "
                       "be used to have them looked at",
                       l->what, *r->error ? r->error : "an answer", r->http_status);
    s->list++;
    loop_later(s->gateway->loop, read_list, s);
}

static void take_global_secrets(struct doctor_sources *s, const json_t *entries)
{
    s->global_secrets = json_incref((json_t *)entries);
}

static void take_secrets(struct doctor_sources *s, const json_t *entries)
{
    s->secrets = json_incref((json_t *)entries);
}

static struct str meta(const json_t *entry, const char *name)
{
    return json_text(json_object_get(json_object_get(entry, "metadata"), name));
}

static void take_globals(struct doctor_sources *s, const json_t *entries)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)entries, i, one)
        add(s, STR(""), STR(""), meta(one, "name"), json_object_get(one, "spec"));
    for (unsigned k = 0; k < s->count; k++)
        if (s->sources[k].kind == PERSAI)
            return;
    report_fail(s->report, "Perses has a global datasource of kind PersAIDatasource: create one as "
                           "an administrator, its proxy URL is the address of this gateway");
}

static void take_projects(struct doctor_sources *s, const json_t *entries)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)entries, i, one)
        add(s, meta(one, "project"), STR(""), meta(one, "name"), json_object_get(one, "spec"));
}

static void take_dashboards(struct doctor_sources *s, const json_t *entries)
{
    size_t i;
    json_t *one, *spec;
    const char *name;
    json_array_foreach((json_t *)entries, i, one)
    {
        json_t *own = json_object_get(json_object_get(one, "spec"), "datasources");
        json_object_foreach(own, name, spec)
            add(s, meta(one, "project"), meta(one, "name"), str_of(name), spec);
    }
}

static void name_source(struct source *one, struct str project, struct str dashboard,
                        struct str name)
{
    bool fine = path_name_ok(name) && (project.len == 0 || path_name_ok(project)) &&
                (dashboard.len == 0 || path_name_ok(dashboard));
    scoped_buf(label, 1024);
    scoped_buf(path, 1024);
    buf_printf(&label, "%.*s", (int)name.len, name.at ? name.at : "");
    if (one->global) {
        buf_printf(&path, "/proxy/globaldatasources/%.*s", (int)name.len, name.at ? name.at : "");
    } else {
        buf_printf(&label, " of project %.*s", (int)project.len, project.at ? project.at : "");
        buf_printf(&path, "/proxy/projects/%.*s", (int)project.len, project.at ? project.at : "");
        if (dashboard.len > 0) {
            buf_printf(&label, ", dashboard %.*s", (int)dashboard.len, dashboard.at);
            buf_printf(&path, "/dashboards/%.*s", (int)dashboard.len, dashboard.at);
        }
        buf_printf(&path, "/datasources/%.*s", (int)name.len, name.at ? name.at : "");
    }
    one->label = str_dup(buf_str(&label));
    one->path = fine ? str_dup(buf_str(&path)) : NULL;
}

/* One without an HTTP proxy is asked by browsers: it gets nothing from Perses. */
static void add(struct doctor_sources *s, struct str project, struct str dashboard, struct str name,
                const json_t *spec)
{
    struct upstream u;
    struct str kind = json_text(json_object_get(json_object_get(spec, "plugin"), "kind"));
    if (!upstream_read(spec, &u))
        return;
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 64;
        s->sources = xrealloc(s->sources, s->cap * sizeof(*s->sources));
    }
    struct source *one = &s->sources[s->count++];
    *one = (struct source){.global = project.len == 0,
                           .kind = str_is(kind, "PersAIDatasource")       ? PERSAI
                                   : str_is(kind, "PrometheusDatasource") ? PROMETHEUS
                                                                          : OTHER};
    memcpy(one->server, u.server, sizeof(one->server));
    one->hands = s->token ? hands_of(s, project, &u) : HANDS_NOTHING;
    name_source(one, project, dashboard, name);
}

/* ---- who gets the sign-in ---- */

static enum hands hands_of(const struct doctor_sources *s, struct str project,
                           const struct upstream *u)
{
    const json_t *list = project.len > 0 ? s->secrets : s->global_secrets;
    size_t i;
    json_t *one;
    if (!u->blanks_cookies || u->secret.len == 0)
        return HANDS_ON;
    if (!list)
        return HANDS_UNKNOWN;
    json_array_foreach((json_t *)list, i, one)
    {
        if (str_eq(meta(one, "name"), u->secret) && str_eq(meta(one, "project"), project))
            return upstream_replaces(json_object_get(one, "spec")) ? HANDS_NOTHING : HANDS_ON;
    }
    /* One that is not there, or that this user may not see. */
    return HANDS_UNKNOWN;
}

/* The global PersAIDatasource is what the sign-in is for; a project's is somebody's own. */
static enum hands told_hands(const struct source *one)
{
    return one->kind == PERSAI && one->global ? HANDS_NOTHING : one->hands;
}

static void tell_one(struct doctor_sources *s, const struct source *one)
{
    const char *server = one->server[0] ? one->server : "a server that can't be told";
    if (told_hands(one) == HANDS_ON)
        report_fail(s->report,
                    "Datasource %.200s hands the person's sign-in on to %s: give its proxy "
                    "\"headers\": {\"Cookie\": \"\"} and a secret with basicAuth or authorization",
                    one->label, server);
    else
        report_unknown(s->report,
                       "Datasource %.200s, to %s: its secret can't be read; if it has neither "
                       "basicAuth, authorization nor oauth, the person's sign-in is handed on",
                       one->label, server);
}

static void tell_hands(struct doctor_sources *s)
{
    unsigned bad = 0, unknown = 0;
    for (unsigned i = 0; i < s->count; i++) {
        enum hands hands = told_hands(&s->sources[i]);
        unsigned *lines = hands == HANDS_ON ? &bad : &unknown;
        if (hands != HANDS_NOTHING && ++*lines <= LINES_MAX)
            tell_one(s, &s->sources[i]);
    }
    if (bad > LINES_MAX)
        report_fail(s->report, "%u more datasources hand the person's sign-in on", bad - LINES_MAX);
    if (unknown > LINES_MAX)
        report_unknown(s->report, "%u more datasources have a secret that can't be read",
                       unknown - LINES_MAX);
    if (s->token && s->count > 0 && bad + unknown == 0)
        report_ok(s->report, "No datasource but PersAI's is handed the person's sign-in, of %u",
                  s->count);
}

/* ---- where they lead ---- */

/* A project's own gets no token of an administrator, unless it hands nothing on. */
static bool to_be_asked(const struct source *one)
{
    bool fine = one->path && (one->global || one->hands == HANDS_NOTHING);
    return fine && ((one->kind == PERSAI && one->global) || one->kind == PROMETHEUS);
}

static void ask_next(void *arg)
{
    static const struct fetch_handler of_persai = {.on_done = on_persai},
                                      of_prometheus = {.on_done = on_prometheus};
    struct doctor_sources *s = arg;
    while (s->asked < s->count && !to_be_asked(&s->sources[s->asked]))
        s->asked++;
    if (s->asked == s->count) {
        s->done(s->arg);
    } else if (s->sources[s->asked].kind == PERSAI) {
        get(s, s->sources[s->asked].path, "/models", &of_persai);
    } else {
        get(s, s->sources[s->asked].path, "/api/v1/status/flags", &of_prometheus);
    }
}

/* The one that was asked has answered. */
static const struct source *answered(struct doctor_sources *s)
{
    s->fetch = NULL;
    loop_later(s->gateway->loop, ask_next, s);
    return &s->sources[s->asked++];
}

/* A gateway of PersAI answers with a list of models, or refuses in its own way. */
static void on_persai(void *arg, const struct fetch_result *r)
{
    struct doctor_sources *s = arg;
    const struct source *one = answered(s);
    json_auto_t *body = body_of(r);
    const char *code = json_string_value(json_object_get(json_object_get(body, "detail"), "code"));
    if (r->http_status == 200 && json_is_array(body))
        report_ok(s->report, "Datasource %.200s leads to a gateway, at %s", one->label,
                  one->server);
    else if (code)
        report_fail(s->report,
                    "Datasource %.200s leads to the gateway at %s, which refuses what comes "
                    "through it (HTTP %d %.60s): see PERSAI_DATASOURCE_SECRET and PERSES_API_URL "
                    "there",
                    one->label, one->server, r->http_status, code);
    else if (r->http_status == 403 || r->http_status == 401)
        report_fail(s->report,
                    "Datasource %.200s: Perses lets GET /models not through (HTTP %d); allow the "
                    "endpoints that its form proposes, or let who asks read it",
                    one->label, r->http_status);
    else
        report_fail(s->report,
                    "Datasource %.200s leads to no gateway: from %s came %s (HTTP %d); correct its "
                    "proxy URL, or start the gateway there",
                    one->label, one->server[0] ? one->server : "its server",
                    r->status == FETCH_OK ? "an answer that is not PersAI's" : r->error,
                    r->http_status);
}

static void on_prometheus(void *arg, const struct fetch_result *r)
{
    struct doctor_sources *s = arg;
    const struct source *one = answered(s);
    json_auto_t *body = body_of(r);
    if (r->http_status == 200)
        judge_limits(s, one, json_object_get(body, "data"));
    else if (r->http_status == 403)
        report_unknown(s->report,
                       "Datasource %.200s: how many queries a second it takes can't be told; allow "
                       "GET /api/v1/status/flags in it, or let who asks read it",
                       one->label);
    else if (r->http_status >= 400 && r->http_status < 500 && r->http_status != 401)
        judge_limits(s, one, NULL); /* not Prometheus itself */
    else
        report_fail(s->report,
                    "Datasource %.200s does not answer through Perses (%s, HTTP %d): correct its "
                    "proxy URL and its secret, or start %s",
                    one->label, *r->error ? r->error : "an answer", r->http_status,
                    one->server[0] ? one->server : "its server");
}

/* Prometheus closes a connection that was quiet for its read timeout; while Perses leaves them
 * open, they run out at limit / time. */
static void judge_limits(struct doctor_sources *s, const struct source *one, const json_t *flags)
{
    struct str limit = json_text(json_object_get(flags, "web.max-connections"));
    struct str quiet = json_text(json_object_get(flags, "web.read-timeout"));
    uint64_t most;
    int64_t held_ms;
    if (limit.len == 0 || !str_u64(limit, UINT32_MAX, &most) || most == 0) {
        report_ok(s->report, "Datasource %.200s answers; it names no limit of connections",
                  one->label);
        return;
    }
    if (quiet.len == 0 || !duration_parse(quiet, &held_ms) || held_ms <= 0 || held_ms > HELD_MS)
        held_ms = HELD_MS;
    uint64_t queries = most * 1000 / (uint64_t)held_ms;
    if (queries >= QUERIES_MIN)
        report_ok(s->report, "Datasource %.200s takes %llu queries a second through Perses",
                  one->label, (unsigned long long)queries);
    else
        report_fail(s->report,
                    "Datasource %.200s takes %llu queries a second through Perses and then stops "
                    "answering, since Perses leaves each one's connection open for 90 s "
                    "(web.max-connections=%llu): start it with --web.read-timeout=15s "
                    "--web.max-connections=8192",
                    one->label, (unsigned long long)queries, (unsigned long long)most);
}
