/* Calls that have one meaning though they are not written as the tools want it: they run, and what
 * was taken for what is said. */
#include "tests/support/tools_fixture.h"

#include "worker/tools/meant.h"

#define QUERY "/api/v1/query"
#define QUERY_RANGE "/api/v1/query_range"
#define COUNT                                                                                      \
    {                                                                                              \
        .path = QUERY_RANGE, .status = 200, .in_query = "label_replace",                           \
        .body = STR("{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{"    \
                    "\"metric\":{\"i\":\"0\"},\"values\":[[1,\"3\"]]}]}}")                         \
    }
#define ONE(type, values)                                                                          \
    "{\"status\":\"success\",\"data\":{\"resultType\":\"" type                                     \
    "\",\"result\":[{\"metric\":{}," values "}]}}"

static const struct answer up[] = {
    COUNT,
    {.path = QUERY_RANGE,
     .status = 200,
     .body = STR(ONE("matrix", "\"values\":[[1699996400,\"1\"],[1700000000,\"2\"]]"))},
    {.path = QUERY, .status = 200, .body = STR(ONE("vector", "\"value\":[1700000000,\"1\"]"))},
    {.path = "/api/v1/labels", .status = 200, .body = STR("{\"status\":\"success\",\"data\":[]}")},
    {0}};

static const struct asked *last_asked(const struct fixture *f)
{
    assert_true(f->asked_count > 0);
    return &f->asked[f->asked_count - 1];
}

