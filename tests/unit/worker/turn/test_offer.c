/* Which tools a model is told of: a core, and the others when they are asked for. */
#include "tests/support/tools_fixture.h"

#include "proto/store/answer.h"
#include "worker/turn/offer.h"

enum { CORE_TOKENS_MAX = 2500, BYTES_OF_A_TOKEN = 4 };

static struct tool_spec offered[128];
static unsigned offered_count;

static void offer(struct fixture *f, struct offer_facts *facts)
{
    static struct model usual;
    unsigned count;
    const struct tool_spec *all = tools_specs(f->tools, &count);
    assert_true(count < 128);
    if (facts->model == NULL)
        facts->model = &usual;
    offered_count = offer_tools(facts, all, count, offered);
}

static bool is_offered(const char *name)
{
    for (unsigned i = 0; i < offered_count; i++)
        if (strcmp(offered[i].name, name) == 0)
            return true;
    return false;
}

static void ask(struct fixture *f, const char *question)
{
    struct store_message m = {.record = {.role = ROLE_USER, .content = str_of(question)}};
    struct offer_facts facts = {.messages = &m, .message_count = 1};
    offer(f, &facts);
}

static void the_core_is_cheap_and_can_look_for_the_rest(void **state)
{
    unsigned count;
    size_t bytes = 0, all_bytes = 0;
    const struct tool_spec *all = tools_specs(((struct fixture *)*state)->tools, &count);
    ask(*state, "How much memory does the shop use?");
    for (unsigned i = 0; i < offered_count; i++)
        bytes += strlen(offered[i].name) + strlen(offered[i].description) +
                 strlen(offered[i].schema_json);
    for (unsigned i = 0; i < count; i++)
        all_bytes += strlen(all[i].name) + strlen(all[i].description) + strlen(all[i].schema_json);
    print_message("core: %u tools, %zu bytes; all: %u tools, %zu bytes\n", offered_count, bytes,
                  count, all_bytes);
    assert_true(bytes <= (size_t)CORE_TOKENS_MAX * BYTES_OF_A_TOKEN);
    assert_true(is_offered("execute_instant_query") && is_offered("find_tools"));
    assert_false(is_offered("loki_query") || is_offered("save_panel") || is_offered("tempo_trace"));
}

/* Of a long conversation the latest questions are read; what was called of old stays. */
static void old_questions_of_a_long_conversation_are_not_read(void **state)
{
    static struct store_message all[300];
    struct record_call call = {.call_id = STR("c1"), .tool_name = STR("tempo_search")};
    for (unsigned i = 0; i < 300; i++)
        all[i].record = (struct record_message){.role = i % 2 ? ROLE_ASSISTANT : ROLE_USER,
                                                .content = STR("How warm is it?")};
    all[0].record.content = STR("Show me the error logs of the api");
    all[1].record.calls = &call;
    all[1].record.call_count = 1;
    struct offer_facts facts = {.messages = all, .message_count = 300};
    offer(*state, &facts);
    assert_true(is_offered("tempo_search") && !is_offered("loki_query"));
    facts.message_count = 100;
    offer(*state, &facts);
    assert_true(is_offered("tempo_search") && is_offered("loki_query"));
}

