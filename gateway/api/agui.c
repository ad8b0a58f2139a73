/* gateway/api/agui.c: the door for clients of AG-UI 1.0: POST /agui.
 *
 * threadId is a session: an id of ours, a UUID, or any text of the client's own, from which one is
 * made for this person. A run is a turn. A client that leaves may come again with the same thread:
 * while its turn runs, it is told all of it from the beginning, then what is live. */
#include "gateway/api/agui.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "common/json.h"
#include "gateway/api/agui_say.h"
#include "gateway/api/asking.h"
#include "gateway/turn/stream.h"
#include "proto/store/session.h"

enum { NAME_BYTES_MAX = 256 };

static void on_begun(struct call *c, struct turn *t);
static bool on_refused(struct call *c, enum err err);
static void on_session(void *arg, enum err err, const struct store_answer *a);

static void on_event(void *arg, struct str payload, struct buf *out)
{
    agui_say_event(arg, payload, out);
}

static void say_free(void *arg)
{
    agui_say_free(arg);
    free(arg);
}

static void on_end(void *arg, bool whole, struct buf *out)
{
    (void)whole, (void)out;
    say_free(arg);
}

static const struct stream_door door = {on_event, on_end};

void agui_fail(struct buf *b, enum err err, unsigned status, const char *sentence)
{
    (void)status;
    buf_puts(b, "{\"type\":\"RUN_ERROR\",\"message\":");
    json_str(b, str_of(sentence));
    buf_printf(b, ",\"code\":\"%s\"}", err_word(err));
}

/* ---- the request ---- */

/* A UUID without its dashes is an id. */
static struct id session_of(const struct call *c, struct str thread)
{
    struct id id;
    char bare[64];
    size_t len = 0;
    for (size_t i = 0; i < thread.len && len < sizeof(bare); i++)
        if (thread.at[i] != '-')
            bare[len++] =
                thread.at[i] >= 'A' && thread.at[i] <= 'F' ? thread.at[i] | 0x20 : thread.at[i];
    if (id_parse((struct str){bare, len}, &id) && !id_is_zero(id))
        return id;
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof(id.bytes));
    crypto_generichash_update(&state, (const unsigned char *)c->user, strlen(c->user) + 1);
    crypto_generichash_update(&state, (const unsigned char *)thread.at, thread.len);
    crypto_generichash_final(&state, (unsigned char *)id.bytes, sizeof(id.bytes));
    return id;
}

static struct str last_question(const json_t *messages)
{
    const json_t *last = json_array_get(messages, json_array_size(messages) - 1);
    return str_is(json_text(json_object_get(last, "role")), "user")
               ? json_text(json_object_get(last, "content"))
               : (struct str){0};
}

/* What is wrong with it, or NULL. */
static const char *fault_of(const struct call *c, struct str thread, struct str run,
                            struct str question)
{
    if (thread.len == 0 || thread.len > NAME_BYTES_MAX || run.len == 0 || run.len > NAME_BYTES_MAX)
        return "threadId and runId must be texts of 1 to 256 bytes";
    if (json_array_size(json_object_get(c->body, "tools")) > 0)
        return "client_tools_unsupported: PersAI runs its own tools; send tools: []";
    if (json_array_size(json_object_get(c->body, "resume")) > 0)
        return "Decide on an interrupt by POST /session/ID/turn/TID/resume, then run again to "
               "follow it";
    if (str_trim(question).len == 0 || question.len > c->gateway->settings.message_bytes_max)
        return "The last of messages must be a user's, with a text as its content";
    return NULL;
}

void api_agui_run(struct call *c)
{
    struct str thread = json_text(json_object_get(c->body, "threadId"));
    struct str run = json_text(json_object_get(c->body, "runId"));
    struct str question = last_question(json_object_get(c->body, "messages"));
    const char *fault = fault_of(c, thread, run, question);
    if (fault) {
        call_fail(c, ERR_INVALID, fault);
        return;
    }
    struct agui_say *say = xcalloc(1, sizeof(*say));
    agui_say_init(say, thread, run);
    c->door = say;
    c->door_free = say_free;
    c->session = session_of(c, thread);
    struct asking a = {.session = c->session, .question = question, .refused = on_refused};
    asking_begin(c, &a, on_begun);
}

/* ---- the answer ---- */

static void on_begun(struct call *c, struct turn *t)
{
    struct follower *f = stream_new(&t->live, (struct event_at){0, 0}, false);
    stream_speak(f, &door, c->door);
    c->door = NULL;
    stream_begin(f, call_stream(c, "text/event-stream", &stream_handler, f), NULL);
}

/* The thread's turn runs already: it is followed. */
static bool on_refused(struct call *c, enum err err)
{
    if (err != ERR_TURN_RUNNING)
        return false;
    c->store_call =
        store_session_get(c->gateway->store, str_of(c->user), c->session, false, on_session, c);
    return true;
}

static void on_session(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    c->store_call = 0;
    if (err == ERR_NONE && id_is_zero(a->sessions[0].running))
        err = ERR_TURN_RUNNING; /* it ended meanwhile: the client asks again */
    if (err != ERR_NONE) {
        call_fail(c, err, NULL);
        return;
    }
    c->turn = a->sessions[0].running;
    turns_adopt_of(c->gateway, &a->sessions[0], str_of(c->user), &c->credentials);
    struct turn *t = turns_followed(c->gateway, c->session, c->turn, str_of(c->user));
    turns_lend(t, &c->credentials);
    on_begun(c, t);
}