static void other_names_of_tools_are_run(void **state)
{
    static const struct {
        const char *tool, *arguments, *path, *said;
    } cases[] = {
        {"query_range", "{\"query\":\"up\"}", QUERY_RANGE, "execute_range_query was run"},
        {"execute_query", "{\"query\":\"up\"}", QUERY, "execute_instant_query was run"},
        {"execute_query", "{\"query\":\"up\",\"start\":\"now-1h\",\"end\":\"now\"}", QUERY_RANGE,
         "execute_range_query was run"},
        {"prometheus_query", "{\"expr\":\"up\"}", QUERY, "no tool \\\"prometheus_query\\\""},
        {"functions.execute_range_query", "{\"query\":\"up\"}", QUERY_RANGE, "was run"},
        {"default_api:execute_range_query", "{\"query\":\"up\"}", QUERY_RANGE, "was run"},
        {"functions.execute_range_query:0", "{\"query\":\"up\"}", QUERY_RANGE, "was run"},
        {"Execute-Range-Query", "{\"query\":\"up\"}", QUERY_RANGE, "was run"},
        {"execute_range_qurey", "{\"query\":\"up\"}", QUERY_RANGE, "was run"},
        {"get_labels", "{}", "/api/v1/labels", "list_label_names was run"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture_run(f, up, cases[i].tool, cases[i].arguments);
        if (f->failed || !strstr(f->content, cases[i].said) ||
            !fixture_ends(last_asked(f)->path, cases[i].path))
            fail_msg("%s: %s", cases[i].tool, f->content);
    }
}

static void no_other_name_reaches_a_tool_that_asks(void **state)
{
    static const char *const names[] = {"save_panels",
                                        "savepanel",
                                        "save_dashbord",
                                        "save",
                                        "save_dashboards",
                                        "create_dashboard",
                                        "",
                                        "x",
                                        "mcp_tickets_create"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_null(meant_tool(str_of(names[i]), STR("{}")));
        fixture_run(f, up, names[i], "{}");
        fixture_expect_error(f, "unknown_tool", "There is no tool");
    }
}

static void other_names_of_arguments_are_taken(void **state)
{
    static const struct {
        const char *tool, *arguments, *query, *start;
    } cases[] = {
        {"execute_range_query", "{\"expr\":\"up\"}", "up", NULL},
        {"execute_range_query", "{\"promql\":\"up\",\"from\":\"now-2h\",\"to\":\"now\"}", "up",
         "1699992800.000"},
        {"execute_range_query",
         "{\"query\":\"up\",\"start_time\":\"2 hours ago\",\"end_time\":\"now\"}", "up",
         "1699992800.000"},
        {"execute_range_query", "{\"query\":\"up\",\"start\":\"1h ago\"}", "up", "1699996400.000"},
        {"execute_range_query", "{\"query\":\"up\",\"start\":\"now - 1h\"}", "up",
         "1699996400.000"},
        {"execute_range_query", "{\"query\":\"up\",\"since\":\"now-1h\",\"interval\":\"1m\"}", "up",
         "1699996400.000"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture_run(f, up, cases[i].tool, cases[i].arguments);
        if (f->failed)
            fail_msg("%s: %s", cases[i].arguments, f->content);
        assert_string_equal(last_asked(f)->query, cases[i].query);
        if (cases[i].start)
            assert_string_equal(last_asked(f)->start, cases[i].start);
    }
    fixture_run(f, up, "execute_instant_query", "{\"query\":\"up\",\"limit\":10,\"reason\":\"x\"}");
    assert_non_null(
        strstr(f->content, "There is no argument \\\"limit\\\" here: it was left out."));
    assert_false(f->failed);
    /* two for one, or one that is given already: no meaning */
    fixture_run(f, up, "execute_range_query", "{\"query\":\"up\",\"expr\":\"x\"}");
    fixture_expect_error(f, "bad_arguments", "no argument \"expr\"");
    fixture_run(f, up, "execute_range_query", "{\"promql\":\"up\",\"expr\":\"x\"}");
    fixture_expect_error(f, "bad_arguments", "no argument");
}

/* What models wrap their arguments in, and how they write them by hand. */
static void arguments_in_other_wrappings_are_taken(void **state)
{
    static const char *const same[] = {
        "{\"query\":\"up\",\"start\":\"now-2h\"}",
        "{\"arguments\":{\"query\":\"up\",\"start\":\"now-2h\"}}",
        "{\"parameters\":{\"query\":\"up\",\"start\":\"now-2h\"}}",
        "{\"name\":\"execute_range_query\",\"arguments\":{\"query\":\"up\",\"start\":\"now-2h\"}}",
        "{\"tool\":\"x\",\"args\":\"{\\\"query\\\":\\\"up\\\",\\\"start\\\":\\\"now-2h\\\"}\"}",
        "\"{\\\"query\\\":\\\"up\\\",\\\"start\\\":\\\"now-2h\\\"}\"",
        "\" {\\\"query\\\":\\\"up\\\",\\\"start\\\":\\\"now-2h\\\"} \\n \"",
        "```json\n{\"query\":\"up\",\"start\":\"now-2h\"}\n```",
        "```{\"query\":\"up\",\"start\":\"now-2h\"}```",
        "{\"query\":\"up\",\"start\":\"now-2h\",}",
        "{'query': 'up', 'start': 'now-2h', 'end': None}",
        "{query: 'up', start: 'now-2h'}",
        "[{\"query\":\"up\",\"start\":\"now-2h\"}]",
        "{\"query\":\"up\",\"start\":[\"now-2h\"],\"end\":[],\"step\":{}}",
        "{\"query\":\"up\",\"start\":\"now-2h\",\"end\":\"None\",\"step\":\"auto\"}",
        "{\"query\":\"up\",\"start\":\"Now - 2 hours\",\"end\":\"now()\",\"step\":\"null\"}",
        "{\"query\":\"up\",\"start\":\"PT2H\",\"end\":\"current time\"}",
        "{\"query\":\"up\",\"start\":\"-7200\"}",
    };
    static const struct {
        const char *arguments, *said;
    } refused[] = {
        {"{\"query\":\"up\"", "not valid JSON"},
        {"{\"query\":\"up\",\"query\":\"down\"}", "not valid JSON"},
        {"[{\"query\":\"up\"},{\"query\":\"down\"}]", "must be a JSON object"},
        {"\"up\"", "not valid JSON"},
        {"{\"query\":[\"up\",\"down\"]}", "must be a string"},
        {"{\"arguments\":{\"query\":\"up\"},\"query\":\"down\"}", "no argument \"arguments\""},
        {"{\"arguments\":{\"query\":\"up\"},\"args\":{\"query\":\"down\"}}", "no argument"},
        {"{\"arguments\":[\"up\"]}", "no argument"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        fixture_run(f, up, "execute_range_query", same[i]);
        if (f->failed)
            fail_msg("%s: %s", same[i], f->content);
        assert_string_equal(last_asked(f)->query, "up");
        assert_string_equal(last_asked(f)->start, "1699992800.000");
        assert_string_equal(last_asked(f)->end, "1700000000.000");
    }
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        fixture_run(f, up, "execute_range_query", refused[i].arguments);
        fixture_expect_error(f, "bad_arguments", refused[i].said);
    }
}

static void a_quantile_is_read_in_each_way(void **state)
{
    static const struct answer histogram[] = {
        {.path = QUERY_RANGE,
         .status = 200,
         .in_query = "histogram_count",
         .body = STR("{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{"
                     "\"metric\":{\"i\":\"0\"},\"values\":[[1,\"3\"]]}]}}")},
        COUNT,
        {.path = QUERY_RANGE,
         .status = 200,
         .body = STR(ONE("matrix", "\"values\":[[1700000000,\"2\"]]"))},
        {0}};
    static const char *const quantiles[] = {"0.95",    "\"0.95\"", "95",      "\"95\"",
                                            "\"p95\"", "\"95%\"",  "\"95th\""};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
        char arguments[128];
        snprintf(arguments, sizeof(arguments), "{\"metric\":\"x\",\"quantile\":%s}", quantiles[i]);
        fixture_run(f, histogram, "histogram_quantile", arguments);
        if (f->failed)
            fail_msg("%s: %s", quantiles[i], f->content);
        assert_string_equal(last_asked(f)->query,
                            "histogram_quantile(0.95, sum by (le) (rate(x_bucket[5m])))");
    }
    fixture_run(f, histogram, "histogram_quantile", "{\"metric\":\"x\",\"quantile\":950}");
    fixture_expect_error(f, "bad_arguments", "must be from 0 to 1");
    fixture_run(f, histogram, "histogram_quantile", "{\"metric\":\"x\",\"quantile\":\"-1\"}");
    fixture_expect_error(f, "bad_arguments", "must be from 0 to 1");
}

static void a_histogram_is_named_in_each_way(void **state)
{
    static const struct {
        const char *arguments, *selector;
    } cases[] = {
        {"{\"metric\":\"x_bucket\"}", "x_bucket[5m]"},
        {"{\"metric\":\"x_bucket{a=\\\"b\\\"}\"}", "x_bucket{a=\"b\"}[5m]"},
        {"{\"metric\":\"x\",\"matchers\":\"a=b\"}", "x_bucket{a=\"b\"}[5m]"},
        {"{\"metric\":\"x\",\"matchers\":\"{a=\\\"b\\\"}\"}", "x_bucket{a=\"b\"}[5m]"},
        {"{\"metric\":\"x\",\"matchers\":{\"a\":\"b\"}}", "x_bucket{a=\"b\"}[5m]"},
        {"{\"metric\":\"x\",\"window\":\"10 minutes\"}", "x_bucket[10m]"},
        {"{\"metric\":\"x\",\"window\":120}", "x_bucket[2m]"},
    };
    static const char *const none[] = {"{\"metric\":\"rate(x_bucket[5m])\"}",
                                       "{\"metric\":\"x{a=\\\"b\\\"\"}",
                                       "{\"metric\":\"x\",\"matchers\":\"a=\\\"b\\\"} or up{\"}",
                                       "{\"metric\":\"x\",\"matchers\":\"}{\"}",
                                       "{\"metric\":\"{\"}",
                                       "{\"metric\":\"{}\"}"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture_run(f, up, "histogram_quantile", cases[i].arguments);
        if (f->failed || !strstr(last_asked(f)->query, cases[i].selector))
            fail_msg("%s: %s", cases[i].arguments, f->content);
    }
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        fixture_run(f, up, "histogram_quantile", none[i]);
        if (!f->failed)
            fail_msg("%s: %s", none[i], f->content);
    }
}

