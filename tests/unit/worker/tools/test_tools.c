/* The tools against a scripted datasource: what is asked, what the model gets. */
#include "tests/support/tools_fixture.h"
#include "tests/support/prometheus_answers.h"

static void an_instant_query_is_counted_and_run(void **state)
{
    struct fixture *f = *state;
    static const struct answer script[] = {
        COUNT,
        {.path = QUERY,
         .status = 200,
         .body = STR(OK_VECTOR(
             "{\"metric\":{\"__name__\":\"up\",\"job\":\"node\"},\"value\":[1700000000,\"1\"]},"
             "{\"metric\":{\"__name__\":\"up\",\"job\":\"api\"},\"value\":[1700000000,\"0."
             "30000000000000004\"]}"))},
        {0}};
    fixture_run(f, script, "execute_instant_query", "{\"query\":\"up\"}");
    assert_false(f->failed);
    assert_int_equal(f->asked_count, 2);
    assert_string_equal(f->asked[0].path, QUERY_RANGE);
    assert_string_equal(f->asked[0].query, "label_replace(count(up), \"i\", \"0\", \"\", \"\")");
    assert_string_equal(f->asked[1].path, QUERY);
    assert_string_equal(f->asked[1].query, "up");
    assert_non_null(strstr(f->asked[1].body, "timeout=30s"));
    assert_non_null(strstr(f->asked[1].body, "time=1700000000.000"));
    assert_string_equal(f->asked[1].authorization, "Bearer canary-token");
    assert_string_equal(
        f->content,
        "{\"kind\":\"instant\",\"query\":\"up\",\"datasource\":\"/proxy/globaldatasources/prom\","
        "\"time\":\"2023-11-14T22:13:20Z\",\"series_total\":2,\"series_shown\":2,\"series\":["
        "{\"labels\":{\"__name__\":\"up\",\"job\":\"node\"},\"value\":1},"
        "{\"labels\":{\"__name__\":\"up\",\"job\":\"api\"},\"value\":0.3}],"
        "\"notes\":[]}");
    assert_string_equal(f->datasource, "/proxy/globaldatasources/prom");
}

static void a_range_query_is_summarised(void **state)
{
    struct fixture *f = *state;
    static const struct answer script[] = {
        COUNT,
        {.path = QUERY_RANGE,
         .status = 200,
         .body = STR(OK_MATRIX(
             "{\"metric\":{\"job\":\"node\"},\"values\":[[1699996400,\"1\"],[1699998200,\"NaN\"],"
             "[1700000000,\"4.5\"]]}"))},
        {0}};
    fixture_run(f, script, "execute_range_query", "{\"query\":\"rate(x[5m])\",\"step\":\"15m\"}");
    assert_false(f->failed);
    assert_string_equal(f->asked[1].start, "1699996400.000");
    assert_string_equal(f->asked[1].end, "1700000000.000");
    assert_string_equal(f->asked[1].step, "900.000");
    assert_string_equal(
        f->content,
        "{\"kind\":\"range\",\"query\":\"rate(x[5m])\",\"datasource\":\"/proxy/globaldatasources/"
        "prom\","
        "\"start\":\"2023-11-14T21:13:20Z\",\"end\":\"2023-11-14T22:13:20Z\",\"step\":\"15m\","
        "\"series_total\":1,\"points_are\":\"[n, value] at start + n * "
        "step\",\"series_shown\":1,\"series\":[{\"labels\":{\"job\":\"node\"},\"min\":"
        "1,"
        "\"max\":4.5,\"avg\":2.75,\"first\":1,\"last\":4.5,\"change\":3.5,\"nan\":1,\"missing\":2,"
        "\"points\":["
        "[0,1],[2,\"NaN\"],[4,4.5]]}],\"notes\":[]}");
}

/* Perses's proxy breaks an answer off now and then, though all is well: see source.c. */
static void an_answer_that_breaks_off_is_asked_for_again(void **state)
{
    struct fixture *f = *state;
    static const struct answer script[] = {
        COUNT,
        {.path = QUERY_RANGE,
         .status = 200,
         .body = STR(OK_MATRIX("{\"metric\":{\"job\":\"node\"},\"values\":[[1699996400,\"1\"],"
                               "[1699998200,\"2\"],[1700000000,\"4.5\"]]}")),
         .breaks = true},
        {0}};
    static const char call[] = "{\"query\":\"up\",\"step\":\"15m\"}";
    fixture_run(f, script, "execute_range_query", call);
    char *want = strdup(f->content);
    for (unsigned breaks = 1; breaks <= 2; breaks++) {
        f->breaks = breaks;
        fixture_run(f, script, "execute_range_query", call);
        assert_string_equal(f->content, want);
        assert_int_equal(f->asked_count, 2 + breaks);
        assert_string_equal(f->asked[1 + breaks].body, f->asked[1].body);
        assert_string_equal(f->asked[1 + breaks].authorization, "Bearer canary-token");
    }
    free(want);
    f->breaks = 100;
    fixture_run(f, script, "execute_range_query", call);
    fixture_expect_error(f, "broken", "The connection to the datasource broke");
    assert_int_equal(f->asked_count, 4);
    f->breaks = 0;
}

