/* Faults of queries: said, and mended so that the mended query is read and has no such fault. */
#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include "worker/tools/prometheus/guard.h"
#include "worker/tools/prometheus/mend.h"
#include "worker/tools/prometheus/repair.h"
#include "worker/tools/prometheus/tokens.h"

static const char *const faulty[][3] = {
    {"sum(x) by job", "sum(x) by (job)", "stand in parentheses"},
    {"sum by job (x)", "sum by (job) (x)", "parentheses"},
    {"sum by job, pod (x)", "sum by (job, pod) (x)", "parentheses"},
    {"sum(x) group by (job)", "sum(x)  by (job)", "not group by"},
    {"sum(x) without instance", "sum(x) without (instance)", "parentheses"},
    {"a / on job b", "a / on (job) b", "parentheses"},
    {"up{job=prometheus}", "up{job=\"prometheus\"}", "in quotes"},
    {"{job=prometheus}", "{job=\"prometheus\"}", "in quotes"},
    {"up{job=node, instance=10.0.0.1:9100}", "up{job=\"node\", instance=\"10.0.0.1:9100\"}",
     "in quotes"},
    {"up{job==\"node\"}", "up{job=\"node\"}", "one ="},
    {"up{job==node}", "up{job=\"node\"}", "one ="},
    {"x{handler=/api/v1/query}", "x{handler=\"/api/v1/query\"}", "in quotes"},
    {"x{code=200}", "x{code=\"200\"}", "in quotes"},
    {"x{code=~5..}", "x{code=~\"5..\"}", "in quotes"},
    {"rate(x)", "rate(x[5m])", "takes a range"},
    {"rate(x{a=\"b\"})", "rate(x{a=\"b\"}[5m])", "takes a range"},
    {"sum(rate(x)) by (job)", "sum(rate(x[5m])) by (job)", "takes a range"},
    {"rate(x, 10m)", "rate(x[10m])", "takes a range"},
    {"avg_over_time(x)", "avg_over_time(x[5m])", "takes a range"},
    {"quantile_over_time(0.9, x)", "quantile_over_time(0.9, x[5m])", "takes a range"},
    {"predict_linear(x, 3600)", "predict_linear(x[5m], 3600)", "takes a range"},
    {"increase(x{job=node})", "increase(x{job=\"node\"}[5m])", "takes a range"},
    {"rate(sum(x)[5m])", "sum(rate(x[5m]))", "comes before"},
    {"rate(sum by (job) (x[1h]))", "sum by (job) (rate(x[1h]))", "comes before"},
    {"rate(sum(x) by (job))", "sum by (job) (rate(x[5m]))", "comes before"},
    {"topk(rate(x[5m]), 5)", "topk(5, rate(x[5m]))", "number comes first"},
    {"histogram_quantile(sum by (le) (rate(x_bucket[5m])), 0.95)",
     "histogram_quantile(0.95, sum by (le) (rate(x_bucket[5m])))", "number comes first"},
    {"mean(x)", "avg(x)", "no mean"},
    {"average by (job) (x)", "avg by (job) (x)", "no average"},
    {"top(5, x)", "topk(5, x)", "topk"},
    {"percentile(0.9, rate(x_bucket[5m]))", "histogram_quantile(0.9, rate(x_bucket[5m]))",
     "histogram_quantile"},
    {"percentile(0.9, x)", "quantile(0.9, x)", "it is quantile"},
    {"sum(rate(x[5m]) by (job)", "sum(rate(x[5m])) by (job)", "by groups"},
    {"up{job=\"a\" instance=\"b\"}", "up{job=\"a\", instance=\"b\"}", "by commas"},
    {"up{a=\"b\" c=~\"d\" e=f}", "up{a=\"b\", c=~\"d\", e=\"f\"}", "by commas"},
    {"up{job:\"node\"}", "up{job=\"node\"}", "stands ="},
    {"rate(x[5m]) by (job)", "sum(rate(x[5m])) by (job)", "by groups"},
    {"sum(rate(x[5m]) by (job))", "sum(rate(x[5m])) by (job)", "by groups"},
    {"rate(x[5m]) by job", "sum(rate(x[5m])) by (job)", "by groups"},
    {"sum(rate(x[5m]) by job)", "sum(rate(x[5m])) by (job)", "by groups"},
    {"clamp_min(x, 0) without (pod) / 2", "sum(clamp_min(x, 0)) without (pod) / 2", "without"},
    {"max(x)[1h]", "max(max_over_time(x[1h]))", "over time"},
    {"avg by (job) (x{a=\"b\"})[5m]", "avg by (job) (avg_over_time(x{a=\"b\"}[5m]))", "over time"},
    {"up = 1", "up == 1", "=="},
    {"count(up=0)", "count(up==0)", "=="},
    {"a && b", "a and b", "and"},
    {"a&&b||c", "a and b or c", "or"},
    {"sum(x))", "sum(x)", "one too many"},
    {"rate(x[5 minutes])", "rate(x[5m])", "written as"},
    {"rate(x[90 sec])", "rate(x[90s])", "written as"},
    {"x offset 1 hour", "x offset 1h", "written as"},
    {"sum(rate(x[5m])", "sum(rate(x[5m]))", "not all"},
    {"sum(rate(x{a=\"b\"}[5m", "sum(rate(x{a=\"b\"}[5m]))", "not all"},
    {"rate(x[5 m])", "rate(x[5m])", "written as"},
    {"rate(x[5min])", "rate(x[5m])", "written as"},
    {"rate(x[1hour])", "rate(x[1h])", "written as"},
    {"rate(x[2 hours])", "rate(x[2h])", "written as"},
    {"rate(x[\"5m\"])", "rate(x[5m])", "written as"},
    {"rate(x['5m'])", "rate(x[5m])", "written as"},
    {"rate(x[300])", "rate(x[5m])", "written as"},
    {"rate(x[PT5M])", "rate(x[5m])", "written as"},
    {"rate(x[5M])", "rate(x[5m])", "written as"},
    {"rate(x[last 5m])", "rate(x[5m])", "written as"},
    {"rate(x[1.5h])", "rate(x[1h30m])", "written as"},
    {"rate(x[-5m])", "rate(x[5m])", "written as"},
    {"rate(x[1h,5m])", "rate(x[1h:5m])", "written as"},
    {"rate(x[1h/5m])", "rate(x[1h:5m])", "written as"},
    {"rate(x[1 hour : 5 min])", "rate(x[1h:5m])", "written as"},
    {"rate(x[])", "rate(x[5m])", "has a duration"},
    {"rate(x[5m)", "rate(x[5m])", "has no ]"},
    {"sum(rate(x[5m)) by (a)", "sum(rate(x[5m])) by (a)", "has no ]"},
    {"sum(rate(x[5m", "sum(rate(x[5m]))", "not all"},
    {"rate(x, \"5m\")", "rate(x[5m])", "takes a range"},
    {"rate(x 5m)", "rate(x[5m])", "takes a range"},
    {"rate(x(5m))", "rate(x[5m])", "in brackets"},
    {"rate(5m, x)", "rate(x[5m])", "takes a range"},
    {"avg_over_time(x, 1h)", "avg_over_time(x[1h])", "takes a range"},
    {"rate(x)[5m]", "rate(x[5m])", "inside of rate"},
    {"rate(rate(x[5m])[5m])", "rate(x[5m])", "no rate() of it"},
    {"rate(rate(x[5m]))", "rate(x[5m])", "no rate() of it"},
    {"irate(rate(x[5m])[1h:])", "rate(x[5m])", "already counts"},
    {"increase(rate(x[5m])[1h])", "increase(x[1h])", "already counts"},
    {"sum by (a) (rate(increase(x[5m])[1h]))", "sum by (a) (rate(x[5m]))", "already counts"},
    {"max_over_time(rate(x[5m])[1h])", "max_over_time(rate(x[5m])[1h:])", "subquery"},
    {"max_over_time(rate(x[5m]))", "max_over_time(rate(x[5m])[1h:])", "subquery"},
    {"avg_over_time(sum(x)[1h])", "avg_over_time(sum(x)[1h:])", "subquery"},
    {"quantile_over_time(0.9, sum(x) by (a)[1h])", "quantile_over_time(0.9, sum(x) by (a)[1h:])",
     "subquery"},
    {"max(x[1h])", "max(max_over_time(x[1h]))", "takes no range"},
    {"sum(x_total[5m])", "sum(rate(x_total[5m]))", "takes no range"},
    {"topk(5, x_total[5m])", "topk(5, rate(x_total[5m]))", "takes no range"},
    {"histogram_quantile(0.9, x_bucket[5m])", "histogram_quantile(0.9, rate(x_bucket[5m]))",
     "takes no range"},
    {"rate(x[5m]) offset 1h", "rate(x[5m] offset 1h)", "behind a selector"},
    {"sum(rate(x[5m])) by (a) offset 1 day", "sum(rate(x[5m] offset 1d)) by (a)",
     "behind a selector"},
    {"a / rate(x[5m]) @ end()", "a / rate(x[5m] @ end())", "behind a selector"},
    {"rate(x offset 1h [5m])", "rate(x[5m] offset 1h)", "behind the range"},
    {"x offset 300", "x offset 5m", "written as"},
    {"x offset \"1h\"", "x offset 1h", "written as"},
    {"x offset yesterday", "x offset 1d", "written as"},
    {"x @ now", "x", "Unix time"},
    {"x @ now() - 1", "x  - 1", "Unix time"},
    {"x @ now-1h", "x offset 1h", "Unix time"},
    {"x @ \"2026-11-30T10:00:00Z\"", "x @ 1796032800", "Unix time"},
    {"predict_linear(x[1h], 4h)", "predict_linear(x[1h], 14400)", "takes seconds"},
    {"x{a=“b”}", "x{a=\"b\"}", "stand in"},
    {"x{a=\\\"b\\\"}", "x{a=\"b\"}", "stand in"},
    {"x{a=&quot;b&quot;} &gt;= 5", "x{a=\"b\"} >= 5", "stand in"},
    {"x ≥ 5 × 2", "x >= 5 * 2", "signs"},
    {"sum（x）", "sum(x)", "signs"},
    {"x => 5", "x >= 5", "signs"},
    {"x <> 5", "x != 5", "signs"},
    {"x{a<>\"b\"}", "x{a!=\"b\"}", "signs"},
    {"x{a=!\"b\"}", "x{a!=\"b\"}", "signs"},
    {"x / 1024**3", "x / 1024^3", "signs"},
    {"x // why", "x", "begins with #"},
    {"promql: sum(x)", "sum(x)", "no name"},
    {"expr=x", "x", "no name"},
    {"x{a=\"b\" and c=\"d\"}", "x{a=\"b\", c=\"d\"}", "by commas"},
    {"x{a=\"b\" && c=\"d\"}", "x{a=\"b\", c=\"d\"}", "by commas"},
    {"x{a=\"b\"; c=\"d\"}", "x{a=\"b\", c=\"d\"}", "by commas"},
    {"x{a in (\"b\", \"c\")}", "x{a=~\"b|c\"}", "several values"},
    {"x{a not in (\"b\")}", "x{a!~\"b\"}", "several values"},
    {"x{a=(\"b\"|\"c\")}", "x{a=~\"b|c\"}", "several values"},
    {"x{a=\"b\"|\"c\"}", "x{a=~\"b|c\"}", "several values"},
    {"x{a=\"b\" or a=\"c\"}", "x{a=~\"b|c\"}", "several values"},
    {"x{a=~\"*b|*\"}", "x{a=~\".*b|.*\"}", "regular expression"},
    {"x where a = 'b'", "x{a=\"b\"}", "no where"},
    {"sum(x{c=\"d\"}) by (a) where a=\"b\" and e=5", "sum(x{c=\"d\",a=\"b\",e=\"5\"}) by (a)",
     "no where"},
    {"x[a=\"b\"]", "x{a=\"b\"}", "in braces"},
    {"x(a=\"b\")", "x{a=\"b\"}", "in braces"},
    {"sum(x) by [a]", "sum(x) by (a)", "in parentheses"},
    {"sum(x) by {a}", "sum(x) by (a)", "in parentheses"},
    {"sum(x) by (\"a\")", "sum(x) by (a)", "no quotes"},
    {"topk(1, sum by a, b, container (rate(x[5m])))",
     "topk(1, sum by (a, b, container) (rate(x[5m])))", "in parentheses"},
    {"x - time(", "x - time()", "not all"},
    {"by (a) sum(x)", "sum by (a) (x)", "behind sum"},
    {"sum by a rate(x[5m])", "sum by (a) (rate(x[5m]))", "in parentheses"},
    {"sum by (a), rate(x[5m])", "sum by (a) (rate(x[5m]))", "in parentheses"},
    {"sum rate(x[5m]) by (a)", "sum (rate(x[5m])) by (a)", "in parentheses"},
    {"sum_by (a) (x)", "sum by (a) (x)", "two words"},
    {"sum(x) by a order by value desc limit 5", "topk(5, sum(x) by (a))", "no order by"},
    {"x limit 3", "topk(3, x)", "no limit"},
    {"x order by value asc", "sort(x)", "no order by"},
    {"topk(x)", "topk(10, x)", "how many"},
    {"topk 5 (x)", "topk (5, x)", "number stands"},
    {"topk(5)(x)", "topk(5, x)", "number stands"},
    {"count_values(x, \"v\")", "count_values(\"v\", x)", "label comes first"},
    {"histogram_quantile(\"0.9\", x_bucket)", "histogram_quantile(0.9, x_bucket)", "no quotes"},
    {"histogram_quantile(p95, x_bucket)", "histogram_quantile(0.95, x_bucket)", "is a number"},
    {"p99(x)", "quantile(0.99, x)", "no p99"},
    {"median(x)", "quantile(0.5, x)", "no median"},
    {"percentile(x, 95)", "quantile(0.95, x)", "no percentile"},
    {"Rate(x[5m])", "rate(x[5m])", "no Rate"},
    {"rat(x[5m])", "rate(x[5m])", "no rat"},
    {"sum_over_tim(x[5m])", "sum_over_time(x[5m])", "no sum_over_tim"},
    {"moving_average(x, 5m)", "avg_over_time(x[5m])", "no moving_average"},
    {"per_second(x)", "rate(x[5m])", "no per_second"},
    {"now() - x", "time() - x", "no now"},
    {"rate(http.server.duration[5m])", "rate(http_server_duration[5m])", "OpenTelemetry"},
    {"x == \"0\"", "x == 0", "without quotes"},
    {"x == true", "x == 1", "are numbers"},
    {"x > 4GiB", "x > 4294967296", "no unit"},
    {"a / b * 100%", "a / b * 100", "percent"},
};

