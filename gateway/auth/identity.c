#include "gateway/auth/identity.h"

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "gateway/auth/askers.h"
#include "gateway/gateway.h"
#include "proto/store/owner.h"
#include "proto/store/store.h"

enum {
    CACHE_MAX = 20000,      /* tokens known at once; more: known_of drops the least worth */
    REFUSED_KEEP_MS = 5000, /* a refused token is not asked for again; a user made anew has one */
    LINE_LOOK_MS = 1000,    /* who waits in vain is told */
    CONFIG_KEEP_MS = 30000, /* how long Perses's answer whether its authentication is on is kept */
    CONFIG_AGAIN_MS = 5000, /* when it did not say so */
    CONFIG_WAIT_MS = 3000,  /* the person waits for a refusal meanwhile */
    WHOAMI_WAIT_MS = 10000,
    ANSWER_BYTES_MAX = 1 << 20,
};

/* Somebody who waits for an answer about a token. */
struct waiter {
    struct list node;
    uint64_t id;
    struct known *known;
    identity_fn *fn;
    void *arg;
};

/* One token, known by its hash: the answer about it, or the question under way. */
struct known {
    struct identity *identity;
    char key[32];
    struct secret *access; /* while it is asked for */
    struct ask ask;        /* its place among all questions */
    struct fetch *fetch;
    uint64_t store_call;
    struct list refused; /* in identity.refused while Perses's configuration is asked for */
    struct list waiters;
    struct user user;
    enum err err;
    bool familiar;    /* Perses knew it when it was asked last */
    int64_t until_ms; /* of the answer; 0: none yet */
};

struct refresh {
    struct list node;
    struct identity *identity;
    uint64_t id;
    struct fetch *fetch;
    identity_refresh_fn *fn;
    void *arg;
};

struct identity {
    struct gateway *gateway;
    struct map *tokens;  /* hash → known */
    struct map *waiters; /* id → waiter */
    struct askers *askers;
    struct loop_timer *line; /* while somebody waits */
    struct list refreshes;
    uint64_t next_id;
    struct list refused;  /* known, until it is told whether authentication is on */
    struct fetch *config; /* that question, one for all of them */
    int64_t config_until_ms;
    bool auth_off;
};

static void ask_next(struct identity *i);

/* ---- what a request came with ---- */

