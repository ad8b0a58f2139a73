#include "gateway/doctor.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "gateway/gateway.h"
#include "gateway/service.h"
#include "gateway/webhook.h"
#include "proto/ipc.h"
#include "proto/store_health.h"

enum { REDIS_WAIT_MS = 2000, ANSWER_BYTES_MAX = 8 << 20 };

struct doctor {
    struct gateway *gateway;
    struct fetch *fetch;
    struct loop_timer *timer;
    struct secret *token; /* PERSES_TOKEN: to see datasources that guests may not */
    unsigned step, failed;
    bool perses_answers;
    bool redis_told; /* what it says of itself */
    unsigned redis_ills;
};

/* One question over HTTP and what its answer means. base: "" is Perses, else this gateway. */
struct question {
    const char *path;
    bool to_gateway, needs_perses, signs_in;
    void (*judge)(struct doctor *d, const struct fetch_result *r, json_t *body);
};

static void say(struct doctor *d, bool ok, const char *what, const char *advice)
{
    printf("%-5s %s%s%s\n", ok ? "ok" : "FAIL", what, ok ? "" : ": ", ok ? "" : advice);
    d->failed += !ok;
}

static bool answered(const struct fetch_result *r)
{
    return r->status == FETCH_OK && r->http_status == 200;
}

static void judge_health(struct doctor *d, const struct fetch_result *r, json_t *body)
{
    char line[512], advice[1400];
    const char *version = json_string_value(json_object_get(body, "version"));
    d->perses_answers = r->status == FETCH_OK && r->http_status > 0;
    snprintf(line, sizeof line, "Perses answers%s%.60s", version ? ", version " : "",
             version ? version : "");
    snprintf(advice, sizeof advice,
             "nothing useful came from %.1000s (%s, HTTP %d); start Perses or set PERSES_API_URL",
             d->gateway->settings.perses, *r->error ? r->error : "an answer", r->http_status);
    say(d, answered(r) && json_is_object(body), line, advice);
}

static void judge_config(struct doctor *d, const struct fetch_result *r, json_t *body)
{
    json_t *security = json_object_get(body, "security");
    if (!security)
        security = json_object_get(json_object_get(body, "config"), "security");
    bool on = json_is_true(json_object_get(security, "enable_auth"));
    if (!answered(r))
        say(d, false, "Perses's authentication",
            "its configuration could not be read at /api/config");
    else if (on || d->gateway->settings.auth)
        say(d, on, on ? "Perses's authentication is on" : "Perses's authentication is off",
            "set security.enable_auth: true in Perses's configuration; until then every request is "
            "answered with 403 perses_auth_off "
            "(or PERSAI_AUTH=false here, for a machine of your own)");
    else
        say(d, true, "Perses's authentication is off, and so is PERSAI_AUTH", "");
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
    say(d, answered(r) && has_plugin(body, "PersAIDatasource"), "Perses has the PersAI plugin",
        "put the plugin's archive into the folder plugin.archive_paths of Perses's configuration "
        "and restart Perses");
}

static void judge_datasources(struct doctor *d, const struct fetch_result *r, json_t *body)
{
    size_t i;
    json_t *one;
    bool found = false;
    if (r->status == FETCH_OK && (r->http_status == 401 || r->http_status == 403)) {
        printf("?     A datasource of kind PersAIDatasource: not visible without signing in; set "
               "PERSES_TOKEN to a token of an "
               "administrator to have this checked\n");
        return;
    }
    json_array_foreach(body, i, one)
    {
        json_t *plugin = json_object_get(json_object_get(one, "spec"), "plugin");
        const char *kind = json_string_value(json_object_get(plugin, "kind"));
        found = found || (kind && strcmp(kind, "PersAIDatasource") == 0);
    }
    say(d, found, "Perses has a global datasource of kind PersAIDatasource",
        "create one as an administrator, its proxy URL is the address of this gateway");
}

static void judge_service(struct doctor *d, const struct fetch_result *r, json_t *body)
{
    char advice[256];
    snprintf(advice, sizeof advice,
             "Perses answered HTTP %d; make the user of PERSAI_SERVICE_USER in Perses, with the "
             "password of PERSAI_SERVICE_PASSWORD (native sign-in must be on)",
             r->http_status);
    say(d, answered(r) && json_object_get(body, "access_token"),
        "The service user can sign in to Perses", advice);
}

static void judge_gateway(struct doctor *d, const struct fetch_result *r, json_t *body)
{
    char advice[600];
    const char *reason = json_string_value(json_object_get(body, "reason"));
    if (r->status != FETCH_OK) {
        snprintf(advice, sizeof advice, "nothing answers at %.300s; start persai-gateway",
                 d->gateway->settings.listen);
        say(d, false, "A gateway runs here", advice);
        return;
    }
    say(d, true, "A gateway runs here", "");
    snprintf(advice, sizeof advice,
             "%.200s; a worker needs PERSAI_GATEWAYS=%.200s (and the keys, where there are some)",
             reason ? reason : "it does not say why", ipc_or_default(d->gateway->settings.broker));
    say(d, r->http_status == 200, "It has workers and can take a turn", advice);
}

