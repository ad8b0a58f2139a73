/* Visits to the store: few of one person, some of all, by rounds. */
#include "tests/support/unit.h"
#include <stdio.h>
#include "gateway/visits.h"

static struct loop *loop;
static struct visits *q;
static struct visit r[80];
static char began[512]; /* "a0 b3": in the order of their start */

static const char names[] = "abcdefghijklmnopqrstuvwxyz";

static void on_go(void *arg)
{
    size_t len = strlen(began);
    const struct visit *one = arg;
    snprintf(began + len, sizeof(began) - len, "%s%d", len ? " " : "", (int)(one - r));
}

static void ask(unsigned n, char user)
{
    const char name[2] = {user, '\0'};
    visits_ask(q, &r[n], name, on_go, &r[n]);
    visits_go(q);
}

static void over(unsigned n)
{
    visits_over(&r[n]);
    visits_go(q);
}

static int set_up(void **state)
{
    (void)state;
    loop = loop_new();
    q = visits_new(loop);
    memset(r, 0, sizeof(r));
    began[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 80; i++)
        visits_over(&r[i]);
    visits_free(q);
    loop_free(loop);
    return 0;
}

static void few_of_one_person_run_at_once_in_order(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 7; i++)
        ask(i, 'a');
    assert_string_equal(began, "0 1 2 3");
    over(1);
    assert_string_equal(began, "0 1 2 3 4");
    over(0);
    over(4);
    assert_string_equal(began, "0 1 2 3 4 5 6");
}

static void flood_of_one_keeps_nobody_waiting(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 40; i++)
        ask(i, 'a');
    ask(40, 'b');
    assert_string_equal(began, "0 1 2 3 40");
}

static void places_that_all_want_go_by_rounds(void **state)
{
    (void)state;
    for (unsigned n = 0; n < VISITS_OF_ALL; n++) /* fills all places */
        ask(n, names[n / VISITS_OF_ONE]);
    ask(64, 'y');
    ask(65, 'y');
    ask(66, 'z');
    began[0] = '\0';
    over(0);
    over(1);
    assert_string_equal(began, "64 66");
    over(2);
    assert_string_equal(began, "64 66 65");
}

static void one_that_is_over_while_it_waits_never_begins(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 6; i++)
        ask(i, 'a');
    over(4);
    assert_false(visit_pending(&r[4]));
    assert_true(visit_pending(&r[5]));
    over(4); /* nothing */
    over(0);
    assert_string_equal(began, "0 1 2 3 5");
}

static void on_go_and_over(void *arg)
{
    on_go(arg);
    visits_over(arg);
}

static void one_may_be_over_as_it_begins(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        visits_ask(q, &r[i], "a", on_go_and_over, &r[i]);
    assert_string_equal(began, ""); /* not from inside */
    visits_go(q);
    assert_string_equal(began, "0 1 2 3");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(few_of_one_person_run_at_once_in_order),
        TEST(flood_of_one_keeps_nobody_waiting),
        TEST(places_that_all_want_go_by_rounds),
        TEST(one_that_is_over_while_it_waits_never_begins),
        TEST(one_may_be_over_as_it_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
