/* Answers that are not whole, each in its server's own words: told to the model and in the result.
 */
#include "tests/support/tools_fixture.h"

#define SOURCE(name, kind)                                                                         \
    "{\"kind\":\"GlobalDatasource\",\"metadata\":{\"name\":\"" name                                \
    "\"},\"spec\":{\"plugin\":{\"kind\":\"" kind "\"}}}"
#define SOURCES                                                                                    \
    {                                                                                              \
        .path = "/api/v1/globaldatasources", .status = 200,                                        \
        .body =                                                                                    \
            STR("[" SOURCE("logs", "LokiDatasource") "," SOURCE("traces", "TempoDatasource") "]")  \
    }

static const struct {
    const char *tool, *arguments, *path;
    unsigned status;
    const char *body, *text;
    bool partial;
} partial_cases[] = {
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
     "Datasource: No StoreAPIs matched", true},
    {"execute_instant_query", "{\"query\":\"vector(1)\"}", "/api/v1/query", 200,
     "{\"status\":\"success\",\"warnings\":[\"PromQL warning: a mixed one (1:1)\"],\"infos\":["
     "\"PromQL info: no counter\",\"any\"],\"isPartial\":false,\"data\":{\"resultType\":"
     "\"vector\",\"result\":[]}}",
     "Datasource: PromQL warning: a mixed one", false},
    {"list_label_names", "{}", "/api/v1/labels", 200,
     "{\"status\":\"success\",\"isPartial\":true,\"data\":[\"job\"]}", "answer is partial", true},
    {"list_label_names", "{}", "/api/v1/labels", 200,
     "{\"status\":\"success\",\"data\":[\"job\"],\"warnings\":[\"store a\\u0000 is away\"],"
     "\"infos\":[\"one\",\"two\",\"three\",\"four\"]}",
     "Datasource: store a", true},
    {"list_label_names", "{}", "/api/v1/labels", 200,
     "{\"status\":\"success\",\"data\":[\"job\"],\"infos\":[\"one\"]}", "Datasource: one", false},
    {"list_series", "{\"match\":\"up\"}", "/api/v1/series", 200,
     "{\"status\":\"success\",\"data\":[],\"warnings\":[\"partial response: store b\"]}",
     "Datasource: partial response: store b", true},
    {"list_label_values", "{\"label\":\"job\"}", "/values", 200,
     "{\"warnings\":[\"store c: rpc error\"],\"status\":\"success\",\"data\":[\"a\"]}",
     "Datasource: store c: rpc error", true},
    {"list_label_values", "{\"label\":\"job\"}", "/values", 200,
     "{\"status\":\"success\",\"data\":[\"isPartial\",\"partial\"],\"infos\":[\"two\"]}",
     "Datasource: two", false},
    {"list_metrics", "{}", "/api/v1/label/__name__/values", 200,
     "{\"status\":\"success\",\"data\":[\"up\"],\"isPartial\":true}", "answer is partial", true},
    {"list_metrics", "{}", "/api/v1/label/__name__/values", 200,
     "{\"status\":\"success\",\"data\":[\"up\"],\"warnings\":[\"store d\"]}", "answer is partial",
     true},
    {"list_metrics", "{}", "/api/v1/label/__name__/values", 200,
     "{\"status\":\"success\",\"isPartial\":false,\"data\":[\"up\",\"isPartial\",\"true\"],"
     "\"warnings\":[\"PromQL warning: x\"]}",
     "\"total\":3", false},
    {"list_label_values", "{\"label\":\"job\"}", "/values", 200,
     "{\"status\":\"success\",\"isPartial\":true,\"data\":[\"a\"]}", "answer is partial", true},
    {"loki_query", "{\"query\":\"{a=\\\"b\\\"}\"}", "/loki/api/v1/query_range", 200,
     "{\"status\":\"success\",\"warnings\":[\"a shard timed out\"],\"data\":{\"resultType\":"
     "\"streams\",\"result\":[]}}",
     "Datasource: a shard timed out", true},
    {"tempo_search", "{\"query\":\"{}\"}", "/api/search", 200,
     "{\"traces\":[],\"metrics\":{\"completedJobs\":3,\"totalJobs\":\"5\"}}", "answer is partial",
     true},
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

