/* tests/support/decision_cases.h: what proto/store/store.h promises of a turn that awaits its
 * person's decision. Run with store_cases[]. */
#ifndef TESTS_SUPPORT_DECISION_CASES_H
#define TESTS_SUPPORT_DECISION_CASES_H

#include "proto/store/turn.h"
#include "tests/support/store_play.h"

#define OTHER_GATEWAY STR("gateway-2")
enum { CASE_WAIT_MS = 60000 };

static struct record_call asked_call(const char *id, const char *arguments)
{
    return (struct record_call){str_of(id), STR("save"), str_of(arguments)};
}

/* The turn's worker has loaded it; the step asks for these calls. */
static struct got *ask_person(struct play *p, uint32_t epoch, uint32_t first, uint32_t last,
                              const struct record_call *calls, unsigned count, int64_t wait_ms)
{
    scoped_buf(b, 1 << 20);
    int64_t now_ms = OK(p->f, store_turn_load, p->session, p->turn, epoch, WORKER)->load.now_ms;
    struct record_message m = {.role = ROLE_ASSISTANT,
                               .turn = p->turn,
                               .step = 1,
                               .content = STR("may I?"),
                               .calls = (struct record_call *)calls,
                               .call_count = count};
    struct store_seal s = {.session = p->session,
                           .turn = p->turn,
                           .epoch = epoch,
                           .last_seq = last,
                           .batch = batch_of(first, last, true, &b),
                           .messages = &m,
                           .message_count = 1,
                           .state = TURN_AWAITING,
                           .step = 2,
                           .approvals = calls,
                           .approval_count = count,
                           .expires_ms = now_ms + wait_ms};
    struct got *g = ASK(p->f, store_turn_seal, &s);
    assert_int_equal(g->err, ERR_NONE);
    assert_int_equal(g->turn.state, TURN_AWAITING);
    return g;
}

static struct got *ask_one(struct play *p, int64_t wait_ms)
{
    struct record_call call = asked_call("c1", "{\"a\":1}");
    return ask_person(p, 1, 2, 3, &call, 1, wait_ms);
}

static struct store_verdict verdict(struct play *p, const struct store_decision *d, unsigned count)
{
    return (struct store_verdict){.owner = p->owner,
                                  .session = p->session,
                                  .turn = p->turn,
                                  .decisions = d,
                                  .count = count,
                                  .holder = GATEWAY};
}

static struct got *decide(struct play *p, struct str owner, struct str holder, const char *id,
                          int what, const char *hash)
{
    struct store_decision d = {str_of(id), str_of(hash),
                               what ? DECISION_APPROVED : DECISION_REFUSED};
    struct store_verdict v = verdict(p, &d, 1);
    v.owner = owner;
    v.holder = holder;
    return ASK(p->f, store_turn_decide, &v);
}

CASE(asked_calls_are_shown_until_they_are_decided)
{
    play_begin(p, "one");
    assert_true(ask_one(p, CASE_WAIT_MS)->turn.decide_ms > CASE_WAIT_MS / 2);
    char hash[RECORD_HASH_TEXT + 1];
    struct record_call call = asked_call("c1", "{\"a\":1}");
    record_call_hash(&call, hash);
    struct got *g = conversation(p);
    assert_int_equal(g->sessions[0].running_state, TURN_AWAITING);
    assert_non_null(strstr(g->sessions[0].asks, "\"call_id\":\"c1\""));
    assert_non_null(strstr(g->sessions[0].asks, "\"arguments\":{\"a\":1}"));
    assert_non_null(strstr(g->sessions[0].asks, hash));
    g = decide(p, p->owner, GATEWAY, "c1", 1, hash);
    assert_int_equal(g->err, ERR_NONE);
    assert_true(g->turn.fresh);
    assert_int_equal(g->turn.state, TURN_RUNNING);
    assert_int_equal(g->turn.epoch, 2);
    assert_true(g->turn.lease_ms > 0);
    assert_string_equal(conversation(p)->sessions[0].asks, "");
}

