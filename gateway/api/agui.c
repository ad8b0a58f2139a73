/* gateway/api/agui.c: the door for clients of AG-UI 1.0: POST /agui.
 *
 * threadId is a session: the id of one of this person's, or any text of the client's own (a UUID,
 * too), from which one is made that is this person's alone. A run is a turn. A client that leaves
 * may come again with the same thread, with its question or without messages: it is told what the
 * conversation has, the running turn from its beginning, then what is live, also where the person
 * may begin no other. What waits for a yes is an interrupt, and resume decides.
 */
#include "gateway/api/agui.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "common/json.h"
#include "gateway/api/agui_say.h"
#include "gateway/api/asking.h"
#include "gateway/api/content.h"
#include "gateway/api/following.h"
#include "gateway/turn/stream.h"
#include "proto/store/session.h"
#include "proto/store/turn.h"

enum {
    NAME_BYTES_MAX = 256,
    TEXT_BYTES_MAX = 2 << 20,
    PAGE_BYTES = 128 << 10, /* what one pass of the loop makes of a thread, for all to wait for */
};

static void look(struct call *c, struct id session);
static void on_thread(void *arg, enum err err, const struct store_answer *a);
static void begin(struct call *c);
static void on_begun(struct call *c, struct turn *t);
static bool on_refused(struct call *c, enum err err);
static void join(struct call *c);
static void ask_page(struct call *c, uint32_t after, uint32_t upto);
static void on_page(void *arg, enum err err, const struct store_answer *a);
static void resume(struct call *c);
static void on_turn(void *arg, enum err err, const struct store_answer *a);
static void on_decided(struct call *c);
static void tell(struct call *c, enum err err, struct turn *t, struct event_at after,
                 const struct store_answer *read);

static const struct call_hooks hooks = {.decided = on_decided};

struct run { /* of a call, until it is told */
    struct agui_say say;
    struct id made;        /* the session that the thread is where it is no session's id */
    struct event_at after; /* of a resume: what its client has */
    struct id running;     /* of a client that comes again: the thread's turn */
    bool other;            /* which is about another question than the client's, and runs */
    struct str question;   /* of the body, or of text */
    char *text, *context;
};

static void on_event(void *arg, struct str payload, struct buf *out)
{
    struct run *r = arg;
    agui_say_event(&r->say, payload, out);
}

static struct run *run_of(const struct call *c) { return c->door; }

static void say_free(void *arg)
{
    struct run *r = arg;
    agui_say_free(&r->say);
    free(r->text);
    free(r->context);
    free(r);
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

/* A UUID without its dashes may be an id. */
static bool may_be_id(struct str thread, struct id *id)
{
    char bare[64];
    size_t len = 0;
    for (size_t i = 0; i < thread.len && len < sizeof(bare); i++)
        if (thread.at[i] != '-')
            bare[len++] =
                thread.at[i] >= 'A' && thread.at[i] <= 'F' ? thread.at[i] | 0x20 : thread.at[i];
    return id_parse((struct str){bare, len}, id) && !id_is_zero(*id);
}

/* Nobody else's thread of the same name is this one. A UUID is the same however it is written. */
static struct id made_of(const struct call *c, struct str thread)
{
    struct id id;
    char text[ID_TEXT + 1];
    if (may_be_id(thread, &id)) {
        id_text(id, text);
        thread = str_of(text);
    }
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof(id.bytes));
    crypto_generichash_update(&state, (const unsigned char *)c->user, strlen(c->user) + 1);
    crypto_generichash_update(&state, (const unsigned char *)thread.at, thread.len);
    crypto_generichash_final(&state, (unsigned char *)id.bytes, sizeof(id.bytes));
    return id;
}

/* The last message, where it is a user's and all text. */
static void take_question(struct run *r, const json_t *messages)
{
    const json_t *last = json_array_get(messages, json_array_size(messages) - 1);
    struct str text;
    if (str_is(json_text(json_object_get(last, "role")), "user") &&
        content_read(json_object_get(last, "content"), TEXT_BYTES_MAX, &text, &r->text) ==
            CONTENT_TEXT)
        r->question = text;
}

