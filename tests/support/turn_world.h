/* tests/support/turn_world.h: everything around a turn, replaced at link time by a script:
 * clock, store, hub, model and tools. What the turn does to them is a trace of short lines. */
#ifndef TESTS_SUPPORT_TURN_WORLD_H
#define TESTS_SUPPORT_TURN_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "common/check.h"
#include "proto/store/loaded.h"
#include "proto/store/quota.h"
#include "proto/store/session.h"
#include "proto/store/store.h"
#include "proto/store/turn.h"
#include "worker/turn/turns.h"

/* ---- the world ---- */

struct hub_link {
    int held;
    bool dead;
    unsigned life;
    const char *name; /* in the trace; NULL: the one that drives */
};
struct loop_timer {
    loop_fn *fn;
    void *arg;
    bool active;
};
struct llm_call {
    struct reply reply;
    const struct llm_handler *handler;
    void *arg;
    bool counted; /* what it used was asked for */
};
struct tool_run {
    tool_done_fn *fn;
    void *arg;
    char token[32];
    bool used, cancelled;
};
struct stored { /* a write or read of the store that is not answered yet */
    store_fn *fn;
    void *arg;
    char what[24];
};

static struct world {
    int64_t now_ms;
    char trace[8192];
    struct hub_link link, other;             /* of the gateway that drives, and of another */
    struct loop_timer timer, gathered, late; /* of all turns; of text that waits; of a look-up */
    struct stored load, write, summary, title;
    uint32_t stored_told; /* by the last event that went live */
    char last[512];       /* the text of the model's last item */
    bool looks_up;        /* there is a datasource to look at */
    bool keeps;           /* what is loaded can be kept meanwhile */
    bool say_by_itself;   /* says are answered at once (by the next settle) */
    struct llm_call *llm;
    struct tool_run runs[8];
    unsigned run_count;
    struct worker_turns *turns;
    struct models *models;
    struct meters meters;
    struct buf records[8]; /* the conversation, encoded */
    unsigned record_count;
    struct buf sealing[2]; /* becomes part of it when the seal is answered */
    unsigned sealing_count;
    struct usage sealed; /* of the turn, as the last seal says */
    struct store_load loaded;
    bool last_call; /* the model was offered no tools */
    enum jsontools_form form;
    bool unauthorized; /* the model's answer is a 401 of Perses */
    unsigned messages_shown;
    char system[8192], first[256]; /* of the prompt: instructions; its first message */
    struct id quota_id;            /* of the request: a place is kept for it */
    int64_t bytes_noted;           /* of the session, when that is free */
} w;

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
    size_t len = strlen(w.trace);
    va_list args;
    va_start(args, format);
    vsnprintf(w.trace + len, sizeof(w.trace) - len, format, args);
    va_end(args);
    len = strlen(w.trace);
    snprintf(w.trace + len, sizeof(w.trace) - len, "\n");
}

int64_t loop_now_ms(const struct loop *l)
{
    (void)l;
    return w.now_ms;
}
int64_t loop_wall_ms(void) { return 1000000 + w.now_ms; }
void quota_turn_hold(struct store *s, struct str owner, struct id turn, int64_t lease_ms)
{
    (void)s;
    if (!id_is_zero(turn))
        note("place %.*s %lld", (int)owner.len, owner.at, (long long)lease_ms);
}
void quota_turn_end_note(struct store *s, struct str owner, struct id turn, struct id session,
                         int64_t bytes)
{
    (void)s, (void)session;
    if (!id_is_zero(turn))
        note("place of %.*s is free", (int)owner.len, owner.at);
    w.bytes_noted = bytes;
}
struct loop_timer *loop_timer_new(struct loop *l, loop_fn *fn, void *arg)
{
    (void)l;
    struct loop_timer *t = w.gathered.fn ? &w.late : w.timer.fn ? &w.gathered : &w.timer;
    *t = (struct loop_timer){fn, arg, false};
    return t;
}
void loop_timer_set(struct loop_timer *t, int64_t after_ms, int64_t repeat_ms)
{
    (void)after_ms;
    (void)repeat_ms;
    t->active = true;
}
void loop_timer_stop(struct loop_timer *t) { t->active = false; }
bool loop_timer_active(const struct loop_timer *t) { return t->active; }
void loop_timer_free(struct loop_timer *t)
{
    if (t)
        t->active = false;
}

