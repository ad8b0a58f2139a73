#include "gateway/api/webhook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/check.h"
#include "common/json.h"
#include "common/log.h"
#include "gateway/api/alerts.h"
#include "gateway/api/audit.h"
#include "gateway/api/session_json.h"
#include "gateway/auth/service.h"
#include "gateway/turn/places.h"
#include "gateway/turn/turns.h"
#include "proto/path.h"
#include "proto/store/quota.h"
#include "proto/store/session.h"
#include "proto/store/share.h"
#include "proto/store/store.h"
#include "proto/store/turn.h"
#include "proto/traced.h"

enum { MODEL_BYTES_MAX = 200 };

/* One notification: its alerts are begun one after the other. */
struct notification {
    struct webhook *webhook;
    struct list node;
    struct call *call; /* NULL: its client left */
    struct alerts alerts;
    char *path, *model;
    char user[USER_MAX_BYTES], key[KEY_NAME_MAX + 1];
    struct credentials credentials;
    uint64_t service_id, store_call;
    unsigned at; /* the alert that is being begun */
    struct begun {
        struct id session, turn;
        char share[ID_TEXT + 1]; /* the token of its readers */
        bool fresh, failed;
    } begun[ALERTS_MAX];
};
struct webhook {
    struct gateway *gateway;
    struct list notifications;
};

static void notification_free(struct notification *n)
{
    struct gateway *g = n->webhook->gateway;
    service_forget(g->service, n->service_id);
    store_forget(g->store, n->store_call);
    list_remove(&n->node);
    credentials_free(&n->credentials);
    alerts_free(&n->alerts);
    free(n->path);
    free(n->model);
    free(n);
}

struct webhook *webhook_new(struct gateway *g)
{
    struct webhook *w = xcalloc(1, sizeof(*w));
    w->gateway = g;
    list_init(&w->notifications);
    return w;
}

void webhook_free(struct webhook *w)
{
    list_each (&w->notifications, node, next)
        notification_free(list_of(node, struct notification, node));
    free(w);
}

const char *webhook_lacks(const struct gateway_settings *s)
{
    enum { TOKEN_BYTES_MIN = 16 };
    bool named = *s->service_user, known = s->service_password != NULL;
    if (named != known)
        return "PERSAI_SERVICE_USER and PERSAI_SERVICE_PASSWORD go together";
    if (s->webhook_token && secret_reveal(s->webhook_token).len < TOKEN_BYTES_MIN)
        return "PERSAI_WEBHOOK_TOKEN needs at least 16 characters";
    if (s->webhook_token && s->auth && !named)
        return "PERSAI_WEBHOOK_TOKEN needs PERSAI_SERVICE_USER and PERSAI_SERVICE_PASSWORD: a user "
               "of Perses as whom alerts are investigated";
    return NULL;
}

bool webhook_allowed(struct call *c)
{
    const struct secret *wanted = c->gateway->settings.webhook_token;
    if (!wanted) {
        call_fail(c, ERR_NOT_FOUND, "There is no webhook here: set PERSAI_WEBHOOK_TOKEN");
        return false;
    }
    bool same = credentials_bearer_is(c->request, wanted);
    if (!same)
        call_fail(c, ERR_UNAUTHENTICATED,
                  "The webhook's token is missing or wrong: send it as Bearer");
    return same;
}

/* ---- the answer ---- */

static void end_failed(struct notification *n, enum err err, const char *sentence)
{
    log_warn("webhook.failed", "code=%s at=%u of=%u", err_word(err), n->at, n->alerts.count);
    gateway_turn_refused(err);
    if (n->call) {
        n->call->on_gone = NULL;
        call_fail(n->call, err, sentence);
    }
    notification_free(n);
}

static void write_begun(struct buf *b, const struct alert *a, const struct begun *one)
{
    char session[ID_TEXT + 1], turn[ID_TEXT + 1];
    id_text(one->session, session);
    id_text(one->turn, turn);
    buf_printf(b, "{\"session_id\":\"%s\",\"turn_id\":\"%s\",\"new\":%s,\"alert\":", session, turn,
               one->fresh ? "true" : "false");
    json_str(b, str_of(a->title));
    session_json_share_id(b, one->session, str_of(one->share));
    buf_putc(b, '}');
}

