#include "gateway/cli/client.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/fetch.h"
#include "common/json.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/sse.h"

enum {
    CALL_MS = 60000, /* one request; a model's answer is no request */
    IDLE_MS = 45000, /* of a stream: the gateway sends a comment every 15 s */
    GIVE_UP_MS =
        180000,       /* of a stream that can't be had again: a restart of everything takes less */
    TRIES = 15,       /* of a request to PersAI: 43 s in all, a restart takes less */
    TRIES_PERSES = 3, /* a wrong address is told soon */
    PAUSE_MS = 250,   /* before the second; doubled up to the next */
    PAUSE_MOST_MS = 4000,
    EVENT_BYTES_MAX = 32 << 20,
    ANSWER_BYTES_MAX = 256 << 20, /* a conversation; the store allows no more */
    URL_BYTES_MAX = 8192,
    HEADERS_MOST = 6,
};
#define STREAM_BYTES_MAX ((uint64_t)1 << 40) /* a turn's own limits hold it */
#define PERSAI_PATH "/proxy/globaldatasources/persai"

struct client {
    struct loop *loop;
    struct fetch_pool *pool;
    struct loop_timer *timer;
    char *perses, *gateway;
    void (*on_wait)(void *arg, const char *why);
    void *arg;
    char *via; /* PersAI's path in Perses's proxy */
    struct secret *access, *refresh, *key;
    bool interrupted, waiting;
    /* the turn that is followed */
    struct sse sse;
    char *cancel_path; /* NULL: none is followed, or it is being cancelled */
    struct fetch *cancel;
    client_event_fn *fn;
    void *fn_arg;
    char after[64];
    bool over;
    int64_t heard_ms;
};
/* One request that is waited for. */
struct asked {
    struct client *client;
    struct fetch *fetch; /* NULL: over */
    enum fetch_status fetched;
    int http_status;
    struct buf body;
    uint64_t retry_after_s;
    char error[200];
};
struct request {
    const char *method, *base, *path;
    struct str body;
    const char *content_type, *key, *after;
    bool signed_in, stream, async, secret_body;
    unsigned tries;
};

static void send(struct client *c, const struct request *r, struct asked *a);
static void send_again(struct client *c, const struct request *r, struct client_answer *out);
static bool proxied(const struct client *c, const struct request *r);
static void answer_of(const struct request *r, const struct asked *asked,
                      struct client_answer *out);
static bool refresh(struct client *c, struct client_answer *a);
static void on_interrupt(void *arg);
static void on_bytes(void *arg, struct str bytes);
static bool on_event(void *arg, struct str name, struct str data);
static bool ours(const char *url);

/* ---- life ---- */

static void on_timer(void *arg) { loop_stop(arg); }

struct client *client_new(const struct client_config *config)
{
    struct client *c = xcalloc(1, sizeof(*c));
    c->loop = loop_new();
    c->pool = fetch_pool_new(c->loop);
    c->timer = loop_timer_new(c->loop, on_timer, c->loop);
    c->perses = config->perses ? xstrdup(config->perses) : NULL;
    c->gateway = config->gateway ? xstrdup(config->gateway) : NULL;
    c->via = xstrdup(PERSAI_PATH);
    c->refresh = config->take_refresh;
    c->key = config->take_key;
    c->on_wait = config->on_wait;
    c->arg = config->arg;
    loop_on_signal(c->loop, SIGINT, on_interrupt, c);
    return c;
}

void client_free(struct client *c)
{
    if (!c)
        return;
    fetch_cancel(c->cancel);
    fetch_pool_free(c->pool);
    loop_timer_free(c->timer);
    loop_free(c->loop);
    secret_free(c->access);
    secret_free(c->refresh);
    secret_free(c->key);
    free(c->perses);
    free(c->gateway);
    free(c->via);
    free(c->cancel_path);
    free(c);
}

void client_answer_free(struct client_answer *a)
{
    json_decref(a->body);
    *a = (struct client_answer){0};
}

bool client_interrupted(struct client *c)
{
    bool was = c->interrupted;
    c->interrupted = false;
    return was;
}

void client_wait(struct client *c, int64_t ms)
{
    if (c->interrupted)
        return;
    loop_timer_set(c->timer, ms, 0);
    loop_run(c->loop);
    loop_timer_stop(c->timer);
}

/* ---- one request ---- */