static void what_no_server_takes_is_mended(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(faulty) / sizeof(faulty[0]); i++) {
        struct guard_query guard;
        scoped_buf(mended, MEND_BYTES_MAX);
        scoped_buf(what, 4096);
        scoped_buf(again, MEND_BYTES_MAX);
        if (!mend_syntax(str_of(faulty[i][0]), &mended, &what))
            fail_msg("%s is not mended", faulty[i][0]);
        assert_string_equal(buf_cstr(&mended), faulty[i][1]);
        if (!strcasestr(buf_cstr(&what), faulty[i][2]))
            fail_msg("%s: %s", faulty[i][0], buf_cstr(&what));
        if (!strstr(faulty[i][0], "{job=prometheus}") || faulty[i][0][0] != '{')
            assert_true(guard_read(&guard, buf_str(&mended)));
        if (mend_syntax(buf_str(&mended), &again, &what))
            fail_msg("%s is mended again: %s", buf_cstr(&mended), buf_cstr(&again));
    }
}

static const char *const right[] = {
    "up",
    "sum by (job) (rate(x_total{job=\"a\",b=~\"c|d\"}[5m]))",
    "sum(rate(x_total[5m])) by (job) / on (job) group_left (team) info",
    "histogram_quantile(0.95, sum by (le, job) (rate(x_bucket[5m])))",
    "histogram_quantile(0.95, rate(x_bucket[5m]))",
    "histogram_quantile(0.95, sum by (job) (rate(native_seconds[5m])))",
    "histogram_quantile(0.9, sum without (pod) (rate(x_bucket[5m])))",
    "topk(5, sum by (pod) (rate(x_total[5m])))",
    "count(x_total)",
    "absent(x_total)",
    "max_over_time(rate(x_total[5m])[1h:1m])",
    "rate({\"http.server.duration\", job=\"a\"}[5m])",
    "x_sum / x_count",
    "quantile_over_time(0.9, g[5m])",
    "predict_linear(g[1h], 3600)",
    "sum(x_total offset 5m) > bool 5",
    "avg(g) by (group)",
    "total",
    "mean",
    "group(up) by (job)",
    "deriv(g[5m])",
    "rate(x_total[5m:1m])",
    "max_over_time(sum(rate(x_total[5m]))[1h:])",
    "x_total[5m] offset -1h",
    "count(x) by (\"a.b\")",
    "label_replace(up, \"a\", \"“$1”\", \"b\", \"a=>b // c\")",
    "up{a=~\".*b|c.*\",d=\"5 and 6\"}",
    "sum(rate(x_total[5m] @ 1796032800)) > bool 5",
    "rate(x_total[5m * 2])",
    "rate(x_total[5m / 2])",
    "g % 100",
    "-g",
    "limitk(3, g)",
    "count_values(\"v\", g)",
    "quantile(0.5, g)",
    "sort_desc(topk(3, g))",
    "where",
    "order",
    "time() - g",
    "# of g\ng",
    "label_replace(up, \"a\", \"$1\", \"b\", \"(.*)\")",
    "g == max(other)",
    "g == on (job) group_left () max by (job) (g)",
    "",
    "((((",
    "\"",
};