static void end_well(struct notification *n)
{
    unsigned failed = 0;
    const char *comma = "";
    scoped_buf(b, 64 << 10);
    buf_puts(&b, "{\"investigations\":[");
    for (unsigned i = 0; i < n->alerts.count; i++) {
        failed += n->begun[i].failed;
        if (n->begun[i].failed)
            continue;
        buf_puts(&b, comma);
        write_begun(&b, &n->alerts.at[i], &n->begun[i]);
        comma = ",";
    }
    buf_printf(&b, "],\"ignored\":%u,\"left_out\":%u}", n->alerts.quiet + failed,
               n->alerts.left_out);
    if (n->alerts.left_out > 0)
        log_warn("webhook.left_out", "alerts=%u", n->alerts.left_out);
    if (n->call) {
        n->call->on_gone = NULL;
        call_reply(n->call, 202, buf_str(&b));
    }
    notification_free(n);
}

/* ---- one alert after the other: may it begin, its session, its turn ---- */

static void next(struct notification *n);
static void drop(struct notification *n, enum err err);
static void begin(struct notification *n);

static struct id quota_id_of(const struct notification *n)
{
    struct id quota_id;
    CHECK(sizeof(quota_id.bytes) <= ALERT_KEY_TEXT);
    memcpy(quota_id.bytes, n->alerts.at[n->at].key, sizeof(quota_id.bytes));
    return quota_id;
}

/* What will be better later is asked again by Alertmanager; what will not, is left out. */
static bool give_up(struct notification *n, enum err err)
{
    if (err_http_status(err) >= 500) {
        end_failed(n, err, NULL);
        return true;
    }
    log_warn("webhook.alert_failed", "code=%s", err_word(err));
    n->begun[n->at++].failed = true;
    return false;
}

/* Before its turn began. The place lapses by itself: an earlier notification's turn may have it. */
static void drop(struct notification *n, enum err err)
{
    if (!give_up(n, err))
        next(n);
}

static void on_begun(void *arg, enum err err, struct turn *t, bool fresh)
{
    struct notification *n = arg;
    struct begun *one = &n->begun[n->at];
    if (err != ERR_NONE) {
        if (!give_up(n, err))
            next(n);
        return;
    }
    one->turn = t->live.turn;
    one->fresh = fresh;
    audit_alert(str_of(n->user), n->key, one->session, one->turn, str_of(n->path), ERR_NONE);
    log_info("webhook.alert", "session=%s turn=%s new=%d", id_log(one->session),
             traced_log(one->turn), fresh);
    n->at++;
    next(n);
}

static void begin(struct notification *n)
{
    struct gateway *g = n->webhook->gateway;
    const struct alert *a = &n->alerts.at[n->at];
    struct id session = n->begun[n->at].session, turn = id_new(), quota_id = quota_id_of(n);
    struct credentials lent = credentials_share(&n->credentials);
    struct turns_asker asker = {on_begun, n, loop_hr_ns(), {NULL, 0}};
    scoped_buf(turn_start, 1024);
    CHECK(event_turn_start(&turn_start, turn, session));
    struct record_request request = {.owner = str_of(n->user),
                                     .datasource_path = str_of(n->path),
                                     .context = str_of(a->context),
                                     .model = str_of(n->model),
                                     .quota_id = id_key(&quota_id)};
    struct record_message message = {.role = ROLE_USER,
                                     .turn = turn,
                                     .at_ms = loop_wall_ms(),
                                     .content = str_of(a->message),
                                     .context = str_of(a->context)};
    struct store_begin b = {.owner = str_of(n->user),
                            .session = session,
                            .turn = turn,
                            .key = str_of(a->key),
                            .title = str_of(a->title),
                            .message = &message,
                            .request = &request,
                            .turn_start = buf_str(&turn_start),
                            .holder = str_of(g->name)};
    turns_begin(g, &b, &lent, &asker);
}

/* The report is for whoever may read the alert's datasource: on-call needs no other sign-in than
 * their own. */
static void on_shared(void *arg, enum err err, const struct store_answer *a)
{
    struct notification *n = arg;
    n->store_call = 0;
    if (err != ERR_NONE) {
        drop(n, err);
        return;
    }
    snprintf(n->begun[n->at].share, sizeof(n->begun[n->at].share), "%.*s", (int)a->share.len,
             a->share.at);
    begin(n);
}

