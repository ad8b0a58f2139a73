/* Answers that are not whole, each in its server's own words: told to the model and in the result.
 */
#include "tests/unit/worker/tools_fixture.h"

#define SOURCE(name, kind)                                                                         \
    "{\"kind\":\"GlobalDatasource\",\"metadata\":{\"name\":\"" name                                \
    "\"},\"spec\":{\"plugin\":{\"kind\":\"" kind "\"}}}"
#define SOURCES                                                                                    \
    {                                                                                              \
        .path = "/api/v1/globaldatasources", .status = 200,                                        \
        .body =                                                                                    \
            STR("[" SOURCE("logs", "LokiDatasource") "," SOURCE("traces", "TempoDatasource") "]")  \
    }

static void what_is_partial_is_said(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *tool, *arguments, *path;
        unsigned status;
        const char *body, *text;
        bool partial;
    } cases[] = {
        {"execute_instant_query", "{\"query\":\"vector(1)\"}", "/api/v1/query", 200,
         "{\"status\":\"success\",\"isPartial\":true,\"data\":{\"resultType\":\"vector\","
         "\"result\":"
         "[]}}",
         "answer is partial", true},
        {"execute_instant_query", "{\"query\":\"vector(1)\"}", "/api/v1/query", 200,
         "{\"status\":\"success\",\"isPartial\":false,\"data\":{\"resultType\":\"vector\","
         "\"result\":[]}}",
         "no data", false},
        {"execute_instant_query", "{\"query\":\"vector(1)\"}", "/api/v1/query", 200,
         "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]},\"warnings\":["
         "\"No StoreAPIs matched for this query\"]}",
         "Datasource: No StoreAPIs matched", false},
        {"list_label_names", "{}", "/api/v1/labels", 200,
         "{\"status\":\"success\",\"isPartial\":true,\"data\":[\"job\"]}", "answer is partial",
         true},
        {"list_label_names", "{}", "/api/v1/labels", 200,
         "{\"status\":\"success\",\"data\":[\"job\"],\"warnings\":[\"store a\\u0000 is away\"],"
         "\"infos\":[\"one\",\"two\",\"three\",\"four\"]}",
         "Datasource: store a", false},
        {"list_series", "{\"match\":\"up\"}", "/api/v1/series", 200,
         "{\"status\":\"success\",\"data\":[],\"warnings\":[\"partial response: store b\"]}",
         "Datasource: partial response: store b", false},
        {"list_label_values", "{\"label\":\"job\"}", "/values", 200,
         "{\"status\":\"success\",\"isPartial\":true,\"data\":[\"a\"]}", "answer is partial", true},
        {"loki_query", "{\"query\":\"{a=\\\"b\\\"}\"}", "/loki/api/v1/query_range", 200,
         "{\"status\":\"success\",\"warnings\":[\"a shard timed out\"],\"data\":{\"resultType\":"
         "\"streams\",\"result\":[]}}",
         "Datasource: a shard timed out", false},
        {"tempo_search", "{\"query\":\"{}\"}", "/api/search", 200,
         "{\"traces\":[],\"metrics\":{\"completedJobs\":3,\"totalJobs\":\"5\"}}",
         "answer is partial", true},
        {"tempo_search", "{\"query\":\"{}\"}", "/api/search", 200,
         "{\"traces\":[],\"metrics\":{\"completedJobs\":5,\"totalJobs\":5,\"inspectedBytes\":\"7\"}"
         "}",
         "No trace fits", false},
        {"tempo_search", "{\"query\":\"{}\"}", "/api/search", 200,
         "{\"traces\":[],\"status\":\"PARTIAL\"}", "answer is partial", true},
        {"tempo_search", "{\"query\":\"{}\"}", "/api/search", 206, "{\"traces\":[]}",
         "answer is partial", true},
        {"tempo_trace", "{\"trace_id\":\"ab\"}", "/api/traces/ab", 206, "{\"batches\":[]}",
         "answer is partial", true},
        {"tempo_trace", "{\"trace_id\":\"ab\"}", "/api/traces/ab", 200,
         "{\"trace\":{\"resourceSpans\":[]},\"status\":\"PARTIAL\"}", "answer is partial", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct answer script[] = {
            SOURCES,
            {.path = cases[i].path, .status = cases[i].status, .body = str_of(cases[i].body)},
            {0}};
        fixture_run(f, script, cases[i].tool, cases[i].arguments);
        bool partial = json_is_true(json_object_get(f->json, "partial"));
        if (f->failed || !strstr(f->content, cases[i].text) || partial != cases[i].partial)
            fail_msg("%zu: %s", i, f->content);
    }
}

