/* Calls that must not be done twice, by trace. */
#include "tests/support/turn_world.h"

/* It is stored that it begins; cut off from the store, it waits. */
static void call_that_must_not_be_done_twice_begins_once(void **state)
{
    (void)state;
    begin_answer();
    asks("a", "send");
    replied(ERR_NONE);
    answer(&w.write, ERR_NONE);
    w.trace[0] = '\0';
    char hash[RECORD_HASH_TEXT + 1];
    record_call_hash(&(struct record_call){STR("a"), STR("send"), STR("{}")}, hash);
    struct store_decision said[] = {{STR("a"), str_of(hash), DECISION_APPROVED}};
    w.loaded = (struct store_load){.step = 2, .attempt = 1, .decisions = said, .decision_count = 1};
    begin_answer_in(2);
    expect(
        "load 2\nlive 2-1 step_start#1\nlive 2-2 step_progress.tool_call=running\nmark 2 a of 1\n");
    w.trace[0] = '\0';
    answer(&w.summary, ERR_STORE_UNAVAILABLE);
    expect("");
    tick(1000);
    assert_non_null(strstr(w.trace, "mark 2 a of 1\n"));
    w.trace[0] = '\0';
    answer(&w.summary, ERR_NONE);
    expect("tool send {} token=T1 approved\n");
    w.trace[0] = '\0';
    said[0].what = DECISION_BEGUN; /* its worker died */
    begin_answer_in(3);
    expect("DONE 2 none\ntool cancelled\nload 3\nlive 3-1 step_start#1\nlive 3-2 "
           "step_progress.tool_call=running\n"
           "tool send {} token=T1 begun\n");
    w.loaded.decision_count = 0;
}

int main(void)
{
    secret_setup();
    meters_init(&w.meters);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(call_that_must_not_be_done_twice_begins_once, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
