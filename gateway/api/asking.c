#include "gateway/api/asking.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "common/log.h"
#include "gateway/api/admission.h"
#include "gateway/api/title.h"
#include "gateway/turn/places.h"
#include "proto/path.h"
#include "proto/store/quota.h"
#include "proto/store/session.h"
#include "proto/store/turn.h"
#include "proto/traced.h"

enum { TITLE_BYTES_MAX = 120, SOURCES_BYTES_MAX = 4 << 20, SOURCES_WAIT_MS = 10000 };

struct asked {
    struct call *call;
    struct gateway *gateway;
    void (*begun)(struct call *c, struct turn *t);
    bool (*refused)(struct call *c, enum err err);
    struct id session, turn, quota_id;
    char owner[USER_MAX_BYTES];
    char *question, *model, *context, *path, *tool_name, *tool_arguments;
    struct record_message *history;
    unsigned history_count;
    bool unlisted, seeded, beginning; /* seeded: its session may be there */
    struct fetch *sources;
};

static void find_source(struct asked *a);
static void on_source(void *arg);
static void take_quota(struct asked *a);
static void make_session(struct asked *a);
static void begin(struct asked *a);
static void on_left(struct call *c);
static void on_unwanted(void *arg, enum err err, struct turn *t, bool fresh);

static void asked_free(struct asked *a)
{
    fetch_cancel(a->sources);
    for (unsigned i = 0; i < a->history_count; i++)
        free((char *)a->history[i].content.at);
    free(a->history);
    free(a->question);
    free(a->model);
    free(a->context);
    free(a->path);
    free(a->tool_name);
    free(a->tool_arguments);
    free(a);
}

static void refuse(struct asked *a, enum err err, const char *sentence)
{
    struct call *c = a->call;
    bool (*refused)(struct call * c, enum err err) = a->refused;
    c->on_gone = NULL;
    asked_free(a);
    if (refused && refused(c, err))
        return;
    gateway_turn_refused(err);
    call_fail(c, err, sentence);
}

static void keep_history(struct asked *a, const struct asking *from)
{
    a->history = xcalloc(from->history_count + 1, sizeof(*a->history));
    a->history_count = from->history_count;
    for (unsigned i = 0; i < from->history_count; i++) {
        a->history[i] = from->history[i];
        a->history[i].content.at = str_dup(from->history[i].content);
        a->history[i].turn = a->turn;
        a->history[i].at_ms = loop_wall_ms();
    }
}

void asking_begin(struct call *c, const struct asking *from,
                  void (*begun)(struct call *c, struct turn *t))
{
    struct asked *a = xcalloc(1, sizeof(*a));
    *a = (struct asked){.call = c,
                        .gateway = c->gateway,
                        .begun = begun,
                        .refused = from->refused,
                        .session = from->session,
                        .turn = id_new(),
                        .quota_id = id_new(),
                        .question = str_dup(from->question),
                        .model = str_dup(from->model),
                        .context = str_dup(from->context),
                        .path = str_dup(from->path),
                        .tool_name = str_dup(from->tool_name),
                        .tool_arguments = str_dup(from->tool_arguments),
                        .unlisted = from->unlisted};
    memcpy(a->owner, c->user, sizeof(a->owner));
    keep_history(a, from);
    c->on_gone = on_left;
    c->data = a;
    enum err refused = turns_refused(c->gateway);
    if (refused)
        refuse(a, refused, NULL);
    else
        find_source(a);
}

static void ignore(void *arg, enum err err, const struct store_answer *answer)
{
    (void)arg, (void)err, (void)answer;
}

/* Of a turn that did not begin: nobody's list has it, and nobody would look for it. */
static void drop_session(struct asked *a)
{
    if (a->unlisted)
        store_session_delete(a->gateway->store, str_of(a->owner), a->session, ignore, NULL);
}

/* Its place among its person's turns. */
static void give_back(struct asked *a)
{
    if (!id_is_zero(a->quota_id))
        quota_turn_end(a->gateway->store, str_of(a->owner), a->quota_id);
}

