/* What is looked up for a question, and what is doubted of an answer: by trace, as test_turn.c. */
#include "tests/support/turn_world.h"

#define FOUND "{\"metric\":\"rooms\",\"type\":\"gauge\"}\n{\"metric\":\"doors\"}"

static void begin_looking(void)
{
    w.looks_up = true;
    start(1);
    answer(&w.load, ERR_NONE);
    assert_non_null(strstr(w.trace, "look up {\"question\":\"q\",\"queried\":\"\"}"));
    assert_null(w.llm);
    w.trace[0] = '\0';
}

/* The model goes on without what is looked up. */
static void begin_late(void)
{
    begin_looking();
    w.late.fn(w.late.arg);
    settle();
    answer(&w.load, ERR_NONE);
}

static void begin_told(void)
{
    begin_looking();
    tooled(0, FOUND, false);
    answer(&w.load, ERR_NONE);
    w.trace[0] = '\0';
}

static void what_fits_stands_beside_the_question_and_is_shown(void **state)
{
    (void)state;
    begin_looking();
    tooled(0, FOUND, false);
    expect("load 1\n");
    answer(&w.load, ERR_NONE);
    expect("live 1-2 step_start#1\n"
           "live 1-3 step_progress.notice=Looked up for the model: rooms, doors\ncall m\n");
    assert_non_null(strstr(w.last, "q\n\n[Said by PersAI"));
    assert_non_null(strstr(w.last, FOUND));
    assert_null(strstr(w.system, "rooms"));
}

static void what_was_loaded_is_kept_meanwhile(void **state)
{
    (void)state;
    w.keeps = true;
    begin_looking();
    tooled(0, FOUND, false);
    expect("live 1-2 step_start#1\n"
           "live 1-3 step_progress.notice=Looked up for the model: rooms, doors\ncall m\n");
    assert_non_null(strstr(w.last, FOUND));
}

static void what_was_kept_by_one_that_was_frozen_is_loaded_again(void **state)
{
    (void)state;
    w.keeps = true;
    begin_looking();
    w.now_ms += 60000;
    tooled(0, FOUND, false);
    expect("load 1\n");
}

static void what_is_not_there_in_time_is_not_waited_for(void **state)
{
    (void)state;
    begin_looking();
    assert_true(w.late.active);
    w.late.fn(w.late.arg);
    settle();
    expect("load 1\n");
    answer(&w.load, ERR_NONE);
    expect("live 1-2 step_start#1\ncall m\n");
    assert_null(strstr(w.last, "Metrics"));
}

/* A catalog that was not there in time: the model is not waited for, its next call has it. */
static void what_comes_late_stands_beside_the_question_of_the_next_call(void **state)
{
    (void)state;
    begin_late();
    w.trace[0] = '\0';
    tooled(0, FOUND, false);
    expect("");
    text("I am sure that all of the rooms are as they were; nobody has left any of them.");
    replied(ERR_NONE);
    answer(&w.write, ERR_NONE);
    answer(&w.load, ERR_NONE);
    assert_non_null(strstr(w.trace, "Looked up for the model: rooms, doors"));
    assert_non_null(strstr(w.last, "stand beside the question"));
    assert_int_equal(w.messages_shown, 3);
    text("Fine.");
    w.trace[0] = '\0';
    replied(ERR_NONE);
    answer(&w.write, ERR_NONE);
    assert_non_null(strstr(w.trace, "DONE 1 done"));
}

/* As long as it may come, it is not known whether the question is about data at all. */
static void what_may_still_come_is_no_reason_to_doubt(void **state)
{
    (void)state;
    begin_late();
    text("A histogram counts in 12 buckets.");
    replied(ERR_NONE);
    answer(&w.write, ERR_NONE);
    assert_non_null(strstr(w.trace, "tool cancelled"));
    assert_non_null(strstr(w.trace, "DONE 1 done"));
}

/* A small model makes them up; a large one may be asked about something else altogether. */
static void numbers_of_a_small_model_are_doubted_where_nothing_can_be_looked_up(void **state)
{
    (void)state;
    for (int small = 0; small < 2; small++) {
        if (small) {
            assert_int_equal(end(state), 0);
            assert_int_equal(begin(state), 0);
        }
        ((struct model *)models_find(w.models, STR("")))->small = small;
        begin_looking();
        tooled(0, "no", true);
        answer(&w.load, ERR_NONE);
        text("There are 7 rooms.");
        replied(ERR_NONE);
        answer(&w.write, ERR_NONE);
        if (!small)
            assert_non_null(strstr(w.trace, "DONE 1 done"));
    }
    answer(&w.load, ERR_NONE);
    assert_non_null(strstr(w.last, "your answer states numbers"));
    w.trace[0] = '\0';
    text("There are 7 rooms.");
    replied(ERR_NONE);
    assert_non_null(strstr(w.trace, "There are 7 rooms.\n\n> No data was read for this answer."));
    answer(&w.write, ERR_NONE);
    assert_non_null(strstr(w.trace, "DONE 1 done"));
}

