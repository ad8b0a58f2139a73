/* A turn by trace: facts in, what it did to the world around it out. */
#include "tests/support/turn_world.h"

static void answer_is_streamed_sealed_and_only_then_final(void **state)
{
    (void)state;
    begin_answer();
    text("Hel");
    text("lo");
    settle();
    text("!");
    expect("load 1\nlive 1-2 step_start#1\ncall m\nlive 1-3 step_progress.text=Hello\n");
    replied(ERR_NONE);
    expect("live 1-4 step_progress.text=!\n"
           "seal done step=2.0 assistant(Hello! stop calls=0): 2 3 4 5 6!\n");
    answer(&w.write, ERR_NONE);
    expect("live 1-5 step_complete\nlive 1-6! turn_complete\nDONE 1 done\n");
    assert_int_equal(worker_turns_running(w.turns), 0);
}

static void what_is_said_is_stored_lazily_and_the_seal_carries_the_rest(void **state)
{
    (void)state;
    begin_answer();
    text("a");
    settle();
    w.trace[0] = '\0';
    tick(50);
    expect("");
    tick(50);
    expect("say 2 3\n");
    text("b");
    settle();
    tick(200); /* one write at a time */
    expect("live 1-4 step_progress.text=b\n");
    replied(ERR_NONE);
    expect("");
    answer(&w.write, ERR_NONE);
    expect("seal done step=2.0 assistant(ab stop calls=0): 4 5 6!\n");
    answer(&w.write, ERR_NONE);
    assert_non_null(strstr(w.trace, "DONE"));
}

static void tools_run_in_parallel_between_two_calls(void **state)
{
    (void)state;
    begin_answer();
    asks("a", "look");
    asks("b", "look");
    replied(ERR_NONE);
    answer(&w.write, ERR_NONE);
    expect("load 1\nlive 1-2 step_start#1\ncall m\n"
           "live 1-3 step_progress.tool_call=writing\nlive 1-4 step_progress.tool_call=writing\n"
           "seal running step=2.1 assistant( tool_calls calls=2): 2 3 4 5\n"
           "live 1-5 step_complete\n"
           "live 1-6 step_start#1\nlive 1-7 step_progress.tool_call=running\n"
           "live 1-8 step_progress.tool_call=running\n"
           "tool look {} token=T1\ntool look {} token=T1\n");
    tooled(1, "two", false);
    tooled(0, "one", false);
    expect("live 1-9 step_progress.tool_call=done\nlive 1-10 step_progress.tool_call=done\n"
           "seal running step=3.1 tool(onetwo  calls=0): 6 7 8 9 10 11\n");
    answer(&w.write, ERR_NONE);
    answer(&w.load, ERR_NONE);
    expect("live 1-11 step_complete\nload 1\nlive 1-12 step_start#1\ncall m\n");
    assert_int_equal(w.messages_shown, 4);
    assert_false(w.last_call);
    text("Done");
    replied(ERR_NONE);
    answer(&w.write, ERR_NONE);
    assert_non_null(strstr(w.trace, "DONE 1 done"));
}

static void second_worker_runs_the_open_calls_and_not_the_model(void **state)
{
    (void)state;
    struct record_call call = {STR("a"), STR("look"), STR("{\"x\":1}")};
    struct record_message m = {
        .role = ROLE_ASSISTANT, .turn = turn, .step = 1, .calls = &call, .call_count = 1};
    buf_init(&w.records[1], 1 << 20);
    record_message_encode(&m, &w.records[w.record_count++]);
    w.loaded = (struct store_load){.step = 2, .attempt = 2, .seq = 0};
    start(2);
    answer(&w.load, ERR_NONE);
    expect("load 2\nlive 2-1 step_start#2\nlive 2-2 step_progress.tool_call=running\n"
           "tool look {\"x\":1} token=T1\n");
    tooled(0, "one", false);
    expect("live 2-3 step_progress.tool_call=done\nseal running step=3.1 tool(one  calls=0): 1 2 3 "
           "4\n");
}

