/* The agent by trace: play facts, compare the lines of fact, action, state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "worker/turn/agent.h"

static const struct agent_limits limits = {.calls_max = 3,
                                           .attempts_max = 3,
                                           .invalid_max = 2,
                                           .run_ms_max = 1000,
                                           .tokens_max = 10000,
                                           .said_bytes_max = 100};
struct play {
    struct agent agent;
    int64_t now_ms;
    char trace[4096];
};

static struct play *begin(void)
{
    static struct play p;
    memset(&p, 0, sizeof(p));
    agent_init(&p.agent, &limits);
    return &p;
}

static void play(struct play *p, struct agent_fact f)
{
    f.now_ms = p->now_ms;
    enum agent_act act = agent_step(&p->agent, &f);
    size_t len = strlen(p->trace);
    int n = snprintf(p->trace + len, sizeof(p->trace) - len, "%s > %s", agent_fact_name(f.kind),
                     agent_act_name(act));
    if (act == ACT_SEAL) {
        len += (size_t)n;
        n = snprintf(p->trace + len, sizeof(p->trace) - len, "(%s%s%s)",
                     agent_seal_name(p->agent.seal), p->agent.why ? " " : "",
                     p->agent.why ? err_word(p->agent.why) : "");
    }
    len += (size_t)n;
    snprintf(p->trace + len, sizeof(p->trace) - len, " %s\n", agent_state_name(p->agent.state));
}

#define PLAY(p, ...) play(p, (struct agent_fact){.kind = __VA_ARGS__})
#define LOADED_FRESH(p) PLAY(p, FACT_LOADED, .step = 1, .attempt = 1)

static void answer_without_tools_is_sealed_once_and_finished(void **state)
{
    (void)state;
    struct play *p = begin();
    PLAY(p, FACT_START);
    LOADED_FRESH(p);
    PLAY(p, FACT_REPLIED, .usage.input_tokens = 10, .usage.output_tokens = 5);
    PLAY(p, FACT_SEALED);
    PLAY(p, FACT_SEALED);
    assert_string_equal(p->trace, "START > LOAD LOADING\n"
                                  "LOADED > CALL THINKING\n"
                                  "REPLIED > SEAL(ANSWER) SEALING\n"
                                  "SEALED > FINISH OVER\n"
                                  "SEALED > WAIT OVER\n");
    assert_int_equal(p->agent.usage.input_tokens, 10);
    assert_int_equal(p->agent.usage.output_tokens, 5);
}

static void tools_run_in_parallel_and_the_last_result_seals(void **state)
{
    (void)state;
    struct play *p = begin();
    PLAY(p, FACT_START);
    LOADED_FRESH(p);
    PLAY(p, FACT_REPLIED, .open_calls = 2);
    PLAY(p, FACT_SEALED);
    assert_int_equal(p->agent.step, 2);
    PLAY(p, FACT_TOOLED);
    PLAY(p, FACT_TOOLED);
    PLAY(p, FACT_SEALED);
    assert_int_equal(p->agent.step, 3);
    PLAY(p, FACT_LOADED, .step = 99, .attempt = 99); /* later loads do not move the turn */
    assert_int_equal(p->agent.step, 3);
    assert_int_equal(p->agent.attempt, 1);
    PLAY(p, FACT_REPLIED);
    PLAY(p, FACT_SEALED);
    assert_string_equal(p->trace, "START > LOAD LOADING\n"
                                  "LOADED > CALL THINKING\n"
                                  "REPLIED > SEAL(REPLY) SEALING\n"
                                  "SEALED > TOOLS ACTING\n"
                                  "TOOLED > WAIT ACTING\n"
                                  "TOOLED > SEAL(RESULTS) SEALING\n"
                                  "SEALED > LOAD LOADING\n"
                                  "LOADED > CALL THINKING\n"
                                  "REPLIED > SEAL(ANSWER) SEALING\n"
                                  "SEALED > FINISH OVER\n");
}

