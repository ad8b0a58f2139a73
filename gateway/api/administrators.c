#include "gateway/api/administrators.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "common/log.h"
#include "gateway/auth/user.h"

enum { ANSWER_BYTES_MAX = 1 << 20, ASK_MS = 5000 };

struct asking_roles {
    struct call *call;
    void (*then)(struct call *c, bool yes);
    struct fetch *fetch;
};

static bool write_url(const struct call *c, struct buf *url);
static void on_answer(void *arg, const struct fetch_result *f);
static void on_gone(struct call *c);
static bool says_yes(struct str permissions);

void administrators_ask(struct call *c, void (*then)(struct call *c, bool yes))
{
    static const struct fetch_handler handler = {.on_done = on_answer};
    scoped_buf(url, 4096);
    if (!c->gateway->settings.auth) {
        then(c, true);
        return;
    }
    if (!write_url(c, &url)) {
        then(c, false);
        return;
    }
    struct asking_roles *a = xcalloc(1, sizeof(*a));
    *a = (struct asking_roles){.call = c, .then = then};
    c->data = a;
    c->on_gone = on_gone;
    struct fetch_request ask = {.method = "GET",
                                .url = buf_cstr(&url),
                                .bearer = c->credentials.access,
                                .connect_ms = 3000,
                                .total_ms = ASK_MS,
                                .body_bytes_max = ANSWER_BYTES_MAX,
                                .collect = true};
    a->fetch = fetch_start(c->gateway->fetch, &ask, &handler, a);
}

static bool write_url(const struct call *c, struct buf *url)
{
    struct str name;
    int64_t created_ms;
    if (!user_split(str_of(c->user), &name, &created_ms))
        return false;
    buf_puts(url, c->gateway->settings.perses);
    buf_puts(url, "/api/v1/users/");
    fetch_escape(url, name);
    return buf_puts(url, "/permissions");
}

static void end(struct asking_roles *a)
{
    a->call->data = NULL;
    a->call->on_gone = NULL;
    fetch_cancel(a->fetch);
    free(a);
}

static void on_gone(struct call *c) { end(c->data); }

static void on_answer(void *arg, const struct fetch_result *f)
{
    struct asking_roles *a = arg;
    struct call *c = a->call;
    void (*then)(struct call * c, bool yes) = a->then;
    bool answered = f->status == FETCH_OK && f->http_status < 500;
    bool yes = answered && f->http_status == 200 && says_yes(f->body);
    if (!answered)
        log_warn("administrators.perses", "status=%d error=%s", f->http_status,
                 log_text(str_of(f->error)));
    a->fetch = NULL;
    end(a);
    if (answered)
        then(c, yes);
    else
        call_fail(c, ERR_PERSES_UNAVAILABLE, NULL);
}

static bool has_all(const json_t *list)
{
    const json_t *one;
    size_t i;
    json_array_foreach(list, i, one)
    {
        if (str_is(json_text(one), "*"))
            return true;
    }
    return false;
}

/* {project: [{"actions": [], "scopes": []}]}; the project "*" is all of them and what is global
 * (internal/api/authorization/native of Perses 0.54). */
static bool says_yes(struct str permissions)
{
    json_auto_t *all = json_loadb(permissions.at ? permissions.at : "", permissions.len, 0, NULL);
    const json_t *one;
    size_t i;
    json_array_foreach(json_object_get(all, "*"), i, one)
    {
        if (has_all(json_object_get(one, "actions")) && has_all(json_object_get(one, "scopes")))
            return true;
    }
    return false;
}
