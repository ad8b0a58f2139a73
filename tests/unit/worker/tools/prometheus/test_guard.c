/* What is read of PromQL, and what may run. */
#include "common/duration.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include "worker/tools/prometheus/guard.h"
#include "worker/tools/moment.h"

/* "selector|shape[|offset][|@…][|w=window][|s=range:step]" of each selector, one a line. */
static void describe(const struct guard_query *q, struct buf *b)
{
    static const char *const shapes[] = {"whole", "one", "grouped"};
    for (unsigned i = 0; i < q->selector_count; i++) {
        const struct guard_selector *s = &q->selectors[i];
        buf_printf(b, "%s%.*s|%s", i > 0 ? "\n" : "", (int)s->text.len, s->text.at,
                   shapes[s->shape]);
        if (s->shape == GUARD_GROUPED)
            buf_printf(b, " %.*s", (int)s->grouping.len, s->grouping.at);
        if (s->offset.len > 0)
            buf_printf(b, "|%.*s", (int)s->offset.len, s->offset.at);
        if (s->at.len > 0)
            buf_printf(b, "|%.*s", (int)s->at.len, s->at.at);
        if (s->window_ms > 0)
            buf_printf(b, "|w=%s", duration_write(s->window_ms));
        if (s->sub_ms > 0)
            buf_printf(b, "|s=%s:%s", duration_write(s->sub_ms), duration_write(s->step_ms));
    }
}

static void read_cases(const char *const (*cases)[2], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct guard_query q;
        scoped_buf(b, 4096);
        if (!guard_read(&q, str_of(cases[i][0])))
            fail_msg("%s: %s", cases[i][0], q.error);
        describe(&q, &b);
        if (strcmp(buf_cstr(&b), cases[i][1]) != 0)
            fail_msg("%s:\n%s\nwanted\n%s", cases[i][0], buf_cstr(&b), cases[i][1]);
    }
}

static void selectors_are_found_in_many_forms(void **state)
{
    static const char *const cases[][2] = {
        {"up", "up|whole"},
        {" up # a comment {\n", "up|whole"},
        {"job:up:sum", "job:up:sum|whole"},
        {":odd", ":odd|whole"},
        {"{__name__=\"up\"}", "{__name__=\"up\"}|whole"},
        {"{\"my.metric\"}", "{\"my.metric\"}|whole"},
        {"{\"my.metric\", job=\"a\"}", "{\"my.metric\", job=\"a\"}|whole"},
        {"{\"my.label\"='x'}", "{\"my.label\"='x'}|whole"},
        {"{__name__=~\"up|a:b_2\"}", "{__name__=~\"up|a:b_2\"}|whole"},
        {"{\"__name__\"=~'up'}", "{\"__name__\"=~'up'}|whole"},
        {"{job=\"a\",}", "{job=\"a\",}|whole"},
        {"up{}", "up{}|whole"},
        {"up {job=\"}\",x!~`a\"b|{`}", "up {job=\"}\",x!~`a\"b|{`}|whole"},
        {"up{a='it\\'s',b=\"# no comment\"}", "up{a='it\\'s',b=\"# no comment\"}|whole"},
        {"up{ # why\n job=\"a\" }", "up{ # why\n job=\"a\" }|whole"},
        {"rate(x[5m])", "x|whole|w=5m"},
        {"x[1h30m] offset 1w", "x|whole|offset 1w|w=1h30m"},
        {"x offset -5m", "x|whole|offset -5m"},
        {"x @ 1700000000.5", "x|whole|@ 1700000000.5"},
        {"x[5m] @ start() offset 1d", "x|whole|offset 1d|@ start()|w=5m"},
        {"x offset 1d @end ( )", "x|whole|offset 1d|@end ( )"},
        {"max_over_time(rate(x[5m])[1h:1m])", "x|whole|w=1h5m|s=1h:60s"},
        {"max_over_time(x[1h:])", "x|whole|w=1h|s=1h:60s"},
        {"max_over_time((x + y)[1h:30s] offset 1d)",
         "x|whole|offset 1d|w=1h|s=1h:30s\ny|whole|offset 1d|w=1h|s=1h:30s"},
        {"max_over_time(max_over_time(x[1h:1m])[1d:10m])", "x|whole|w=1d1h|s=1d1h:60s"},
        {"y + max_over_time(x[1h:1m])", "y|whole\nx|whole|w=1h|s=1h:60s"},
        {"sum(x)", "x|one"},
        {"SUM(x)", "x|one"},
        {"sum by (job) (x)", "x|grouped by (job)"},
        {"sum(x) by (job, instance)", "x|grouped by (job, instance)"},
        {"Sum Without(\"my.label\")(x)", "x|grouped Without(\"my.label\")"},
        {"sum by () (x)", "x|one"},
        {"count(count by (pod) (x))", "x|one"},
        {"sum by (a) (sum(x))", "x|one"},
        {"sum by (a) (count by (a, b) (x))", "x|grouped by (a)"},
        {"sum(x) / on(job) group_left(b) y", "x|one\ny|whole"},
        {"x * on(job) group_left y", "x|whole\ny|whole"},
        {"x * ignoring (a) group_right (b) y", "x|whole\ny|whole"},
        {"topk(10, x)", "x|one"},
        {"topk(5, sum by (a) (x))", "x|one"},
        {"topk(100000, x)", "x|whole"},
        {"topk(scalar(k), x)", "k|one\nx|whole"},
        {"bottomk by (a) (3, x)", "x|grouped by (a)"},
        {"quantile(0.9, x)", "x|one"},
        {"count_values(\"v\", x)", "x|whole"},
        {"histogram_quantile(0.95, sum by (le) (rate(x_bucket[5m])))",
         "x_bucket|grouped by (le)|w=5m"},
        {"absent(x{job=\"a\"})", "x{job=\"a\"}|one"},
        {"label_replace(x, \"a\", \"$1\", \"b\", \"(.*)\")", "x|whole"},
        {"x > bool 5 and y or z unless w", "x|whole\ny|whole\nz|whole\nw|whole"},
        {"-x ^ 2 % 3e-5 + 0x1F + .5 + 1_000", "x|whole"},
        {"x == inf or y != NaN", "x|whole\ny|whole"},
        {"time() - x", "x|whole"},
        {"vector(1)", ""},
        {"1 + 1", ""},
        {"\"text\"", ""},
        {"sum + by", "sum|whole\nby|whole"},
        {"topk(2, group_left * 2)", "group_left|one"},
        {"rate{a=\"b\"}", "rate{a=\"b\"}|whole"},
        {"clamp_max(x, 1) atan2 y", "x|whole\ny|whole"},
    };
    (void)state;
    read_cases(cases, sizeof(cases) / sizeof(cases[0]));
}