static void what_is_partial_is_said(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(partial_cases) / sizeof(partial_cases[0]); i++) {
        const struct answer script[] = {SOURCES,
                                        {.path = partial_cases[i].path,
                                         .status = partial_cases[i].status,
                                         .body = str_of(partial_cases[i].body)},
                                        {0}};
        fixture_run(f, script, partial_cases[i].tool, partial_cases[i].arguments);
        bool partial = json_is_true(json_object_get(f->json, "partial"));
        if (f->failed || !strstr(f->content, partial_cases[i].text) ||
            partial != partial_cases[i].partial)
            fail_msg("%zu: %s", i, f->content);
    }
}

#define PARTIAL_OF(body) "{\"status\":\"success\",\"isPartial\":true,\"data\":" body "}"
#define EMPTY_OF(type) "{\"resultType\":\"" type "\",\"result\":[]}"
#define NAMES                                                                                      \
    {                                                                                              \
        .path = "/api/v1/label/__name__/values", .status = 200,                                    \
        .body = STR("{\"status\":\"success\",\"data\":[\"up\"]}")                                  \
    }

/* Of what a result rests on each answer counts: the count before, the look-up, the explanation. */
static void what_rests_on_a_partial_answer_is_partial(void **state)
{
    static const struct {
        const char *tool, *arguments;
        struct answer first, second;
        bool failed;
    } cases[] = {
        {"execute_range_query",
         "{\"query\":\"up\"}",
         {.path = "/query_range",
          .status = 200,
          .in_query = "label_replace",
          .body = STR(PARTIAL_OF(EMPTY_OF("matrix")))},
         {.path = "/query_range",
          .status = 200,
          .body = STR("{\"status\":\"success\",\"data\":" EMPTY_OF("matrix") "}")},
         false},
        {"execute_range_query",
         "{\"query\":\"gone\"}",
         {.path = "/query_range",
          .status = 200,
          .body = STR("{\"status\":\"success\",\"data\":" EMPTY_OF("matrix") "}")},
         {.path = "/api/v1/label/__name__/values",
          .status = 200,
          .body = STR(PARTIAL_OF("[\"up\"]"))},
         false},
        {"describe_metric",
         "{\"metric\":\"gone\"}",
         {.path = "/api/v1/label/__name__/values",
          .status = 200,
          .body = STR(PARTIAL_OF("[\"up\"]"))},
         {.path = "/api/v1/labels",
          .status = 200,
          .body = STR("{\"status\":\"success\",\"data\":[]}")},
         true},
        {"describe_metric",
         "{\"metric\":\"up\"}",
         {.path = "/api/v1/labels",
          .status = 200,
          .body = STR(
              "{\"status\":\"success\",\"data\":[\"job\"],\"warnings\":[\"store e is away\"]}")},
         {.path = "/api/v1/query",
          .status = 200,
          .body = STR("{\"status\":\"success\",\"data\":" EMPTY_OF("vector") "}")},
         false},
        {"histogram_quantile",
         "{\"metric\":\"gone\"}",
         {.path = "/query_range", .status = 200, .body = STR(PARTIAL_OF(EMPTY_OF("matrix")))},
         {.path = "/none", .status = 200},
         true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct answer script[] = {SOURCES, cases[i].first, cases[i].second, NAMES, {0}};
        fixture_teardown(state);
        fixture_setup(state); /* without the catalogs of before */
        struct fixture *f = *state;
        fixture_run(f, script, cases[i].tool, cases[i].arguments);
        if (f->failed != cases[i].failed || !strstr(f->content, "answer is partial") ||
            !json_is_true(json_object_get(f->json, "partial")))
            fail_msg("%zu: %s", i, f->content);
    }
}

/* Asked again it may be whole: it is not kept. */
static void a_partial_catalog_is_not_kept(void **state)
{
    struct fixture *f = *state;
    const struct answer away[] = {SOURCES,
                                  {.path = "/api/v1/label/__name__/values",
                                   .status = 200,
                                   .body = STR(PARTIAL_OF("[\"up\"]"))},
                                  {0}};
    const struct answer back[] = {
        SOURCES,
        {.path = "/api/v1/label/__name__/values",
         .status = 200,
         .body = STR("{\"status\":\"success\",\"data\":[\"down\",\"up\"]}")},
        {0}};
    fixture_run(f, away, "list_metrics", "{}");
    assert_non_null(strstr(f->content, "\"partial\":true,\"total\":1"));
    fixture_run(f, back, "list_metrics", "{}");
    assert_null(strstr(f->content, "partial"));
    assert_non_null(strstr(f->content, "\"total\":2"));
}

/* What of a result is not on its page is said where the next one begins. */
static void the_next_page_is_named(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *tool, *arguments, *path, *next;
    } cases[] = {
        {"list_label_names", "{\"limit\":2}", "/api/v1/labels", "\"shown\":2,\"next_offset\":2"},
        {"list_label_names", "{\"limit\":2,\"offset\":1}", "/api/v1/labels", NULL},
        {"list_label_values", "{\"label\":\"x\",\"limit\":1,\"offset\":1}", "/values",
         "\"shown\":1,\"next_offset\":2"},
        {"list_label_values", "{\"label\":\"x\"}", "/values", NULL},
        {"list_metrics", "{\"limit\":1}", "/values", "\"shown\":1,\"next_offset\":1"},
        {"list_metrics", "{\"limit\":3}", "/values", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct answer script[] = {
            SOURCES,
            {.path = cases[i].path,
             .status = 200,
             .body = STR("{\"status\":\"success\",\"data\":[\"a\",\"b\",\"c\"]}")},
            {0}};
        fixture_run(f, script, cases[i].tool, cases[i].arguments);
        const char *next = cases[i].next ? cases[i].next : "\"next_offset\"";
        if (f->failed || (strstr(f->content, next) != NULL) != (cases[i].next != NULL))
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

/* Of one nanosecond the server's order holds, in both directions. */
static void lines_of_one_moment_stay_in_order(void **state)
{
    enum { COUNT_OF = 40 };
    struct fixture *f = *state;
    scoped_buf(b, 1 << 20);
    buf_puts(&b, "{\"status\":\"success\",\"data\":{\"resultType\":\"streams\",\"result\":[{"
                 "\"stream\":{\"a\":\"b\"},\"values\":[");
    for (int i = 0; i < COUNT_OF; i++)
        buf_printf(&b, "%s[\"1700000000000000001\",\"line %02d\"]", i > 0 ? "," : "", i);
    buf_puts(&b, "]}]}}");
    const struct answer script[] = {
        SOURCES, {.path = "/loki/api/v1/query_range", .status = 200, .body = buf_str(&b)}, {0}};
    for (int forward = 0; forward < 2; forward++) {
        fixture_run(f, script, "loki_query",
                    forward ? "{\"query\":\"{a=\\\"b\\\"}\",\"direction\":\"forward\"}"
                            : "{\"query\":\"{a=\\\"b\\\"}\"}");
        const char *at = f->content;
        for (int i = 0; i < COUNT_OF; i++) {
            char line[16];
            snprintf(line, sizeof(line), "line %02d", i);
            if (!(at = strstr(at, line)))
                fail_msg("%d %s: %s", forward, line, f->content);
        }
    }
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
        cmocka_unit_test_setup_teardown(what_rests_on_a_partial_answer_is_partial, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(the_next_page_is_named, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_partial_catalog_is_not_kept, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(lines_of_one_moment_stay_in_order, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(lines_of_all_streams_are_in_the_order_of_their_time,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(lines_that_do_not_fit_are_found_by_time, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
