/* tests/support/store_cases.h: what proto/store/store.h promises, as cases that run against any
 * store: the real scripts in a real Redis, and the simulator's model of them. Who includes it
 * brings a fixture and runs store_cases[]. */
#ifndef TESTS_SUPPORT_STORE_CASES_H
#define TESTS_SUPPORT_STORE_CASES_H

#include "proto/store/active.h"
#include "proto/store/list.h"
#include "proto/store/session.h"
#include "proto/store/store.h"
#include "proto/store/turn.h"
#include "tests/support/decision_cases.h"
#include "tests/support/store_play.h"

/* ---- sessions ---- */
CASE(created_session_is_read_and_listed)
{
    struct got *g = OK(f, store_session_page, p->owner, p->session, 0, 0, 1 << 20);
    assert_int_equal(g->session_count, 1);
    assert_string_equal(g->sessions[0].owner, p->owner_text);
    assert_string_equal(g->sessions[0].model, "m/1");
    assert_int_equal(g->message_count, 0);
    assert_true(id_is_zero(g->sessions[0].running));
    g = OK(f, store_session_list, p->owner, STR(""), 10, STR(""));
    assert_int_equal(g->session_count, 1);
    assert_true(id_eq(g->sessions[0].session, p->session));
    assert_false(g->more);
}

CASE(same_key_creates_one_session)
{
    struct id a =
        OK(f, store_session_create, p->owner, STR("key"), STR(""), STR("t"), STR(""))->session;
    struct id b =
        OK(f, store_session_create, p->owner, STR("key"), STR(""), STR("t"), STR(""))->session;
    struct id c =
        OK(f, store_session_create, p->owner, STR("other"), STR(""), STR("t"), STR(""))->session;
    struct id d =
        OK(f, store_session_create, STR("else"), STR("key"), STR(""), STR("t"), STR(""))->session;
    assert_true(id_eq(a, b));
    assert_false(id_eq(a, c));
    assert_false(id_eq(a, d));
    assert_int_equal(OK(f, store_session_list, p->owner, STR(""), 10, STR(""))->session_count, 3);
}

CASE(another_owner_finds_nothing)
{
    struct str other = STR("mallory");
    struct store_patch patch = {.title = &other};
    play_begin(p, "mine");
    REFUSED(f, ERR_SESSION_NOT_FOUND, store_session_page, other, p->session, 0, 0, 1 << 20);
    REFUSED(f, ERR_SESSION_NOT_FOUND, store_session_patch, other, p->session, &patch);
    REFUSED(f, ERR_SESSION_NOT_FOUND, store_session_delete, other, p->session);
    REFUSED(f, ERR_SESSION_NOT_FOUND, store_session_fork, other, p->session, 1);
    REFUSED(f, ERR_SESSION_NOT_FOUND, store_message_patch, other, p->session, 1, 1, -1);
    REFUSED(f, ERR_SESSION_NOT_FOUND, store_message_delete, other, p->session, 1);
    REFUSED(f, ERR_SESSION_NOT_FOUND, store_turn_get, other, p->session, p->turn);
    REFUSED(f, ERR_SESSION_NOT_FOUND, store_turn_cancel, other, p->session, p->turn);
    assert_int_equal(begin_as(p, other, id_new(), STR(""), "x")->err, ERR_SESSION_NOT_FOUND);
    assert_int_equal(OK(f, store_session_list, other, STR("mine"), 10, STR(""))->session_count, 0);
    REFUSED(f, ERR_SESSION_NOT_FOUND, store_session_page, p->owner, id_new(), 0, 0, 1 << 20);
    assert_int_equal(conversation(p)->message_count, 1);
    assert_int_equal(OK(f, store_turn_get, p->owner, p->session, p->turn)->turn.state,
                     TURN_RUNNING);
}

CASE(patch_changes_what_it_names)
{
    struct str title = STR("New title"), settings = STR("{\"a\":1}");
    OK(f, store_session_patch, p->owner, p->session, &(struct store_patch){.title = &title});
    OK(f, store_session_patch, p->owner, p->session, &(struct store_patch){.settings = &settings});
    struct got *g = conversation(p);
    assert_string_equal(g->sessions[0].title, "New title");
    assert_string_equal(g->sessions[0].settings, "{\"a\":1}");
    assert_string_equal(g->sessions[0].model, "m/1");
}

/* ---- what a person may keep ---- */
CASE(sessions_of_a_person_are_bounded)
{
    for (unsigned i = 1; i < CASE_USER_SESSIONS; i++)
        OK(f, store_session_create, p->owner, STR(""), STR(""), STR(""), STR(""));
    play_begin(p, "q"); /* in a session that they have */
    REFUSED(f, ERR_TOO_MANY_SESSIONS, store_session_create, p->owner, STR(""), STR(""), STR(""),
            STR(""));
    REFUSED(f, ERR_TOO_MANY_SESSIONS, store_session_fork, p->owner, p->session, 1);
    OK(f, store_session_create, STR("another person"), STR(""), STR(""), STR(""), STR(""));
    struct got *g = OK(f, store_session_list, p->owner, STR(""), 60, STR(""));
    assert_int_equal(g->session_count, CASE_USER_SESSIONS);
    OK(f, store_session_delete, p->owner, p->session);
    OK(f, store_session_create, p->owner, STR(""), STR(""), STR(""), STR(""));
    REFUSED(f, ERR_TOO_MANY_SESSIONS, store_session_create, p->owner, STR(""), STR(""), STR(""),
            STR(""));
}

