/* Tools for a model without tool calling: what it is sent, and what is made of what it writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "worker/llm/brief.h"
#include "worker/llm/jsontools.h"
#include "worker/llm/llm.h"

static const struct tool_spec tools[] = {
    {.name = "list_metrics", .description = "Lists.", .schema_json = "{\"type\":\"object\"}"},
    {.name = "query", .description = "Queries.", .schema_json = "{\"type\":\"object\"}"}};

static void conversation_is_written_without_tool_calls(void **state)
{
    (void)state;
    struct record_call calls[] = {{STR("1"), STR("list_metrics"), STR("{\"search\":\"cpu\"}")},
                                  {STR("2"), STR("query"), STR("{nonsense")}};
    struct prompt_item items[] = {
        {.kind = PROMPT_USER, .text = STR("gone"), .gone = true},
        {.kind = PROMPT_USER, .text = STR("How busy?")},
        {.kind = PROMPT_ASSISTANT, .calls = calls, .call_count = 2},
        {.kind = PROMPT_RESULT, .text = STR("[\"cpu\"]"), .tool_name = STR("list_metrics")},
        {.kind = PROMPT_RESULT, .text = STR("no"), .tool_name = STR("query"), .failed = true},
        {.kind = PROMPT_ASSISTANT, .text = STR("Very \"busy\"")},
        {.kind = PROMPT_USER, .text = STR("And now?")}};
    struct prompt in = {.items = items, .count = 7};
    buf_init(&in.system, 100);
    buf_puts(&in.system, "Be good.");
    struct jsontools j;
    jsontools_write(&in, tools, 2, JSONTOOLS_ANY, false, &j);
    assert_int_equal(j.prompt.count, 5);
    assert_true(str_is(j.prompt.items[0].text, "How busy?"));
    assert_true(str_is(j.prompt.items[1].text,
                       "{\"tool\":\"list_metrics\",\"arguments\":{\"search\":\"cpu\"}}\n"
                       "{\"tool\":\"query\",\"arguments\":{}}"));
    assert_int_equal(j.prompt.items[1].kind, PROMPT_ASSISTANT);
    assert_int_equal(j.prompt.items[1].call_count, 0);
    assert_true(str_is(j.prompt.items[3].text, "{\"answer\":\"Very \\\"busy\\\"\"}"));
    assert_true(str_is(j.prompt.items[4].text, "And now?"));
    assert_int_equal(j.prompt.items[2].kind, PROMPT_USER);
    assert_non_null(strstr(buf_cstr(&j.prompt.system), "- query: Queries."));
    json_t *schema = json_loads(buf_cstr(&j.schema), 0, NULL);
    assert_int_equal(json_array_size(json_object_get(schema, "anyOf")), 3);
    json_decref(schema);
    jsontools_free(&j);
    buf_free(&in.system);
}

static void results_of_one_step_are_one_message(void **state)
{
    (void)state;
    struct record_call call = {STR("1"), STR("query"), STR("{}")};
    struct prompt_item items[] = {
        {.kind = PROMPT_USER, .text = STR("q")},
        {.kind = PROMPT_ASSISTANT, .calls = &call, .call_count = 1},
        {.kind = PROMPT_RESULT, .text = STR("a"), .tool_name = STR("query")},
        {.kind = PROMPT_RESULT, .text = STR("b"), .tool_name = STR("query"), .failed = true}};
    struct prompt in = {.items = items, .count = 4};
    struct jsontools j;
    jsontools_write(&in, tools, 2, JSONTOOLS_ANY, false, &j);
    assert_int_equal(j.prompt.count, 3);
    assert_true(
        str_is(j.prompt.items[2].text, "Result of query: a\n\n(failed) Result of query: b"));
    jsontools_free(&j);
}

/* As a small model is told of them, and held to. */
static void briefly_only_what_a_query_needs_is_told(void **state)
{
    static const struct tool_spec ours[] = {
        {.name = "run_query",
         .description = "Runs one, as {\"query\":\"up\"}. Returns much. And more.",
         .schema_json =
             "{\"type\":\"object\",\"properties\":{\"query\":{\"type\":\"string\",\"minLength\":1,"
             "\"description\":\"PromQL\"},\"time\":{\"type\":\"string\"},\"unit\":{\"type\":"
             "\"string\"},\"title\":{\"type\":\"string\"},\"datasource\":{\"type\":\"string\"}},"
             "\"required\":[\"query\",\"title\"],\"additionalProperties\":false}"},
        {.name = "mcp_tickets_search",
         .description = "Searches. Says more.",
         .schema_json = "{\"type\":\"object\",\"properties\":{\"unit\":{\"type\":\"string\"}}}"},
        {.name = "odd", .description = "Odd", .schema_json = "{broken"}};
    (void)state;
    struct prompt_item item = {.kind = PROMPT_USER, .text = STR("q")};
    struct prompt in = {.items = &item, .count = 1};
    struct jsontools j;
    struct brief b;
    for (unsigned one = 0; one < 2; one++) {
        brief_init(&b, ours, 3, one);
        jsontools_write(&in, b.tools, 3, JSONTOOLS_CALL, true, &j);
        const char *said = buf_cstr(&j.prompt.system), *held = buf_cstr(&j.schema);
        if (!strstr(said,
                    one ? "- run_query {query, time?, title}: Runs one, as {\"query\":\"up\"}.\n"
                        : "- run_query {query, time?, title, datasource?}: Runs one") ||
            !strstr(said, "- mcp_tickets_search {unit?}: Searches. Says more.\n") ||
            !strstr(said, "- odd {}: Odd\n") || strstr(said, "PromQL"))
            fail_msg("%s", said);
        if (!strstr(held, "\"minLength\":1") || strstr(held, "PromQL"))
            fail_msg("%s", held);
        assert_string_equal(b.tools[1].schema_json, ours[1].schema_json);
        jsontools_free(&j);
        brief_free(&b);
    }
}

