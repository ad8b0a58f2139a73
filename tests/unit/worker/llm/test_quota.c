/* What a call of a model asks of what all workers share, in which order, and what it gives back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "proto/store/quota.h"
#include "proto/store/store.h"
#include "worker/llm/wait.h"
#include "worker/llm/quota.h"

static struct {
    char trace[1024];
    store_fn *fn; /* of what was asked last */
    void *arg;
    struct llm_quotas *quotas;
    struct llm_quota quota;
    struct llm_quota_answer answer;
    unsigned answers;
    int64_t later_ms;
    bool open; /* the key, as the store says */
} w;
static struct model model = {
    .key_name = "k", .price_input = 1000, .price_output = 5000, .price_cached = 100};

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
    size_t len = strlen(w.trace);
    va_list args;
    va_start(args, format);
    vsnprintf(w.trace + len, sizeof(w.trace) - len, format, args);
    va_end(args);
}
static void expect(const char *trace)
{
    assert_string_equal(w.trace, trace);
    w.trace[0] = '\0';
}

struct str fetch_response_header(const struct fetch *f, const char *name)
{
    (void)f, (void)name;
    return (struct str){NULL, 0};
}
int64_t loop_wall_ms(void) { return INT64_C(86400000) * 20000 + w.later_ms; }
void store_forget(struct store *s, uint64_t call)
{
    (void)s;
    if (call)
        w.fn = NULL;
}
static uint64_t asked(store_fn *fn, void *arg)
{
    w.fn = fn;
    w.arg = arg;
    return 1;
}
uint64_t quota_budget_begin(struct store *s, const struct quota_budget *b, struct id reservation,
                            uint64_t tokens, uint64_t cost, store_fn *fn, void *arg)
{
    (void)s, (void)reservation;
    note("reserve %.*s %llu/%llu ", (int)b->scope.len, b->scope.at, (unsigned long long)tokens,
         (unsigned long long)cost);
    return asked(fn, arg);
}
void quota_budget_end(struct store *s, const struct quota_budget *b, struct id reservation,
                      uint64_t tokens, uint64_t cost)
{
    (void)s, (void)reservation;
    note("settle %.*s %llu/%llu ", (int)b->scope.len, b->scope.at, (unsigned long long)tokens,
         (unsigned long long)cost);
}
uint64_t quota_budget_read(struct store *s, struct str owner, const struct quota_budget *b,
                           store_fn *fn, void *arg)
{
    (void)s;
    assert_int_equal(owner.len, 0);
    note("read %.*s of %u ", (int)b->scope.len, b->scope.at, b->day);
    return asked(fn, arg);
}
uint64_t quota_key_begin(struct store *s, const struct quota_key *k, struct str owner,
                         struct id call, enum quota_place place, uint64_t tokens,
                         int64_t patience_ms, int64_t lease_ms, store_fn *fn, void *arg)
{
    static const char *const places[] = {"", " in line", " first"};
    (void)s, (void)k, (void)owner, (void)call;
    note("take%s %llu for %lld within %lld ", places[place], (unsigned long long)tokens,
         (long long)lease_ms, (long long)patience_ms);
    return asked(fn, arg);
}
void quota_key_end(struct store *s, const struct quota_key *k, struct id call, int64_t tokens,
                   int64_t block_ms, int64_t lease_ms, int64_t age_ms)
{
    (void)s, (void)k, (void)call, (void)lease_ms;
    note("give %lld block %lld ", (long long)tokens, (long long)block_ms);
    if (age_ms > 0)
        note("after %lld ", (long long)age_ms);
}
void quota_key_hold(struct store *s, const struct quota_key *k, struct id call, int64_t lease_ms)
{
    (void)s, (void)k, (void)call;
    note("hold for %lld ", (long long)lease_ms);
}

static void on_quota(void *arg, const struct llm_quota_answer *a)
{
    assert_ptr_equal(arg, &w);
    w.answer = *a;
    w.answers++;
}
static void answer(enum err err, enum quota_verdict verdict, int64_t wait_ms)
{
    struct store_answer a = {.quota = {verdict, wait_ms, w.open}};
    store_fn *fn = w.fn;
    assert_non_null(fn);
    w.fn = NULL;
    fn(w.arg, err, err == ERR_NONE ? &a : NULL);
}

static int begin(void **state)
{
    (void)state;
    struct llm_quotas_config c = {
        .user_tokens = 1000, .deployment_cost = 1000, .lease_ms = 600000, .hold_ms = 3000};
    memset(&w, 0, sizeof(w));
    model.concurrent = 0;
    w.quotas = llm_quotas_new(&c);
    llm_quota_init(&w.quota, w.quotas, &model, STR("ann"), (struct id){{1}}, on_quota, &w);
    return 0;
}
static int end(void **state)
{
    (void)state;
    llm_quota_free(&w.quota);
    llm_quotas_free(w.quotas);
    return 0;
}

