/* Logs, traces, profiles, alerts and dashboards: what is asked of scripted servers that speak the
 * documented HTTP APIs, and what is made of their answers. */
#include "tests/support/tools_fixture.h"

static int setup(void **state)
{
    struct fixture *f = fixture_new();
    f->config.datasources = "/proxy/projects/*/datasources/*"; /* the gate has its own tests */
    fixture_tools(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

#define ENTITY(name, kind)                                                                         \
    "{\"kind\":\"GlobalDatasource\",\"metadata\":{\"name\":\"" name "\"},\"spec\":{\"plugin\":"    \
    "{\"kind\":\"" kind "\",\"spec\":{\"proxy\":{\"spec\":{\"url\":\"http://canary-host\"}}}}}}"
static const char globals[] =
    "[" ENTITY("prom", "PrometheusDatasource") "," ENTITY("logs", "LokiDatasource") "," ENTITY(
        "traces", "TempoDatasource") "," ENTITY("profiles",
                                                "PyroscopeDatasource") "," ENTITY("am",
                                                                                  "AlertManagerData"
                                                                                  "source") "]";
#define GLOBALS                                                                                    \
    {                                                                                              \
        .path = "/api/v1/globaldatasources", .status = 200, .body = {                              \
            globals,                                                                               \
            sizeof(globals) - 1                                                                    \
        }                                                                                          \
    }
#define LOCALS                                                                                     \
    {                                                                                              \
        .path = "/api/v1/datasources", .status = 200,                                              \
        .body =                                                                                    \
            STR("[{\"kind\":\"Datasource\",\"metadata\":{\"name\":\"logs\",\"project\":\"shop\"}"  \
                ",\"spec\":{\"default\":true,\"plugin\":{\"kind\":\"LokiDatasource\"}}},"          \
                "{\"metadata\":{\"name\":\"../evil\",\"project\":\"..\"},\"spec\":{}},7,null]")    \
    }

/* The last request whose path ends so. */
static const struct asked *asked(const struct fixture *f, const char *end)
{
    for (unsigned i = f->asked_count; i-- > 0;)
        if (fixture_ends(f->asked[i].path, end))
            return &f->asked[i];
    fail_msg("%s was not asked", end);
    return NULL;
}

static void expect(const struct fixture *f, const char *part)
{
    if (strstr(f->content, part) == NULL)
        fail_msg("no \"%s\" in: %s", part, f->content);
}

static void datasources_are_found_and_named(void **state)
{
    struct fixture *f = *state;
    const struct answer script[] = {GLOBALS, LOCALS, {0}};
    fixture_run(f, script, "list_datasources", "{}");
    assert_int_equal(json_integer_value(json_object_get(f->json, "total")), 6);
    expect(f, "{\"path\":\"/proxy/globaldatasources/prom\",\"kind\":\"PrometheusDatasource\","
              "\"in_conversation\":true}");
    expect(f, "{\"path\":\"/proxy/projects/shop/datasources/logs\",\"kind\":\"LokiDatasource\","
              "\"default\":true}");
    assert_string_equal(f->asked[0].authorization, "Bearer canary-token");
    fixture_run(f, script, "list_datasources", "{\"kind\":\"Tempo\"}");
    assert_int_equal(f->asked_count, 0); /* known for a minute */
    assert_int_equal(json_integer_value(json_object_get(f->json, "total")), 1);
}

static void a_call_goes_to_a_datasource_of_its_kind(void **state)
{
    struct fixture *f = *state;
    const struct answer script[] = {
        GLOBALS,
        LOCALS,
        {.path = "/loki/api/v1/labels", .status = 200, .body = STR("{\"data\":[\"job\"]}")},
        {0}};
    fixture_run(f, script, "loki_labels", "{}"); /* none named: a global one before a project's */
    assert_string_equal(f->datasource, "/proxy/globaldatasources/logs");
    fixture_run(f, script, "loki_labels", "{\"datasource\":\"/proxy/globaldatasources/logs\"}");
    assert_string_equal(f->datasource, "/proxy/globaldatasources/logs");
    fixture_run(f, script, "loki_labels", "{\"datasource\":\"prom\"}");
    fixture_expect_error(f, "unknown_datasource",
                         "is a PrometheusDatasource; this tool needs a "
                         "LokiDatasource. There are: ");
    fixture_run(f, script, "loki_labels", "{\"datasource\":\"/proxy/unsaved/x\"}");
    fixture_expect_error(f, "unknown_datasource", "no datasource");
    fixture_run(f, script, "execute_instant_query", "{\"query\":\"up\",\"datasource\":\"traces\"}");
    fixture_expect_error(f, "unknown_datasource", "is a TempoDatasource");
}

/* Of two of a kind in the conversation: the one that it names first. */
static void the_conversations_order_decides(void **state)
{
    struct fixture *f = *state;
    static const struct str paths[] = {
        {"/proxy/globaldatasources/prom", 29},
        {"/proxy/globaldatasources/logs", 29},
        {"/proxy/projects/shop/datasources/logs", 37},
    };
    const struct answer script[] = {
        GLOBALS,
        LOCALS,
        {.path = "/loki/api/v1/labels", .status = 200, .body = STR("{\"data\":[\"job\"]}")},
        {0}};
    f->paths = paths;
    f->path_count = 3;
    fixture_run(f, script, "loki_labels", "{}"); /* not the default one, which comes later */
    assert_string_equal(f->datasource, "/proxy/globaldatasources/logs");
    f->paths = paths + 2;
    f->path_count = 1;
    fixture_run(f, script, "loki_labels", "{}");
    assert_string_equal(f->datasource, "/proxy/projects/shop/datasources/logs");
}

static void without_a_list_there_is_a_clear_error(void **state)
{
    struct fixture *f = *state;
    const struct answer refused[] = {
        {.path = "datasources", .status = 401, .body = STR("{\"message\":\"jwt\"}")}, {0}};
    fixture_run(f, refused, "loki_labels", "{}");
    fixture_expect_error(f, "unauthorized", "no Loki datasource");
    assert_true(f->unauthorized);
    const struct answer broken[] = {
        {.path = "datasources", .status = 200, .body = STR("<html>"), .type = "text/html"}, {0}};
    fixture_run(f, broken, "tempo_tags", "{}");
    fixture_expect_error(f, "unknown_datasource", "could not be read");
    const struct answer half[] = {
        {.path = "/api/v1/globaldatasources", .status = 403, .body = STR("{}")}, LOCALS, {0}};
    fixture_run(f, half, "list_datasources", "{}"); /* what may be seen is shown */
    expect(f, "Not all datasources could be read");
    assert_int_equal(json_integer_value(json_object_get(f->json, "total")), 1);
}

#define STATS(bytes)                                                                               \
    {                                                                                              \
        .path = "/loki/api/v1/index/stats", .status = 200,                                         \
        .body = STR("{\"streams\":1,\"chunks\":1,\"entries\":1,\"bytes\":" bytes "}")              \
    }

static void logs_are_read(void **state)
{
    struct fixture *f = *state;
    const struct answer script[] = {
        GLOBALS,
        LOCALS,
        STATS("1000"),
        {.path = "/loki/api/v1/query_range",
         .status = 200,
         .body = STR("{\"status\":\"success\",\"data\":{\"resultType\":\"streams\",\"result\":[{"
                     "\"stream\":{\"job\":\"api\"},\"values\":[[\"1699999990000000000\",\"GET / "
                     "500\\u202e\\u0000x\"],[\"1699999980000000000\",\"b\",{\"a\":\"1\"}]]}]}}")},
        {0}};
    fixture_run(f, script, "loki_query", "{\"query\":\"{job=\\\"api\\\"} |= `}`\",\"limit\":2}");
    expect(f, "\"start\":\"2023-11-14T21:13:20Z\",\"end\":\"2023-11-14T22:13:20Z\"");
    expect(f, "\"lines_total\":2");
    expect(f, "{\"stream\":{\"job\":\"api\"},\"lines\":[[\"2023-11-14T22:13:10Z\",\"GET / 500 x\"],"
              "[\"2023-11-14T22:13:00Z\",\"b\"]]}");
    expect(f, "there may be more");
    const struct answer metric[] = {
        GLOBALS,
        LOCALS,
        {.path = "/loki/api/v1/query_range",
         .status = 200,
         .body = STR("{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{"
                     "\"metric\":{\"level\":\"error\"},\"values\":[[1699999990,\"5\"]]}],\"stats\":"
                     "{\"summary\":{\"x\":1}}}}")},
        {0}};
    fixture_run(f, metric, "loki_query",
                "{\"query\":\"sum by (level) (count_over_time({job=\\\"api\\\"}[5m]))\"}");
    expect(f, "\"kind\":\"log_metric\"");
    expect(f, "{\"labels\":{\"level\":\"error\"},\"last\":5");
    /* as a dashboard's query has it */
    fixture_run(
        f, metric, "loki_query",
        "{\"query\":\"sum(rate({job=\\\"api\\\"}[$__auto])) / rate({a=\\\"b\\\"}[$__range])\"}");
    expect(f, "sum(rate({job=\\\"api\\\"}[30s])) / rate({a=\\\"b\\\"}[1h])");
    expect(f, "variables of Perses were put in");
}

static void dear_and_blanket_log_queries_are_refused(void **state)
{
    struct fixture *f = *state;
    const struct answer script[] = {GLOBALS, LOCALS, STATS("90000000000"), {0}};
    fixture_run(f, script, "loki_query", "{\"query\":\"{job=\\\"api\\\"}\"}");
    fixture_expect_error(f, "query_refused", "about 90,000 MB");
    static const unsigned statuses[] = {500, 503, 504, 400, 404, 403, 501};
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        const struct answer says[] = {
            GLOBALS,
            LOCALS,
            {.path = "/loki/api/v1/index/stats", .status = statuses[i], .body = STR("no")},
            {.path = "/loki/api/v1/query_range",
             .status = 200,
             .body = STR("{\"status\":\"success\",\"data\":{\"result\":[]}}")},
            {0}};
        fixture_run(f, says, "loki_query", "{\"query\":\"{job=\\\"api\\\"}\"}");
        if (f->failed != (i < 4)) /* only what has no such address is asked without */
            fail_msg("%u: %s", statuses[i], f->content);
    }
    static const char *const blanket[] = {"{}",
                                          "{job=~\\\".+\\\"}",
                                          "{job!=\\\"x\\\"}",
                                          "{a=~`.*`, b != \\\"y\\\"}",
                                          "count_over_time({}[5m])",
                                          "{a=~\\\"(.*)\\\"}",
                                          "{a=~\\\"x|.*\\\"}",
                                          "{a=~\\\"x?\\\"}",
                                          "{a=~\\\"(?i).+\\\"}",
                                          "{a=~\\\"[a-z]*\\\"}",
                                          "{} # {job=\\\"api\\\"}",
                                          "{} |= \\\"{a=\\\\\\\"b\\\\\\\"}\\\"",
                                          "{ # a=\\\"b\\\"\\n}",
                                          "sum(rate({a=\\\"b\\\"}[1m])) or sum(rate({}[1m]))",
                                          "{a=\\\"\\\"}"};
    for (size_t i = 0; i < sizeof(blanket) / sizeof(blanket[0]); i++) {
        char arguments[200];
        snprintf(arguments, sizeof(arguments), "{\"query\":\"%s\"}", blanket[i]);
        fixture_run(f, script, "loki_query", arguments);
        fixture_expect_error(f, "query_refused", "selects every stream");
        assert_int_equal(f->asked_count, 0);
    }
    fixture_run(f, script, "loki_query", "{\"query\":\"error\"}");
    fixture_expect_error(f, "bad_arguments", "needs a stream selector");
    fixture_run(f, script, "loki_labels", "{\"label\":\"../../x\"}");
    fixture_expect_error(f, "bad_arguments", "no label name");
}

static void patterns_and_volumes_are_read(void **state)
{
    struct fixture *f = *state;
    const struct answer script[] = {
        GLOBALS,
        LOCALS,
        {.path = "/loki/api/v1/patterns",
         .status = 200,
         .body = STR("{\"status\":\"success\",\"data\":[{\"pattern\":\"GET <_> 500\",\"samples\":[["
                     "1,2],[2,3]]}]}")},
        {.path = "/loki/api/v1/index/volume",
         .status = 200,
         .body = STR("{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{"
                     "\"metric\":{\"job\":\"api\"},\"value\":[1,\"42\"]}]}}")},
        {.path = "/loki/api/v1/series",
         .status = 200,
         .body = STR("{\"status\":\"success\",\"data\":[{\"job\":\"api\",\"pod\":\"p\"}]}")},
        {0}};
    fixture_run(f, script, "loki_patterns", "{\"match\":\"{job=\\\"api\\\"}\"}");
    expect(f, "{\"pattern\":\"GET <_> 500\",\"lines\":5}");
    fixture_run(f, script, "loki_volume", "{\"match\":\"{job=\\\"api\\\"}\"}");
    expect(f, "{\"labels\":{\"job\":\"api\"},\"bytes\":42}");
    fixture_run(f, script, "loki_series", "{\"match\":\"{job=\\\"api\\\"}\"}");
    expect(f, "{\"stream\":{\"job\":\"api\",\"pod\":\"p\"}}");
}

static void names_of_opentelemetry_are_lokis_and_tempos(void **state)
{
    struct fixture *f = *state;
    const struct str list = STR("{\"data\":[\"shop\"]}");
    const struct answer script[] = {
        GLOBALS,
        LOCALS,
        STATS("1000"),
        {.path = "/loki/api/v1/label/service_name/values", .status = 200, .body = list},
        {.path = "/loki/api/v1/label/k8s_app/values", .status = 200, .body = list},
        {.path = "/loki/api/v1/series",
         .status = 200,
         .body = STR("{\"data\":[{\"service_name\":\"shop\"}]}")},
        {.path = "/loki/api/v1/query_range",
         .status = 200,
         .body =
             STR("{\"status\":\"success\",\"data\":{\"resultType\":\"streams\",\"result\":[]}}")},
        {.path = "/api/v2/search/tag/.service.name/values",
         .status = 200,
         .body = STR("{\"tagValues\":[{\"type\":\"string\",\"value\":\"shop\"}]}")},
        {.path = "/api/v2/search/tag/resource.service.name/values",
         .status = 200,
         .body = STR("{\"tagValues\":[{\"type\":\"string\",\"value\":\"shop\"}]}")},
        {0}};
    static const char *const labels[] = {"{\"label\":\"service.name\"}",
                                         "{\"label\":\"\\\"service.name\\\"\"}",
                                         "{\"label\":\"k8s/app\"}"};
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        fixture_run(f, script, "loki_labels", labels[i]);
        expect(f, "\"values\":[\"shop\"]");
        expect(f, i == 2 ? "Loki has k8s/app as k8s_app" : "Loki has service.name as service_name");
    }
    fixture_run(f, script, "loki_labels", "{\"label\":\"a}b\"}");
    fixture_expect_error(f, "bad_arguments", "no label name");
    static const char *const selectors[] = {"{service.name=\\\"shop\\\"}",
                                            "{\\\"service.name\\\"=\\\"shop\\\"}"};
    for (size_t i = 0; i < sizeof(selectors) / sizeof(selectors[0]); i++) {
        char arguments[100];
        snprintf(arguments, sizeof(arguments), "{\"match\":\"%s\"}", selectors[i]);
        fixture_run(f, script, "loki_series", arguments);
        expect(f, "{\"stream\":{\"service_name\":\"shop\"}}");
        expect(f, "Loki has service.name as service_name");
        snprintf(arguments, sizeof(arguments), "{\"query\":\"%s\"}", selectors[i]);
        fixture_run(f, script, "loki_query", arguments);
        assert_string_equal(fixture_text(f, "query"), "{service_name=\"shop\"}");
    }
    fixture_run(f, script, "tempo_tags", "{\"tag\":\"service.name\"}");
    expect(f, "\"values\":[\"shop\"]");
    expect(f, "looked for in all scopes");
    fixture_run(f, script, "tempo_tags", "{\"tag\":\"resource.service.name\"}");
    expect(f, "\"values\":[\"shop\"]");
    assert_null(strstr(f->content, "all scopes"));
}