/* As often as need be: the step has not begun. */
static void call_that_could_not_begin_is_done_once_more_and_was_no_try(void **state)
{
    (void)state;
    struct play *p = begin();
    PLAY(p, FACT_START);
    LOADED_FRESH(p);
    for (int i = 0; i < 9; i++) {
        PLAY(p, FACT_REDO);
        LOADED_FRESH(p);
    }
    PLAY(p, FACT_FAILED, .err = ERR_MODEL_BROKEN, .again = true);
    assert_int_equal(p->agent.seal, SEAL_AGAIN);
    assert_int_equal(p->agent.attempt, 2);
    PLAY(p, FACT_SEALED);
    PLAY(p, FACT_REDO); /* late */
    assert_int_equal(p->agent.state, AGENT_LOADING);
}

static void turn_taken_over_with_open_calls_runs_them_first(void **state)
{
    (void)state;
    struct play *p = begin();
    PLAY(p, FACT_START);
    PLAY(p, FACT_LOADED, .step = 2, .attempt = 3, .open_calls = 1, .usage.input_tokens = 7);
    PLAY(p, FACT_TOOLED);
    PLAY(p, FACT_SEALED);
    assert_string_equal(p->trace, "START > LOAD LOADING\n"
                                  "LOADED > TOOLS ACTING\n"
                                  "TOOLED > SEAL(RESULTS) SEALING\n"
                                  "SEALED > LOAD LOADING\n");
    assert_int_equal(p->agent.usage.input_tokens, 7);
}

static void calls_that_need_a_yes_leave_this_process(void **state)
{
    (void)state;
    struct play *p = begin();
    PLAY(p, FACT_START);
    LOADED_FRESH(p);
    PLAY(p, FACT_REPLIED, .open_calls = 1, .needs_approval = true);
    PLAY(p, FACT_SEALED);
    assert_string_equal(p->trace, "START > LOAD LOADING\n"
                                  "LOADED > CALL THINKING\n"
                                  "REPLIED > SEAL(AWAIT) SEALING\n"
                                  "SEALED > FINISH OVER\n");
}

static void cancel_while_loading_waits_for_the_load(void **state)
{
    (void)state;
    struct play *p = begin();
    PLAY(p, FACT_CANCEL);
    PLAY(p, FACT_START);
    PLAY(p, FACT_CANCEL);
    LOADED_FRESH(p);
    PLAY(p, FACT_SEALED);
    assert_string_equal(p->trace, "CANCEL > WAIT NEW\n"
                                  "START > LOAD LOADING\n"
                                  "CANCEL > WAIT LOADING\n"
                                  "LOADED > SEAL(CANCELLED) SEALING\n"
                                  "SEALED > FINISH OVER\n");
}

static void cancel_never_undoes_a_write_in_flight(void **state)
{
    (void)state;
    struct play *p = begin();
    PLAY(p, FACT_START);
    LOADED_FRESH(p);
    PLAY(p, FACT_REPLIED, .open_calls = 1);
    PLAY(p, FACT_CANCEL);
    PLAY(p, FACT_SEALED);
    PLAY(p, FACT_SEALED);
    assert_string_equal(p->trace, "START > LOAD LOADING\n"
                                  "LOADED > CALL THINKING\n"
                                  "REPLIED > SEAL(REPLY) SEALING\n"
                                  "CANCEL > WAIT SEALING\n"
                                  "SEALED > SEAL(CANCELLED) SEALING\n"
                                  "SEALED > FINISH OVER\n");
}

static void cancel_of_an_answer_in_flight_comes_too_late(void **state)
{
    (void)state;
    struct play *p = begin();
    PLAY(p, FACT_START);
    LOADED_FRESH(p);
    PLAY(p, FACT_REPLIED);
    PLAY(p, FACT_CANCEL);
    PLAY(p, FACT_SEALED);
    assert_string_equal(p->trace, "START > LOAD LOADING\n"
                                  "LOADED > CALL THINKING\n"
                                  "REPLIED > SEAL(ANSWER) SEALING\n"
                                  "CANCEL > WAIT SEALING\n"
                                  "SEALED > FINISH OVER\n");
}

static void late_reply_after_cancel_is_ignored(void **state)
{
    (void)state;
    struct play *p = begin();
    PLAY(p, FACT_START);
    LOADED_FRESH(p);
    PLAY(p, FACT_CANCEL);
    PLAY(p, FACT_REPLIED, .open_calls = 1);
    PLAY(p, FACT_TOOLED);
    assert_string_equal(p->trace, "START > LOAD LOADING\n"
                                  "LOADED > CALL THINKING\n"
                                  "CANCEL > SEAL(CANCELLED) SEALING\n"
                                  "REPLIED > WAIT SEALING\n"
                                  "TOOLED > WAIT SEALING\n");
}

