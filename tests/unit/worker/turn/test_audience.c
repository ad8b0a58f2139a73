/* Who hears a turn, by trace: the gateway that drives it, and B, which follows. */
#include "tests/support/turn_world.h"

static void follow(void)
{
    worker_turns_follow(w.turns, &w.other, turn);
    settle();
}

/* Says 1-2 (step_start) and 1-3, of which nothing is stored yet. */
static void say_something(void)
{
    begin_answer();
    text("a");
    settle();
    w.trace[0] = '\0';
}

static void follower_is_told_what_is_stored_and_gets_the_rest_at_once(void **state)
{
    (void)state;
    say_something();
    follow();
    expect("B: FOLLOWING 1-1\nB: live 1-2 step_start#1\nB: live 1-3 step_progress.text=a\n");
    text("b");
    settle();
    expect("live 1-4 step_progress.text=b\nB: live 1-4 step_progress.text=b\n");
    assert_int_equal(w.stored_told, 1);
}

static void who_asks_many_times_at_once_is_told_once(void **state)
{
    (void)state;
    say_something();
    for (unsigned i = 0; i < 1000; i++) {
        worker_turns_follow(w.turns, &w.other, turn);
        if (i % 7 == 0)
            worker_turns_unfollow(w.turns, &w.other, turn);
    }
    text("b"); /* in the same pass: it comes behind what there was */
    settle();
    expect("B: FOLLOWING 1-1\nB: live 1-2 step_start#1\nB: live 1-3 step_progress.text=a\n"
           "live 1-4 step_progress.text=b\nB: live 1-4 step_progress.text=b\n");
}

static void what_is_being_stored_and_what_was_said_since_is_given_too(void **state)
{
    (void)state;
    say_something();
    tick(100);
    text("b");
    settle();
    expect("say 2 3\nlive 1-4 step_progress.text=b\n");
    follow();
    expect("B: FOLLOWING 1-1\nB: live 1-2 step_start#1\nB: live 1-3 step_progress.text=a\n"
           "B: live 1-4 step_progress.text=b\n");
    answer(&w.write, ERR_NONE);
    text("c");
    settle();
    assert_int_equal(w.stored_told, 3);
    w.trace[0] = '\0';
    follow(); /* again: once is enough, and it is told anew */
    expect(
        "B: FOLLOWING 1-3\nB: live 1-4 step_progress.text=b\nB: live 1-5 step_progress.text=c\n");
    text("d");
    settle();
    expect("live 1-6 step_progress.text=d\nB: live 1-6 step_progress.text=d\n");
}

static void follow_that_crosses_a_seal_sees_nothing_final_before_it_is_stored(void **state)
{
    (void)state;
    say_something();
    replied(ERR_NONE);
    w.trace[0] = '\0';
    follow();
    expect("B: FOLLOWING 1-1\nB: live 1-2 step_start#1\nB: live 1-3 step_progress.text=a\n");
    answer(&w.write, ERR_NONE);
    expect("live 1-4 step_complete\nB: live 1-4 step_complete\n"
           "live 1-5! turn_complete\nB: live 1-5! turn_complete\nDONE 1 done\nB: DONE 1 none\n");
    assert_int_equal(w.stored_told, 5);
}

static void followers_hear_the_tools_and_the_next_step_too(void **state)
{
    (void)state;
    begin_answer();
    follow();
    asks("a", "look");
    replied(ERR_NONE);
    answer(&w.write, ERR_NONE);
    w.trace[0] = '\0';
    tooled(0, "one", false);
    answer(&w.write, ERR_NONE);
    expect("live 1-7 step_progress.tool_call=done\nB: live 1-7 step_progress.tool_call=done\n"
           "seal running step=3.1 tool(one  calls=0): 5 6 7 8\n"
           "live 1-8 step_complete\nB: live 1-8 step_complete\nload 1\n");
}

static void follower_of_a_turn_that_is_being_loaded_is_told_when_it_is(void **state)
{
    (void)state;
    start(1);
    follow();
    expect("load 1\n");
    w.loaded.seq = 7;
    answer(&w.load, ERR_NONE);
    expect("B: FOLLOWING 1-7\nlive 1-8 step_start#1\nB: live 1-8 step_start#1\ncall m\n");
}

static void what_is_not_here_is_said_to_be_so(void **state)
{
    (void)state;
    follow();
    expect("B: DONE 0 none\n");
    say_something();
    follow();
    w.trace[0] = '\0';
    start(2); /* it comes back under another epoch */
    assert_non_null(strstr(w.trace, "B: DONE 1 none\n"));
    w.trace[0] = '\0';
    answer(&w.load, ERR_NONE);
    assert_null(strstr(w.trace, "B: ")); /* it asks anew */
}

static void released_turn_tells_its_followers(void **state)
{
    (void)state;
    say_something();
    follow();
    w.trace[0] = '\0';
    worker_turns_leave(w.turns);
    settle();
    answer(&w.write, ERR_NONE);
    expect("release 1\nRELEASE 1 leaving\nB: DONE 1 none\n");
}

static void unfollow_and_a_new_life_of_the_link_end_it(void **state)
{
    (void)state;
    say_something();
    follow();
    worker_turns_unfollow(w.turns, &w.other, turn);
    worker_turns_unfollow(w.turns, &w.other, turn);
    worker_turns_unfollow(w.turns, &w.link, turn); /* the driver's stays */
    w.trace[0] = '\0';
    text("b");
    settle();
    expect("live 1-4 step_progress.text=b\n");
    follow();
    w.other.life++; /* HELLO was said anew: the gateway knows nothing */
    w.trace[0] = '\0';
    text("c");
    settle();
    expect("live 1-5 step_progress.text=c\n");
    follow();
    w.trace[0] = '\0';
    text("d");
    settle();
    expect("live 1-6 step_progress.text=d\nB: live 1-6 step_progress.text=d\n");
    assert_int_equal(w.other.held, 1);
}

/* It died and came back, and somebody follows there what it once drove. */
static void driver_that_forgot_the_turn_may_follow_it(void **state)
{
    (void)state;
    say_something();
    w.link.life++;
    text("b");
    settle();
    expect("");
    worker_turns_follow(w.turns, &w.link, turn);
    settle();
    expect("FOLLOWING 1-1\nlive 1-2 step_start#1\nlive 1-3 step_progress.text=a\n"
           "live 1-4 step_progress.text=b\n");
    worker_turns_follow(w.turns, &w.link, turn);
    settle();
    w.trace[0] = '\0';
    text("c");
    settle();
    expect("live 1-5 step_progress.text=c\n");
}

int main(void)
{
    secret_setup();
    meters_init(&w.meters);
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(follower_is_told_what_is_stored_and_gets_the_rest_at_once),
        TEST(who_asks_many_times_at_once_is_told_once),
        TEST(what_is_being_stored_and_what_was_said_since_is_given_too),
        TEST(follow_that_crosses_a_seal_sees_nothing_final_before_it_is_stored),
        TEST(followers_hear_the_tools_and_the_next_step_too),
        TEST(follower_of_a_turn_that_is_being_loaded_is_told_when_it_is),
        TEST(what_is_not_here_is_said_to_be_so),
        TEST(released_turn_tells_its_followers),
        TEST(unfollow_and_a_new_life_of_the_link_end_it),
        TEST(driver_that_forgot_the_turn_may_follow_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
