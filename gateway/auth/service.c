#include "gateway/auth/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "common/list.h"
#include "common/log.h"

enum {
    AGAIN_MS = 2000,         /* after Perses refused or was silent */
    UNKNOWN_LIFE_MS = 60000, /* of a token that does not say when it ends */
    ANSWER_BYTES_MAX = 64 << 10,
    BODY_BYTES_MAX = SECRET_MAX * 8,
};

struct waiter {
    struct list node;
    uint64_t id;
    service_fn *fn;
    void *arg;
};
struct service {
    struct gateway *gateway;
    char *name; /* with which it signs in; NULL: there is none */
    struct secret *password;
    struct list waiters;
    uint64_t next_id;
    struct fetch *fetch;  /* of the sign-in */
    uint64_t identity_id; /* then Perses is asked who that is */
    struct credentials credentials;
    char user[USER_MAX_BYTES];
    enum err err;
    int64_t until_ms; /* of what is known: credentials and user, or err; 0: nothing */
};

struct service *service_new(struct gateway *g, const char *name, const struct secret *password)
{
    struct service *s = xcalloc(1, sizeof(*s));
    s->gateway = g;
    s->name = *name ? xstrdup(name) : NULL;
    s->password = password ? secret_new(secret_reveal(password)) : NULL;
    list_init(&s->waiters);
    return s;
}

void service_renew(struct service *s, const struct secret *password)
{
    if (!password || (s->password && secret_eq(s->password, password)))
        return;
    secret_free(s->password);
    s->password = secret_new(secret_reveal(password));
    if (s->err)
        s->until_ms = 0; /* the other one was refused: at once with this one */
}

void service_free(struct service *s)
{
    fetch_cancel(s->fetch);
    identity_forget(s->gateway->identity, s->identity_id);
    list_each (&s->waiters, node, next)
        free(list_of(node, struct waiter, node));
    credentials_free(&s->credentials);
    secret_free(s->password);
    free(s->name);
    free(s);
}

bool service_is(const struct service *s, const char *name, const struct secret *password)
{
    return s->name && strcmp(s->name, name) == 0 && s->password && secret_eq(s->password, password);
}

/* Is there one? With PERSAI_AUTH=false: "local", without a token. */
static bool service_on(const struct service *s) { return !s->gateway->settings.auth || s->name; }

/* ---- the sign-in ---- */

static void settle(struct service *s, enum err err, int64_t keep_ms)
{
    s->err = err;
    s->until_ms = loop_now_ms(s->gateway->loop) + keep_ms;
    if (err)
        credentials_free(&s->credentials);
    while (!list_empty(&s->waiters)) {
        struct waiter *w = list_first(&s->waiters, struct waiter, node);
        list_remove(&w->node);
        w->fn(w->arg, err, str_of(s->user), &s->credentials);
        free(w);
    }
}

static void fail(struct service *s, const char *why, int status)
{
    log_error("service.sign_in", "user=%s failed=%s status=%d", log_text(str_of(s->name)), why,
              status);
    settle(s, ERR_PERSES_UNAVAILABLE, AGAIN_MS);
}

/* What Perses calls it owns the sessions, as with everybody. */
static void on_user(void *arg, enum err err, struct str user)
{
    struct service *s = arg;
    s->identity_id = 0;
    if (err) {
        fail(s, err_word(err), 0);
        return;
    }
    CHECK(user.len < sizeof(s->user));
    memcpy(s->user, user.at, user.len);
    s->user[user.len] = '\0';
    int64_t left_ms = s->credentials.expires_ms - loop_wall_ms();
    settle(s, ERR_NONE, s->credentials.expires_ms ? left_ms / 2 : UNKNOWN_LIFE_MS);
    log_info("service.signed_in", "user=%s ms=%lld", log_text(str_of(s->user)), (long long)left_ms);
}

static void on_signed_in(void *arg, const struct fetch_result *r)
{
    struct service *s = arg;
    s->fetch = NULL;
    credentials_free(&s->credentials);
    if (r->status != FETCH_OK || r->http_status != 200 ||
        !credentials_read(r->body, &s->credentials)) {
        bool refused = r->status == FETCH_OK && r->http_status >= 400 && r->http_status < 500;
        fail(s, refused ? "name_or_password" : "no_token", r->http_status);
        return;
    }
    uint64_t id = identity_check(s->gateway->identity, s->credentials.access, NULL, on_user, s);
    if (id) /* else on_user has come already */
        s->identity_id = id;
}

struct fetch *service_sign_in(struct gateway *g, const char *user, const struct secret *password,
                              const struct fetch_handler *h, void *arg)
{
    scoped_buf(body, BODY_BYTES_MAX);
    buf_keep_secret(&body);
    buf_puts(&body, "{\"login\":");
    json_str(&body, str_of(user));
    json_field(&body, "password", secret_reveal(password));
    buf_putc(&body, '}');
    return credentials_ask(g, SERVICE_SIGN_IN, &body, ANSWER_BYTES_MAX, h, arg);
}

static void sign_in(struct service *s)
{
    static const struct fetch_handler handler = {.on_done = on_signed_in};
    s->fetch = service_sign_in(s->gateway, s->name, s->password, &handler, s);
}

/* ---- questions ---- */

/* Is what is known still good? What is not, is asked for. */
static bool known(struct service *s)
{
    struct gateway *g = s->gateway;
    if (!g->settings.auth) {
        snprintf(s->user, sizeof(s->user), USER_LOCAL);
        s->err = ERR_NONE;
        return true;
    }
    if (s->fetch || s->identity_id)
        return false;
    if (loop_now_ms(g->loop) < s->until_ms)
        return true;
    sign_in(s);
    return false;
}

uint64_t service_ask(struct service *s, service_fn *fn, void *arg)
{
    if (known(s)) {
        fn(arg, s->err, str_of(s->user), &s->credentials);
        return 0;
    }
    struct waiter *w = xcalloc(1, sizeof(*w));
    *w = (struct waiter){.id = ++s->next_id, .fn = fn, .arg = arg};
    list_push(&s->waiters, &w->node);
    return w->id;
}

void service_forget(struct service *s, uint64_t id)
{
    list_each (&s->waiters, node, next) {
        struct waiter *w = list_of(node, struct waiter, node);
        if (w->id != id)
            continue;
        list_remove(&w->node);
        free(w);
    }
}

bool service_known(struct service *s, struct str *user, const struct credentials **c)
{
    if (!service_on(s) || !known(s) || s->err != ERR_NONE)
        return false;
    *user = str_of(s->user);
    *c = &s->credentials;
    return true;
}