#define STREAM(pod, values)                                                                        \
    "{\"stream\":{\"app\":\"a\",\"pod\":\"" pod "\"},\"values\":[" values "]}"
#define LINE(s, text) "[\"17000000" s "000000000\",\"" text "\"]"

/* With structured metadata a line is a stream of its own; the order is that of time all the same.
 */
static void lines_of_all_streams_are_in_the_order_of_their_time(void **state)
{
    struct fixture *f = *state;
    static const struct answer script[] = {
        SOURCES,
        {.path = "/loki/api/v1/query_range",
         .status = 200,
         .body =
             STR("{\"status\":\"success\",\"data\":{\"resultType\":\"streams\",\"result\":[" STREAM(
                 "x",
                 LINE("10", "one") "," LINE("40", "four") "," LINE(
                     "50", "five")) "," STREAM("y",
                                               LINE("30", "three")) "," STREAM("z",
                                                                               LINE("20",
                                                                                    "two")) "]}}")},
        {0}};
    fixture_run(f, script, "loki_query", "{\"query\":\"{app=\\\"a\\\"}\"}");
    const char *last = f->content;
    static const char *const back[] = {"five", "four", "three", "two", "one"};
    for (size_t i = 0; i < 5; i++) {
        last = last ? strstr(last, back[i]) : NULL;
        assert_non_null(last);
    }
    assert_non_null(
        strstr(f->content, "\"lines_total\":5,\"lines_shown\":5,\"total\":4,\"shown\":4"));
    assert_null(strstr(f->content, "offset"));
    fixture_run(f, script, "loki_query",
                "{\"query\":\"{app=\\\"a\\\"}\",\"direction\":\"forward\"}");
    last = f->content;
    for (size_t i = 5; i-- > 0;)
        if (!(last = strstr(last, back[i])))
            fail_msg("%s: %s", back[i], f->content);
}

static void lines_that_do_not_fit_are_found_by_time(void **state)
{
    enum { COUNT_OF = 180 };
    struct fixture *f = *state;
    scoped_buf(b, 1 << 20);
    buf_puts(&b, "{\"status\":\"success\",\"data\":{\"resultType\":\"streams\",\"result\":[");
    for (int i = 0; i < COUNT_OF; i++)
        buf_printf(&b,
                   "%s{\"stream\":{\"trace_id\":\"t%d\"},\"values\":[[\"17000%05d000000000\","
                   "\"line %d %0200d\"]]}",
                   i > 0 ? "," : "", i, i, i, 0);
    buf_puts(&b, "]}}");
    const struct answer script[] = {
        SOURCES, {.path = "/loki/api/v1/query_range", .status = 200, .body = buf_str(&b)}, {0}};
    fixture_run(f, script, "loki_query", "{\"query\":\"{app=\\\"a\\\"}\",\"limit\":200}");
    if (f->failed || !strstr(f->content, "\"lines_total\":180") || !strstr(f->content, "t179") ||
        strstr(f->content, "t5\"") || strstr(f->content, "offset") ||
        !strstr(f->content, "of 180 lines fit in here: for the next ones ask again with end 2023-"))
        fail_msg("%s", f->content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_partial_is_said, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(lines_of_all_streams_are_in_the_order_of_their_time,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(lines_that_do_not_fit_are_found_by_time, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
