/* A turn that was accepted as this worker's: what its begin brought instead of a load. */
#include "tests/support/turn_world.h"

/* A turn that was accepted as ours, with what it would load. */
static void start_given(const char *opening, int64_t given_ms)
{
    worker_turns_start(w.turns, &w.link,
                       &(struct hub_turn){.session = session,
                                          .turn = turn,
                                          .epoch = 1,
                                          .given_ms = given_ms,
                                          .opening = str_of(opening)},
                       secret_new(STR("T1")));
    settle();
}

static void what_its_begin_brought_is_not_loaded(void **state)
{
    (void)state;
    w.now_ms = 5000;
    start_given("good", 4400);
    expect("opened\nlive 1-2 step_start#1\ncall m\n");
    text("ok");
    replied(ERR_NONE);
    assert_null(strstr(w.trace, "load"));
}

/* Its worker may have been frozen or cut off since: the turn may be another's. */
static void what_was_brought_long_ago_is_loaded(void **state)
{
    (void)state;
    w.now_ms = 5000;
    start_given("good", 4249);
    expect("load 1\n");
}

static void what_was_brought_at_an_unknown_time_is_loaded(void **state)
{
    (void)state;
    w.now_ms = 100;
    start_given("good", 0);
    expect("load 1\n");
}

static void what_was_brought_spoilt_is_loaded(void **state)
{
    (void)state;
    w.now_ms = 5000;
    start_given("spoilt", 4900);
    expect("load 1\n");
    answer(&w.load, ERR_NONE);
    expect("live 1-2 step_start#1\ncall m\n");
}

/* The step after it, and one whose call of the model failed, read the conversation as it is. */
static void what_was_brought_counts_once(void **state)
{
    (void)state;
    w.now_ms = 5000;
    start_given("good", 5000);
    asks("a", "look");
    replied(ERR_NONE);
    answer(&w.write, ERR_NONE);
    w.trace[0] = '\0';
    tooled(0, "42", false);
    answer(&w.write, ERR_NONE);
    assert_non_null(strstr(w.trace, "load 1\n"));
    assert_null(strstr(w.trace, "opened"));
}

int main(void)
{
    secret_setup();
    meters_init(&w.meters);
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(what_its_begin_brought_is_not_loaded),
        TEST(what_was_brought_long_ago_is_loaded),
        TEST(what_was_brought_at_an_unknown_time_is_loaded),
        TEST(what_was_brought_spoilt_is_loaded),
        TEST(what_was_brought_counts_once),
    };
    return cmocka_run_group_tests_name("worker/turn/opening", tests, NULL, NULL);
}
