/* tests/support/quota_cases.h: what proto/store/quota.h promises, as cases of the store. Each uses
 * names of its own: the ids of its play. */
#ifndef TESTS_SUPPORT_QUOTA_CASES_H
#define TESTS_SUPPORT_QUOTA_CASES_H

#include <time.h>
#include "proto/store/quota.h"

static struct quota_budget small_budget(struct play *p)
{
    return (struct quota_budget){.scope = p->owner,
                                 .day = 20000,
                                 .tokens_max = 100,
                                 .cost_max = 1000,
                                 .turn = p->turn,
                                 .turn_cost_max = 500};
}

static enum quota_verdict reserve(struct play *p, const struct quota_budget *b, struct id id,
                                  uint64_t tokens, uint64_t cost)
{
    return OK(p->f, quota_budget_begin, b, id, tokens, cost)->verdict;
}

CASE(budget_is_overspent_by_one_step_at_most)
{
    struct quota_budget b = small_budget(p);
    struct id one = id_new(), two = id_new(), three = id_new();
    assert_int_equal(reserve(p, &b, one, 90, 10), QUOTA_OK);
    assert_int_equal(reserve(p, &b, one, 90, 10), QUOTA_OK); /* sent again: once */
    assert_int_equal(reserve(p, &b, two, 90, 10), QUOTA_OK); /* 90 of 100: one more */
    assert_int_equal(reserve(p, &b, three, 1, 1), QUOTA_TOKENS);
    quota_budget_end(f->store, &b, two, 5, 10);  /* it was less */
    quota_budget_end(f->store, &b, two, 50, 10); /* settled already */
    assert_int_equal(reserve(p, &b, three, 1, 1), QUOTA_OK);
    quota_budget_end(f->store, &b, three, 5, 1);
    assert_int_equal(reserve(p, &b, id_new(), 1, 1), QUOTA_TOKENS); /* one was lost: it counts */
    b.day++;
    assert_int_equal(reserve(p, &b, id_new(), 1, 1), QUOTA_OK);
}

CASE(budget_of_cost_and_of_a_turn_are_their_own)
{
    struct quota_budget b = small_budget(p);
    assert_int_equal(reserve(p, &b, id_new(), 1, 600), QUOTA_OK);
    assert_int_equal(reserve(p, &b, id_new(), 1, 1), QUOTA_TURN_COST);
    b.turn = id_new();
    assert_int_equal(reserve(p, &b, id_new(), 1, 450), QUOTA_OK);
    b.turn = id_new();
    assert_int_equal(reserve(p, &b, id_new(), 1, 1), QUOTA_COST);
    b.cost_max = 0;
    assert_int_equal(reserve(p, &b, id_new(), 1, 1), QUOTA_OK);
}

static struct got *take(struct play *p, const struct quota_key *k, struct id call,
                        enum quota_place place)
{
    return OK(p->f, quota_key_begin, k, p->owner, call, place, 10, 300000, 60000);
}

CASE(requests_of_a_key_go_out_in_line_and_never_more_than_a_minute_allows)
{
    struct quota_key k = {.key = p->owner, .requests_per_minute = 60};
    int64_t waits[80], passed_ms = 0, began_ms = loop_wall_ms();
    for (int i = 0; i < 80; i++) {
        struct got *g = take(p, &k, id_new(), QUOTA_NEW);
        assert_true(g->verdict == (g->wait_ms > 0 ? QUOTA_WAIT : QUOTA_OK));
        waits[i] = g->wait_ms;
        if (i == 60)
            passed_ms = loop_wall_ms() - began_ms;
    }
    assert_int_equal(waits[0], 0);
    for (int i = 1; i < 80; i++)
        assert_true(waits[i] >= waits[i - 1] - 100); /* each behind the one before */
    assert_true(waits[60] + passed_ms >= 59000);     /* the 61st is a minute after the first */
    assert_true(waits[79] < 90000);
    struct got *g = OK(f, quota_key_begin, &k, p->owner, id_new(), QUOTA_NEW, 10, 5000, 60000);
    assert_int_equal(g->verdict, QUOTA_NEVER);
    assert_true(g->wait_ms > 5000);
}