/* Who sees the end asks again, by any gateway, and must not be counted twice. */
static void place_among_a_persons_turns_is_free_before_the_end_is_told(void **state)
{
    (void)state;
    w.quota_id = (struct id){{7}};
    begin_answer();
    w.trace[0] = '\0';
    text("a");
    settle();
    replied(ERR_NONE);
    expect("live 1-3 step_progress.text=a\nplace of o is free\n"
           "seal done step=2.0 assistant(a stop calls=0): 2 3 4 5!\n");
    tick(60000); /* and is not kept any more */
    answer(&w.write, ERR_NONE);
    expect("live 1-4 step_complete\nlive 1-5! turn_complete\nDONE 1 done\n");
}

/* As it was begun it has just been kept; a later epoch may come long after. */
static void place_among_a_persons_turns_is_kept_while_it_runs(void **state)
{
    (void)state;
    w.quota_id = (struct id){{7}};
    begin_answer();
    assert_null(strstr(w.trace, "place "));
    tick(3000);
    assert_non_null(strstr(w.trace, "place o 9000"));
}

static void place_among_a_persons_turns_is_taken_again_in_a_later_epoch(void **state)
{
    (void)state;
    w.quota_id = (struct id){{7}};
    begin_answer_in(2);
    assert_non_null(strstr(w.trace, "place o 9000"));
}

static void fenced_writer_falls_silent(void **state)
{
    (void)state;
    begin_answer();
    text("a");
    settle();
    tick(100);
    w.trace[0] = '\0';
    answer(&w.write, ERR_FENCED);
    expect("DONE 1 none\n"); /* its gateway may know of no other epoch: the session was deleted */
    assert_int_equal(worker_turns_running(w.turns), 0);
}

static void load_that_is_fenced_is_dropped_and_one_that_is_lost_is_tried_again(void **state)
{
    (void)state;
    start(1);
    answer(&w.load, ERR_STORE_UNAVAILABLE);
    expect("load 1\n");
    tick(100);
    expect("");
    tick(200);
    expect("load 1\n");
    answer(&w.load, ERR_FENCED);
    expect("DONE 1 none\n");
    assert_int_equal(worker_turns_running(w.turns), 0);
}

static void seal_is_sent_again_until_redis_answers(void **state)
{
    (void)state;
    begin_answer();
    text("a");
    replied(ERR_NONE);
    w.trace[0] = '\0';
    for (int i = 0; i < 20; i++) {
        answer(&w.write, ERR_STORE_UNAVAILABLE);
        expect("");
        tick(1000);
        expect("seal done step=2.0 assistant(a stop calls=0): 2 3 4 5!\n");
    }
    answer(&w.write, ERR_NONE);
    expect("live 1-4 step_complete\nlive 1-5! turn_complete\nDONE 1 done\n");
}

/* A worker that was frozen or cut off: the turn may have been given to another meanwhile. */
static void late_answer_is_confirmed_before_tools_run(void **state)
{
    (void)state;
    begin_answer();
    asks("a", "look");
    replied(ERR_NONE);
    w.trace[0] = '\0';
    w.now_ms += 2000;
    answer(&w.write, ERR_NONE);
    expect("live 1-4 step_complete\nhold\n");
    answer(&w.write, ERR_FENCED);
    expect("DONE 1 none\n");
    assert_int_equal(w.run_count, 0);
}

static void late_answer_that_is_confirmed_goes_on(void **state)
{
    (void)state;
    begin_answer();
    asks("a", "look");
    replied(ERR_NONE);
    w.now_ms += 2000;
    answer(&w.write, ERR_NONE);
    w.now_ms += 2000; /* asked once: a store that is always slow stops nobody */
    w.trace[0] = '\0';
    answer(&w.write, ERR_NONE);
    expect("live 1-5 step_start#1\nlive 1-6 step_progress.tool_call=running\n"
           "tool look {} token=T1\n");
}