static void count_fault(void *arg, enum mend_weight weight, struct str what, struct str mended)
{
    (void)weight, (void)mended;
    struct buf *all = arg;
    buf_add_str(all, what);
    buf_putc(all, '\n');
}

static enum mend_type world(void *arg, struct str metric)
{
    (void)arg;
    return str_is(metric, "g") || str_is(metric, "g_total") ? MEND_GAUGE
           : str_is(metric, "c")                            ? MEND_COUNTER
                                                            : MEND_UNKNOWN;
}

static void what_is_right_is_left_alone(void **state)
{
    (void)state;
    static const struct mend_facts facts = {.type = world};
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        scoped_buf(mended, MEND_BYTES_MAX);
        scoped_buf(what, 4096);
        scoped_buf(faults, 4096);
        if (mend_syntax(str_of(right[i]), &mended, &what) && right[i][0] != '(')
            fail_msg("%s is mended: %s", right[i], buf_cstr(&mended));
        mend_meaning(str_of(right[i]), &facts, count_fault, &faults);
        if (faults.len > 0 && !strstr(right[i], "offset"))
            fail_msg("%s: %s", right[i], buf_cstr(&faults));
    }
}

struct fault {
    enum mend_weight weight;
    char what[1024], mended[1024];
    unsigned count;
};

