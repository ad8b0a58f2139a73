/* One search of each person at a time, few of all. */
#include "tests/support/unit.h"
#include "gateway/api/searches.h"

static struct searches q;
static struct search s[8];

static int set_up(void **state)
{
    (void)state;
    searches_init(&q);
    for (unsigned i = 0; i < 8; i++)
        list_init(&s[i].node);
    return 0;
}

static void one_person_runs_one_at_a_time(void **state)
{
    (void)state;
    assert_null(searches_add(&q, &s[0], "alice"));
    assert_ptr_equal(searches_next(&q), &s[0]);
    assert_null(searches_add(&q, &s[1], "alice"));
    assert_null(searches_next(&q));
    searches_end(&q, &s[0]);
    assert_ptr_equal(searches_next(&q), &s[1]);
}

static void later_search_takes_the_place_of_the_one_that_waits(void **state)
{
    (void)state;
    searches_add(&q, &s[0], "alice");
    searches_next(&q);
    assert_null(searches_add(&q, &s[1], "alice"));
    assert_ptr_equal(searches_add(&q, &s[2], "alice"), &s[1]);
    searches_end(&q, &s[0]);
    assert_ptr_equal(searches_next(&q), &s[2]);
}

static void flood_of_one_does_not_keep_another_waiting(void **state)
{
    (void)state;
    searches_add(&q, &s[0], "alice");
    searches_add(&q, &s[1], "alice");
    searches_add(&q, &s[2], "bob");
    assert_non_null(searches_next(&q)); /* of alice */
    assert_ptr_equal(searches_next(&q), &s[2]);
}

static void few_run_of_all_in_the_order_of_their_coming(void **state)
{
    (void)state;
    static const char *const users[] = {"a", "b", "c", "d"};
    for (unsigned i = 0; i < 4; i++)
        assert_null(searches_add(&q, &s[i], users[i]));
    for (unsigned i = 0; i < SEARCHES_RUNNING_MAX; i++)
        assert_ptr_equal(searches_next(&q), &s[i]);
    assert_null(searches_next(&q));
    searches_end(&q, &s[2]); /* its client left while it waited */
    searches_end(&q, &s[0]);
    assert_ptr_equal(searches_next(&q), &s[3]);
    assert_null(searches_next(&q));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(one_person_runs_one_at_a_time),
        TEST(later_search_takes_the_place_of_the_one_that_waits),
        TEST(flood_of_one_does_not_keep_another_waiting),
        TEST(few_run_of_all_in_the_order_of_their_coming),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
