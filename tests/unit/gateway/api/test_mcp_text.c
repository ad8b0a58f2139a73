/* What the MCP server says, and which requests it takes. */
#include "tests/support/unit.h"

#include "gateway/api/mcp_text.h"

#define META(version, capabilities)                                                                \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"" version                            \
    "\",\"io.modelcontextprotocol/clientCapabilities\":" capabilities "}"

static int check(const char *request, const char *version, const char *method, const char *name)
{
    json_auto_t *r = json_loads(request, 0, NULL);
    struct mcp_headers h = {str_of(version), str_of(method), str_of(name)};
    assert_non_null(r);
    return mcp_check(r, &h, mcp_is_modern(r, &h)).code;
}

static void modern_request_repeats_itself_in_its_headers(void **state)
{
    (void)state;
    const char *call =
        "{\"method\":\"tools/call\",\"params\":{\"name\":\"ask\"," META(MCP_MODERN, "{}") "}}";
    assert_int_equal(check(call, MCP_MODERN, "tools/call", "ask"), 0);
    assert_int_equal(check(call, MCP_MODERN, "tools/call", "=?base64?YXNr?="), 0);
    assert_int_equal(check(call, MCP_MODERN, "tools/call", "=?base64?YXNrYQ==?="), MCP_HEADERS);
    assert_int_equal(check(call, MCP_MODERN, "tools/call", "=?base64?!!!?="), MCP_HEADERS);
    assert_int_equal(check(call, MCP_MODERN, "tools/call", "=?base64?="), MCP_HEADERS);
    assert_int_equal(check(call, MCP_MODERN, "tools/call", NULL), MCP_HEADERS);
    assert_int_equal(check(call, MCP_MODERN, "tools/list", "ask"), MCP_HEADERS);
    assert_int_equal(check(call, NULL, "tools/call", "ask"), MCP_HEADERS);
    assert_int_equal(check(call, "2025-11-25", "tools/call", "ask"), MCP_HEADERS);
}

static void versions_that_nobody_speaks_are_refused(void **state)
{
    (void)state;
    const char *future = "{\"method\":\"tools/list\",\"params\":{" META("2099-01-01", "{}") "}}";
    const char *bare = "{\"method\":\"tools/list\"}";
    const char *no_capabilities =
        "{\"method\":\"tools/list\",\"params\":{" META(MCP_MODERN, "null") "}}";
    assert_int_equal(check(future, "2099-01-01", "tools/list", NULL), MCP_VERSION);
    assert_int_equal(check(bare, NULL, NULL, NULL), 0);
    assert_int_equal(check(bare, "2025-03-26", NULL, NULL), 0);
    assert_int_equal(check(bare, "1999-01-01", NULL, NULL), MCP_VERSION);
    assert_int_equal(check(bare, MCP_MODERN, "tools/list", NULL), MCP_PARAMS);
    assert_int_equal(check(no_capabilities, MCP_MODERN, "tools/list", NULL), MCP_PARAMS);
}

static void tools_that_change_something_are_for_clients_that_can_ask(void **state)
{
    (void)state;
    struct str tools = STR("[{\"name\":\"a\",\"description\":\"d\",\"input_schema\":{\"type\":"
                           "\"object\"},\"read_only\":true},{\"name\":\"b\",\"input_schema\":{},"
                           "\"read_only\":false},7]");
    struct mcp_client plain = {.modern = true}, asks = {.modern = true, .elicits = true};
    json_auto_t *result = mcp_tools(tools, &plain);
    json_auto_t *more = mcp_tools(tools, &asks);
    const json_t *list = json_object_get(result, "tools");
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "name")), "ask");
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "name")), "a");
    assert_int_equal(json_array_size(json_object_get(more, "tools")), 3);
    json_auto_t *read = json_loadb(tools.at, tools.len, 0, NULL);
    assert_int_equal(mcp_tool_kind(read, STR("a")), MCP_READS);
    assert_int_equal(mcp_tool_kind(read, STR("b")), MCP_CHANGES);
    assert_int_equal(mcp_tool_kind(read, STR("c")), MCP_NO_TOOL);
    assert_int_equal(mcp_tool_kind(NULL, STR("a")), MCP_NO_TOOL);
}

static void results_and_errors_have_their_envelopes(void **state)
{
    (void)state;
    json_auto_t *id = json_string("x");
    json_auto_t *answer = mcp_answer(id, mcp_tool_result(STR("t\xff"), NULL, true), true);
    json_auto_t *error = mcp_error(NULL, MCP_PARSE, "s", json_pack("{s:i}", "n", 1));
    char *text = json_dumps(answer, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(text, "{\"id\":\"x\",\"jsonrpc\":\"2.0\",\"result\":{\"content\":[{"
                              "\"text\":\"\",\"type\":\"text\"}],\"isError\":true,\"resultType\":"
                              "\"complete\"}}");
    free(text);
    text = json_dumps(error, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(text, "{\"error\":{\"code\":-32700,\"data\":{\"n\":1},\"message\":\"s\"},"
                              "\"id\":null,\"jsonrpc\":\"2.0\"}");
    free(text);
}

static void prompts_need_their_argument(void **state)
{
    (void)state;
    const char *wrong = NULL;
    json_auto_t *bare = json_pack("{s:s}", "name", "explain_panel");
    json_auto_t *none = json_pack("{s:s}", "name", "nothing");
    assert_null(mcp_prompt(bare, &wrong));
    assert_string_equal(wrong, "The prompt's argument is missing or too long");
    assert_null(mcp_prompt(none, &wrong));
    assert_string_equal(wrong, "There is no prompt of this name");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modern_request_repeats_itself_in_its_headers),
        cmocka_unit_test(versions_that_nobody_speaks_are_refused),
        cmocka_unit_test(tools_that_change_something_are_for_clients_that_can_ask),
        cmocka_unit_test(results_and_errors_have_their_envelopes),
        cmocka_unit_test(prompts_need_their_argument),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