static void traces_are_found_and_summarised(void **state)
{
    struct fixture *f = *state;
    const struct answer script[] = {
        GLOBALS,
        LOCALS,
        {.path = "/api/search",
         .status = 200,
         .body =
             STR("{\"traces\":[{\"traceID\":\"ab12\",\"rootServiceName\":\"shop\","
                 "\"rootTraceName\":\"GET /\",\"startTimeUnixNano\":\"1699999990000000000\","
                 "\"durationMs\":120,\"spanSet\":{\"spans\":[],\"matched\":3}}],\"metrics\":{}}")},
        {.path = "/api/traces/ab12",
         .status = 200,
         .body = STR(
             "{\"batches\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
             "\"stringValue\":\"shop\"}}]},\"scopeSpans\":[{\"spans\":[{\"name\":\"GET /\","
             "\"startTimeUnixNano\":\"1000000000\",\"endTimeUnixNano\":\"1120000000\"},{\"name\":"
             "\"render\",\"parentSpanId\":\"x\",\"startTimeUnixNano\":\"1100000000\","
             "\"endTimeUnixNano\":\"1110000000\"}]}]},{\"resource\":{\"attributes\":[{\"key\":"
             "\"service.name\",\"value\":{\"stringValue\":\"db\"}}]},\"scopeSpans\":[{\"spans\":[{"
             "\"name\":\"SELECT\",\"parentSpanId\":\"y\",\"startTimeUnixNano\":\"1010000000\","
             "\"endTimeUnixNano\":\"1090000000\",\"status\":{\"code\":\"STATUS_CODE_ERROR\","
             "\"message\":\"dead\\u200block\"}}]}]}]}")},
        {.path = "/api/traces/cd34",
         .status = 200,
         .body = STR("{\"batches\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"exact\","
                     "\"startTimeUnixNano\":\"1764590400123456789\",\"endTimeUnixNano\":"
                     "\"1764590400173456789\"},{\"name\":\"open\",\"parentSpanId\":\"x\","
                     "\"startTimeUnixNano\":\"1764590400133456789\"},{\"name\":\"lost\","
                     "\"parentSpanId\":\"x\"}]}]}]}")},
        {.path = "/api/traces/ef56",
         .status = 200,
         .body = STR("{\"batches\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"open\","
                     "\"startTimeUnixNano\":\"1764590400123456789\"}]}]}]}")},
        {.path = "/api/v2/search/tags",
         .status = 200,
         .body = STR("{\"scopes\":[{\"name\":\"resource\",\"tags\":[\"service.name\",\"pod\"]}]}")},
        {.path = "/values",
         .status = 200,
         .body = STR("{\"tagValues\":[{\"type\":\"string\",\"value\":\"shop\"}]}")},
        {0}};
    fixture_run(f, script, "tempo_search", "{\"query\":\"{ duration > 100ms }\"}");
    expect(f, "\"start\":\"2023-11-14T21:13:20Z\",\"end\":\"2023-11-14T22:13:20Z\"");
    expect(f, "{\"trace_id\":\"ab12\",\"service\":\"shop\",\"name\":\"GET /\",\"start\":\"2023-11-"
              "14T22:13:10Z\",\"duration_ms\":120,\"spans_matched\":3}");
    fixture_run(f, script, "tempo_trace", "{\"trace_id\":\"ab12\"}");
    expect(f, "\"duration_ms\":120,\"spans_total\":3,\"errors\":1,\"services\":[{\"service\":"
              "\"shop\",\"spans\":2,\"errors\":0,\"span_ms\":130},{\"service\":\"db\",\"spans\":1,"
              "\"errors\":1,\"span_ms\":80}]");
    expect(f, "{\"service\":\"db\",\"name\":\"SELECT\",\"after_ms\":10,\"duration_ms\":80,"
              "\"error\":true,\"message\":\"deadlock\"}");
    fixture_run(f, script, "tempo_trace", "{\"trace_id\":\"cd34\"}"); /* nanoseconds are exact */
    expect(f, "\"start\":\"2025-12-01T12:00:00.123Z\",\"duration_ms\":50,\"spans_total\":3");
    expect(f, "\"name\":\"exact\",\"after_ms\":0,\"duration_ms\":50}");
    expect(f, "\"name\":\"open\",\"after_ms\":10,\"duration_ms\":0,\"unfinished\":true}");
    expect(f, "\"name\":\"lost\",\"duration_ms\":0,\"unfinished\":true}");
    fixture_run(f, script, "tempo_trace", "{\"trace_id\":\"ef56\"}");
    expect(f, "\"duration_ms\":0,\"spans_total\":1");
    fixture_run(f, script, "tempo_tags", "{}");
    expect(f, "{\"scope\":\"resource\",\"tags\":[\"service.name\",\"pod\"]}");
    fixture_run(f, script, "tempo_tags", "{\"tag\":\"resource.service.name\"}");
    expect(f, "\"values\":[\"shop\"]");
    fixture_run(f, script, "tempo_trace", "{\"trace_id\":\"../../x\"}");
    fixture_expect_error(f, "bad_arguments", "no trace ID");
}