/* A conversation full of calls must not make the last one look like another. */
static void without_tools_only_an_answer_may_be_written(void **state)
{
    (void)state;
    struct prompt_item item = {.kind = PROMPT_USER, .text = STR("q")};
    struct prompt in = {.items = &item, .count = 1};
    struct jsontools j;
    jsontools_write(&in, tools, 0, JSONTOOLS_ANY, false, &j);
    assert_non_null(strstr(buf_cstr(&j.prompt.system), "{\"answer\": TEXT}"));
    assert_null(strstr(buf_cstr(&j.prompt.system), "tool"));
    json_t *schema = json_loads(buf_cstr(&j.schema), 0, NULL);
    assert_int_equal(json_object_size(json_object_get(schema, "properties")), 1);
    assert_non_null(json_object_get(json_object_get(schema, "properties"), "answer"));
    json_decref(schema);
    jsontools_free(&j);
}

/* A server's cache holds what begins so: only the last text says that it is over. */
static void the_last_call_begins_as_the_one_before(void **state)
{
    (void)state;
    struct prompt_item items[] = {{.kind = PROMPT_USER, .text = STR("q")},
                                  {.kind = PROMPT_ASSISTANT, .text = STR("hm")},
                                  {.kind = PROMPT_USER, .text = STR("really?")}};
    struct prompt in = {.items = items, .count = 3};
    struct jsontools one, last;
    jsontools_write(&in, tools, 2, JSONTOOLS_ANY, false, &one);
    jsontools_write(&in, tools, 2, JSONTOOLS_ANSWER, false, &last);
    assert_string_equal(buf_cstr(&one.prompt.system), buf_cstr(&last.prompt.system));
    for (unsigned i = 0; i < 3; i++)
        assert_true(str_starts(last.prompt.items[i].text, one.prompt.items[i].text));
    assert_int_equal(last.prompt.items[1].text.len, one.prompt.items[1].text.len);
    assert_non_null(strstr(buf_cstr(&last.texts), "answer now"));
    assert_null(strstr(buf_cstr(&last.schema), "\"tool\""));
    assert_non_null(strstr(buf_cstr(&last.schema), "\"answer\""));
    jsontools_free(&one);
    jsontools_free(&last);
}