static void templates_stand_before_what_is_suggested(void **state)
{
    (void)state;
    static const struct guard_limits limits = {.series_max = 100, .points_max = 11000};
    struct guard_query q, again;
    struct guard_range range = {0, 3600000, 60000};
    scoped_buf(b, 4096);
    assert_true(guard_read(&q, STR("WITH (f(x) = x{job=\"a\"}) f(up)")));
    for (unsigned i = 0; i < q.selector_count; i++)
        q.selectors[i].series = 30000;
    assert_int_equal(guard_decide(&q, &range, &limits, &b), GUARD_REFUSED);
    assert_string_equal(buf_cstr(&b), "WITH (f(x) = x{job=\"a\"}) topk(10, f(up))");
    assert_true(guard_read(&again, buf_str(&b)));
}

static void promql_of_today_is_read(void **state)
{
    static const char *const cases[][2] = {
        {"a + fill(0) b", "a|whole\nb|whole"},
        {"a - on(job) group_left(x) fill_right( -23.5 ) b", "a|whole\nb|whole"},
        {"a * on(job) group_left fill_left(NaN) fill_right(0x1F) b", "a|whole\nb|whole"},
        {"a == bool fill(+Inf) b", "a|whole\nb|whole"},
        {"fill + fill_left{a=\"b\"}", "fill|whole\nfill_left{a=\"b\"}|whole"},
        {"info(rate(x[2m]), {label=~\".+\"})", "x|whole|w=2m"},
        {"info(x, {})", "x|whole"},
        {"sum by (v) (info(x{job=\"a\"}, {__name__=~\".+_info\", \"k8s.pod\"=~\".*\"})) + y",
         "x{job=\"a\"}|grouped by (v)\ny|whole"},
        {"info(x)", "x|whole"},
        {"sum(info(x, {version=~\"1.*\"})) by (version)", "x|grouped by (version)"},
        {"rate(x[5m] offset -5m) anchored", "x|whole|offset -5m|w=5m"},
        {"ts_of_max_over_time(x[1d])", "x|whole|w=1d"},
        {"x[step()] smoothed", "x|whole|w=1h"},
        {"rate(x[max_of(step() * 2, 5m)])", "x|whole|w=2h"},
        {"avg_over_time(x[range() / 2:step()])", "x|whole|w=15d12h|s=15d12h:10s"},
        {"x offset -step()", "x|whole|offset -step()"},
        {"x offset min(step(), (5m))", "x|whole|offset min(step(), (5m))"},
        {"x[5m]@end() offset -(step() + 1m)", "x|whole|offset -(step() + 1m)|@end()|w=5m"},
        {"a / fill_right (1e3) fill_left (0) b", "a|whole\nb|whole"},
        {"a or on() fill(0) b", "a|whole\nb|whole"},
        {"sort_by_label_desc(limitk(5, {\"a b\", 'c\\'d'='e'}), \"x.y\")",
         "{\"a b\", 'c\\'d'='e'}|one"},
        {"{`back\\slash`}[5m]", "{`back\\slash`}|whole|w=5m"},
        {"count_values without (\"a.b\") (\"v\", x)", "x|whole"},
        {"info + 1", "info|whole"},
        {"rate(x[5m] anchored)", "x|whole|w=5m"},
        {"increase(x[5m] smoothed offset 1h)", "x|whole|offset 1h|w=5m"},
        {"x smoothed", "x|whole"},
        {"anchored * 2", "anchored|whole"},
        {"rate(x[5m*2])", "x|whole|w=10m"},
        {"changes(x[30m+0s] offset (0m))", "x|whole|offset (0m)|w=30m"},
        {"rate(x[(1h + 30m) / 2])", "x|whole|w=45m"},
        {"rate(x[2^3 * 1m])", "x|whole|w=8m"},
        {"rate(x[300])", "x|whole|w=5m"},
        {"rate(x[max(step(), 5m)])", "x|whole|w=1h"},
        {"rate(x[min(range(), 5m)] offset -(5m * 2))", "x|whole|offset -(5m * 2)|w=5m"},
        {"x offset step()", "x|whole|offset step()"},
        {"x offset max(step(), 1h) + y", "x|whole|offset max(step(), 1h)\ny|whole"},
        {"x offset 300", "x|whole|offset 300"},
        {"x offset 1h - 1h", "x|whole|offset 1h"},
        {"max_over_time(x[1h * 2:30s * 2])", "x|whole|w=2h|s=2h:60s"},
        {"max_over_time(x[1h:step()])", "x|whole|w=1h|s=1h:10s"},
        {"x @ 1_700_000_000", "x|whole|@ 1_700_000_000"},
        {"x @ -0x1F", "x|whole|@ -0x1F"},
        {"x </ 5 + y >/ 0.5", "x|whole\ny|whole"},
        {"limit_ratio(-0.5, x)", "x|whole"},
        {"limitk by (a) (3, x)", "x|grouped by (a)"},
        {"sort_by_label(x, \"a\", \"b\")", "x|whole"},
        {"histogram_quantiles(x, \"q\", 0.5, 0.9)", "x|whole"},
        {"histogram_fraction(0, 0.2, rate(x[5m]))", "x|whole|w=5m"},
        {"1_000 * 0x_1F + -Inf + x", "x|whole"},
        {"sum by (\"host.name\", job) ({\"http.server.request.duration\", \"host.name\"=\"ä\"})",
         "{\"http.server.request.duration\", \"host.name\"=\"ä\"}|grouped by (\"host.name\", job)"},
    };
    (void)state;
    read_cases(cases, sizeof(cases) / sizeof(cases[0]));
}

