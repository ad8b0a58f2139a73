/* tests/support/store_play.h: what the cases of the store are played with: answers that are
 * waited for and kept, a session with a turn in a line. */
#ifndef TESTS_SUPPORT_STORE_PLAY_H
#define TESTS_SUPPORT_STORE_PLAY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "proto/store/events.h"
#include "proto/store/feedback.h"
#include "proto/store/quota.h"
#include "proto/store/tally.h"
#include "proto/store/session.h"
#include "proto/store/share.h"
#include "proto/store/turn.h"

/* The times that the fixture's store was made with. */
enum {
    CASE_LEASE_MS = 1500, /* room: a busy machine is late by hundreds of ms */
    CASE_EVENTS_KEEP_MS = 1200,
    CASE_MESSAGES_MAX = 12,
    CASE_WORDS = 160,
    CASE_USER_SESSIONS = 50,
    CASE_USER_BYTES = 256 << 10
};

struct store_fixture {
    struct store *store;
    void (*wait)(struct store_fixture *f, const bool *done);      /* until *done */
    void (*pass)(struct store_fixture *f, int64_t ms);            /* the store's clock goes on */
    unsigned (*keys)(struct store_fixture *f, struct id session); /* how many a session has left */
    unsigned last_owner;
};

/* ---- one answer, kept ---- */
enum { GOT_MAX = 64 };
struct got_message {
    uint32_t message;
    bool pinned, excluded;
    enum message_role role;
    char content[64];
};
struct got_event {
    struct event_at at;
    bool final;
    char payload[CASE_WORDS];
};
struct got {
    uint32_t page_end, upto;
    char share[40], share_path[80], model_said[40];
    int sentiment;
    unsigned rated_count, rated_messages;
    bool done;
    enum err err;
    struct id session;
    struct store_turn turn;
    char holder[64]; /* of turn, whose own is gone */
    unsigned session_count, message_count, event_count, turn_count;
    struct {
        struct id session, running;
        enum turn_state running_state;
        uint32_t turns;
        struct usage usage;
        uint32_t summary_to, revision;
        char summary[64];
        char owner[64], title[64], model[64], settings[64], asks[512];
    } sessions[GOT_MAX];
    struct got_message messages[GOT_MAX];
    struct got_event events[GOT_MAX];
    struct store_turn turns[GOT_MAX];
    bool more;
    char cursor[80], request_path[80];
    struct store_load load;
    struct {
        char call_id[32], hash[64];
        int what;
    } decisions[4];
    unsigned moved, owner_count;
    struct {
        char owner[64];
        unsigned sessions;
        int64_t seen_ms;
    } owners[4];
    unsigned key_count;
    char key_model[64];
    int64_t key_left_ms;
    enum quota_verdict verdict;
    int64_t wait_ms;
    bool open;
    unsigned tally_count;
    int64_t tally_turns, tally_tokens; /* of all rows */
    char opening[STORE_OPENING_MAX];
    size_t opening_len;
};

static void keep_text(struct str s, char *out, size_t size)
{
    snprintf(out, size, "%.*s", (int)s.len, s.at ? s.at : "");
}

