#include "gateway/doctor.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/log.h"
#include "gateway/doctor_sources.h"
#include "gateway/gateway.h"
#include "gateway/auth/identity.h"
#include "gateway/auth/service.h"
#include "proto/ipc.h"
#include "proto/store/probe.h"

enum { ANSWER_BYTES_MAX = 8 << 20, CONNECT_MS = 3000, TOTAL_MS = 10000 };

struct doctor {
    struct gateway *gateway;
    struct report *report;
    struct store_probe *redis;
    struct fetch *fetch;
    struct doctor_sources *sources;
    struct secret *token; /* with which Perses is asked; NULL: none */
    unsigned step;
    bool perses_answers;
    bool perses_open; /* its authentication is off: it needs no token */
};

/* One question over HTTP and what its answer means. */
struct question {
    const char *path;
    void (*judge)(struct doctor *d, const struct fetch_result *r, json_t *body);
    bool (*wanted)(const struct doctor *d);                                  /* NULL: always */
    struct fetch *(*start)(struct doctor *d, const struct fetch_handler *h); /* NULL: GET path */
    bool to_gateway;                                                         /* else to Perses */
};

static bool perses_answers(const struct doctor *d) { return d->perses_answers; }
static bool has_person(const struct doctor *d);
static bool has_service(const struct doctor *d);
static bool has_token(const struct doctor *d);
static struct fetch *start_person(struct doctor *d, const struct fetch_handler *h);
static struct fetch *start_service(struct doctor *d, const struct fetch_handler *h);
static void judge_health(struct doctor *d, const struct fetch_result *r, json_t *body);
static void judge_config(struct doctor *d, const struct fetch_result *r, json_t *body);
static void judge_plugins(struct doctor *d, const struct fetch_result *r, json_t *body);
static void judge_person(struct doctor *d, const struct fetch_result *r, json_t *body);
static void judge_service(struct doctor *d, const struct fetch_result *r, json_t *body);
static void judge_whoami(struct doctor *d, const struct fetch_result *r, json_t *body);
static void judge_gateway(struct doctor *d, const struct fetch_result *r, json_t *body);
static void next(void *arg);
static void look_at_sources(struct doctor *d);
static void on_sources(void *arg);
static const char *variable(const char *name);

static const struct question questions[] = {
    {"/api/v1/health", judge_health, NULL, NULL, false},
    {"/api/config", judge_config, perses_answers, NULL, false},
    {"/api/v1/plugins", judge_plugins, perses_answers, NULL, false},
    {SERVICE_SIGN_IN, judge_person, has_person, start_person, false},
    {SERVICE_SIGN_IN, judge_service, has_service, start_service, false},
    {"/api/v1/user/whoami", judge_whoami, has_token, NULL, false},
    {"/readyz", judge_gateway, NULL, NULL, true},
};
enum { QUESTIONS = sizeof(questions) / sizeof(questions[0]) };

/* Of the check alone, as percli knows the last one: no settings of a gateway that runs. */
static const char user_variable[] = "PERSES_USER", password_variable[] = "PERSES_PASSWORD",
                  token_variable[] = "PERSES_TOKEN";