static void times_are_relative_or_absolute(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *arguments, *start, *end;
    } cases[] = {
        {"{\"query\":\"up\"}", "1699996400.000", "1700000000.000"},
        {"{\"query\":\"up\",\"start\":\"now-2h\",\"end\":\"now\"}", "1699992800.000",
         "1700000000.000"},
        {"{\"query\":\"up\",\"start\":\"30m\"}", "1699998200.000", "1700000000.000"},
        {"{\"query\":\"up\",\"start\":1699990000,\"end\":\"1699991000\"}", "1699990000.000",
         "1699991000.000"},
        {"{\"query\":\"up\",\"start\":\"2023-11-14T20:00:00Z\",\"end\":\"2023-11-14T22:00:00+01:"
         "00\"}",
         "1699992000.000", "1699995600.000"},
        {"{\"query\":\"up\",\"end\":\"now-1d\"}", "1699910000.000", "1699913600.000"},
    };
    static const struct answer script[] = {
        COUNT, {.path = QUERY_RANGE, .status = 200, .body = STR(OK_MATRIX(""))}, {0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture_run(f, script, "execute_range_query", cases[i].arguments);
        assert_false(f->failed);
        assert_string_equal(f->asked[1].start, cases[i].start);
        assert_string_equal(f->asked[1].end, cases[i].end);
        assert_non_null(strstr(f->content, "returned no data"));
    }
}

static void what_is_odd_about_a_local_time_is_said(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *zone, *start, *asked, *said;
    } cases[] = {
        {"Europe/Berlin", "2023-10-29T02:30:00", "1698539400.000",
         "The local time 2023-10-29T02:30:00 comes twice, as the clocks went back: the first of "
         "the "
         "two was taken, 2023-10-29T00:30:00Z."},
        {"Europe/Berlin", "2023-03-26 02:30", "1679794200.000",
         "The local time 2023-03-26 02:30 does not exist, as the clocks went forward: taken was "
         "2023-03-26T01:30:00Z."},
        {"Mars/Olympus", "yesterday 14:00", "1699884000.000",
         "was taken as UTC, as the time zone Mars/Olympus is not known here"},
        {"Asia/Calcutta", "2023-11-01T12:00", "1698820200.000", NULL},
    };
    static const struct answer script[] = {
        COUNT,
        {.path = QUERY_RANGE, .status = 200, .body = STR(OK_MATRIX(""))},
        {.path = "/loki/api/v1/labels", .status = 200, .body = STR("{\"data\":[\"a\"]}")},
        {0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char arguments[128];
        f->timezone = cases[i].zone;
        snprintf(arguments, sizeof(arguments),
                 "{\"query\":\"up\",\"start\":\"%s\",\"end\":\"now\"}", cases[i].start);
        fixture_run(f, script, "execute_range_query", arguments);
        assert_string_equal(f->asked[1].start, cases[i].asked);
        if (cases[i].said && !strstr(f->content, cases[i].said))
            fail_msg("%s", f->content);
        if (!cases[i].said)
            assert_null(strstr(f->content, "local time"));
    }
}