/* The exp claim of a JWT's payload, unverified: only to refresh in time. */
static int64_t expiry_of(struct str token)
{
    struct str payload;
    unsigned char text[6144];
    size_t len;
    if (!str_split(&token, '.', &payload) || !str_split(&token, '.', &payload))
        return 0;
    if (sodium_base642bin(text, sizeof(text), payload.at, payload.len, NULL, &len, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
        return 0;
    json_t *claims = json_loadb((char *)text, len, 0, NULL);
    json_int_t exp = json_integer_value(json_object_get(claims, "exp"));
    json_decref(claims);
    secret_wipe(text, sizeof(text));
    return exp > 0 && exp < INT64_MAX / 1000 ? exp * 1000 : 0;
}

static bool token_ok(struct str t)
{
    for (size_t i = 0; i < t.len;
         i++) /* what a header may carry: a newline would be another header */
        if ((unsigned char)t.at[i] <= ' ' || (unsigned char)t.at[i] >= 0x7f)
            return false;
    return t.len > 0 && t.len <= 8192;
}

static struct secret *cookie_token(const struct http_request *r)
{
    struct str payload = http_cookie(r, "jwtPayload"), signature = http_cookie(r, "jwtSignature");
    if (payload.len == 0 || signature.len == 0 || payload.len + signature.len + 1 > 8192)
        return NULL;
    char joined[8193];
    memcpy(joined, payload.at, payload.len);
    joined[payload.len] = '.';
    memcpy(joined + payload.len + 1, signature.at, signature.len);
    struct str whole = {joined, payload.len + 1 + signature.len};
    struct secret *token = token_ok(whole) ? secret_new(whole) : NULL;
    secret_wipe(joined, sizeof(joined));
    return token;
}

static struct secret *bearer_of(const struct http_request *r)
{
    struct str header = http_header(r, "Authorization");
    if (header.len <= 7 || strncasecmp(header.at, "Bearer ", 7) != 0)
        return NULL;
    struct str token = str_trim(str_skip(header, 7));
    return token_ok(token) ? secret_new(token) : NULL;
}

bool credentials_bearer_is(const struct http_request *r, const struct secret *word)
{
    struct secret *given = bearer_of(r);
    bool same = given && secret_eq(given, word);
    secret_free(given);
    return same;
}

void credentials_of(const struct http_request *r, bool bearer, struct credentials *out)
{
    struct str refresh = http_cookie(r, "jwtRefreshToken");
    *out = (struct credentials){.access = cookie_token(r)};
    if (out->access && token_ok(refresh))
        out->refresh = secret_new(refresh);
    if (!out->access && bearer)
        out->access = bearer_of(r);
    out->expires_ms = expiry_of(secret_reveal(out->access));
}

bool credentials_read(struct str json, struct credentials *out)
{
    json_t *all = json_loadb(json.at ? json.at : "", json.len, 0, NULL);
    json_t *access = json_object_get(all, "access_token");
    json_t *refresh = json_object_get(all, "refresh_token");
    struct str token = json_text(access);
    struct str again = json_text(refresh);
    *out = (struct credentials){0};
    if (token_ok(token)) {
        out->access = secret_new(token);
        out->refresh = token_ok(again) ? secret_new(again) : NULL;
        out->expires_ms = expiry_of(token);
    }
    json_decref(all);
    return out->access != NULL;
}

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

/* ---- answers ---- */

static struct str key_of(const uint64_t *id) { return (struct str){(const char *)id, sizeof(*id)}; }

static void answer(struct known *k)
{
    while (!list_empty(&k->waiters)) {
        struct waiter *w = list_first(&k->waiters, struct waiter, node);
        list_remove(&w->node);
        map_remove(k->identity->waiters, key_of(&w->id));
        w->fn(w->arg, k->err, k->err ? (struct str){0} : str_of(k->user.owner));
        free(w);
    }
}

static void known_free(struct known *k)
{
    fetch_cancel(k->fetch);
    askers_leave(k->identity->askers, &k->ask, false, 0);
    store_forget(k->identity->gateway->store, k->store_call);
    list_remove(&k->refused);
    secret_free(k->access);
    list_each (&k->waiters, node, next)
        free(list_of(node, struct waiter, node));
    free(k);
}

static bool is_asked(const struct known *k)
{
    return k->ask.asker || k->store_call || !list_empty(&k->refused);
}

/* Not beyond the token's own end. */
static int64_t keep_ms(const struct identity *i, const struct known *k)
{
    int64_t keep = i->gateway->settings.whoami_keep_ms;
    int64_t expires_ms = k->access ? expiry_of(secret_reveal(k->access)) : 0;
    int64_t left = expires_ms - loop_wall_ms();
    return expires_ms == 0 || left > keep ? keep : left > 0 ? left : 0;
}

/* Only what Perses said of the token itself is kept; that it was silent is not. */
static void settle(struct known *k, enum err err)
{
    struct identity *i = k->identity;
    int64_t now_ms = loop_now_ms(i->gateway->loop);
    bool refused = err == ERR_UNAUTHENTICATED || err == ERR_PERSES_AUTH_OFF;
    int64_t kept_ms = err == ERR_NONE ? keep_ms(i, k) : refused ? REFUSED_KEEP_MS : 0;
    secret_free(k->access);
    k->access = NULL;
    k->err = err;
    k->until_ms = now_ms + kept_ms;
    k->familiar = err == ERR_NONE || (k->familiar && !refused);
    if (err && !refused)
        metric_add(gateway_metric(METRIC_whoami_failed), 1);
    answer(k);
}

static struct fetch *get(struct identity *i, const char *path, const struct secret *bearer,
                         int64_t total_ms, const struct fetch_handler *h, void *arg)
{
    struct buf url;
    buf_init(&url, 2048);
    buf_puts(&url, i->gateway->settings.perses);
    buf_puts(&url, path);
    struct fetch_request r = {.method = "GET",
                              .url = buf_cstr(&url),
                              .bearer = bearer,
                              .connect_ms = 3000,
                              .total_ms = total_ms,
                              .body_bytes_max = ANSWER_BYTES_MAX,
                              .collect = true};
    struct fetch *f = fetch_start(i->gateway->fetch, &r, h, arg);
    buf_free(&url);
    return f;
}

static void settle_refused(struct identity *i)
{
    while (!list_empty(&i->refused)) {
        struct known *k = list_first(&i->refused, struct known, refused);
        list_remove(&k->refused);
        settle(k, i->auth_off ? ERR_PERSES_AUTH_OFF : ERR_UNAUTHENTICATED);
    }
}

/* Perses says 401 to everybody when its authentication is off. Its configuration, which needs no
 * token, tells the two apart. Where it is hidden, or is not what we know, the refusal stands. */
static void on_config(void *arg, const struct fetch_result *r)
{
    struct identity *i = arg;
    i->config = NULL;
    bool got = r->status == FETCH_OK && r->http_status == 200;
    json_t *all = got ? json_loadb(r->body.at, r->body.len, 0, NULL) : NULL;
    json_t *security = json_object_get(all, "security");
    if (!security)
        security = json_object_get(json_object_get(all, "config"), "security");
    json_t *enabled = json_object_get(security, "enable_auth");
    i->auth_off = json_is_false(enabled);
    i->config_until_ms = loop_now_ms(i->gateway->loop) +
                         (json_is_boolean(enabled) ? CONFIG_KEEP_MS : CONFIG_AGAIN_MS);
    if (!json_is_boolean(enabled))
        log_warn("identity.config", "status=%d error=%s taken=on", r->http_status,
                 log_text(str_of(r->error)));
    json_decref(all);
    settle_refused(i);
}

static void refused(struct known *k)
{
    static const struct fetch_handler handler = {.on_done = on_config};
    struct identity *i = k->identity;
    list_push(&i->refused, &k->refused);
    if (loop_now_ms(i->gateway->loop) < i->config_until_ms)
        settle_refused(i);
    else if (!i->config)
        i->config = get(i, "/api/config", NULL, CONFIG_WAIT_MS, &handler, i);
}

static void on_moved(void *arg, enum err err, const struct store_answer *a)
{
    struct known *k = arg;
    k->store_call = 0;
    if (err)
        log_warn("identity.move", "owner=%s code=%s", log_text(str_of(k->user.owner)),
                 err_word(err));
    else if (a->moved > 0)
        log_info("identity.move", "owner=%s sessions=%u", log_text(str_of(k->user.owner)),
                 a->moved);
    settle(k, ERR_NONE);
}

/* Earlier versions kept sessions under the name alone. What was created since this account was
 * made is its own; what is older is an earlier user's, and waits for --hand-over. Of the name of
 * PERSAI_AUTH=false's user all is that one's. What can't be moved now is when the token is asked
 * about next. */
static void settle_user(struct known *k)
{
    struct store *store = k->identity->gateway->store;
    struct str owner = str_of(k->user.owner), name = {owner.at, k->user.name_bytes};
    if (!store_ready(store)) {
        settle(k, ERR_NONE);
        return;
    }
    store_owner_seen(store, name, owner);
    if (str_is(name, USER_LOCAL))
        settle(k, ERR_NONE);
    else
        k->store_call = store_owner_move(store, name, owner, k->user.created_ms, on_moved, k);
}

static void on_whoami(void *arg, const struct fetch_result *r)
{
    struct known *k = arg;
    struct identity *i = k->identity;
    bool answered = r->status == FETCH_OK;
    bool no = answered && (r->http_status == 401 || r->http_status == 403 || r->http_status == 400);
    k->fetch = NULL;
    askers_leave(i->askers, &k->ask, no, loop_now_ms(i->gateway->loop));
    if (answered && r->http_status == 200 && user_read(r->body, &k->user)) {
        settle_user(k);
    } else if (no) {
        refused(k);
    } else {
        bool nobody = r->status == FETCH_OK && r->http_status == 200;
        log_warn("identity.perses", "status=%d error=%s", r->http_status,
                 log_text(nobody ? STR("no name or createdAt in whoami") : str_of(r->error)));
        settle(k, ERR_PERSES_UNAVAILABLE);
    }
    ask_next(i);
}

/* ---- questions ---- */

/* To Perses goes what may now; the rest waits. */
static void ask_next(struct identity *i)
{
    static const struct fetch_handler handler = {.on_done = on_whoami};
    for (struct ask *q; (q = askers_next(i->askers));) {
        struct known *k = list_of(q, struct known, ask);
        metric_add(gateway_metric(METRIC_whoami), 1);
        k->fetch = get(i, "/api/v1/user/whoami", k->access, WHOAMI_WAIT_MS, &handler, k);
    }
    if (askers_waiting(i->askers))
        loop_timer_set(i->line, LINE_LOOK_MS, 0);
}

static void on_line(void *arg)
{
    struct identity *i = arg;
    int64_t now_ms = loop_now_ms(i->gateway->loop);
    for (struct ask *q; (q = askers_overdue(i->askers, now_ms));) {
        askers_leave(i->askers, q, false, now_ms);
        settle(list_of(q, struct known, ask), ERR_BUSY);
    }
    ask_next(i);
}

/* What it costs to forget a token, from nothing. */
enum worth { STALE, REFUSED, FAMILIAR, GOOD, ASKED };

static enum worth worth_of(const struct known *k, int64_t now_ms)
{
    if (is_asked(k))
        return ASKED;
    if (now_ms < k->until_ms)
        return k->err ? REFUSED : GOOD;
    return k->familiar ? FAMILIAR : STALE;
}

struct sweep {
    struct identity *identity;
    enum worth up_to;
};

static void drop(void *arg, struct str key, void *value)
{
    const struct sweep *w = arg;
    struct known *k = value;
    if (worth_of(k, loop_now_ms(w->identity->gateway->loop)) > w->up_to)
        return;
    map_remove(w->identity->tokens, key);
    known_free(k);
}

static struct known *known_of(struct identity *i, const unsigned char hash[32])
{
    struct str key = {(const char *)hash, 32};
    struct known *k = map_get(i->tokens, key);
    if (k)
        return k;
    for (struct sweep w = {i, STALE}; map_size(i->tokens) >= CACHE_MAX && w.up_to < ASKED;
         w.up_to++)
        map_each(i->tokens, drop, &w);
    k = xcalloc(1, sizeof(*k));
    k->identity = i;
    list_init(&k->waiters);
    list_init(&k->refused);
    ask_init(&k->ask);
    memcpy(k->key, hash, sizeof(k->key));
    map_put(i->tokens, key, k);
    return k;
}

static uint64_t wait_for(struct known *k, identity_fn *fn, void *arg)
{
    struct identity *i = k->identity;
    struct waiter *w = xcalloc(1, sizeof(*w));
    *w = (struct waiter){.id = ++i->next_id, .known = k, .fn = fn, .arg = arg};
    list_push(&k->waiters, &w->node);
    map_put(i->waiters, key_of(&w->id), w);
    return w->id;
}

uint64_t identity_check(struct identity *i, const struct secret *access,
                        const struct address *sender, identity_fn *fn, void *arg)
{
    unsigned char hash[32];
    int64_t now_ms = loop_now_ms(i->gateway->loop);
    secret_hash(secret_reveal(access), hash);
    struct known *k = map_get(i->tokens, (struct str){(char *)hash, sizeof(hash)});
    bool asked = k && is_asked(k), familiar = k && k->familiar;
    if (k && !asked && now_ms < k->until_ms) {
        fn(arg, k->err, k->err ? (struct str){0} : str_of(k->user.owner));
        return 0;
    }
    if (access && !asked && !askers_may(i->askers, sender, familiar, now_ms)) {
        metric_add(gateway_metric(METRIC_whoami_limited), 1);
        fn(arg, ERR_RATE_LIMITED, (struct str){0});
        return 0;
    }
    k = known_of(i, hash);
    uint64_t id = wait_for(k, fn, arg);
    if (!asked && !access) {
        refused(k); /* no token at all: is it even asked for? */
    } else if (!asked) {
        k->access = secret_ref((struct secret *)access);
        askers_enter(i->askers, &k->ask, sender, familiar, now_ms);
        ask_next(i);
    }
    return list_empty(&k->waiters) ? 0 : id;
}

uint64_t identity_check_anew(struct identity *i, const struct secret *access, identity_fn *fn,
                             void *arg)
{
    unsigned char hash[32];
    secret_hash(secret_reveal(access), hash);
    struct known *k = map_get(i->tokens, (struct str){(char *)hash, sizeof(hash)});
    if (k)
        k->until_ms = 0;
    return identity_check(i, access, NULL, fn, arg);
}

static void on_refreshed(void *arg, const struct fetch_result *r)
{
    struct refresh *f = arg;
    f->fetch = NULL;
    list_remove(&f->node);
    struct credentials got = {0};
    bool answered = r->status == FETCH_OK && r->http_status == 200;
    enum err err = answered && credentials_read(r->body, &got)      ? ERR_NONE
                   : r->status != FETCH_OK || r->http_status >= 500 ? ERR_PERSES_UNAVAILABLE
                                                                    : ERR_TOKEN_EXPIRED;
    if (err)
        log_info("identity.refresh", "status=%d code=%s", r->http_status, err_word(err));
    f->fn(f->arg, err, secret_ref(got.access), got.expires_ms);
    credentials_free(&got);
    free(f);
}

struct fetch *credentials_ask(struct gateway *g, const char *api, struct buf *body,
                              uint32_t answer_bytes_max, const struct fetch_handler *h, void *arg)
{
    static const struct fetch_header json = {"Content-Type", {"application/json", 16}};
    scoped_buf(url, 2048);
    buf_printf(&url, "%s%s", g->settings.perses, api);
    struct fetch_request r = {.method = "POST",
                              .url = buf_cstr(&url),
                              .headers = &json,
                              .header_count = 1,
                              .body = buf_str(body),
                              .connect_ms = 3000,
                              .total_ms = 10000,
                              .body_bytes_max = answer_bytes_max,
                              .secret_body = true,
                              .secret_answer = true,
                              .collect = true};
    return fetch_start(g->fetch, &r, h, arg);
}

uint64_t identity_refresh(struct identity *i, const struct secret *refresh, identity_refresh_fn *fn,
                          void *arg)
{
    static const struct fetch_handler handler = {.on_done = on_refreshed};
    struct refresh *f = xcalloc(1, sizeof(*f));
    scoped_buf(body, SECRET_MAX * 2);
    buf_keep_secret(&body);
    buf_puts(&body, "{\"refresh_token\":");
    json_str(&body, secret_reveal(refresh));
    buf_putc(&body, '}');
    *f = (struct refresh){.identity = i, .id = ++i->next_id, .fn = fn, .arg = arg};
    list_push(&i->refreshes, &f->node);
    f->fetch =
        credentials_ask(i->gateway, "/api/auth/refresh", &body, ANSWER_BYTES_MAX, &handler, f);
    return f->id;
}

/* Nobody waits for it any more. A question under way goes on: its answer is kept for the next one;
 * one in a line is not asked. */
static void left(struct known *k)
{
    if (!k->ask.asker || k->ask.asking)
        return;
    map_remove(k->identity->tokens, (struct str){(char *)k->key, sizeof(k->key)});
    known_free(k);
}

void identity_forget(struct identity *i, uint64_t id)
{
    if (id == 0)
        return;
    list_each (&i->refreshes, node, next) {
        struct refresh *f = list_of(node, struct refresh, node);
        if (f->id != id)
            continue;
        fetch_cancel(f->fetch);
        list_remove(&f->node);
        free(f);
        return;
    }
    struct waiter *w = map_remove(i->waiters, key_of(&id));
    if (!w)
        return;
    list_remove(&w->node);
    if (list_empty(&w->known->waiters))
        left(w->known);
    free(w);
}

struct identity *identity_new(struct gateway *g)
{
    struct identity *i = xcalloc(1, sizeof(*i));
    i->gateway = g;
    i->tokens = map_new();
    i->waiters = map_new();
    i->askers = askers_new(g->settings.whoami_max);
    i->line = loop_timer_new(g->loop, on_line, i);
    list_init(&i->refreshes);
    list_init(&i->refused);
    return i;
}

static void free_known(void *arg, struct str key, void *value)
{
    struct identity *i = arg;
    map_remove(i->tokens, key);
    known_free(value);
}

void identity_free(struct identity *i)
{
    list_each (&i->refreshes, node, next) {
        struct refresh *f = list_of(node, struct refresh, node);
        fetch_cancel(f->fetch);
        free(f);
    }
    fetch_cancel(i->config);
    map_each(i->tokens, free_known, i);
    map_free(i->tokens);
    map_free(i->waiters);
    askers_free(i->askers);
    loop_timer_free(i->line);
    free(i);
}