static void profiles_are_summed_by_function(void **state)
{
    struct fixture *f = *state;
    const struct answer script[] = {
        GLOBALS,
        LOCALS,
        {.path = "/querier.v1.QuerierService/ProfileTypes",
         .status = 200,
         .body =
             STR("{\"profileTypes\":[{\"ID\":\"process_cpu:cpu:nanoseconds:cpu:nanoseconds\","
                 "\"name\":\"process_cpu\",\"sampleType\":\"cpu\",\"sampleUnit\":\"nanoseconds\""
                 "}]}")},
        {.path = "/pyroscope/render",
         .status = 200,
         .body =
             STR("{\"version\":1,\"flamebearer\":{\"names\":[\"total\",\"main\",\"work\"],"
                 "\"levels\":[[0,100,0,0],[0,100,10,1],[0,60,60,2,0,30,30,2]],\"numTicks\":100,"
                 "\"maxSelf\":60},\"metadata\":{\"format\":\"single\",\"units\":\"samples\"}}")},
        {0}};
    fixture_run(f, script, "pyroscope_profile_types", "{}");
    expect(f, "{\"id\":\"process_cpu:cpu:nanoseconds:cpu:nanoseconds\",\"name\":\"process_cpu\"");
    assert_string_equal(asked(f, "ProfileTypes")->body,
                        "{\"start\":1699996400000,\"end\":1700000000000}");
    fixture_run(f, script, "pyroscope_top_functions",
                "{\"query\":\"process_cpu:cpu{service=`shop`}\"}");
    expect(f, "\"start\":\"2023-11-14T21:13:20Z\",\"end\":\"2023-11-14T22:13:20Z\"");
    expect(f,
           "\"unit\":\"samples\",\"sum\":100,\"total\":2,\"shown\":2,\"functions\":[{\"function\":"
           "\"work\",\"self\":90,\"self_percent\":90,\"total\":90},{\"function\":\"main\",\"self\":"
           "10,\"self_percent\":10,\"total\":100}]");
    static const char *const blanket[] = {"{\"query\":\"process_cpu:cpu\"}",
                                          "{\"query\":\"process_cpu:cpu{}\"}",
                                          "{\"query\":\"process_cpu:cpu{a=~\\\".+\\\"}\"}",
                                          "{\"query\":\"cpu{a=`b`} or cpu{c=`d`}\"}"};
    for (size_t i = 0; i < sizeof(blanket) / sizeof(blanket[0]); i++) {
        fixture_run(f, script, "pyroscope_top_functions", blanket[i]);
        fixture_expect_error(f, "query_refused", "one selector");
    }
}