static void budgets_are_reserved_before_the_key_is_taken_and_settled_behind(void **state)
{
    (void)state;
    llm_quota_begin(&w.quota, 100, 10, false, 60000);
    expect("reserve o:ann 110/150 ");
    answer(ERR_NONE, QUOTA_OK, 0);
    expect("reserve all 110/150 ");
    answer(ERR_NONE, QUOTA_OK, 0);
    expect("take 110 for 600000 within 60000 ");
    answer(ERR_NONE, QUOTA_WAIT, 700);
    assert_int_equal(w.answer.verdict, LLM_QUOTA_WAIT);
    assert_int_equal(w.answer.wait_ms, 700);
    llm_quota_begin(&w.quota, 100, 10, false, 60000);
    expect("take in line 110 for 600000 within 60000 "); /* what is reserved stays so */
    answer(ERR_NONE, QUOTA_OK, 0);
    assert_int_equal(w.answer.verdict, LLM_QUOTA_GO);
    llm_quota_hold(&w.quota, 100000);
    expect(""); /* its lease is for all of it */
    llm_quota_end(&w.quota, 90, 4, 50, 0);
    expect("settle o:ann 94/65 settle all 94/65 give -16 block 0 ");
    llm_quota_end(&w.quota, 90, 4, 50, 0); /* once */
    expect("");
    assert_int_equal(w.answers, 2);
}

static void one_that_was_at_the_provider_goes_first_and_too_long_a_line_is_said(void **state)
{
    (void)state;
    llm_quota_begin(&w.quota, 100, 10, true, 5000);
    answer(ERR_NONE, QUOTA_OK, 0);
    answer(ERR_NONE, QUOTA_OK, 0);
    w.trace[0] = '\0';
    answer(ERR_NONE, QUOTA_WAIT, 600000);
    assert_int_equal(w.answer.wait_ms, 600000); /* all of it: it is told */
    llm_quota_begin(&w.quota, 100, 10, true, 3000);
    expect("take in line 110 for 600000 within 3000 ");
    answer(ERR_NONE, QUOTA_NEVER, 7200000);
    expect("settle o:ann 0/0 settle all 0/0 ");
    assert_int_equal(w.answer.verdict, LLM_QUOTA_OVER);
    assert_int_equal(w.answer.why, ERR_MODEL_UNAVAILABLE);
    assert_string_equal(w.answer.detail, "The model's provider limits requests; it can be asked "
                                         "again in 2 h (at 02:00 UTC)");
    llm_quota_begin(&w.quota, 100, 10, true, 5000);
    answer(ERR_NONE, QUOTA_OK, 0);
    w.trace[0] = '\0';
    answer(ERR_NONE, QUOTA_OK, 0);
    expect("take first 110 for 600000 within 5000 ");
}

static void key_that_nothing_limits_is_asked_for_once_a_second(void **state)
{
    (void)state;
    struct llm_quotas_config c = {.lease_ms = 600000, .hold_ms = 3000};
    llm_quota_free(&w.quota);
    llm_quotas_free(w.quotas);
    w.quotas = llm_quotas_new(&c);
    llm_quota_init(&w.quota, w.quotas, &model, STR("ann"), (struct id){{1}}, on_quota, &w);
    w.open = true;
    llm_quota_begin(&w.quota, 100, 10, false, 60000);
    expect("take 110 for 600000 within 60000 ");
    answer(ERR_NONE, QUOTA_OK, 0);
    llm_quota_end(&w.quota, 90, 4, 50, 0);
    llm_quota_begin(&w.quota, 100, 10, false, 60000);
    assert_int_equal(w.answers, 2); /* at once */
    llm_quota_end(&w.quota, 90, 4, 50, 0);
    expect(""); /* it was not counted: there is nothing to give back */
    w.later_ms = 1000;
    llm_quota_begin(&w.quota, 100, 10, false, 60000);
    expect("take 110 for 600000 within 60000 ");
    answer(ERR_NONE, QUOTA_OK, 0);
    llm_quota_begin(&w.quota, 100, 10, false, 60000);
    w.later_ms = 1300;
    llm_quota_end(&w.quota, 0, 0, 0, 500); /* refused: all are told, and it is asked for again */
    expect("give -110 block 500 after 300 ");
    w.open = false;
    llm_quota_begin(&w.quota, 100, 10, true, 60000);
    expect("take first 110 for 600000 within 60000 ");
    answer(ERR_NONE, QUOTA_OK, 0);
    llm_quota_end(&w.quota, 90, 4, 50, 0);
    expect("give -16 block 0 ");
}