static const struct question questions[] = {
    {"/api/v1/health", .judge = judge_health},
    {"/api/config", .needs_perses = true, .judge = judge_config},
    {"/api/v1/plugins", .needs_perses = true, .judge = judge_plugins},
    {"/api/v1/globaldatasources", .needs_perses = true, .judge = judge_datasources},
    {SERVICE_SIGN_IN, .needs_perses = true, .signs_in = true, .judge = judge_service},
    {"/readyz", .to_gateway = true, .judge = judge_gateway},
};
enum { QUESTIONS = sizeof questions / sizeof *questions };

static void next(struct doctor *d);

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

static bool idle(const struct doctor *d, const struct question *q)
{
    return (q->needs_perses && !d->perses_answers) ||
           (q->signs_in && !*d->gateway->settings.service_user);
}

static void next(struct doctor *d)
{
    static const struct fetch_handler handler = {.on_done = on_done};
    struct gateway *g = d->gateway;
    while (d->step < QUESTIONS && idle(d, &questions[d->step]))
        d->step++;
    if (d->step == QUESTIONS) {
        loop_stop(g->loop);
        return;
    }
    const struct question *q = &questions[d->step];
    if (q->signs_in) {
        d->fetch = service_sign_in(g, &handler, d);
        return;
    }
    struct buf url;
    buf_init(&url, 4096);
    buf_printf(&url, "%s%s%s", q->to_gateway ? "http://" : "",
               q->to_gateway ? g->settings.listen : g->settings.perses, q->path);
    struct fetch_request r = {.method = "GET",
                              .url = buf_cstr(&url),
                              .bearer = q->to_gateway ? NULL : d->token,
                              .connect_ms = 3000,
                              .total_ms = 10000,
                              .body_bytes_max = ANSWER_BYTES_MAX,
                              .collect = true};
    d->fetch = fetch_start(g->fetch, &r, &handler, d);
    buf_free(&url);
}

static void on_redis_server(void *arg, const char *where, struct str info)
{
    struct doctor *d = arg;
    (void)where;
    d->redis_ills |= store_health(info, d->gateway->copies);
    d->redis_told = true;
}

static void say_ills(struct doctor *d)
{
    for (unsigned i = 0; i < STORE_ILL_COUNT; i++)
        if ((d->redis_ills & 1u << i) != 0)
            say(d, false, "Redis is fit to be the store", store_ill_advice(i));
    if (d->redis_told && d->redis_ills == 0)
        say(d, true, "Redis is fit to be the store", "");
}

static void on_redis(void *arg)
{
    struct doctor *d = arg;
    char advice[600];
    static int64_t waited_ms;
    waited_ms += 50;
    bool ready = redis_ready(d->gateway->redis);
    if (!(ready && d->redis_told) && waited_ms < REDIS_WAIT_MS) {
        loop_timer_set(d->timer, 50, 0);
        return;
    }
    snprintf(advice, sizeof advice,
             "nothing answers at %.300s, or it refuses us; start redis-server or set PERSAI_REDIS",
             redis_where(d->gateway->redis));
    say(d, ready, "Redis answers", advice);
    say_ills(d);
    next(d);
}

int doctor_run(struct gateway *g)
{
    char error[256];
    struct doctor d = {.gateway = g};
    const char *lacks = webhook_lacks(&g->settings);
    if (lacks)
        say(&d, false, "The webhook's settings", lacks);
    const char *token = getenv("PERSES_TOKEN");
    struct redis_config config = {.url = g->settings.redis,
                                  .timeout_ms = REDIS_WAIT_MS,
                                  .queue_bytes_max = 1 << 20,
                                  .on_server = on_redis_server,
                                  .arg = &d};
    if (!store_durability_parse(g->settings.durability, &g->copies)) {
        printf("FAIL  PERSAI_DURABILITY %s\n", STORE_DURABILITY_HELP);
        return 1;
    }
    g->loop = loop_new();
    g->fetch = fetch_pool_new(g->loop);
    g->redis = redis_new(g->loop, &config, error);
    if (!g->redis) {
        printf("FAIL  Redis: %s\n", error);
        return 1;
    }
    if (token && *token && strlen(token) <= SECRET_MAX)
        d.token = secret_new(str_of(token));
    d.timer = loop_timer_new(g->loop, on_redis, &d);
    loop_timer_set(d.timer, 50, 0);
    loop_run(g->loop);
    loop_timer_free(d.timer);
    fetch_cancel(d.fetch);
    secret_free(d.token);
    return d.failed ? 1 : 0;
}
