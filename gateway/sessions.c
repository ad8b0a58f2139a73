/* gateway/sessions.c: what clients ask of sessions and their messages. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "common/check.h"
#include "common/jsontext.h"
#include "gateway/broker.h"
#include "gateway/turns.h"

enum {
    TITLE_BYTES_MAX = 512,
    MODEL_BYTES_MAX = 200,
    SETTINGS_BYTES_MAX = 128 << 10,
    QUERY_BYTES_MAX = 256,
    LIST_DEFAULT = 50,
    LIST_MAX = 200,
    ANSWER_BYTES_MAX =
        256
        << 20, /* of a whole conversation; its messages and their sizes are bounded by the store */
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

/* ---- writing ---- */

static void field(struct buf *b, const char *key, struct str value)
{
    json_key(b, key);
    json_str(b, value);
}

static void field_id(struct buf *b, const char *key, struct id id)
{
    char text[ID_TEXT + 1];
    id_text(id, text);
    field(b, key, str_of(text));
}

static void field_time(struct buf *b, const char *key, int64_t ms)
{
    char text[40];
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + len, sizeof text - len, ".%03dZ", (int)(ms % 1000));
    field(b, key, str_of(text));
}

static void field_number(struct buf *b, const char *key, uint64_t value)
{
    json_key(b, key);
    buf_printf(b, "%llu", (unsigned long long)value);
}

static void field_bool(struct buf *b, const char *key, bool value)
{
    json_key(b, key);
    buf_puts(b, value ? "true" : "false");
}

/* JSON text that we stored ourselves, or null. */
static void field_json(struct buf *b, const char *key, struct str json)
{
    json_key(b, key);
    if (json.len)
        buf_add_str(b, json);
    else
        buf_puts(b, "null");
}

static void write_summary(struct buf *b, const struct store_session *s)
{
    field_id(b, "session_id", s->session);
    field(b, "session_name", s->title);
    field(b, "title", s->title);
    field_time(b, "started_at", s->created_ms);
    field_time(b, "updated_at", s->updated_ms);
    field_number(b, "turns", s->turns);
    field(b, "model", s->model);
}

static void write_turn(struct buf *b, const struct store_session *s)
{
    json_key(b, "turn");
    if (id_is_zero(s->running)) {
        buf_puts(b, "null");
        return;
    }
    bool waits = s->running_state == TURN_RUNNING && s->running_lease_ms <= 0;
    buf_putc(b, '{');
    field_id(b, "turn_id", s->running);
    bool awaits = s->running_state == TURN_AWAITING;
    field(b, "state",
          waits    ? STR("waiting_for_sign_in")
          : awaits ? STR("awaiting_input")
                   : str_of(turn_state_word(s->running_state)));
    if (awaits)
        field_json(b, "tool_calls", s->running_asks);
    buf_putc(b, '}');
}

static void write_usage(struct buf *b, const struct usage *u)
{
    json_key(b, "usage");
    usage_json(b, u);
}

/* What stands for its oldest messages when they don't fit a model. */
static void write_summary_of(struct buf *b, const struct store_session *s)
{
    char message[16];
    if (s->summary.len == 0)
        return;
    snprintf(message, sizeof message, "%u", s->summary_to);
    json_key(b, "summary");
    buf_putc(b, '{');
    field(b, "message_id", str_of(message));
    field(b, "text", s->summary);
    buf_putc(b, '}');
}