static void alerts_and_silences_are_read(void **state)
{
    struct fixture *f = *state;
    const struct answer script[] = {
        GLOBALS,
        LOCALS,
        {.path = "/api/v2/alerts",
         .status = 200,
         .body =
             STR("[{\"labels\":{\"alertname\":\"Down\",\"job\":\"api\"},\"annotations\":{"
                 "\"summary\":\"it is down\"},\"startsAt\":\"2023-11-14T22:00:00Z\",\"status\":{"
                 "\"state\":\"suppressed\",\"silencedBy\":[\"s1\"],\"inhibitedBy\":[]}}]")},
        {.path = "/api/v2/silences",
         .status = 200,
         .body = STR("[{\"id\":\"s1\",\"status\":{\"state\":\"active\"},\"createdBy\":\"ann\","
                     "\"comment\":\"known\",\"startsAt\":\"a\",\"endsAt\":\"b\",\"matchers\":[{"
                     "\"name\":\"job\",\"value\":\"a.*\",\"isRegex\":true,\"isEqual\":false}]},{"
                     "\"status\":{\"state\":\"expired\"}}]")},
        {0}};
    fixture_run(f, script, "alertmanager_alerts", "{\"search\":\"DOWN\"}");
    expect(f, "{\"name\":\"Down\",\"state\":\"suppressed\",\"since\":\"2023-11-14T22:00:00Z\","
              "\"silenced_by\":1,\"labels\":{\"alertname\":\"Down\",\"job\":\"api\"}");
    fixture_run(f, script, "alertmanager_silences", "{}");
    expect(f, "\"total\":1,\"shown\":1");
    expect(f, "\"by\":\"ann\",\"comment\":\"known\",\"matchers\":[[\"job\",\"!~\",\"a.*\"]]");
}

