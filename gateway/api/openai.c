/* gateway/api/openai.c: the door for clients of OpenAI's chat completions: POST
 * /v1/chat/completions, GET /v1/models and one of these.
 *
 * The history is what the client sends, so each request is a session of its own, in nobody's list,
 * that is deleted when its answer was given. A client that leaves cancels the turn, and the session
 * goes when what it cost is known. */
#include "gateway/api/openai.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "common/log.h"
#include "gateway/api/asking.h"
#include "gateway/api/openai_ask.h"
#include "gateway/api/openai_say.h"
#include "gateway/turn/stream.h"
#include "proto/store/session.h"

/* A completion that is being answered. */
struct completion {
    struct gateway *gateway;
    struct call *call; /* of one in one piece */
    struct follower *follower;
    struct id session, turn;
    char owner[USER_MAX_BYTES];
    char id[ID_TEXT + 16];
    char *model;
    bool stream, usage, activity;
    struct openai_say say;
};

static void on_begun(struct call *c, struct turn *t);
static void on_event(void *arg, struct str payload, struct buf *out);
static void on_end(void *arg, bool whole, struct buf *out);

static const struct stream_door door = {on_event, on_end};
static const struct openai_fault no_model = {
    404, "There is no such model here; GET /v1/models lists those that there are", "model",
    "model_not_found"};
enum { CREATED = 1764288000 }; /* of a model that has no better: it says nothing */

void openai_fail(struct buf *b, enum err err, unsigned status, const char *sentence)
{
    openai_error(b, status, sentence, NULL, err_word(err));
}

static void refuse(struct call *c, const struct openai_fault *f)
{
    scoped_buf(b, 4096);
    openai_error(&b, f->status, f->sentence, f->param, f->code);
    call_reply(c, f->status, buf_str(&b));
}

/* ---- GET /v1/models, GET /v1/models/ID ---- */

static bool is_model(const struct gateway *g, struct str name)
{
    struct str text = broker_models(g->broker);
    json_auto_t *list = json_loadb(text.at, text.len, 0, NULL);
    size_t i;
    const json_t *one;
    bool found = false;
    json_array_foreach(list, i, one)
    {
        found = found || str_eq(json_text(json_object_get(one, "name")), name);
    }
    return found;
}

static void write_model(struct buf *b, struct str name, long long created)
{
    buf_puts(b, "{\"id\":");
    json_str(b, name);
    buf_printf(b, ",\"object\":\"model\",\"created\":%lld,\"owned_by\":\"persai\"}", created);
}

void api_openai_models(struct call *c)
{
    struct str text = broker_models(c->gateway->broker);
    json_auto_t *list = json_loadb(text.at, text.len, 0, NULL);
    size_t i;
    const json_t *one;
    scoped_buf(b, 1 << 20);
    buf_puts(&b, "{\"object\":\"list\",\"data\":[");
    write_model(&b, STR("persai"), CREATED);
    json_array_foreach(list, i, one)
    {
        scoped_buf(name, 1024);
        buf_puts(&name, "persai/");
        buf_add_str(&name, json_text(json_object_get(one, "name")));
        buf_putc(&b, ',');
        write_model(&b, buf_str(&name), CREATED);
    }
    buf_puts(&b, "]}");
    call_reply(c, 200, buf_str(&b));
}

void api_openai_model(struct call *c)
{
    struct str id;
    if (!http_path_rest(c->request, strlen("/v1/models/"), &id))
        id = STR("");
    struct str name = str_skip(id, strlen("persai/"));
    if (!str_is(id, "persai") && !(str_starts(id, STR("persai/")) && is_model(c->gateway, name))) {
        refuse(c, &no_model);
        return;
    }
    scoped_buf(b, 4096);
    write_model(&b, id, CREATED);
    call_reply(c, 200, buf_str(&b));
}

/* ---- POST /v1/chat/completions ---- */

static void completion_free(struct completion *k)
{
    openai_say_free(&k->say);
    free(k->model);
    free(k);
}

