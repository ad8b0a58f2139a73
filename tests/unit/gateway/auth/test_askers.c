/* Few questions about tokens at once, of all and of each sender; nobody waits behind a flood. */
#include "tests/support/unit.h"
#include "gateway/auth/askers.h"

enum { MAX = 8, EACH = MAX / 4, STRANGERS = MAX - MAX / 4 };

static struct askers *a;
static struct ask asks[2000];
static unsigned used;

static struct address sender(unsigned n)
{
    struct address at = {{[10] = 0xff, [11] = 0xff}};
    at.bytes[14] = (unsigned char)(n >> 8);
    at.bytes[15] = (unsigned char)n;
    return at;
}

static int set_up(void **state)
{
    (void)state;
    a = askers_new(MAX);
    used = 0;
    for (unsigned i = 0; i < sizeof(asks) / sizeof(*asks); i++)
        ask_init(&asks[i]);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < used; i++)
        askers_leave(a, &asks[i], false, 0);
    askers_free(a);
    return 0;
}

/* What enters, as identity.c lets it. NULL: it may not. */
static struct ask *enter(unsigned from, bool known, int64_t now_ms)
{
    struct address at = sender(from);
    if (!askers_may(a, &at, known, now_ms))
        return NULL;
    askers_enter(a, &asks[used], &at, known, now_ms);
    return &asks[used++];
}

static unsigned put_all(void)
{
    unsigned count = 0;
    while (askers_next(a))
        count++;
    return count;
}

static void one_sender_has_a_quarter_at_once(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++)
        assert_non_null(enter(1, false, 0));
    assert_int_equal(put_all(), EACH);
    assert_non_null(enter(2, false, 0));
    assert_ptr_equal(askers_next(a), &asks[20]); /* not behind the others' line */
    askers_leave(a, &asks[0], false, 0);
    assert_int_equal(put_all(), 1);
}

static void strangers_leave_room_for_tokens_that_were_known(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 40; i++)
        assert_non_null(enter(i, false, 0));
    assert_int_equal(put_all(), STRANGERS);
    for (unsigned i = 0; i < 5; i++)
        assert_non_null(enter(i, true, 0));
    assert_int_equal(put_all(), MAX - STRANGERS);
    askers_leave(a, &asks[0], false, 0);
    assert_ptr_equal(askers_next(a), &asks[42]); /* and they go first */
}

static void waiting_senders_take_rounds(void **state)
{
    (void)state;
    unsigned last = 0;
    for (unsigned i = 0; i < STRANGERS; i++)
        enter(100 + i, false, 0);
    assert_int_equal(put_all(), STRANGERS);
    for (unsigned i = 0; i < 10; i++)
        enter(1, false, 0);
    enter(2, false, 0);
    for (unsigned i = 0; i < 2; i++) {
        askers_leave(a, &asks[i], false, 0);
        last = (unsigned)(askers_next(a) - asks);
    }
    assert_int_equal(last, STRANGERS + 10);
}

static void line_of_a_sender_is_bounded(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ASKER_LINE_MAX; i++)
        assert_non_null(enter(1, false, 0));
    assert_null(enter(1, false, 0));
    assert_non_null(enter(1, true, 0));
    assert_non_null(enter(2, false, 0));
}

/* A sender whose tokens are refused at once, for ten seconds: what comes through. */
static void refusals_are_paid_with_time(void **state)
{
    (void)state;
    unsigned asked = 0;
    for (int64_t now_ms = 1; now_ms <= 10000 && used < 2000; now_ms++) {
        struct ask *q = enter(1, false, now_ms);
        if (!q)
            continue;
        assert_ptr_equal(askers_next(a), q);
        askers_leave(a, q, true, now_ms);
        asked++;
    }
    assert_in_range(asked, ASKER_REFUSALS, ASKER_REFUSALS + 10000 / ASKER_REFUSAL_MS + 1);
    assert_null(enter(1, false, 10001));
    assert_non_null(enter(2, false, 10001));
    assert_non_null(enter(1, true, 10001));
    assert_non_null(enter(1, false, 10001 + ASKER_REFUSAL_MS));
}

static void good_tokens_cost_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        struct ask *q = enter(1, false, 1);
        assert_non_null(q);
        assert_ptr_equal(askers_next(a), q);
        askers_leave(a, q, false, 1);
    }
}

static void who_has_a_network_is_one_sender(void **state)
{
    (void)state;
    struct address one = {{0x20, 0x01, 0x0d, 0xb8, [15] = 1}}, other = one, foreign = one;
    other.bytes[15] = 2;
    foreign.bytes[7] = 1;
    for (unsigned i = 0; i < ASKER_LINE_MAX; i++)
        askers_enter(a, &asks[used++], &one, false, 0);
    assert_false(askers_may(a, &other, false, 0));
    assert_true(askers_may(a, &foreign, false, 0));
}

static void who_waits_in_vain_is_found(void **state)
{
    (void)state;
    for (unsigned i = 0; i < EACH + 2; i++)
        enter(1, false, 100 + i);
    put_all();
    assert_true(askers_waiting(a));
    assert_null(askers_overdue(a, 100 + ASKER_WAIT_MS));
    struct ask *late = askers_overdue(a, 100 + EACH + ASKER_WAIT_MS);
    assert_ptr_equal(late, &asks[EACH]);
    askers_leave(a, late, false, 0);
    assert_null(askers_overdue(a, 100 + EACH + ASKER_WAIT_MS));
    askers_leave(a, &asks[EACH + 1], false, 0); /* its client left */
    assert_false(askers_waiting(a));
}

/* Senders come and go: what is remembered of them is bounded, and who is under way stays. */
static void many_senders_are_forgotten(void **state)
{
    (void)state;
    struct ask *kept = enter(1, false, 0);
    put_all();
    for (unsigned i = 2; i < 60000; i++) {
        struct address at = sender(i);
        askers_enter(a, &asks[1], &at, false, 0);
        assert_ptr_equal(askers_next(a), &asks[1]);
        askers_leave(a, &asks[1], true, 0);
    }
    askers_leave(a, kept, false, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_sender_has_a_quarter_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(strangers_leave_room_for_tokens_that_were_known, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(waiting_senders_take_rounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(line_of_a_sender_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refusals_are_paid_with_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(good_tokens_cost_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_has_a_network_is_one_sender, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_waits_in_vain_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_senders_are_forgotten, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