static void tools_join_when_a_question_asks_for_what_they_do(void **state)
{
    static const struct {
        const char *question, *tool, *other;
    } cases[] = {{"Show me the error logs of the api", "loki_query", "tempo_search"},
                 {"slow traces of checkout?", "tempo_search", "loki_query"},
                 {"CPU profile of the gateway", "pyroscope_top_functions", "loki_query"},
                 {"Save this as a dashboard", "save_dashboard", "loki_query"},
                 {"which panels show this", "search_panels", "tempo_search"},
                 {"what does the runbook say", "search_docs", "loki_query"},
                 {"silences of the alert", "alertmanager_silences", "loki_query"},
                 {"Which recording rules are there?", "list_rules", "loki_query"},
                 {"Which scrape targets are down?", "list_targets", "loki_query"},
                 {"which labels has this", "list_label_names", "loki_query"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ask(*state, cases[i].question);
        if (!is_offered(cases[i].tool) || is_offered(cases[i].other))
            fail_msg("%s", cases[i].question);
    }
}

static void what_was_found_or_called_stays(void **state)
{
    struct fixture *f = *state;
    struct record_call call = {STR("1"), STR("tempo_trace"), STR("{}")};
    struct record_response found = {.tool_name = STR("find_tools"),
                                    .content = STR("{\"tools\":[{\"name\":\"loki_labels\"}]}")};
    struct record_response other = {.tool_name = STR("search_docs"),
                                    .content = STR("{\"name\":\"save_panel\"}")};
    struct store_message m[] = {
        {.record = {.role = ROLE_USER, .content = STR("hello")}},
        {.record = {.role = ROLE_ASSISTANT, .calls = &call, .call_count = 1}},
        {.record = {.role = ROLE_TOOL, .responses = &found, .response_count = 1}},
        {.record = {.role = ROLE_TOOL, .responses = &other, .response_count = 1}}};
    struct offer_facts facts = {.messages = m, .message_count = 4};
    offer(f, &facts);
    assert_true(is_offered("tempo_trace") && is_offered("loki_labels"));
    assert_true(is_offered("loki_query")); /* of the kind that was found */
    assert_false(is_offered("save_panel") || is_offered("pyroscope_profile_types"));
}

static void what_the_person_added_and_what_the_operator_says_count(void **state)
{
    struct offer_facts boards = {.dashboards = true}, alert = {.alert = true}, all = {.all = true};
    struct model small = {.small = true}, chosen = {.offers = {"read_doc"}, .offer_count = 1};
    struct offer_facts little = {.model = &small}, one = {.model = &chosen};
    unsigned count;
    offer(*state, &boards);
    assert_true(is_offered("get_panel") && is_offered("propose_panel"));
    assert_false(is_offered("loki_query"));
    offer(*state, &alert);
    assert_true(is_offered("list_rules") && is_offered("search_docs"));
    offer(*state, &all);
    tools_specs(((struct fixture *)*state)->tools, &count);
    assert_int_equal(offered_count, count);
    offer(*state, &little);
    assert_int_equal(offered_count, 3);
    offer(*state, &one);
    assert_int_equal(offered_count, 1);
    assert_true(is_offered("read_doc"));
}

static bool has_no_loki(void *arg, enum tool_source source)
{
    (void)arg;
    return source == TOOL_SOURCE_LOKI || source == TOOL_SOURCE_PROMETHEUS;
}

static void kinds_that_the_person_lacks_are_left_out(void **state)
{
    struct store_message m = {
        .record = {.role = ROLE_USER, .content = STR("logs and traces of the api")}};
    struct offer_facts facts = {.messages = &m, .message_count = 1, .lacks = has_no_loki};
    offer(*state, &facts);
    assert_true(is_offered("tempo_search") && is_offered("execute_instant_query"));
    assert_false(is_offered("loki_query") || is_offered("loki_labels"));
    facts.all = true;
    offer(*state, &facts);
    assert_true(is_offered("tempo_search") && is_offered("save_panel"));
    assert_false(is_offered("loki_query"));
}

static void tools_are_found_by_words(void **state)
{
    struct fixture *f = *state;
    fixture_run(f, NULL, "find_tools", "{\"words\":\"search LOGS\"}");
    if (!strstr(f->content, "\"loki_query\""))
        fail_msg("%s", f->content);
    fixture_run(f, NULL, "find_tools", "{\"words\":\"dashboards\"}");
    assert_non_null(strstr(f->content, "\"list_dashboards\""));
    assert_null(strstr(f->content, "\"loki_query\""));
    fixture_run(f, NULL, "find_tools", "{\"words\":\"zzz qqq\"}");
    assert_non_null(strstr(f->content, "\"tools\":[]"));
    fixture_run(f, NULL, "find_tools", "{\"words\":\"a\"}");
    assert_non_null(strstr(f->content, "\"tools\":[]"));
    fixture_run(f, NULL, "find_tools", "{}");
    fixture_expect_error(f, "bad_arguments", "words");
    assert_int_equal(f->asked_count, 0); /* nobody is asked for it */
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_core_is_cheap_and_can_look_for_the_rest),
        T(old_questions_of_a_long_conversation_are_not_read),
        T(tools_join_when_a_question_asks_for_what_they_do),
        T(what_was_found_or_called_stays),
        T(what_the_person_added_and_what_the_operator_says_count),
        T(kinds_that_the_person_lacks_are_left_out),
        T(tools_are_found_by_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