static void look_up_that_fails_or_finds_nothing_says_nothing(void **state)
{
    (void)state;
    begin_looking();
    tooled(0, "refused", true);
    answer(&w.load, ERR_NONE);
    expect("load 1\nlive 1-2 step_start#1\ncall m\n");
    text("Hi");
    replied(ERR_NONE);
    answer(&w.write, ERR_NONE);
    assert_non_null(strstr(w.trace, "DONE 1 done")); /* and nothing is doubted */
}

static void cancel_while_it_looks_up_stops_that(void **state)
{
    (void)state;
    begin_looking();
    worker_turns_cancel(w.turns, turn);
    settle();
    assert_non_null(strstr(w.trace, "tool cancelled"));
    assert_non_null(strstr(w.trace, "seal cancelled"));
    answer(&w.write, ERR_NONE);
    assert_int_equal(worker_turns_running(w.turns), 0);
}

static void answer_without_data_is_given_back_once_and_then_marked(void **state)
{
    (void)state;
    begin_told();
    text("There are 7 rooms.");
    replied(ERR_NONE);
    expect("live 1-4 step_progress.text=There are 7 rooms.\nseal running step=1.2: 2 3 4 5\n");
    answer(&w.write, ERR_NONE);
    answer(&w.load, ERR_NONE);
    expect("live 1-5 step_start#2\nload 1\ncall m\n");
    assert_non_null(strstr(w.last, "you have read no data"));
    assert_int_equal(w.messages_shown, 3); /* the question, what it said, what is wrong with it */
    text("There are 7 rooms.");
    replied(ERR_NONE);
    assert_non_null(strstr(w.trace, "There are 7 rooms.\n\n> No data was read for this answer."));
    answer(&w.write, ERR_NONE);
    assert_non_null(strstr(w.trace, "DONE 1 done"));
}

static void read_one(const char *result)
{
    asks("a", "execute_instant_query");
    replied(ERR_NONE);
    answer(&w.write, ERR_NONE);
    tooled(1, result, false);
    answer(&w.write, ERR_NONE);
    answer(&w.load, ERR_NONE);
    w.trace[0] = '\0';
}

static void numbers_that_no_result_has_are_given_back_once(void **state)
{
    (void)state;
    begin_told();
    read_one("{\"series_total\":1,\"series_shown\":1,\"series\":[{\"value\":4}]}");
    text("There are 7 rooms.");
    replied(ERR_NONE);
    answer(&w.write, ERR_NONE);
    answer(&w.load, ERR_NONE);
    assert_non_null(strstr(w.last, "states 7, which no result has"));
    text("There are 4 rooms.");
    w.trace[0] = '\0';
    replied(ERR_NONE);
    assert_non_null(strstr(w.trace, "assistant(There are 4 rooms. stop"));
    answer(&w.write, ERR_NONE);
    assert_non_null(strstr(w.trace, "DONE 1 done"));
}

/* A catalog that is slow, forbidden or not Prometheus's: what was read is known all the same. */
static void where_nothing_could_be_looked_up_numbers_are_checked_too(void **state)
{
    (void)state;
    begin_late();
    read_one("{\"series_total\":1,\"series_shown\":1,\"series\":[{\"value\":4}]}");
    text("There are 9 rooms.");
    replied(ERR_NONE);
    answer(&w.write, ERR_NONE);
    answer(&w.load, ERR_NONE);
    assert_non_null(strstr(w.last, "states 9, which no result has"));
    text("There are 4 rooms.");
    w.trace[0] = '\0';
    replied(ERR_NONE);
    answer(&w.write, ERR_NONE);
    assert_non_null(strstr(w.trace, "DONE 1 done"));
}

/* "What is a histogram?" */
static void where_nothing_fits_nothing_needs_to_be_read(void **state)
{
    (void)state;
    begin_looking();
    tooled(0, "", false);
    answer(&w.load, ERR_NONE);
    text(
        "It counts values in buckets, as 5, 10 and 25 ms; the last one has no upper bound at all.");
    replied(ERR_NONE);
    answer(&w.write, ERR_NONE);
    assert_non_null(strstr(w.trace, "DONE 1 done"));
}

static void partial_data_may_not_be_told_as_whole(void **state)
{
    (void)state;
    begin_told();
    read_one("{\"partial\":true,\"series\":[{\"value\":4}]}");
    text("All 4 are fine.");
    replied(ERR_NONE);
    answer(&w.write, ERR_NONE);
    answer(&w.load, ERR_NONE);
    assert_non_null(strstr(w.last, "was partial or cut"));
    text("All 4 are fine.");
    w.trace[0] = '\0';
    replied(ERR_NONE);
    assert_non_null(strstr(w.trace, "> The data behind this answer was partial or cut."));
    answer(&w.write, ERR_NONE);
}