CASE(line_moves_on_when_its_first_go_or_leave)
{
    struct quota_key k = {.key = p->owner,
                          .requests_per_minute = 60}; /* six, then one in 1112 ms */
    struct id line[5];
    for (line[0] = id_new(); take(p, &k, line[0], QUOTA_NEW)->verdict == QUOTA_OK;)
        line[0] = id_new();
    for (int i = 1; i < 5; i++) {
        line[i] = id_new();
        assert_int_equal(take(p, &k, line[i], QUOTA_NEW)->verdict, QUOTA_WAIT);
    }
    int64_t wait_ms = take(p, &k, line[4], QUOTA_IN_LINE)->wait_ms;
    assert_true(take(p, &k, line[4], QUOTA_IN_LINE)->wait_ms <= wait_ms); /* its place is kept */
    for (int i = 0; i < 3; i++)
        quota_key_end(f->store, &k, line[i], 0, 0, 60000, 0);
    assert_true(take(p, &k, line[4], QUOTA_IN_LINE)->wait_ms <= wait_ms - 3 * 1112);
    f->pass(f, 1200);
    assert_int_equal(take(p, &k, line[3], QUOTA_IN_LINE)->verdict, QUOTA_OK);
    assert_int_equal(take(p, &k, line[3], QUOTA_IN_LINE)->verdict, QUOTA_OK); /* sent again: once */
}

CASE(one_persons_many_calls_delay_anothers_by_one)
{
    struct quota_key k = {.key = p->owner, .requests_per_minute = 60};
    int64_t first_ms = 0, last_ms = 0;
    while ((first_ms = take(p, &k, id_new(), QUOTA_NEW)->wait_ms) == 0)
        continue;
    struct id second = id_new();
    for (int i = 0; i < 10; i++) /* in 6 s: who is not heard of for longer leaves the line */
        last_ms = take(p, &k, i == 0 ? second : id_new(), QUOTA_NEW)->wait_ms;
    assert_true(last_ms > first_ms + 5 * 1112);
    int64_t second_ms = take(p, &k, second, QUOTA_IN_LINE)->wait_ms;
    struct got *g =
        OK(f, quota_key_begin, &k, STR("another"), id_new(), QUOTA_NEW, 10, 300000, 60000);
    assert_int_equal(g->verdict, QUOTA_WAIT);
    int64_t other_ms = g->wait_ms;
    assert_true(other_ms <= second_ms); /* behind the first, where the second was */
    assert_true(take(p, &k, second, QUOTA_IN_LINE)->wait_ms > other_ms);
    g = OK(f, quota_key_begin, &k, STR("another"), id_new(), QUOTA_NEW, 10, 300000, 60000);
    assert_true(g->wait_ms > other_ms && g->wait_ms < last_ms); /* one of each in turn */
}

CASE(tokens_of_a_key_are_spread_and_settled)
{
    struct quota_key k = {.key = p->owner, .tokens_per_minute = 1000};
    struct id call = id_new();
    assert_int_equal(
        OK(f, quota_key_begin, &k, p->owner, call, QUOTA_NEW, 500, 300000, 60000)->verdict,
        QUOTA_OK);
    struct got *g = OK(f, quota_key_begin, &k, p->owner, id_new(), QUOTA_NEW, 500, 1000, 60000);
    assert_int_equal(g->verdict, QUOTA_NEVER);
    assert_true(g->wait_ms > 20000 && g->wait_ms < 33000);
    quota_key_end(f->store, &k, call, -490, 0, 60000, 0); /* it needed ten */
    assert_int_equal(
        OK(f, quota_key_begin, &k, p->owner, id_new(), QUOTA_NEW, 500, 1000, 60000)->verdict,
        QUOTA_OK);
}

CASE(calls_at_once_are_counted_and_a_lost_one_frees_its_place)
{
    struct quota_key k = {.key = p->owner, .concurrent = 2};
    struct id one = id_new(), two = id_new(), three = id_new(), four = id_new();
    assert_int_equal(take(p, &k, one, QUOTA_NEW)->verdict, QUOTA_OK);
    assert_int_equal(take(p, &k, one, QUOTA_NEW)->verdict, QUOTA_OK); /* sent again */
    assert_int_equal(OK(f, quota_key_begin, &k, p->owner, two, QUOTA_NEW, 10, 1000, 500)->verdict,
                     QUOTA_OK);
    assert_int_equal(take(p, &k, three, QUOTA_IN_LINE)->verdict, QUOTA_WAIT);
    quota_key_end(f->store, &k, one, 0, 0, 60000, 0);
    assert_int_equal(take(p, &k, three, QUOTA_IN_LINE)->verdict, QUOTA_OK);
    assert_int_equal(take(p, &k, four, QUOTA_IN_LINE)->verdict, QUOTA_WAIT);
    f->pass(f, 600); /* two was never heard of again */
    assert_int_equal(take(p, &k, four, QUOTA_IN_LINE)->verdict, QUOTA_OK);
}

