#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "common/list.h"

struct thing {
    int number;
    struct list in_list;
};

static void things_come_in_order_and_the_front_is_first(void **state)
{
    (void)state;
    struct list l;
    struct thing a = {.number = 1}, b = {.number = 2}, c = {.number = 0};
    list_init(&l);
    assert_true(list_empty(&l));
    assert_null(list_first(&l, struct thing, in_list));
    list_push(&l, &a.in_list);
    list_push(&l, &b.in_list);
    list_unshift(&l, &c.in_list);
    assert_ptr_equal(list_first(&l, struct thing, in_list), &c);
    int next = 0;
    list_each (&l, node, tmp)
        assert_int_equal(list_of(node, struct thing, in_list)->number, next++);
    assert_int_equal(next, 3);
}

static void removal_while_visiting_is_safe_and_twice_is_once(void **state)
{
    (void)state;
    struct list l;
    struct thing things[5];
    list_init(&l);
    for (int i = 0; i < 5; i++) {
        things[i].number = i;
        list_push(&l, &things[i].in_list);
    }
    int seen = 0;
    list_each (&l, node, tmp) {
        seen++;
        if (list_of(node, struct thing, in_list)->number % 2 == 0) {
            list_remove(node);
            list_remove(node);
        }
    }
    assert_int_equal(seen, 5);
    assert_ptr_equal(list_first(&l, struct thing, in_list), &things[1]);
    list_remove(&things[1].in_list);
    assert_ptr_equal(list_first(&l, struct thing, in_list), &things[3]);
    list_remove(&things[3].in_list);
    assert_true(list_empty(&l));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(things_come_in_order_and_the_front_is_first),
        cmocka_unit_test(removal_while_visiting_is_safe_and_twice_is_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