CASE(decision_reaches_the_worker)
{
    play_begin(p, "one");
    struct record_call calls[] = {asked_call("c1", "{\"a\":1}"), asked_call("c2", "{}")};
    struct store_decision d[] = {{STR("c2"), STR(""), DECISION_REFUSED},
                                 {STR("c1"), STR(""), DECISION_APPROVED}};
    ask_person(p, 1, 2, 3, calls, 2, CASE_WAIT_MS);
    REFUSED(f, ERR_FENCED, store_turn_load, p->session, p->turn, 1, WORKER);
    struct store_verdict one = verdict(p, d, 1), both = verdict(p, d, 2);
    REFUSED(f, ERR_INVALID, store_turn_decide, &one);
    OK(f, store_turn_decide, &both);
    struct got *g = OK(f, store_turn_load, p->session, p->turn, 2, STR("worker-2"));
    assert_int_equal(g->load.step, 2);
    assert_int_equal(g->load.attempt, 1);
    assert_int_equal(g->load.decision_count, 2);
    for (unsigned i = 0; i < 2; i++) {
        bool first = strcmp(g->decisions[i].call_id, "c1") == 0;
        char hash[RECORD_HASH_TEXT + 1];
        record_call_hash(&calls[first ? 0 : 1], hash);
        assert_int_equal(g->decisions[i].what, first ? DECISION_APPROVED : DECISION_REFUSED);
        assert_string_equal(g->decisions[i].hash, hash);
    }
    assert_int_equal(seal(p, 2, 1, 2, TURN_DONE, "done")->err, ERR_NONE);
    assert_string_equal(places(events(p, 1, 2, 1000)), "1-3! 2-1 2-2!");
}

