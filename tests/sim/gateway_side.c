/* A real gateway in the simulated world: its modules, and fakes of HTTP, sign-in and metrics. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "gateway/janitor.h"
#include "gateway/api/call.h"
#include "gateway/auth/keys.h"
#include "gateway/auth/service.h"
#include "gateway/turn/turns.h"
#include "proto/store/store.h"
#include "tests/sim/faults.h"
#include "tests/sim/live.h"
#include "tests/sim/net.h"
#include "tests/sim/sides.h"

enum { FILL_BYTES = 16384 };

struct side {
    struct gateway gateway; /* first */
    struct proc *proc;
    struct list requests; /* of http_request */
    struct loop_timer *drain;
    int64_t drain_ms;
    bool told;
};
struct http_request {
    struct list node;
    struct web *web;
    struct side *side;
    struct call *call;
    struct http_stream *stream;
};
struct http_stream {
    struct http_request *request;
    const struct http_stream_handler *handler;
    void *arg;
    bool woken, ending;
};

/* ---- sign-in ---- */
struct credentials credentials_share(const struct credentials *c)
{
    return (struct credentials){secret_ref(c->access), secret_ref(c->refresh), c->expires_ms};
}

void credentials_free(struct credentials *c)
{
    secret_free(c->access);
    secret_free(c->refresh);
    *c = (struct credentials){0};
}

uint64_t identity_refresh(struct identity *i, const struct secret *refresh, identity_refresh_fn *fn,
                          void *arg)
{
    (void)i, (void)refresh, (void)fn, (void)arg;
    CHECK(false && "no one has a refresh token here");
    return 0;
}

void identity_forget(struct identity *i, uint64_t id) { (void)i, (void)id; }

void keys_each(const struct keys *k, void (*fn)(void *arg, struct service *s), void *arg)
{
    (void)k, (void)fn, (void)arg; /* there are none */
}

bool service_known(struct service *s, struct str *user, const struct credentials **c)
{
    (void)s, (void)user, (void)c;
    return false;
}

/* ---- requests ---- */

static void request_free(struct http_request *r)
{
    r->web->request = NULL;
    web_free(r->web);
    list_remove(&r->node);
    free(r->stream);
    free(r);
}

static void call_free(struct call *c)
{
    credentials_free(&c->credentials);
    free(c);
}

void side_web_request(struct web *w)
{
    struct side *s = w->gateway->self;
    struct http_request *r = xcalloc(1, sizeof(*r));
    struct call *c = xcalloc(1, sizeof(*c));
    r->web = web_ref(w);
    r->side = s;
    r->call = c;
    w->request = r;
    list_push(&s->requests, &r->node);
    c->gateway = &s->gateway;
    c->request = r;
    c->session = w->session;
    c->turn = w->turn;
    c->begun_ns = loop_hr_ns();
    c->credentials.access = secret_new(STR("token"));
    snprintf(c->user, sizeof(c->user), "%s", w->user);
    sim_wake(&s->proc->loop);
    if (w->kind == WEB_POST)
        api_turns_post(c);
    else if (w->kind == WEB_FOLLOW)
        api_turns_events(c);
    else
        api_turns_cancel(c);
}

/* The client hung up. */
void side_web_gone(struct web *w)
{
    struct http_request *r = w->request;
    if (!r)
        return;
    sim_wake(&r->side->proc->loop);
    if (r->stream) {
        r->stream->handler->on_closed(r->stream->arg);
    } else {
        struct call *c = r->call;
        store_forget(c->gateway->store, c->store_call);
        if (c->on_gone)
            c->on_gone(c);
        call_free(c);
    }
    request_free(r);
}

struct str http_header(const struct http_request *r, const char *name)
{
    const struct web *w = r->web;
    if (strcmp(name, "Last-Event-ID") == 0)
        return str_of(w->last_id);
    if (strcmp(name, "Prefer") == 0)
        return w->async ? STR("respond-async") : STR("");
    if (strcmp(name, "X-Forwarded-For") == 0)
        return w->proxied ? STR("10.0.0.1") : STR("");
    return STR("");
}

bool http_query(const struct http_request *r, const char *key, struct str *value)
{
    (void)r;
    if (strcmp(key, "datasource_path") != 0)
        return false;
    *value = STR("/proxy/globaldatasources/p");
    return true;
}

bool call_text(struct call *c, const char *key, size_t max, struct str *out)
{
    (void)max;
    *out = strcmp(key, "message") == 0 ? str_of(c->request->web->message) : (struct str){0};
    return true;
}

struct str call_key(struct call *c, char out[65])
{
    snprintf(out, 65, "%s", c->request->web->key);
    return str_of(out);
}

/* All that is asked for under a key is the same. */
struct str call_body(struct call *c, struct str query, char out[65])
{
    (void)query;
    return call_key(c, out);
}

/* ---- answers ---- */

void call_reply(struct call *c, unsigned status, struct str json)
{
    struct http_request *r = c->request;
    web_status(r->web, status, json);
    call_free(c);
    request_free(r);
}

void call_fail(struct call *c, enum err err, const char *sentence)
{
    (void)sentence;
    call_reply(c, err_http_status(err), str_of(err_word(err)));
}