static void fenced_drops_in_every_state(void **state)
{
    (void)state;
    static const enum agent_state at[] = {AGENT_NEW, AGENT_LOADING, AGENT_THINKING, AGENT_SEALING,
                                          AGENT_ACTING};
    for (int steps = 0; steps < 5; steps++) {
        struct play *p = begin();
        if (steps > 0)
            PLAY(p, FACT_START);
        if (steps > 1)
            LOADED_FRESH(p);
        if (steps > 2)
            PLAY(p, FACT_REPLIED, .open_calls = 1);
        if (steps > 3)
            PLAY(p, FACT_SEALED);
        assert_int_equal(p->agent.state, at[steps]);
        struct agent_fact f = {.kind = FACT_FENCED};
        assert_int_equal(agent_step(&p->agent, &f), ACT_DROP);
        assert_int_equal(p->agent.state, AGENT_OVER);
        assert_int_equal(agent_step(&p->agent, &f), ACT_WAIT);
    }
}

static void broken_reply_begins_the_step_again_and_gives_up_after_three(void **state)
{
    (void)state;
    struct play *p = begin();
    PLAY(p, FACT_START);
    LOADED_FRESH(p);
    for (int i = 0; i < 2; i++) {
        PLAY(p, FACT_FAILED, .err = ERR_MODEL_BROKEN, .again = true);
        PLAY(p, FACT_SEALED);
        LOADED_FRESH(p);
    }
    assert_int_equal(p->agent.attempt, 3);
    PLAY(p, FACT_FAILED, .err = ERR_MODEL_BROKEN, .again = true);
    assert_string_equal(p->trace, "START > LOAD LOADING\n"
                                  "LOADED > CALL THINKING\n"
                                  "FAILED > SEAL(AGAIN) SEALING\n"
                                  "SEALED > LOAD LOADING\n"
                                  "LOADED > CALL THINKING\n"
                                  "FAILED > SEAL(AGAIN) SEALING\n"
                                  "SEALED > LOAD LOADING\n"
                                  "LOADED > CALL THINKING\n"
                                  "FAILED > SEAL(FAILURE model_broken) SEALING\n");
}

static void prompt_too_long_is_tried_once_smaller(void **state)
{
    (void)state;
    struct play *p = begin();
    PLAY(p, FACT_START);
    LOADED_FRESH(p);
    PLAY(p, FACT_FAILED, .err = ERR_CONTEXT_TOO_LONG, .again = true);
    assert_true(p->agent.shrink);
    PLAY(p, FACT_SEALED);
    LOADED_FRESH(p);
    PLAY(p, FACT_FAILED, .err = ERR_CONTEXT_TOO_LONG, .again = true);
    assert_int_equal(p->agent.seal, SEAL_FAILURE);
    assert_int_equal(p->agent.why, ERR_CONTEXT_TOO_LONG);
}

static void refusal_ends_the_turn_at_once(void **state)
{
    (void)state;
    struct play *p = begin();
    PLAY(p, FACT_START);
    LOADED_FRESH(p);
    PLAY(p, FACT_FAILED, .err = ERR_MODEL_REFUSED);
    PLAY(p, FACT_SEALED);
    assert_string_equal(p->trace, "START > LOAD LOADING\n"
                                  "LOADED > CALL THINKING\n"
                                  "FAILED > SEAL(FAILURE model_refused) SEALING\n"
                                  "SEALED > FINISH OVER\n");
}

static void rounds_of_nothing_but_invalid_calls_end_the_turn(void **state)
{
    (void)state;
    for (int batch = 0; batch < 2; batch++) { /* one good call in a batch starts the count anew */
        struct play *p = begin();
        PLAY(p, FACT_START);
        PLAY(p, FACT_LOADED, .step = 2, .attempt = 1, .open_calls = 2);
        PLAY(p, FACT_TOOLED, .invalid = true);
        PLAY(p, FACT_TOOLED, .invalid = batch == 1);
        PLAY(p, FACT_SEALED);
        PLAY(p, FACT_LOADED, .open_calls = 1);
        PLAY(p, FACT_TOOLED, .invalid = true);
        assert_int_equal(p->agent.seal, batch == 0 ? SEAL_RESULTS : SEAL_FAILURE);
        assert_int_equal(p->agent.why, batch == 0 ? ERR_NONE : ERR_MODEL_BROKEN);
    }
}