static void over_one_budget_the_other_is_given_back(void **state)
{
    (void)state;
    llm_quota_begin(&w.quota, 100, 10, false, 60000);
    answer(ERR_NONE, QUOTA_OK, 0);
    w.trace[0] = '\0';
    answer(ERR_NONE, QUOTA_COST, 0);
    expect("settle o:ann 0/0 ");
    assert_int_equal(w.answer.verdict, LLM_QUOTA_OVER);
    assert_int_equal(w.answer.why, ERR_BUDGET);
    assert_string_equal(w.answer.detail, "This deployment's cost budget of today is used up; it "
                                         "resets at 2024-10-05T00:00:00Z");
}

static void what_stops_asking_gives_back_what_is_on_its_way(void **state)
{
    (void)state;
    llm_quota_begin(&w.quota, 100, 10, false, 60000);
    w.trace[0] = '\0';
    llm_quota_free(&w.quota);
    expect("settle o:ann 0/0 ");
    llm_quota_init(&w.quota, w.quotas, &model, STR("ann"), (struct id){{1}}, on_quota, &w);
    llm_quota_begin(&w.quota, 100, 10, false, 60000);
    answer(ERR_NONE, QUOTA_OK, 0);
    answer(ERR_NONE, QUOTA_OK, 0);
    w.trace[0] = '\0';
    llm_quota_free(&w.quota);
    expect("give -110 block 0 settle o:ann 0/0 settle all 0/0 ");
    assert_null(w.fn);
    assert_int_equal(w.answers, 0);
}

static void without_redis_a_call_goes_and_what_was_reserved_is_settled(void **state)
{
    (void)state;
    llm_quota_begin(&w.quota, 100, 10, false, 60000);
    w.trace[0] = '\0';
    answer(ERR_STORE_UNAVAILABLE, 0, 0);
    assert_int_equal(w.answer.verdict, LLM_QUOTA_GO);
    assert_true(w.answer.unknown);
    llm_quota_end(&w.quota, 100, 5, 0, 200);
    expect("settle o:ann 105/125 give -5 block 200 ");
}

static void slot_of_a_key_with_calls_at_once_is_held(void **state)
{
    (void)state;
    model.concurrent = 2;
    llm_quota_begin(&w.quota, 100, 10, false, 60000);
    answer(ERR_NONE, QUOTA_OK, 0);
    answer(ERR_NONE, QUOTA_OK, 0);
    w.trace[0] = '\0';
    llm_quota_hold(&w.quota, 100000);
    expect(""); /* it has none yet */
    answer(ERR_NONE, QUOTA_OK, 0);
    llm_quota_hold(&w.quota, 100000);
    llm_quota_hold(&w.quota, 102999);
    expect("hold for 9000 ");
    llm_quota_hold(&w.quota, 103000);
    expect("hold for 9000 ");
    llm_quota_end(&w.quota, 100, 5, 0, 0);
    w.trace[0] = '\0';
    llm_quota_hold(&w.quota, 200000);
    expect("");
}

static void expect_used(uint64_t tokens, uint64_t cost, const char *trace)
{
    uint64_t used_tokens, used_cost;
    llm_quotas_used(w.quotas, &used_tokens, &used_cost);
    assert_int_equal(used_tokens, tokens);
    assert_int_equal(used_cost, cost);
    expect(trace);
}

static void what_all_used_is_todays(void **state)
{
    (void)state;
    expect_used(0, 0, "read all of 20000 ");
    expect_used(0, 0, ""); /* it is under way */
    w.fn(w.arg, ERR_NONE, &(struct store_answer){.budget = {700, 30}});
    expect_used(700, 30, "read all of 20000 ");
    w.fn(w.arg, ERR_STORE_UNAVAILABLE, &(struct store_answer){0});
    expect_used(700, 30, "read all of 20000 ");
    w.later_ms += INT64_C(86400000);
    expect_used(0, 0, "read all of 20001 "); /* yesterday's answer is not waited for */
    w.fn(w.arg, ERR_NONE, &(struct store_answer){.budget = {7, 3}});
    expect_used(7, 3, "read all of 20001 ");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(budgets_are_reserved_before_the_key_is_taken_and_settled_behind),
        TEST(one_that_was_at_the_provider_goes_first_and_too_long_a_line_is_said),
        TEST(key_that_nothing_limits_is_asked_for_once_a_second),
        TEST(over_one_budget_the_other_is_given_back),
        TEST(what_stops_asking_gives_back_what_is_on_its_way),
        TEST(without_redis_a_call_goes_and_what_was_reserved_is_settled),
        TEST(slot_of_a_key_with_calls_at_once_is_held),
        TEST(what_all_used_is_todays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