static void on_got(void *arg, enum err err, const struct store_answer *a)
{
    struct got *g = arg;
    assert_false(g->done); /* called once */
    g->done = true;
    g->err = err;
    assert_true((a == NULL) == (err != ERR_NONE));
    if (a == NULL)
        return;
    g->session = a->session;
    g->turn = a->turn;
    snprintf(g->holder, sizeof(g->holder), "%.*s", (int)a->turn.holder.len,
             a->turn.holder.len ? a->turn.holder.at : "");
    g->more = a->more;
    g->opening_len = a->opening.len;
    if (a->opening.len > 0)
        memcpy(g->opening, a->opening.at, a->opening.len);
    g->page_end = a->page_end;
    g->upto = a->upto;
    keep_text(a->share, g->share, sizeof(g->share));
    keep_text(a->model, g->model_said, sizeof(g->model_said));
    g->sentiment = a->sentiment;
    g->rated_count = a->rated_count;
    if (a->session_count > 0)
        keep_text(a->sessions[0].share_path, g->share_path, sizeof(g->share_path));
    if (a->rated_count > 0)
        g->rated_messages = a->rated[0].message_count;
    g->moved = a->moved;
    g->owner_count = a->owner_count;
    for (unsigned i = 0; i < a->owner_count && i < 4; i++) {
        keep_text(a->owners[i].owner, g->owners[i].owner, 64);
        g->owners[i].sessions = a->owners[i].sessions;
        g->owners[i].seen_ms = a->owners[i].seen_ms;
    }
    g->key_count = a->key_count;
    for (unsigned i = 0; i < a->key_count; i++) {
        if (a->keys[i].left_ms >= g->key_left_ms) {
            g->key_left_ms = a->keys[i].left_ms;
            keep_text(a->keys[i].model, g->key_model, sizeof(g->key_model));
        }
    }
    g->verdict = a->quota.verdict;
    g->wait_ms = a->quota.wait_ms;
    g->open = a->quota.open;
    g->tally_count = a->tally_count;
    for (unsigned i = 0; i < a->tally_count; i++) {
        g->tally_turns += a->tallies[i].sums.turns;
        g->tally_tokens += a->tallies[i].sums.input_tokens;
    }
    keep_text(a->cursor, g->cursor, sizeof(g->cursor));
    g->session_count = a->session_count;
    for (unsigned i = 0; i < a->session_count && i < GOT_MAX; i++) {
        const struct store_session *s = &a->sessions[i];
        g->sessions[i].session = s->session;
        g->sessions[i].running = s->running;
        g->sessions[i].running_state = s->running_state;
        g->sessions[i].turns = s->turns;
        g->sessions[i].usage = s->usage;
        g->sessions[i].summary_to = s->summary_to;
        g->sessions[i].revision = s->revision;
        keep_text(s->summary, g->sessions[i].summary, 64);
        keep_text(s->owner, g->sessions[i].owner, 64);
        keep_text(s->title, g->sessions[i].title, 64);
        keep_text(s->model, g->sessions[i].model, 64);
        keep_text(s->settings, g->sessions[i].settings, 64);
        keep_text(s->running_approvals, g->sessions[i].asks, 512);
    }
    g->message_count = a->message_count;
    for (unsigned i = 0; i < a->message_count && i < GOT_MAX; i++) {
        const struct store_message *m = &a->messages[i];
        g->messages[i] =
            (struct got_message){m->message, m->pinned, m->excluded, m->record.role, ""};
        keep_text(m->record.content, g->messages[i].content, 64);
    }
    g->event_count = a->event_count;
    for (unsigned i = 0; i < a->event_count && i < GOT_MAX; i++) {
        g->events[i].at = a->events[i].at;
        g->events[i].final = a->events[i].final;
        keep_text(a->events[i].payload, g->events[i].payload, CASE_WORDS);
    }
    g->turn_count = a->turn_count;
    for (unsigned i = 0; i < a->turn_count && i < GOT_MAX; i++)
        g->turns[i] = a->turns[i];
    if (a->load) {
        struct record_request r;
        g->load = *a->load;
        assert_int_equal(record_request_decode(a->load->request, &r), ERR_NONE);
        keep_text(r.datasource_path, g->request_path, sizeof(g->request_path));
        for (unsigned i = 0; i < a->load->decision_count && i < 4; i++) {
            keep_text(a->load->decisions[i].call_id, g->decisions[i].call_id, 32);
            keep_text(a->load->decisions[i].hash, g->decisions[i].hash, 64);
            g->decisions[i].what = a->load->decisions[i].what;
        }
    }
}

/* ASK(f, store_turn_get, owner, session, turn): sends it, waits, gives a static struct got. */
static struct got got_ring[8];
static unsigned got_next;
#define ASK(f, call, ...)                                                                          \
    ({                                                                                             \
        struct got *g_ = &got_ring[got_next++ % 8];                                                \
        memset(g_, 0, sizeof(*g_));                                                                \
        assert_true(call((f)->store, __VA_ARGS__, on_got, g_) > 0);                                \
        assert_false(g_->done); /* never from inside */                                            \
        (f)->wait((f), &g_->done);                                                                 \
        g_;                                                                                        \
    })
