/* Answers that are not whole, each in its server's own words: told to the model and in the result.
 */
#include "tests/unit/worker/tools_fixture.h"

static int setup(void **state)
{
    *state = fixture_new();
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_partial_is_said, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
