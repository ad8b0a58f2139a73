/* redis_slots: keys to slots, redirections. CLUSTER SLOTS itself is read in test_redis and e2e. */
#include "tests/support/unit.h"

#include <stdio.h>
#include "common/redis/slots.h"

static struct redis_node node(const char *host, uint16_t port)
{
    struct redis_node n = {.port = port};
    snprintf(n.host, sizeof(n.host), "%s", host);
    return n;
}

static void keys_have_the_slots_that_redis_gives_them(void **state)
{
    (void)state;
    assert_int_equal(redis_slot(STR("123456789")), 0x31c3); /* the specification's example */
    assert_int_equal(redis_slot(STR("foo")), 12182);
    assert_int_equal(redis_slot(STR("")), 0);
    assert_int_equal(redis_slot(STR("p:s:{user1000}.following")), redis_slot(STR("user1000")));
    assert_int_equal(redis_slot(STR("foo{}{bar}")), 8363); /* an empty tag is none */
    assert_int_equal(redis_slot(STR("foo{{bar}}zap")), redis_slot(STR("{bar")));
    assert_int_equal(redis_slot(STR("foo{bar}{zap}")), redis_slot(STR("bar")));
    assert_int_equal(redis_slot(STR("open{bar")), redis_slot((struct str){"open{bar", 8}));
}

static void redirections_are_read(void **state)
{
    (void)state;
    struct redis_node asked = node("10.0.0.1", 7000), to;
    uint16_t slot = 0;
    assert_int_equal(redis_redirect_parse(STR("MOVED 3999 127.0.0.1:6381"), &asked, &slot, &to),
                     REDIRECT_MOVED);
    assert_int_equal(slot, 3999);
    assert_string_equal(to.host, "127.0.0.1");
    assert_int_equal(to.port, 6381);
    assert_int_equal(redis_redirect_parse(STR("ASK 16383 ::1:7001"), &asked, &slot, &to),
                     REDIRECT_ASK);
    assert_string_equal(to.host, "::1");
    assert_int_equal(redis_redirect_parse(STR("MOVED 0 :7002"), &asked, &slot, &to),
                     REDIRECT_MOVED);
    assert_string_equal(to.host, "10.0.0.1"); /* where we asked, as Redis says it */
    assert_int_equal(to.port, 7002);
    static const char *const other[] = {"",
                                        "ERR x",
                                        "MOVED",
                                        "MOVED 1",
                                        "MOVED 1 host",
                                        "MOVED 16384 h:1",
                                        "MOVED x h:1",
                                        "MOVED 1 h:70000",
                                        "MOVEDX 1 h:1",
                                        "ASK 1 h:"};
    for (size_t i = 0; i < sizeof(other) / sizeof(*other); i++)
        assert_int_equal(redis_redirect_parse(str_of(other[i]), &asked, &slot, &to), REDIRECT_NONE);
}

static void slots_change_hands_and_nodes_without_any_are_forgotten(void **state)
{
    (void)state;
    static struct redis_slots s;
    struct redis_node a = node("a", 1), b = node("b", 1);
    assert_null(redis_slots_owner(&s, 5));
    assert_true(redis_slots_set(&s, 0, REDIS_SLOTS - 1, &a));
    assert_true(redis_slots_set(&s, 5, 5, &b));
    assert_true(redis_node_eq(redis_slots_owner(&s, 5), &b));
    assert_true(redis_node_eq(redis_slots_owner(&s, 6), &a));
    /* Any number of nodes, one after the other: those that lost their slots make room. */
    for (unsigned i = 0; i < 5 * REDIS_MASTERS_MAX; i++) {
        struct redis_node n = node("n", (uint16_t)(i + 1));
        assert_true(redis_slots_set(&s, 5, 5, &n));
        assert_true(redis_node_eq(redis_slots_owner(&s, 5), &n));
        assert_true(redis_node_eq(redis_slots_owner(&s, 6), &a));
    }
    assert_true(s.node_count <= REDIS_MASTERS_MAX && redis_slots_has(&s, &a));
    /* But not at once. */
    memset(&s, 0, sizeof(s));
    for (unsigned i = 0; i < REDIS_MASTERS_MAX; i++) {
        struct redis_node n = node("n", (uint16_t)(i + 1));
        assert_true(redis_slots_set(&s, i, i, &n));
    }
    assert_false(redis_slots_set(&s, 100, 100, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_have_the_slots_that_redis_gives_them),
        cmocka_unit_test(redirections_are_read),
        cmocka_unit_test(slots_change_hands_and_nodes_without_any_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
