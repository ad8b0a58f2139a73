#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "common/heap.h"

/* Larger than what is swapped at once. */
struct thing {
    unsigned worth, order;
    char rest[150];
};

static bool worse(const void *a, const void *b)
{
    const struct thing *x = a, *y = b;
    return x->worth != y->worth ? x->worth < y->worth : x->order > y->order;
}

static const struct heap_of things = {sizeof(struct thing), worse};

static struct thing thing_of(unsigned worth, unsigned order)
{
    struct thing t = {.worth = worth, .order = order};
    t.rest[sizeof(t.rest) - 1] = (char)worth;
    return t;
}

static void expect_best(const struct thing *kept, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(kept[i].rest[sizeof(kept[i].rest) - 1], (char)kept[i].worth);
        if (i > 0)
            assert_true(worse(&kept[i], &kept[i - 1]));
    }
}

static void the_best_of_many_are_kept_and_sorted(void **state)
{
    (void)state;
    enum { KEPT = 10, ALL = 500 };
    struct thing kept[KEPT];
    unsigned count = 0;
    for (unsigned i = 0; i < ALL; i++) {
        struct thing t = thing_of(i * 211 % 499, i); /* 499 is a prime: every worth, one twice */
        if (heap_takes(&things, kept, count, KEPT, &t))
            heap_put(&things, kept, &count, KEPT, &t);
    }
    assert_int_equal(count, KEPT);
    heap_sort(&things, kept, count);
    expect_best(kept, count);
    for (unsigned i = 0; i < KEPT; i++)
        assert_int_equal(kept[i].worth, 498 - i);
}

static void of_equal_ones_the_first_stays(void **state)
{
    (void)state;
    struct thing kept[3], first = thing_of(7, 0), later = thing_of(7, 9);
    unsigned count = 0;
    for (unsigned i = 0; i < 3; i++)
        heap_put(&things, kept, &count, 3, &first);
    assert_false(heap_takes(&things, kept, count, 3, &later));
}

static void any_array_is_sorted_also_one_that_is(void **state)
{
    (void)state;
    for (unsigned count = 0; count < 40; count++) {
        struct thing kept[40];
        for (unsigned i = 0; i < count; i++)
            kept[i] = thing_of(i % 7, i);
        heap_sort(&things, kept, count);
        expect_best(kept, count);
        heap_sort(&things, kept, count);
        expect_best(kept, count);
    }
}

static void nothing_fits_where_there_is_no_room(void **state)
{
    (void)state;
    struct thing t = thing_of(1, 1);
    assert_false(heap_takes(&things, NULL, 0, 0, &t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_of_many_are_kept_and_sorted),
        cmocka_unit_test(of_equal_ones_the_first_stays),
        cmocka_unit_test(any_array_is_sorted_also_one_that_is),
        cmocka_unit_test(nothing_fits_where_there_is_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