/* Each API's own field for what a reply must look like; NULL: it has none that takes ours. */
static void schema_goes_into_each_apis_own_field(void **state)
{
    (void)state;
    static const struct {
        const struct llm_format *format;
        const char *field, *below, *kind, *schema;
    } rows[] = {{&llm_chat, "response_format", NULL, "json_schema", "schema"},
                {&llm_responses, "text", "format", "json_schema", "schema"},
                {&llm_generate, "generationConfig", NULL, "application/json", "responseJsonSchema"},
                {&llm_messages, NULL, NULL, NULL, NULL}};
    struct model m = {.name = "m", .id = "m", .base_url = "http://x", .output_tokens_max = 10};
    struct prompt_item item = {.kind = PROMPT_USER, .text = STR("q")};
    struct prompt p = {.items = &item, .count = 1};
    buf_init(&p.system, 100);
    buf_puts(&p.system, "Be good.");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct llm_wire wire = {0};
        struct llm_request r = {.model = &m, .prompt = &p, .schema = STR("{\"anyOf\":[]}")};
        buf_init(&wire.url, 1000);
        buf_init(&wire.body, 1 << 16);
        assert_int_equal(rows[i].format->request(&r, &wire), ERR_NONE);
        json_t *body = json_loads(buf_cstr(&wire.body), 0, NULL);
        const json_t *at = json_object_get(body, rows[i].field ? rows[i].field : "output_config");
        if (rows[i].below)
            at = json_object_get(at, rows[i].below);
        if (rows[i].field == NULL) {
            assert_null(at);
        } else {
            const char *kind = json_string_value(json_object_get(at, "type"));
            const char *mime = json_string_value(json_object_get(at, "responseMimeType"));
            const json_t *inner = json_object_get(at, "json_schema"); /* of Chat Completions */
            assert_string_equal(kind ? kind : mime, rows[i].kind);
            assert_true(json_is_array(
                json_object_get(json_object_get(inner ? inner : at, rows[i].schema), "anyOf")));
        }
        json_decref(body);
        buf_free(&wire.url);
        buf_free(&wire.body);
    }
    buf_free(&p.system);
}

static unsigned told;
static void on_text(void *arg, struct str text)
{
    (void)arg, (void)text;
    told++;
}

/* "text" or "tool arguments". */
static void reads_as(const char *written, const char *expected)
{
    static const struct reply_handler nobody, person = {.on_text = on_text};
    struct reply r;
    char got[256];
    reply_init(&r, 1 << 16, &nobody, NULL);
    assert_int_equal(reply_text(&r, str_of(written)), ERR_NONE);
    reply_stop(&r, STR("stop"));
    told = 0;
    assert_int_equal(jsontools_read(&r, &person), ERR_NONE);
    assert_int_equal(reply_end(&r, 1), ERR_NONE);
    if (r.call_count > 0)
        snprintf(got, sizeof(got), "%s %s", r.calls[0].tool_name, buf_cstr(&r.calls[0].arguments));
    else
        snprintf(got, sizeof(got), "%s", buf_cstr(&r.content));
    assert_string_equal(got, expected);
    assert_int_equal(told, r.call_count == 0);
    assert_string_equal(r.stop_reason, r.call_count > 0 ? "tool_calls" : "stop");
    reply_free(&r);
}

static void what_it_writes_is_a_call_an_answer_or_stands_as_it_is(void **state)
{
    (void)state;
    reads_as("{\"tool\":\"query\",\"arguments\":{\"q\":\"up\"}}", "query {\"q\":\"up\"}");
    reads_as("Sure!\n```json\n{\"tool\": \"query\", \"arguments\": {}}\n```", "query {}");
    reads_as("{'tool': 'query', 'arguments': {'q': 'up',},}", "query {\"q\":\"up\"}"); /* by hand */
    reads_as("{\"answer\": \"two\nlines\"}", "two\nlines");
    reads_as("{\"tool\":\"query\",\"arguments\":\"up\"}", "query up"); /* refused when it is run */
    reads_as("{\"answer\":\"All \\\"fine\\\"\"}", "All \"fine\"");
    reads_as("{\"answer\":\"All fine", "All fine"); /* a limit cut it off */
    reads_as("{\"answer\":\"All fine\\n\\ud83d\\ude0", "All fine\n");
    reads_as("{\"answer\":", "{\"answer\":");
    reads_as("{\"tool\":\"query", "{\"tool\":\"query");
    reads_as("It is fine.", "It is fine.");
    reads_as("{}", "{}");
    reads_as("{\"tool\":7}", "{\"tool\":7}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversation_is_written_without_tool_calls),
        cmocka_unit_test(results_of_one_step_are_one_message),
        cmocka_unit_test(briefly_only_what_a_query_needs_is_told),
        cmocka_unit_test(without_tools_only_an_answer_may_be_written),
        cmocka_unit_test(the_last_call_begins_as_the_one_before),
        cmocka_unit_test(schema_goes_into_each_apis_own_field),
        cmocka_unit_test(what_it_writes_is_a_call_an_answer_or_stands_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