static void on_done(void *arg, const struct fetch_result *r)
{
    struct asked *a = arg;
    a->fetched = r->status;
    a->http_status = r->http_status;
    buf_add_str(&a->body, r->body);
    snprintf(a->error, sizeof(a->error), "%s", r->error);
    str_u64(fetch_response_header(a->fetch, "retry-after"), 3600, &a->retry_after_s);
    a->fetch = NULL;
    loop_stop(a->client->loop);
}

static void on_head(void *arg, int http_status)
{
    struct asked *a = arg;
    a->http_status = http_status;
}

static void on_data(void *arg, struct str bytes)
{
    struct asked *a = arg;
    if (a->http_status == 200)
        on_bytes(a->client, bytes);
    else
        buf_add_str(&a->body, bytes);
}

/* Through Perses the sign-in goes as its cookies: what it hands on of a Bearer, a datasource's
 * secret may replace. */
static struct secret *cookies_of(const struct client *c)
{
    struct str access = secret_reveal(c->access);
    scoped_buf(text, SECRET_MAX);
    buf_keep_secret(&text);
    const char *dot = memrchr(access.at, '.', access.len);
    if (!dot)
        return NULL;
    struct str signature = str_skip(access, (size_t)(dot - access.at) + 1);
    access.len = (size_t)(dot - access.at);
    buf_puts(&text, "jwtPayload=");
    buf_add_str(&text, access);
    buf_puts(&text, "; jwtSignature=");
    buf_add_str(&text, signature);
    if (c->refresh) {
        buf_puts(&text, "; jwtRefreshToken=");
        buf_add_str(&text, secret_reveal(c->refresh));
    }
    return secret_new(buf_str(&text));
}

/* This machine's own addresses are not asked through a proxy of the environment. */
static bool ours(const char *url)
{
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    return strncmp(host, "127.", 4) == 0 || strncmp(host, "localhost", 9) == 0 ||
           strncmp(host, "[::1]", 5) == 0;
}

static void add_header(struct fetch_request *f, struct fetch_header *headers, const char *name,
                       const char *value)
{
    if (value && *value)
        headers[f->header_count++] = (struct fetch_header){name, str_of(value)};
}

/* To PersAI through Perses. */
static bool proxied(const struct client *c, const struct request *r)
{
    return r->signed_in && r->base != c->gateway && strncmp(r->path, "/api/", 5) != 0;
}

static struct fetch *start(struct client *c, const struct request *r,
                           const struct fetch_handler *handler, void *arg)
{
    scoped_buf(url, URL_BYTES_MAX);
    struct fetch_header headers[HEADERS_MOST];
    CHECK(r->base);
    bool direct = r->base == c->gateway;
    struct secret *cookies = r->signed_in && !direct && c->access ? cookies_of(c) : NULL;
    struct fetch_request f = {.method = r->method,
                              .headers = headers,
                              .body = r->body,
                              .idle_ms = r->stream ? IDLE_MS : CALL_MS,
                              .total_ms = r->stream ? 0 : CALL_MS,
                              .body_bytes_max = r->stream ? STREAM_BYTES_MAX : ANSWER_BYTES_MAX,
                              .collect = !r->stream,
                              .secret_body = r->secret_body,
                              .secret_answer = !r->stream,
                              .use_proxy = !ours(r->base)};
    buf_printf(&url, "%s%s%s", r->base, proxied(c, r) ? c->via : "", r->path);
    f.url = buf_cstr(&url);
    add_header(&f, headers, "Content-Type", r->content_type);
    add_header(&f, headers, "Accept", r->stream ? "text/event-stream" : "application/json");
    add_header(&f, headers, "Idempotency-Key", r->key);
    add_header(&f, headers, "Last-Event-ID", r->after);
    add_header(&f, headers, "Prefer", r->async ? "respond-async" : NULL);
    if (cookies) {
        f.secret_header = "Cookie";
        f.secret_value = cookies;
    } else if (r->signed_in) {
        f.bearer = c->key ? c->key : c->access;
    }
    struct fetch *started = fetch_start(c->pool, &f, handler, arg);
    secret_free(cookies);
    return started;
}

static void send(struct client *c, const struct request *r, struct asked *a)
{
    static const struct fetch_handler whole = {.on_done = on_done};
    static const struct fetch_handler streamed = {on_head, on_data, on_done};
    *a = (struct asked){.client = c};
    buf_init(&a->body, ANSWER_BYTES_MAX);
    buf_keep_secret(&a->body);
    c->waiting = true;
    a->fetch = start(c, r, r->stream ? &streamed : &whole, a);
    loop_run(c->loop);
    c->waiting = false;
    if (a->fetch) {
        fetch_cancel(a->fetch);
        a->fetch = NULL;
        a->fetched = c->over ? FETCH_OK : FETCH_BROKEN;
    }
}