static void no_data_at_all_may_not_be_told_as_good_news(void **state)
{
    (void)state;
    begin_told();
    read_one("{\"series_total\":0,\"series_shown\":0,\"series\":[]}");
    text("All targets are up.");
    replied(ERR_NONE);
    answer(&w.write, ERR_NONE);
    answer(&w.load, ERR_NONE);
    assert_non_null(strstr(w.last, "returned no data at all"));
    text("All targets are up.");
    w.trace[0] = '\0';
    replied(ERR_NONE);
    assert_non_null(strstr(w.trace, "> No query of this answer returned any data."));
    answer(&w.write, ERR_NONE);
}

/* A model that was told of tools and writes a call as text. */
static void a_call_that_was_written_as_text_is_made(void **state)
{
    (void)state;
    begin_told();
    text("I look.\n<tool_call>{\"name\": \"look\", \"arguments\": {\"a\": 1}}</tool_call>");
    w.trace[0] = '\0';
    replied(ERR_NONE);
    assert_non_null(strstr(w.trace, "assistant(I look. tool_calls"));
    answer(&w.write, ERR_NONE);
    assert_non_null(strstr(w.trace, "tool look {\"a\":1}"));
}

static void a_call_of_what_is_not_offered_is_text(void **state)
{
    static const char *const texts[] = {"{\"name\":\"other\",\"arguments\":{}}",
                                        "{\"name\":\"save\",\"arguments\":{}}", /* they don't fit */
                                        "{\"name\":\"loo\",\"arguments\":{}}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (i > 0) {
            end(state);
            begin(state);
        }
        start(1);
        answer(&w.load, ERR_NONE);
        text(texts[i]);
        w.trace[0] = '\0';
        replied(ERR_NONE);
        if (strstr(w.trace, "stop") == NULL || strstr(w.trace, "tool_calls"))
            fail_msg("%s: %s", texts[i], w.trace);
    }
    answer(&w.write, ERR_NONE);
}

static void a_call_that_failed_before_is_known(void **state)
{
    (void)state;
    start(1);
    answer(&w.load, ERR_NONE);
    for (unsigned i = 0; i < 2; i++) {
        asks(i == 0 ? "a" : "b", "look");
        replied(ERR_NONE);
        w.trace[0] = '\0';
        answer(&w.write, ERR_NONE);
        if ((strstr(w.trace, "again") != NULL) != (i == 1))
            fail_msg("%s", w.trace);
        struct tool_result failed = {.content = STR("no"), .failed = true};
        w.runs[i].fn(w.runs[i].arg, &failed);
        settle();
        answer(&w.write, ERR_NONE);
        answer(&w.load, ERR_NONE);
    }
}

static void last_call_as_json_keeps_the_tools(void **state)
{
    (void)state;
    struct model *m = (struct model *)(uintptr_t)models_find(w.models, (struct str){0});
    m->json_tools = true;
    w.loaded.step = 5;
    begin_answer();
    assert_false(w.last_call);
    assert_int_equal(w.form, JSONTOOLS_ANSWER);
    assert_null(strstr(w.system, "answer now"));
}

int main(void)
{
    secret_setup();
    meters_init(&w.meters);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_fits_stands_beside_the_question_and_is_shown, begin,
                                        end),
        cmocka_unit_test_setup_teardown(what_was_loaded_is_kept_meanwhile, begin, end),
        cmocka_unit_test_setup_teardown(what_was_kept_by_one_that_was_frozen_is_loaded_again, begin,
                                        end),
        cmocka_unit_test_setup_teardown(what_is_not_there_in_time_is_not_waited_for, begin, end),
        cmocka_unit_test_setup_teardown(look_up_that_fails_or_finds_nothing_says_nothing, begin,
                                        end),
        cmocka_unit_test_setup_teardown(cancel_while_it_looks_up_stops_that, begin, end),
        cmocka_unit_test_setup_teardown(answer_without_data_is_given_back_once_and_then_marked,
                                        begin, end),
        cmocka_unit_test_setup_teardown(numbers_that_no_result_has_are_given_back_once, begin, end),
        cmocka_unit_test_setup_teardown(what_comes_late_stands_beside_the_question_of_the_next_call,
                                        begin, end),
        cmocka_unit_test_setup_teardown(what_may_still_come_is_no_reason_to_doubt, begin, end),
        cmocka_unit_test_setup_teardown(
            numbers_of_a_small_model_are_doubted_where_nothing_can_be_looked_up, begin, end),
        cmocka_unit_test_setup_teardown(where_nothing_could_be_looked_up_numbers_are_checked_too,
                                        begin, end),
        cmocka_unit_test_setup_teardown(where_nothing_fits_nothing_needs_to_be_read, begin, end),
        cmocka_unit_test_setup_teardown(partial_data_may_not_be_told_as_whole, begin, end),
        cmocka_unit_test_setup_teardown(no_data_at_all_may_not_be_told_as_good_news, begin, end),
        cmocka_unit_test_setup_teardown(a_call_that_was_written_as_text_is_made, begin, end),
        cmocka_unit_test_setup_teardown(a_call_of_what_is_not_offered_is_text, begin, end),
        cmocka_unit_test_setup_teardown(a_call_that_failed_before_is_known, begin, end),
        cmocka_unit_test_setup_teardown(last_call_as_json_keeps_the_tools, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