/* A third of what a person may keep in all. */
static const char *third(void)
{
    static char text[CASE_USER_BYTES / 3 + 1];
    memset(text, 'x', sizeof(text) - 1);
    return text;
}

static struct id session_of_a_third(struct play *p)
{
    struct id was = p->session;
    p->session =
        OK(p->f, store_session_create, p->owner, STR(""), STR(""), STR("t"), STR(""))->session;
    play_begin(p, third());
    struct id made = p->session;
    int64_t bytes = OK(p->f, store_turn_load, p->session, p->turn, 1, WORKER)->load.bytes;
    quota_turn_end_note(p->f->store, p->owner, p->turn, p->session, bytes);
    assert_int_equal(seal(p, 1, 2, 2, TURN_DONE, "a")->err, ERR_NONE);
    p->session = was;
    return made;
}

CASE(bytes_of_a_person_are_bounded)
{
    struct id first = session_of_a_third(p), second = session_of_a_third(p);
    struct store_patch patch = {.settings = &(struct str){"{}", 2}};
    OK(f, store_session_patch, p->owner, p->session, &patch);
    REFUSED(f, ERR_QUOTA_EXCEEDED, store_session_fork, p->owner, second, 2);
    OK(f, store_session_delete, p->owner, first);
    OK(f, store_session_fork, p->owner, second, 2);
    REFUSED(f, ERR_QUOTA_EXCEEDED, store_session_fork, p->owner, second, 2);
}

CASE(delete_removes_every_key_and_fences)
{
    assert_int_equal(begin_as(p, p->owner, (p->turn = id_new()), STR("k"), "q")->err, ERR_NONE);
    OK(f, store_turn_load, p->session, p->turn, 1, WORKER);
    OK(f, store_message_patch, p->owner, p->session, 1, 1, 0);
    struct got *g = OK(f, store_session_delete, p->owner, p->session);
    assert_true(id_eq(g->turn.turn, p->turn));
    assert_int_equal(f->keys(f, p->session), 0);
    assert_int_equal(say(p, 1, 2, 3)->err, ERR_FENCED);
    assert_int_equal(seal(p, 1, 2, 3, TURN_DONE, "late")->err, ERR_FENCED);
    REFUSED(f, ERR_FENCED, store_turn_hold, p->session, p->turn, 1, WORKER);
    REFUSED(f, ERR_FENCED, store_turn_load, p->session, p->turn, 1, WORKER);
    REFUSED(f, ERR_FENCED, store_turn_claim, p->session, p->turn, 1, true, false, GATEWAY);
    REFUSED(f, ERR_FENCED, store_turn_fail, p->session, p->turn, 1, ERR_INTERNAL);
    REFUSED(f, ERR_SESSION_NOT_FOUND, store_session_get, p->owner, p->session);
    assert_int_equal(f->keys(f, p->session), 0);
    assert_int_equal(OK(f, store_session_list, p->owner, STR(""), 9, STR(""))->session_count, 0);
}

CASE(fork_copies_what_came_before)
{
    play_begin(p, "first");
    assert_int_equal(seal(p, 1, 2, 3, TURN_DONE, "one")->err, ERR_NONE);
    play_begin(p, "second");
    OK(f, store_message_patch, p->owner, p->session, 2, 1, 1);
    struct play copy = *p;
    copy.session = OK(f, store_session_fork, p->owner, p->session, 3)->session;
    struct got *g = conversation(&copy);
    assert_int_equal(g->message_count, 2);
    assert_string_equal(g->messages[0].content, "first");
    assert_string_equal(g->messages[1].content, "one");
    assert_true(g->messages[1].pinned && g->messages[1].excluded);
    assert_false(g->messages[0].pinned);
    assert_string_equal(g->sessions[0].title, "first");
    assert_int_equal(g->sessions[0].turns, 1);
    assert_true(id_is_zero(g->sessions[0].running));
    play_begin(&copy, "another second"); /* goes on for itself */
    assert_int_equal(conversation(&copy)->messages[2].message, 3);
    assert_int_equal(conversation(p)->message_count, 3);
    REFUSED(f, ERR_MESSAGE_NOT_FOUND, store_session_fork, p->owner, p->session, 99);
    assert_int_equal(OK(f, store_session_list, p->owner, STR(""), 10, STR(""))->session_count, 2);
}