static void late_load_is_asked_once_more(void **state)
{
    (void)state;
    start(1);
    w.now_ms += 2000;
    answer(&w.load, ERR_NONE);
    expect("load 1\nload 1\n");
    w.now_ms += 2000;
    answer(&w.load, ERR_NONE);
    expect("live 1-2 step_start#1\ncall m\n");
}

static void say_that_may_have_been_stored_is_repeated_as_it_was(void **state)
{
    (void)state;
    begin_answer();
    text("a");
    settle();
    tick(100);
    answer(&w.write, ERR_STORE_UNAVAILABLE);
    text("b");
    settle();
    w.trace[0] = '\0';
    tick(100);
    expect("say 2 3\n");
    answer(&w.write, ERR_NONE);
    tick(100);
    expect("say 4\n");
}

static void backlog_that_grows_too_long_ends_the_turn_when_redis_is_back(void **state)
{
    (void)state;
    begin_answer();
    for (int i = 0; i < 80; i++, w.now_ms += 20) {
        if (w.llm)
            text("x");
        settle();
    }
    assert_null(w.llm); /* the model is not read any more */
    assert_non_null(strstr(w.trace, "seal failed"));
    w.trace[0] = '\0';
    answer(&w.write, ERR_NONE);
    assert_non_null(strstr(w.trace, "! error=The conversation store is not available"));
    assert_non_null(strstr(w.trace, "DONE 1 failed"));
}

static void cancel_stops_the_model_and_keeps_what_was_said(void **state)
{
    (void)state;
    begin_answer();
    text("Half an ans");
    worker_turns_cancel(w.turns, turn);
    settle();
    assert_null(w.llm);
    expect("load 1\nlive 1-2 step_start#1\ncall m\nlive 1-3 step_progress.text=Half an ans\n"
           "seal cancelled step=1.0 assistant(Half an ans cancelled calls=0): 2 3 4!\n");
    answer(&w.write, ERR_NONE);
    expect("live 1-4! turn_cancelled\nDONE 1 cancelled\n");
}

static void cancel_that_redis_tells_of_counts_too(void **state)
{
    (void)state;
    w.loaded.cancel = true;
    start(1);
    answer(&w.load, ERR_NONE);
    expect("load 1\nseal cancelled step=1.0: 2!\n");
}

static void cancel_stops_running_tools(void **state)
{
    (void)state;
    begin_answer();
    asks("a", "look");
    replied(ERR_NONE);
    answer(&w.write, ERR_NONE);
    w.trace[0] = '\0';
    worker_turns_cancel(w.turns, turn);
    settle();
    assert_non_null(strstr(w.trace, "seal cancelled step=2.0:"));
    assert_non_null(strstr(w.trace, "tool cancelled"));
}

static void broken_stream_begins_a_new_attempt_and_then_gives_up(void **state)
{
    (void)state;
    begin_answer();
    text("Hal");
    w.trace[0] = '\0';
    replied(ERR_MODEL_BROKEN);
    expect("live 1-3 step_progress.text=Hal\nseal running step=1.2: 2 3 4\n");
    answer(&w.write, ERR_NONE);
    w.loaded.attempt = 7; /* what later loads say of attempts does not matter here */
    answer(&w.load, ERR_NONE);
    expect("live 1-4 step_start#2\nload 1\ncall m\n");
    text("Again");
    replied(ERR_MODEL_BROKEN);
    expect("live 1-5 step_progress.text=Again\n"
           "seal failed step=1.0 assistant(Again error calls=0): 5 6!\n");
    answer(&w.write, ERR_NONE);
    expect("live 1-6! error=It broke\nDONE 1 failed\n");
}

