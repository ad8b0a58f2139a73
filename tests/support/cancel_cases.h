/* tests/support/cancel_cases.h: who ends a turn that its person has cancelled. */
#ifndef TESTS_SUPPORT_CANCEL_CASES_H
#define TESTS_SUPPORT_CANCEL_CASES_H

#include "tests/support/store_play.h"

CASE(cancel_asks_the_worker_that_holds_it)
{
    play_begin(p, "one");
    OK(f, store_turn_load, p->session, p->turn, 1, WORKER);
    for (int i = 0; i < 2; i++)
        assert_int_equal(OK(f, store_turn_cancel, p->owner, p->session, p->turn)->turn.state,
                         TURN_RUNNING);
    assert_true(say(p, 1, 2, 2)->turn.cancel);
    assert_true(OK(f, store_turn_hold, p->session, p->turn, 1, WORKER)->turn.cancel);
    assert_int_equal(seal(p, 1, 3, 3, TURN_CANCELLED, NULL)->turn.state, TURN_CANCELLED);
    assert_int_equal(OK(f, store_turn_cancel, p->owner, p->session, p->turn)->turn.state,
                     TURN_CANCELLED);
}

CASE(cancel_ends_what_no_worker_has_loaded)
{
    play_begin(p, "one"); /* held by a gateway, which queues it */
    struct got *g = OK(f, store_turn_cancel, p->owner, p->session, p->turn);
    assert_int_equal(g->turn.state, TURN_CANCELLED);
    g = events(p, 1, 1, 1000);
    assert_int_equal(g->event_count, 1);
    assert_non_null(strstr(g->events[0].payload, "turn_cancelled"));
    REFUSED(f, ERR_FENCED, store_turn_load, p->session, p->turn, 1, WORKER);
    REFUSED(f, ERR_FENCED, store_turn_hold, p->session, p->turn, 1, GATEWAY);
    play_begin(p, "two"); /* in a later epoch the same */
    OK(f, store_turn_load, p->session, p->turn, 1, WORKER);
    OK(f, store_turn_claim, p->session, p->turn, 1, true, false, GATEWAY);
    assert_int_equal(OK(f, store_turn_cancel, p->owner, p->session, p->turn)->turn.state,
                     TURN_CANCELLED);
    REFUSED(f, ERR_FENCED, store_turn_load, p->session, p->turn, 2, WORKER);
}

CASE(cancel_is_remembered_for_the_next_worker)
{
    play_begin(p, "one");
    OK(f, store_turn_load, p->session, p->turn, 1, WORKER);
    OK(f, store_turn_cancel, p->owner, p->session, p->turn);
    assert_true(OK(f, store_turn_claim, p->session, p->turn, 1, true, false, GATEWAY)->turn.cancel);
    assert_true(OK(f, store_turn_load, p->session, p->turn, 2, WORKER)->load.cancel);
}

CASE(cancel_ends_what_nobody_holds)
{
    play_begin(p, "one");
    OK(f, store_turn_load, p->session, p->turn, 1, WORKER);
    f->pass(f, CASE_LEASE_MS + 30);
    struct got *g = OK(f, store_turn_cancel, p->owner, p->session, p->turn);
    assert_int_equal(g->turn.state, TURN_CANCELLED);
    assert_int_equal(g->turn.last.epoch, 2);
    assert_int_equal(seal(p, 1, 2, 2, TURN_DONE, "late")->err, ERR_FENCED);
    g = events(p, 1, 1, 1000);
    assert_string_equal(places(g), "2-1!");
    assert_non_null(strstr(g->events[0].payload, "turn_cancelled"));
    play_begin(p, "the session is free");
}

CASE(cancel_ends_what_awaits_a_decision)
{
    play_begin(p, "one");
    assert_int_equal(seal(p, 1, 2, 3, TURN_AWAITING, "may I?")->turn.state, TURN_AWAITING);
    assert_int_equal(conversation(p)->sessions[0].running_state, TURN_AWAITING);
    REFUSED(f, ERR_FENCED, store_turn_claim, p->session, p->turn, 1, false, true, GATEWAY);
    assert_int_equal(OK(f, store_turn_cancel, p->owner, p->session, p->turn)->turn.state,
                     TURN_CANCELLED);
    assert_string_equal(places(events(p, 1, 1, 1000)), "1-2 1-3! 2-1!");
}

CASE(cancel_of_an_ended_turn_is_refused)
{
    play_begin(p, "one");
    assert_int_equal(seal(p, 1, 2, 2, TURN_DONE, "a")->err, ERR_NONE);
    REFUSED(f, ERR_TURN_OVER, store_turn_cancel, p->owner, p->session, p->turn);
    REFUSED(f, ERR_TURN_NOT_FOUND, store_turn_cancel, p->owner, p->session, id_new());
    REFUSED(f, ERR_TURN_NOT_FOUND, store_turn_get, p->owner, p->session, id_new());
    assert_string_equal(places(events(p, 0, 0, 1000)), "1-1 1-2!");
}

#endif