#define PANEL(title, kind, query)                                                                  \
    "{\"kind\":\"Panel\",\"spec\":{\"display\":{\"name\":\"" title                                 \
    "\"},\"plugin\":{\"kind\":\"TimeSeriesChart\"},\"queries\":[{\"kind\":\"TimeSeriesQuery\","    \
    "\"spec\":{\"plugin\":{\"kind\":\"" kind "\",\"spec\":{\"query\":\"" query "\"}}}}]}}"
#define CPU_QUERY "rate(cpu{env=\\\"$env\\\"}[$__rate_interval])"
#define LOG_QUERY "{job=\\\"$gone\\\"}"
static const char board[] =
    "{\"kind\":\"Dashboard\",\"metadata\":{\"name\":\"nodes\",\"project\":\"shop\"},\"spec\":{"
    "\"display\":{\"name\":\"Our nodes\"},\"variables\":[{\"kind\":\"TextVariable\",\"spec\":{"
    "\"name\":\"env\",\"value\":\"prod\"}}],\"panels\":{\"p1\":" PANEL(
        "CPU", "PrometheusTimeSeriesQuery",
        CPU_QUERY) ",\"p2\":" PANEL("Errors", "LokiTimeSeriesQuery", LOG_QUERY) "}}}";

static void dashboards_are_read_with_their_variables(void **state)
{
    struct fixture *f = *state;
    char list[sizeof(board) + 2];
    snprintf(list, sizeof(list), "[%s]", board);
    const struct answer script[] = {
        {.path = "/api/v1/dashboards", .status = 200, .body = str_of(list)},
        {.path = "/api/v1/projects/shop/dashboards/nodes",
         .status = 200,
         .body = {board, sizeof(board) - 1}},
        {.path = "/api/v1/projects",
         .status = 200,
         .body = STR("[{\"metadata\":{\"name\":\"shop\"},\"spec\":{\"display\":{\"name\":\"The "
                     "shop\"}}}]")},
        {0}};
    fixture_run(f, script, "list_projects", "{}");
    expect(f, "\"projects\":[{\"name\":\"shop\",\"display\":\"The shop\"}]");
    fixture_run(f, script, "list_dashboards", "{\"search\":\"our\"}");
    expect(f,
           "{\"project\":\"shop\",\"dashboard\":\"nodes\",\"display\":\"Our nodes\",\"panels\":2}");
    fixture_run(f, script, "search_panels", "{\"search\":\"rate(cpu\"}");
    expect(f,
           "\"total\":1,\"shown\":1,\"panels\":[{\"project\":\"shop\",\"dashboard\":\"nodes\","
           "\"panel\":\"p1\",\"title\":\"CPU\",\"chart\":\"TimeSeriesChart\",\"queries\":[{"
           "\"language\":\"PrometheusTimeSeriesQuery\",\"query\":\"rate(cpu{env=\\\"prod\\\"}[60s])"
           "\"}]}]");
    fixture_run(f, script, "get_dashboard", "{\"project\":\"shop\",\"dashboard\":\"nodes\"}");
    expect(f, "\"display\":\"Our nodes\",\"variables\":[{\"name\":\"env\",\"value\":\"prod\"}]");
    expect(f, "The variable gone has no default");
    fixture_run(f, script, "get_panel",
                "{\"project\":\"shop\",\"dashboard\":\"nodes\",\"panel\":\"errors\",\"variables\":"
                "\"gone=x\"}");
    expect(f, "\"total\":1");
    expect(f, "\"query\":\"{job=\\\"x\\\"}\"");
    fixture_run(f, script, "get_dashboard", "{\"project\":\"shop/../x\",\"dashboard\":\"nodes\"}");
    fixture_expect_error(f, "bad_arguments", "is no name");
}