static void on_fault(void *arg, enum mend_weight weight, struct str what, struct str mended)
{
    struct fault *f = arg;
    f->weight = weight;
    snprintf(f->what, sizeof(f->what), "%.*s", (int)what.len, what.at);
    snprintf(f->mended, sizeof(f->mended), "%.*s", (int)mended.len, mended.at);
    f->count++;
}

static void what_misleads_is_said_and_mended(void **state)
{
    static const struct {
        const char *query, *mended, *what;
        enum mend_weight weight;
    } cases[] = {
        {"rate(g[5m])", "g", "g is a gauge", MEND_REFUSED},
        {"sum by (job) (rate(g{a=\"b\"}[1h]))", "sum by (job) (g{a=\"b\"})", "gauge", MEND_REFUSED},
        {"irate(g[1m]) / 2", "g / 2", "gauge", MEND_REFUSED},
        {"increase(g[1h])", "delta(g[1h])", "delta()", MEND_NOTED},
        {"rate(g_total[5m])", "deriv(g_total[5m])", "is a gauge", MEND_NOTED},
        {"c", "rate(c[5m])", "c is a counter", MEND_NOTED},
        {"avg(c)", "avg(rate(c[5m]))", "its avg()", MEND_NOTED},
        {"sum by (job) (x_total{a=\"b\"})", "sum by (job) (rate(x_total{a=\"b\"}[5m]))",
         "is a counter", MEND_NOTED},
        {"sum(x_total) by (job)", "sum(rate(x_total[5m])) by (job)", "its sum()", MEND_NOTED},
        {"topk(5, x_total)", "topk(5, rate(x_total[5m]))", "is a counter", MEND_NOTED},
        {"rate(sum(c)[5m:])", "sum(rate(c[5m]))", "restarts", MEND_NOTED},
        {"rate(sum by (job) (c)[5m:15s])", "sum by (job) (rate(c[5m]))", "restarts", MEND_NOTED},
        {"histogram_quantile(0.9, sum(rate(x_bucket[5m])))",
         "histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))", "label le", MEND_REFUSED},
        {"histogram_quantile(0.9, sum by (job) (rate(x_bucket[5m])))",
         "histogram_quantile(0.9, sum by (le, job) (rate(x_bucket[5m])))", "label le",
         MEND_REFUSED},
        {"histogram_quantile(0.9, sum(rate(x_bucket[5m])) by (job))",
         "histogram_quantile(0.9, sum(rate(x_bucket[5m])) by (le, job))", "label le", MEND_REFUSED},
        {"histogram_quantile(0.9, sum without (le) (rate(x_bucket[5m])))",
         "histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))", "label le", MEND_REFUSED},
        {"histogram_quantile(0.9, x_bucket)", "histogram_quantile(0.9, rate(x_bucket[5m]))",
         "ever observed", MEND_NOTED},
        {"histogram_quantile(0.9, sum by (le) (x_bucket))",
         "histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))", "ever observed", MEND_NOTED},
        {"histogram_quantile(95, sum by (le) (rate(x_bucket[5m])))",
         "histogram_quantile(0.95, sum by (le) (rate(x_bucket[5m])))", "from 0 to 1", MEND_REFUSED},
        {"rate(rate(c[5m])[1h:])", "rate(c[5m])", "count once", MEND_REFUSED},
        {"sum(increase(irate(c[5m])[1h:1m]))", "sum(increase(c[1h]))", "count once", MEND_REFUSED},
        {"quantile(95, g)", "quantile(0.95, g)", "from 0 to 1", MEND_REFUSED},
        {"quantile_over_time(99, g[1h])", "quantile_over_time(0.99, g[1h])", "from 0 to 1",
         MEND_REFUSED},
        {"histogram_quantile(0.9, rate(x_sum[5m]))", "histogram_quantile(0.9, rate(x_bucket[5m]))",
         "takes the buckets", MEND_REFUSED},
        {"delta(c[5m])", "increase(c[5m])", "is for gauges", MEND_NOTED},
        {"sum(deriv(c[5m]))", "sum(rate(c[5m]))", "is for gauges", MEND_NOTED},
        {"avg_over_time(c[5m])", "rate(c[5m])", "is for gauges", MEND_NOTED},
        {"g == max(g)", "topk(1, g)", "highest", MEND_IF_EMPTY},
        {"rate(c[5m]) == min(rate(c[5m]))", "bottomk(1, rate(c[5m]))", "lowest", MEND_IF_EMPTY},
    };
    static const struct mend_facts facts = {.type = world, .over_range = true};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fault f = {0}, again = {0};
        struct guard_query guard;
        mend_meaning(str_of(cases[i].query), &facts, on_fault, &f);
        if (f.count != 1)
            fail_msg("%s: %u faults, the last: %s", cases[i].query, f.count, f.what);
        assert_string_equal(f.mended, cases[i].mended);
        assert_int_equal(f.weight, cases[i].weight);
        if (!strstr(f.what, cases[i].what))
            fail_msg("%s: %s", cases[i].query, f.what);
        assert_true(guard_read(&guard, str_of(f.mended)));
        mend_meaning(str_of(f.mended), &facts, on_fault, &again);
        if (again.count > 0)
            fail_msg("%s: %s", f.mended, again.what);
    }
}