CASE(refusal_that_one_saw_slows_all)
{
    struct quota_key k = {.key = p->owner};
    assert_int_equal(take(p, &k, id_new(), QUOTA_NEW)->verdict, QUOTA_OK);
    quota_key_end(f->store, &k, id_new(), 0, 10000, 60000, 0);
    struct got *g = take(p, &k, id_new(), QUOTA_NEW);
    assert_int_equal(g->verdict, QUOTA_WAIT);
    assert_true(g->wait_ms > 8000 && g->wait_ms <= 10000);
    assert_int_equal(take(p, &k, id_new(), QUOTA_IN_LINE)->verdict, QUOTA_WAIT);
}

static struct got *reset_keys(struct store_fixture *f)
{
    static struct got g;
    memset(&g, 0, sizeof(g));
    quota_keys_reset(f->store, on_got, &g);
    f->wait(f, &g.done);
    assert_int_equal(g.err, ERR_NONE);
    return &g;
}

CASE(refusal_past_patience_empties_the_line_and_is_lifted_by_hand)
{
    struct quota_key k = {.key = p->owner, .model = STR("openai/some")};
    struct id one = id_new(), two = id_new();
    assert_int_equal(take(p, &k, one, QUOTA_NEW)->verdict, QUOTA_OK);
    quota_key_end(f->store, &k, one, 0, 20000, 60000, 0);
    assert_int_equal(take(p, &k, two, QUOTA_NEW)->verdict, QUOTA_WAIT);
    assert_int_equal(take(p, &k, one, QUOTA_AGAIN)->verdict, QUOTA_WAIT);
    struct got *g = OK(f, quota_key_begin, &k, p->owner, two, QUOTA_IN_LINE, 10, 0, 60000);
    assert_int_equal(g->verdict, QUOTA_NEVER); /* its patience is over */
    quota_key_end(f->store, &k, id_new(), 0, 7200000, 60000, 0);
    g = take(p, &k, one, QUOTA_IN_LINE);
    assert_int_equal(g->verdict, QUOTA_NEVER);
    assert_true(g->wait_ms > 7190000 && g->wait_ms <= 7200000);
    assert_int_equal(take(p, &k, id_new(), QUOTA_NEW)->verdict, QUOTA_NEVER);
    struct quota_key other = {.key = STR("another"), .requests_per_minute = 60};
    assert_int_equal(take(p, &other, id_new(), QUOTA_NEW)->verdict, QUOTA_OK);
    g = reset_keys(f);
    assert_true(g->key_count >= 1); /* other cases have theirs */
    assert_string_equal(g->key_model, "openai/some");
    assert_true(g->key_left_ms > 7190000 && g->key_left_ms <= 7200000);
    assert_int_equal(take(p, &k, id_new(), QUOTA_NEW)->verdict, QUOTA_OK);
    assert_int_equal(reset_keys(f)->key_left_ms, 0);
}

CASE(one_that_was_at_the_provider_waits_for_nobodys_turn)
{
    struct quota_key k = {.key = p->owner, .requests_per_minute = 60};
    while (take(p, &k, id_new(), QUOTA_NEW)->verdict == QUOTA_OK)
        continue;
    int64_t last_ms = 0;
    for (int i = 0; i < 5; i++)
        last_ms = take(p, &k, id_new(), QUOTA_NEW)->wait_ms;
    struct id again = id_new();
    assert_int_equal(take(p, &k, again, QUOTA_AGAIN)->verdict, QUOTA_OK);
    struct got *g = take(p, &k, id_new(), QUOTA_NEW);
    assert_true(g->wait_ms > last_ms + 1112); /* but it counts as any other */
    quota_key_end(f->store, &k, again, 0, 5000, 60000, 0);
    g = take(p, &k, id_new(), QUOTA_AGAIN);
    assert_int_equal(g->verdict, QUOTA_WAIT); /* of a refusal it does wait, before the others */
    assert_true(g->wait_ms > 4000 && g->wait_ms <= 5000);
    assert_true(take(p, &k, id_new(), QUOTA_NEW)->wait_ms > 10000);
}

static int64_t limit_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