void hub_hold(struct hub_link *l) { l->held++; }
void hub_release(struct hub_link *l) { l->held--; }
bool hub_alive(const struct hub_link *l) { return !l->dead; }

/* The event's name, and its text, state or message. */
static const char *gist(struct str payload)
{
    static char text[256];
    json_t *root = json_loadb(payload.at, payload.len, 0, NULL);
    assert_non_null(root);
    json_t *p = json_object_get(json_object_get(root, "event"), "payload");
    const char *name = json_string_value(json_object_get(p, "event_type"));
    json_t *delta = json_object_get(p, "delta");
    const char *type = json_string_value(json_object_get(delta, "type"));
    const char *more = json_string_value(json_object_get(delta, "text"));
    if (!more)
        more = json_string_value(json_object_get(delta, "state"));
    if (!more)
        more = json_string_value(json_object_get(p, "message"));
    char attempt[16] = "";
    if (json_object_get(p, "attempt"))
        snprintf(attempt, sizeof(attempt), "#%d",
                 (int)json_integer_value(json_object_get(p, "attempt")));
    snprintf(text, sizeof(text), "%s%s%s%s%s%s", name, attempt, type ? "." : "", type ? type : "",
             more ? "=" : "", more ? more : "");
    json_decref(root);
    return text;
}

unsigned hub_life(const struct hub_link *l) { return l->life; }
static const char *name_of(const struct hub_link *l) { return l->name ? l->name : ""; }
void hub_send_event(struct hub_link *l, const struct frame_EVENT *e)
{
    note("%slive %u-%u%s %s", name_of(l), e->epoch, e->seq, e->final ? "!" : "", gist(e->payload));
    w.stored_told = e->stored;
}
void hub_send_following(struct hub_link *l, struct id turn, struct event_at stored)
{
    (void)turn;
    note("%sFOLLOWING %u-%u", name_of(l), stored.epoch, stored.seq);
}
void hub_send_news(struct hub_link *but, struct id turn) { (void)but, (void)turn; }
void hub_send_done(struct hub_link *l, struct id turn, uint32_t epoch, enum turn_state state)
{
    (void)turn;
    note("%sDONE %u %s", name_of(l), epoch, turn_state_word(state));
}
void hub_send_release(struct hub_link *l, struct id turn, uint32_t epoch, const char *reason)
{
    (void)l;
    (void)turn;
    note("RELEASE %u %s", epoch, reason);
}
void hub_send_need_token(struct hub_link *l, struct id turn, uint32_t epoch)
{
    (void)l;
    (void)turn;
    note("NEED_TOKEN %u", epoch);
}