/* What the frontend would tell a model of its own stands among the messages. */
static void add_instructions(json_t *notes, const json_t *messages)
{
    size_t i;
    const json_t *message;
    json_array_foreach(messages, i, message)
    {
        struct str role = json_text(json_object_get(message, "role")), text;
        char *joined = NULL;
        if ((str_is(role, "system") || str_is(role, "developer")) &&
            content_read(json_object_get(message, "content"), TEXT_BYTES_MAX, &text, &joined) ==
                CONTENT_TEXT &&
            str_trim(text).len > 0)
            json_array_append_new(notes, json_pack("{s:s,s:s%}", "description",
                                                   "The frontend's instructions", "value", text.at,
                                                   text.len));
        free(joined);
    }
}

/* What the frontend shows or knows beside, each with a description: a turn's context has it. */
static void take_context(struct run *r, const json_t *body)
{
    json_auto_t *notes = json_array(), *context = json_pack("{s:O}", "notes", notes);
    json_array_extend(notes, json_object_get(body, "context")); /* none: null */
    add_instructions(notes, json_object_get(body, "messages"));
    r->context = json_array_size(notes) > 0 ? json_dumps(context, JSON_COMPACT) : NULL;
}

static bool is_filled(const json_t *body, const char *key)
{
    return json_array_size(json_object_get(body, key)) > 0;
}

/* What is wrong with it, or NULL. */
static const char *fault_of(const struct call *c, struct str thread, struct str run)
{
    struct str question = run_of(c)->question;
    if (thread.len == 0 || thread.len > NAME_BYTES_MAX || run.len == 0 || run.len > NAME_BYTES_MAX)
        return "threadId and runId must be texts of 1 to 256 bytes";
    if (json_array_size(json_object_get(c->body, "tools")) > 0)
        return "client_tools_unsupported: PersAI runs its own tools; send tools: []";
    if (str_of(run_of(c)->context).len > ASKING_CONTEXT_MAX)
        return "context, with system and developer messages, is larger than 64 KiB";
    if (is_filled(c->body, "resume") || !is_filled(c->body, "messages"))
        return NULL;
    if (str_trim(question).len == 0 || question.len > c->gateway->settings.message_bytes_max)
        return "The last of messages must be a user's, with a text, or parts that are texts, as "
               "its content";
    return NULL;
}

void api_agui_run(struct call *c)
{
    struct str thread = json_text(json_object_get(c->body, "threadId"));
    struct str run = json_text(json_object_get(c->body, "runId"));
    struct run *r = xcalloc(1, sizeof(*r));
    agui_say_init(&r->say, thread, run);
    c->door = r;
    c->door_free = say_free;
    take_question(r, json_object_get(c->body, "messages"));
    take_context(r, c->body);
    const char *fault = fault_of(c, thread, run);
    if (fault) {
        call_fail(c, ERR_INVALID, fault);
        return;
    }
    r->made = made_of(c, thread);
    struct id own;
    look(c, may_be_id(thread, &own) ? own : r->made);
}

/* Is it a session of this person's, and does a turn run in it? Before their quota is asked: who
 * comes again begins nothing. */
static void look(struct call *c, struct id session)
{
    c->session = session;
    c->store_call = store_session_get(c->gateway->store, str_of(c->user), session, on_thread, c);
}

static void on_thread(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    struct id made = run_of(c)->made;
    bool missing = err == ERR_SESSION_NOT_FOUND;
    c->store_call = 0;
    if (err && !missing)
        call_fail(c, err, NULL);
    else if (missing && !id_eq(c->session, made))
        look(c, made);
    else if (is_filled(c->body, "resume"))
        resume(c);
    else if (!is_filled(c->body, "messages") || (!missing && !id_is_zero(a->sessions[0].running)))
        join(c);
    else
        begin(c);
}

static void begin(struct call *c)
{
    struct run *r = run_of(c);
    struct asking a = {.session = c->session,
                       .question = r->question,
                       .context = str_of(r->context),
                       .refused = on_refused};
    asking_begin(c, &a, on_begun);
}

/* ---- the answer ---- */

static void tell(struct call *c, enum err err, struct turn *t, struct event_at after,
                 const struct store_answer *read)
{
    if (err) {
        call_fail(c, err, NULL);
        return;
    }
    struct follower *f = stream_new(&t->live, after, false);
    agui_say_turn(&run_of(c)->say, t->live.turn);
    stream_speak(f, &door, c->door);
    c->door = NULL;
    stream_begin(f, call_stream(c, "text/event-stream", &stream_handler, f), read);
}