/* Of messages 1 to 2, written while the turn of message 3 runs. */
CASE(summary_is_kept_as_long_as_what_it_is_of)
{
    play_begin(p, "first");
    assert_int_equal(seal(p, 1, 2, 3, TURN_DONE, "one")->err, ERR_NONE);
    play_begin(p, "second");
    struct got *g = OK(f, store_turn_load, p->session, p->turn, 1, WORKER);
    assert_int_equal(g->load.session.summary.len, 0);
    uint32_t revision = g->load.session.revision;
    OK(f, store_turn_summary, p->session, p->turn, 1, revision, 2, STR("of two"));
    OK(f, store_turn_summary, p->session, p->turn, 1, revision, 2, STR("of two"));
    REFUSED(f, ERR_FENCED, store_turn_summary, p->session, p->turn, 2, revision, 2, STR("stale"));
    REFUSED(f, ERR_INVALID, store_turn_summary, p->session, p->turn, 1, revision, 1, STR("less"));
    g = OK(f, store_turn_load, p->session, p->turn, 1, WORKER);
    assert_int_equal(g->load.session.summary.len, 6);
    assert_int_equal(g->load.session.summary_to, 2);
    g = conversation(p);
    assert_string_equal(g->sessions[0].summary, "of two");
    struct play copy = *p;
    copy.session = OK(f, store_session_fork, p->owner, p->session, 3)->session;
    assert_string_equal(conversation(&copy)->sessions[0].summary, "");
    OK(f, store_message_patch, p->owner, p->session, 3, 1, -1); /* not one of those */
    assert_string_equal(conversation(p)->sessions[0].summary, "of two");
    OK(f, store_message_patch, p->owner, p->session, 1, -1, 1);
    g = conversation(p);
    assert_string_equal(g->sessions[0].summary, "");
    assert_int_equal(g->sessions[0].summary_to, 0);
    assert_int_equal(g->sessions[0].revision, revision + 2);
    /* Written of what was excluded meanwhile. */
    REFUSED(f, ERR_INVALID, store_turn_summary, p->session, p->turn, 1, revision, 2, STR("late"));
    OK(f, store_turn_summary, p->session, p->turn, 1, revision + 2, 2, STR("again"));
    OK(f, store_message_delete, p->owner, p->session, 2);
    assert_string_equal(conversation(p)->sessions[0].summary, "");
}

CASE(messages_are_flagged_and_deleted)
{
    play_begin(p, "first");
    REFUSED(f, ERR_TURN_RUNNING, store_message_delete, p->owner, p->session, 1);
    assert_int_equal(seal(p, 1, 2, 2, TURN_DONE, "one")->err, ERR_NONE);
    OK(f, store_message_patch, p->owner, p->session, 2, 1, -1);
    OK(f, store_message_patch, p->owner, p->session, 2, -1, 1);
    struct got *g = conversation(p);
    assert_true(g->messages[1].pinned && g->messages[1].excluded);
    OK(f, store_message_patch, p->owner, p->session, 2, 0, -1);
    g = conversation(p);
    assert_true(!g->messages[1].pinned && g->messages[1].excluded);
    OK(f, store_message_delete, p->owner, p->session, 1);
    REFUSED(f, ERR_MESSAGE_NOT_FOUND, store_message_delete, p->owner, p->session, 1);
    REFUSED(f, ERR_MESSAGE_NOT_FOUND, store_message_patch, p->owner, p->session, 1, 1, 1);
    g = conversation(p);
    assert_int_equal(g->message_count, 1);
    assert_string_equal(g->messages[0].content, "one");
}

CASE(list_pages_without_gap_or_repeat)
{
    enum { MADE = 7 };
    for (int i = 1; i < MADE; i++)
        OK(f, store_session_create, p->owner, STR(""), STR(""), STR("t"), STR(""));
    char cursor[80] = "";
    struct id seen[MADE];
    unsigned count = 0, pages = 0;
    for (bool more = true; more; pages++) {
        struct got *g = OK(f, store_session_list, p->owner, STR(""), 3, str_of(cursor));
        for (unsigned i = 0; i < g->session_count; i++) {
            for (unsigned j = 0; j < count; j++)
                assert_false(id_eq(seen[j], g->sessions[i].session));
            assert_true(count < MADE);
            seen[count++] = g->sessions[i].session;
        }
        more = g->more;
        memcpy(cursor, g->cursor, sizeof(cursor));
    }
    assert_int_equal(count, MADE);
    assert_int_equal(pages, 3);
    REFUSED(f, ERR_INVALID, store_session_list, p->owner, STR(""), 3, STR("nonsense"));
}

CASE(newest_update_comes_first)
{
    f->pass(f, 5);
    struct play other = *p;
    play_session(&other);
    assert_true(id_eq(OK(f, store_session_list, p->owner, STR(""), 1, STR(""))->sessions[0].session,
                      other.session));
    f->pass(f, 5);
    play_begin(p, "up again");
    struct got *g = OK(f, store_session_list, p->owner, STR(""), 10, STR(""));
    assert_true(id_eq(g->sessions[0].session, p->session));
    assert_int_equal(g->sessions[0].turns, 1);
    assert_int_equal(g->sessions[0].running_state, TURN_RUNNING);
}

CASE(search_finds_titles_and_texts)
{
    play_begin(p, "Which pods burn the most CPU?");
    assert_int_equal(seal(p, 1, 2, 2, TURN_DONE, "It is the Checkout pod.")->err, ERR_NONE);
    struct play other = *p;
    play_session(&other);
    play_begin(&other, "Disk space");
    struct got *g = OK(f, store_session_list, p->owner, STR("checkout POD"), 10, STR(""));
    assert_int_equal(g->session_count, 1);
    assert_true(id_eq(g->sessions[0].session, p->session));
    g = OK(f, store_session_list, p->owner, STR("disk"), 10, STR(""));
    assert_int_equal(g->session_count, 1);
    assert_true(id_eq(g->sessions[0].session, other.session));
    assert_int_equal(
        OK(f, store_session_list, p->owner, STR("checkout disk"), 10, STR(""))->session_count,
        0); /* one text has to hold all words */
    assert_int_equal(OK(f, store_session_list, p->owner, STR(".*"), 10, STR(""))->session_count, 0);
}