static uint64_t keep(struct stored *s, const char *what, store_fn *fn, void *arg)
{
    assert_null(s->fn); /* one at a time */
    *s = (struct stored){.fn = fn, .arg = arg};
    snprintf(s->what, sizeof(s->what), "%s", what);
    return s == &w.load ? 1 : s == &w.write ? 2 : 3;
}
void store_forget(struct store *s, uint64_t call)
{
    (void)s;
    if (call == 1)
        w.load.fn = NULL;
    if (call == 2)
        w.write.fn = NULL;
    if (call == 3)
        w.summary.fn = NULL;
}
uint64_t store_turn_load(struct store *s, struct id session, struct id turn, uint32_t epoch,
                         struct str holder, store_fn *fn, void *arg)
{
    (void)s, (void)session, (void)turn, (void)holder;
    note("load %u", epoch);
    return keep(&w.load, "load", fn, arg);
}
static void note_batch(const char *what, struct str batch)
{
    char text[512] = "";
    struct record_events events;
    record_events_init(&events, batch);
    while (record_events_more(&events)) {
        struct record_event e;
        assert_int_equal(record_events_next(&events, &e), ERR_NONE);
        snprintf(text + strlen(text), sizeof(text) - strlen(text), " %u%s", e.seq,
                 e.final ? "!" : "");
    }
    record_events_free(&events);
    note("%s%s", what, text);
}
uint64_t store_turn_say(struct store *s, struct id session, struct id turn, uint32_t epoch,
                        uint32_t last_seq, struct str batch, store_fn *fn, void *arg)
{
    (void)s, (void)session, (void)turn, (void)epoch, (void)last_seq;
    note_batch("say", batch);
    return keep(&w.write, "say", fn, arg);
}
uint64_t store_turn_hold(struct store *s, struct id session, struct id turn, uint32_t epoch,
                         struct str holder, store_fn *fn, void *arg)
{
    (void)s, (void)session, (void)turn, (void)epoch, (void)holder;
    note("hold");
    return keep(&w.write, "hold", fn, arg);
}
uint64_t store_turn_mark(struct store *s, struct id session, struct id turn, uint32_t epoch,
                         struct str holder, const struct str *call_ids, unsigned count,
                         store_fn *fn, void *arg)
{
    (void)s, (void)session, (void)turn, (void)epoch, (void)holder;
    note("mark %u %.*s of %u", epoch, (int)call_ids[0].len, call_ids[0].at, count);
    return keep(&w.summary, "mark", fn, arg); /* beside the journal's */
}
uint64_t store_turn_release(struct store *s, struct id session, struct id turn, uint32_t epoch,
                            store_fn *fn, void *arg)
{
    (void)s, (void)session, (void)turn;
    note("release %u", epoch);
    return keep(&w.write, "release", fn, arg);
}
uint64_t store_turn_summary(struct store *s, struct id session, struct id turn, uint32_t epoch,
                            uint32_t revision, uint32_t to, struct str text, store_fn *fn,
                            void *arg)
{
    (void)s, (void)session, (void)turn;
    note("summary %u rev=%u to=%u %.*s", epoch, revision, to, (int)text.len, text.at);
    return keep(&w.summary, "summary", fn, arg);
}
uint64_t store_session_title(struct store *s, struct str owner, struct id session, struct str given,
                             struct str title, const struct usage *used, store_fn *fn, void *arg)
{
    (void)s, (void)owner, (void)session, (void)used;
    note("title %.*s for %.*s", (int)title.len, title.at, (int)given.len, given.at);
    return keep(&w.title, "title", fn, arg);
}
uint64_t store_turn_seal(struct store *s, const struct store_seal *seal, store_fn *fn, void *arg)
{
    (void)s;
    char head[320] = "";
    snprintf(head, sizeof(head), "seal %s step=%u.%u", turn_state_word(seal->state), seal->step,
             seal->attempt);
    for (unsigned i = 0; i < seal->message_count; i++) {
        const struct record_message *m = &seal->messages[i];
        snprintf(head + strlen(head), sizeof(head) - strlen(head), " %s(%.*s", role_word(m->role),
                 (int)m->content.len, m->content.at);
        for (unsigned k = 0; k < m->response_count; k++)
            snprintf(head + strlen(head), sizeof(head) - strlen(head), "%.*s",
                     (int)m->responses[k].content.len, m->responses[k].content.at);
        snprintf(head + strlen(head), sizeof(head) - strlen(head), " %.*s calls=%u)",
                 (int)m->stop_reason.len, m->stop_reason.at ? m->stop_reason.at : "",
                 m->call_count);
    }
    for (unsigned i = 0; i < seal->approval_count; i++)
        snprintf(head + strlen(head), sizeof(head) - strlen(head), " asks=%.*s until=%lld",
                 (int)seal->approvals[i].call_id.len, seal->approvals[i].call_id.at,
                 (long long)seal->expires_ms);
    snprintf(head + strlen(head), sizeof(head) - strlen(head), ":");
    note_batch(head, seal->batch);
    keep(&w.write, "seal", fn, arg);
    w.sealed = seal->usage;
    for (unsigned i = 0; i < w.sealing_count; i++)
        buf_free(&w.sealing[i]);
    w.sealing_count = seal->message_count;
    for (unsigned i = 0; i < seal->message_count; i++) {
        buf_init(&w.sealing[i], 1 << 20);
        assert_true(record_message_encode(&seal->messages[i], &w.sealing[i]));
    }
    return 2;
}