/* The call is gone: what the store was asked is forgotten with it, but for the turn's begin. */
static void on_left(struct call *c)
{
    struct asked *a = c->data;
    struct turns_asker nobody = {.begun = on_unwanted, .arg = a->gateway};
    if (a->beginning)
        turns_asker_change(a->gateway, a->turn, &nobody);
    else
        give_back(a);
    if (a->seeded && !a->beginning)
        drop_session(a);
    asked_free(a);
}

static void on_unwanted(void *arg, enum err err, struct turn *t, bool fresh)
{
    (void)fresh;
    if (err == ERR_NONE)
        asking_cancel(arg, str_of(t->live.owner), t->live.session, t->live.turn);
}

/* ---- where it looks ---- */

static bool path_ok(struct str path)
{
    struct path parsed;
    return path_parse(path, &parsed) == ERR_NONE;
}

/* How well it may stand for what nobody named: Perses's default, what is called so, any other. */
static int rank(const json_t *one)
{
    const json_t *spec = json_object_get(one, "spec");
    struct str name = json_text(json_object_get(json_object_get(one, "metadata"), "name"));
    if (!str_is(json_text(json_object_get(json_object_get(spec, "plugin"), "kind")),
                "PrometheusDatasource"))
        return 0;
    return json_is_true(json_object_get(spec, "default")) ? 3 : str_is(name, "prometheus") ? 2 : 1;
}

/* The best of Perses's list of global datasources; of equals the first. */
static void on_sources(void *arg, const struct fetch_result *r)
{
    struct asked *a = arg;
    struct buf path;
    a->sources = NULL;
    bool got = r->status == FETCH_OK && r->http_status == 200;
    json_auto_t *list = got ? json_loadb(r->body.at, r->body.len, 0, NULL) : NULL;
    const json_t *one, *chosen = NULL;
    size_t i;
    json_array_foreach(list, i, one)
    {
        if (rank(one) > rank(chosen))
            chosen = one;
    }
    struct str name = json_text(json_object_get(json_object_get(chosen, "metadata"), "name"));
    buf_init(&path, 1024);
    buf_puts(&path, "/proxy/globaldatasources/");
    buf_add_str(&path, name);
    if (!got && r->http_status < 400) {
        refuse(a, ERR_PERSES_UNAVAILABLE, NULL);
    } else if (!path_ok(buf_str(&path))) {
        refuse(a, ERR_NO_DATASOURCE_PATH,
               "You may read no Prometheus datasource of Perses that is for all projects; name one "
               "in the header X-PersAI-Datasource");
    } else {
        free(a->path);
        a->path = str_dup(buf_str(&path));
        call_visit(a->call, a->gateway->visits, on_source, a);
    }
    buf_free(&path);
}

static void on_source(void *arg) { take_quota(arg); }

static void ask_sources(void *arg)
{
    struct asked *a = arg;
    static const struct fetch_handler handler = {.on_done = on_sources};
    scoped_buf(url, 2048);
    buf_puts(&url, a->gateway->settings.perses);
    buf_puts(&url, "/api/v1/globaldatasources");
    struct fetch_request r = {.method = "GET",
                              .url = buf_cstr(&url),
                              .bearer = a->call->credentials.access,
                              .connect_ms = 3000,
                              .total_ms = SOURCES_WAIT_MS,
                              .body_bytes_max = SOURCES_BYTES_MAX,
                              .collect = true};
    a->sources = fetch_start(a->gateway->fetch, &r, &handler, a);
}

static void find_source(struct asked *a)
{
    struct call *c = a->call;
    struct str header = http_header(c->request, "X-PersAI-Datasource");
    const struct key *key = c->key.key;
    struct str path = *a->path                          ? str_of(a->path)
                      : header.len > 0                  ? header
                      : key && key_row(key)->datasource ? str_of(key_row(key)->datasource)
                                                        : STR("");
    if (path.len == 0) {
        call_visit(c, a->gateway->perses_visits, ask_sources, a);
    } else if (!path_ok(path)) {
        refuse(a, ERR_BAD_DATASOURCE_PATH, NULL);
    } else {
        char *kept = str_dup(path);
        free(a->path);
        a->path = kept;
        take_quota(a);
    }
}

