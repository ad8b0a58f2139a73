#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "common/rounds.h"

struct asks {
    struct list node;
    struct rounds_owner *owner;
};
enum { MANY = 5 };
struct world {
    struct rounds rounds;
    struct rounds_owner much, little, other;
    struct asks of_much[MANY], of_little, of_other;
};

static void begin(struct world *w, uint32_t each)
{
    rounds_init(&w->rounds, each);
    rounds_owner_init(&w->much);
    rounds_owner_init(&w->little);
    rounds_owner_init(&w->other);
    for (unsigned i = 0; i < MANY; i++) {
        list_init(&w->of_much[i].node);
        rounds_wait(&w->rounds, &w->much, &w->of_much[i].node);
    }
    list_init(&w->of_little.node);
    rounds_wait(&w->rounds, &w->little, &w->of_little.node);
}

static struct asks *next(struct world *w)
{
    struct rounds_owner *o = rounds_next(&w->rounds);
    if (!o)
        return NULL;
    struct asks *a = list_head(&o->line, struct asks, node);
    a->owner = o;
    rounds_go(&w->rounds, o, &a->node);
    return a;
}

static void who_asks_for_much_delays_another_by_one(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 0);
    assert_ptr_equal(next(&w), &w.of_much[0]);
    assert_ptr_equal(next(&w), &w.of_little);
    list_init(&w.of_other.node);
    rounds_wait(&w.rounds, &w.other, &w.of_other.node);
    assert_ptr_equal(next(&w), &w.of_much[1]); /* it stood in the round before the other came */
    assert_ptr_equal(next(&w), &w.of_other);
    for (unsigned i = 2; i < MANY; i++)
        assert_ptr_equal(next(&w), &w.of_much[i]);
    assert_null(next(&w));
    assert_int_equal(w.rounds.going, MANY + 2);
}

static void no_more_of_one_owner_go_at_once_than_each(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 2);
    assert_ptr_equal(next(&w), &w.of_much[0]);
    assert_ptr_equal(next(&w), &w.of_little);
    assert_ptr_equal(next(&w), &w.of_much[1]);
    assert_null(next(&w));
    rounds_leave(&w.rounds, &w.much, &w.of_much[0].node, true);
    assert_ptr_equal(next(&w), &w.of_much[2]);
    assert_null(next(&w));
}

static void who_waits_no_more_is_passed_over(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 0);
    for (unsigned i = 0; i < MANY; i++)
        rounds_leave(&w.rounds, &w.much, &w.of_much[i].node, false);
    assert_true(rounds_idle(&w.much));
    assert_ptr_equal(next(&w), &w.of_little);
    assert_false(rounds_idle(&w.little));
    rounds_leave(&w.rounds, &w.little, &w.of_little.node, true);
    assert_true(rounds_idle(&w.little));
    assert_int_equal(w.rounds.waiting + w.rounds.going, 0);
}

static void one_that_has_run_before_goes_first_of_its_line(void **state)
{
    (void)state;
    struct world w;
    struct asks again;
    begin(&w, 0);
    list_init(&again.node);
    rounds_wait_first(&w.rounds, &w.much, &again.node);
    assert_ptr_equal(next(&w), &again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_asks_for_much_delays_another_by_one),
        cmocka_unit_test(no_more_of_one_owner_go_at_once_than_each),
        cmocka_unit_test(who_waits_no_more_is_passed_over),
        cmocka_unit_test(one_that_has_run_before_goes_first_of_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