static void what_a_model_gets_wrong_it_is_told(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *tool, *arguments, *code, *part;
    } cases[] = {
        {"save_panl", "{}", "unknown_tool", "did you mean save_panel?"},
        {"rm -rf", "{}", "unknown_tool", "The tools are: list_metrics, execute_range_query"},
        {"execute_range_query", "{}", "bad_arguments", "\"query\" is missing"},
        {"execute_range_query", "{\"query\":\"\"}", "bad_arguments", "must not be empty"},
        {"execute_range_query", "{\"query\":[\"up\"]}", "bad_arguments", "must be a string"},
        {"propose_dashboard", "{\"project\":\"p\",\"title\":\"t\",\"panels\":[]}", "bad_arguments",
         "\"panels\" must have 1 to 24 items"},
        {"propose_dashboard", "{\"project\":\"p\",\"title\":\"t\",\"panels\":[{\"title\":\"x\"}]}",
         "bad_arguments", "\"panels[0].query\" is missing"},
        {"propose_dashboard",
         "{\"project\":\"p\",\"title\":\"t\",\"panels\":[{\"title\":\"x\",\"query\":\"up\",\"y\":1}"
         "]}",
         "bad_arguments", "no argument \"y\" in \"panels[0]\""},
        {"propose_dashboard", "{\"project\":\"p\",\"title\":\"t\",\"panels\":\"[7]\"}",
         "bad_arguments", "\"panels[0]\" must be an object"},
        {"propose_dashboard",
         "{\"project\":\"../p\",\"title\":\"t\",\"panels\":[{\"title\":\"x\","
         "\"query\":\"up\"}]}",
         "bad_arguments", "\"project\" is no name"},
        {"execute_range_query", "{\"query\":\"up\"", "bad_arguments", "not valid JSON"},
        {"execute_range_query", "[1]", "bad_arguments", "must be a JSON object"},
        {"execute_range_query", "{\"query\":\"up\",\"form\":\"1h\"}", "bad_arguments",
         "no argument \"form\"; there are: query, start, end, step, title, unit, kind, datasource"},
        {"execute_range_query", "{\"query\":\"up\",\"start\":\"yesterday-ish\"}", "bad_arguments",
         "\"start\" is no time"},
        {"execute_range_query", "{\"query\":\"up\",\"step\":\"0s\"}", "bad_arguments",
         "no duration"},
        {"execute_range_query", "{\"query\":\"sum(up\"}", "query_refused", "no closing )"},
        {"execute_range_query", "{\"query\":\"{job=~\\\".+\\\"}\"}", "query_refused",
         "neither a metric name nor an equality matcher"},
        {"execute_instant_query", "{\"query\":\"up\",\"datasource\":\"nope\"}",
         "unknown_datasource",
         "it has: /proxy/globaldatasources/prom, /proxy/projects/shop/datasources/other"},
        {"execute_instant_query", "{\"query\":\"up\",\"datasource\":\"/proxy/unsaved/x\"}",
         "unknown_datasource", "no datasource"},
        {"list_metrics", "{\"limit\":0}", "bad_arguments", "from 1 to 500"},
        {"list_metrics", "{\"limit\":\"many\"}", "bad_arguments", "must be an integer"},
        {"list_label_values", "{\"label\":\"job{\"}", "bad_arguments", "no label name"},
        {"list_label_values", "{\"label\":\"job\",\"match\":\"up or down\"}", "bad_arguments",
         "must be one selector"},
        {"list_label_values", "{\"label\":\"job\",\"match\":\"{job!=\\\"x\\\"}\"}", "bad_arguments",
         "neither a metric name"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture_run(f, NULL, cases[i].tool, cases[i].arguments);
        fixture_expect_error(f, cases[i].code, cases[i].part);
        for (unsigned k = 0; k < f->asked_count; k++) /* nothing of it reached a datasource */
            assert_non_null(strstr(f->asked[k].path, "/api/v1/") == f->asked[k].path
                                ? strstr(f->asked[k].path, "datasources")
                                : NULL);
    }
}

static void sloppy_arguments_with_one_meaning_are_taken(void **state)
{
    struct fixture *f = *state;
    static const struct answer script[] = {
        COUNT,
        {.path = "/other/api/v1/query", .status = 200, .body = STR(OK_VECTOR(""))},
        {.path = "/other/api/v1/query_range", .status = 200, .body = STR(COUNTED("1"))},
        {0}};
    fixture_run(f, script, "execute_instant_query",
                "{\"query\":\"up\",\"time\":null,\"datasource\":\"other\"}");
    assert_false(f->failed);
    assert_string_equal(f->datasource, "/proxy/projects/shop/datasources/other");
    assert_string_equal(f->asked[1].path, "/proxy/projects/shop/datasources/other/api/v1/query");
}