static void a_range_is_said_in_each_way(void **state)
{
    static const struct {
        const char *arguments, *start, *end, *said;
    } cases[] = {
        {"{\"query\":\"up\",\"range\":\"1h\"}", "1699996400.000", "1700000000.000", ""},
        {"{\"query\":\"up\",\"duration\":\"30m\"}", "1699998200.000", "1700000000.000", ""},
        {"{\"query\":\"up\",\"lookback\":\"2 hours\"}", "1699992800.000", "1700000000.000", ""},
        {"{\"query\":\"up\",\"start\":\"now\",\"end\":\"now-1h\"}", "1699996400.000",
         "1700000000.000", "the other way round"},
        {"{\"query\":\"up\",\"start\":\"now-1h\",\"step\":\"auto\"}", "1699996400.000",
         "1700000000.000", ""},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture_run(f, up, "execute_range_query", cases[i].arguments);
        if (f->failed || !strstr(f->content, cases[i].said))
            fail_msg("%s: %s", cases[i].arguments, f->content);
        assert_string_equal(last_asked(f)->start, cases[i].start);
        assert_string_equal(last_asked(f)->end, cases[i].end);
    }
}

/* Of its own start and end, not of what the person has selected. */
static void a_histogram_is_looked_for_where_its_query_runs(void **state)
{
    struct fixture *f = *state;
    fixture_run(f, up, "histogram_quantile",
                "{\"metric\":\"x\",\"start\":\"now-3d\",\"end\":\"now-2d\"}");
    assert_true(strstr(f->asked[0].query, "histogram_count") != NULL);
    assert_string_equal(f->asked[0].start, "1699740800.000");
    assert_string_equal(f->asked[0].end, "1699827200.000");
}