/* Whatever is written: nothing is read beyond it (under ASAN), and one pass ends. */
static void any_text_is_taken(void **state)
{
    static const char *const pieces[] = {
        "sum",      "rate",     "(",     ")",        "{",
        "}",        "[",        "]",     ",",        "by",
        "le",       "x",        "=",     "==",       "\"a\"",
        "5m",       "0.9",      "topk",  "or",       "group",
        "g",        "c_total",  " ",     "#",        "\n",
        "'",        "\\",       "$",     "\xc3\xa4", "1e-3",
        ":",        "on",       "max",   "mean",     "-",
        "+",        "without",  "rate(", ")",        "histogram_quantile(",
        "x_bucket", "offset",   "@",     "now",      "5 m",
        "where",    "limit",    "in",    "not",      "like",
        "“",        "&gt;",     "=>",    "//",       "p95(",
        "1h:",      "order by", "'5m'",  "a.b",      "irate(rate("};
    static const struct mend_facts facts = {.type = world};
    (void)state;
    srand(7);
    for (unsigned n = 0; n < 20000; n++) {
        scoped_buf(text, 4096);
        scoped_buf(mended, MEND_BYTES_MAX);
        scoped_buf(what, 4096);
        scoped_buf(faults, 4096);
        for (int k = rand() % 14; k >= 0; k--)
            buf_puts(&text, pieces[(unsigned)rand() % (sizeof(pieces) / sizeof(pieces[0]))]);
        char *exact = str_dup(buf_str(&text)); /* so that ASAN sees its end */
        mend_syntax((struct str){exact, text.len}, &mended, &what);
        mend_meaning((struct str){exact, text.len}, &facts, count_fault, &faults);
        free(exact);
    }
    scoped_buf(many, 64 * 1024);
    for (unsigned i = 0; i < 4000; i++)
        buf_puts(&many, i % 2 ? "(" : "rate(x) + ");
    scoped_buf(mended, 128 * 1024);
    scoped_buf(what, 64 * 1024);
    mend_syntax(buf_str(&many), &mended, &what);
    mend_meaning(buf_str(&many), &facts, count_fault, &what);
}