struct http_stream *call_stream(struct call *c, const char *content_type,
                                const struct http_stream_handler *h, void *arg)
{
    (void)content_type;
    struct http_request *r = c->request;
    r->stream = xcalloc(1, sizeof(*r->stream));
    *r->stream = (struct http_stream){.request = r, .handler = h, .arg = arg};
    r->call = NULL;
    call_free(c);
    web_status(r->web, 200, STR(""));
    return r->stream;
}

void http_stream_wake(struct http_stream *s)
{
    s->woken = true;
    sim_wake(&s->request->side->proc->loop);
}

void http_stream_end(struct http_stream *s)
{
    s->ending = true;
    http_stream_wake(s);
}

void side_web_room(struct web *w)
{
    struct http_request *r = w->request;
    if (r && r->stream && w->gateway->up && w->gateway->life == w->life)
        http_stream_wake(r->stream);
}

/* As much as the client's socket takes. */
static void fill(struct http_stream *s)
{
    static char bytes[FILL_BYTES];
    struct web *w = s->request->web;
    s->woken = false;
    while (w->under_way < w->window) {
        size_t room = w->window - w->under_way;
        size_t len = s->handler->on_fill(s->arg, bytes, room < FILL_BYTES ? room : FILL_BYTES);
        if (len == 0)
            break;
        web_bytes(w, (struct str){bytes, len});
    }
    if (!s->ending || w->under_way >= w->window)
        return;
    web_end(w);
    s->handler->on_closed(s->arg);
    request_free(s->request);
}

static void write_streams(void *arg)
{
    struct side *s = arg;
    list_each (&s->requests, node, next) {
        struct http_request *r = list_of(node, struct http_request, node);
        if (r->stream && r->stream->woken)
            fill(r->stream);
    }
}

/* ---- the process ---- */

static void settings_init(struct gateway_settings *g)
{
    g->auth = sim.auth;
    g->broker = "sim";
    g->token_wait_ms = SIDE_TOKEN_WAIT_MS;
    g->message_bytes_max = 65536;
    g->queue_max = 16;
    /* Less than is unstored, at times: a client that comes back then waits for the store. */
    g->tail_bytes_max = sim_chance(300) && !faults_none() ? 600 : 16384;
    g->beat_ms = SIDE_BEAT_MS;
    g->dead_ms = SIDE_DEAD_MS;
    g->drain_ms = SIDE_DRAIN_MS;
    g->store = (struct store_config){.lease_ms = SIDE_LEASE_MS,
                                     .events_keep_ms = SIDE_EVENTS_KEEP_MS,
                                     .messages_max = 100,
                                     .text_bytes_max = 4096};
}

void *side_gateway_new(struct proc *p)
{
    static bool counts; /* the counters are the process's: of all gateways and schedules */
    if (!counts)
        gateway_metrics_init();
    counts = true;
    struct side *s = xcalloc(1, sizeof(*s));
    struct gateway *g = &s->gateway;
    char error[256];
    s->proc = p;
    list_init(&s->requests);
    p->self = s;
    live_gateway_begins(p);
    settings_init(&g->settings);
    snprintf(g->name, sizeof(g->name), "%s", p->name);
    sim_loop_init(&p->loop, p);
    g->loop = &p->loop;
    net_store_open(p, &g->settings.store);
    g->store = p->store;
    g->visits = visits_new(g->loop);
    g->turns = turns_new(g);
    g->streams = streams_new(g);
    g->broker = broker_new(g, &live_of_workers, g, error);
    g->janitor = janitor_new(g);
    loop_on_write(g->loop, write_streams, s);
    return s;
}

void side_gateway_free(void *gateway)
{
    struct side *s = gateway;
    struct gateway *g = &s->gateway;
    janitor_free(g->janitor);
    list_each (&s->requests, node, next) {
        struct http_request *r = list_of(node, struct http_request, node);
        side_web_gone(r->web);
    }
    streams_free(g->streams);
    turns_free(g->turns);
    g->turns = NULL;
    broker_free(g->broker);
    visits_free(g->visits);
    loop_timer_free(s->drain);
    sim_loop_close(g->loop);
    net_store_close(s->proc);
    free(s);
}

unsigned side_gateway_driven(const void *gateway)
{
    const struct side *s = gateway;
    unsigned driven, known;
    turns_counts(s->gateway.turns, &driven, &known);
    return driven;
}

/* As gateway/main.c drains. */
static void on_drain(void *arg)
{
    struct side *s = arg;
    struct gateway *g = &s->gateway;
    bool late = sim_now_ms() >= s->drain_ms;
    if (!s->told && (late || turns_drained(g))) {
        s->told = true;
        streams_end(g, true);
        broker_bye(g->broker);
        loop_timer_set(s->drain, 200, 0);
    } else if (s->told) {
        loop_stop(g->loop);
    }
}

void side_gateway_terminate(void *gateway)
{
    struct side *s = gateway;
    if (s->gateway.draining)
        return;
    s->gateway.draining = true;
    streams_end(&s->gateway, false);
    s->drain_ms = sim_now_ms() + SIDE_DRAIN_MS;
    s->drain = loop_timer_new(s->gateway.loop, on_drain, s);
    loop_timer_set(s->drain, 20, 50);
    sim_wake(s->gateway.loop);
}