/* ---- begin ---- */
CASE(begin_appends_message_and_first_event)
{
    play_begin(p, "How busy?");
    struct got *g = conversation(p);
    assert_int_equal(g->message_count, 1);
    assert_int_equal(g->messages[0].message, 1);
    assert_string_equal(g->messages[0].content, "How busy?");
    assert_string_equal(g->sessions[0].title, "How busy?");
    assert_true(id_eq(g->sessions[0].running, p->turn));
    g = events(p, 0, 0, 1000);
    assert_int_equal(g->err, ERR_NONE);
    assert_string_equal(places(g), "1-1");
    assert_string_equal(g->events[0].payload, "{start}");
    assert_int_equal(g->turn.epoch, 1);
    assert_true(g->turn.lease_ms > 0);
}

CASE(begin_sent_again_is_one_turn)
{
    play_begin(p, "once");
    struct got *g = begin_as(p, p->owner, p->turn, STR(""), "once");
    assert_int_equal(g->err, ERR_NONE);
    assert_false(g->turn.duplicate);
    assert_true(id_eq(g->turn.turn, p->turn));
    assert_int_equal(conversation(p)->message_count, 1);
    assert_string_equal(places(events(p, 0, 0, 1000)), "1-1");
}

CASE(begin_with_a_seen_key_is_the_older_turn)
{
    struct id first = id_new();
    assert_int_equal(begin_as(p, p->owner, first, STR("key"), "once")->err, ERR_NONE);
    struct got *g = begin_as(p, p->owner, id_new(), STR("key"), "once");
    assert_int_equal(g->err, ERR_NONE);
    assert_true(g->turn.duplicate);
    assert_true(id_eq(g->turn.turn, first));
    assert_int_equal(conversation(p)->message_count, 1);
    p->turn = first;
    assert_int_equal(seal(p, 1, 2, 2, TURN_DONE, "a")->err, ERR_NONE);
    g = begin_as(p, p->owner, id_new(), STR("key"), "once"); /* also when it is over */
    assert_true(g->turn.duplicate);
    assert_int_equal(g->turn.state, TURN_DONE);
    assert_int_equal(begin_as(p, p->owner, id_new(), STR("key 2"), "two")->turn.duplicate, false);
}

CASE(one_turn_at_a_time)
{
    play_begin(p, "one");
    assert_int_equal(begin_as(p, p->owner, id_new(), STR(""), "two")->err, ERR_TURN_RUNNING);
    assert_int_equal(seal(p, 1, 2, 2, TURN_AWAITING, "wait")->err, ERR_NONE);
    assert_int_equal(begin_as(p, p->owner, id_new(), STR(""), "two")->err, ERR_TURN_RUNNING);
    OK(f, store_turn_cancel, p->owner, p->session, p->turn);
    play_begin(p, "three");
    assert_int_equal(conversation(p)->sessions[0].turns, 2);
}

CASE(full_session_takes_no_more_turns)
{
    for (int i = 0; i < CASE_MESSAGES_MAX / 2; i++) {
        play_begin(p, "q");
        assert_int_equal(seal(p, 1, 2, 2, TURN_DONE, "a")->err, ERR_NONE);
    }
    assert_int_equal(begin_as(p, p->owner, id_new(), STR(""), "q")->err, ERR_SESSION_FULL);
    OK(f, store_message_delete, p->owner, p->session, 1);
    play_begin(p, "q"); /* what runs may end: it is not cut off at the bound */
    assert_int_equal(seal(p, 1, 2, 2, TURN_DONE, "a")->err, ERR_NONE);
}

/* ---- a worker's writes ---- */
CASE(load_gives_conversation_and_request)
{
    play_begin(p, "one");
    struct got *g = OK(f, store_turn_load, p->session, p->turn, 1, WORKER);
    assert_int_equal(g->message_count, 1);
    assert_string_equal(g->request_path, "/proxy/globaldatasources/p");
    assert_int_equal(g->load.seq, 1);
    assert_int_equal(g->load.step, 1);
    assert_int_equal(g->load.attempt, 1);
    assert_false(g->load.cancel);
    assert_true(g->load.now_ms >= g->load.begun_ms && g->load.begun_ms > 0);
    assert_int_equal(OK(f, store_turn_load, p->session, p->turn, 1, WORKER)->load.attempt, 1);
}

