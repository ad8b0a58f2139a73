/* A turn as a task of MCP, and what it asks of its person. */
#include "tests/support/unit.h"

#include "common/json.h"
#include "gateway/api/mcp_wait.h"

static void task_ids_are_read_as_they_were_written(void **state)
{
    (void)state;
    struct mcp_task task = {id_new(), id_new(), 1795890584466, true}, again;
    char text[MCP_TASK_TEXT_MAX];
    for (int i = 0; i < 2; i++, task.one_tool = false) {
        mcp_task_text(&task, text);
        assert_true(mcp_task_parse(str_of(text), &again));
        assert_true(id_eq(task.session, again.session) && id_eq(task.turn, again.turn));
        assert_int_equal(again.created_ms, task.created_ms);
        assert_int_equal(again.one_tool, task.one_tool);
    }
}

#define ID "0123456789abcdef0123456789abcdef"

static void what_is_no_task_id_is_none(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "x",
                                        ID,
                                        ID "." ID,
                                        ID "." ID ".",
                                        ID "." ID ".-1",
                                        ID "." ID ".1.x",
                                        ID "." ID ".1.tool.x",
                                        ID "." ID ".1.",
                                        ID ".00000000000000000000000000000000.1",
                                        ID "." ID ".99999999999999999999",
                                        "." ID ".1"};
    struct mcp_task task;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(mcp_task_parse(str_of(wrong[i]), &task));
    assert_true(mcp_task_parse(STR(ID "." ID ".0"), &task));
    assert_true(mcp_task_parse(STR(ID "." ID ".1.tool"), &task));
}

static const char CALLS[] =
    "[{\"call_id\":\"a\",\"tool_name\":\"save\",\"arguments\":{\"x\":1},\"arguments_hash\":\"h\"},"
    "{\"call_id\":\"b\",\"tool_name\":\"save\",\"arguments\":{\"x\":1},\"arguments_hash\":\"h\"}]";

/* What comes of these responses; yes: how many of them are a yes. */
static enum mcp_said said(const char *responses, int *yes)
{
    json_auto_t *calls = json_loads(CALLS, 0, NULL);
    json_auto_t *given = json_loads(responses, JSON_DECODE_ANY, NULL);
    json_t *decisions;
    enum mcp_said result = mcp_input_responses(calls, given, &decisions);
    const json_t *list = json_object_get(decisions, "decisions");
    *yes = 0;
    for (size_t i = 0; i < json_array_size(list); i++)
        *yes += json_is_true(json_object_get(json_array_get(list, i), "approve"));
    json_decref(decisions);
    return result;
}

static void each_call_has_a_key_of_its_own(void **state)
{
    (void)state;
    json_auto_t *calls = json_loads(CALLS, 0, NULL);
    json_auto_t *requests = mcp_input_requests(calls);
    assert_int_equal(json_object_size(requests), 2);
    assert_non_null(json_object_get(requests, "h:a"));
    assert_non_null(json_object_get(requests, "h:b"));
}

static void only_a_yes_is_one(void **state)
{
    (void)state;
    int yes;
#define ACCEPT "{\"action\":\"accept\",\"content\":{\"approve\":true}}"
    assert_int_equal(said("{\"h:a\":" ACCEPT ",\"h:b\":" ACCEPT "}", &yes), MCP_SAID_ALL);
    assert_int_equal(yes, 2);
    assert_int_equal(said("{\"h:a\":" ACCEPT ",\"h:b\":{\"action\":\"decline\"}}", &yes),
                     MCP_SAID_ALL);
    assert_int_equal(yes, 1);
    assert_int_equal(said("{\"h:a\":{\"action\":\"accept\"},\"h:b\":{\"action\":\"accept\","
                          "\"content\":{\"approve\":\"true\"}}}",
                          &yes),
                     MCP_SAID_ALL);
    assert_int_equal(yes, 0);
    assert_int_equal(said("{\"h:a\":" ACCEPT ",\"h:b\":{\"action\":\"cancel\"}}", &yes),
                     MCP_SAID_PARTLY);
    assert_int_equal(said("{\"h:a\":" ACCEPT "}", &yes), MCP_SAID_PARTLY);
    static const char *const nothing[] = {"{}",
                                          "7",
                                          "null",
                                          "{\"h:a\":7}",
                                          "{\"other:a\":" ACCEPT "}",
                                          "{\"h:a\":{\"action\":\"cancel\"}}"};
    for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++)
        assert_int_equal(said(nothing[i], &yes), MCP_SAID_NOTHING);
}

/* A yes is to what was shown. */
static void what_is_too_large_for_a_form_is_not_asked_there(void **state)
{
    (void)state;
    char text[8000], call[8200];
    json_t *decisions;
    memset(text, 'x', sizeof(text));
    for (size_t len = 1000; len < sizeof(text); len += 6000) {
        text[len] = '\0';
        snprintf(call, sizeof(call),
                 "[{\"tool_name\":\"t\",\"call_id\":\"a\",\"arguments_hash\":\"h\","
                 "\"server\":{\"name\":\"kiosk\",\"host\":\"k.example\"},"
                 "\"arguments\":{\"q\":\"%s!\"}}]",
                 text);
        text[len] = 'x';
        json_auto_t *calls = json_loads(call, 0, NULL);
        json_auto_t *given = json_loads("{\"h:a\":" ACCEPT "}", 0, NULL);
        assert_non_null(calls);
        assert_int_equal(mcp_can_ask(calls), len < 4000);
        assert_int_equal(mcp_input_responses(calls, given, &decisions),
                         len < 4000 ? MCP_SAID_ALL : MCP_SAID_NOTHING);
        json_decref(decisions);
        json_auto_t *asked = mcp_input_requests(calls);
        const json_t *params = json_object_get(json_object_get(asked, "h:a"), "params");
        const char *message = json_string_value(json_object_get(params, "message"));
        assert_non_null(strstr(message, "k.example"));
        assert_true(len > 4000 || strstr(message, "x!"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(task_ids_are_read_as_they_were_written),
        cmocka_unit_test(what_is_no_task_id_is_none),
        cmocka_unit_test(each_call_has_a_key_of_its_own),
        cmocka_unit_test(only_a_yes_is_one),
        cmocka_unit_test(what_is_too_large_for_a_form_is_not_asked_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