static bool worth_another(const struct asked *a)
{
    if (a->fetched != FETCH_OK)
        return a->fetched != FETCH_TOO_BIG;
    return a->http_status == 429 || (a->http_status >= 502 && a->http_status <= 504);
}

/* What a server says to wait, within reason; else a little longer each time. */
static int64_t pause_ms(const struct asked *a, unsigned tried)
{
    int64_t grown = (int64_t)PAUSE_MS << (tried < 4 ? tried : 4);
    int64_t told = (int64_t)a->retry_after_s * 1000;
    int64_t ms = told > grown ? told : grown;
    return ms < PAUSE_MOST_MS ? ms : PAUSE_MOST_MS;
}

static void send_again(struct client *c, const struct request *r, struct client_answer *out)
{
    bool refreshed = false;
    for (unsigned tried = 0;; tried++) {
        struct asked a;
        send(c, r, &a);
        answer_of(r, &a, out);
        bool again = (worth_another(&a) || out->status == CLIENT_LOST) &&
                     a.fetched != FETCH_TOO_BIG && tried + 1 < r->tries && !c->interrupted;
        bool sign_in = a.http_status == 401 && r->signed_in && c->refresh && !refreshed;
        int64_t ms = pause_ms(&a, tried);
        buf_free(&a.body);
        if (c->interrupted)
            out->status = CLIENT_INTERRUPTED;
        if (!again && !sign_in)
            return;
        if (again && tried == 0)
            c->on_wait(c->arg, out->message);
        client_answer_free(out);
        if (sign_in && !refresh(c, out))
            return;
        refreshed = refreshed || sign_in;
        if (again)
            client_wait(c, ms);
    }
}

static void copy_text(char *out, size_t size, struct str text)
{
    size_t len = text.len < size - 1 ? text.len : size - 1;
    if (len > 0)
        memcpy(out, text.at, len);
    out[len] = '\0';
}

/* PersAI's errors have detail, Perses's a message, OAuth's an error. */
static void answer_of(const struct request *r, const struct asked *asked, struct client_answer *out)
{
    *out = (struct client_answer){.http_status = asked->http_status};
    if (asked->fetched != FETCH_OK) {
        out->status = CLIENT_LOST;
        snprintf(out->message, sizeof(out->message), "no answer from %s: %s", log_address(r->base),
                 asked->error);
        return;
    }
    out->body = asked->body.len > 0
                    ? json_loadb(asked->body.at, asked->body.len, JSON_DECODE_ANY, NULL)
                    : NULL;
    if (asked->http_status < 300)
        return;
    const json_t *detail = json_object_get(out->body, "detail");
    if (asked->http_status == 500 && !detail && proxied(asked->client, r)) {
        const char *said = json_string_value(json_object_get(out->body, "message"));
        out->status = CLIENT_LOST; /* Perses's words for a gateway that is away */
        snprintf(out->message, sizeof(out->message), "no answer from PersAI behind %s: %.400s",
                 log_address(r->base), said ? said : "HTTP status 500");
        return;
    }
    struct str said = json_text(json_object_get(detail, "response"));
    copy_text(out->code, sizeof(out->code), json_text(json_object_get(detail, "code")));
    if (said.len == 0)
        said = json_text(json_object_get(out->body, "message"));
    if (said.len == 0)
        said = json_text(json_object_get(out->body, "error_description"));
    if (out->code[0] == '\0')
        copy_text(out->code, sizeof(out->code), json_text(json_object_get(out->body, "error")));
    said = str_trim(said);
    copy_text(out->message, sizeof(out->message), said);
    if (said.len == 0)
        snprintf(out->message, sizeof(out->message), "HTTP status %d", asked->http_status);
    out->status = asked->http_status == 401 ? CLIENT_NOT_SIGNED_IN : CLIENT_REFUSED;
    out->key_refused = asked->http_status == 401 && asked->client->key;
}

/* ---- sign-in ---- */

bool client_sign_in(struct client *c, const json_t *tokens)
{
    struct str access = json_text(json_object_get(tokens, "access_token"));
    struct str again = json_text(json_object_get(tokens, "refresh_token"));
    if (access.len == 0)
        return false;
    secret_free(c->access);
    c->access = secret_new(access);
    if (again.len > 0) {
        secret_free(c->refresh);
        c->refresh = secret_new(again);
    }
    return c->access;
}