static void a_panels_query_is_run(void **state)
{
    struct fixture *f = *state;
    const struct answer script[] = {
        {.path = "/api/v1/projects/shop/dashboards/nodes",
         .status = 200,
         .body = {board, sizeof(board) - 1}},
        {.path = "/api/v1/query_range",
         .status = 200,
         .body = STR("{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{"
                     "\"metric\":{\"i\":\"0\"},\"values\":[[1699996400,\"1\"]]}]}}")},
        {0}};
    fixture_run(f, script, "run_panel",
                "{\"project\":\"shop\",\"dashboard\":\"nodes\",\"panel\":\"CPU\",\"variables\":"
                "\"env=test\"}");
    assert_false(f->failed);
    assert_string_equal(fixture_text(f, "query"), "rate(cpu{env=\"test\"}[60s])");
    assert_string_equal(f->datasource, "/proxy/globaldatasources/prom");
    fixture_run(f, script, "run_panel",
                "{\"project\":\"shop\",\"dashboard\":\"nodes\",\"panel\":\"p2\"}");
    fixture_expect_error(f, "not_prometheus", "LokiTimeSeriesQuery");
    fixture_run(f, script, "run_panel",
                "{\"project\":\"shop\",\"dashboard\":\"nodes\",\"panel\":\"p9\"}");
    fixture_expect_error(f, "not_found", "no such panel");
}

/* $project is the dashboard's, $job of its project, $env of all projects; the nearer ones count. */
static void a_panels_variables_may_be_of_its_project_and_have_all_values(void **state)
{
    struct fixture *f = *state;
#define ALL(label, match)                                                                          \
    "{\"kind\":\"ListVariable\",\"spec\":{\"name\":\"ignored\",\"allowAllValue\":true,"            \
    "\"defaultValue\":\"$__all\",\"plugin\":{\"kind\":\"PrometheusLabelValuesVariable\",\"spec\":" \
    "{"                                                                                            \
    "\"labelName\":\"" label "\",\"matchers\":[\"" match "\"]}}}}"
    const struct answer script[] = {
        {.path = "/api/v1/projects/shop/dashboards/nodes",
         .status = 200,
         .body = STR("{\"kind\":\"Dashboard\",\"metadata\":{\"name\":\"nodes\"},\"spec\":{"
                     "\"variables\":[{\"kind\":\"TextVariable\",\"spec\":{\"name\":\"project\","
                     "\"value\":\"p1\"}}],\"panels\":{\"p1\":" PANEL(
                         "CPU", "PrometheusTimeSeriesQuery",
                         "cpu{job=~\\\"$job\\\",env=\\\"$env\\\"}") "}}}")},
        {.path = "/api/v1/projects/shop/variables",
         .status = 200,
         .body = STR("[{\"kind\":\"Variable\",\"metadata\":{\"name\":\"job\"},\"spec\":" ALL(
             "job", "cpu{project='$project'}") "},{\"metadata\":{\"name\":\"project\"},\"spec\":{"
                                               "\"kind\":\"TextVariable\",\"spec\":{\"value\":"
                                               "\"other\"}}},7]")},
        {.path = "/api/v1/globalvariables",
         .status = 200,
         .body = STR("[{\"metadata\":{\"name\":\"env\"},\"spec\":{\"kind\":\"TextVariable\","
                     "\"spec\":{\"value\":\"prod\"}}}]")},
        {.path = "/api/v1/label/job/values",
         .status = 200,
         .in_query = "cpu{project='p1'}",
         .body = STR("{\"status\":\"success\",\"data\":[\"a\",\"b\"]}")},
        {.path = "/api/v1/query_range",
         .status = 200,
         .body = STR("{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{"
                     "\"metric\":{\"i\":\"0\"},\"values\":[[1699996400,\"1\"]]}]}}")},
        {0}};
    fixture_run(f, script, "run_panel",
                "{\"project\":\"shop\",\"dashboard\":\"nodes\",\"panel\":\"CPU\"}");
    assert_false(f->failed);
    assert_string_equal(fixture_text(f, "query"), "cpu{job=~\"(a|b)\",env=\"prod\"}");
    fixture_run(f, script, "run_panel",
                "{\"project\":\"shop\",\"dashboard\":\"nodes\",\"panel\":\"CPU\",\"variables\":"
                "\"job=$__all,env=test\"}");
    assert_string_equal(fixture_text(f, "query"), "cpu{job=~\"(a|b)\",env=\"test\"}");
    /* What is shown of it as well, and one of its variables is listed with whose it is. */
    fixture_run(f, script, "get_panel",
                "{\"project\":\"shop\",\"dashboard\":\"nodes\",\"panel\":\"p1\"}");
    expect(f, "\"query\":\"cpu{job=~\\\"$job\\\",env=\\\"prod\\\"}\"");
    expect(f, "$job is all of its values, which only its datasource knows: run_panel");
    expect(f, "\"variables\":[{\"name\":\"project\",\"value\":\"p1\"},{\"name\":\"job\",\"of\":"
              "\"project\",\"from\":\"PrometheusLabelValuesVariable\",\"value\":\"$__all\"},{"
              "\"name\":"
              "\"env\",\"of\":\"all projects\",\"value\":\"prod\"}]");
    expect(f, "\"total\":1,\"shown\":1");
    assert_null(strstr(f->content, "has no default"));
    /* What is given is not asked for, and who may not read the variables gives them. */
    const struct answer refused[] = {script[0], script[4], {0}};
    fixture_run(f, refused, "run_panel",
                "{\"project\":\"shop\",\"dashboard\":\"nodes\",\"panel\":\"CPU\",\"variables\":"
                "\"job=x,env=test\"}");
    assert_string_equal(fixture_text(f, "query"), "cpu{job=~\"x\",env=\"test\"}");
    fixture_run(f, refused, "run_panel",
                "{\"project\":\"shop\",\"dashboard\":\"nodes\",\"panel\":\"CPU\",\"variables\":"
                "\"job=x\"}");
    assert_string_equal(fixture_text(f, "query"), "cpu{job=~\"x\",env=\"$env\"}");
    /* No value is not any value. */
    struct answer none[sizeof(script) / sizeof(script[0])];
    memcpy(none, script, sizeof(script));
    none[3].body = STR("{\"status\":\"success\",\"data\":[]}");
    fixture_run(f, none, "run_panel",
                "{\"project\":\"shop\",\"dashboard\":\"nodes\",\"panel\":\"CPU\"}");
    assert_string_equal(fixture_text(f, "query"), "cpu{job=~\"\",env=\"prod\"}");
    /* Too many are any, and that is said. */
    scoped_buf(many, 8192);
    buf_puts(&many, "{\"status\":\"success\",\"data\":[");
    for (int i = 0; i <= 200; i++)
        buf_printf(&many, "%s\"j%d\"", i ? "," : "", i);
    buf_puts(&many, "]}");
    none[3].body = buf_str(&many);
    fixture_run(f, none, "run_panel",
                "{\"project\":\"shop\",\"dashboard\":\"nodes\",\"panel\":\"CPU\"}");
    assert_string_equal(fixture_text(f, "query"), "cpu{job=~\".*\",env=\"prod\"}");
    expect(f, "All of the variable job is any value here: it has 201");
}