enum err llm_call_start(struct llm *l, const struct llm_request *r, const struct llm_handler *h,
                        void *arg, struct llm_call **out)
{
    (void)l;
    assert_null(w.llm);
    w.llm = calloc(1, sizeof(*w.llm));
    w.llm->handler = h;
    w.llm->arg = arg;
    w.last_call = r->tool_count == 0;
    w.form = r->form;
    w.messages_shown = r->prompt->count;
    reply_init(&w.llm->reply, 1000, &h->reply, arg);
    for (unsigned i = 0; i < r->tool_count; i++)
        reply_know_tool(&w.llm->reply, r->tools[i].name);
    snprintf(w.system, sizeof(w.system), "%s", buf_cstr((struct buf *)&r->prompt->system));
    snprintf(w.first, sizeof(w.first), "%.*s", (int)r->prompt->items[0].text.len,
             r->prompt->items[0].text.at);
    const struct prompt_item *last = &r->prompt->items[r->prompt->count - 1];
    snprintf(w.last, sizeof(w.last), "%.*s", (int)last->text.len, last->text.at);
    note(h->reply.on_text ? "call %s" : "summary %s", r->model->id);
    *out = w.llm;
    return ERR_NONE;
}
void llm_call_free(struct llm_call *c)
{
    if (c == NULL)
        return;
    assert_ptr_equal(c, w.llm);
    reply_free(&c->reply);
    free(c);
    w.llm = NULL;
}
bool llm_call_unauthorized(const struct llm_call *c)
{
    (void)c;
    return w.unauthorized;
}
void llm_call_hold(struct llm_call *c) { (void)c; }
bool llm_call_in_line(const struct llm_call *c)
{
    (void)c;
    return false;
}
struct reply *llm_reply(struct llm_call *c) { return &c->reply; }
struct usage llm_call_used(struct llm_call *c)
{
    struct usage u = {c->reply.input_tokens, c->reply.output_tokens, c->reply.cached_tokens, 3};
    if (c->counted)
        u = (struct usage){0};
    c->counted = true;
    return u;
}

static const struct tool_spec specs[] = {{"look", "Looks", "{}", false, TOOL_SOURCE_NONE},
                                         {"save", "Saves", "{}", true, TOOL_SOURCE_NONE}};
const struct tool_spec *tools_specs(const struct tools *t, unsigned *count)
{
    (void)t;
    *count = 2;
    return specs;
}
bool tools_once(const struct tools *t, struct str name)
{
    (void)t;
    return str_is(name, "send");
}
bool tools_change(struct str name) { return str_is(name, "save") || str_is(name, "send"); }
bool tools_asks(const struct tools *t, struct str name, struct str arguments)
{
    (void)t;
    (void)arguments;
    return tools_change(name);
}
bool tools_vets(const struct tools *t, const struct tool_call *c)
{
    (void)t;
    return str_is(c->tool_name, "far");
}
bool tools_fit(const struct tools *t, struct str name, struct str arguments, struct buf *b)
{
    (void)t;
    return str_is(name, "save") && str_is(arguments, "{\"n\":\"1\"}") && buf_puts(b, "{\"n\":1}");
}
bool tools_lacks(const struct tools *t, const struct secret *token, const char *const *paths,
                 unsigned path_count, enum tool_source source)
{
    (void)t, (void)token, (void)paths, (void)path_count, (void)source;
    return false;
}
bool tools_takes(const struct tools *t, struct str name, struct str arguments)
{
    (void)t;
    return str_is(name, "look") && str_starts(arguments, STR("{"));
}
void tools_reach(const struct tools *t, struct str name, struct buf *b)
{
    (void)t, (void)name, (void)b;
}
struct tool_run *tool_start(struct tools *t, const struct tool_call *c, tool_done_fn *fn, void *arg)
{
    (void)t;
    struct tool_run *r = &w.runs[w.run_count++];
    *r = (struct tool_run){.fn = fn, .arg = arg, .used = true};
    snprintf(r->token, sizeof(r->token), "%.*s", (int)secret_reveal(c->token).len,
             secret_reveal(c->token).at);
    note("tool %.*s %.*s token=%s%s%s", (int)c->tool_name.len, c->tool_name.at,
         (int)c->arguments.len, c->arguments.at, r->token,
         c->approval == APPROVAL_GIVEN     ? " approved"
         : c->approval == APPROVAL_BEGUN   ? " begun"
         : c->approval == APPROVAL_REFUSED ? " refused"
                                           : "",
         c->repeated ? " again" : "");
    return r;
}
struct tool_run *tools_look_up(struct tools *t, const struct tool_call *c, tool_done_fn *fn,
                               void *arg)
{
    (void)t;
    if (!w.looks_up)
        return NULL;
    struct tool_run *r = &w.runs[w.run_count++];
    *r = (struct tool_run){.fn = fn, .arg = arg, .used = true};
    note("look up %.*s", (int)c->arguments.len, c->arguments.at);
    return r;
}
void tool_cancel(struct tool_run *r)
{
    if (r == NULL)
        return;
    r->cancelled = true;
    note("tool cancelled");
}

