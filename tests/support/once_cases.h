/* tests/support/once_cases.h: an idempotency key that came before: with the same request, and
 * with another one. */
#ifndef TESTS_SUPPORT_ONCE_CASES_H
#define TESTS_SUPPORT_ONCE_CASES_H

#include "proto/store/list.h"
#include "proto/store/session.h"
#include "tests/support/store_play.h"

CASE(seen_key_with_another_body_creates_nothing)
{
#define CREATE(owner, key, body)                                                                   \
    OK(f, store_session_create, owner, STR(key), STR(body), STR("t"), STR(""))->session
    struct id a = CREATE(p->owner, "key", "one");
    REFUSED(f, ERR_IDEMPOTENCY_MISMATCH, store_session_create, p->owner, STR("key"), STR("two"),
            STR("t"), STR(""));
    assert_true(id_eq(a, CREATE(p->owner, "key", "one")));
    assert_false(id_eq(a, CREATE(STR("nobody else"), "key", "two")));
    assert_int_equal(OK(f, store_session_list, p->owner, STR(""), 10, STR(""))->session_count, 2);
    OK(f, store_session_delete, p->owner, a);
    assert_false(id_eq(a, CREATE(p->owner, "key", "two"))); /* its key went with it */
#undef CREATE
}

CASE(begin_with_a_seen_key_and_another_body_is_refused)
{
    struct id first = p->turn = id_new();
#define BEGIN(key, body) begin_once(p, p->owner, id_new(), STR(key), STR(body), "once")
    assert_int_equal(begin_once(p, p->owner, first, STR("key"), STR("one"), "once")->err, ERR_NONE);
    assert_int_equal(BEGIN("key", "two")->err, ERR_IDEMPOTENCY_MISMATCH);
    assert_true(id_eq(BEGIN("key", "one")->turn.turn, first));
    assert_true(id_eq(BEGIN("key", "")->turn.turn, first)); /* who says nothing of it */
    assert_int_equal(BEGIN("other", "two")->err, ERR_TURN_RUNNING);
    assert_int_equal(conversation(p)->message_count, 1);
    assert_string_equal(places(events(p, 0, 0, 1000)), "1-1");
    assert_int_equal(seal(p, 1, 2, 2, TURN_DONE, "a")->err, ERR_NONE);
    assert_int_equal(BEGIN("key", "two")->err, ERR_IDEMPOTENCY_MISMATCH); /* also when it is over */
    assert_true(id_eq(BEGIN("key", "one")->turn.turn, first));
    assert_int_equal(BEGIN("key 2", "two")->err, ERR_NONE);
#undef BEGIN
}

#endif