static void on_session(void *arg, enum err err, const struct store_answer *a)
{
    struct notification *n = arg;
    n->store_call = 0;
    if (err != ERR_NONE) {
        drop(n, err);
        return;
    }
    n->begun[n->at].session = a->session;
    n->store_call = store_report_share(n->webhook->gateway->store, str_of(n->user), a->session,
                                       str_of(n->path), on_shared, n);
}

static void make_session(struct notification *n)
{
    const struct alert *a = &n->alerts.at[n->at];
    n->store_call =
        store_session_create(n->webhook->gateway->store, str_of(n->user), str_of(a->key), STR(""),
                             str_of(a->title), str_of(n->model), on_session, n);
}

static void on_quota(void *arg, enum err err, const struct store_answer *a)
{
    struct notification *n = arg;
    n->store_call = 0;
    if (err != ERR_NONE)
        end_failed(n, err, NULL);
    else if (a->quota.verdict == QUOTA_WAIT)
        end_failed(n, ERR_QUEUE_FULL, "The service user has as many turns as are allowed now");
    else if (a->quota.verdict == QUOTA_BYTES)
        end_failed(n, ERR_QUOTA_EXCEEDED,
                   "The service user's reports take as much room as they may");
    else if (a->quota.verdict != QUOTA_OK)
        end_failed(n, ERR_BUDGET, "The service user's budget of today is used up");
    else
        make_session(n);
}

static void next(struct notification *n)
{
    struct gateway *g = n->webhook->gateway;
    if (n->at == n->alerts.count) {
        end_well(n);
        return;
    }
    enum err refused = turns_refused(g); /* room is checked before each is accepted */
    if (refused) {
        end_failed(n, refused, NULL);
        return;
    }
    n->store_call = places_begin(g, str_of(n->user), quota_id_of(n), on_quota, n);
    if (n->store_call == 0)
        make_session(n);
}

/* ---- the notification ---- */

static void on_service(void *arg, enum err err, struct str user, const struct credentials *c)
{
    struct notification *n = arg;
    n->service_id = 0;
    if (err) {
        end_failed(n, err, "The service user could not sign in to Perses: see the gateway's log");
        return;
    }
    CHECK(user.len < sizeof(n->user));
    memcpy(n->user, user.at, user.len);
    n->credentials = credentials_share(c);
    next(n);
}

static void client_gone(struct call *c)
{
    struct notification *n = c->data;
    n->call = NULL;
}

/* Everything that the request says, checked; false: the call was answered. */
static bool take(struct call *c, struct str *path, struct str *model, struct alerts *alerts)
{
    struct path parsed;
    if (!http_query(c->request, "datasource_path", path))
        *path = (struct str){0};
    if (!http_query(c->request, "model", model))
        *model = (struct str){0};
    enum err err = path_parse(*path, &parsed);
    if (err) {
        call_fail(c, err, NULL);
        return false;
    }
    if (model->len > MODEL_BYTES_MAX || !str_utf8(*model)) {
        call_fail(c, ERR_INVALID, "model is at most 200 bytes of UTF-8");
        return false;
    }
    err = alerts_read(c->body, *path, c->gateway->settings.webhook_alerts, alerts);
    if (err)
        call_fail(c, err,
                  "This is no notification of Alertmanager's webhook: version must be \"4\" and "
                  "alerts a list");
    return err == ERR_NONE;
}

void api_webhook_alertmanager(struct call *c)
{
    struct gateway *g = c->gateway;
    struct str path, model;
    struct alerts alerts;
    if (!take(c, &path, &model, &alerts))
        return;
    struct notification *n = xcalloc(1, sizeof(*n));
    *n = (struct notification){.webhook = g->webhook,
                               .call = c,
                               .alerts = alerts,
                               .path = str_dup(path),
                               .model = str_dup(model)};
    list_push(&g->webhook->notifications, &n->node);
    c->data = n;
    c->on_gone = client_gone;
    if (alerts.count == 0) {
        end_well(n);
        return;
    }
    if (c->key.key) { /* its user was signed in by the way */
        snprintf(n->key, sizeof(n->key), "%s", key_row(c->key.key)->name);
        on_service(n, ERR_NONE, str_of(c->user), &c->credentials);
        return;
    }
    uint64_t id = service_ask(g->service, on_service, n);
    if (id) /* else n has gone on, and may be gone */
        n->service_id = id;
}
