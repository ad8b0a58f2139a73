#include "tests/unit/unit.h"
#include "gateway/dispatch.h"

struct scene {
    struct dispatch d;
    struct dispatch_worker workers[3];
    struct dispatch_turn turns[8];
    unsigned lost;
};

static int set_up(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    dispatch_init(&s->d, 4);
    for (unsigned i = 0; i < 8; i++)
        dispatch_turn_init(&s->turns[i], "alice");
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

/* Dispatches one and tells to which worker, by index; -1: none. */
static int next(struct scene *s, struct dispatch_turn **turn)
{
    struct dispatch_worker *w = NULL;
    struct dispatch_turn *t = dispatch_next(&s->d, &w);
    if (turn)
        *turn = t;
    return t ? (int)(w - s->workers) : -1;
}

static void on_lost(void *arg, struct dispatch_turn *t)
{
    struct scene *s = arg;
    s->lost++;
    dispatch_submit_first(&s->d, t);
}

static void without_a_worker_turns_wait_in_order(void **state)
{
    struct scene *s = *state;
    struct dispatch_turn *t;
    dispatch_submit(&s->d, &s->turns[0]);
    dispatch_submit(&s->d, &s->turns[1]);
    assert_int_equal(next(s, NULL), -1);
    dispatch_worker_add(&s->d, &s->workers[0], 8);
    assert_int_equal(next(s, &t), 0);
    assert_ptr_equal(t, &s->turns[0]);
    assert_int_equal(next(s, &t), 0);
    assert_ptr_equal(t, &s->turns[1]);
    assert_int_equal(next(s, NULL), -1);
}

static void the_least_loaded_share_of_capacity_gets_it(void **state)
{
    struct scene *s = *state;
    dispatch_worker_add(&s->d, &s->workers[0], 100);
    dispatch_worker_add(&s->d, &s->workers[1], 10);
    dispatch_worker_report(&s->workers[0], 50);
    dispatch_worker_report(&s->workers[1], 4);
    dispatch_submit(&s->d, &s->turns[0]);
    assert_int_equal(next(s, NULL), 1); /* 40 % against 50 % */
    dispatch_submit(&s->d, &s->turns[1]);
    assert_int_equal(next(s, NULL), 0); /* 50 % against 50 %: the first */
}

static void a_full_worker_gets_nothing(void **state)
{
    struct scene *s = *state;
    dispatch_worker_add(&s->d, &s->workers[0], 1);
    dispatch_submit(&s->d, &s->turns[0]);
    dispatch_submit(&s->d, &s->turns[1]);
    assert_int_equal(next(s, NULL), 0);
    assert_false(dispatch_idle_worker(&s->d));
    assert_int_equal(next(s, NULL), -1);
    dispatch_done(&s->d, &s->turns[0]);
    assert_int_equal(next(s, NULL), 0);
}

static void what_a_worker_runs_for_others_counts(void **state)
{
    struct scene *s = *state;
    dispatch_worker_add(&s->d, &s->workers[0], 4);
    dispatch_worker_report(&s->workers[0], 4);
    dispatch_submit(&s->d, &s->turns[0]);
    assert_int_equal(next(s, NULL), -1);
    dispatch_worker_report(&s->workers[0], 3);
    assert_int_equal(next(s, NULL), 0);
}

static void a_turn_on_its_way_is_not_counted_twice(void **state)
{
    struct scene *s = *state;
    dispatch_worker_add(&s->d, &s->workers[0], 2);
    dispatch_submit(&s->d, &s->turns[0]);
    assert_int_equal(next(s, NULL), 0);
    dispatch_worker_report(&s->workers[0], 0); /* it has not seen it yet */
    assert_int_equal(s->workers[0].elsewhere, 0);
    dispatch_worker_report(&s->workers[0], 1);
    assert_int_equal(s->workers[0].elsewhere, 0);
    dispatch_submit(&s->d, &s->turns[1]);
    assert_int_equal(next(s, NULL), 0);
}

static void room_is_bounded_by_the_queue(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 0; i < 4; i++) {
        assert_true(dispatch_room(&s->d));
        dispatch_submit(&s->d, &s->turns[i]);
    }
    assert_false(dispatch_room(&s->d));
    dispatch_done(&s->d, &s->turns[2]); /* withdrawn from the middle */
    assert_true(dispatch_room(&s->d));
    dispatch_worker_add(&s->d, &s->workers[0], 8);
    struct dispatch_turn *t;
    next(s, NULL);
    next(s, NULL);
    next(s, &t);
    assert_ptr_equal(t, &s->turns[3]);
}