static struct completion *completion_new(struct call *c, const struct openai_ask *ask)
{
    struct completion *k = xcalloc(1, sizeof(*k));
    const struct key *key = c->key.key;
    k->gateway = c->gateway;
    k->stream = ask->stream;
    k->usage = ask->usage;
    k->activity = ask->activity || (key && key_row(key)->activity);
    k->model = str_dup(ask->asked_model);
    memcpy(k->owner, c->user, sizeof(k->owner));
    return k;
}

void api_openai_chat(struct call *c)
{
    struct openai_fault fault = {0};
    struct openai_ask *ask = xcalloc(1, sizeof(*ask));
    bool fine = openai_ask_read(c->body, ask, &fault);
    if (fine && ask->model.len > 0 && !is_model(c->gateway, ask->model)) {
        fine = false;
        fault = no_model;
    }
    if (!fine) {
        refuse(c, &fault);
    } else {
        struct asking a = {.session = id_new(),
                           .question = ask->question,
                           .model = ask->model,
                           .history = ask->history,
                           .history_count = ask->history_count,
                           .unlisted = true};
        c->door = completion_new(c, ask);
        c->door_free = (void (*)(void *))completion_free;
        asking_begin(c, &a, on_begun);
    }
    openai_ask_free(ask);
    free(ask);
}

static void on_left(struct call *c)
{
    struct completion *k = c->data;
    k->call = NULL;
    stream_leave(k->follower);
}

static void on_begun(struct call *c, struct turn *t)
{
    struct completion *k = c->door;
    c->door = NULL;
    k->session = c->session;
    k->turn = c->turn;
    snprintf(k->id, sizeof(k->id), "chatcmpl-%s", id_log(k->turn));
    struct openai_say_config config = {.id = k->id,
                                       .model = str_of(k->model),
                                       .created_s = loop_wall_ms() / 1000,
                                       .stream = k->stream,
                                       .usage = k->usage,
                                       .activity = k->activity};
    openai_say_init(&k->say, &config);
    k->follower = stream_new(&t->live, (struct event_at){0, 0}, false);
    stream_speak(k->follower, &door, k);
    if (k->stream) {
        stream_begin(k->follower, call_stream(c, "text/event-stream", &stream_handler, k->follower),
                     NULL);
        return;
    }
    k->call = c;
    c->data = k;
    c->on_gone = on_left;
    call_rest(c);
    stream_collect(k->follower, NULL);
}

static void on_event(void *arg, struct str payload, struct buf *out)
{
    struct completion *k = arg;
    openai_say_event(&k->say, payload, out);
}

static void ignore(void *arg, enum err err, const struct store_answer *a)
{
    (void)arg, (void)err, (void)a;
}

/* A failed turn is not to be asked again by a client that tries 5xx again by itself: it costs. */
static void answer(struct completion *k, struct buf *out)
{
    struct call *c = k->call;
    c->on_gone = NULL;
    if (k->say.state == OPENAI_ANSWERED && !out->overflowed) {
        call_reply(c, 200, buf_str(out));
        return;
    }
    http_add_header(c->request, "x-should-retry", "false");
    struct openai_fault fault = openai_fault_of(k->say.err);
    if (k->say.state == OPENAI_FAILED && fault.param) {
        fault.sentence = k->say.message;
        refuse(c, &fault);
        return;
    }
    call_fail(c, k->say.state == OPENAI_FAILED ? k->say.err : ERR_INTERNAL,
              *k->say.message ? k->say.message : NULL);
}

static void on_end(void *arg, bool whole, struct buf *out)
{
    struct completion *k = arg;
    if (!whole || k->say.awaits) /* what it used is still counted when it ends */
        asking_cancel(k->gateway, str_of(k->owner), k->session, k->turn);
    else
        store_session_delete(k->gateway->store, str_of(k->owner), k->session, ignore, NULL);
    if (k->call)
        answer(k, out);
    completion_free(k);
}