static void metricsql_is_read(void **state)
{
    static const char *const cases[][2] = {
        {"rate(x[5m]) keep_metric_names", "x|whole|w=5m"},
        {"sum(rate(x)) keep_metric_names + 1", "x|one"},
        {"sum(x) default 0", "x|one"},
        {"x default y", "x|whole\ny|whole"},
        {"x if y{a=\"b\"}", "x|whole\ny{a=\"b\"}|whole"},
        {"sum(x) ifnot (y > 3)", "x|one\ny|whole"},
        {"sum(rate(x[1i])) by (a) limit 3", "x|grouped by (a)|w=1h"},
        {"sum(x) limit 5", "x|one"},
        {"sum(x) by (limit)", "x|grouped by (limit)"},
        {"limit + 1", "limit|whole"},
        {"rollup_rate(x[5m:1i], \"max\")", "x|whole|w=5m|s=5m:10s"},
        {"label_set(x, \"a\", \"b\")", "x|whole"},
        {"(x, y)", "x|whole\ny|whole"},
        {"{a=\"b\" or c=\"d\"}", "{a=\"b\" or c=\"d\"}|whole"},
        {"x{a=\"b\",c=~\"d\" OR e!=\"f\"}", "x{a=\"b\",c=~\"d\" OR e!=\"f\"}|whole"},
        {"x{or=\"b\"}", "x{or=\"b\"}|whole"},
        {"foo\\-bar{a\\.b=\"c\"} + 1", "foo\\-bar{a\\.b=\"c\"}|whole"},
        {"sum by (\xc3\xa4) (gr\xc3\xb6\xc3\x9f"
         "e[5m])",
         "gr\xc3\xb6\xc3\x9f"
         "e|grouped by (\xc3\xa4)|w=5m"},
        {"a.b.c{d.e=\"f\"}", "a.b.c{d.e=\"f\"}|whole"},
        {"x @ (end() - 1h)", "x|whole|@ (end() - 1h)"},
        {"x * on(a) group_left(*) prefix \"y_\" z", "x|whole\nz|whole"},
        {"WITH (f = {job=\"a\", x=~\"b|c\"}) sum(up{f}) / count({f})", "up{f}|one\n{f}|one"},
        {"with(f={job=~\"a\"}) up{f, y=\"z\"}", "up{f, y=\"z\"}|whole"},
        {"WITH (r(m) = rate(m{x=~\"1\"}[5m]), t = \")\") r(up) + t", "up|whole\nt|whole"},
        {"WITH (f = {a = \"b\", c != \"\"}) {f}", "{f}|whole"},
        {"with + 1", "with|whole"},
    };
    (void)state;
    read_cases(cases, sizeof(cases) / sizeof(cases[0]));
    static const char *const blanket[] = {
        "{a=\"b\" or c=~\"d\"}",
        "{c=~\"d\" or a=\"b\"}",
        "WITH (f = {job=~\".+\"}) {f}",
        "WITH (f = {job=~\".+\"}) count(f)",
        "WITH (f = {job != \"a\", b = \"\"}) count({f})",
        "WITH (f = {job =~ \"a\"}) count({f})",
        "WITH (f(x) = count({job=~\".+\"})) f(1)",
        "WITH (f = up or {job!=\"\"}) f",
        "WITH (f = {a=\"b\" or job=~\".+\"}) f{c=~\"d\"}",
    };
    for (size_t i = 0; i < sizeof(blanket) / sizeof(blanket[0]); i++) {
        struct guard_query q;
        if (guard_read(&q, str_of(blanket[i])) || guard_read_loosely(&q, str_of(blanket[i])) ||
            !strstr(q.error, "neither a metric name nor an equality matcher"))
            fail_msg("%s: %s", blanket[i], q.error);
    }
    struct guard_query q;
    scoped_buf(b, 1000);
    assert_true(guard_read(&q, STR("WITH (f = {job=\"a\"}) sum(up{f})")));
    assert_true(guard_count_query(&q, false, &b));
    assert_string_equal(buf_cstr(&b), "WITH (f = {job=\"a\"}) label_replace(count(up{f}), \"i\", "
                                      "\"0\", \"\", \"\")");
}