static void write_calls(struct buf *b, const struct record_message *m)
{
    json_key(b, "tool_calls");
    buf_putc(b, '[');
    for (unsigned i = 0; i < m->call_count; i++) {
        buf_puts(b, i ? ",{" : "{");
        field(b, "call_id", m->calls[i].call_id);
        field(b, "tool_name", m->calls[i].tool_name);
        json_key(b, "arguments");
        record_arguments_json(b, m->calls[i].arguments);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

static void write_responses(struct buf *b, const struct record_message *m)
{
    json_key(b, "tool_responses");
    buf_putc(b, '[');
    for (unsigned i = 0; i < m->response_count; i++) {
        const struct record_response *r = &m->responses[i];
        buf_puts(b, i ? ",{" : "{");
        field(b, "call_id", r->call_id);
        field(b, "tool_name", r->tool_name);
        field(b, "content", r->content);
        field_bool(b, "failed", r->failed);
        field_number(b, "duration_ms", r->duration_ms);
        field(b, "datasource", r->datasource);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

static void write_message(struct buf *b, const struct store_message *m)
{
    const struct record_message *r = &m->record;
    char message[16];
    snprintf(message, sizeof message, "%u", m->message);
    buf_putc(b, '{');
    field(b, "message_id", str_of(message));
    field(b, "role", str_of(role_word(r->role)));
    field_id(b, "turn_id", r->turn);
    field_time(b, "at", r->at_ms);
    field(b, "content", r->content);
    if (r->role == ROLE_USER)
        field_json(b, "context", r->context);
    if (r->role == ROLE_ASSISTANT) {
        field(b, "reasoning", r->reasoning);
        field(b, "stop_reason", r->stop_reason);
        field(b, "model", r->model);
        write_usage(b, &r->usage);
        write_calls(b, r);
    }
    if (r->role == ROLE_TOOL)
        write_responses(b, r);
    field_bool(b, "pinned", m->pinned);
    field_bool(b, "excluded", m->excluded);
    buf_putc(b, '}');
}

/* settings is one JSON object of ours: {"panels":…, "context":…}. */
static void write_settings(struct buf *b, struct str settings)
{
    static const char *const keys[] = {"panels", "context"};
    json_t *all = settings.len ? json_loadb(settings.at, settings.len, 0, NULL) : NULL;
    for (unsigned i = 0; i < 2; i++) {
        char *text = json_dumps(json_object_get(all, keys[i]), JSON_COMPACT | JSON_ENCODE_ANY);
        field_json(b, keys[i], str_of(text));
        free(text);
    }
    json_decref(all);
}

/* ---- answers ---- */

static void reply_ok(struct call *c) { call_reply(c, 200, STR("{\"response\":\"ok\"}")); }

static void on_session_id(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    c->store_call = 0;
    if (err) {
        call_fail(c, err, NULL);
        return;
    }
    struct buf b;
    buf_init(&b, 256);
    buf_putc(&b, '{');
    field_id(&b, "session_id", a->session);
    buf_putc(&b, '}');
    call_reply(c, 201, buf_str(&b));
    buf_free(&b);
}

static void on_done(void *arg, enum err err, const struct store_answer *a)
{
    (void)a;
    struct call *c = arg;
    c->store_call = 0;
    if (err)
        call_fail(c, err, NULL);
    else
        reply_ok(c);
}

/* ---- handlers ---- */

/* Any request for a session brings the token that its turn may wait for. */
static void offer(const struct call *c)
{
    turns_offer(c->gateway, c->session, str_of(c->user), &c->credentials);
}

void sessions_post(struct call *c)
{
    struct str title, model;
    char key[65];
    if (!call_text(c, "title", TITLE_BYTES_MAX, &title) ||
        !call_text(c, "model", MODEL_BYTES_MAX, &model))
        return;
    c->store_call = store_session_create(c->gateway->store, str_of(c->user), call_key(c, key),
                                         str_trim(title), model, on_session_id, c);
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
    buf_puts(&link, ">; rel=\"next\"");
    if (!link.overflowed)
        http_add_header(c->request, "Link", buf_cstr(&link));
    buf_free(&link);
}

static void on_list(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    c->store_call = 0;
    if (err) {
        call_fail(c, err, NULL);
        return;
    }
    struct buf b;
    buf_init(&b, ANSWER_BYTES_MAX);
    buf_putc(&b, '[');
    for (unsigned i = 0; i < a->session_count; i++) {
        buf_puts(&b, i ? ",{" : "{");
        write_summary(&b, &a->sessions[i]);
        buf_putc(&b, '}');
    }
    buf_putc(&b, ']');
    if (a->more)
        add_link(c, a->cursor);
    call_reply(c, 200, buf_str(&b));
    buf_free(&b);
}

void sessions_list(struct call *c)
{
    struct str q = {0}, cursor = {0}, limit_text;
    uint64_t limit = LIST_DEFAULT;
    http_query(c->request, "q", &q);
    http_query(c->request, "cursor", &cursor);
    if (http_query(c->request, "limit", &limit_text) &&
        (!str_u64(limit_text, LIST_MAX, &limit) || limit == 0)) {
        call_fail(c, ERR_INVALID, "limit must be a number from 1 to 200");
        return;
    }
    if (q.len > QUERY_BYTES_MAX || cursor.len > QUERY_BYTES_MAX || !str_utf8(q) ||
        !str_utf8(cursor)) {
        call_fail(c, ERR_INVALID, "q and cursor are at most 256 bytes of UTF-8");
        return;
    }
    q = str_trim(q);
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

static void on_session(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    c->store_call = 0;
    if (err) {
        call_fail(c, err, NULL);
        return;
    }
    const struct store_session *s = &a->sessions[0];
    turns_adopt_of(c->gateway, s, str_of(c->user), &c->credentials);
    struct buf b;
    buf_init(&b, ANSWER_BYTES_MAX);
    buf_putc(&b, '{');
    write_summary(&b, s);
    write_settings(&b, s->settings);
    write_usage(&b, &s->usage);
    write_summary_of(&b, s);
    write_turn(&b, s);
    json_key(&b, "messages");
    buf_putc(&b, '[');
    for (unsigned i = 0; i < a->message_count; i++) {
        if (i)
            buf_putc(&b, ',');
        write_message(&b, &a->messages[i]);
    }
    buf_puts(&b, "]}");
    if (b.overflowed)
        call_fail(c, ERR_TOO_LARGE, "The conversation is too large to be shown at once");
    else
        call_reply(c, 200, buf_str(&b));
    buf_free(&b);
}

void sessions_get(struct call *c)
{
    c->store_call =
        store_session_get(c->gateway->store, str_of(c->user), c->session, true, on_session, c);
}

/* PATCH: panels and context are objects (or null) that replace what was there; they are kept
 * together as one text, so that the present ones are read first. */
static void on_settings_read(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    static const char *const keys[] = {"panels", "context"};
    c->store_call = 0;
    if (err) {
        call_fail(c, err, NULL);
        return;
    }
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
    struct store_patch patch = {.settings = &settings};
    if (call_text(c, "title", TITLE_BYTES_MAX, &title) &&
        call_text(c, "model", MODEL_BYTES_MAX, &model)) {
        patch.title = json_object_get(c->body, "title") ? &title : NULL;
        patch.model = json_object_get(c->body, "model") ? &model : NULL;
        c->store_call =
            store_session_patch(c->gateway->store, str_of(c->user), c->session, &patch, on_done, c);
    }
    free(text);
}

static bool patch_ok(struct call *c)
{
    static const char *const known[] = {"title", "model", "panels", "context"};
    const char *key;
    json_t *value;
    json_object_foreach(c->body, key, value)
    {
        bool ok = false;
        for (unsigned i = 0; i < 4; i++)
            ok = ok ||
                 (strcmp(key, known[i]) == 0 &&
                  (i < 2 ? json_is_string(value) : json_is_object(value) || json_is_null(value)));
        if (!ok) {
            call_fail(c, ERR_INVALID,
                      "Only title and model (texts), panels and context (objects) can be changed");
            return false;
        }
    }
    return true;
}

void sessions_patch(struct call *c)
{
    if (patch_ok(c))
        c->store_call = store_session_get(c->gateway->store, str_of(c->user), c->session, false,
                                          on_settings_read, c);
}

static void on_deleted(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    c->store_call = 0;
    if (err) {
        call_fail(c, err, NULL);
        return;
    }
    if (!id_is_zero(a->turn.turn)) {
        /* What it would still write is fenced; this ends what it costs. */
        struct turn *t = turns_get(c->gateway, a->turn.turn);
        if (t)
            turns_withdraw(t);
        broker_cancel(c->gateway->broker, a->turn.turn);
    }
    reply_ok(c);
}

void sessions_delete(struct call *c)
{
    c->store_call =
        store_session_delete(c->gateway->store, str_of(c->user), c->session, on_deleted, c);
}

/* A message's id in a body: as GET /session gives it, or a number. */
static bool message_of(struct call *c, uint32_t *out)
{
    json_t *value = json_object_get(c->body, "message_id");
    uint64_t n = 0;
    if (json_is_integer(value) && json_integer_value(value) > 0 &&
        json_integer_value(value) <= UINT32_MAX)
        n = (uint64_t)json_integer_value(value);
    else if (json_is_string(value))
        str_u64(json_text(value), UINT32_MAX, &n);
    *out = (uint32_t)n;
    if (n == 0)
        call_fail(c, ERR_INVALID, "message_id must be the id of a message");
    return n != 0;
}

void sessions_fork(struct call *c)
{
    uint32_t before;
    offer(c);
    if (message_of(c, &before))
        c->store_call = store_session_fork(c->gateway->store, str_of(c->user), c->session, before,
                                           on_session_id, c);
}

/* -1: not in the body; -2: of another type. */
static int flag_of(const struct call *c, const char *key)
{
    json_t *value = json_object_get(c->body, key);
    return !value ? -1 : json_is_boolean(value) ? json_is_true(value) : -2;
}

void sessions_message_patch(struct call *c)
{
    int pinned = flag_of(c, "pinned"), excluded = flag_of(c, "excluded");
    offer(c);
    if (pinned == -2 || excluded == -2 || (pinned == -1 && excluded == -1))
        call_fail(c, ERR_INVALID, "pinned and excluded are true or false");
    else
        c->store_call = store_message_patch(c->gateway->store, str_of(c->user), c->session,
                                            c->message, pinned, excluded, on_done, c);
}

void sessions_message_delete(struct call *c)
{
    offer(c);
    c->store_call = store_message_delete(c->gateway->store, str_of(c->user), c->session, c->message,
                                         on_done, c);
}