static void refused_token_is_asked_for_and_the_call_run_again(void **state)
{
    (void)state;
    begin_answer();
    asks("a", "look");
    asks("b", "look");
    replied(ERR_NONE);
    answer(&w.write, ERR_NONE);
    w.trace[0] = '\0';
    tooled(0, "", true);
    tooled(1, "", true);
    expect("NEED_TOKEN 1\n");
    worker_turns_token(w.turns, turn, 1, secret_new(STR("T2")));
    settle();
    expect("tool look {} token=T2\ntool look {} token=T2\n");
    tooled(2, "one", false);
    tooled(3, "refused", true); /* the fresh one, too: the datasource's own 401 */
    assert_null(strstr(w.trace, "NEED_TOKEN"));
    assert_null(strstr(w.trace, "seal failed"));
    assert_non_null(strstr(w.trace, "refused"));
}

/* Of a model that is a datasource of Perses. */
static void token_that_the_model_refused_is_asked_for_and_the_call_begun_anew(void **state)
{
    (void)state;
    begin_answer();
    w.trace[0] = '\0';
    w.unauthorized = true;
    replied(ERR_MODEL_REFUSED);
    expect("NEED_TOKEN 1\n");
    worker_turns_token(w.turns, turn, 1, secret_new(STR("T2")));
    settle();
    expect("load 1\n");
    answer(&w.load, ERR_NONE);
    expect("call m\n"); /* the step had begun, and this is the same attempt */
    reply_fail(&w.llm->reply, ERR_MODEL_REFUSED, false, "It broke");
    w.llm->handler->on_done(w.llm->arg, ERR_MODEL_REFUSED); /* the fresh one, too: it is the key */
    settle();
    assert_non_null(strstr(w.trace, "seal failed"));
    answer(&w.write, ERR_NONE);
    assert_non_null(strstr(w.trace, "! error=It broke"));
    end(NULL);
    begin(NULL);
    begin_answer(); /* cancelled meanwhile */
    w.unauthorized = true;
    replied(ERR_MODEL_REFUSED);
    worker_turns_cancel(w.turns, turn);
    settle();
    assert_non_null(strstr(w.trace, "seal cancelled"));
    worker_turns_token(w.turns, turn, 1, secret_new(STR("T2")));
    settle();
    answer(&w.write, ERR_NONE);
    assert_non_null(strstr(w.trace, "DONE 1 cancelled"));
    end(NULL);
    begin(NULL);
    begin_answer(); /* there is none */
    w.unauthorized = true;
    replied(ERR_MODEL_REFUSED);
    worker_turns_token(w.turns, turn, 1, NULL);
    settle();
    answer(&w.write, ERR_NONE);
    assert_non_null(strstr(w.trace, "! error=The sign-in to Perses expired"));
    end(NULL);
    begin(NULL);
    begin_answer(); /* nobody to ask: it waits for its owner */
    w.unauthorized = w.link.dead = true;
    w.trace[0] = '\0';
    replied(ERR_MODEL_REFUSED);
    expect("release 1\n");
    answer(&w.write, ERR_NONE);
}

static void
no_token_to_be_had_ends_the_turn_and_without_a_gateway_it_waits_for_its_owner(void **state)
{
    (void)state;
    begin_answer();
    asks("a", "look");
    replied(ERR_NONE);
    answer(&w.write, ERR_NONE);
    tooled(0, "", true);
    w.link.dead = true;
    w.trace[0] = '\0';
    tick(5000);
    expect("release 1\n");
    answer(&w.write, ERR_NONE);
    assert_int_equal(worker_turns_running(w.turns), 0);
    w.link.dead = false;
    w.record_count = 1;
    buf_free(&w.records[1]);
    begin_answer();
    asks("a", "look");
    replied(ERR_NONE);
    answer(&w.write, ERR_NONE);
    tooled(1, "", true);
    worker_turns_token(w.turns, turn, 1, NULL);
    settle();
    answer(&w.write, ERR_NONE);
    assert_non_null(strstr(w.trace, "! error=The sign-in to Perses expired"));
}