static void on_begun(struct call *c, struct turn *t)
{
    tell(c, ERR_NONE, t, (struct event_at){0, 0}, NULL);
}

/* ---- a client that comes again ---- */

/* The thread's turn runs since a moment ago: it is followed, if it is about this question. */
static bool on_refused(struct call *c, enum err err)
{
    if (err != ERR_TURN_RUNNING)
        return false;
    join(c);
    return true;
}

static void join(struct call *c) { ask_page(c, 0, 0); }

static void ask_page(struct call *c, uint32_t after, uint32_t upto)
{
    c->store_call = store_session_page(c->gateway->store, str_of(c->user), c->session, after, upto,
                                       PAGE_BYTES, on_page, c);
}

static bool wants_cancel(const struct call *c)
{
    const json_t *ours = json_object_get(json_object_get(c->body, "forwardedProps"), "persai");
    return json_is_true(json_object_get(ours, "cancel"));
}

/* Of a client with a question: is it that of the turn that runs? One that waits for a yes has its
 * interrupts told to whatever comes. */
static void compare(struct run *r, const struct store_answer *a)
{
    if (a->session_count > 0 && a->sessions[0].running_state == TURN_AWAITING)
        r->question = (struct str){0};
    for (unsigned i = 0; i < a->message_count && str_trim(r->question).len > 0; i++) {
        const struct record_message *m = &a->messages[i].record;
        if (m->role == ROLE_USER && id_eq(m->turn, r->running))
            r->other = !str_eq(str_trim(m->content), str_trim(r->question));
    }
}

static void on_page(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    if (!call_stored(c, err))
        return;
    struct run *r = run_of(c);
    struct agui_say *say = &r->say;
    if (a->session_count > 0) /* the first */
        r->running = a->sessions[0].running;
    if (!id_is_zero(r->running))
        compare(r, a);
    if (agui_say_snapshot(say, a->messages, a->message_count, r->running) && a->more) {
        ask_page(c, a->page_end, a->upto);
        return;
    }
    agui_say_snapshot_end(say);
    if (id_is_zero(r->running)) {
        scoped_buf(out, STREAM_DOOR_BYTES_MAX);
        agui_say_nothing(say, &out);
        call_reply_text(c, 200, "text/event-stream", buf_str(&out));
        return;
    }
    if (r->other) {
        call_fail(c, ERR_TURN_RUNNING,
                  "The thread's run about another question has not ended; ask again then. With "
                  "messages: [] it is followed");
        return;
    }
    c->turn = r->running;
    if (wants_cancel(c))
        asking_cancel(c->gateway, str_of(c->user), c->session, c->turn);
    if (call_keep(c, say->snapshot.len))
        following_begin(c, (struct event_at){0, 0}, tell);
}

/* ---- resume: what the person said to each interrupt ---- */

/* The body of …/resume, and the turn; false: an entry is of no interrupt, or of two turns. */
static bool take_decisions(struct call *c)
{
    const json_t *entries = json_object_get(c->body, "resume"), *entry;
    json_t *list = json_array(), *decision;
    struct id turn;
    size_t i;
    bool fine = true;
    json_array_foreach(entries, i, entry)
    {
        fine = fine && agui_decision(entry, &turn, &decision);
        if (fine)
            json_array_append_new(list, decision);
        fine = fine && (i == 0 || id_eq(turn, c->turn));
        if (fine)
            c->turn = turn;
    }
    json_decref(c->body);
    c->body = json_pack("{s:o}", "decisions", list);
    return fine;
}

static void resume(struct call *c)
{
    if (take_decisions(c))
        c->store_call =
            store_turn_get(c->gateway->store, str_of(c->user), c->session, c->turn, on_turn, c);
    else
        call_fail(c, ERR_INVALID,
                  "resume must be a list of {interruptId, status, payload} of the interrupts that "
                  "are open; the payload of a resolved one is {\"approve\": true or false}");
}

/* What its client has goes up to the interrupt; one that resumes again is told all anew. */
static void on_turn(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    if (!call_stored(c, err))
        return;
    if (a->turn.state == TURN_AWAITING)
        run_of(c)->after = a->turn.last;
    c->hooks = &hooks;
    api_turns_resume(c);
}

static void on_decided(struct call *c)
{
    if (run_of(c)->after.epoch > 0)
        following_begin(c, run_of(c)->after, tell);
    else
        join(c);
}
