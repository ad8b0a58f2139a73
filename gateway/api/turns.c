/* gateway/api/turns.c: what clients ask of turns: begin, follow, cancel. turn/turns.c drives them,
 * approvals.c has …/resume. */
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "common/log.h"
#include "gateway/api/admission.h"
#include "gateway/api/asking.h"
#include "gateway/api/call.h"
#include "gateway/api/following.h"
#include "gateway/api/title.h"
#include "gateway/turn/places.h"
#include "gateway/turn/turns.h"
#include "proto/path.h"
#include "proto/store/quota.h"
#include "proto/store/turn.h"
#include "proto/traced.h"

enum { MODEL_BYTES_MAX = 200, DATASOURCES_MAX = 16 };

static void open_stream(struct call *c, struct turn *t, struct event_at after,
                        const struct store_answer *read, bool resumable);
static void refuse_stream(struct call *c, enum err why);
static void wait_begun(struct call *c, const struct store_begin *begin, bool async);
static void on_place(void *arg);
static void on_begun(void *arg, enum err err, struct turn *t, bool fresh);

/* ---- POST /session/ID/turn ---- */

/* A question as it came, until the turn is begun: a refresh of the token may lie between. */
struct question {
    struct call *call;
    struct path datasource;
    char *path, *message, *model, *context;
    bool async;
    uint32_t instead_of; /* the question that it is another version of, or 0 */
    /* Its place among its person's turns: with a key the same when it is sent again. */
    struct id quota_id;
    bool keyed;
};

static void question_free(struct question *q)
{
    free(q->path);
    free(q->message);
    free(q->model);
    free(q->context);
    free(q);
}

/* "context.datasources" are paths as the main one is: each tool call may use another. */
static bool datasources_ok(json_t *context)
{
    json_t *list = json_object_get(context, "datasources");
    size_t count = json_array_size(list);
    if (count > DATASOURCES_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct path parsed;
        if (path_parse(json_text(json_array_get(list, i)), &parsed) != ERR_NONE)
            return false;
    }
    return true;
}

static bool take_context(struct call *c, struct question *q)
{
    json_t *context = json_object_get(c->body, "context");
    if (!context || json_is_null(context))
        return true;
    if (!datasources_ok(context)) {
        call_fail(c, ERR_BAD_DATASOURCE_PATH,
                  "context.datasources must be at most 16 paths of Perses's datasource proxy");
        return false;
    }
    if (!call_range(c))
        return false;
    q->context = json_dumps(context, JSON_COMPACT);
    if (!q->context || strlen(q->context) > ASKING_CONTEXT_MAX) {
        call_fail(c, ERR_TOO_LARGE, "context is larger than 64 KiB");
        return false;
    }
    return true;
}

/* Everything that the request says, checked; false: the call was answered. */
static bool take_question(struct call *c, struct question *q)
{
    struct str path, message, model, prefer = http_header(c->request, "Prefer");
    if (!http_query(c->request, "datasource_path", &path))
        path = (struct str){0};
    enum err bad_path = path_parse(path, &q->datasource);
    if (bad_path) {
        call_fail(c, bad_path, NULL);
        return false;
    }
    if (!call_text(c, "message", c->gateway->settings.message_bytes_max, &message) ||
        !call_text(c, "model", MODEL_BYTES_MAX, &model) || !take_context(c, q))
        return false;
    if (str_trim(message).len == 0) {
        call_fail(c, ERR_INVALID, "message must be a text that is not empty");
        return false;
    }
    if (json_object_get(c->body, "instead_of") && !call_message(c, "instead_of", &q->instead_of))
        return false;
    q->path = str_dup(path);
    q->message = str_dup(message);
    q->model = str_dup(model);
    for (struct str piece; str_split(&prefer, ',', &piece);)
        q->async = q->async || str_is(str_trim(piece), "respond-async");
    return true;
}

static void begin(struct question *q)
{
    enum { TITLE_BYTES_MAX = 120 };
    struct call *c = q->call;
    struct id turn = id_new();
    struct buf turn_start;
    char key[65], body[65];
    buf_init(&turn_start, 1024);
    CHECK(event_turn_start(&turn_start, turn, c->session));
    struct record_request request = {.owner = str_of(c->user),
                                     .datasource_path = str_of(q->path),
                                     .context = str_of(q->context),
                                     .model = str_of(q->model),
                                     .quota_id = id_key(&q->quota_id)};
    struct record_message message = {.role = ROLE_USER,
                                     .turn = turn,
                                     .at_ms = loop_wall_ms(),
                                     .content = str_of(q->message),
                                     .context = str_of(q->context)};
    struct store_begin b = {.owner = str_of(c->user),
                            .session = c->session,
                            .turn = turn,
                            .key = call_key(c, key),
                            .body = call_body(c, str_of(q->path), body),
                            .title = title_of(str_of(q->message), TITLE_BYTES_MAX),
                            .instead_of = q->instead_of,
                            .message = &message,
                            .request = &request,
                            .turn_start = buf_str(&turn_start),
                            .holder = str_of(c->gateway->name)};
    wait_begun(c, &b, q->async);
    buf_free(&turn_start);
    question_free(q);
}

