/* tests/support/unlisted_cases.h: sessions that are in no list, on a real Redis: what they take of
 * their owner's quota, and when they go. A part of test_store.c: its server and raw come before. */
#ifndef TESTS_SUPPORT_UNLISTED_CASES_H
#define TESTS_SUPPORT_UNLISTED_CASES_H

#include "proto/store/call.h"
#include "tests/support/store_play.h"

enum { UNLISTED_LIFE_MS = 3600 * 1000, UNLISTED_BYTES = CASE_USER_BYTES / 6 };

/* A third of what a person may keep, as a door makes it from what its client sends. */
static enum err seed_unlisted(struct play *p)
{
    static char text[UNLISTED_BYTES];
    memset(text, 'x', sizeof(text));
    p->owner = str_of(p->owner_text);
    struct record_message messages[] = {{.role = ROLE_USER, .content = {text, sizeof(text)}},
                                        {.role = ROLE_ASSISTANT, .content = {text, sizeof(text)}}};
    struct store_seed seed = {.owner = p->owner,
                              .session = p->session = id_new(),
                              .messages = messages,
                              .count = 2,
                              .life_ms = UNLISTED_LIFE_MS};
    struct got *g = ASK(p->f, store_session_seed, &seed);
    return g->err;
}

/* As if its owner had been counted, and everything noted, long ago. */
static void age_storage(struct server *s, const struct play *p, const struct id *sessions,
                        unsigned count)
{
    raw(s, "HSET p:a:{o:%s}:b counted 1", p->owner_text);
    for (unsigned i = 0; i < count; i++) {
        char session[ID_TEXT + 1], key[64];
        id_text(sessions[i], session);
        snprintf(key, sizeof(key), "p:a:{o:%s}:b", p->owner_text);
        struct str argv[] = {STR("HSET"), str_of(key), str_of(session), STR("90000 1")};
        struct raw r = {0};
        redis_command(s->redis, on_raw, &r, 4, argv);
        on_wait(&s->f, &r.done);
    }
}

static void unlisted_sessions_are_counted_too(void **state)
{
    struct server *s = *state;
    struct play p = play_new(&s->f);
    struct id made[2];
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(seed_unlisted(&p), ERR_NONE);
        made[i] = p.session;
    }
    assert_int_equal(seed_unlisted(&p), ERR_QUOTA_EXCEEDED);
    age_storage(s, &p, made, 2); /* so that all is counted again */
    assert_int_equal(seed_unlisted(&p), ERR_QUOTA_EXCEEDED);
    OK(&s->f, store_session_delete, p.owner, made[0]);
    assert_int_equal(seed_unlisted(&p), ERR_NONE);
}

static int64_t longest_life(struct server *s, const struct play *p)
{
    char session[ID_TEXT + 1], turn[ID_TEXT + 1];
    int64_t longest = 0;
    id_text(p->session, session);
    id_text(p->turn, turn);
    for (const char *key = "smlte"; *key; key++) {
        const char *of_turn = *key == 't' || *key == 'e' ? turn : NULL;
        int64_t left_ms =
            raw(s, "PTTL p:%c:{%s}%s%s", *key, session, of_turn ? ":" : "", of_turn ? of_turn : "")
                .number;
        assert_int_not_equal(left_ms, -1); /* it would stay for good */
        longest = left_ms > longest ? left_ms : longest;
    }
    return longest;
}

/* Whether nobody has begun it, a worker runs it, never got it, or it is over. */
static void unlisted_session_goes_soon_when_nobody_waits(void **state)
{
    enum { QUEUED, RUNNING, LOST, OVER, WHEN_COUNT };
    struct server *s = *state;
    for (unsigned when = QUEUED; when < WHEN_COUNT; when++) {
        struct play p = play_new(&s->f);
        assert_int_equal(seed_unlisted(&p), ERR_NONE);
        play_begin(&p, "one");
        assert_true(longest_life(s, &p) > UNLISTED_LIFE_MS / 2);
        if (when != QUEUED)
            OK(&s->f, store_turn_load, p.session, p.turn, 1, WORKER);
        if (when == OVER)
            assert_int_equal(seal(&p, 1, 2, 2, TURN_DONE, "answer")->err, ERR_NONE);
        struct got *g = ASK(&s->f, store_turn_abandon, p.owner, p.session, p.turn);
        assert_int_equal(g->err, when == OVER ? ERR_TURN_OVER : ERR_NONE);
        if (when == RUNNING)
            assert_int_equal(seal(&p, 1, 2, 2, TURN_CANCELLED, "half")->err, ERR_NONE);
        if (when == LOST) /* what the gateway does that asked for it */
            OK(&s->f, store_turn_fail, p.session, p.turn, 1, ERR_CANCELLED);
        assert_in_range(longest_life(s, &p), 1, 60000);
    }
}

/* One that is in its owner's list stays. */
static void listed_session_stays_when_nobody_waits(void **state)
{
    struct server *s = *state;
    struct play p = play_new(&s->f);
    char session[ID_TEXT + 1];
    play_session(&p);
    play_begin(&p, "one");
    OK(&s->f, store_turn_abandon, p.owner, p.session, p.turn);
    id_text(p.session, session);
    assert_int_equal(raw(s, "PTTL p:s:{%s}", session).number, -1);
}

#endif