struct str client_refresh_token(const struct client *c) { return secret_reveal(c->refresh); }

static bool refresh(struct client *c, struct client_answer *a)
{
    scoped_buf(body, SECRET_MAX);
    buf_keep_secret(&body);
    buf_puts(&body, "{\"refresh_token\":");
    json_str(&body, secret_reveal(c->refresh));
    buf_putc(&body, '}');
    struct secret *sent = secret_new(buf_str(&body));
    buf_free(&body);
    client_perses_secret(c, "/api/auth/refresh", "application/json", sent, a);
    if (a->status == CLIENT_REFUSED)
        a->status = CLIENT_NOT_SIGNED_IN;
    if (a->status != CLIENT_OK)
        return false;
    bool fine = client_sign_in(c, a->body);
    client_answer_free(a);
    if (!fine)
        a->status = CLIENT_NOT_SIGNED_IN;
    return fine;
}

static bool ready(struct client *c, struct client_answer *a)
{
    return c->access || c->key || !c->refresh || !c->perses || refresh(c, a);
}

/* ---- calls ---- */

static void call(struct client *c, const struct request *r, const json_t *body,
                 struct client_answer *a)
{
    struct request full = *r;
    char *text = body ? json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    *a = (struct client_answer){0};
    if (text) {
        full.body = str_of(text);
        full.content_type = "application/json";
    }
    if (!r->signed_in || ready(c, a))
        send_again(c, &full, a);
    free(text);
}

void client_perses(struct client *c, const char *method, const char *path, const json_t *body,
                   bool signed_in, struct client_answer *a)
{
    struct request r = {.method = method,
                        .base = c->perses,
                        .path = path,
                        .signed_in = signed_in,
                        .tries = TRIES_PERSES};
    call(c, &r, body, a);
}

void client_perses_secret(struct client *c, const char *path, const char *content_type,
                          struct secret *take_body, struct client_answer *a)
{
    struct request r = {.method = "POST",
                        .base = c->perses,
                        .path = path,
                        .body = secret_reveal(take_body),
                        .content_type = content_type,
                        .secret_body = true,
                        .tries = TRIES_PERSES};
    send_again(c, &r, a);
    secret_free(take_body);
}

void client_call(struct client *c, const char *method, const char *path, const json_t *body,
                 const char *key, struct client_answer *a)
{
    struct request r = {.method = method,
                        .base = c->gateway ? c->gateway : c->perses,
                        .path = path,
                        .key = key,
                        .signed_in = true,
                        .async = strstr(path, "/turn?"),
                        .tries = TRIES};
    call(c, &r, body, a);
}

/* ---- what there is ---- */

static const json_t *plugin_of(const json_t *datasource)
{
    return json_object_get(json_object_get(datasource, "spec"), "plugin");
}

static struct str name_of(const json_t *datasource)
{
    return json_text(json_object_get(json_object_get(datasource, "metadata"), "name"));
}

/* The default one of a kind, else the one that is called so, else the first. */
static struct str find_kind(const json_t *list, const char *kind, const char *name)
{
    struct str found = {NULL, 0};
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        if (!str_is(json_text(json_object_get(plugin_of(one), "kind")), kind))
            continue;
        if (json_is_true(json_object_get(json_object_get(one, "spec"), "default")))
            return name_of(one);
        if (found.len == 0 || str_is(name_of(one), name))
            found = name_of(one);
    }
    return found;
}

bool client_discover(struct client *c, const char *datasource, struct buf *path,
                     struct client_answer *a)
{
    *a = (struct client_answer){0};
    bool named = datasource && *datasource;
    if (named)
        buf_printf(path, "%s%s", datasource[0] == '/' ? "" : "/proxy/globaldatasources/",
                   datasource);
    if (c->gateway && (named || !c->perses || !c->refresh)) {
        buf_puts(path, named ? "" : "/proxy/globaldatasources/prometheus");
        return true;
    }
    client_perses(c, "GET", "/api/v1/globaldatasources", NULL, true, a);
    if (a->status != CLIENT_OK && a->status != CLIENT_REFUSED)
        return false;
    struct str persai = find_kind(a->body, "PersAIDatasource", "persai");
    struct str prometheus = find_kind(a->body, "PrometheusDatasource", "prometheus");
    if (persai.len > 0) {
        free(c->via);
        CHECK(asprintf(&c->via, "/proxy/globaldatasources/%.*s", (int)persai.len, persai.at) > 0);
    }
    if (!named) {
        buf_puts(path, "/proxy/globaldatasources/");
        buf_add_str(path, prometheus.len > 0 ? prometheus : STR("prometheus"));
    }
    client_answer_free(a);
    return true;
}