/* Who has the turn next is told that the call may have been done. */
CASE(call_that_began_is_known_to_have)
{
    play_begin(p, "one");
    ask_one(p, CASE_WAIT_MS);
    assert_true(decide(p, p->owner, GATEWAY, "c1", 1, "")->turn.fresh);
    struct str ids[] = {STR("c1"), STR("of nobody")};
    REFUSED(f, ERR_FENCED, store_turn_mark, p->session, p->turn, 2, WORKER, ids, 2);
    assert_int_equal(OK(f, store_turn_load, p->session, p->turn, 2, WORKER)->decisions[0].what,
                     DECISION_APPROVED);
    REFUSED(f, ERR_FENCED, store_turn_mark, p->session, p->turn, 2, STR("worker-2"), ids, 2);
    REFUSED(f, ERR_FENCED, store_turn_mark, p->session, p->turn, 1, WORKER, ids, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(OK(f, store_turn_mark, p->session, p->turn, 2, WORKER, ids, 2)->turn.epoch,
                         2);
    assert_false(decide(p, p->owner, GATEWAY, "c1", 1, "")->turn.fresh);
    assert_int_equal(decide(p, p->owner, GATEWAY, "c1", 0, "")->err, ERR_ALREADY_DECIDED);
    OK(f, store_turn_claim, p->session, p->turn, 2, true, false, GATEWAY);
    REFUSED(f, ERR_FENCED, store_turn_mark, p->session, p->turn, 2, WORKER, ids, 2);
    struct got *g = OK(f, store_turn_load, p->session, p->turn, 3, STR("worker-2"));
    assert_int_equal(g->load.decision_count, 1);
    assert_int_equal(g->decisions[0].what, DECISION_BEGUN);
}

CASE(two_who_decide_are_one_decision)
{
    play_begin(p, "one");
    ask_one(p, CASE_WAIT_MS);
    assert_true(decide(p, p->owner, GATEWAY, "c1", 1, "")->turn.fresh);
    struct got *g = decide(p, p->owner, OTHER_GATEWAY, "c1", 1, "");
    assert_int_equal(g->err, ERR_NONE);
    assert_false(g->turn.fresh);
    assert_int_equal(g->turn.epoch, 2);
    assert_int_equal(decide(p, p->owner, OTHER_GATEWAY, "c1", 0, "")->err, ERR_ALREADY_DECIDED);
    assert_int_equal(seal(p, 2, 1, 1, TURN_DONE, "done")->err, ERR_NONE);
    g = decide(p, p->owner, GATEWAY, "c1", 1, ""); /* and after the end */
    assert_int_equal(g->err, ERR_NONE);
    assert_false(g->turn.fresh);
    assert_int_equal(decide(p, p->owner, GATEWAY, "c1", 0, "")->err, ERR_ALREADY_DECIDED);
}

/* Nothing is lost by it: the question stays open, and what was decided before is answered. */
CASE(decision_without_a_place_among_its_persons_turns_is_not_taken)
{
    play_begin(p, "one");
    ask_one(p, CASE_WAIT_MS);
    struct store_decision d = {STR("c1"), STR(""), DECISION_APPROVED};
    struct store_verdict v = verdict(p, &d, 1);
    v.no_place = true;
    REFUSED(f, ERR_RATE_LIMITED, store_turn_decide, &v);
    assert_int_equal(OK(f, store_turn_get, p->owner, p->session, p->turn)->turn.state,
                     TURN_AWAITING);
    struct store_verdict with = verdict(p, &d, 1);
    with.place = id_new();
    assert_true(OK(f, store_turn_decide, &with)->turn.fresh);
    assert_false(OK(f, store_turn_decide, &v)->turn.fresh);
    struct got *g = OK(f, store_turn_load, p->session, p->turn, 2, WORKER);
    assert_true(id_eq(g->load.place, with.place));
}

CASE(decision_is_for_what_was_asked)
{
    struct store_verdict none;
    play_begin(p, "one");
    assert_int_equal(decide(p, p->owner, GATEWAY, "c1", 1, "")->err, ERR_NOT_AWAITING);
    ask_one(p, CASE_WAIT_MS);
    assert_int_equal(decide(p, STR("mallory"), GATEWAY, "c1", 1, "")->err, ERR_SESSION_NOT_FOUND);
    assert_int_equal(decide(p, p->owner, GATEWAY, "c9", 1, "")->err, ERR_INVALID);
    assert_int_equal(decide(p, p->owner, GATEWAY, "c1", 1, "0123")->err, ERR_INVALID);
    none = verdict(p, NULL, 0);
    REFUSED(f, ERR_INVALID, store_turn_decide, &none);
    assert_int_equal(OK(f, store_turn_get, p->owner, p->session, p->turn)->turn.state,
                     TURN_AWAITING);
    assert_int_equal(OK(f, store_turn_get, p->owner, p->session, p->turn)->turn.epoch, 1);
    OK(f, store_turn_cancel, p->owner, p->session, p->turn);
    assert_int_equal(decide(p, p->owner, GATEWAY, "c1", 1, "")->err, ERR_TURN_OVER);
    p->turn = id_new();
    assert_int_equal(decide(p, p->owner, GATEWAY, "c1", 1, "")->err, ERR_TURN_NOT_FOUND);
}

CASE(decision_that_comes_late_ends_the_turn)
{
    play_begin(p, "one");
    ask_one(p, 100);
    f->pass(f, 150);
    struct got *g = OK(f, store_turn_get, p->owner, p->session, p->turn);
    assert_true(g->turn.state == TURN_AWAITING && g->turn.decide_ms <= 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(decide(p, p->owner, GATEWAY, "c1", 1, "")->err, ERR_DECISION_EXPIRED);
    g = events(p, 1, 3, 1000);
    assert_string_equal(places(g), "2-1!");
    assert_non_null(strstr(g->events[0].payload, "decision_expired"));
    play_begin(p, "the session is free");
}

CASE(nobody_decides_and_a_janitor_ends_it)
{
    play_begin(p, "one");
    ask_one(p, 100);
    f->pass(f, 150);
    OK(f, store_turn_fail, p->session, p->turn, 1, ERR_DECISION_EXPIRED);
    assert_int_equal(decide(p, p->owner, GATEWAY, "c1", 1, "")->err, ERR_DECISION_EXPIRED);
    play_begin(p, "the session is free");
}

CASE(turn_asks_twice_and_an_old_decision_counts_once)
{
    struct record_call second = asked_call("c2", "{}");
    play_begin(p, "one");
    ask_one(p, CASE_WAIT_MS);
    assert_true(decide(p, p->owner, GATEWAY, "c1", 1, "")->turn.fresh);
    ask_person(p, 2, 1, 1, &second, 1, CASE_WAIT_MS);
    struct got *g = decide(p, p->owner, GATEWAY, "c1", 1, ""); /* of the first, again */
    assert_int_equal(g->err, ERR_NONE);
    assert_false(g->turn.fresh);
    assert_int_equal(g->turn.state, TURN_AWAITING);
    assert_int_equal(decide(p, p->owner, GATEWAY, "c1", 0, "")->err, ERR_ALREADY_DECIDED);
    g = decide(p, p->owner, GATEWAY, "c2", 0, "");
    assert_true(g->turn.fresh);
    assert_int_equal(g->turn.epoch, 3);
    assert_int_equal(OK(f, store_turn_load, p->session, p->turn, 3, WORKER)->load.decision_count,
                     2);
}

/* Some models count their calls from one in each reply. */
CASE(call_id_that_means_another_call_now_needs_its_hash)
{
    char old[RECORD_HASH_TEXT + 1], new[RECORD_HASH_TEXT + 1];
    struct record_call first = asked_call("c1", "{\"a\":1}"), second = asked_call("c1", "{}");
    record_call_hash(&first, old);
    record_call_hash(&second, new);
    play_begin(p, "one");
    ask_one(p, CASE_WAIT_MS);
    assert_true(decide(p, p->owner, GATEWAY, "c1", 1, "")->turn.fresh);
    ask_person(p, 2, 1, 1, &second, 1, CASE_WAIT_MS);
    for (int yes = 0; yes < 2; yes++) {
        assert_int_equal(decide(p, p->owner, GATEWAY, "c1", yes, "")->err, ERR_INVALID);
        assert_int_equal(decide(p, p->owner, GATEWAY, "c1", yes, old)->err, ERR_INVALID);
    }
    assert_int_equal(OK(f, store_turn_get, p->owner, p->session, p->turn)->turn.epoch, 2);
    struct got *g = decide(p, p->owner, GATEWAY, "c1", 0, new);
    assert_true(g->err == ERR_NONE && g->turn.fresh && g->turn.epoch == 3);
    g = decide(p, p->owner, OTHER_GATEWAY, "c1", 0, new); /* the same again */
    assert_true(g->err == ERR_NONE && !g->turn.fresh);
    /* Asked a third time, as the second: still no other is meant by the id alone. */
    ask_person(p, 3, 1, 1, &second, 1, CASE_WAIT_MS);
    assert_int_equal(decide(p, p->owner, GATEWAY, "c1", 1, "")->err, ERR_INVALID);
    assert_true(decide(p, p->owner, GATEWAY, "c1", 1, new)->turn.fresh);
}

/* The same call again is the same hash: nothing is to be told apart. */
CASE(call_that_is_asked_about_again_needs_no_hash)
{
    struct record_call call = asked_call("c1", "{\"a\":1}");
    play_begin(p, "one");
    ask_one(p, CASE_WAIT_MS);
    assert_true(decide(p, p->owner, GATEWAY, "c1", 0, "")->turn.fresh);
    ask_person(p, 2, 1, 1, &call, 1, CASE_WAIT_MS);
    assert_true(decide(p, p->owner, GATEWAY, "c1", 1, "")->turn.fresh);
}

CASE(decided_turn_whose_gateway_died_waits_for_its_owner)
{
    play_begin(p, "one");
    ask_one(p, CASE_WAIT_MS);
    decide(p, p->owner, GATEWAY, "c1", 1, "");
    f->pass(f, CASE_LEASE_MS + 30);
    assert_int_equal(
        OK(f, store_turn_claim, p->session, p->turn, 2, false, true, OTHER_GATEWAY)->turn.epoch, 3);
    assert_int_equal(OK(f, store_turn_load, p->session, p->turn, 3, WORKER)->load.decision_count,
                     1);
}

#endif
