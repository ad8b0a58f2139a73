/* gateway/api/sessions.c: what clients ask of sessions and their messages. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "common/check.h"
#include "common/json.h"
#include "gateway/api/call.h"
#include "gateway/api/session_json.h"
#include "gateway/turn/turns.h"
#include "proto/store/list.h"
#include "proto/store/session.h"
#include "proto/store/store.h"

enum {
    TITLE_BYTES_MAX = 512,
    MODEL_BYTES_MAX = 200,
    SETTINGS_BYTES_MAX = 128 << 10,
    QUERY_BYTES_MAX = 256,
    LIST_DEFAULT = 50,
    LIST_MAX = 200,
    LIST_BYTES_MAX = 4 << 20, /* of titles and models, which are bounded */
};

struct searching {
    struct search search;
    struct call *call;
    char *q, *cursor;
    uint64_t limit;
};

static void search_gone(struct call *c);
static void search_on(struct gateway *g);
static void on_search(void *arg, enum err err, const struct store_answer *a);
static void searching_free(struct searching *s);

/* ---- answers ---- */

static void reply_ok(struct call *c) { call_reply(c, 200, STR("{\"response\":\"ok\"}")); }

static void on_session_id(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    if (!call_stored(c, err))
        return;
    c->session = a->session;
    struct buf b;
    buf_init(&b, 256);
    buf_putc(&b, '{');
    session_json_id(&b, a->session);
    buf_putc(&b, '}');
    call_reply(c, 201, buf_str(&b));
    buf_free(&b);
}

static void on_done(void *arg, enum err err, const struct store_answer *a)
{
    (void)a;
    struct call *c = arg;
    if (call_stored(c, err))
        reply_ok(c);
}

/* ---- handlers ---- */

/* Any request for a session brings the token that its turn may wait for. */
static void bring_token(const struct call *c)
{
    turns_bring_token(c->gateway, c->session, str_of(c->user), &c->credentials);
}

void api_sessions_post(struct call *c)
{
    struct str title, model;
    char key[65], body[65];
    if (!call_text(c, "title", TITLE_BYTES_MAX, &title) ||
        !call_text(c, "model", MODEL_BYTES_MAX, &model))
        return;
    c->store_call =
        store_session_create(c->gateway->store, str_of(c->user), call_key(c, key),
                             call_body(c, STR(""), body), str_trim(title), model, on_session_id, c);
}

static void add_link(struct call *c, struct str cursor)
{
    struct buf link;
    buf_init(&link, 2048);
    struct str q = {0}, limit = {0};
    buf_puts(&link, "</sessions?cursor=");
    fetch_escape(&link, cursor);
    if (http_query(c->request, "limit", &limit)) {
        buf_puts(&link, "&limit=");
        fetch_escape(&link, limit);
    }
    if (http_query(c->request, "q", &q)) {
        buf_puts(&link, "&q=");
        fetch_escape(&link, q);
    }
    if (http_query(c->request, "keep", &q))
        buf_puts(&link, "&keep=true");
    buf_puts(&link, ">; rel=\"next\"");
    if (!link.overflowed)
        http_add_header(c->request, "Link", buf_cstr(&link));
    buf_free(&link);
}

static void on_list(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    if (!call_stored(c, err))
        return;
    struct buf b;
    buf_init(&b, LIST_BYTES_MAX);
    buf_putc(&b, '[');
    for (unsigned i = 0; i < a->session_count; i++) {
        buf_puts(&b, i ? ",{" : "{");
        session_json_summary(&b, &a->sessions[i]);
        json_field_bool(&b, "keep", a->sessions[i].keep);
        buf_putc(&b, '}');
    }
    buf_putc(&b, ']');
    if (a->more)
        add_link(c, a->cursor);
    call_reply(c, 200, buf_str(&b));
    buf_free(&b);
}

void api_sessions_list(struct call *c)
{
    struct str q = {0}, cursor = {0}, limit_text, kept_text;
    uint64_t limit = LIST_DEFAULT;
    http_query(c->request, "q", &q);
    http_query(c->request, "cursor", &cursor);
    if (http_query(c->request, "limit", &limit_text) &&
        (!str_u64(limit_text, LIST_MAX, &limit) || limit == 0)) {
        call_fail(c, ERR_INVALID, "limit must be a number from 1 to 200");
        return;
    }
    bool kept = http_query(c->request, "keep", &kept_text);
    if (kept && (!str_is(kept_text, "true") || str_trim(q).len > 0)) {
        call_fail(c, ERR_INVALID, "keep must be true, without q");
        return;
    }
    if (q.len > QUERY_BYTES_MAX || cursor.len > QUERY_BYTES_MAX || !str_utf8(q) ||
        !str_utf8(cursor)) {
        call_fail(c, ERR_INVALID, "q and cursor are at most 256 bytes of UTF-8");
        return;
    }
    q = str_trim(q);
    if (kept) {
        c->store_call = store_session_list_kept(c->gateway->store, str_of(c->user), (unsigned)limit,
                                                cursor, on_list, c);
        return;
    }
    if (q.len == 0) {
        c->store_call = store_session_list(c->gateway->store, str_of(c->user), q, (unsigned)limit,
                                           cursor, on_list, c);
        return;
    }
    struct searching *s = xcalloc(1, sizeof(*s));
    *s = (struct searching){.call = c, .q = str_dup(q), .cursor = str_dup(cursor), .limit = limit};
    c->data = s;
    c->on_gone = search_gone;
    struct search *before = searches_add(&c->gateway->searches, &s->search, c->user);
    if (before) {
        struct call *out = list_of(before, struct searching, search)->call;
        searching_free(out->data);
        out->retry_after_s = 1;
        call_fail(out, ERR_RATE_LIMITED, "You have begun another search since");
    }
    search_on(c->gateway);
}