CASE(attempts_count_only_the_step_that_was_cut_off)
{
    play_begin(p, "one");
    OK(f, store_turn_load, p->session, p->turn, 1, WORKER);
    OK(f, store_turn_claim, p->session, p->turn, 1, true, false, GATEWAY);
    struct got *g = OK(f, store_turn_load, p->session, p->turn, 2, STR("worker-2"));
    assert_int_equal(g->load.attempt, 2);
    assert_int_equal(g->load.step, 1);
    assert_int_equal(g->load.seq, 0); /* each epoch counts anew */
    assert_int_equal(seal(p, 2, 1, 4, TURN_RUNNING, "step 1")->err, ERR_NONE);
    OK(f, store_turn_claim, p->session, p->turn, 2, true, false, GATEWAY);
    g = OK(f, store_turn_load, p->session, p->turn, 3, STR("worker-3"));
    assert_int_equal(g->load.step, 2);
    assert_int_equal(g->load.attempt, 1);
    assert_int_equal(g->message_count, 2);
    assert_int_equal(g->load.usage.input_tokens, 40);
    assert_int_equal(g->load.usage.cached_tokens, 8);
    assert_int_equal(g->load.usage.cost, 12);
}

CASE(one_epoch_has_one_worker)
{
    play_begin(p, "one");
    OK(f, store_turn_load, p->session, p->turn, 1, WORKER);
    REFUSED(f, ERR_FENCED, store_turn_load, p->session, p->turn, 1, STR("worker-2"));
}

CASE(said_and_sealed_events_are_read_in_order)
{
    play_begin(p, "one");
    OK(f, store_turn_load, p->session, p->turn, 1, WORKER);
    assert_int_equal(say(p, 1, 2, 4)->err, ERR_NONE);
    struct got *g = seal(p, 1, 5, 6, TURN_RUNNING, "step");
    assert_int_equal(g->err, ERR_NONE);
    assert_int_equal(g->turn.state, TURN_RUNNING);
    assert_int_equal(g->turn.last.seq, 6);
    assert_int_equal(seal(p, 1, 7, 8, TURN_DONE, "answer")->turn.state, TURN_DONE);
    assert_string_equal(places(events(p, 0, 0, 1000)), "1-1 1-2 1-3 1-4 1-5 1-6 1-7 1-8!");
    assert_string_equal(places(events(p, 1, 3, 1000)), "1-4 1-5 1-6 1-7 1-8!");
    g = events(p, 1, 8, 1000);
    assert_int_equal(g->event_count, 0);
    assert_int_equal(g->turn.state, TURN_DONE);
    assert_false(g->more);
    g = events(p, 1, 2, 1); /* at least one, and it says that there are more */
    assert_string_equal(places(g), "1-3");
    assert_true(g->more);
    assert_int_equal(conversation(p)->message_count, 3);
    assert_true(id_is_zero(conversation(p)->sessions[0].running));
}

CASE(long_stream_is_read_in_pages)
{
    play_begin(p, "one");
    for (uint32_t seq = 2; seq <= 50; seq++)
        assert_int_equal(say(p, 1, seq, seq)->err, ERR_NONE);
    struct event_at at = {0, 0};
    unsigned count = 0;
    for (bool more = true; more;) {
        struct got *g = events(p, at.epoch, at.seq, 20);
        more = g->more;
        for (unsigned i = 0; i < g->event_count; i++) {
            assert_int_equal(g->events[i].at.seq, ++count);
            at = g->events[i].at;
        }
    }
    assert_int_equal(count, 50);
}

CASE(sealed_twice_is_written_once)
{
    play_begin(p, "one");
    assert_int_equal(seal(p, 1, 2, 3, TURN_RUNNING, "step")->err, ERR_NONE);
    struct got *g = seal(p, 1, 2, 3, TURN_RUNNING, "step");
    assert_int_equal(g->err, ERR_NONE);
    assert_int_equal(g->turn.last.seq, 3);
    assert_int_equal(conversation(p)->message_count, 2);
    assert_int_equal(seal(p, 1, 4, 5, TURN_DONE, "end")->err, ERR_NONE);
    g = seal(p, 1, 4, 5, TURN_DONE, "end");
    assert_int_equal(g->err, ERR_NONE);
    assert_int_equal(g->turn.state, TURN_DONE);
    g = conversation(p);
    assert_int_equal(g->message_count, 3);
    assert_int_equal(g->sessions[0].usage.input_tokens, 50);
    assert_int_equal(g->sessions[0].usage.output_tokens, 5);
    assert_int_equal(g->sessions[0].usage.cached_tokens, 10);
    assert_int_equal(g->sessions[0].usage.cost, 15);
    assert_string_equal(places(events(p, 0, 0, 1000)), "1-1 1-2 1-3 1-4 1-5!");
    assert_int_equal(seal(p, 1, 6, 7, TURN_DONE, "more")->err, ERR_FENCED);
    assert_int_equal(say(p, 1, 6, 7)->err, ERR_FENCED);
}

CASE(said_again_with_more_is_read_once)
{
    play_begin(p, "one");
    assert_int_equal(say(p, 1, 2, 4)->err, ERR_NONE);
    assert_int_equal(say(p, 1, 2, 4)->err, ERR_NONE);
    assert_int_equal(say(p, 1, 2, 6)->err, ERR_NONE); /* its first try got no answer */
    assert_string_equal(places(events(p, 0, 0, 1000)), "1-1 1-2 1-3 1-4 1-5 1-6");
    assert_string_equal(places(events(p, 1, 3, 1000)), "1-4 1-5 1-6");
}