/* ---- the script ---- */

static const struct agent_limits limits = {.calls_max = 3,
                                           .attempts_max = 2,
                                           .invalid_max = 2,
                                           .run_ms_max = 60000,
                                           .tokens_max = 100000,
                                           .said_bytes_max = 100};
static const struct id session = {{1}}, turn = {{2}};

static int begin(void **state)
{
    (void)state;
    char error[256];
    struct models_config models = {.providers[PROVIDER_OPENAI].base_url = "http://h/v1",
                                   .default_model = "openai/m"};
    struct meters meters = w.meters;
    memset(&w, 0, sizeof(w));
    w.meters = meters;
    w.other.name = "B: ";
    w.models = models_new(&models, error);
    w.loaded = (struct store_load){.step = 1, .attempt = 1, .seq = 1};
    struct record_message question = {.role = ROLE_USER, .turn = turn, .content = STR("q")};
    buf_init(&w.records[0], 1 << 20);
    record_message_encode(&question, &w.records[w.record_count++]);
    struct worker_turns_config c = {.turn = {.journal = {.holder = "me",
                                                         .flush_ms = 100,
                                                         .flush_bytes = 100000,
                                                         .backlog_bytes_max = 1000,
                                                         .hold_ms = 3000,
                                                         .fresh_ms = 750},
                                             .limits = limits,
                                             .models = w.models,
                                             .meters = &w.meters,
                                             .token_wait_ms = 5000,
                                             .approval_wait_ms = 86400000},
                                    .capacity = 1,
                                    .tick_ms = 50};
    c.turn.find_tools = false;
    c.turn.look_up = true; /* where the script says that there is something to look at */
    c.turn.check_answers = true;
    w.turns = worker_turns_new(&c);
    return 0;
}

static int end(void **state)
{
    (void)state;
    worker_turns_free(w.turns);
    models_free(w.models);
    for (unsigned i = 0; i < w.record_count; i++)
        buf_free(&w.records[i]);
    for (unsigned i = 0; i < w.sealing_count; i++)
        buf_free(&w.sealing[i]);
    assert_int_equal(w.link.held, 0);
    assert_int_equal(w.other.held, 0);
    assert_null(w.llm);
    return 0;
}