#define OPEN(name, kind, spec, more)                                                               \
    "{\"kind\":\"ListVariable\",\"spec\":{\"name\":\"" name                                        \
    "\",\"allowAllValue\":true,\"defaultValue\":\"$__all\"," more "\"plugin\":{\"kind\":\"" kind   \
    "\",\"spec\":{" spec "}}}}"
#define AS_PANEL(query, variables)                                                                 \
    "{\"kind\":\"Dashboard\",\"metadata\":{\"name\":\"nodes\"},\"spec\":{\"variables\":"           \
    "[" variables "],\"panels\":{\"p1\":" PANEL("CPU", "PrometheusTimeSeriesQuery", query) "}}}"

/* All of a query's labels, of the names of labels, and the part that an expression takes. */
static void all_values_are_those_of_perses_plugins(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *board, *answer, *wanted;
    } rows[] = {
        {AS_PANEL(
             "cpu{pod=~\\\"$pod\\\"}",
             OPEN(
                 "pod", "PrometheusPromQLVariable",
                 "\"expr\":\"topk(2, cpu{env='$env'})\",\"labelName\":\"pod\"",
                 "") ",{\"kind\":\"TextVariable\",\"spec\":{\"name\":\"env\",\"value\":\"prod\"}}"),
         "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{"
         "\"pod\":"
         "\"a\"},\"value\":[1,\"2\"]},{\"metric\":{},\"value\":[1,\"2\"]},{\"metric\":{\"pod\":"
         "\"b\"},"
         "\"value\":[1,\"2\"]},{\"metric\":{\"pod\":\"a\",\"i\":\"1\"},\"value\":[1,\"2\"]}]}}",
         "cpu{pod=~\"(a|b)\"}"},
        {AS_PANEL("sum by (${l:csv}) (cpu)",
                  OPEN("l", "PrometheusLabelNamesVariable", "\"matchers\":[\"cpu\"]", "")),
         "{\"status\":\"success\",\"data\":[\"env\",\"job\"]}", "sum by (env,job) (cpu)"},
        {AS_PANEL("cpu{host=~\\\"$host.*\\\"}",
                  OPEN("host", "PrometheusLabelValuesVariable", "\"labelName\":\"instance\"",
                       "\"capturingRegexp\":\"^(.+)-[0-9]+:([0-9]).*$\",")),
         "{\"status\":\"success\",\"data\":[\"web-1:9100\",\"web-2:9100\",\"db-1:9100\",\"odd\"]}",
         "cpu{host=~\"(web9|db9).*\"}"},
        /* What can't be asked is any value. */
        {AS_PANEL("cpu{pod=~\\\"$pod\\\"}",
                  OPEN("pod", "PrometheusPromQLVariable",
                       "\"expr\":\"{pod=~'.*'}\",\"labelName\":\"pod\"", "")),
         "", "cpu{pod=~\".*\"}"},
        {AS_PANEL("cpu{pod=~\\\"$pod\\\"}",
                  OPEN("pod", "PrometheusLabelValuesVariable", "\"labelName\":\"pod\"",
                       "\"capturingRegexp\":\"(\",")),
         "", "cpu{pod=~\".*\"}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct answer script[] = {
            {.path = "/dashboards/nodes", .status = 200, .body = str_of(rows[i].board)},
            {.path = "/api/v1/query",
             .in_query = "prod",
             .status = 200,
             .body = str_of(rows[i].answer)},
            {.path = "/api/v1/labels",
             .in_query = "cpu",
             .status = 200,
             .body = str_of(rows[i].answer)},
            {.path = "/label/instance/values", .status = 200, .body = str_of(rows[i].answer)},
            {.path = "/api/v1/query_range",
             .status = 200,
             .body = STR("{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{"
                         "\"metric\":{\"i\":\"0\"},\"values\":[[1699996400,\"1\"]]}]}}")},
            {0}};
        fixture_run(f, script, "run_panel",
                    "{\"project\":\"shop\",\"dashboard\":\"nodes\",\"panel\":\"CPU\"}");
        assert_string_equal(fixture_text(f, "query"), rows[i].wanted);
        bool any = strstr(rows[i].wanted, "=~\".*\"") != NULL;
        assert_int_equal(any, strstr(f->content, "is any value here") != NULL);
    }
}