static void question_gone(struct call *c)
{
    struct question *q = c->data;
    if (!q->keyed) /* else it may be that of the turn which the key has begun: its lease ends it */
        quota_turn_end(c->gateway->store, str_of(c->user), q->quota_id);
    question_free(q);
}

static void on_quota(void *arg, enum err err, const struct store_answer *a)
{
    struct question *q = arg;
    struct call *c = q->call;
    struct admission m = {.err = err};
    c->store_call = 0;
    c->on_gone = NULL;
    if (err == ERR_NONE)
        m = admission_of(a);
    if (m.err == ERR_NONE) {
        begin(q);
        return;
    }
    gateway_turn_refused(m.err);
    question_free(q);
    c->retry_after_s = m.retry_after_s;
    call_fail(c, m.err, admission_sentence(&m));
}

static void begin_quota(struct question *q)
{
    struct call *c = q->call;
    char body[65];
    struct str once = call_body(c, str_of(q->path), body);
    q->quota_id = id_new();
    q->keyed = once.len >= sizeof(q->quota_id.bytes);
    if (q->keyed)
        memcpy(q->quota_id.bytes, once.at, sizeof(q->quota_id.bytes));
    for (size_t i = 0; i < sizeof(q->quota_id.bytes); i++) /* a key is of one session's turns */
        q->quota_id.bytes[i] ^= c->session.bytes[i];
    c->data = q;
    c->on_gone = question_gone;
    c->store_call = places_begin(c->gateway, str_of(c->user), q->quota_id, on_quota, q);
    if (c->store_call == 0) {
        c->on_gone = NULL;
        q->quota_id = (struct id){{0}};
        begin(q);
    }
}

static void on_refreshed(void *arg, enum err err, struct secret *take_access, int64_t expires_ms)
{
    struct question *q = arg;
    struct call *c = q->call;
    c->identity_id = 0;
    if (err == ERR_NONE) {
        secret_free(c->credentials.access);
        c->credentials.access = take_access;
        c->credentials.expires_ms = expires_ms;
    } /* else the token that it has is still good for now; the worker will ask again when it no
         longer is */
    call_visit(c, c->gateway->visits, on_place, q);
}

static void on_place(void *arg) { begin_quota(arg); }

static void refresh(void *arg)
{
    struct question *q = arg;
    struct call *c = q->call;
    c->identity_id =
        identity_refresh(c->gateway->identity, c->credentials.refresh, on_refreshed, q);
}

static bool expires_soon(const struct credentials *k)
{
    enum { AHEAD_MS = 300000 }; /* about what a long turn takes */
    return k->refresh && k->expires_ms && k->expires_ms - loop_wall_ms() < AHEAD_MS;
}

void api_turns_post(struct call *c)
{
    struct gateway *g = c->gateway;
    struct question *q = xcalloc(1, sizeof(*q));
    q->call = c;
    if (!take_question(c, q)) {
        question_free(q);
        return;
    }
    enum err refused = turns_refused(g);
    if (refused) {
        gateway_turn_refused(refused);
        question_free(q);
        call_fail(c, refused, NULL);
    } else if (expires_soon(&c->credentials)) {
        c->data = q;
        c->on_gone = question_gone;
        call_visit(c, g->perses_visits, refresh, q);
    } else {
        begin_quota(q);
    }
}

/* ---- the answer of the POST: when its turn is begun ---- */

struct posted {
    struct call *call;
    struct id turn;
    bool async;
    struct loop_timer *first_byte; /* holds a stream's first byte back behind a proxy */
};

/* The turn goes on: its client may come again with the same key. */
static void posted_gone(struct call *c)
{
    struct posted *p = c->data;
    turns_asker_left(c->gateway, p->turn);
    loop_timer_free(p->first_byte);
    free(p);
}

static void wait_begun(struct call *c, const struct store_begin *begin, bool async)
{
    struct posted *p = xcalloc(1, sizeof(*p));
    struct turns_asker asker = {on_begun, p, c->begun_ns, http_header(c->request, "traceparent")};
    *p = (struct posted){.call = c, .turn = begin->turn, .async = async};
    c->data = p;
    c->on_gone = posted_gone;
    turns_begin(c->gateway, begin, &c->credentials, &asker);
}

static struct call *posted_over(struct posted *p)
{
    struct call *c = p->call;
    c->on_gone = NULL;
    loop_timer_free(p->first_byte);
    free(p);
    return c;
}