static void a_lost_workers_turns_go_before_new_ones(void **state)
{
    struct scene *s = *state;
    struct dispatch_turn *t;
    dispatch_worker_add(&s->d, &s->workers[0], 2);
    dispatch_submit(&s->d, &s->turns[0]);
    next(s, NULL);
    dispatch_submit(&s->d, &s->turns[1]);
    dispatch_submit(&s->d, &s->turns[2]);
    next(s, NULL);
    dispatch_worker_remove(&s->d, &s->workers[0], on_lost, s);
    assert_int_equal(s->lost, 2);
    assert_int_equal(s->d.worker_count, 0);
    assert_int_equal(s->d.capacity, 0);
    dispatch_worker_add(&s->d, &s->workers[1], 8);
    next(s, &t);
    assert_true(t == &s->turns[0] || t == &s->turns[1]);
    next(s, &t);
    assert_true(t == &s->turns[0] || t == &s->turns[1]);
    next(s, &t);
    assert_ptr_equal(t, &s->turns[2]);
}

static void a_leaving_worker_keeps_what_it_has_and_gets_no_more(void **state)
{
    struct scene *s = *state;
    dispatch_worker_add(&s->d, &s->workers[0], 8);
    dispatch_submit(&s->d, &s->turns[0]);
    next(s, NULL);
    dispatch_worker_leaves(&s->d, &s->workers[0]);
    dispatch_submit(&s->d, &s->turns[1]);
    assert_int_equal(next(s, NULL), -1);
    assert_ptr_equal(s->turns[0].worker, &s->workers[0]);
    assert_int_equal(s->d.capacity, 0);
    dispatch_worker_remove(&s->d, &s->workers[0], on_lost, s);
    assert_int_equal(s->d.capacity, 0);
    assert_int_equal(s->lost, 1);
}

static void ending_a_turn_twice_changes_nothing(void **state)
{
    struct scene *s = *state;
    dispatch_worker_add(&s->d, &s->workers[0], 8);
    dispatch_submit(&s->d, &s->turns[0]);
    next(s, NULL);
    dispatch_done(&s->d, &s->turns[0]);
    dispatch_done(&s->d, &s->turns[0]);
    assert_int_equal(s->workers[0].assigned, 0);
    assert_int_equal(s->d.queued, 0);
}

/* Letters are owners; '!' comes back from a worker that died; '.' lets one leave the queue. What
 * left it, in order. */
static const char *order(const char *facts)
{
    static char left[600];
    static struct dispatch_turn turns[600];
    static char names[600][2];
    struct dispatch d;
    struct dispatch_worker worker, *w;
    unsigned count = 0, out = 0;
    dispatch_init(&d, 1000);
    dispatch_worker_add(&d, &worker, 1000);
    for (; *facts; facts++) {
        struct dispatch_turn *t = *facts == '.' ? dispatch_next(&d, &w) : &turns[count];
        if (*facts == '.') {
            left[out++] = t ? names[t - turns][0] : '-';
            continue;
        }
        names[count][0] = *facts;
        dispatch_turn_init(&turns[count++], names[t - turns]);
        if (*facts == '!')
            dispatch_submit_first(&d, t);
        else
            dispatch_submit(&d, t);
    }
    left[out] = '\0';
    return left;
}

static void one_owners_many_turns_delay_another_by_one(void **state)
{
    (void)state;
    assert_string_equal(order("aaaab....."), "abaaa");
    assert_string_equal(order("aaaa..b..."), "aaaba"); /* b comes in the third round */
    assert_string_equal(order("aaabbbc......."), "abcabab");
    assert_string_equal(order("aab!...."), "!aba");
    assert_string_equal(order("a.a.a.b.a."), "aaaba"); /* nobody waits: in order */
    char facts[300] = "";
    memset(facts, 'a', 200); /* 200 of one, then one of another */
    memcpy(facts + 200, "b...", 5);
    assert_string_equal(order(facts), "aba");
}

static void round_goes_on_when_its_turns_are_withdrawn(void **state)
{
    struct scene *s = *state;
    struct dispatch_turn *t;
    struct dispatch_turn b;
    dispatch_turn_init(&b, "bob");
    for (unsigned i = 0; i < 3; i++)
        dispatch_submit(&s->d, &s->turns[i]);
    dispatch_submit(&s->d, &b);
    dispatch_done(&s->d, &s->turns[0]);
    dispatch_worker_add(&s->d, &s->workers[0], 8);
    assert_int_equal(next(s, &t), 0);
    assert_ptr_equal(t, &b);
    assert_int_equal(next(s, &t), 0);
    assert_ptr_equal(t, &s->turns[1]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_owners_many_turns_delay_another_by_one),
        cmocka_unit_test_setup_teardown(round_goes_on_when_its_turns_are_withdrawn, set_up,
                                        tear_down),
        TEST(without_a_worker_turns_wait_in_order),
        TEST(the_least_loaded_share_of_capacity_gets_it),
        TEST(a_full_worker_gets_nothing),
        TEST(what_a_worker_runs_for_others_counts),
        TEST(a_turn_on_its_way_is_not_counted_twice),
        TEST(room_is_bounded_by_the_queue),
        TEST(a_lost_workers_turns_go_before_new_ones),
        TEST(a_leaving_worker_keeps_what_it_has_and_gets_no_more),
        TEST(ending_a_turn_twice_changes_nothing),
    };
    return cmocka_run_group_tests_name("gateway/dispatch", tests, NULL, NULL);
}
