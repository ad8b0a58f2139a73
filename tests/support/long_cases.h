/* tests/support/long_cases.h: conversations of some pages, on a real Redis: how they are loaded and
 * copied. A part of test_store.c: its server, raw and page come before. */
#ifndef TESTS_SUPPORT_LONG_CASES_H
#define TESTS_SUPPORT_LONG_CASES_H

#include "proto/store/call.h"
#include "tests/support/store_play.h"

enum { LONG_MESSAGES = 40, LONG_BYTES = 50000 };

static void widen(const struct server *s, bool wide)
{
    struct store_config *c = &s->f.store->config;
    c->messages_max = wide ? 2 * LONG_MESSAGES : CASE_MESSAGES_MAX;
    c->user_bytes_max = wide ? 0 : CASE_USER_BYTES;
}

/* A conversation of some pages. */
static void play_long(struct play *p)
{
    struct record_message messages[LONG_MESSAGES];
    char *text = xmalloc(LONG_BYTES);
    memset(text, 'x', LONG_BYTES);
    for (unsigned i = 0; i < LONG_MESSAGES; i++)
        messages[i] = (struct record_message){.role = i % 2 ? ROLE_ASSISTANT : ROLE_USER,
                                              .content = {text, LONG_BYTES - i}};
    struct store_seed seed = {.owner = p->owner,
                              .title = STR("long"),
                              .session = p->session = id_new(),
                              .messages = messages,
                              .count = LONG_MESSAGES};
    OK(p->f, store_session_seed, &seed);
    free(text);
    OK(p->f, store_message_patch, p->owner, p->session, 2, 1, 0);
    OK(p->f, store_message_patch, p->owner, p->session, 39, 0, 1);
    OK(p->f, store_message_delete, p->owner, p->session, 20);
}

/* Whole, and in order, however many pages it takes; without a word of what is behind it. */
static void long_conversation_is_loaded_by_pages(void **state)
{
    struct server *s = *state;
    struct play p = play_new(&s->f);
    widen(s, true);
    play_long(&p);
    play_begin(&p, "and now?");
    REFUSED(&s->f, ERR_FENCED, store_turn_load, p.session, id_new(), 1, WORKER);
    struct got *g = OK(&s->f, store_turn_load, p.session, p.turn, 1, WORKER);
    assert_int_equal(g->message_count, LONG_MESSAGES);
    for (unsigned i = 0; i < g->message_count; i++) {
        uint32_t message = g->messages[i].message;
        assert_int_equal(message, i < 19 ? i + 1 : i + 2);
        assert_int_equal(g->messages[i].pinned, message == 2);
        assert_int_equal(g->messages[i].excluded, message == 39);
    }
    assert_string_equal(g->messages[g->message_count - 1].content, "and now?");
    REFUSED(&s->f, ERR_FENCED, store_turn_load, p.session, p.turn, 1, STR("worker-2"));
    assert_int_equal(seal(&p, 1, 2, 3, TURN_DONE, "done")->err, ERR_NONE);
    REFUSED(&s->f, ERR_FENCED, store_turn_load, p.session, p.turn, 1, WORKER);
    widen(s, false);
}

static void long_conversation_is_copied_by_pages(void **state)
{
    struct server *s = *state;
    struct play p = play_new(&s->f);
    widen(s, true);
    play_long(&p);
    struct play copy = p;
    REFUSED(&s->f, ERR_MESSAGE_NOT_FOUND, store_session_fork, p.owner, p.session, 20);
    copy.session = OK(&s->f, store_session_fork, p.owner, p.session, 40)->session;
    unsigned messages = 0;
    struct got *g = page(&copy, 0, 0, 1 << 20);
    assert_int_equal(g->sessions[0].turns, 20);
    for (;; g = page(&copy, g->page_end, g->upto, 1 << 20)) {
        for (unsigned i = 0; i < g->message_count; i++, messages++) {
            uint32_t message = g->messages[i].message;
            assert_int_equal(message, messages < 19 ? messages + 1 : messages + 2);
            assert_true(g->messages[i].pinned == (message == 2));
            assert_true(g->messages[i].excluded == (message == 39));
        }
        if (!g->more)
            break;
    }
    assert_int_equal(messages, LONG_MESSAGES - 2);
    char session[ID_TEXT + 1];
    id_text(copy.session, session);
    int64_t left_ms = raw(s, "PTTL p:m:{%s}", session).number;
    assert_true(left_ms < 0 || left_ms > 60000); /* it is kept as a session is */
    play_begin(&copy, "it goes on");
    assert_int_equal(page(&copy, 39, 0xffffffff, 1 << 20)->messages[0].message, 40);
    widen(s, false);
}

#endif