/* Whoever may edit a dashboard can write one that takes exponential time: it is given up for all
 * values together, not for each of them. */
static void an_expression_that_takes_for_ever_is_given_up(void **state)
{
    struct fixture *f = *state;
    scoped_buf(values, 1 << 20);
    buf_puts(&values, "{\"status\":\"success\",\"data\":[");
    for (int i = 0; i < 6000; i++)
        buf_printf(&values, "%s\"abcdefghijklmnopqrstuvwxyzabcdef-%d\"", i ? "," : "", i);
    buf_puts(&values, "]}");
    const struct answer script[] = {
        {.path = "/dashboards/nodes",
         .status = 200,
         .body = STR(
             AS_PANEL("cpu{host=~\\\"$host\\\"}",
                      OPEN("host", "PrometheusLabelValuesVariable", "\"labelName\":\"instance\"",
                           "\"capturingRegexp\":\"(([a-z]+)+)+[0-9]\",")))},
        {.path = "/label/instance/values", .status = 200, .body = buf_str(&values)},
        {.path = "/api/v1/query_range",
         .status = 200,
         .body = STR("{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{"
                     "\"metric\":{\"i\":\"0\"},\"values\":[[1699996400,\"1\"]]}]}}")},
        {0}};
    uint64_t since_ns = loop_hr_ns();
    fixture_run(f, script, "run_panel",
                "{\"project\":\"shop\",\"dashboard\":\"nodes\",\"panel\":\"CPU\"}");
    assert_true(loop_hr_ns() - since_ns < 5ULL * 1000 * 1000 * 1000);
    assert_string_equal(fixture_text(f, "query"), "cpu{host=~\".*\"}");
    expect(f, "any value here: its capturingRegexp takes too long.");
}

/* However many variables there are, what is shown of them is whole. */
static void many_variables_are_listed_as_far_as_there_is_room(void **state)
{
    struct fixture *f = *state;
    scoped_buf(b, 1 << 16);
    buf_puts(&b, "{\"metadata\":{\"name\":\"nodes\"},\"spec\":{\"variables\":[");
    for (int i = 0; i < 40; i++)
        buf_printf(&b,
                   "%s{\"kind\":\"TextVariable\",\"spec\":{\"name\":\"v%d\",\"value\":\"%0250d\"}}",
                   i ? "," : "", i, i);
    buf_puts(&b, "],\"panels\":{\"p1\":" PANEL("T", "PrometheusTimeSeriesQuery", "up") "}}}");
    const struct answer script[] = {
        {.path = "/dashboards/nodes", .status = 200, .body = buf_str(&b)}, {0}};
    fixture_run(f, script, "get_dashboard", "{\"project\":\"shop\",\"dashboard\":\"nodes\"}");
    expect(f, "There are more variables than are listed.");
    assert_int_equal(json_array_size(json_object_get(f->json, "panels")), 1);
}

static void a_dashboard_of_300_panels_is_paged(void **state)
{
    struct fixture *f = *state;
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_puts(&b, "{\"metadata\":{\"name\":\"nodes\"},\"spec\":{\"panels\":{");
    for (int i = 0; i < 300; i++)
        buf_printf(&b, "%s\"p%d\":" PANEL("T", "PrometheusTimeSeriesQuery", "up"), i ? "," : "", i);
    buf_puts(&b, "}}}");
    const struct answer script[] = {
        {.path = "/dashboards/nodes", .status = 200, .body = buf_str(&b)}, {0}};
    fixture_run(f, script, "get_dashboard",
                "{\"project\":\"shop\",\"dashboard\":\"nodes\",\"offset\":290}");
    expect(f, "\"total\":300,\"shown\":10,\"panels\":[{\"panel\":\"p290\"");
    fixture_run(f, script, "get_dashboard", "{\"project\":\"shop\",\"dashboard\":\"nodes\"}");
    expect(f, "260 more");
    buf_free(&b);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(datasources_are_found_and_named),
        T(a_call_goes_to_a_datasource_of_its_kind),
        T(the_conversations_order_decides),
        T(without_a_list_there_is_a_clear_error),
        T(logs_are_read),
        T(dear_and_blanket_log_queries_are_refused),
        T(patterns_and_volumes_are_read),
        T(names_of_opentelemetry_are_lokis_and_tempos),
        T(traces_are_found_and_summarised),
        T(profiles_are_summed_by_function),
        T(alerts_and_silences_are_read),
        T(dashboards_are_read_with_their_variables),
        T(a_panels_query_is_run),
        T(a_panels_variables_may_be_of_its_project_and_have_all_values),
        T(all_values_are_those_of_perses_plugins),
        T(an_expression_that_takes_for_ever_is_given_up),
        T(many_variables_are_listed_as_far_as_there_is_room),
        T(a_dashboard_of_300_panels_is_paged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
