#include "gateway/api/audit.h"
#include "gateway/api/call.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "common/log.h"
#include "gateway/api/callers.h"
#include "proto/store/store.h"
#include "proto/time_range.h"

enum { CALL_MAGIC = 0x43414c4c };

static void on_gone(void *arg);
static void audit(const struct call *c, unsigned status);
static struct http_stream *open_keyed(struct call *c, const char *content_type,
                                      const struct http_stream_handler *h, void *arg);

struct call *call_new(struct gateway *g, struct http_request *r)
{
    struct call *c = xcalloc(1, sizeof(*c));
    c->magic = CALL_MAGIC;
    c->gateway = g;
    c->request = r;
    c->begun_ns = loop_hr_ns();
    http_set_user(r, c, on_gone);
    return c;
}

void call_check(const struct call *c) { MAGIC_CHECK(c, CALL_MAGIC); }

/* ---- its place ---- */

void call_rest(struct call *c) { visits_over(&c->visit); }

void call_visit(struct call *c, struct visits *there, void (*go)(void *arg), void *arg)
{
    call_rest(c);
    if (c->gateway->settings.auth)
        visits_ask(there, &c->visit, c->user, go, arg);
    else
        go(arg);
}

/* ---- the end of a call ---- */

static void call_free(struct call *c)
{
    identity_forget(c->gateway->identity, c->identity_id);
    store_forget(c->gateway->store, c->store_call);
    if (c->key.key)
        service_forget(key_service(c->key.key), c->service_id);
    key_unuse(&c->key);
    credentials_free(&c->credentials);
    call_rest(c);
    if (c->door)
        c->door_free(c->door);
    json_decref(c->body);
    c->magic = 0;
    free(c);
}

static void on_gone(void *arg)
{
    struct call *c = arg;
    MAGIC_CHECK(c, CALL_MAGIC);
    audit(c, 0);
    if (c->on_gone)
        c->on_gone(c);
    call_free(c);
}

void call_count(unsigned status)
{
    metric_add(gateway_metric(status >= 500   ? METRIC_requests_5xx
                              : status >= 400 ? METRIC_requests_4xx
                                              : METRIC_requests_2xx),
               1);
}

void call_reply_text(struct call *c, unsigned status, const char *content_type, struct str body)
{
    MAGIC_CHECK(c, CALL_MAGIC);
    call_count(status);
    audit(c, status);
    log_debug("http.reply", "method=%s status=%u path=%s us=%llu",
              log_text(http_method(c->request)), status, log_text(http_path(c->request)),
              (unsigned long long)((loop_hr_ns() - c->begun_ns) / 1000));
    http_set_user(c->request, NULL, NULL);
    http_reply(c->request, status, content_type, body);
    call_free(c);
}

void call_reply(struct call *c, unsigned status, struct str json)
{
    call_reply_text(c, status, "application/json", json);
}

bool call_stored(struct call *c, enum err err)
{
    c->store_call = 0;
    if (err)
        call_fail(c, err, NULL);
    return !err;
}

void call_fail(struct call *c, enum err err, const char *sentence)
{
    struct buf b;
    c->err = err;
    if (!sentence && err == ERR_SWITCHED_OFF)
        sentence = switched_off(c->gateway->switched, "turns", STR(""));
    unsigned status = err_http_status(err);
    char after[16];
    snprintf(after, sizeof(after), "%u", c->retry_after_s ? c->retry_after_s : 2);
    if (status == 429 || status == 503)
        http_add_header(c->request, "Retry-After", after);
    if (status == 401) /* RFC 9110, 15.5.2 */
        http_add_header(c->request, "WWW-Authenticate", "Bearer");
    if (c->hooks && c->hooks->fail) {
        c->hooks->fail(c, err, sentence ? sentence : err_sentence(err));
        return;
    }
    buf_init(&b, 4096);
    if (c->error)
        c->error(&b, err, status, sentence ? sentence : err_sentence(err));
    else
        err_json(&b, err, sentence);
    call_reply(c, status, buf_str(&b));
    buf_free(&b);
}

/* Before the request is answered, which it does not outlive. */
static void audit(const struct call *c, unsigned status)
{
    struct str datasource = {0};
    if (status != 0)
        http_query(c->request, "datasource_path", &datasource);
    audit_request(&(struct audit_request){.act = c->act,
                                          .owner = str_of(c->user),
                                          .door = c->door_name,
                                          .key = c->key.key ? key_row(c->key.key)->name : "",
                                          .session = c->session,
                                          .turn = c->turn,
                                          .datasource = datasource,
                                          .status = status,
                                          .err = c->err});
}

/* ---- a key that is revoked ---- */

static void on_revoked(void *arg)
{
    struct call *c = arg;
    MAGIC_CHECK(c, CALL_MAGIC);
    c->service_id = 0; /* its service goes with it */
    c->cut = true;
    if (c->reading) /* answered once the body is there */
        return;
    if (c->on_gone)
        c->on_gone(c);
    c->on_gone = NULL;
    call_fail(c, ERR_UNAUTHENTICATED, CALL_KEY_UNKNOWN);
}

void call_use_key(struct call *c, struct key *key)
{
    c->key.on_revoked = on_revoked;
    c->key.arg = c;
    key_use(key, &c->key);
}

/* A stream that a program reads with its key. */
struct keyed {
    struct key_use use;
    const struct http_stream_handler *handler;
    void *arg;
    struct http_stream *stream;
};