/* ---- may its person; its session; the turn ---- */

static void on_quota(void *arg, enum err err, const struct store_answer *answer)
{
    struct asked *a = arg;
    struct admission m = {.err = err};
    a->call->store_call = 0;
    if (err == ERR_NONE)
        m = admission_of(answer);
    if (m.err == ERR_NONE) {
        make_session(a);
        return;
    }
    a->call->retry_after_s = m.retry_after_s;
    refuse(a, m.err, admission_sentence(&m));
}

static void take_quota(struct asked *a)
{
    a->call->store_call = places_begin(a->gateway, str_of(a->owner), a->quota_id, on_quota, a);
    if (a->call->store_call == 0) {
        a->quota_id = (struct id){{0}};
        make_session(a);
    }
}

static void on_session(void *arg, enum err err, const struct store_answer *answer)
{
    struct asked *a = arg;
    (void)answer;
    a->call->store_call = 0;
    if (err == ERR_NONE) {
        begin(a);
        return;
    }
    give_back(a);
    refuse(a, err, NULL);
}

static void make_session(struct asked *a)
{
    struct store_seed seed = {.owner = str_of(a->owner),
                              .session = a->session,
                              .title = title_of(str_of(a->question), TITLE_BYTES_MAX),
                              .messages = a->history,
                              .count = a->history_count,
                              .life_ms =
                                  a->unlisted ? a->gateway->settings.store.events_keep_ms : 0};
    a->seeded = true;
    a->call->store_call = store_session_seed(a->gateway->store, &seed, on_session, a);
}

static void on_begun(void *arg, enum err err, struct turn *t, bool fresh)
{
    struct asked *a = arg;
    struct call *c = a->call;
    (void)fresh;
    if (err) {
        drop_session(a);
        refuse(a, err, NULL);
        return;
    }
    void (*begun)(struct call * c, struct turn * t) = a->begun;
    c->session = a->session;
    c->turn = t->live.turn;
    c->on_gone = NULL;
    c->data = NULL;
    asked_free(a);
    begun(c, t);
}

static void begin(struct asked *a)
{
    struct call *c = a->call;
    struct turns_asker asker = {on_begun, a, c->begun_ns, http_header(c->request, "traceparent")};
    struct buf turn_start;
    buf_init(&turn_start, 1024);
    CHECK(event_turn_start(&turn_start, a->turn, a->session));
    struct record_request request = {.owner = str_of(a->owner),
                                     .datasource_path = str_of(a->path),
                                     .context = str_of(a->context),
                                     .model = str_of(a->model),
                                     .tool_name = str_of(a->tool_name),
                                     .arguments = str_of(a->tool_arguments),
                                     .quota_id = id_key(&a->quota_id)};
    struct record_message message = {.role = ROLE_USER,
                                     .turn = a->turn,
                                     .at_ms = loop_wall_ms(),
                                     .content = str_of(a->question),
                                     .context = str_of(a->context)};
    struct store_begin b = {.owner = str_of(a->owner),
                            .session = a->session,
                            .turn = a->turn,
                            .title = title_of(str_of(a->question), TITLE_BYTES_MAX),
                            .message = &message,
                            .request = &request,
                            .turn_start = buf_str(&turn_start),
                            .holder = str_of(a->gateway->name)};
    a->beginning = true;
    turns_begin(a->gateway, &b, &c->credentials, &asker);
    buf_free(&turn_start);
}

/* ---- cancel ---- */

static void on_cancelled(void *arg, enum err err, const struct store_answer *answer)
{
    struct gateway *g = arg;
    if (err != ERR_NONE)
        return;
    turns_cancelled(g, &answer->turn);
    log_info("turn.cancel", "turn=%s by=client_left", traced_log(answer->turn.turn));
}

void asking_cancel(struct gateway *g, struct str owner, struct id session, struct id turn)
{
    store_turn_abandon(g->store, owner, session, turn, on_cancelled, g);
}