CASE(a_hole_in_the_history_is_told)
{
    play_begin(p, "one");
    assert_int_equal(say(p, 1, 4, 5)->err, ERR_HISTORY_LOST);
    assert_int_equal(seal(p, 1, 4, 5, TURN_DONE, "x")->err, ERR_HISTORY_LOST);
    assert_int_equal(say(p, 7, 1, 5)->err, ERR_HISTORY_LOST); /* an epoch that is not known */
    assert_int_equal(conversation(p)->message_count, 1);
    assert_int_equal(say(p, 1, 2, 3)->err, ERR_NONE);
    assert_string_equal(places(events(p, 1, 9, 1000)), ""); /* provisional, not stored yet */
    assert_int_equal(events(p, 2, 1, 1000)->err, ERR_HISTORY_LOST);
    assert_int_equal(seal(p, 1, 4, 5, TURN_DONE, "x")->err, ERR_NONE);
    assert_int_equal(events(p, 1, 9, 1000)->err, ERR_HISTORY_LOST);
}

CASE(old_epoch_can_write_nothing)
{
    play_begin(p, "one");
    OK(f, store_turn_load, p->session, p->turn, 1, WORKER);
    assert_int_equal(
        OK(f, store_turn_claim, p->session, p->turn, 1, true, false, GATEWAY)->turn.epoch, 2);
    assert_int_equal(say(p, 1, 2, 3)->err, ERR_FENCED);
    assert_int_equal(seal(p, 1, 2, 3, TURN_DONE, "late")->err, ERR_FENCED);
    REFUSED(f, ERR_FENCED, store_turn_load, p->session, p->turn, 1, WORKER);
    REFUSED(f, ERR_FENCED, store_turn_hold, p->session, p->turn, 1, WORKER);
    REFUSED(f, ERR_FENCED, store_turn_release, p->session, p->turn, 1);
    REFUSED(f, ERR_FENCED, store_turn_fail, p->session, p->turn, 1, ERR_TOKEN_EXPIRED);
    REFUSED(f, ERR_FENCED, store_turn_claim, p->session, p->turn, 1, false, false,
            STR("gateway-2"));
    assert_int_equal(say(p, 2, 1, 2)->err, ERR_NONE);
    assert_string_equal(places(events(p, 0, 0, 1000)), "1-1 2-1 2-2");
    assert_string_equal(places(events(p, 1, 40, 1000)),
                        "2-1 2-2"); /* what was live and not stored */
    assert_int_equal(conversation(p)->message_count, 1);
}

/* ---- who has it ---- */
CASE(claim_sent_again_is_the_same_epoch)
{
    play_begin(p, "one");
    for (int i = 0; i < 3; i++) {
        struct got *g = OK(f, store_turn_claim, p->session, p->turn, 1, true, false, GATEWAY);
        assert_int_equal(g->turn.epoch, 2);
        assert_int_equal(g->turn.state, TURN_RUNNING);
    }
}

CASE(a_store_that_fell_behind_repeats_no_epoch)
{
    play_begin(p, "one");
    assert_int_equal(
        OK(f, store_turn_claim, p->session, p->turn, 4, false, false, GATEWAY)->turn.epoch, 5);
    assert_int_equal(OK(f, store_turn_fail, p->session, p->turn, 8, ERR_INTERNAL)->turn.epoch, 9);
}

/* What a gateway asks to send it a turn's events. */
CASE(a_running_turn_names_who_has_it)
{
    play_begin(p, "one");
    assert_string_equal(OK(f, store_turn_get, p->owner, p->session, p->turn)->holder, "gateway-1");
    OK(f, store_turn_load, p->session, p->turn, 1, WORKER);
    assert_string_equal(OK(f, store_turn_get, p->owner, p->session, p->turn)->holder, "worker-1");
    assert_string_equal(events(p, 0, 0, 1000)->holder, "worker-1");
    OK(f, store_turn_claim, p->session, p->turn, 1, true, false, STR("gateway-2"));
    assert_string_equal(events(p, 0, 0, 1000)->holder, "gateway-2");
    OK(f, store_turn_load, p->session, p->turn, 2, STR("worker-2"));
    assert_string_equal(events(p, 0, 0, 1000)->holder, "worker-2");
    OK(f, store_turn_release, p->session, p->turn, 2);
    assert_string_equal(events(p, 0, 0, 1000)->holder, "");
}

CASE(a_running_lease_is_respected)
{
    play_begin(p, "one");
    OK(f, store_turn_load, p->session, p->turn, 1, WORKER);
    REFUSED(f, ERR_FENCED, store_turn_claim, p->session, p->turn, 1, false, true, GATEWAY);
    f->pass(f, CASE_LEASE_MS * 3 / 5);
    assert_int_equal(say(p, 1, 2, 2)->err, ERR_NONE); /* renews it */
    f->pass(f, CASE_LEASE_MS * 3 / 5);
    REFUSED(f, ERR_FENCED, store_turn_claim, p->session, p->turn, 1, false, true, GATEWAY);
    f->pass(f, CASE_LEASE_MS);
    struct got *g = OK(f, store_turn_get, p->owner, p->session, p->turn);
    assert_true(g->turn.lease_ms <= 0 && g->turn.waiting_ms > 0);
    assert_int_equal(say(p, 1, 3, 3)->err, ERR_NONE); /* nobody took it: it is still the worker's */
    f->pass(f, CASE_LEASE_MS + 20);
    assert_int_equal(
        OK(f, store_turn_claim, p->session, p->turn, 1, false, true, GATEWAY)->turn.epoch, 2);
    assert_int_equal(say(p, 1, 4, 4)->err, ERR_FENCED);
}

