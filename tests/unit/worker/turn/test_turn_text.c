/* The text of a model that is faster than anybody reads, by trace. */
#include "tests/support/turn_world.h"

/* A piece in each millisecond: eight go out as they come, then one event for each sixteen. */
static void text_of_a_fast_model_is_gathered(void **state)
{
    (void)state;
    begin_answer();
    w.trace[0] = '\0';
    for (int ms = 0; ms < 8; ms++, w.now_ms++) {
        text("a");
        settle();
    }
    expect("live 1-3 step_progress.text=a\nlive 1-4 step_progress.text=a\n"
           "live 1-5 step_progress.text=a\nlive 1-6 step_progress.text=a\n"
           "live 1-7 step_progress.text=a\nlive 1-8 step_progress.text=a\n"
           "live 1-9 step_progress.text=a\nlive 1-10 step_progress.text=a\n");
    for (int ms = 0; ms < 3; ms++, w.now_ms++) {
        text("b");
        settle();
    }
    expect("");
    assert_true(w.gathered.active); /* who looks after it when the model says no more */
    w.now_ms += 5;
    w.gathered.active = false;
    w.gathered.fn(w.gathered.arg);
    settle();
    expect("live 1-11 step_progress.text=bbb\n");
    assert_false(w.gathered.active);
    text("c");
    settle();
    expect("");
    replied(ERR_NONE); /* its end waits for nothing */
    expect("live 1-12 step_progress.text=c\n"
           "seal done step=2.0 assistant(aaaaaaaabbbc stop calls=0): 2 3 4 5 6 7 8 9 10 11 12 13 "
           "14!\n");
}

static void turn_whose_text_waits_can_be_cancelled_and_forgotten(void **state)
{
    (void)state;
    begin_answer();
    for (int i = 0; i < 10; i++) {
        text("a");
        settle();
    }
    assert_true(w.gathered.active);
    worker_turns_cancel(w.turns, turn);
    settle();
    assert_non_null(strstr(w.trace, "live 1-11 step_progress.text=aa\n"));
    answer(&w.write, ERR_NONE);
    assert_int_equal(worker_turns_running(w.turns), 0);
    w.gathered.fn(w.gathered.arg);
    settle();
}

int main(void)
{
    secret_setup();
    meters_init(&w.meters);
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(text_of_a_fast_model_is_gathered),
        TEST(turn_whose_text_waits_can_be_cancelled_and_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