/* ---- searches: by turns ---- */

static void searching_free(struct searching *s)
{
    free(s->q);
    free(s->cursor);
    free(s);
}

static void search_on(struct gateway *g)
{
    struct search *next;
    while ((next = searches_next(&g->searches)) != NULL) {
        struct searching *s = list_of(next, struct searching, search);
        s->call->store_call =
            store_session_list(g->store, str_of(s->call->user), str_of(s->q), (unsigned)s->limit,
                               str_of(s->cursor), on_search, s);
    }
}

static void on_search(void *arg, enum err err, const struct store_answer *a)
{
    struct searching *s = arg;
    struct call *c = s->call;
    struct gateway *g = c->gateway;
    searches_end(&g->searches, &s->search);
    searching_free(s);
    c->on_gone = NULL;
    on_list(c, err, a);
    search_on(g);
}

/* Its client left: what was asked of the store is forgotten with the call. */
static void search_gone(struct call *c)
{
    struct searching *s = c->data;
    searches_end(&c->gateway->searches, &s->search);
    searching_free(s);
    store_forget(c->gateway->store, c->store_call);
    c->store_call = 0;
    search_on(c->gateway);
}

/* PATCH: panels and context are objects (or null) that replace what was there; they are kept
 * together as one text, so that the present ones are read first. */
static void on_settings_read(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    static const char *const keys[] = {"panels", "context"};
    if (!call_stored(c, err))
        return;
    turns_adopt_of(c->gateway, &a->sessions[0], str_of(c->user), &c->credentials);
    struct str now = a->sessions[0].settings, title, model;
    json_t *all = now.len ? json_loadb(now.at, now.len, 0, NULL) : NULL;
    if (!all)
        all = json_object();
    for (unsigned i = 0; i < 2; i++)
        if (json_object_get(c->body, keys[i]))
            json_object_set(all, keys[i], json_object_get(c->body, keys[i]));
    char *text = json_dumps(all, JSON_COMPACT);
    json_decref(all);
    struct str settings = str_of(text);
    if (settings.len > SETTINGS_BYTES_MAX) {
        free(text);
        call_fail(c, ERR_TOO_LARGE, "panels and context are larger than 128 KiB");
        return;
    }
    bool keep = json_is_true(json_object_get(c->body, "keep"));
    struct store_patch patch = {.settings = &settings};
    if (call_text(c, "title", TITLE_BYTES_MAX, &title) &&
        call_text(c, "model", MODEL_BYTES_MAX, &model)) {
        patch.title = json_object_get(c->body, "title") ? &title : NULL;
        patch.model = json_object_get(c->body, "model") ? &model : NULL;
        patch.keep = json_object_get(c->body, "keep") ? &keep : NULL;
        c->store_call =
            store_session_patch(c->gateway->store, str_of(c->user), c->session, &patch, on_done, c);
    }
    free(text);
}

void api_sessions_patch(struct call *c)
{
    if (!call_range(c))
        return;
    c->store_call =
        store_session_get(c->gateway->store, str_of(c->user), c->session, on_settings_read, c);
}

static void on_deleted(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    if (!call_stored(c, err))
        return;
    if (!id_is_zero(a->turn.turn)) {
        /* What it would still write is fenced; this ends what it costs. */
        struct turn *t = turns_get(c->gateway, a->turn.turn);
        if (t)
            turns_withdraw(t);
        broker_cancel(c->gateway->broker, a->turn.turn);
    }
    reply_ok(c);
}

void api_sessions_delete(struct call *c)
{
    c->store_call =
        store_session_delete(c->gateway->store, str_of(c->user), c->session, on_deleted, c);
}

void api_sessions_fork(struct call *c)
{
    uint32_t before;
    bring_token(c);
    if (call_message(c, "message_id", &before))
        c->store_call = store_session_fork(c->gateway->store, str_of(c->user), c->session, before,
                                           on_session_id, c);
}

/* -1: not in the body. */
static int flag_of(const struct call *c, const char *key)
{
    const json_t *value = json_object_get(c->body, key);
    return value ? json_is_true(value) : -1;
}

void api_sessions_message_patch(struct call *c)
{
    int pinned = flag_of(c, "pinned"), excluded = flag_of(c, "excluded"),
        shown = flag_of(c, "shown");
    bring_token(c);
    if (shown == 0 || (shown == 1 && (pinned != -1 || excluded != -1)))
        call_fail(c, ERR_INVALID, "shown is true, alone: another version then is not shown");
    else if (shown == 1)
        c->store_call = store_version_show(c->gateway->store, str_of(c->user), c->session,
                                           c->message, on_done, c);
    else if (pinned == -1 && excluded == -1)
        call_fail(c, ERR_INVALID, "pinned, excluded or shown is to be changed");
    else
        c->store_call = store_message_patch(c->gateway->store, str_of(c->user), c->session,
                                            c->message, pinned, excluded, on_done, c);
}

void api_sessions_message_delete(struct call *c)
{
    bring_token(c);
    c->store_call = store_message_delete(c->gateway->store, str_of(c->user), c->session, c->message,
                                         on_done, c);
}