static void leaving_hands_the_turn_back(void **state)
{
    (void)state;
    begin_answer();
    text("a");
    settle();
    w.trace[0] = '\0';
    worker_turns_leave(w.turns);
    settle();
    expect("release 1\n");
    assert_null(w.llm);
    answer(&w.write, ERR_NONE);
    expect("RELEASE 1 leaving\n");
    assert_int_equal(worker_turns_running(w.turns), 0);
    start(1);
    expect("RELEASE 1 leaving\n");
}

/* Its gateway is told, whether Redis takes note or not: another worker's way there may be open. */
static void who_can_not_seal_for_long_hands_the_turn_back(void **state)
{
    (void)state;
    for (int noted = 0; noted < 2; noted++) {
        begin_answer_in(1 + (uint32_t)noted);
        text("a");
        replied(ERR_NONE);
        tick(1);
        w.trace[0] = '\0';
        tick(59000);
        assert_null(strstr(w.trace, "release"));
        tick(2000);
        settle();
        assert_non_null(strstr(w.trace, "release"));
        if (noted)
            answer(&w.write, ERR_NONE);
        else
            tick(3000);
        settle();
        assert_non_null(
            strstr(w.trace, noted ? "RELEASE 2 leaving\n" : "RELEASE 1 store_unavailable\n"));
        assert_null(strstr(w.trace, "DONE"));
        assert_int_equal(worker_turns_running(w.turns), 0);
    }
}

static void full_worker_hands_back_at_once_and_a_turn_said_twice_is_one(void **state)
{
    (void)state;
    start(1);
    start(1);
    expect("load 1\n");
    struct id other = {{9}};
    worker_turns_start(w.turns, &w.link,
                       &(struct hub_turn){.session = session, .turn = other, .epoch = 1}, NULL);
    expect("RELEASE 1 full\n");
    start(2); /* given up for dead and dispatched to us again */
    expect("DONE 1 none\nload 2\n");
    start(1); /* of a gateway that has lost it since */
    expect("DONE 1 none\n");
    assert_int_equal(worker_turns_running(w.turns), 1);
}

static void call_that_needs_a_yes_leaves_the_turn_awaiting(void **state)
{
    (void)state;
    begin_answer();
    w.trace[0] = '\0';
    asks("a", "save");
    replied(ERR_NONE);
    answer(&w.write, ERR_NONE);
    expect("live 1-3 step_progress.tool_call=writing\n"
           "seal awaiting step=2.0 assistant( tool_calls calls=1) asks=a until=86400000: 2 3 4 5!\n"
           "live 1-4 step_complete\nlive 1-5! turn_awaiting_input\nDONE 1 awaiting\n");
}

/* Decided, it takes the same path as a turn that was taken over; and a decision is for the call as
 * the person saw it. */
static void decided_calls_run_as_they_were_decided(void **state)
{
    (void)state;
    begin_answer();
    asks("a", "save");
    asks("b", "save");
    asks("c", "save");
    replied(ERR_NONE);
    answer(&w.write, ERR_NONE);
    w.trace[0] = '\0';
    char hash[RECORD_HASH_TEXT + 1];
    record_call_hash(&(struct record_call){STR("a"), STR("save"), STR("{}")}, hash);
    struct store_decision said[] = {{STR("a"), str_of(hash), DECISION_APPROVED},
                                    {STR("b"), STR("of other arguments"), DECISION_APPROVED},
                                    {STR("c"), str_of(hash), DECISION_REFUSED}};
    w.loaded = (struct store_load){.step = 2, .attempt = 1, .decisions = said, .decision_count = 3};
    begin_answer_in(2);
    expect(
        "load 2\nlive 2-1 step_start#1\nlive 2-2 step_progress.tool_call=running\n"
        "live 2-3 step_progress.tool_call=running\nlive 2-4 step_progress.tool_call=running\n"
        "tool save {} token=T1 approved\ntool save {} token=T1\ntool save {} token=T1 refused\n");
    w.loaded.decision_count = 0;
}

