/* Which run goes next: facts in, decisions out. */
#include "tests/support/unit.h"
#include "worker/breaker.h"
#include "worker/tools/line.h"

static void join(struct line *l, struct line_ticket *t, unsigned count, const char *owner,
                 const char *lane)
{
    for (unsigned i = 0; i < count; i++) {
        t[i] = (struct line_ticket){0};
        assert_true(line_join(l, &t[i], owner, lane, false));
    }
}

static void leave(struct line *l, struct line_ticket *t, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        line_leave(l, &t[i], 0);
}

/* The next is this one. */
static void expect(struct line *l, const struct line_ticket *t, int64_t now_ms, int64_t refused_ms)
{
    int64_t got_ms = 0;
    assert_ptr_equal(line_next(l, now_ms, &got_ms), t);
    if (t)
        assert_int_equal(got_ms, refused_ms);
}

static void owners_take_turns(void **state)
{
    (void)state;
    struct line *l = line_new(64);
    struct line_ticket a[3], b[2];
    join(l, a, 3, "alice", NULL);
    join(l, b, 2, "bob", NULL);
    expect(l, &a[0], 0, 0);
    expect(l, &b[0], 0, 0);
    expect(l, &a[1], 0, 0);
    expect(l, &b[1], 0, 0);
    expect(l, &a[2], 0, 0);
    expect(l, NULL, 0, 0);
    leave(l, a, 3);
    leave(l, b, 2);
    line_free(l);
}

static void a_lane_has_a_quarter_and_an_owner_half_of_the_room(void **state)
{
    (void)state;
    struct line *l = line_new(16);
    struct line_ticket a[12], b[12], c[2];
    join(l, a, 6, "alice", "/slow");
    join(l, a + 6, 6, "alice", "/fast");
    join(l, b, 12, "bob", "/slow");
    join(l, c, 2, "carol", "/fast");
    for (unsigned i = 0; i < 2; i++) { /* carol's two go as soon as it is her turn */
        int64_t ms;
        for (unsigned k = 0; k < 3; k++)
            assert_non_null(line_next(l, 0, &ms));
        assert_true(c[i].goes);
    }
    int64_t ms;
    while (line_next(l, 0, &ms))
        ;
    unsigned alice = 0, slow = 0;
    for (unsigned i = 0; i < 12; i++) {
        alice += a[i].goes;
        slow += (i < 6 && a[i].goes ? 1u : 0) + b[i].goes;
    }
    assert_int_equal(slow, 4);
    assert_true(alice <= 8);
    leave(l, a, 12);
    leave(l, b, 12);
    leave(l, c, 2);
    line_free(l);
}

static void hear(struct line *l, const char *lane, unsigned silent, int64_t now_ms)
{
    for (unsigned i = 0; i < silent; i++)
        line_heard(l, lane, false, now_ms);
}

static void a_silent_lane_refuses_those_that_wait_and_lets_a_probe_go(void **state)
{
    (void)state;
    struct line *l = line_new(16);
    struct line_ticket a[8], b[4];
    join(l, a, 8, "alice", "/silent");
    join(l, b, 4, "bob", "/silent");
    expect(l, &a[0], 0, 0);
    expect(l, &b[0], 0, 0);
    expect(l, &a[1], 0, 0);
    expect(l, &b[1], 0, 0);
    expect(l, NULL, 0, 0); /* full */
    hear(l, "/silent", BREAKER_FAILURES, 1000);
    expect(l, &a[2], 1000, BREAKER_OPEN_MS); /* to be told, though there is no room */
    expect(l, &b[2], 1000, BREAKER_OPEN_MS);
    leave(l, a, 3);
    leave(l, b, 3);
    int64_t later = 1000 + BREAKER_OPEN_MS;
    expect(l, &a[3], later, 0); /* the probe */
    expect(l, &b[3], later, BREAKER_PROBE_MS);
    line_leave(l, &a[3], later); /* it told nothing: cancelled */
    expect(l, &a[4], later, 0);
    line_heard(l, "/silent", true, later);
    expect(l, &a[5], later, 0);
    expect(l, &a[6], later, 0);
    leave(l, a + 4, 4);
    line_leave(l, &b[3], later);
    line_free(l);
}

static void whose_calls_alone_are_silent_waits_alone(void **state)
{
    (void)state;
    struct line *l = line_new(16);
    struct line_ticket a[3], b[2];
    join(l, a, 3, "alice", "/s");
    expect(l, &a[0], 0, 0);
    hear(l, "/s", BREAKER_FAILURES, 0);
    join(l, b, 2, "bob", "/s");
    expect(l, &a[1], 1, BREAKER_OPEN_MS - 1);
    expect(l, &b[0], 1, 0);
    hear(l, "/s", 1, 1); /* nor is he answered */
    expect(l, &a[2], 2, BREAKER_OPEN_MS - 2);
    expect(l, &b[1], 2, BREAKER_OPEN_MS - 2);
    leave(l, a, 3);
    leave(l, b, 2);
    line_free(l);
}

static void too_many_are_turned_away_and_one_that_comes_again_is_not(void **state)
{
    (void)state;
    static struct line_ticket a[LINE_OWNER_MAX + 2];
    struct line *l = line_new(16);
    join(l, a, LINE_OWNER_MAX, "alice", NULL);
    assert_false(line_join(l, &a[LINE_OWNER_MAX], "alice", NULL, false));
    assert_null(a[LINE_OWNER_MAX].asker);
    assert_true(line_join(l, &a[LINE_OWNER_MAX], "alice", "/x", true));
    expect(l, &a[LINE_OWNER_MAX], 0, 0);
    assert_true(line_join(l, &a[LINE_OWNER_MAX + 1], "bob", NULL, false));
    leave(l, a, LINE_OWNER_MAX + 2);
    leave(l, a, 1); /* twice does nothing */
    line_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(owners_take_turns),
        cmocka_unit_test(a_lane_has_a_quarter_and_an_owner_half_of_the_room),
        cmocka_unit_test(a_silent_lane_refuses_those_that_wait_and_lets_a_probe_go),
        cmocka_unit_test(whose_calls_alone_are_silent_waits_alone),
        cmocka_unit_test(too_many_are_turned_away_and_one_that_comes_again_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