void doctor_run(struct gateway *g, struct report *report)
{
    struct doctor d = {.gateway = g, .report = report};
    g->loop = loop_new();
    g->fetch = fetch_pool_new(g->loop);
    d.token = secret_of_environment(token_variable);
    d.redis =
        store_probe_new(g->loop, g->settings.redis.url, g->settings.durability, report, next, &d);
    loop_run(g->loop);
    store_probe_free(d.redis);
    doctor_sources_free(d.sources);
    fetch_cancel(d.fetch);
    secret_free(d.token);
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* ---- one after the other ---- */

static void on_done(void *arg, const struct fetch_result *r)
{
    struct doctor *d = arg;
    d->fetch = NULL;
    json_t *body = r->status == FETCH_OK
                       ? json_loadb(r->body.at ? r->body.at : "", r->body.len, 0, NULL)
                       : NULL;
    questions[d->step++].judge(d, r, body);
    json_decref(body);
    next(d);
}

static void next(void *arg)
{
    static const struct fetch_handler handler = {.on_done = on_done};
    struct doctor *d = arg;
    const struct gateway_settings *s = &d->gateway->settings;
    while (d->step < QUESTIONS && questions[d->step].wanted && !questions[d->step].wanted(d))
        d->step++;
    if (d->step == QUESTIONS) {
        look_at_sources(d);
        return;
    }
    const struct question *q = &questions[d->step];
    if (q->start) {
        d->fetch = q->start(d, &handler);
        return;
    }
    scoped_buf(url, 4096);
    buf_printf(&url, "%s%s%s", q->to_gateway ? "http://" : "",
               q->to_gateway ? s->http.listen : s->perses, q->path);
    struct fetch_request r = {.method = "GET",
                              .url = buf_cstr(&url),
                              .bearer = q->to_gateway ? NULL : d->token,
                              .connect_ms = CONNECT_MS,
                              .total_ms = TOTAL_MS,
                              .body_bytes_max = ANSWER_BYTES_MAX,
                              .collect = true};
    d->fetch = fetch_start(d->gateway->fetch, &r, &handler, d);
}

/* Without a token there is nothing to see, unless Perses asks for none. */
static void look_at_sources(struct doctor *d)
{
    if (d->perses_answers && !d->token && !d->perses_open)
        report_unknown(d->report,
                       "The datasources of Perses: not visible without signing in; set %s to an "
                       "access token of an administrator, or %s and %s to a name and a password, "
                       "to have it checked where they lead and which hand the sign-in on",
                       token_variable, user_variable, password_variable);
    if (d->perses_answers && (d->token || d->perses_open))
        d->sources = doctor_sources_new(d->gateway, d->token, d->report, on_sources, d);
    else
        loop_stop(d->gateway->loop);
}

static void on_sources(void *arg) { loop_stop(((struct doctor *)arg)->gateway->loop); }

static bool answered(const struct fetch_result *r)
{
    return r->status == FETCH_OK && r->http_status == 200;
}

/* ---- Perses ---- */

static void judge_health(struct doctor *d, const struct fetch_result *r, json_t *body)
{
    const char *version = json_string_value(json_object_get(body, "version"));
    d->perses_answers = r->status == FETCH_OK && r->http_status > 0;
    if (answered(r) && json_is_object(body))
        report_ok(d->report, "Perses answers%s%.60s", version ? ", version " : "",
                  version ? version : "");
    else
        report_fail(
            d->report,
            "Perses answers: nothing useful came from %.600s (%s, HTTP %d); start Perses or "
            "set PERSES_API_URL",
            log_address(d->gateway->settings.perses), *r->error ? r->error : "an answer",
            r->http_status);
}

static void judge_config(struct doctor *d, const struct fetch_result *r, json_t *body)
{
    json_t *security = json_object_get(body, "security");
    if (!security)
        security = json_object_get(json_object_get(body, "config"), "security");
    bool on = json_is_true(json_object_get(security, "enable_auth"));
    d->perses_open = answered(r) && !on;
    if (!answered(r))
        report_fail(d->report, "Perses's authentication: its configuration could not be read at "
                               "/api/config");
    else if (on)
        report_ok(d->report, "Perses's authentication is on");
    else if (d->gateway->settings.auth)
        report_fail(d->report,
                    "Perses's authentication is off: set security.enable_auth: true in Perses's "
                    "configuration; until then every request is answered with 403 perses_auth_off "
                    "(or PERSAI_AUTH=false here, for a machine of your own)");
    else
        report_ok(d->report, "Perses's authentication is off, and so is PERSAI_AUTH");
}

static bool has_plugin(json_t *modules, const char *name)
{
    size_t i, j;
    json_t *module, *plugin;
    json_array_foreach(modules, i, module)
        json_array_foreach(json_object_get(json_object_get(module, "spec"), "plugins"), j, plugin)
    {
        const char *have =
            json_string_value(json_object_get(json_object_get(plugin, "spec"), "name"));
        if (have && strcmp(have, name) == 0)
            return true;
    }
    return false;
}

static void judge_plugins(struct doctor *d, const struct fetch_result *r, json_t *body)
{
    if (answered(r) && has_plugin(body, "PersAIDatasource"))
        report_ok(d->report, "Perses has the PersAI plugin");
    else
        report_fail(d->report,
                    "Perses has the PersAI plugin: put the plugin's archive into the folder "
                    "plugin.archive_paths of Perses's configuration and restart Perses");
}

/* ---- who asks ---- */

static bool has_token(const struct doctor *d)
{
    return d->perses_answers && d->token && !d->perses_open;
}

static bool has_person(const struct doctor *d)
{
    return d->perses_answers && !d->perses_open && !d->token && variable(user_variable) &&
           variable(password_variable);
}

static bool has_service(const struct doctor *d)
{
    return d->perses_answers && *d->gateway->settings.service_user &&
           d->gateway->settings.service_password;
}

static struct fetch *start_person(struct doctor *d, const struct fetch_handler *h)
{
    struct str word = str_of(variable(password_variable));
    struct secret *password = word.len <= SECRET_MAX ? secret_new(word) : NULL;
    struct fetch *f = service_sign_in(d->gateway, variable(user_variable), password, h, d);
    secret_free(password);
    return f;
}

static struct fetch *start_service(struct doctor *d, const struct fetch_handler *h)
{
    const struct gateway_settings *s = &d->gateway->settings;
    return service_sign_in(d->gateway, s->service_user, s->service_password, h, d);
}

/* The first who can sign in is who asks from then on. */
static bool take_token(struct doctor *d, const struct fetch_result *r)
{
    struct credentials c = {0};
    bool got = answered(r) && credentials_read(r->body, &c);
    if (got && !d->token)
        d->token = secret_ref(c.access);
    credentials_free(&c);
    return got;
}

static void judge_person(struct doctor *d, const struct fetch_result *r, json_t *body)
{
    (void)body;
    if (!take_token(d, r))
        report_fail(d->report,
                    "Signing in to Perses with %s and %s: it answered HTTP %d; correct them "
                    "(native sign-in must be on), or set %s",
                    user_variable, password_variable, r->http_status, token_variable);
}

static void judge_service(struct doctor *d, const struct fetch_result *r, json_t *body)
{
    (void)body;
    if (take_token(d, r))
        report_ok(d->report, "The service user can sign in to Perses");
    else
        report_fail(
            d->report,
            "The service user can sign in to Perses: Perses answered HTTP %d; make the user "
            "of PERSAI_SERVICE_USER in Perses, with the password of "
            "PERSAI_SERVICE_PASSWORD (native sign-in must be on)",
            r->http_status);
}

static void judge_whoami(struct doctor *d, const struct fetch_result *r, json_t *body)
{
    const char *name =
        json_string_value(json_object_get(json_object_get(body, "metadata"), "name"));
    if (answered(r) && name) {
        report_ok(d->report, "Perses is asked as %.200s", name);
        return;
    }
    report_fail(d->report,
                "Asking Perses with a token: it refuses %s (HTTP %d); it may have expired, get a "
                "new one",
                token_variable, r->http_status);
    secret_free(d->token);
    d->token = NULL;
}

/* ---- this gateway ---- */

static void judge_gateway(struct doctor *d, const struct fetch_result *r, json_t *body)
{
    const struct gateway_settings *s = &d->gateway->settings;
    const char *reason = json_string_value(json_object_get(body, "reason"));
    if (r->status != FETCH_OK) {
        report_fail(d->report,
                    "A gateway runs here: nothing answers at %.300s; start persai-gateway",
                    s->http.listen);
        return;
    }
    report_ok(d->report, "A gateway runs here");
    if (r->http_status == 200)
        report_ok(d->report, "It has workers and can take a turn");
    else
        report_fail(d->report,
                    "It has workers and can take a turn: %.200s; a worker needs "
                    "PERSAI_GATEWAYS=%.200s (and the keys, where there are some)",
                    reason ? reason : "it does not say why", ipc_or_default(s->broker));
}