static void settle(void) { worker_turns_decide(w.turns); }
__attribute__((unused)) static void tick(int64_t ms)
{
    w.now_ms += ms;
    w.timer.fn(w.timer.arg);
    settle();
}
static void start(uint32_t epoch)
{
    worker_turns_start(w.turns, &w.link,
                       &(struct hub_turn){.session = session, .turn = turn, .epoch = epoch},
                       secret_new(STR("T1")));
    settle();
}
/* The conversation as a load tells it. */
struct store_loaded {
    struct store_load load;
    struct store_message messages[8];
    struct buf request;
    struct store_answer answer;
};
static struct store_loaded *loaded_new(void)
{
    struct store_loaded *l = xcalloc(1, sizeof(*l));
    struct record_request r = {.owner = STR("o"),
                               .datasource_path = STR("/proxy/globaldatasources/p"),
                               .quota_id = id_is_zero(w.quota_id) ? STR("") : id_key(&w.quota_id)};
    buf_init(&l->request, 1000);
    record_request_encode(&r, &l->request);
    l->load = w.loaded;
    l->load.request = buf_str(&l->request);
    l->answer = (struct store_answer){
        .messages = l->messages, .message_count = w.record_count, .load = &l->load};
    l->answer.turn.cancel = w.loaded.cancel;
    for (unsigned i = 0; i < w.record_count; i++) {
        l->messages[i] = (struct store_message){.message = i + 1};
        assert_int_equal(record_message_decode(buf_str(&w.records[i]), &l->messages[i].record),
                         ERR_NONE);
    }
    return l;
}
struct store_loaded *store_loaded_keep(const struct store_answer *a)
{
    (void)a;
    return w.keeps ? loaded_new() : NULL;
}
const struct store_answer *store_loaded_answer(const struct store_loaded *l) { return &l->answer; }
void store_loaded_free(struct store_loaded *l)
{
    for (unsigned i = 0; l && i < l->answer.message_count; i++)
        record_message_free(&l->messages[i].record);
    if (l)
        buf_free(&l->request);
    free(l);
}

bool store_opening_read(struct str opening, struct id of, store_fn *fn, void *arg)
{
    (void)of;
    if (!str_is(opening, "good"))
        return false;
    note("opened");
    struct store_loaded *l = loaded_new();
    fn(arg, ERR_NONE, &l->answer);
    store_loaded_free(l);
    return true;
}

static void answer(struct stored *s, enum err err)
{
    assert_non_null(s->fn);
    struct stored now = *s;
    s->fn = NULL;
    for (unsigned i = 0; i < w.sealing_count && err == ERR_NONE && strcmp(now.what, "seal") == 0;
         i++)
        w.records[w.record_count++] = w.sealing[i];
    if (err == ERR_NONE && strcmp(now.what, "seal") == 0)
        w.sealing_count = 0;
    struct store_loaded *l = loaded_new();
    now.fn(now.arg, err, err == ERR_NONE ? &l->answer : NULL);
    store_loaded_free(l);
    settle();
}
__attribute__((unused)) static void text(const char *t)
{
    assert_int_equal(reply_text(&w.llm->reply, str_of(t)), ERR_NONE);
}
__attribute__((unused)) static void asks(const char *id, const char *tool)
{
    assert_int_equal(reply_call(&w.llm->reply, -1, str_of(id), str_of(tool), STR("{}")), ERR_NONE);
}
static void replied(enum err err)
{
    if (err == ERR_NONE) {
        reply_stop(&w.llm->reply, w.llm->reply.call_count ? STR("tool_calls") : STR("stop"));
        reply_usage(&w.llm->reply, 10, 2, 0);
        assert_int_equal(reply_end(&w.llm->reply, 1), ERR_NONE);
    } else {
        reply_fail(&w.llm->reply, err, true, "It broke");
    }
    w.llm->handler->on_done(w.llm->arg, err);
    settle();
}
__attribute__((unused)) static void tooled(unsigned run, const char *content, bool unauthorized)
{
    struct tool_result r = {
        .content = str_of(content), .unauthorized = unauthorized, .failed = unauthorized};
    w.runs[run].fn(w.runs[run].arg, &r);
    settle();
}
static void expect(const char *trace)
{
    assert_string_equal(w.trace, trace);
    w.trace[0] = '\0';
}
static void begin_answer_in(uint32_t epoch)
{
    start(epoch);
    answer(&w.load, ERR_NONE);
}
__attribute__((unused)) static void begin_answer(void) { begin_answer_in(1); }

#endif