/* Newer syntax, and what other servers speak: bounded by all that selects. */
static void what_cannot_be_read_is_bounded_by_its_selectors(void **state)
{
    static const struct {
        const char *query, *want;
    } cases[] = {
        {"topk_avg(3, x, \"other\") limit 5", "x|whole"},
        {"rate(x[1month])", "x|whole|w=1d"},
        {"x ?? y", "x|whole\ny|whole"},
        {"x[5m] extrapolated(3) + y", "x|whole|w=5m\ny|whole"},
        {"sum(x) |> y", "x|whole\ny|whole"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct guard_query q;
        scoped_buf(b, 4096);
        if (guard_read(&q, str_of(cases[i].query)))
            fail_msg("%s: is read after all", cases[i].query);
        if (!guard_read_loosely(&q, str_of(cases[i].query)))
            fail_msg("%s: %s", cases[i].query, q.error);
        describe(&q, &b);
        if (strcmp(buf_cstr(&b), cases[i].want) != 0)
            fail_msg("%s:\n%s\nwanted\n%s", cases[i].query, buf_cstr(&b), cases[i].want);
    }
    static const struct {
        const char *query, *part;
    } refused[] = {
        {"x ?? {job=~\".+\"}", "neither a metric name nor an equality matcher"},
        {"sum(x ?? y", "no closing )"},
        {"x ?? y{a=\"b", "no closing \""},
        {"1 ?? 2", "not expected here"},
        {"x ?? y[$__interval:1m]", "a variable that is not known"},
        {"WITH (a = {job=~\".+\"}) a ?? 1", "neither a metric name nor an equality matcher"},
        {"x ?? y[1h%:1m]", "in brackets"},
        {"x ?? $y", "a variable that is not known"},
        {"a\\b\\", "escapes nothing"},
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct guard_query q;
        assert_false(guard_read(&q, str_of(refused[i].query)));
        assert_false(guard_read_loosely(&q, str_of(refused[i].query)));
        if (!strstr(q.error, refused[i].part))
            fail_msg("%s: %s", refused[i].query, q.error);
    }
    struct guard_query q;
    struct guard_range range = {0, 3600000, 60000};
    const struct guard_limits limits = {100, 11000};
    scoped_buf(suggestion, 1000);
    guard_read(&q, STR("sum(x) ?? 0"));
    assert_true(guard_read_loosely(&q, STR("sum(x) ?? 0")));
    q.selectors[0].series = 100;
    assert_int_equal(guard_decide(&q, &range, &limits, &suggestion), GUARD_RUN);
    q.selectors[0].series = 101; /* though it is summed */
    assert_int_equal(guard_decide(&q, &range, &limits, &suggestion), GUARD_REFUSED);
    assert_non_null(strstr(q.error, "Not the query is the limit but this tool"));
}

static void what_cannot_be_read_or_has_no_name_is_refused(void **state)
{
    static const struct {
        const char *query, *part;
    } cases[] = {
        {"", "empty"},
        {"{}", "neither a metric name"},
        {"{job=~\".+\"}", "neither a metric name"},
        {"{__name__=~\".+\"}", "neither a metric name"},
        {"{__name__!=\"\"}", "neither a metric name"},
        {"{__name__=~\"up|\"}", "neither a metric name"},
        {"{__name__=~\"|up\"}", "neither a metric name"},
        {"{__name__=~\"a||b\"}", "neither a metric name"},
        {"{__name__=~\"up|node_.*\"}", "neither a metric name"},
        {"{__name__=~\"(up)\"}", "neither a metric name"},
        {"{__name__!~\"up|a\"}", "neither a metric name"},
        {"{name=~\"up|a\"}", "neither a metric name"},
        {"{job=\"\"}", "neither a metric name"},
        {"{job!=\"a\",x!~\"b\"}", "neither a metric name"},
        {"{\"\"}", "neither a metric name"},
        {"sum(up) + count({a=~\"b\"})", "neither a metric name"},
        {"up # {\n + {a=~\"b\"}", "neither a metric name"},
        {"label_replace(up, \"{\", \"\", \"\", \"\") + {a!=\"b\"}", "neither a metric name"},
        {"up{a='\\\\'} + {b=~'c'}", "neither a metric name"},
        {"up{", "no closing }"},
        {"up{job}", "= != =~ !~"},
        {"up{job=a}", "quoted string"},
        {"up{job==\"a\"}", "= != =~ !~"},
        {"up{job=\"a\" b=\"c\"}", "separated by commas"},
        {"up{job=\"a}", "no closing \""},
        {"up{job=\"a\n\"}", "end of its line"},
        {"sum(up", "no closing )"},
        {"sum(up))", "no opening ("},
        {"up +", "ends where a value"},
        {"* up", "value was expected"},
        {"up down", "operator was expected"},
        {"up{a=\"b\"}{c=\"d\"}", "operator was expected"},
        {"up(5)", NULL}, /* a call of a function; the server knows whether there is one */
        {"rate(x[$__rate_interval])", "a variable that is not known"},
        {"rate(x[5m)", "no closing ]"},
        {"rate(x[])", "must be durations"},
        {"rate(x[0s])", "must be durations"},
        {"rate(x[30m+0q])", "must be durations"},
        {"rate(x[:])", "must be durations"},
        {"rate(sum(x)[5m])", "subquery"},
        {"[5m]", "no range can be"},
        {"x offset y", "needs a duration"},
        {"x @ now", "start() or end()"},
        {"x{job=\"$job\"} + $y", "a variable that is not known"},
        {"x ? y", "not expected"},
        {"x \xc3\xa4", "operator was expected"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct guard_query q;
        bool ok = guard_read(&q, str_of(cases[i].query));
        if (cases[i].part == NULL ? !ok : ok || strstr(q.error, cases[i].part) == NULL)
            fail_msg("%s: %s", cases[i].query, ok ? "taken" : q.error);
    }
}

static void many_selectors_and_parentheses_are_refused(void **state)
{
    struct guard_query q;
    struct buf b;
    (void)state;
    buf_init(&b, 65536);
    for (unsigned i = 0; i <= GUARD_SELECTORS_MAX; i++)
        buf_puts(&b, i > 0 ? "+a" : "a");
    assert_false(guard_read(&q, buf_str(&b)));
    assert_non_null(strstr(q.error, "more than 20 selectors"));
    buf_clear(&b);
    for (unsigned i = 0; i < 5000; i++)
        buf_putc(&b, '(');
    assert_false(guard_read(&q, buf_str(&b)));
    assert_non_null(strstr(q.error, "parentheses"));
    buf_free(&b);
}

/* Every cut of a good query is either read or refused in words; nothing crashes (under ASAN). */
static void a_query_cut_anywhere_is_read_or_refused(void **state)
{
    static const char text[] =
        "sum by (a, \"b\") (rate(x{j=\"a\\\"\",k=~'b'}[5m] offset 1d)) / on(a) group_left(c) "
        "max_over_time((y{} @ end())[1h:5m]) > bool 0x1f # end";
    (void)state;
    for (size_t len = 0; len < sizeof(text); len++) {
        struct guard_query q;
        char *copy = malloc(len + 1); /* exact: a read past the end is seen */
        memcpy(copy, text, len);
        struct str cut = {copy, len};
        if (!guard_read(&q, cut))
            assert_true(q.error[0] != '\0');
        free(copy);
    }
}

static const struct guard_limits limits = {.series_max = 20000, .points_max = 11000};

static void the_step_is_raised_to_the_most_points(void **state)
{
    (void)state;
    struct guard_range r = {.start_ms = 0, .end_ms = 86400000, .step_ms = 1000};
    assert_true(guard_step(&r, 11000));
    assert_int_equal(r.step_ms, 8000);
    assert_true(guard_points(&r) <= 11000);
    assert_false(guard_step(&r, 11000));
    r = (struct guard_range){.start_ms = 0, .end_ms = 10999000, .step_ms = 1000};
    assert_int_equal(guard_points(&r), 11000);
    assert_false(guard_step(&r, 11000));
    r.end_ms += 1000;
    assert_true(guard_step(&r, 11000));
    for (int64_t span = 1; span < 4000000000000; span = span * 3 + 1) {
        r = (struct guard_range){.start_ms = 0, .end_ms = span, .step_ms = 1};
        guard_step(&r, 11000);
        assert_true(guard_points(&r) <= 11000);
    }
}

static void counts_are_asked_over_the_time_that_is_read(void **state)
{
    struct guard_query q;
    struct buf b;
    (void)state;
    buf_init(&b, 4096);
    assert_true(guard_read(&q, STR("sum by (a) (rate(x[1h] offset 1d)) / y @ 5")));
    assert_true(guard_count_query(&q, false, &b));
    assert_string_equal(buf_cstr(&b),
                        "label_replace(count(x offset 1d), \"i\", \"0\", \"\", \"\") or "
                        "label_replace(count(y @ 5), \"i\", \"1\", \"\", \"\")");
    buf_clear(&b);
    assert_true(guard_count_query(&q, true, &b));
    assert_string_equal(
        buf_cstr(&b), "label_replace(count(count by (a)(x offset 1d)), \"i\", \"0\", \"\", \"\")");
    struct guard_range r = {.start_ms = 7200000, .end_ms = 10800000, .step_ms = 15000}, count;
    guard_count_range(&q, &r, &count);
    assert_int_equal(count.start_ms, 3600000);
    assert_int_equal(count.end_ms, 10800000);
    assert_int_equal(guard_points(&count), 4);
    buf_free(&b);
}

/* A subquery at a fixed moment is evaluated once, whatever the range of the query; one around it
 * may evaluate it anew. */
static void a_fixed_subquery_is_not_counted_over_the_range(void **state)
{
    static const struct {
        const char *query;
        bool runs;
    } rows[] = {
        {"max_over_time(rate(x[5m])[1h:10s] @ end())", true},
        {"max_over_time(rate(x[5m])[1h:10s] offset 1h @ 1700000000)", true},
        {"max_over_time(rate(x[5m])[1h:10s] @ start() offset 1h)", true},
        {"max_over_time(vector(1)[1h:10s] @ end())", true},
        {"max_over_time(rate(x[5m])[1h:10s])", false},
        {"max_over_time(rate(x[5m] @ end())[1h:10s])", false},
        {"max_over_time(vector(1)[1h:10s])", false},
        {"max_over_time(max_over_time(x[1h:10s] @ end())[1h:10m])", false},
        {"max_over_time(max_over_time(x[1h:10s])[1h:10m] @ end())", true},
        {"max_over_time(x[1d:5s] @ end())", false},
        {"max_over_time(x[1h:10s] @ end()) + max_over_time(y[1h:10s])", false},
    };
    struct guard_range r = {.start_ms = 0, .end_ms = 7 * 86400000, .step_ms = 300000};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct guard_query q;
        if (!guard_read(&q, str_of(rows[i].query)))
            fail_msg("%s: %s", rows[i].query, q.error);
        if (guard_subqueries(&q, &r, &limits) != rows[i].runs)
            fail_msg("%s: %s", rows[i].query, q.error);
    }
}

static enum guard_verdict decide(struct guard_query *q, const char *query, double series,
                                 double groups, struct guard_range *r, struct buf *suggestion)
{
    assert_true(guard_read(q, str_of(query)));
    for (unsigned i = 0; i < q->selector_count; i++) {
        q->selectors[i].series = series;
        q->selectors[i].groups = groups;
    }
    buf_clear(suggestion);
    return guard_decide(q, r, &limits, suggestion);
}

static void the_verdict_goes_by_what_comes_out_and_what_is_read(void **state)
{
    static const struct {
        const char *query;
        double series, groups;
        enum guard_verdict want;
    } cases[] = {
        {"x", 20000, -1, GUARD_RUN},
        {"x", 20001, -1, GUARD_REFUSED},
        {"x / y", 20000, -1, GUARD_RUN},
        {"x or y", 15000, -1, GUARD_REFUSED},
        {"sum(x)", 100000, -1, GUARD_RUN},
        {"topk(10, x)", 100000, -1, GUARD_RUN},
        {"sum(x)", 200001, -1, GUARD_REFUSED},
        {"sum by (a) (x)", 100000, -1, GUARD_COUNT_GROUPS},
        {"sum by (a) (x)", 100000, 100, GUARD_RUN},
        {"sum by (a) (x)", 100000, 50000, GUARD_REFUSED},
        {"x", 0, -1, GUARD_RUN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct guard_query q;
        struct guard_range r = {.start_ms = 0, .end_ms = 3600000, .step_ms = 15000};
        struct buf b;
        buf_init(&b, 4096);
        enum guard_verdict got =
            decide(&q, cases[i].query, cases[i].series, cases[i].groups, &r, &b);
        if (got == GUARD_RAISED) /* for what it costs: the next test */
            got = GUARD_RUN;
        if (got != cases[i].want)
            fail_msg("%s of %g: %d", cases[i].query, cases[i].series, (int)got);
        assert_int_equal(got == GUARD_REFUSED, q.error[0] != '\0');
        buf_free(&b);
    }
}

static void a_dear_query_gets_a_longer_step_or_is_refused(void **state)
{
    struct guard_query q;
    struct buf b;
    (void)state;
    buf_init(&b, 4096);
    struct guard_range r = {.start_ms = 0, .end_ms = 3600000, .step_ms = 1000};
    assert_int_equal(decide(&q, "sum(x)", 50000, -1, &r, &b), GUARD_RAISED);
    assert_true(guard_points(&r) * 50000 <= GUARD_EVALUATIONS_MAX);
    assert_int_equal(decide(&q, "sum(x)", 50000, -1, &r, &b), GUARD_RUN);
    r = (struct guard_range){.end_ms = 3600000};
    assert_int_equal(decide(&q, "max_over_time(sum(x)[30d:5m])", 150000, -1, &r, &b),
                     GUARD_REFUSED);
    assert_non_null(strstr(q.error, "coarser subquery"));
    assert_true(guard_read(&q, STR("max_over_time(x[30d:15s])")));
    assert_false(guard_subqueries(&q, &r, &limits));
    assert_non_null(strstr(q.error, "as in [30d:5m]"));
    assert_true(guard_read(&q, STR("max_over_time(x[30d:5m])")));
    assert_true(guard_subqueries(&q, &r, &limits));
    decide(&q, "x # all of it", 30000, -1, &r, &b);
    assert_true(guard_read(&q, buf_str(&b))); /* the suggestion is a good query itself */
    assert_int_equal(q.selectors[0].shape, GUARD_ONE);
    buf_free(&b);
}

static void points_count_whatever_the_subquery_is_over(void **state)
{
    static const struct guard_range instant = {.end_ms = 3600000};
    static const struct {
        const char *query;
        bool ok;
    } rows[] = {
        {"max_over_time(vector(1)[100d:1s])", false},
        {"max_over_time(max_over_time(vector(1)[1h:1s])[30d:1m])", false},
        {"max_over_time(max_over_time(max_over_time(1[1m:1s])[1m:1m])[1d:1h])", false},
        {"quantile_over_time(0.5,(vector(1))[60d:1s])", false},
        {"max_over_time(time()[20d:1s])", false},
        {"max_over_time((vector(1) + max_over_time(vector(2)[60d:1s]))[1m:1m])", false},
        {"up + on() max_over_time(vector(1)[60d:1s])", false},
        {"max_over_time(vector(1)[1h:1s])", true},
        {"max_over_time(vector(1)[1h:1s]) + max_over_time(vector(1)[30d:1h])", true},
        {"max_over_time(vector(1)[7d:1m]) + max_over_time(vector(1)[7d:1m])", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct guard_query q;
        assert_true(guard_read(&q, str_of(rows[i].query)));
        if (guard_subqueries(&q, &instant, &limits) != rows[i].ok)
            fail_msg("%s: %s", rows[i].query, q.error);
    }
}

/* f(f(…vector(1)…)) */
static bool takes_nested(const char *before, const char *behind, unsigned depth)
{
    struct guard_query q;
    struct buf b;
    buf_init(&b, 65536);
    for (unsigned i = 0; i < depth; i++)
        buf_puts(&b, before);
    buf_puts(&b, "vector(1)");
    for (unsigned i = 0; i < depth; i++)
        buf_puts(&b, behind);
    bool ok = guard_read(&q, buf_str(&b));
    bool loosely = guard_read_loosely(&q, buf_str(&b));
    assert_true(ok || !loosely);
    buf_free(&b);
    return ok;
}

/* What VictoriaMetrics evaluates at each of the query's steps. */
static void a_window_over_an_expression_is_a_subquery(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        int64_t step_ms; /* 0: an instant query */
        bool ok;
    } cases[] = {
        {"up + max_over_time(vector(1)[100d])", 0, false},
        {"up + max_over_time(vector(1)[20d])", 0, true},
        {"up + max_over_time(vector(1)[1d])", 1000, false},
        {"up + max_over_time(rand()[1h])", 1000, true},
        {"max_over_time(sum(up)[20d])", 60000, false},
        {"max_over_time(sum(up)[20d])", 3600000, true},
        {"max_over_time(max_over_time(sum(up)[20d])[30d])", 0, false},
        {"max_over_time(sum(up)[1d][1d:1s])", 0, false},
        {"WITH (f = rand()) max_over_time(f[100d])", 0, false},
        {"WITH (f = rand()) max_over_time(f[1h])", 0, true},
        {"WITH (f = {job=\"a\"}) max_over_time(up{f}[100d])", 0, true},
        {"max_over_time(up[100d])", 1000, true},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct guard_query q;
        struct guard_range range = {0, 3600000, cases[i].step_ms};
        if (!guard_read(&q, str_of(cases[i].query)) &&
            !guard_read_loosely(&q, str_of(cases[i].query)))
            fail_msg("%s: %s", cases[i].query, q.error);
        if (guard_subqueries(&q, &range, &limits) != cases[i].ok)
            fail_msg("%s: %s", cases[i].query, q.error);
        assert_true(cases[i].ok || strstr(q.error, "The subquery's resolution of"));
    }
}

static void labels_that_multiply_are_bounded(void **state)
{
    static const char join[] = ",'a','','a','a','a','a','a','a','a','a','a','a')";
    (void)state;
    assert_true(takes_nested("label_join(", join, 2));
    assert_false(takes_nested("label_join(", join, 3));
    assert_false(takes_nested("count((label_join(", ",'a','','a','a'))) + 1", 1) &&
                 takes_nested("(label_join(", ",'a','','a','a') + on() group_left(a) up)", 8));
    assert_true(takes_nested("label_replace(", ",'a','$1','a','(.*)')", 20));
    assert_true(takes_nested("label_replace(", ",'a','$1-$2','a','(.*)-(.*)')", 6));
    assert_false(takes_nested("label_replace(", ",'a','$1$1$1$1$1','a','(.*)')", 4));
    assert_false(takes_nested("label_replace(", ",'a',('$1$1$1$1$1'),'a','(.*)')", 4));
    assert_false(takes_nested("label_replace(", ",'a',\"\\x241\\x241\\x241\",'a','(.*)')", 5));
    assert_false(takes_nested("label_transform(", ",'a','','0123456789')", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selectors_are_found_in_many_forms),
        cmocka_unit_test(templates_stand_before_what_is_suggested),
        cmocka_unit_test(promql_of_today_is_read),
        cmocka_unit_test(metricsql_is_read),
        cmocka_unit_test(what_cannot_be_read_is_bounded_by_its_selectors),
        cmocka_unit_test(what_cannot_be_read_or_has_no_name_is_refused),
        cmocka_unit_test(many_selectors_and_parentheses_are_refused),
        cmocka_unit_test(a_query_cut_anywhere_is_read_or_refused),
        cmocka_unit_test(the_step_is_raised_to_the_most_points),
        cmocka_unit_test(a_fixed_subquery_is_not_counted_over_the_range),
        cmocka_unit_test(counts_are_asked_over_the_time_that_is_read),
        cmocka_unit_test(the_verdict_goes_by_what_comes_out_and_what_is_read),
        cmocka_unit_test(points_count_whatever_the_subquery_is_over),
        cmocka_unit_test(a_window_over_an_expression_is_a_subquery),
        cmocka_unit_test(labels_that_multiply_are_bounded),
        cmocka_unit_test(a_dear_query_gets_a_longer_step_or_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