#define OK(f, call, ...)                                                                           \
    ({                                                                                             \
        struct got *ok_ = ASK(f, call, __VA_ARGS__);                                               \
        if (ok_->err != ERR_NONE)                                                                  \
            fail_msg(#call ": %s", err_word(ok_->err));                                            \
        ok_;                                                                                       \
    })
#define REFUSED(f, why, call, ...)                                                                 \
    do {                                                                                           \
        struct got *no_ = ASK(f, call, __VA_ARGS__);                                               \
        if (no_->err != (why))                                                                     \
            fail_msg(#call ": %s, not %s", err_word(no_->err), err_word(why));                     \
    } while (0)

/* ---- a session with a turn, in a line ---- */
struct play {
    struct store_fixture *f;
    char owner_text[32];
    struct str owner;
    struct id session, turn;
    struct str worker; /* of the next begin, or empty */
};
#define GATEWAY STR("gateway-1")
#define WORKER STR("worker-1")

static struct play play_new(struct store_fixture *f)
{
    struct play p = {.f = f};
    snprintf(p.owner_text, sizeof(p.owner_text), "owner-%d-%u", (int)getpid(), ++f->last_owner);
    return p;
}

static struct play *play_session(struct play *p)
{
    p->owner = str_of(p->owner_text);
    p->session =
        OK(p->f, store_session_create, p->owner, STR(""), STR(""), STR(""), STR("m/1"))->session;
    return p;
}

/* body: of what is asked for with the key. */
static struct got *begin_once(struct play *p, struct str owner, struct id turn, struct str key,
                              struct str body, const char *question)
{
    struct record_message m = {
        .role = ROLE_USER, .turn = turn, .at_ms = 1, .content = str_of(question)};
    struct record_request r = {.owner = owner,
                               .datasource_path = STR("/proxy/globaldatasources/p")};
    struct store_begin b = {.owner = owner,
                            .session = p->session,
                            .turn = turn,
                            .key = key,
                            .body = body,
                            .title = str_of(question),
                            .message = &m,
                            .request = &r,
                            .turn_start = STR("{start}"),
                            .holder = GATEWAY,
                            .worker = p->worker};
    return ASK(p->f, store_turn_begin, &b);
}

static struct got *begin_as(struct play *p, struct str owner, struct id turn, struct str key,
                            const char *question)
{
    return begin_once(p, owner, turn, key, STR(""), question);
}

static void play_begin(struct play *p, const char *question)
{
    p->turn = id_new();
    struct got *g = begin_as(p, p->owner, p->turn, STR(""), question);
    assert_int_equal(g->err, ERR_NONE);
    assert_true(id_eq(g->turn.turn, p->turn));
    assert_int_equal(g->turn.state, TURN_RUNNING);
}

static struct str batch_of(uint32_t first, uint32_t last, bool final, struct buf *b)
{
    buf_init(b, 65536);
    for (uint32_t i = first; i <= last; i++) {
        char text[32];
        snprintf(text, sizeof(text), "{e%u}", i);
        assert_true(record_event_add(b, NULL, i, final && i == last, str_of(text)));
    }
    return buf_str(b);
}

static struct got *say(struct play *p, uint32_t epoch, uint32_t first, uint32_t last)
{
    scoped_buf(b, 1 << 20);
    struct str batch = batch_of(first, last, false, &b);
    return ASK(p->f, store_turn_say, p->session, p->turn, epoch, last, batch);
}

static struct got *seal(struct play *p, uint32_t epoch, uint32_t first, uint32_t last,
                        enum turn_state state, const char *text)
{
    scoped_buf(b, 1 << 20);
    struct record_message m = {
        .role = ROLE_ASSISTANT, .turn = p->turn, .step = 1, .content = str_of(text)};
    struct store_seal s = {.session = p->session,
                           .turn = p->turn,
                           .epoch = epoch,
                           .last_seq = last,
                           .batch = batch_of(first, last, state != TURN_RUNNING, &b),
                           .messages = &m,
                           .message_count = text ? 1 : 0,
                           .state = state,
                           .step = 2,
                           .usage = {10 * last, last, 2 * last, 3 * last}};
    return ASK(p->f, store_turn_seal, &s);
}

static struct got *events(struct play *p, uint32_t epoch, uint32_t seq, uint32_t max_bytes)
{
    return ASK(p->f, store_events_read, p->session, p->turn, ((struct event_at){epoch, seq}),
               max_bytes);
}

static struct got *conversation(struct play *p)
{
    return OK(p->f, store_session_page, p->owner, p->session, 0, 0, 1 << 20);
}

/* "1-1 1-2 2-1": where the events stand. */
static const char *places(const struct got *g)
{
    static char text[1024];
    size_t len = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < g->event_count && i < GOT_MAX; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u-%u%s", i ? " " : "",
                                g->events[i].at.epoch, g->events[i].at.seq,
                                g->events[i].final ? "!" : "");
    return text;
}

#define CASE(name)                                                                                 \
    static void name##_(struct store_fixture *f, struct play *p);                                  \
    static void name(void **state)                                                                 \
    {                                                                                              \
        struct play p = play_new(*state);                                                          \
        name##_(*state, play_session(&p));                                                         \
    }                                                                                              \
    static void name##_(struct store_fixture *f __attribute__((unused)), struct play *p)

#endif