static void call_id_that_was_asked_before_becomes_another(void **state)
{
    (void)state;
    struct store_decision said[] = {{STR("a"), STR("x"), DECISION_APPROVED}};
    w.loaded.decisions = said;
    w.loaded.decision_count = 1;
    begin_answer();
    w.trace[0] = '\0';
    asks("a", "save");
    replied(ERR_NONE);
    assert_non_null(strstr(w.trace, "asks=call_again_1_0 "));
    w.loaded.decision_count = 0;
}

static void lease_is_held_while_the_model_thinks(void **state)
{
    (void)state;
    begin_answer();
    tick(100);
    answer(&w.write, ERR_NONE);
    w.trace[0] = '\0';
    tick(2999);
    expect("");
    tick(1);
    expect("hold\n");
    w.loaded.cancel = true;
    answer(&w.write, ERR_NONE);
    assert_non_null(strstr(w.trace, "seal cancelled"));
}

static void limits_end_the_turn(void **state)
{
    (void)state;
    begin_answer();
    char big[120];
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    text(big);
    settle();
    assert_non_null(strstr(w.trace, "seal failed"));
    answer(&w.write, ERR_NONE);
    assert_non_null(strstr(w.trace, "! error=The answer grew larger than it may"));
    w.record_count = 1;
    buf_free(&w.records[1]);
    w.trace[0] = '\0';
    begin_answer();
    tick(100);
    answer(&w.write, ERR_NONE);
    tick(60000);
    assert_non_null(strstr(w.trace, "hold")); /* it had begun in the same tick */
    answer(&w.write, ERR_NONE);
    assert_non_null(strstr(w.trace, "seal failed"));
    w.loaded.step = 5;
}

static void last_call_gets_no_tools(void **state)
{
    (void)state;
    w.loaded.step = 5;
    begin_answer();
    assert_true(w.last_call);
}

/* Of a call: 10 + 2 tokens, or what was known of it when it ended. */
static void tokens_of_lost_attempts_and_of_stopped_calls_are_counted(void **state)
{
    (void)state;
    w.loaded.usage = (struct usage){100, 50, 7, 1000};
    begin_answer();
    text("Hal");
    reply_usage(&w.llm->reply, 10, 2, 4);
    replied(ERR_MODEL_BROKEN);
    assert_int_equal(w.sealed.input_tokens, 110);
    assert_int_equal(w.sealed.output_tokens, 52);
    assert_int_equal(w.sealed.cached_tokens, 11);
    assert_int_equal(w.sealed.cost, 1003);
    answer(&w.write, ERR_NONE);
    answer(&w.load, ERR_NONE);
    text("Half");
    reply_usage(&w.llm->reply, 20, 3, 0);
    worker_turns_cancel(w.turns, turn);
    settle();
    assert_int_equal(w.sealed.input_tokens, 130);
    assert_int_equal(w.sealed.output_tokens, 55);
    assert_int_equal(w.sealed.cost, 1006);
    struct record_message m;
    assert_int_equal(record_message_decode(buf_str(&w.sealing[0]), &m), ERR_NONE);
    assert_int_equal(m.usage.input_tokens, 20);
    record_message_free(&m);
    answer(&w.write, ERR_NONE);
}

/* Messages 1 to 4 of older turns before the question, too long together for a window of 114 KB. */
static void grow_old(void)
{
    static const size_t lens[] = {1, 100000, 1, 30000};
    char *talk = malloc(100000);
    memset(talk, 'y', 100000);
    w.records[4] = w.records[0];
    for (unsigned i = 0; i < 4; i++) {
        struct record_message m = {
            .role = i % 2 ? ROLE_ASSISTANT : ROLE_USER, .turn = {{9}}, .content = {talk, lens[i]}};
        buf_init(&w.records[i], 1 << 20);
        record_message_encode(&m, &w.records[i]);
    }
    w.record_count = 5;
    free(talk);
}