static void the_top_operator_is_found(void **state)
{
    static const struct {
        const char *query, *op;
    } cases[] = {{"a", NULL},
                 {"-a", NULL},
                 {"a + b", "+"},
                 {"a + b * c", "+"},
                 {"a * b + c", "+"},
                 {"up == 0", "=="},
                 {"a > -1", ">"},
                 {"(a + b)", NULL},
                 {"a and b > 0", "and"},
                 {"a or b and c", "or"},
                 {"a / on (x) b", "/"},
                 {"sum(a > 0) / b{c=\"d\"}", "/"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tokens *t = xcalloc(1, sizeof(*t));
        tokens_read(t, str_of(cases[i].query));
        unsigned at = tokens_top_operator(t);
        if (cases[i].op == NULL ? at != 0 : !str_is(t->all[at].text, cases[i].op))
            fail_msg("%s: %.*s", cases[i].query, (int)t->all[at].text.len, t->all[at].text.at);
        free(t);
    }
}

/* ---- each accepted query of the evaluation's questions, broken as models break them ---- */

static char *without_parentheses(const char *query) /* by (job) → by job */
{
    const char *by = strstr(query, "by ("), *end = by ? strchr(by, ')') : NULL;
    char *broken = NULL;
    if (by && end &&
        asprintf(&broken, "%.*sby %.*s%s", (int)(by - query), query, (int)(end - by - 4), by + 4,
                 end + 1) < 0)
        abort();
    return broken;
}

static char *without_range(const char *query) /* rate(x[5m]) → rate(x) */
{
    const char *range = strstr(query, "[5m])");
    char *broken = NULL;
    if (range && asprintf(&broken, "%.*s%s", (int)(range - query), query, range + 4) < 0)
        abort();
    return broken;
}

static char *without_quotes(const char *query) /* {a="b"} → {a=b} */
{
    const char *open = strchr(query, '{'), *quote = open ? strchr(open, '"') : NULL,
               *end = quote ? strchr(quote + 1, '"') : NULL;
    char *broken = NULL;
    if (!end || strcspn(quote + 1, ",=(){}[] |") < (size_t)(end - quote - 1))
        return NULL;
    if (asprintf(&broken, "%.*s%.*s%s", (int)(quote - query), query, (int)(end - quote - 1),
                 quote + 1, end + 1) < 0)
        abort();
    return broken;
}

static char *with_two_signs(const char *query) /* {a="b"} → {a=="b"} */
{
    const char *sign = strstr(query, "=\"");
    char *broken = NULL;
    if (sign && asprintf(&broken, "%.*s=%s", (int)(sign - query), query, sign) < 0)
        abort();
    return broken;
}

static char *without_end(const char *query) /* f(x) → f(x */
{
    size_t len = strlen(query);
    return len > 1 && query[len - 1] == ')' ? strndup(query, len - 1) : NULL;
}

static char *summed_early(const char *query) /* sum(rate(x[5m])) → rate(sum(x)[5m]) */
{
    static const char begin[] = "sum(rate(";
    const char *range = strstr(query, "[5m]))");
    char *broken = NULL;
    if (strncmp(query, begin, strlen(begin)) != 0 || !range || range[6] != '\0')
        return NULL;
    if (asprintf(&broken, "rate(sum(%.*s)[5m])", (int)(range - query - (long)strlen(begin)),
                 query + strlen(begin)) < 0)
        abort();
    return broken;
}

static bool same_but_blanks(const char *a, const char *b)
{
    for (;; a++, b++) {
        a += strspn(a, " ");
        b += strspn(b, " ");
        if (*a != *b || *a == '\0')
            return *a == *b;
    }
}

static void broken_queries_of_all_questions_are_mended(void **state)
{
    static char *(*const faults[])(const char *query) = {without_parentheses, without_range,
                                                         without_quotes,      with_two_signs,
                                                         without_end,         summed_early};
    unsigned broken_count = 0, whole = 0;
    size_t i, k;
    json_t *question, *query;
    (void)state;
    json_auto_t *questions =
        json_load_file(PERSAI_SOURCE_DIR "/tests/eval/questions.json", 0, NULL);
    assert_non_null(questions);
    json_array_foreach(questions, i, question)
    {
        bool logs = json_object_get(question, "world") != NULL &&
                    strcmp(json_string_value(json_object_get(question, "world")), "loki") == 0;
        json_array_foreach(logs ? NULL : json_object_get(question, "accepted"), k,
                           query) for (size_t f = 0; f < sizeof(faults) / sizeof(faults[0]); f++)
        {
            char *broken = faults[f](json_string_value(query));
            scoped_buf(mended, MEND_BYTES_MAX);
            scoped_buf(what, 4096);
            if (!broken)
                continue;
            bool same = mend_syntax(str_of(broken), &mended, &what) &&
                        same_but_blanks(buf_cstr(&mended), json_string_value(query));
            if (!same)
                print_message("not mended: %s\n", broken);
            broken_count++;
            whole += same;
            free(broken);
        }
    }
    print_message("mended: %u of %u broken queries\n", whole, broken_count);
    assert_true(broken_count >= 200 && whole == broken_count);
}

/* NAME_sum, NAME_count or NAME_bucket: only within a quantile the name says which. */
static void a_histograms_name_is_not_taken_for_one_of_its_parts(void **state)
{
    static const char *const cases[][3] = {
        {"w_seconds", "w_seconds", ""},
        {"sum(rate(w_seconds[5m]))", "w_seconds", ""},
        {"histogram_quantile(0.9, sum by (le) (rate(w_seconds[5m])))", "w_seconds",
         "histogram_quantile(0.9, sum by (le) (rate(w_seconds_bucket[5m])))"},
        {"rate(w_second_sum[5m])", "w_second_sum", "rate(w_seconds_sum[5m])"},
        {"rate(w[5m])", "w", "rate(w_seconds_sum[5m])"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        scoped_buf(mended, 1000);
        repair_name(str_of(cases[i][0]), str_of(cases[i][1]),
                    STR("w_seconds_sum, w_seconds_count, w_seconds_bucket, w_total"), &mended);
        assert_string_equal(buf_cstr(&mended), cases[i][2]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_no_server_takes_is_mended),
        cmocka_unit_test(what_is_right_is_left_alone),
        cmocka_unit_test(what_misleads_is_said_and_mended),
        cmocka_unit_test(any_text_is_taken),
        cmocka_unit_test(broken_queries_of_all_questions_are_mended),
        cmocka_unit_test(the_top_operator_is_found),
        cmocka_unit_test(a_histograms_name_is_not_taken_for_one_of_its_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