static void a_limit_that_is_too_high_is_the_highest(void **state)
{
    static const struct answer series[] = {
        {.path = "/api/v1/labels",
         .status = 200,
         .body = STR("{\"status\":\"success\",\"data\":[\"job\"]}")},
        {0}};
    struct fixture *f = *state;
    fixture_run(f, series, "list_label_names", "{\"limit\":1000}");
    assert_false(f->failed);
    if (!strstr(f->content, "The limit of 1000 was taken as 500"))
        fail_msg("%s", f->content);
    fixture_run(f, series, "list_label_names", "{\"limit\":-1}");
    fixture_expect_error(f, "bad_arguments", "must be from 1 to 500");
}

static void variables_are_put_in_as_perses_would(void **state)
{
    static const struct {
        const char *arguments, *query;
    } cases[] = {
        {"{\"query\":\"rate(x[$__rate_interval])\",\"step\":\"5m\"}", "rate(x[5m15s])"},
        {"{\"query\":\"rate(x[$__interval])\",\"step\":\"5m\"}", "rate(x[5m])"},
        {"{\"query\":\"rate(x[${__range}])\"}", "rate(x[1h])"},
        {"{\"query\":\"x + $__to - $__from\",\"start\":\"1700000000\",\"end\":\"1700003600\"}",
         "x + 1700003600000 - 1700000000000"},
        {"{\"query\":\"label_replace(rate(x[$__interval]), \\\"a\\\", \\\"$1\\\", \\\"b\\\", "
         "\\\"(.*)\\\")\",\"step\":\"1m\"}",
         "label_replace(rate(x[60s]), \"a\", \"$1\", \"b\", \"(.*)\")"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture_run(f, up, "execute_range_query", cases[i].arguments);
        if (f->failed || !strstr(f->content, "variables of Perses were put in"))
            fail_msg("%s: %s", cases[i].arguments, f->content);
        assert_string_equal(last_asked(f)->query, cases[i].query);
    }
    fixture_run(f, up, "execute_range_query", "{\"query\":\"rate(x[$window])\"}");
    fixture_expect_error(f, "query_refused", "a variable that is not known here");
}

static void a_range_of_no_length_is_a_moment(void **state)
{
    struct fixture *f = *state;
    fixture_run(f, up, "execute_range_query",
                "{\"query\":\"up\",\"start\":\"now-1h\",\"end\":\"now-1h\"}");
    assert_false(f->failed);
    assert_true(fixture_ends(last_asked(f)->path, QUERY));
    assert_non_null(strstr(last_asked(f)->body, "time=1699996400.000"));
    assert_non_null(strstr(f->content, "same moment"));
}

static void a_query_with_a_known_fault_comes_back_mended(void **state)
{
    static const char *const cases[][2] = {
        {"sum(x) by job", "sum(x) by (job)"},
        {"up{job=prometheus}", "up{job=\\\"prometheus\\\"}"},
        {"rate(x)", "rate(x[5m])"},
        {"histogram_quantile(0.9, sum(rate(x_bucket[5m])))",
         "histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))"},
    };
    static const struct answer bad[] = {
        COUNT,
        {.path = "/format_query",
         .status = 400,
         .body = STR("{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"expected type "
                     "range vector\"}")},
        {0}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char arguments[256], want[256];
        snprintf(arguments, sizeof(arguments), "{\"query\":\"%s\"}", cases[i][0]);
        snprintf(want, sizeof(want), "\"suggestion\":\"%s\"", cases[i][1]);
        fixture_run(f, strstr(cases[i][0], "quantile") ? up : bad, "execute_instant_query",
                    arguments);
        if (!f->failed || !strstr(f->content, want))
            fail_msg("%s: %s", cases[i][0], f->content);
    }
}

static void labels_that_no_series_has_are_refused_before_the_query_runs(void **state)
{
    static const struct {
        const char *query, *mended; /* NULL: it runs; "": refused, and nothing is near */
    } cases[] = {
        {"sum by (job) (up)", NULL},
        {"sum by (jobs) (up)", "sum by (job) (up)"},
        {"sum(up) by (host)", "sum(up) by (instance)"},
        {"sum by (job, hostname) (rate(up[5m]))", "sum by (job, instance) (rate(up[5m]))"},
        {"topk(3, sum by (kubernetes_pod_name) (up))", "topk(3, sum by (pod) (up))"},
        {"sum by (flavour) (up)", ""},
        {"up / on (instanc) up", "up / on (instance) up"},
        {"up * on (job) group_left (podd) up", "up * on (job) group_left (pod) up"},
        {"sum by (le) (up)", NULL},
        {"sum without (flavour) (up)", NULL},
        {"sum by (__name__) (up)", NULL},
        {"sum by (x) (label_replace(up, \"x\", \"$1\", \"job\", \"(.*)\"))", NULL},
        {"count_values by (job) (\"flavour\", up)", NULL},
        {"sum by (flavour) (up offset 1d)", NULL},
        {"sum(up{by=\"flavour\"})", NULL},
    };
    static const struct answer labelled[] = {
        {.path = QUERY_RANGE,
         .status = 200,
         .in_query = "\"1\"", /* of two selectors */
         .body = STR("{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{"
                     "\"metric\":{\"i\":\"0\"},\"values\":[[1,\"3\"]]},{\"metric\":{\"i\":\"1\"},"
                     "\"values\":[[1,\"3\"]]}]}}")},
        COUNT,
        {.path = "/api/v1/labels",
         .status = 200,
         .body =
             STR("{\"status\":\"success\",\"data\":[\"__name__\",\"instance\",\"job\",\"pod\"]}")},
        {.path = QUERY, .status = 200, .body = STR(ONE("vector", "\"value\":[1700000000,\"1\"]"))},
        {0}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *arguments = json_pack("{s:s}", "query", cases[i].query);
        char *text = json_dumps(arguments, 0);
        fixture_run(f, labelled, "execute_instant_query", text);
        bool right = cases[i].mended == NULL
                         ? strcmp(fixture_text(f, "code"), "unknown_label") != 0
                         : f->failed &&
                               strcmp(fixture_text(f, "suggestion"), cases[i].mended) == 0 &&
                               strstr(fixture_text(f, "error"), "instance, job, pod.");
        if (!right)
            fail_msg("%s: %s", cases[i].query, f->content);
        free(text);
        json_decref(arguments);
    }
}

/* A datasource that does not say its labels, or says nonsense, is asked all the same. */
static void labels_that_are_not_known_refuse_nothing(void **state)
{
    static const struct str bodies[] = {STR("{\"status\":\"success\",\"data\":[]}"),
                                        STR("{\"data\":[\"a\","), STR("[1,2]"), STR("")};
    struct fixture *f = *state;
    for (size_t i = 0; i <= sizeof(bodies) / sizeof(bodies[0]); i++) {
        bool silent = i == sizeof(bodies) / sizeof(bodies[0]);
        const struct answer script[] = {
            COUNT,
            {.path = "/api/v1/labels",
             .status = silent   ? 0
                       : i == 3 ? 500
                                : 200,
             .body = silent ? STR("") : bodies[i]},
            {.path = QUERY,
             .status = 200,
             .body = STR(ONE("vector", "\"value\":[1700000000,\"1\"]"))},
            {0}};
        fixture_run(f, script, "execute_instant_query", "{\"query\":\"sum by (flavour) (up)\"}");
        if (f->failed)
            fail_msg("%zu: %s", i, f->content);
    }
}

static void tools_that_are_offered_are_named(void **state)
{
    struct fixture *f = *state;
    f->offered = "\nlist_metrics\nfind_tools\n";
    fixture_run(f, NULL, "frobnicate", "{}");
    fixture_expect_error(f, "unknown_tool", "The tools are: list_metrics, find_tools.");
    f->offered = NULL;
    fixture_run(f, NULL, "frobnicate", "{}");
    fixture_expect_error(f, "unknown_tool", ", loki_query, ");
}

/* The second time a call can be copied. */
static void the_same_failing_call_is_answered_with_another(void **state)
{
    static const struct {
        const char *tool, *arguments, *instead;
    } cases[] = {
        {"execute_range_query", "{\"query\":\"up\",\"step\":\"often\"}",
         "{\"tool\":\"execute_range_query\",\"arguments\":{\"query\":\"up\"}}"},
        {"execute_instant_query", "{\"query\":\"frob(shop_orders_total\",\"x\":1}",
         "{\"tool\":\"execute_instant_query\",\"arguments\":{\"query\":\"frob(shop_orders_total\"}"
         "}"},
        {"execute_instant_query", "{\"query\":\"1 + + frob_orders_total ! 2\"}",
         "{\"tool\":\"list_metrics\",\"arguments\":{\"search\":\"frob orders total\"}}"},
        {"describe_metric", "{\"metric\":\"shop_orders!\",\"limit\":3}",
         "{\"tool\":\"describe_metric\",\"arguments\":{\"metric\":\"shop_orders!\"}}"},
        {"show_logs_of_pods", "{}",
         "{\"tool\":\"find_tools\",\"arguments\":{\"words\":\"show logs of pods\"}}"},
        {"execute_instant_query", "{}", NULL},
        {"execute_instant_query", "no", NULL},
    };
    static const struct answer bad[] = {
        COUNT,
        {.path = "/format_query",
         .status = 400,
         .body = STR("{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"no\"}")},
        {0}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        f->repeated = false;
        fixture_run(f, bad, cases[i].tool, cases[i].arguments);
        assert_true(f->failed);
        assert_null(json_object_get(f->json, "instead"));
        f->repeated = true;
        fixture_run(f, bad, cases[i].tool, cases[i].arguments);
        assert_non_null(strstr(fixture_text(f, "again"), "same call"));
        json_t *instead = json_object_get(f->json, "instead");
        char *text = instead ? json_dumps(instead, JSON_COMPACT) : NULL;
        if (cases[i].instead ? !text || strcmp(text, cases[i].instead) != 0 : text != NULL)
            fail_msg("%s: %s", cases[i].arguments, f->content);
        free(text);
    }
    fixture_run(f, up, "execute_instant_query", "{\"query\":\"up\"}"); /* it works now */
    assert_false(f->failed);
    assert_null(json_object_get(f->json, "again"));
}

/* … and where a query is known that would do, it is run, and the result says so: once. */
static void the_same_refused_query_is_run_as_it_was_suggested(void **state)
{
    static const struct answer gauge[] = {
        {.path = "/label/__name__/values",
         .status = 200,
         .body = STR("{\"status\":\"success\",\"data\":[\"shop_queue\",\"up\"]}")},
        {.path = "/api/v1/metadata",
         .status = 200,
         .body = STR("{\"status\":\"success\",\"data\":{\"shop_queue\":[{\"type\":\"gauge\"}]}}")},
        COUNT,
        {.path = "/format_query", .status = 404, .body = STR("")},
        {.path = QUERY, .status = 200, .body = STR(ONE("vector", "\"value\":[1700000000,\"1\"]"))},
        {0}};
    static const char *const queries[] = {"shop_queue", "up"};
    struct fixture *f = *state;
    for (size_t i = 0; i < 2; i++) { /* what Prometheus writes itself is a gauge without metadata */
        char arguments[256];
        snprintf(arguments, sizeof(arguments), "{\"query\":\"sum(rate(%s[5m]))\"}", queries[i]);
        f->repeated = false;
        fixture_run(f, gauge, "execute_instant_query", arguments);
        fixture_expect_error(f, "query_refused", "is a gauge");
        f->repeated = true;
        fixture_run(f, gauge, "execute_instant_query", arguments);
        snprintf(arguments, sizeof(arguments), "sum(%s)", queries[i]);
        if (f->failed || strcmp(fixture_text(f, "query"), arguments) != 0 ||
            !strstr(f->content, "You made this same call before"))
            fail_msg("%s", f->content);
    }
    /* one that is refused as well is not tried again */
    static const struct answer bad[] = {
        COUNT,
        {.path = "/format_query",
         .status = 400,
         .body = STR("{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"no\"}")},
        {0}};
    fixture_run(f, bad, "execute_instant_query", "{\"query\":\"sum(x) by job\"}");
    fixture_expect_error(f, "bad_data", "no");
    assert_non_null(strstr(fixture_text(f, "again"), "same call"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(other_names_of_tools_are_run),
        T(no_other_name_reaches_a_tool_that_asks),
        T(other_names_of_arguments_are_taken),
        T(arguments_in_other_wrappings_are_taken),
        T(a_quantile_is_read_in_each_way),
        T(a_histogram_is_named_in_each_way),
        T(a_range_is_said_in_each_way),
        T(a_histogram_is_looked_for_where_its_query_runs),
        T(a_limit_that_is_too_high_is_the_highest),
        T(variables_are_put_in_as_perses_would),
        T(a_range_of_no_length_is_a_moment),
        T(a_query_with_a_known_fault_comes_back_mended),
        T(labels_that_no_series_has_are_refused_before_the_query_runs),
        T(labels_that_are_not_known_refuse_nothing),
        T(tools_that_are_offered_are_named),
        T(the_same_failing_call_is_answered_with_another),
        T(the_same_refused_query_is_run_as_it_was_suggested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