CASE(a_late_hold_takes_nothing_from_the_worker)
{
    play_begin(p, "one");
    OK(f, store_turn_hold, p->session, p->turn, 1, GATEWAY);
    OK(f, store_turn_load, p->session, p->turn, 1, WORKER);
    f->pass(f, CASE_LEASE_MS * 2 / 3);
    assert_true(OK(f, store_turn_hold, p->session, p->turn, 1, GATEWAY)->turn.lease_ms <=
                CASE_LEASE_MS / 2);
    assert_true(OK(f, store_turn_hold, p->session, p->turn, 1, WORKER)->turn.lease_ms >
                CASE_LEASE_MS / 2);
}

CASE(released_turn_is_free_at_once)
{
    play_begin(p, "one");
    OK(f, store_turn_load, p->session, p->turn, 1, WORKER);
    OK(f, store_turn_release, p->session, p->turn, 1);
    struct got *g = OK(f, store_turn_release, p->session, p->turn, 1);
    assert_int_equal(g->turn.lease_ms, 0);
    assert_int_equal(
        OK(f, store_turn_claim, p->session, p->turn, 1, false, true, GATEWAY)->turn.epoch, 2);
}

CASE(third_death_ends_the_turn)
{
    play_begin(p, "poison");
    OK(f, store_turn_claim, p->session, p->turn, 1, true, false, GATEWAY);
    OK(f, store_turn_claim, p->session, p->turn, 2, true, false, GATEWAY);
    REFUSED(f, ERR_WORKER_LOST, store_turn_claim, p->session, p->turn, 3, true, false, GATEWAY);
    REFUSED(f, ERR_WORKER_LOST, store_turn_claim, p->session, p->turn, 3, true, false, GATEWAY);
    REFUSED(f, ERR_TURN_OVER, store_turn_claim, p->session, p->turn, 4, true, false, STR("other"));
    struct got *g = events(p, 1, 1, 1000);
    assert_string_equal(places(g), "4-1!");
    assert_non_null(strstr(g->events[0].payload, "worker_lost"));
    assert_int_equal(g->turn.state, TURN_FAILED);
    play_begin(p, "the session is free");
}

CASE(failed_turn_ends_with_its_error)
{
    play_begin(p, "one");
    OK(f, store_turn_load, p->session, p->turn, 1, WORKER);
    for (int i = 0; i < 2; i++) {
        struct got *g = OK(f, store_turn_fail, p->session, p->turn, 1, ERR_TOKEN_EXPIRED);
        assert_int_equal(g->turn.state, TURN_FAILED);
        assert_int_equal(g->turn.epoch, 2);
    }
    assert_int_equal(seal(p, 1, 2, 2, TURN_DONE, "late")->err, ERR_FENCED);
    struct got *g = events(p, 0, 0, 1000);
    assert_string_equal(places(g), "1-1 2-1!");
    assert_non_null(strstr(g->events[1].payload, "token_expired"));
    REFUSED(f, ERR_TURN_OVER, store_turn_fail, p->session, p->turn, 2, ERR_INTERNAL);
    play_begin(p, "two");
    OK(f, store_turn_fail, p->session, p->turn, 1, ERR_CANCELLED);
    assert_non_null(strstr(events(p, 1, 1, 1000)->events[0].payload, "turn_cancelled"));
}

/* ---- what lies about ---- */
CASE(expired_events_are_told_from_unknown_turns)
{
    play_begin(p, "one");
    assert_int_equal(seal(p, 1, 2, 2, TURN_DONE, "a")->err, ERR_NONE);
    assert_int_equal(events(p, 0, 0, 1000)->event_count, 2);
    f->pass(f, CASE_EVENTS_KEEP_MS + 50);
    assert_int_equal(events(p, 0, 0, 1000)->err, ERR_EVENTS_EXPIRED);
    assert_int_equal(OK(f, store_turn_get, p->owner, p->session, p->turn)->turn.state, TURN_DONE);
    p->turn = id_new();
    assert_int_equal(events(p, 0, 0, 1000)->err, ERR_TURN_NOT_FOUND);
    assert_int_equal(conversation(p)->message_count, 2);
}

CASE(running_stream_does_not_expire)
{
    play_begin(p, "one");
    f->pass(f, CASE_EVENTS_KEEP_MS + 50);
    assert_string_equal(places(events(p, 0, 0, 1000)), "1-1");
}

static struct id known_turn;
static bool is_known(void *arg, struct id turn)
{
    assert_non_null(arg);
    return id_eq(turn, known_turn);
}