static void old_turns_are_summarised_before_the_call(void **state)
{
    (void)state;
    grow_old();
    w.loaded.session.revision = 7;
    begin_answer();
    expect("load 1\nlive 1-2 step_start#1\nlive 1-3 step_progress.notice=This conversation is too "
           "long for the model: the oldest 2 messages are being summarised for it.\nsummary m\n");
    assert_int_equal(w.messages_shown, 1);
    assert_true(w.last_call); /* no tools */
    assert_non_null(strstr(w.first, "{\"person\":\"y\"}\n{\"assistant\":\"yyy"));
    text("They ");
    text("talked.");
    replied(ERR_NONE);
    expect("summary 1 rev=7 to=2 They talked.\n");
    answer(&w.summary, ERR_NONE);
    expect("load 1\n");
    w.loaded.session.summary = STR("They talked.");
    w.loaded.session.summary_to = 2;
    answer(&w.load, ERR_NONE);
    expect("call m\n"); /* the step had begun */
    assert_non_null(strstr(w.system, "{\"summary\":\"They talked.\"}"));
    assert_null(strstr(w.system, "are not shown to you"));
    text("Done");
    replied(ERR_NONE);
    assert_int_equal(w.sealed.input_tokens, 20); /* of both calls */
    assert_int_equal(w.sealed.cost, 6);
    struct record_message m;
    assert_int_equal(record_message_decode(buf_str(&w.sealing[0]), &m), ERR_NONE);
    assert_true(str_is(m.content, "Done"));
    assert_int_equal(m.usage.input_tokens, 10);
    record_message_free(&m);
    answer(&w.write, ERR_NONE);
    assert_non_null(strstr(w.trace, "DONE 1 done"));
}

static void without_a_summary_the_turn_goes_on_and_says_what_is_left_out(void **state)
{
    (void)state;
    for (int how = 0; how < 2; how++) {
        grow_old();
        begin_answer();
        w.trace[0] = '\0';
        if (how == 0) {
            replied(ERR_MODEL_UNAVAILABLE);
        } else {
            text("They talked.");
            replied(ERR_NONE);
            w.trace[0] = '\0';
            answer(&w.summary, ERR_STORE_UNAVAILABLE);
        }
        expect("load 1\n");
        answer(&w.load, ERR_NONE);
        expect("live 1-4 step_progress.notice=This conversation is too long for the model: it does "
               "not see the oldest 2 messages.\ncall m\n");
        assert_non_null(strstr(w.system, "oldest 2 messages are not shown to you"));
        text("Done");
        replied(ERR_NONE);
        answer(&w.write, ERR_NONE);
        assert_non_null(strstr(w.trace, "DONE 1 done"));
        end(NULL);
        begin(NULL);
    }
}

static void turn_that_ends_while_old_ones_are_summarised_keeps_nothing_of_that(void **state)
{
    (void)state;
    grow_old();
    begin_answer();
    text("They talked");
    reply_usage(&w.llm->reply, 10, 2, 0);
    w.trace[0] = '\0';
    worker_turns_cancel(w.turns, turn);
    settle();
    expect("seal cancelled step=1.0: 2 3 4!\n");
    assert_int_equal(w.sealed.input_tokens, 10);
    answer(&w.write, ERR_NONE);
    end(NULL);
    begin(NULL);
    grow_old();
    begin_answer();
    text("They talked");
    replied(ERR_NONE);
    w.trace[0] = '\0';
    worker_turns_leave(w.turns); /* while it is stored */
    settle();
    expect("release 1\n");
    assert_null(w.summary.fn);
    answer(&w.write, ERR_NONE);
}

static void what_ends_a_turn_after_a_summary_keeps_nothing_of_that_either(void **state)
{
    (void)state;
    grow_old();
    begin_answer();
    text("They talked");
    replied(ERR_NONE);
    answer(&w.summary, ERR_NONE);
    worker_turns_cancel(w.turns, turn); /* while it is loaded */
    settle();
    w.trace[0] = '\0';
    answer(&w.load, ERR_NONE);
    expect("seal cancelled step=1.0: 2 3 4!\n");
    assert_int_equal(w.sealed.input_tokens, 10);
    answer(&w.write, ERR_NONE);
}