static void leaving_hands_the_turn_back_but_finishes_a_write(void **state)
{
    (void)state;
    struct play *p = begin();
    PLAY(p, FACT_START);
    LOADED_FRESH(p);
    PLAY(p, FACT_LEAVE);
    assert_string_equal(p->trace, "START > LOAD LOADING\n"
                                  "LOADED > CALL THINKING\n"
                                  "LEAVE > RELEASE OVER\n");
    p = begin();
    PLAY(p, FACT_START);
    LOADED_FRESH(p);
    PLAY(p, FACT_REPLIED, .open_calls = 1);
    PLAY(p, FACT_LEAVE);
    PLAY(p, FACT_SEALED);
    assert_string_equal(p->trace, "START > LOAD LOADING\n"
                                  "LOADED > CALL THINKING\n"
                                  "REPLIED > SEAL(REPLY) SEALING\n"
                                  "LEAVE > WAIT SEALING\n"
                                  "SEALED > RELEASE OVER\n");
}

static void who_waits_for_redis_for_long_gives_the_turn_to_another(void **state)
{
    (void)state;
    struct play *p = begin();
    PLAY(p, FACT_START);
    p->now_ms = 1;
    PLAY(p, FACT_TICK);
    p->now_ms += AGENT_STUCK_MS - 1;
    PLAY(p, FACT_TICK);
    p->now_ms++;
    PLAY(p, FACT_TICK);
    assert_string_equal(p->trace, "START > LOAD LOADING\n"
                                  "TICK > WAIT LOADING\n"
                                  "TICK > WAIT LOADING\n"
                                  "TICK > RELEASE OVER\n");
    p = begin();
    p->now_ms = 1;
    PLAY(p, FACT_START);
    LOADED_FRESH(p);
    PLAY(p, FACT_REPLIED);
    PLAY(p, FACT_TICK);
    PLAY(p, FACT_CANCEL);
    p->now_ms += AGENT_STUCK_MS;
    PLAY(p, FACT_TICK);
    assert_string_equal(p->trace, "START > LOAD LOADING\n"
                                  "LOADED > CALL THINKING\n"
                                  "REPLIED > SEAL(ANSWER) SEALING\n"
                                  "TICK > WAIT SEALING\n"
                                  "CANCEL > WAIT SEALING\n"
                                  "TICK > RELEASE OVER\n");
}

static void every_answer_of_redis_begins_the_wait_anew(void **state)
{
    (void)state;
    struct play *p = begin();
    p->now_ms = 1;
    PLAY(p, FACT_START);
    for (int i = 0; i < 3; i++) { /* each just in time */
        PLAY(p, FACT_TICK);
        p->now_ms += AGENT_STUCK_MS - 1;
        PLAY(p, FACT_LOADED, .open_calls = 1);
        if (p->agent.state != AGENT_ACTING)
            break;
        PLAY(p, FACT_TOOLED);
        PLAY(p, FACT_TICK);
        p->now_ms += AGENT_STUCK_MS - 1;
        PLAY(p, FACT_SEALED);
    }
    assert_int_equal(p->agent.state, AGENT_SEALING); /* it is out of its own time by then */
    assert_int_equal(p->agent.seal, SEAL_FAILURE);
}

static void cancel_is_stronger_than_leave(void **state)
{
    (void)state;
    struct play *p = begin();
    PLAY(p, FACT_START);
    LOADED_FRESH(p);
    PLAY(p, FACT_REPLIED, .open_calls = 1);
    PLAY(p, FACT_CANCEL);
    PLAY(p, FACT_LEAVE);
    PLAY(p, FACT_SEALED);
    assert_int_equal(p->agent.seal, SEAL_CANCELLED);
}

