/* What a token weighs: the default, what is learned, and what is not believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/llm/token_estimate.h"

static void default_is_four_bytes(void **state)
{
    (void)state;
    struct token_estimate g = {0};
    assert_int_equal(token_estimate_ratio(NULL), 400);
    assert_int_equal(token_estimate_ratio(&g), 400);
    assert_int_equal(token_estimate_tokens(&g, 0), 0);
    assert_int_equal(token_estimate_tokens(&g, 1), 1);
    assert_int_equal(token_estimate_tokens(&g, 4001), 1001);
    token_estimate_learn(NULL, 4000, 2000);
}

static void what_the_provider_counts_is_learned_within_bounds(void **state)
{
    (void)state;
    struct token_estimate g = {0};
    token_estimate_learn(&g, 20000, 10000); /* one prompt moves it already */
    assert_in_range(token_estimate_ratio(&g), 200, 250);
    for (int i = 0; i < 100; i++)
        token_estimate_learn(&g, 20000, 10000);
    assert_in_range(token_estimate_ratio(&g), 200, 205);
    assert_in_range(token_estimate_tokens(&g, 100000), 49000, 50000);
    for (int i = 0; i < 100; i++) /* another kind of text: the older counts less and less */
        token_estimate_learn(&g, 30000, 10000);
    assert_in_range(token_estimate_ratio(&g), 295, 305);
    for (int i = 0; i < 1000; i++)
        token_estimate_learn(&g, 10000, 10000);
    assert_int_equal(token_estimate_ratio(&g), TOKEN_ESTIMATE_LEAST);
    for (int i = 0; i < 1000; i++)
        token_estimate_learn(&g, 150000, 10000);
    assert_int_equal(token_estimate_ratio(&g), TOKEN_ESTIMATE_MOST);
}

static void what_is_small_or_can_not_be_is_not_believed(void **state)
{
    (void)state;
    struct token_estimate g = {0}, fixed = {.fixed = 300};
    for (int i = 0; i < 100; i++) {
        token_estimate_learn(&g, 10000, 11); /* a server that counts something else */
        token_estimate_learn(&g, 10000, 0);
        token_estimate_learn(&g, 100000, 500);
        token_estimate_learn(&g, 5000, 10000);
        token_estimate_learn(&g, 0, 10000);
        token_estimate_learn(&fixed, 20000, 10000);
    }
    assert_int_equal(token_estimate_ratio(&g), 400);
    assert_int_equal(token_estimate_ratio(&fixed), 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_is_four_bytes),
        cmocka_unit_test(what_the_provider_counts_is_learned_within_bounds),
        cmocka_unit_test(what_is_small_or_can_not_be_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