static void summary_that_a_token_was_refused_for_is_asked_for_again(void **state)
{
    (void)state;
    grow_old();
    begin_answer();
    w.unauthorized = true;
    w.trace[0] = '\0';
    replied(ERR_MODEL_REFUSED);
    expect("NEED_TOKEN 1\n");
    worker_turns_token(w.turns, turn, 1, secret_new(STR("T2")));
    settle();
    answer(&w.load, ERR_NONE);
    assert_non_null(strstr(w.trace, "summary m\n"));
    w.trace[0] = '\0';
    replied(ERR_MODEL_REFUSED); /* again: it goes on without */
    answer(&w.load, ERR_NONE);
    assert_non_null(strstr(w.trace, "call m\n"));
    text("Done");
    replied(ERR_NONE);
    answer(&w.write, ERR_NONE);
    assert_non_null(strstr(w.trace, "DONE 1 done"));
}

int main(void)
{
    secret_setup();
    meters_init(&w.meters);
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(answer_is_streamed_sealed_and_only_then_final),
        TEST(what_is_said_is_stored_lazily_and_the_seal_carries_the_rest),
        TEST(tools_run_in_parallel_between_two_calls),
        TEST(second_worker_runs_the_open_calls_and_not_the_model),
        TEST(place_among_a_persons_turns_is_kept_while_it_runs),
        TEST(place_among_a_persons_turns_is_taken_again_in_a_later_epoch),
        TEST(fenced_writer_falls_silent),
        TEST(place_among_a_persons_turns_is_free_before_the_end_is_told),
        TEST(load_that_is_fenced_is_dropped_and_one_that_is_lost_is_tried_again),
        TEST(seal_is_sent_again_until_redis_answers),
        TEST(late_answer_is_confirmed_before_tools_run),
        TEST(late_answer_that_is_confirmed_goes_on),
        TEST(late_load_is_asked_once_more),
        TEST(say_that_may_have_been_stored_is_repeated_as_it_was),
        TEST(backlog_that_grows_too_long_ends_the_turn_when_redis_is_back),
        TEST(cancel_stops_the_model_and_keeps_what_was_said),
        TEST(cancel_that_redis_tells_of_counts_too),
        TEST(tokens_of_lost_attempts_and_of_stopped_calls_are_counted),
        TEST(old_turns_are_summarised_before_the_call),
        TEST(without_a_summary_the_turn_goes_on_and_says_what_is_left_out),
        TEST(turn_that_ends_while_old_ones_are_summarised_keeps_nothing_of_that),
        TEST(what_ends_a_turn_after_a_summary_keeps_nothing_of_that_either),
        TEST(summary_that_a_token_was_refused_for_is_asked_for_again),
        TEST(cancel_stops_running_tools),
        TEST(broken_stream_begins_a_new_attempt_and_then_gives_up),
        TEST(refused_token_is_asked_for_and_the_call_run_again),
        TEST(no_token_to_be_had_ends_the_turn_and_without_a_gateway_it_waits_for_its_owner),
        TEST(token_that_the_model_refused_is_asked_for_and_the_call_begun_anew),
        TEST(leaving_hands_the_turn_back),
        TEST(full_worker_hands_back_at_once_and_a_turn_said_twice_is_one),
        TEST(who_can_not_seal_for_long_hands_the_turn_back),
        TEST(call_that_needs_a_yes_leaves_the_turn_awaiting),
        TEST(decided_calls_run_as_they_were_decided),
        TEST(call_id_that_was_asked_before_becomes_another),
        TEST(lease_is_held_while_the_model_thinks),
        TEST(limits_end_the_turn),
        TEST(last_call_gets_no_tools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
