#include "tests/support/unit.h"
#include "proto/peer.h"

enum { DEAD_MS = 1500 };

/* Asked every 100 ms, as the programs do. */
static enum peer_state asked_until(struct peer *p, int64_t from_ms, int64_t to_ms)
{
    enum peer_state state = p->state;
    for (int64_t now_ms = from_ms; now_ms < to_ms; now_ms += 100)
        state = peer_at(p, now_ms, DEAD_MS);
    return from_ms < to_ms ? peer_at(p, to_ms, DEAD_MS) : state;
}

static void a_peer_is_fresh_until_it_was_heard(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, 0);
    assert_int_equal(peer_at(&p, 100000, DEAD_MS), PEER_FRESH);
    peer_heard(&p, 100000);
    assert_int_equal(peer_at(&p, 100000 + DEAD_MS, DEAD_MS), PEER_ALIVE);
}

static void silence_longer_than_dead_ms_is_death(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, 0);
    peer_heard(&p, 10);
    assert_int_equal(asked_until(&p, 10, 10 + DEAD_MS), PEER_ALIVE);
    assert_int_equal(peer_at(&p, 11 + DEAD_MS, DEAD_MS), PEER_DEAD);
}

/* Seen with 9,000 streams on a busy machine: a pass of the gateway took longer than dead_ms, and
 * the beats that waited unread did not count. */
static void a_standstill_of_our_own_is_not_its_silence(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, 0);
    peer_heard(&p, 0);
    assert_int_equal(asked_until(&p, 0, 200), PEER_ALIVE);
    assert_int_equal(peer_at(&p, 60000, DEAD_MS), PEER_ALIVE);
    peer_heard(&p, 60000);
    assert_int_equal(asked_until(&p, 60000, 60000 + DEAD_MS), PEER_ALIVE);
    assert_int_equal(peer_at(&p, 60001 + DEAD_MS, DEAD_MS), PEER_DEAD);
    /* a peer that is silent is found out by one that is slow, too */
    peer_init(&p, 0);
    peer_heard(&p, 0);
    unsigned askings = 0;
    for (int64_t now_ms = 0; peer_at(&p, now_ms, DEAD_MS) == PEER_ALIVE; now_ms += 3000)
        askings++;
    assert_int_equal(askings, 5);
}

static void late_frame_does_not_revive(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, 0);
    peer_heard(&p, 0);
    assert_int_equal(asked_until(&p, 0, 5000), PEER_DEAD);
    peer_heard(&p, 5001);
    assert_int_equal(peer_at(&p, 5001, DEAD_MS), PEER_DEAD);
}

static void beats_are_due_at_once_and_then_every_interval(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, 1000);
    assert_true(peer_beat_due(&p, 1000, 200));
    assert_false(peer_beat_due(&p, 1199, 200));
    assert_true(peer_beat_due(&p, 1200, 200));
    assert_true(peer_beat_due(&p, 5000, 200));
    assert_false(peer_beat_due(&p, 5001, 200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_is_fresh_until_it_was_heard),
        cmocka_unit_test(silence_longer_than_dead_ms_is_death),
        cmocka_unit_test(a_standstill_of_our_own_is_not_its_silence),
        cmocka_unit_test(late_frame_does_not_revive),
        cmocka_unit_test(beats_are_due_at_once_and_then_every_interval),
    };
    return cmocka_run_group_tests_name("proto/peer", tests, NULL, NULL);
}