static size_t keyed_fill(void *arg, char *dst, size_t cap)
{
    struct keyed *k = arg;
    return k->handler->on_fill(k->arg, dst, cap);
}

static void keyed_closed(void *arg)
{
    struct keyed *k = arg;
    key_unuse(&k->use);
    k->handler->on_closed(k->arg);
    free(k);
}

static void keyed_revoked(void *arg)
{
    struct keyed *k = arg;
    http_stream_abort(k->stream);
}

static struct http_stream *open_keyed(struct call *c, const char *content_type,
                                      const struct http_stream_handler *h, void *arg)
{
    static const struct http_stream_handler loud = {keyed_fill, keyed_closed, false};
    static const struct http_stream_handler quiet = {keyed_fill, keyed_closed, true};
    struct keyed *k = xcalloc(1, sizeof(*k));
    *k = (struct keyed){.use = {.on_revoked = keyed_revoked, .arg = k}, .handler = h, .arg = arg};
    key_use(c->key.key, &k->use);
    k->stream = http_stream_open(c->request, content_type, h->quiet ? &quiet : &loud, k);
    return k->stream;
}

struct http_stream *call_stream(struct call *c, const char *content_type,
                                const struct http_stream_handler *h, void *arg)
{
    MAGIC_CHECK(c, CALL_MAGIC);
    call_count(200);
    audit(c, 200);
    http_set_user(c->request, NULL, NULL);
    struct http_stream *s = c->key.key ? open_keyed(c, content_type, h, arg)
                                       : http_stream_open(c->request, content_type, h, arg);
    call_free(c);
    return s;
}

/* ---- what handlers ask of a call ---- */

bool call_text(struct call *c, const char *key, size_t max, struct str *out)
{
    json_t *value = json_object_get(c->body, key);
    *out = (struct str){0};
    if (!value || json_is_null(value))
        return true;
    if (!json_is_string(value)) {
        char sentence[128];
        snprintf(sentence, sizeof(sentence), "%s must be a text", key);
        call_fail(c, ERR_INVALID, sentence);
        return false;
    }
    *out = json_text(value);
    if (out->len <= max)
        return true;
    char sentence[128];
    snprintf(sentence, sizeof(sentence), "%s is longer than %zu bytes", key, max);
    call_fail(c, ERR_TOO_LARGE, sentence);
    return false;
}

bool call_message(struct call *c, const char *key, uint32_t *out)
{
    json_t *value = json_object_get(c->body, key);
    char sentence[80];
    uint64_t n = 0;
    if (json_is_number(value) && json_number_value(value) > 0 &&
        json_number_value(value) <= UINT32_MAX)
        n = (uint64_t)json_number_value(value);
    else if (json_is_string(value))
        str_u64(json_text(value), UINT32_MAX, &n);
    *out = (uint32_t)n;
    if (n == 0) {
        snprintf(sentence, sizeof(sentence), "%s must be the id of a message", key);
        call_fail(c, ERR_INVALID, sentence);
    }
    return n != 0;
}

bool call_range(struct call *c)
{
    const json_t *context = json_object_get(c->body, "context");
    struct str zone = json_text(json_object_get(context, "timezone"));
    struct time_range range;
    char sentence[256];
    const char *fault =
        time_range_read(json_object_get(context, "time_range"), zone, loop_wall_ms(), &range);
    if (!fault)
        return true;
    snprintf(sentence, sizeof(sentence), "context.%s", fault);
    call_fail(c, ERR_INVALID, sentence);
    return false;
}

bool call_person_has_room(struct call *c, uint64_t bytes)
{
    const struct gateway_settings *s = &c->gateway->settings;
    if (!c->visitor || !s->auth || s->http.memory_bytes_max == 0 ||
        callers_hold(c->visitor, bytes, s->http.memory_bytes_max / 4))
        return true;
    c->retry_after_s = 1;
    call_fail(c, ERR_RATE_LIMITED, "Your requests under way are too large in all");
    return false;
}

bool call_keep(struct call *c, size_t bytes)
{
    if (!call_person_has_room(c, bytes))
        return false;
    if (http_keep_memory(c->request, bytes))
        return true;
    call_fail(c, ERR_BUSY, NULL);
    return false;
}

struct str call_key(struct call *c, char out[65])
{
    unsigned char hash[32];
    struct str key = http_header(c->request, "Idempotency-Key");
    if (key.len == 0)
        return (struct str){0};
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof(hash));
    crypto_generichash_update(&state, (const unsigned char *)c->user, strlen(c->user) + 1);
    crypto_generichash_update(&state, (const unsigned char *)key.at, key.len);
    crypto_generichash_final(&state, hash, sizeof(hash));
    sodium_bin2hex(out, 65, hash, sizeof(hash));
    return (struct str){out, 64};
}

struct str call_body(struct call *c, struct str query, char out[65])
{
    unsigned char hash[32];
    char key[65];
    if (call_key(c, key).len == 0)
        return (struct str){0};
    char *text = c->body ? json_dumps(c->body, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    const char *body = text ? text : "{}"; /* none says as much as an empty one */
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof(hash));
    crypto_generichash_update(&state, (const unsigned char *)key, sizeof(key));
    crypto_generichash_update(&state, (const unsigned char *)query.at, query.len);
    crypto_generichash_update(&state, (const unsigned char *)"", 1);
    crypto_generichash_update(&state, (const unsigned char *)body, strlen(body));
    crypto_generichash_final(&state, hash, sizeof(hash));
    sodium_bin2hex(out, 65, hash, sizeof(hash));
    free(text);
    return (struct str){out, 64};
}
