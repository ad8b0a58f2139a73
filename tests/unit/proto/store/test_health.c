/* store_health: what an INFO says of a Redis. */
#include "tests/support/unit.h"

#include "proto/store/health.h"

static void an_info_is_judged(void **state)
{
    (void)state;
    static const struct {
        const char *info;
        unsigned replicas, found;
    } rows[] = {
        {"", 0, 0}, /* one that hides it */
        {"redis_version:7.0.15\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n",
         0, 0},
        {"# Memory\r\nmaxmemory_policy:allkeys-lru\r\n", 0, 1u << STORE_EVICTS},
        {"maxmemory_policy:volatile-ttl\r\naof_enabled:0\r\n", 0,
         1u << STORE_EVICTS | 1u << STORE_FORGETS},
        {"aof_enabled:1\r\naof_last_write_status:err\r\n", 0, 1u << STORE_STUCK},
        {"redis_version:6.2.1\r\n", 0, 1u << STORE_OLD},
        {"redis_version:10.0\r\nconnected_slaves:1", 1, 0},
        {"connected_slaves:1\r\n", 2, 1u << STORE_ALONE},
        {"connected_slaves:x\r\n", 1, 1u << STORE_ALONE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_int_equal(store_health(str_of(rows[i].info), rows[i].replicas), rows[i].found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(an_info_is_judged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