static bool active_has_of(struct store_fixture *f, struct id turn, store_turn_fn *skip)
{
    bool found = false;
    for (int pages = 0; pages < 40; pages++) {
        struct got *g = OK(f, store_turn_active, 5, skip);
        for (unsigned i = 0; i < g->turn_count; i++)
            found |= id_eq(g->turns[i].turn, turn);
    }
    return found;
}

static bool active_has(struct store_fixture *f, struct id turn)
{
    return active_has_of(f, turn, NULL);
}

CASE(a_turn_that_need_not_be_looked_at_is_not_listed)
{
    play_begin(p, "one");
    known_turn = id_new();
    assert_true(active_has_of(f, p->turn, is_known));
    known_turn = p->turn;
    assert_false(active_has_of(f, p->turn, is_known));
    assert_true(active_has(f, p->turn));
}

CASE(open_turns_are_listed_until_they_end)
{
    play_begin(p, "one");
    assert_true(active_has(f, p->turn));
    assert_int_equal(seal(p, 1, 2, 2, TURN_AWAITING, "may I?")->err, ERR_NONE);
    assert_true(active_has(f, p->turn));
    OK(f, store_turn_cancel, p->owner, p->session, p->turn);
    assert_false(active_has(f, p->turn));
    play_begin(p, "two");
    assert_int_equal(seal(p, 1, 2, 2, TURN_DONE, "a")->err, ERR_NONE);
    assert_false(active_has(f, p->turn));
}

static void on_never(void *arg, enum err err, const struct store_answer *a)
{
    (void)arg, (void)err, (void)a;
    fail_msg("a forgotten call was answered");
}

CASE(forgotten_call_is_not_answered)
{
    uint64_t call =
        store_session_page(f->store, p->owner, p->session, 0, 0, 1 << 20, on_never, NULL);
    store_forget(f->store, call);
    store_forget(f->store, call);
    store_forget(f->store, 0);
    conversation(p); /* by now it would have come */
}

#include "tests/support/quota_cases.h"
#include "tests/support/cancel_cases.h"
#include "tests/support/once_cases.h"
#include "tests/support/opening_cases.h"

#define C(name) cmocka_unit_test(name)
static const struct CMUnitTest store_cases[] = {
    C(created_session_is_read_and_listed),
    C(same_key_creates_one_session),
    C(seen_key_with_another_body_creates_nothing),
    C(another_owner_finds_nothing),
    C(patch_changes_what_it_names),
    C(sessions_of_a_person_are_bounded),
    C(bytes_of_a_person_are_bounded),
    C(delete_removes_every_key_and_fences),
    C(fork_copies_what_came_before),
    C(summary_is_kept_as_long_as_what_it_is_of),
    C(messages_are_flagged_and_deleted),
    C(list_pages_without_gap_or_repeat),
    C(newest_update_comes_first),
    C(search_finds_titles_and_texts),
    C(begin_appends_message_and_first_event),
    C(begin_sent_again_is_one_turn),
    C(begin_with_a_seen_key_and_another_body_is_refused),
    C(begin_with_a_seen_key_is_the_older_turn),
    C(one_turn_at_a_time),
    C(full_session_takes_no_more_turns),
    OPENING_CASES,
    C(load_gives_conversation_and_request),
    C(attempts_count_only_the_step_that_was_cut_off),
    C(one_epoch_has_one_worker),
    C(said_and_sealed_events_are_read_in_order),
    C(long_stream_is_read_in_pages),
    C(sealed_twice_is_written_once),
    C(said_again_with_more_is_read_once),
    C(a_hole_in_the_history_is_told),
    C(old_epoch_can_write_nothing),
    C(claim_sent_again_is_the_same_epoch),
    C(a_store_that_fell_behind_repeats_no_epoch),
    C(a_running_turn_names_who_has_it),
    C(a_running_lease_is_respected),
    C(a_late_hold_takes_nothing_from_the_worker),
    C(released_turn_is_free_at_once),
    C(third_death_ends_the_turn),
    C(failed_turn_ends_with_its_error),
    C(cancel_asks_the_worker_that_holds_it),
    C(cancel_ends_what_no_worker_has_loaded),
    C(cancel_is_remembered_for_the_next_worker),
    C(cancel_ends_what_nobody_holds),
    C(cancel_ends_what_awaits_a_decision),
    C(cancel_of_an_ended_turn_is_refused),
    C(asked_calls_are_shown_until_they_are_decided),
    C(decision_reaches_the_worker),
    C(call_that_began_is_known_to_have),
    C(two_who_decide_are_one_decision),
    C(decision_without_a_place_among_its_persons_turns_is_not_taken),
    C(decision_is_for_what_was_asked),
    C(decision_that_comes_late_ends_the_turn),
    C(nobody_decides_and_a_janitor_ends_it),
    C(turn_asks_twice_and_an_old_decision_counts_once),
    C(call_id_that_means_another_call_now_needs_its_hash),
    C(call_that_is_asked_about_again_needs_no_hash),
    C(decided_turn_whose_gateway_died_waits_for_its_owner),
    C(expired_events_are_told_from_unknown_turns),
    C(running_stream_does_not_expire),
    C(a_turn_that_need_not_be_looked_at_is_not_listed),
    C(open_turns_are_listed_until_they_end),
    C(forgotten_call_is_not_answered),
    LIMIT_CASES,
};
#undef C

#endif
