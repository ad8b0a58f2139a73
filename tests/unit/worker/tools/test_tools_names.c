/* Names of Prometheus 3: dots, blanks, any letter. The installed Prometheus is older, so its
 * answers are scripted; what is asked is what is checked. */
#include "tests/support/tools_fixture.h"

#include "worker/tools/prometheus/explain.h"
#include "worker/tools/prometheus/name.h"

#define METRIC "http.server.request.duration"
#define PROM "/proxy/globaldatasources/prom"
#define VALUES(list) "{\"status\":\"success\",\"data\":[" list "]}"
#define MATRIX(rows)                                                                               \
    "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[" rows "]}}"
#define VECTOR(rows)                                                                               \
    "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[" rows "]}}"

static void names_are_read_and_written(void **state)
{
    static const struct {
        const char *text, *selector, *label, *segment;
    } cases[] = {
        {"up", "up", "up", "U__up"},
        {"job:up:sum", "job:up:sum", "\"job:up:sum\"", "U__job_3a_up_3a_sum"},
        {" " METRIC " ", "{\"" METRIC "\"}", "\"" METRIC "\"",
         "U__http_2e_server_2e_request_2e_duration"},
        {"host_a.b", "{\"host_a.b\"}", "\"host_a.b\"", "U__host__a_2e_b"},
        {"\"my metric\"", "{\"my metric\"}", "\"my metric\"", "U__my_20_metric"},
        {"'a\\'b'", "{\"a'b\"}", "\"a'b\"", "U__a_27_b"},
        {"a/b", "{\"a/b\"}", "\"a/b\"", "U__a_2f_b"},
        {"../x", "{\"../x\"}", "\"../x\"", "U___2e__2e__2f_x"},
        {"2xx", "{\"2xx\"}", "\"2xx\"", "U___32_xx"},
        {"gr\xc3\xb6\xc3\x9f"
         "e",
         "{\"gr\xc3\xb6\xc3\x9f"
         "e\"}",
         "\"gr\xc3\xb6\xc3\x9f"
         "e\"",
         "U__gr_f6__df_e"},
        {"{\"" METRIC "\"}", "{\"" METRIC "\"}", NULL, NULL},
        {"my metric", "{\"my metric\"}", "\"my metric\"", "U__my_20_metric"},
        {"it's 5% \"a\" `b`", "{\"it's 5% \\\"a\\\" `b`\"}", NULL, NULL},
        {"back\\slash", "{\"back\\\\slash\"}", "\"back\\\\slash\"", "U__back_5c_slash"},
        {"`back\\slash`", "{\"back\\\\slash\"}", NULL, "U__back_5c_slash"},
        {"\"gr\\u00f6\\xc3\\x9fe\\101\"",
         "{\"gr\xc3\xb6\xc3\x9f"
         "eA\"}",
         NULL, NULL},
        {"\"\\U0001F680 go\"", "{\"\xf0\x9f\x9a\x80 go\"}", NULL, "U___1f680__20_go"},
        {"\xf0\x9f\x9a\x80.count", "{\"\xf0\x9f\x9a\x80.count\"}", NULL, "U___1f680__2e_count"},
        {"{'a\\\\b'}", "{\"a\\\\b\"}", NULL, NULL},
        {"$cost/user", "{\"$cost/user\"}", NULL, "U___24_cost_2f_user"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        scoped_buf(name, NAME_BYTES_MAX);
        scoped_buf(selector, NAME_BYTES_MAX);
        scoped_buf(label, NAME_BYTES_MAX);
        scoped_buf(segment, NAME_BYTES_MAX);
        assert_true(name_read(str_of(cases[i].text), true, &name));
        name_selector(&selector, buf_str(&name), STR(""));
        assert_string_equal(buf_cstr(&selector), cases[i].selector);
        name_label(&label, buf_str(&name));
        name_segment(&segment, buf_str(&name), true);
        if (cases[i].label)
            assert_string_equal(buf_cstr(&label), cases[i].label);
        if (cases[i].segment)
            assert_string_equal(buf_cstr(&segment), cases[i].segment);
    }
    static const char *const none[] = {"",        "rate(x[5m])", "up{job=\"a\"}",   "up or down",
                                       "\"",      "a\nb",        "{\"a\",b=\"c\"}", "\xff",
                                       "x,y",     "\"a\"b\"",    "\"a\\\"",         "\"\\xff\"",
                                       "\"\\n\"", "\"\\ud83d\"", "a + b",           "up offset 5m",
                                       "x > 3",   "x>3",         "a unless b",      "{'a' or 'b'}"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        scoped_buf(name, NAME_BYTES_MAX);
        if (name_read(str_of(none[i]), true, &name))
            fail_msg("is a name: %s", none[i]);
    }
    scoped_buf(b, 200);
    name_selector(&b, STR("a.b"), STR("\"c.d\"=\"e\""));
    name_selector(&b, STR("up"), STR("c=\"e\""));
    assert_string_equal(buf_cstr(&b), "{\"a.b\",\"c.d\"=\"e\"}up{c=\"e\"}");
}

static void lists_of_names_are_parted(void **state)
{
    (void)state;
    struct str rest = STR("host.name, \"a,b\" ,`c\\`, 'd\\',e' ,,f"), name;
    static const char *const names[] = {"host.name", "\"a,b\"", "`c\\`", "'d\\',e'", "", "f"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_true(name_next(&rest, &name));
        assert_true(str_is(name, names[i]));
    }
    assert_false(name_next(&rest, &name));
    rest = STR("\"open, a");
    assert_true(name_next(&rest, &name));
    assert_true(str_is(name, "\"open, a"));
    assert_false(name_next(&rest, &name));
    scoped_buf(b, 200);
    name_quote(&b, STR("a\nb\x7f\"\\"));
    assert_string_equal(buf_cstr(&b), "\"a\\x0ab\\x7f\\\"\\\\\"");
}

static void quoted_selectors_are_taken_apart(void **state)
{
    (void)state;
    struct str metric;
    struct matcher m[MATCHERS_MAX];
    assert_int_equal(explain_matchers(STR("{\"a.b\", # why\n \"c.d\"=\"e\", f!~'g',}"), &metric, m),
                     2);
    assert_true(str_is(metric, "\"a.b\"") && str_is(m[0].label, "\"c.d\"") &&
                str_is(m[1].label, "f"));
    assert_int_equal(explain_matchers(STR("{'c.d'=`e`, \"a.b\"}"), &metric, m), 1);
    assert_true(str_is(metric, "\"a.b\"") && str_is(m[0].value, "`e`"));
    assert_int_equal(explain_matchers(STR("foo\\-bar.c{d.e=\"f\"}"), &metric, m), 1);
    assert_true(str_is(metric, "foo\\-bar.c") && str_is(m[0].label, "d.e"));
    assert_int_equal(explain_matchers(STR("x{a=\"b\" or c=\"d\"}"), &metric, m), 0);
    assert_true(str_is(metric, "x"));
}

static void values_of_a_dotted_label_are_listed(void **state)
{
    struct fixture *f = *state;
    static const struct answer today[] = {{.path = PROM "/api/v1/label/U__host_2e_name/values",
                                           .status = 200,
                                           .body = STR(VALUES("\"a\",\"b\""))},
                                          {0}};
    static const struct answer others[] = {{.path = PROM "/api/v1/label/U__host_2e_name/values",
                                            .status = 200,
                                            .body = STR(VALUES(""))},
                                           {.path = PROM "/api/v1/label/host.name/values",
                                            .status = 200,
                                            .body = STR(VALUES("\"a\""))},
                                           {0}};
    static const struct answer older[] = {
        {.path = PROM "/api/v1/label/U__k8s_2f_app/values",
         .status = 400,
         .body = STR("{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"invalid\"}")},
        {0}};
    fixture_run(f, today, "list_label_values",
                "{\"label\":\"host.name\",\"metric\":\"" METRIC "\"}");
    assert_non_null(strstr(f->content, "\"label\":\"host.name\""));
    assert_non_null(strstr(f->content, "\"values\":[\"a\",\"b\"]"));
    assert_string_equal(f->asked[0].query, "{\"" METRIC "\"}");
    assert_int_equal(f->asked_count, 1);
    fixture_run(f, others, "list_label_values", "{\"label\":\"\\\"host.name\\\"\"}");
    assert_non_null(strstr(f->content, "\"values\":[\"a\"]"));
    assert_int_equal(f->asked_count, 2);
    fixture_run(f, others, "list_label_values", "{\"label\":\"my label\"}");
    assert_true(f->asked_count > 0 && strstr(f->asked[0].path, "/label/U__my_20_label/values"));
    fixture_run(f, older, "list_label_values", "{\"label\":\"k8s/app\"}");
    fixture_expect_error(f, "bad_data", "invalid");
    assert_int_equal(f->asked_count, 1); /* never with a slash in the path */
}

static void label_names_of_a_dotted_metric_are_listed(void **state)
{
    struct fixture *f = *state;
    static const struct answer script[] = {
        {.path = "/api/v1/labels", .status = 200, .body = STR(VALUES("\"host.name\""))}, {0}};
    fixture_run(f, script, "list_label_names", "{\"metric\":\"" METRIC "\"}");
    assert_string_equal(f->asked[0].query, "{\"" METRIC "\"}");
    assert_non_null(strstr(f->content, "\"labels\":[\"host.name\"]"));
    fixture_run(f, script, "list_label_names",
                "{\"match\":\"{\\\"" METRIC "\\\",\\\"host.name\\\"=\\\"x\\\"}\"}");
    assert_string_equal(f->asked[0].query, "{\"" METRIC "\",\"host.name\"=\"x\"}");
}

/* As a match a name alone is a selector too, whatever is in it. */
static void a_name_alone_is_a_match(void **state)
{
    struct fixture *f = *state;
    static const struct answer script[] = {
        {.path = "/api/v1/labels", .status = 200, .body = STR(VALUES("\"job\""))}, {0}};
    static const char *const cases[][2] = {
        {METRIC, "{\"" METRIC "\"}"},     {"size.in%", "{\"size.in%\"}"},
        {"my metric", "{\"my metric\"}"}, {"up", "up"},
        {"{'a/b'}", "{\"a/b\"}"},         {"foo\\\\-bar", "foo\\-bar"},
        {"{job='x'}", "{job='x'}"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char arguments[200];
        snprintf(arguments, sizeof(arguments), "{\"match\":\"%s\"}", cases[i][0]);
        fixture_run(f, script, "list_label_names", arguments);
        assert_string_equal(f->asked[0].query, cases[i][1]);
    }
}

static void a_dotted_metric_is_described(void **state)
{
    struct fixture *f = *state;
    static const struct answer script[] = {
        {.path = "/label/__name__/values", .status = 200, .body = STR(VALUES("\"" METRIC "\""))},
        {.path = "/metadata",
         .status = 200,
         .body = STR("{\"status\":\"success\",\"data\":{\"" METRIC
                     "\":[{\"type\":\"histogram\",\"help\":\"h\",\"unit\":\"s\"}]}}")},
        {.path = "/labels",
         .status = 200,
         .body = STR(VALUES("\"__name__\",\"host.name\",\"job\""))},
        {.path = "/query",
         .status = 200,
         .body = STR(VECTOR("{\"metric\":{\"i\":\"c0\"},\"value\":[1,\"2\"]}")),
         .in_query = "label_replace"},
        {.path = "/query",
         .status = 200,
         .body = STR(VECTOR("{\"metric\":{},\"value\":[1,\"7\"]}"))},
        {0}};
    fixture_run(f, script, "list_metrics", "{}");
    assert_non_null(strstr(f->content, "stands in quotes inside the braces"));
    fixture_run(f, script, "describe_metric", "{\"metric\":\"" METRIC "\"}");
    if (f->failed)
        fail_msg("%s", f->content);
    assert_non_null(strstr(f->content, "\"name\":\"" METRIC "\",\"type\":\"histogram\""));
    assert_non_null(strstr(f->content, "{\"name\":\"host.name\",\"values\":2}"));
    const char *last = f->asked[f->asked_count - 1].query;
    assert_non_null(strstr(last, "count(count by (\"host.name\") ({\"" METRIC "\"}))"));
    assert_non_null(strstr(last, "\"$1\", \"host.name\", \"(.*)\""));
    assert_string_equal(f->asked[f->asked_count - 2].query, "count({\"" METRIC "\"})");
}

static void quantiles_of_a_dotted_histogram(void **state)
{
    struct fixture *f = *state;
    static const struct answer script[] = {
        {.path = "/query_range",
         .status = 200,
         .body = STR(MATRIX("{\"metric\":{\"i\":\"1\"},\"values\":[[1,\"3\"]]}")),
         .in_query = "histogram_count"},
        {.path = "/query_range",
         .status = 200,
         .body = STR(MATRIX("{\"metric\":{\"i\":\"0\"},\"values\":[[1,\"3\"]]}")),
         .in_query = "label_replace"},
        {.path = "/query_range", .status = 200, .body = STR(MATRIX(""))},
        {0}};
    fixture_run(f, script, "histogram_quantile",
                "{\"metric\":\"" METRIC "\",\"by\":\"host.name, job\",\"matchers\":"
                "\"\\\"k8s.pod\\\"=\\\"a\\\"\"}");
    if (f->failed)
        fail_msg("%s", f->content);
    assert_non_null(strstr(f->asked[0].query, "count({\"" METRIC "_bucket\",\"k8s.pod\"=\"a\"})"));
    assert_string_equal(fixture_text(f, "query"),
                        "histogram_quantile(0.95, sum by (\"host.name\", job) (rate({\"" METRIC
                        "\",\"k8s.pod\"=\"a\"}[5m])))");
    fixture_run(f, script, "histogram_quantile",
                "{\"metric\":\"my latency\",\"by\":\"\\\"a,b\\\", my label, le\"}");
    assert_string_equal(fixture_text(f, "query"),
                        "histogram_quantile(0.95, sum by (\"a,b\", \"my label\") (rate({\"my "
                        "latency\"}[5m])))");
    /* VictoriaMetrics has no native histograms, nor histogram_count(). */
    static const struct answer classic[] = {
        {.path = "/query_range",
         .status = 422,
         .body = STR("{\"status\":\"error\",\"errorType\":\"422\",\"error\":\"unknown func "
                     "\\\"histogram_count\\\"\"}"),
         .in_query = "histogram_count"},
        {.path = "/query_range",
         .status = 200,
         .body = STR(MATRIX("{\"metric\":{\"i\":\"0\"},\"values\":[[1,\"3\"]]}")),
         .in_query = "label_replace"},
        {.path = "/query_range", .status = 200, .body = STR(MATRIX(""))},
        {0}};
    fixture_run(f, classic, "histogram_quantile", "{\"metric\":\"" METRIC "\"}");
    if (f->failed)
        fail_msg("%s", f->content);
    assert_string_equal(fixture_text(f, "query"),
                        "histogram_quantile(0.95, sum by (le) (rate({\"" METRIC
                        "_bucket\"}[5m])))");
}

static void an_empty_result_of_dotted_names_is_explained(void **state)
{
    struct fixture *f = *state;
    static const struct answer script[] = {
        {.path = "/label/__name__/values", .status = 200, .body = STR(VALUES("\"" METRIC "\""))},
        {.path = "/metadata", .status = 200, .body = STR("{\"status\":\"success\",\"data\":{}}")},
        {.path = "/query_range",
         .status = 200,
         .body = STR(MATRIX("{\"metric\":{\"i\":\"a0\"},\"values\":[[1,\"3\"]]},"
                            "{\"metric\":{\"i\":\"l0\"},\"values\":[[1,\"3\"]]}")),
         .in_query = "!=\"\""},
        {.path = "/query_range", .status = 200, .body = STR(MATRIX(""))},
        {.path = "/query", .status = 200, .body = STR(VECTOR(""))},
        {.path = "/label/U__host_2e_name/values", .status = 200, .body = STR(VALUES("\"web-1\""))},
        {0}};
    fixture_run(f, script, "execute_instant_query",
                "{\"query\":\"{\\\"" METRIC "\\\",\\\"host.name\\\"=\\\"web-9\\\"}\"}");
    if (!strstr(f->content, "the label's values are: web-1"))
        fail_msg("%s", f->content);
    fixture_run(f, script, "execute_instant_query",
                "{\"query\":\"{\\\"http.server.requests\\\"}\"}");
    if (!strstr(f->content,
                "There is no metric http.server.requests in this datasource. The nearest "
                "are: " METRIC))
        fail_msg("%s", f->content);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_read_and_written),
        cmocka_unit_test(lists_of_names_are_parted),
        cmocka_unit_test(quoted_selectors_are_taken_apart),
        T(values_of_a_dotted_label_are_listed),
        T(label_names_of_a_dotted_metric_are_listed),
        T(a_name_alone_is_a_match),
        T(a_dotted_metric_is_described),
        T(quantiles_of_a_dotted_histogram),
        T(an_empty_result_of_dotted_names_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