static void what_a_datasource_refuses_is_passed_on(void **state)
{
    struct fixture *f = *state;
    static const struct {
        unsigned status;
        const char *type, *body, *code, *part;
    } cases[] = {
        {400, NULL,
         "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"unknown function "
         "\\u202egrate\"}",
         "bad_data", "It said: unknown function grate"},
        {422, NULL, "{\"status\":\"error\",\"errorType\":\"execution\",\"error\":\"many-to-many\"}",
         "execution", "many-to-many"},
        {503, NULL,
         "{\"status\":\"error\",\"errorType\":\"timeout\",\"error\":\"query timed out\"}",
         "timeout", "took too long"},
        {401, NULL, "{\"message\":\"missing or malformed jwt\"}", "unauthorized", "refused (401)"},
        {403, NULL, "{\"message\":\"missing 'read' global permission\"}", "forbidden",
         "may not use"},
        {404, "text/html", "<html>nothing</html>", "not_found", "is no Prometheus"},
        {500, "text/plain", "dial tcp: connection refused", "unavailable", "dial tcp"},
        {502, "text/html", "<html>Bad Gateway</html>", "unavailable", "HTTP 502"},
        {429, NULL, "", "too_many_requests", "Try again"},
        {200, "text/html", "<!doctype html><html>", "broken", "Is the datasource a Prometheus?"},
        {200, NULL, "", "broken", "ended in the middle"},
        {200, NULL, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[",
         "broken", "ended in the middle"},
        {200, NULL,
         "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":\"no\"}}",
         "broken", "not what Prometheus"},
        {200, NULL, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "broken",
         "not what Prometheus"},
        {200, NULL,
         "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{"
         "\"a\":"
         "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{"
         "\"a\":{\"a\":{\"a\":"
         "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":",
         "broken", "not what Prometheus"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct answer script[] = {COUNT,
                                        {.path = QUERY,
                                         .status = cases[i].status,
                                         .body = str_of(cases[i].body),
                                         .type = cases[i].type},
                                        {0}};
        fixture_run(f, script, "execute_instant_query", "{\"query\":\"up\"}");
        fixture_expect_error(f, cases[i].code, cases[i].part);
        assert_int_equal(f->unauthorized, cases[i].status == 401);
        assert_null(strstr(f->content, "\xe2\x80\xae"));
    }
}

static void wrong_syntax_is_said_before_it_runs(void **state)
{
    struct fixture *f = *state;
    const struct answer script[] = {
        COUNT,
        {.path = "/format_query",
         .status = 400,
         .body = STR("{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"1:1: parse "
                     "error: unknown function\"}")},
        {0}};
    fixture_run(f, script, "execute_instant_query", "{\"query\":\"grate(up[5m])\"}");
    fixture_expect_error(f, "bad_data", "unknown function");
    for (unsigned i = 0; i < f->asked_count; i++)
        assert_false(fixture_ends(f->asked[i].path, QUERY));
}

static void too_many_series_are_refused_with_a_topk(void **state)
{
    struct fixture *f = *state;
    static const struct answer script[] = {
        {.path = QUERY_RANGE,
         .status = 200,
         .body = STR(COUNTED("100000")),
         .in_query = "label_replace"},
        {.path = QUERY, .status = 200, .body = STR(OK_VECTOR(""))},
        {0}};
    fixture_run(f, script, "execute_instant_query", "{\"query\":\"big_metric\"}");
    fixture_expect_error(f, "query_refused", "about 100,000 series, more than the 20,000");
    assert_string_equal(fixture_text(f, "suggestion"), "topk(10, big_metric)");
    assert_int_equal(f->asked_count, 1);
    fixture_run(f, script, "execute_instant_query", "{\"query\":\"topk(10, big_metric)\"}");
    assert_false(f->failed);
    assert_int_equal(f->asked_count, 2);
}

static void a_grouped_aggregation_is_judged_by_its_groups(void **state)
{
    struct fixture *f = *state;
    static const struct answer few[] = {{.path = QUERY_RANGE,
                                         .status = 200,
                                         .body = STR(COUNTED("12")),
                                         .in_query = "count by (job)("},
                                        {.path = QUERY_RANGE,
                                         .status = 200,
                                         .body = STR(COUNTED("90000")),
                                         .in_query = "label_replace"},
                                        {.path = QUERY, .status = 200, .body = STR(OK_VECTOR(""))},
                                        {0}};
    fixture_run(f, few, "execute_instant_query", "{\"query\":\"sum by (job) (rate(big[5m]))\"}");
    assert_false(f->failed);
    assert_int_equal(f->asked_count, 4); /* and why nothing came */
    static const struct answer many[] = {{.path = QUERY_RANGE,
                                          .status = 200,
                                          .body = STR(COUNTED("80000")),
                                          .in_query = "count by (pod)("},
                                         {.path = QUERY_RANGE,
                                          .status = 200,
                                          .body = STR(COUNTED("90000")),
                                          .in_query = "label_replace"},
                                         {0}};
    fixture_run(f, many, "execute_instant_query", "{\"query\":\"sum by (pod) (rate(big[5m]))\"}");
    fixture_expect_error(f, "query_refused", "about 80,000 series");
}

static void the_step_is_raised_and_it_is_said(void **state)
{
    struct fixture *f = *state;
    static const struct answer script[] = {
        COUNT, {.path = QUERY_RANGE, .status = 200, .body = STR(OK_MATRIX(""))}, {0}};
    fixture_run(f, script, "execute_range_query",
                "{\"query\":\"up\",\"start\":\"now-30d\",\"end\":\"now\",\"step\":\"15s\"}");
    assert_false(f->failed);
    assert_string_equal(f->asked[1].step, "236.000"); /* 2,592,000 s / 10,999 */
    assert_string_equal(fixture_text(f, "step"), "3m56s");
    assert_non_null(strstr(f->content, "raised from 15s to 3m56s"));
    static const struct answer many[] = {
        {.path = QUERY_RANGE,
         .status = 200,
         .body = STR(COUNTED("100000")),
         .in_query = "label_replace"},
        {.path = QUERY_RANGE, .status = 200, .body = STR(OK_MATRIX(""))},
        {0}};
    fixture_run(f, many, "execute_range_query",
                "{\"query\":\"sum(big)\",\"start\":\"now-1h\",\"step\":\"1s\"}");
    assert_false(f->failed);
    assert_string_equal(f->asked[1].step, "8.000"); /* 100,000 series: 500 points and not more */
}

/* A row for each series; where they are cut is said. */
static struct str many_series(unsigned count, struct buf *b)
{
    buf_init(b, 64 << 20);
    buf_puts(b, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[");
    for (unsigned i = 0; i < count; i++)
        buf_printf(b, "%s{\"metric\":{\"pod\":\"pod-%u\"},\"value\":[1700000000,\"%u\"]}",
                   i > 0 ? "," : "", i, i);
    buf_puts(b, "]}}");
    return buf_str(b);
}

static void of_many_series_the_highest_are_shown(void **state)
{
    struct fixture *f = *state;
    struct buf b;
    const struct answer script[] = {
        COUNT, {.path = QUERY, .status = 200, .body = many_series(5000, &b)}, {0}};
    fixture_run(f, script, "execute_instant_query", "{\"query\":\"up\"}");
    assert_false(f->failed);
    assert_int_equal(json_integer_value(json_object_get(f->json, "series_total")), 5000);
    json_t *series = json_object_get(f->json, "series");
    assert_int_equal(json_array_size(series), 120);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(series, 0), "value")), 4999);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(series, 119), "value")),
                     4880);
    assert_non_null(strstr(f->content,
                           "Only the 120 series with the highest last value are shown, of 5,000. "
                           "Over all of them the last value goes from 0 to 4999."));
    buf_free(&b);
}