static void reply_accepted(struct call *c, const struct turn *t)
{
    char turn[ID_TEXT + 1], session[ID_TEXT + 1], body[160];
    id_text(t->live.turn, turn);
    id_text(t->live.session, session);
    int len =
        snprintf(body, sizeof(body), "{\"turn_id\":\"%s\",\"session_id\":\"%s\"}", turn, session);
    call_reply(c, 202, (struct str){body, (size_t)len});
}

/* The turn may have ended and gone since: then the store has its events. */
static void on_first_byte(void *arg)
{
    struct posted *p = arg;
    struct id turn = p->turn;
    struct call *c = posted_over(p);
    c->turn = turn;
    open_stream(c, turns_followed(c->gateway, c->session, turn, str_of(c->user)),
                (struct event_at){0, 0}, NULL, false);
}

/* Go's reverse proxy, which Perses uses, sometimes cuts a POST whose answer starts before it has
 * sent the request to its end (golang/go#40747): a stream that came through one starts a little
 * later. */
static void on_begun(void *arg, enum err err, struct turn *t, bool fresh)
{
    enum { HOLD_MS = 30 };
    struct posted *p = arg;
    struct call *c = p->call;
    bool proxied = http_header(c->request, "X-Forwarded-For").len > 0;
    if (err == ERR_NONE && fresh && proxied && !p->async) {
        p->first_byte = loop_timer_new(c->gateway->loop, on_first_byte, p);
        loop_timer_set(p->first_byte, HOLD_MS, 0);
        return;
    }
    bool async = p->async;
    posted_over(p);
    CHECK(err || t);
    if (t)
        c->turn = t->live.turn;
    if (err)
        call_fail(c, err, NULL);
    else if (async)
        reply_accepted(c, t);
    else
        open_stream(c, t, (struct event_at){0, 0}, NULL, false);
}

static void open_stream(struct call *c, struct turn *t, struct event_at after,
                        const struct store_answer *read, bool resumable)
{
    struct follower *f = stream_new(&t->live, after, resumable);
    stream_begin(f, call_stream(c, "text/event-stream", &stream_handler, f), read);
}

/* A stream whose one event is this error. */
static void refuse_stream(struct call *c, enum err why)
{
    struct turn *t = turns_followed(c->gateway, c->session, c->turn, str_of(c->user));
    struct follower *f = stream_new(&t->live, (struct event_at){0, 0}, true);
    stream_refuse(f, call_stream(c, "text/event-stream", &stream_handler, f), why);
}

/* ---- GET /session/ID/turn/TID/events ---- */

static bool take_after(struct call *c, struct event_at *after)
{
    struct str header = http_header(c->request, "Last-Event-ID"), query = {0};
    *after = (struct event_at){0, 0};
    http_query(c->request, "last_event_id", &query);
    if ((query.len == 0 || event_at_parse(query, after)) &&
        (header.len == 0 || event_at_parse(header, after))) /* the one that counts */
        return true;
    call_fail(c, ERR_BAD_REQUEST, "Last-Event-ID must be the id of an event, as 1-12");
    return false;
}

/* Its client has seen events of a turn that the session has lost, or that are gone. */
static void on_found(struct call *c, enum err err, struct turn *t, struct event_at after,
                     const struct store_answer *read)
{
    bool knew = after.epoch > 0 && !id_is_zero(c->turn); /* of no id there was none */
    if (err == ERR_HISTORY_LOST || (err == ERR_TURN_NOT_FOUND && knew))
        refuse_stream(c, ERR_HISTORY_LOST);
    else if (err)
        call_fail(c, err, NULL);
    else
        open_stream(c, t, after, read, true);
}

void api_turns_events(struct call *c)
{
    struct event_at after;
    if (!take_after(c, &after))
        return;
    if (c->gateway->draining)
        call_fail(c, ERR_DRAINING, NULL);
    else
        following_begin(c, after, on_found);
}

/* ---- POST …/cancel ---- */

static void on_cancelled(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    struct gateway *g = c->gateway;
    c->store_call = 0;
    if (err && err != ERR_TURN_OVER) {
        call_fail(c, err, NULL);
        return;
    }
    if (err == ERR_NONE)
        turns_cancelled(g, &a->turn);
    log_info("turn.cancel", "turn=%s over=%d", traced_log(c->turn), err == ERR_TURN_OVER);
    if (c->hooks && c->hooks->cancelled) {
        c->hooks->cancelled(c);
        return;
    }
    call_reply(c, 202,
               err == ERR_TURN_OVER ? STR("{\"state\":\"over\"}")
                                    : STR("{\"state\":\"cancelling\"}"));
}

void api_turns_cancel(struct call *c)
{
    c->store_call =
        store_turn_cancel(c->gateway->store, str_of(c->user), c->session, c->turn, on_cancelled, c);
}