static void limits_end_the_turn_with_their_own_error(void **state)
{
    (void)state;
    struct play *p = begin(); /* wall time, while the model is at it */
    PLAY(p, FACT_START);
    LOADED_FRESH(p);
    p->now_ms = 999;
    PLAY(p, FACT_TICK);
    p->now_ms = 1000;
    PLAY(p, FACT_TICK);
    assert_string_equal(p->trace, "START > LOAD LOADING\n"
                                  "LOADED > CALL THINKING\n"
                                  "TICK > WAIT THINKING\n"
                                  "TICK > SEAL(FAILURE turn_timeout) SEALING\n");
    p = begin(); /* calls of the model: the last one is known as such, and may not ask for tools */
    PLAY(p, FACT_START);
    PLAY(p, FACT_LOADED, .step = 3, .attempt = 1);
    assert_false(agent_last_call(&p->agent));
    p = begin();
    PLAY(p, FACT_START);
    PLAY(p, FACT_LOADED, .step = 5, .attempt = 1);
    assert_true(agent_last_call(&p->agent));
    PLAY(p, FACT_REPLIED, .open_calls = 1);
    assert_int_equal(p->agent.why, ERR_STEP_LIMIT);
    p = begin(); /* tokens */
    PLAY(p, FACT_START);
    LOADED_FRESH(p);
    PLAY(p, FACT_REPLIED, .open_calls = 1, .usage.input_tokens = 9999, .usage.output_tokens = 2);
    assert_int_equal(p->agent.why, ERR_TOKEN_LIMIT);
    p = begin(); /* bytes said, counted anew in each step */
    PLAY(p, FACT_START);
    LOADED_FRESH(p);
    assert_int_equal(agent_said(&p->agent, 100), ERR_NONE);
    PLAY(p, FACT_FAILED, .err = ERR_MODEL_BROKEN, .again = true);
    PLAY(p, FACT_SEALED);
    LOADED_FRESH(p);
    assert_int_equal(agent_said(&p->agent, 100), ERR_NONE);
    assert_int_equal(agent_said(&p->agent, 1), ERR_OUTPUT_LIMIT);
}

static void fallback_counts_as_no_attempt_and_waiting_in_line_as_no_time(void **state)
{
    (void)state;
    struct play *p = begin();
    PLAY(p, FACT_START);
    LOADED_FRESH(p);
    for (int model = 0; model < 5; model++) { /* more than attempts_max */
        PLAY(p, FACT_FAILED, .err = ERR_MODEL_REFUSED, .other_model = true);
        assert_int_equal(p->agent.seal, SEAL_AGAIN);
        PLAY(p, FACT_SEALED);
        LOADED_FRESH(p);
    }
    agent_waited(&p->agent, 5000);
    p->now_ms += 5999;
    PLAY(p, FACT_TICK);
    assert_int_equal(p->agent.state, AGENT_THINKING);
    PLAY(p, FACT_FAILED, .err = ERR_MODEL_REFUSED);
    assert_int_equal(p->agent.why, ERR_MODEL_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fallback_counts_as_no_attempt_and_waiting_in_line_as_no_time),
        cmocka_unit_test(answer_without_tools_is_sealed_once_and_finished),
        cmocka_unit_test(tools_run_in_parallel_and_the_last_result_seals),
        cmocka_unit_test(call_that_could_not_begin_is_done_once_more_and_was_no_try),
        cmocka_unit_test(turn_taken_over_with_open_calls_runs_them_first),
        cmocka_unit_test(calls_that_need_a_yes_leave_this_process),
        cmocka_unit_test(cancel_while_loading_waits_for_the_load),
        cmocka_unit_test(cancel_never_undoes_a_write_in_flight),
        cmocka_unit_test(cancel_of_an_answer_in_flight_comes_too_late),
        cmocka_unit_test(late_reply_after_cancel_is_ignored),
        cmocka_unit_test(fenced_drops_in_every_state),
        cmocka_unit_test(broken_reply_begins_the_step_again_and_gives_up_after_three),
        cmocka_unit_test(prompt_too_long_is_tried_once_smaller),
        cmocka_unit_test(refusal_ends_the_turn_at_once),
        cmocka_unit_test(rounds_of_nothing_but_invalid_calls_end_the_turn),
        cmocka_unit_test(leaving_hands_the_turn_back_but_finishes_a_write),
        cmocka_unit_test(who_waits_for_redis_for_long_gives_the_turn_to_another),
        cmocka_unit_test(every_answer_of_redis_begins_the_wait_anew),
        cmocka_unit_test(cancel_is_stronger_than_leave),
        cmocka_unit_test(limits_end_the_turn_with_their_own_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