static void an_answer_over_its_limit_is_cut_and_it_is_said(void **state)
{
    struct fixture *f = *state;
    struct buf b;
    f->config.answer_bytes_max = 100000;
    fixture_tools(f);
    const struct answer script[] = {
        COUNT, {.path = QUERY, .status = 200, .body = many_series(50000, &b)}, {0}};
    fixture_run(f, script, "execute_instant_query", "{\"query\":\"up\"}");
    assert_false(f->failed);
    assert_non_null(strstr(f->content, "cut off while it arrived"));
    json_int_t total = json_integer_value(json_object_get(f->json, "series_total"));
    assert_true(total > 1000 && total < 3000);
    buf_free(&b);
}

static void hostile_labels_are_cleaned_and_capped(void **state)
{
    struct fixture *f = *state;
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_puts(&b, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{"
                 "\"metric\":{\"a\":\"x\\u202ey"
                 "\\u200bz\\u0007\\ud83d\\ude00\",\"b\":\"");
    for (unsigned i = 0; i < 10000; i++)
        buf_putc(&b, 'n');
    buf_puts(&b, "\"},\"value\":[1700000000,\"+Inf\"]}]},\"warnings\":[\"mind\\u202e the gap\"]}");
    const struct answer script[] = {
        COUNT, {.path = QUERY, .status = 200, .body = buf_str(&b)}, {0}};
    fixture_run(f, script, "execute_instant_query", "{\"query\":\"up\"}");
    assert_false(f->failed);
    assert_non_null(strstr(f->content, "\"a\":\"xyz \xf0\x9f\x98\x80\""));
    assert_non_null(strstr(f->content, "\"value\":\"+Inf\""));
    assert_non_null(strstr(f->content, "Datasource: mind the gap"));
    assert_non_null(strstr(f->content, "Some labels were shortened"));
    assert_true(strlen(f->content) < 1200);
    buf_free(&b);
}

#define NAMES "/api/v1/label/__name__/values"
#define METADATA "/api/v1/metadata"

static const struct answer metrics_script[] = {
    {.path = NAMES,
     .status = 200,
     .body = STR(
         "{\"status\":\"success\",\"data\":[\"go_goroutines\",\"http_request_duration_seconds_"
         "bucket\","
         "\"http_request_duration_seconds_count\",\"http_request_duration_seconds_sum\","
         "\"node_cpu_seconds_total\",\"node_memory_MemFree_bytes\",\"process_cpu_seconds_total\","
         "\"up\"]}")},
    {.path = METADATA,
     .status = 200,
     .body = STR(
         "{\"status\":\"success\",\"data\":{\"go_goroutines\":[{\"type\":\"gauge\",\"help\":"
         "\"Number of \\"
         "u202egoroutines.\",\"unit\":\"\"}],\"http_request_duration_seconds\":[{\"type\":"
         "\"histogram\",\"help\":"
         "\"Latency.\",\"unit\":\"seconds\"}],\"node_cpu_seconds_total\":[{\"type\":\"counter\","
         "\"help\":"
         "\"Seconds the CPUs spent in each mode.\",\"unit\":\"\"}]}}")},
    {0}};

static const char *metric_field(struct fixture *f, size_t i, const char *key)
{
    json_t *metric = json_array_get(json_object_get(f->json, "metrics"), i);
    return json_string_value(json_object_get(metric, key));
}

static void metrics_are_listed_with_their_metadata(void **state)
{
    struct fixture *f = *state;
    fixture_run(f, metrics_script, "list_metrics", "");
    assert_false(f->failed);
    assert_int_equal(json_integer_value(json_object_get(f->json, "total")), 8);
    assert_int_equal(json_integer_value(json_object_get(f->json, "shown")), 8);
    assert_string_equal(metric_field(f, 0, "name"), "go_goroutines");
    assert_string_equal(metric_field(f, 0, "help"), "Number of goroutines.");
    assert_string_equal(metric_field(f, 1, "type"), "histogram");
    assert_string_equal(metric_field(f, 1, "unit"), "seconds");
    assert_string_equal(metric_field(f, 2, "type"), "counter");
    assert_string_equal(metric_field(f, 4, "type"), "counter");
    assert_string_equal(metric_field(f, 7, "type"),
                        "gauge"); /* up: what Prometheus adds has no metadata */
}

/* In the catalog, in a query, and in a result. */
static void a_metric_with_a_name_of_10000_characters(void **state)
{
    struct fixture *f = *state;
    char name[10001];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    scoped_buf(names, 1 << 16);
    scoped_buf(result, 1 << 16);
    scoped_buf(query, 1 << 16);
    buf_printf(&names, "{\"status\":\"success\",\"data\":[\"%s\",\"up\"]}", name);
    buf_printf(&result,
               "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{"
               "\"metric\":{\"__name__\":\"%s\"},\"value\":[1700000000,\"7\"]}]}}",
               name);
    buf_printf(&query, "{\"query\":\"%s\"}", name);
    const struct answer script[] = {
        COUNT,
        {.path = NAMES, .status = 200, .body = buf_str(&names)},
        {.path = METADATA, .status = 200, .body = STR("{\"status\":\"success\",\"data\":{}}")},
        {.path = QUERY, .status = 200, .body = buf_str(&result)},
        {0}};
    fixture_run(f, script, "list_metrics", "");
    assert_false(f->failed);
    assert_int_equal(json_integer_value(json_object_get(f->json, "total")) +
                         json_integer_value(json_object_get(f->json, "left_out")),
                     2);
    assert_non_null(strstr(f->content, "\"up\""));
    assert_true(strlen(f->content) < 6000);
    fixture_run(f, script, "execute_instant_query", buf_cstr(&query));
    fixture_expect_error(f, "bad_arguments", "too long");
    fixture_run(f, script, "execute_instant_query", "{\"query\":\"up\"}");
    assert_false(f->failed);
    assert_non_null(strstr(f->content, "\"value\":7"));
    assert_true(strlen(f->content) < 1200);
}

static void metrics_are_searched_and_ranked(void **state)
{
    struct fixture *f = *state;
    fixture_run(f, metrics_script, "list_metrics", "{\"search\":\"CPU modes\"}");
    assert_true(json_integer_value(json_object_get(f->json, "total")) >= 2);
    assert_int_equal(json_integer_value(json_object_get(f->json, "metrics_total")), 8);
    assert_string_equal(metric_field(f, 0, "name"), "node_cpu_seconds_total"); /* by its help */
    assert_string_equal(metric_field(f, 1, "name"), "process_cpu_seconds_total");
    assert_int_equal(f->asked_count, 2);
    fixture_run(f, metrics_script, "list_metrics", "{\"search\":\"quux\"}");
    assert_int_equal(f->asked_count, 1); /* read a moment ago: only the labels are asked for */
    assert_true(fixture_ends(f->asked[0].path, "/api/v1/labels"));
    assert_non_null(strstr(f->content, "No metric fits"));
    fixture_run(f, metrics_script, "list_metrics", "{\"limit\":2,\"offset\":2}");
    assert_int_equal(json_integer_value(json_object_get(f->json, "shown")), 2);
    assert_string_equal(metric_field(f, 0, "name"), "http_request_duration_seconds_count");
    assert_non_null(strstr(f->content, "4 more"));
}

/* Words that no metric has may mean labels: by a plural, by a slip of one letter, by their
 * beginning; at most five are named, in the order of the datasource. */
static void labels_are_named_where_no_metric_fits(void **state)
{
    struct fixture *f = *state;
    static const struct answer script[] = {
        {.path = NAMES, .status = 200, .body = STR("{\"status\":\"success\",\"data\":[\"quux\"]}")},
        {.path = METADATA, .status = 200, .body = STR("{\"status\":\"success\",\"data\":{}}")},
        {.path = "/api/v1/labels",
         .status = 200,
         .body = STR("{\"status\":\"success\",\"data\":[\"__name__\",\"availability_zone\","
                     "\"instance\",\"job\",\"le\",\"shard_a\\u202e\",\"shard_b\",\"way\"]}")},
        {0}};
    static const char *const cases[][2] = {
        {"way instances", "there are labels: instance, way. "},
        {"instanec jobs", "there are labels: job. "}, /* two letters wrong: another word */
        {"instence", "there are labels: instance. "},
        {"shard", "there are labels: shard_a, shard_b. "},
        {"shard instance job way", "there are labels: instance, job, shard_a, shard_b, way. "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char arguments[100];
        snprintf(arguments, sizeof(arguments), "{\"search\":\"%s\"}", cases[i][0]);
        fixture_run(f, script, "list_metrics", arguments);
        assert_false(f->failed);
        if (!strstr(f->content, cases[i][1]))
            fail_msg("%s: %s", cases[i][0], f->content);
    }
    fixture_run(f, script, "list_metrics", "{\"search\":\"a zone\"}"); /* in no label's beginning */
    assert_null(strstr(f->content, "there are labels"));
}

static void another_persons_catalog_is_not_used(void **state)
{
    struct fixture *f = *state;
    fixture_run(f, metrics_script, "list_metrics", "");
    secret_free(f->token);
    f->token = secret_new(STR("canary-of-another"));
    static const struct answer refused[] = {{.path = NAMES, .status = 403, .body = STR("{}")}, {0}};
    fixture_run(f, refused, "list_metrics", "");
    fixture_expect_error(f, "forbidden", "may not use");
    assert_string_equal(f->asked[0].authorization, "Bearer canary-of-another");
}

static void metrics_without_metadata_are_listed(void **state)
{
    struct fixture *f = *state;
    static const struct answer script[] = {
        {.path = NAMES, .status = 200, .body = STR("{\"status\":\"success\",\"data\":[\"up\"]}")},
        {.path = METADATA, .status = 404, .body = STR("no")},
        {0}};
    fixture_run(f, script, "list_metrics", "{\"search\":\"up\"}");
    assert_false(f->failed);
    assert_string_equal(metric_field(f, 0, "name"), "up");
}

static bool is_asked(void *arg) { return ((struct fixture *)arg)->asked_count > 0; }

static void parallel_lists_share_one_load(void **state)
{
    struct fixture *f = *state;
    f->script = metrics_script;
    struct tool_run *gone = fixture_start(f, "list_metrics", "");
    for (unsigned i = 0; i < 5; i++)
        fixture_start(f, "list_metrics", "{\"search\":\"cpu\"}");
    assert_true(pump_within(f->pump, 5000, is_asked, f));
    assert_int_equal(f->done, 0);
    tool_cancel(gone); /* that began the load */
    pump_for(f->pump, 300);
    assert_int_equal(f->done, 5);
    assert_int_equal(f->asked_count, 2);
}

static void a_catalog_that_fails_is_asked_for_again(void **state)
{
    struct fixture *f = *state;
    static const struct answer refused[] = {{.path = NAMES, .status = 401, .body = STR("{}")}, {0}};
    fixture_run(f, refused, "list_metrics", "");
    assert_true(f->unauthorized);
    fixture_run(f, metrics_script, "list_metrics", "");
    assert_false(f->failed);
}

static void label_values_are_filtered_and_paged(void **state)
{
    struct fixture *f = *state;
    static const struct answer script[] = {
        {.path = "/api/v1/label/job/values",
         .status = 200,
         .body =
             STR("{\"status\":\"success\",\"data\":[\"api\",\"Node\",\"node2\",\"no\\u200bde3\","
                 "\"prometheus\"]}")},
        {0}};
    fixture_run(f, script, "list_label_values",
                "{\"label\":\"job\",\"metric\":\"up\",\"search\":\"NODE\",\"limit\":1}");
    assert_false(f->failed);
    assert_string_equal(f->asked[0].query, "up");
    assert_string_equal(
        f->content,
        "{\"kind\":\"label_values\",\"label\":\"job\",\"datasource\":"
        "\"/proxy/globaldatasources/prom\","
        "\"total\":2,\"shown\":1,\"next_offset\":1,\"values\":[\"Node\"],\"notes\":[\"1 "
        "more: use search, or ask for the "
        "next page with offset 1.\"]}");
    fixture_run(f, script, "list_label_values", "{\"label\":\"job\",\"offset\":\"3\"}");
    assert_non_null(strstr(f->content, "\"values\":[\"node3\",\"prometheus\"]"));
}

static void a_datasource_that_is_silent_or_gone_is_a_clear_error(void **state)
{
    struct fixture *f = *state;
    f->config.perses_url = "http://127.0.0.1:1";
    fixture_tools(f);
    fixture_run(f, NULL, "execute_instant_query", "{\"query\":\"up\"}");
    fixture_expect_error(f, "unreachable", "Perses cannot be reached");
    fixture_run(f, NULL, "list_metrics", "");
    fixture_expect_error(f, "unreachable", "Perses cannot be reached");
}

static void the_table_is_good_json(void **state)
{
    struct fixture *f = *state;
    unsigned count;
    struct str text = tools_json(f->tools);
    json_t *list = json_loadb(text.at, text.len, 0, NULL);
    const struct tool_spec *specs = tools_specs(f->tools, &count);
    assert_int_equal(json_array_size(list), count);
    for (unsigned i = 0; i < count; i++) {
        json_t *tool = json_array_get(list, i), *schema = json_object_get(tool, "input_schema");
        assert_string_equal(json_string_value(json_object_get(tool, "name")), specs[i].name);
        assert_true(json_is_boolean(json_object_get(tool, "read_only")));
        assert_string_equal(json_string_value(json_object_get(schema, "type")), "object");
        const char *name;
        json_t *property;
        json_object_foreach(json_object_get(schema, "properties"), name, property)
        {
            const char *type = json_string_value(json_object_get(property, "type"));
            const char *bound = strcmp(type, "string") == 0  ? "maxLength"
                                : strcmp(type, "array") == 0 ? "maxItems"
                                                             : "maximum";
            assert_true(json_object_get(property, bound) || json_object_get(property, "enum"));
            bool said = json_object_get(property, "description") != NULL;
            assert_true(said != (strcmp(name, "datasource") == 0)); /* list_datasources says it */
        }
    }
    json_decref(list);
}

static void a_plan_is_checked_and_counted(void **state)
{
    struct fixture *f = *state;
    fixture_run(f, NULL, "show_plan",
                "{\"steps\":[{\"step\":\"rule\",\"state\":\"done\"},{\"step\":\"since when\","
                "\"state\":\"doing\"},{\"step\":\"logs\",\"state\":\"todo\"},"
                "{\"step\":\"traces\",\"state\":\"dropped\"}]}");
    assert_string_equal(f->content, "{\"kind\":\"plan\",\"steps\":4,\"open\":2,\"doing\":1}");
    assert_int_equal(f->asked_count, 0); /* nobody is asked for it */
    fixture_run(f, NULL, "show_plan", "{\"steps\":[]}");
    fixture_expect_error(f, "bad_arguments", "steps");
    fixture_run(f, NULL, "show_plan", "{\"steps\":[{\"step\":\"x\",\"state\":\"lost\"}]}");
    fixture_expect_error(f, "bad_arguments", "todo");
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_instant_query_is_counted_and_run),
        T(a_range_query_is_summarised),
        T(an_answer_that_breaks_off_is_asked_for_again),
        T(times_are_relative_or_absolute),
        T(what_is_odd_about_a_local_time_is_said),
        T(what_a_model_gets_wrong_it_is_told),
        T(sloppy_arguments_with_one_meaning_are_taken),
        T(what_a_datasource_refuses_is_passed_on),
        T(wrong_syntax_is_said_before_it_runs),
        T(too_many_series_are_refused_with_a_topk),
        T(a_grouped_aggregation_is_judged_by_its_groups),
        T(the_step_is_raised_and_it_is_said),
        T(of_many_series_the_highest_are_shown),
        T(an_answer_over_its_limit_is_cut_and_it_is_said),
        T(hostile_labels_are_cleaned_and_capped),
        T(metrics_are_listed_with_their_metadata),
        T(a_metric_with_a_name_of_10000_characters),
        T(metrics_are_searched_and_ranked),
        T(labels_are_named_where_no_metric_fits),
        T(another_persons_catalog_is_not_used),
        T(metrics_without_metadata_are_listed),
        T(parallel_lists_share_one_load),
        T(a_catalog_that_fails_is_asked_for_again),
        T(label_values_are_filtered_and_paged),
        T(a_datasource_that_is_silent_or_gone_is_a_clear_error),
        T(the_table_is_good_json),
        T(a_plan_is_checked_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
