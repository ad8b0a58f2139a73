/* The simulator's model of the store passes the cases that the real scripts pass in Redis. */
#include <unistd.h>
#include "proto/store/store.h"
#include "tests/sim/fake_store.h"
#include "tests/support/store_cases.h"

struct fake_fixture {
    struct store_fixture f; /* first: the cases get it */
    struct redis *redis;
    int64_t now_ms;
};

static void on_wait(struct store_fixture *f, const bool *done)
{
    fake_store_run(f->store);
    assert_true(*done);
}

static void on_pass(struct store_fixture *f, int64_t ms)
{
    struct fake_fixture *x = (struct fake_fixture *)f;
    x->now_ms += ms;
    fake_redis_time(x->redis, x->now_ms);
}

static unsigned on_keys(struct store_fixture *f, struct id session)
{
    return fake_redis_keys(((struct fake_fixture *)f)->redis, session);
}

static int setup(void **state)
{
    static struct fake_fixture x;
    struct store_config c = {.lease_ms = CASE_LEASE_MS,
                             .events_keep_ms = CASE_EVENTS_KEEP_MS,
                             .messages_max = CASE_MESSAGES_MAX,
                             .user_sessions_max = CASE_USER_SESSIONS,
                             .user_bytes_max = CASE_USER_BYTES,
                             .text_bytes_max = 4096};
    x = (struct fake_fixture){.redis = fake_redis_new(), .now_ms = 1000000};
    fake_redis_time(x.redis, x.now_ms);
    x.f = (struct store_fixture){
        .store = store_new(NULL, x.redis, &c), .wait = on_wait, .pass = on_pass, .keys = on_keys};
    *state = &x;
    return 0;
}

static int teardown(void **state)
{
    struct fake_fixture *x = *state;
    store_free(x->f.store);
    fake_redis_free(x->redis);
    return 0;
}

/* What a crash that loses the last writes is made of. */
static void restored_database_is_what_it_was(void **state)
{
    struct fake_fixture *x = *state;
    struct play p = play_new(&x->f);
    play_session(&p);
    play_begin(&p, "one");
    assert_int_equal(say(&p, 1, 2, 3)->err, ERR_NONE);
    struct redis *before = fake_redis_copy(x->redis);
    assert_int_equal(seal(&p, 1, 4, 5, TURN_DONE, "answer")->err, ERR_NONE);
    fake_redis_restore(x->redis, before);
    fake_redis_free(before);
    assert_string_equal(places(events(&p, 0, 0, 1000)), "1-1 1-2 1-3");
    assert_int_equal(events(&p, 2, 1, 1000)->err, ERR_HISTORY_LOST);
    assert_int_equal(conversation(&p)->message_count, 1);
    assert_int_equal(seal(&p, 1, 6, 7, TURN_DONE, "more")->err, ERR_HISTORY_LOST);
}

#define C(name) cmocka_unit_test(name)
/* Those of what is not modelled are left out. */
static unsigned modelled(struct CMUnitTest *out)
{
    const struct CMUnitTest left_out[] = {LIMIT_CASES};
    unsigned count = 0;
    for (size_t i = 0; i < sizeof(store_cases) / sizeof(*store_cases); i++) {
        bool out_of_it = false;
        for (size_t k = 0; k < sizeof(left_out) / sizeof(*left_out); k++)
            out_of_it |= left_out[k].test_func == store_cases[i].test_func;
        if (!out_of_it)
            out[count++] = store_cases[i];
    }
    return count;
}

int main(void)
{
    static struct CMUnitTest cases[sizeof(store_cases) / sizeof(*store_cases)];
    static const struct CMUnitTest own_cases[] = {
        cmocka_unit_test(restored_database_is_what_it_was),
    };
    int failed = _cmocka_run_group_tests("fake store", cases, modelled(cases), setup, teardown);
    return failed + cmocka_run_group_tests_name("fake database", own_cases, setup, teardown);
}