/* ---- a turn's events ---- */

static void on_cancelled(void *arg, const struct fetch_result *r)
{
    struct client *c = arg;
    (void)r; /* the stream tells how the turn ended */
    c->cancel = NULL;
}

/* In the loop, not in the signal's handler. */
static void on_interrupt(void *arg)
{
    static const struct fetch_handler handler = {.on_done = on_cancelled};
    struct client *c = arg;
    if (c->cancel_path) {
        struct request r = {.method = "POST",
                            .base = c->gateway ? c->gateway : c->perses,
                            .path = c->cancel_path,
                            .signed_in = true};
        c->cancel = start(c, &r, &handler, c);
        free(c->cancel_path);
        c->cancel_path = NULL;
        return;
    }
    c->interrupted = true;
    loop_stop(c->loop);
}

static void on_bytes(void *arg, struct str bytes)
{
    struct client *c = arg;
    c->heard_ms = loop_now_ms(c->loop);
    if (!c->over && sse_feed(&c->sse, bytes) != SSE_MORE)
        loop_stop(c->loop);
}

static bool on_event(void *arg, struct str name, struct str data)
{
    struct client *c = arg;
    (void)name;
    json_auto_t *event = json_loadb(data.at, data.len, 0, NULL);
    const json_t *payload = json_object_get(json_object_get(event, "event"), "payload");
    if (!payload)
        return true; /* a kind of event that we don't know */
    snprintf(c->after, sizeof(c->after), "%s", c->sse.id);
    c->over = c->fn(c->fn_arg, payload);
    return !c->over;
}

/* False: a says why, and it is of no use to try again. */
static bool follow_once(struct client *c, const char *path, struct client_answer *a)
{
    struct request r = {.method = "GET",
                        .base = c->gateway ? c->gateway : c->perses,
                        .path = path,
                        .after = c->after,
                        .signed_in = true,
                        .stream = true};
    struct asked asked;
    sse_init(&c->sse, EVENT_BYTES_MAX, on_event, c);
    send(c, &r, &asked);
    sse_free(&c->sse);
    answer_of(&r, &asked, a);
    bool lasts = asked.fetched == FETCH_OK && asked.http_status >= 400 && !worth_another(&asked) &&
                 asked.http_status != 500; /* Perses's answer where the gateway is away */
    buf_free(&asked.body);
    if (asked.http_status == 401 && c->refresh) {
        client_answer_free(a);
        return refresh(c, a);
    }
    return !lasts;
}

void client_follow(struct client *c, struct id session, struct id turn, const char *after,
                   client_event_fn *fn, void *arg, struct client_answer *a)
{
    char path[160], text[2][ID_TEXT + 1];
    id_text(session, text[0]);
    id_text(turn, text[1]);
    CHECK(asprintf(&c->cancel_path, "/session/%s/turn/%s/cancel", text[0], text[1]) > 0);
    snprintf(path, sizeof(path), "/session/%s/turn/%s/events", text[0], text[1]);
    snprintf(c->after, sizeof(c->after), "%s", after);
    c->fn = fn;
    c->fn_arg = arg;
    c->over = false;
    c->heard_ms = loop_now_ms(c->loop);
    *a = (struct client_answer){0};
    int64_t told = -1; /* heard_ms when it was said that nothing is heard: once for each silence */
    if (ready(c, a))
        while (follow_once(c, path, a) && !c->over && !c->interrupted) {
            if (loop_now_ms(c->loop) - c->heard_ms > GIVE_UP_MS)
                break;
            if (a->message[0] && told != c->heard_ms) {
                told = c->heard_ms;
                c->on_wait(c->arg, a->message);
            }
            client_answer_free(a);
            client_wait(c, PAUSE_MS);
        }
    if (c->over)
        client_answer_free(a);
    else if (c->interrupted)
        a->status = CLIENT_INTERRUPTED;
    else if (a->status == CLIENT_OK)
        a->status = CLIENT_LOST;
    c->over = false;
    free(c->cancel_path);
    c->cancel_path = NULL;
}

const char *client_last_event(const struct client *c) { return c->after; }