CASE(after_a_refusal_calls_go_one_after_the_other_until_they_are_taken)
{
    struct quota_key k = {.key = p->owner}; /* nobody said what it allows */
    struct id one = id_new(), two = id_new();
    assert_int_equal(take(p, &k, one, QUOTA_NEW)->verdict, QUOTA_OK);
    assert_int_equal(take(p, &k, two, QUOTA_NEW)->verdict, QUOTA_OK);
    f->pass(f, 5);
    quota_key_end(f->store, &k, one, 0, 200, 60000, 5);
    quota_key_end(f->store, &k, two, 0, 200, 60000, 5); /* of before: the pace is halved once */
    int64_t low_ms = 0,
            high_ms = 0; /* when the last one may go, on our clock: it was asked between */
    for (int i = 0; i < 10; i++) {
        int64_t before_ms = limit_clock_ms();
        struct got *g = take(p, &k, id_new(), QUOTA_NEW);
        int64_t after_ms = limit_clock_ms();
        assert_int_equal(g->verdict, QUOTA_WAIT);
        if (i > 0) {
            assert_true(g->wait_ms + after_ms > low_ms + 50);
            assert_true(g->wait_ms + before_ms <= high_ms + 102); /* both clocks count whole ms */
        }
        low_ms = g->wait_ms + before_ms;
        high_ms = g->wait_ms + after_ms;
    }
    for (int i = 0; i < 14; i++) { /* 100 ms times 0.9 to the 14th is less than 25 */
        struct id call = id_new();
        f->pass(f, 320);
        struct got *g = take(p, &k, call, QUOTA_IN_LINE);
        assert_int_equal(g->verdict, QUOTA_OK);
        quota_key_end(f->store, &k, call, 0, 0, 60000, 0);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(take(p, &k, id_new(), QUOTA_IN_LINE)->verdict, QUOTA_OK);
}

CASE(pace_of_refusals_is_forgotten_five_seconds_after_the_last)
{
    struct quota_key k = {.key = p->owner};
    for (int i = 0; i < 8; i++) { /* it grows to 100 ms times 2 to the 7th */
        struct id call = id_new();
        take(p, &k, call, QUOTA_IN_LINE);
        f->pass(f, 12);
        quota_key_end(f->store, &k, call, 0, 10, 5, 0);
    }
    f->pass(f, 5200);
    assert_int_equal(take(p, &k, id_new(), QUOTA_NEW)->verdict, QUOTA_OK);
    assert_int_equal(take(p, &k, id_new(), QUOTA_NEW)->verdict, QUOTA_OK);
}

CASE(key_that_nothing_limits_counts_no_calls_until_one_is_refused)
{
    struct quota_key k = {.key = p->owner}, limited = {.key = p->owner, .concurrent = 1};
    struct id two = id_new();
    assert_true(take(p, &k, id_new(), QUOTA_NEW)->open);
    assert_true(take(p, &k, id_new(), QUOTA_NEW)->open); /* and so many at once as there are */
    quota_key_end(f->store, &k, id_new(), 0, 100, 60000, 5000);
    struct got *g = take(p, &k, two, QUOTA_NEW);
    assert_true(g->verdict == QUOTA_WAIT && !g->open);
    quota_key_end(f->store, &k, id_new(), 0, 100, 60000,
                  5000); /* began before: no second refusal */
    f->pass(f, 350);
    g = take(p, &k, two, QUOTA_IN_LINE);
    assert_true(g->verdict == QUOTA_OK && !g->open);
    limited.key = STR("limited, and never refused");
    assert_false(take(p, &limited, id_new(), QUOTA_NEW)->open);
    k.key = limited.key; /* of another model, without limits: it has the same key */
    assert_false(take(p, &k, id_new(), QUOTA_NEW)->open);
}

CASE(what_people_did_is_told_by_many_turns_at_once)
{
    struct got *before = OK(f, tally_read, tally_today());
    unsigned rows = before->tally_count;
    int64_t turns = before->tally_turns, tokens = before->tally_tokens;
    char other[128];
    snprintf(other, sizeof(other), "%s-2", p->owner_text);
    for (int i = 0; i < 100; i++) {
        tally_note(f->store, p->owner, STR("m"), &(struct tally){.turns = 1, .input_tokens = 7});
        tally_note(f->store, str_of(other), STR("m"), &(struct tally){.turns = 1});
    }
    struct got *g = OK(f, tally_read, tally_today());
    assert_int_equal(g->tally_count, rows + 2);
    assert_int_equal(g->tally_turns, turns + 200);
    assert_int_equal(g->tally_tokens, tokens + 700);
    for (int i = 0; i < 70; i++) { /* more than are gathered: none is lost */
        snprintf(other, sizeof(other), "%s+%d", p->owner_text, i);
        tally_note(f->store, str_of(other), STR(""), &(struct tally){.turns = 1});
    }
    assert_int_equal(OK(f, tally_read, tally_today())->tally_count, rows + 72);
}

CASE(turns_at_once_and_a_minute_are_limited_by_person)
{
    struct quota_budget b = {.day = 20000};
    struct id one = id_new(), two = id_new();
    quota_turn_hold(f->store, p->owner, (struct id){{0}}, CASE_LEASE_MS); /* none is none */
#define BEGIN(turn, at_once, per_minute)                                                           \
    OK(f, quota_turn_begin, p->owner, turn, at_once, per_minute, CASE_LEASE_MS, &b)
    assert_int_equal(BEGIN(one, 2, 100)->verdict, QUOTA_OK);
    assert_int_equal(BEGIN(two, 2, 100)->verdict, QUOTA_OK);
    assert_int_equal(BEGIN(two, 2, 100)->verdict, QUOTA_OK); /* sent again */
    assert_int_equal(BEGIN(id_new(), 2, 100)->verdict, QUOTA_WAIT);
    quota_turn_end(f->store, p->owner, one);
    assert_int_equal(BEGIN(id_new(), 2, 100)->verdict, QUOTA_OK);
    f->pass(f, CASE_LEASE_MS * 3 / 5);
    quota_turn_hold(f->store, p->owner, two, CASE_LEASE_MS);
    f->pass(f, CASE_LEASE_MS * 3 / 5); /* the other was lost */
    assert_int_equal(BEGIN(id_new(), 2, 100)->verdict, QUOTA_OK);
    assert_int_equal(BEGIN(id_new(), 2, 100)->verdict, QUOTA_WAIT);
    f->pass(f, CASE_LEASE_MS + 100); /* both were lost */
    assert_int_equal(BEGIN(id_new(), 2, 100)->verdict, QUOTA_OK);
    assert_int_equal(BEGIN(id_new(), 0, 0)->verdict, QUOTA_OK); /* of the minute it is none */
    assert_int_equal(BEGIN(id_new(), 0, 6)->verdict, QUOTA_OK);
    struct got *g = BEGIN(id_new(), 0, 4);
    assert_int_equal(g->verdict, QUOTA_WAIT);
    assert_true(g->wait_ms > 50000 && g->wait_ms <= 60000);
    char scope[128];
    snprintf(scope, sizeof(scope), "o:%.*s", (int)p->owner.len, p->owner.at);
    struct quota_budget spent = {.scope = str_of(scope), .day = 20000, .tokens_max = 10};
    assert_int_equal(reserve(p, &spent, id_new(), 10, 0), QUOTA_OK);
    b.tokens_max = 10;
    assert_int_equal(BEGIN(id_new(), 0, 0)->verdict, QUOTA_TOKENS);
#undef BEGIN
}

#define LIMIT_CASES                                                                                \
    cmocka_unit_test(budget_is_overspent_by_one_step_at_most),                                     \
        cmocka_unit_test(budget_of_cost_and_of_a_turn_are_their_own),                              \
        cmocka_unit_test(requests_of_a_key_go_out_in_line_and_never_more_than_a_minute_allows),    \
        cmocka_unit_test(line_moves_on_when_its_first_go_or_leave),                                \
        cmocka_unit_test(one_persons_many_calls_delay_anothers_by_one),                            \
        cmocka_unit_test(tokens_of_a_key_are_spread_and_settled),                                  \
        cmocka_unit_test(calls_at_once_are_counted_and_a_lost_one_frees_its_place),                \
        cmocka_unit_test(refusal_that_one_saw_slows_all),                                          \
        cmocka_unit_test(refusal_past_patience_empties_the_line_and_is_lifted_by_hand),            \
        cmocka_unit_test(one_that_was_at_the_provider_waits_for_nobodys_turn),                     \
        cmocka_unit_test(after_a_refusal_calls_go_one_after_the_other_until_they_are_taken),       \
        cmocka_unit_test(pace_of_refusals_is_forgotten_five_seconds_after_the_last),               \
        cmocka_unit_test(key_that_nothing_limits_counts_no_calls_until_one_is_refused),            \
        cmocka_unit_test(what_people_did_is_told_by_many_turns_at_once),                           \
        cmocka_unit_test(turns_at_once_and_a_minute_are_limited_by_person)

#endif
