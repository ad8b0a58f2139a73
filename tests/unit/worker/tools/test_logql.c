/* What a query selects, as the server reads it: a model's words, or a label's, can't hide a
 * selector from the guard. What Loki does with each was seen on a real one
 * (/loki/api/v1/format_query, 2.9). */
#include "tests/support/unit.h"

#include <stdio.h>
#include <string.h>
#include "worker/tools/logql.h"

static bool read(struct logql *q, const char *text) { return logql_read(q, str_of(text)); }

static void what_the_server_reads_otherwise_is_refused(void **state)
{
    (void)state;
    static const char *const hidden[] = {
        /* for Loki these are comments, the second selector is none */
        "sum(rate({a=\"b\"}[5m])) /* \" */ + sum(rate({a=~\".+\"}[5m])) /* \" */",
        "{a=\"b\"} // \"\n or {a=~\".+\"} // \"",
        /* a character, which Loki takes as a name */
        "sum by ('\"') (rate({a=~\".+\"}[5m])) + sum by ('\"') (rate({a=\"b\"}[5m]))",
        "sum by ('`') (rate({a=~\".+\"}[5m])) + sum by ('`') (rate({a=\"b\"}[5m]))",
        "{a=\"b\"} |= \"open", "{a=\"b\"} |= `open", "{a=\"b\"} |= \"line\nend\"", "{a=\"b\"",
        "{a=\"b\"}}", "({a=\"b\"}", "sum(rate({a=\"b\"}[5m:1m]))", "sum(rate({a=\"b\"}[5m))",
        "sum(rate({a=\"b\"}[5m] offset))", "sum(rate({a=\"b\"}[5m] offset x))",
        "sum(rate({a=\"b\"}[5m] offset 5parsecs))"};
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        struct logql q;
        if (read(&q, hidden[i]))
            fail_msg("%s", hidden[i]);
        assert_true(strlen(q.error) > 0);
    }
    struct logql q;
    assert_false(logql_read(&q, STR("{a=\"b\"}\0 or {}")));
}

static void each_selector_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        unsigned count;
        bool metric;
    } rows[] = {
        {"{a=\"b\"} |= `}{` | json | line_format \"{{.x}} # {}\"", 1, false},
        {"({a=\"b\"} |= \"x\")", 1, false},
        {"{a=\"b\"} # {c=\"d\"}\n| logfmt", 1, false},
        {"sum(rate({a=\"b\"}[5m])) or vector(0)", 1, true},
        {"sum(rate({a=\"b\"}[5m])) / sum(rate({c=`d`}[5m]))", 2, true},
        {"(sum(rate({a=\"b\"}[5m])) > bool 1) unless on(x) sum(rate({}[1m]))", 2, true},
        {"topk(5, sum by (x) (sum_over_time({a=\"b\"} | json | unwrap bytes(y) [1h])))", 1, true},
        {"label_replace(rate({a=\"b\"}[1m]), \"x\", \"{$1}\", \"y\", \"(.*)\")", 1, true},
        {"vector(1)", 0, true},
        {"{a=\"b\\\"}{\"}", 1, false},
        {"{.a = \"b\"} >> {status = error} | select(.x) | by(.y) | count() > 2", 2, false},
        {"{} | rate() by (resource.service.name)", 1, false},
        {"{span.\"attr[0]\" = `x`} &&! {duration > 1s}", 2, false},
        {"cpu:cpu:nanoseconds:cpu:nanoseconds{service_name=\"shop\"}", 1, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct logql q;
        if (!read(&q, rows[i].query) || q.count != rows[i].count || q.metric != rows[i].metric)
            fail_msg("%s: %u selectors, metric %d, %s", rows[i].query, q.count, q.metric,
                     q.error ? q.error : "");
    }
}

static void it_is_known_how_far_back_a_query_reads(void **state)
{
    (void)state;
    enum { M = 60000, D = 86400000 };
    static const struct {
        const char *query;
        int64_t window_ms;
    } rows[] = {
        {"rate({a=\"b\"}[5m])", 5 * M},
        {"rate({a=\"b\"}[ 5m ])", 5 * M},
        {"rate({a=\"b\"}[5m] offset 30d)", 5 * M + 30 * (int64_t)D},
        {"rate({a=\"b\"}[5m] OFFSET 30d)", 5 * M + 30 * (int64_t)D},
        {"rate({a=\"b\"}[5m] offset\n30d)", 5 * M + 30 * (int64_t)D},
        {"rate({a=\"b\"}[5m] offset\t30d)", 5 * M + 30 * (int64_t)D},
        {"rate({a=\"b\"}[5m] Offset # 1m\n 30d)", 5 * M + 30 * (int64_t)D},
        {"rate({a=\"b\"}[5m] offset -1h)", 5 * M},
        {"rate({a=\"b\"}[5m]) + rate({a=\"c\"}[1h] offset 1d)", 60 * M + D},
        {"rate({a=\"b\"} |= \"offset 30d [30d]\" [5m])", 5 * M},
        {"rate({the_offset=\"b\"}[5m])", 5 * M},
        {"sum by (offset) (rate({a=\"b\"}[5m]))", 5 * M},
        {"sum by (x, # y\n offset) (rate({a=\"b\"}[5m] offset 1d))", 5 * M + D},
        {"sum by (offset_a, b_offset) (rate({a=\"b\"}[5m]))", 5 * M},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct logql q;
        if (!read(&q, rows[i].query) || q.window_ms != rows[i].window_ms)
            fail_msg("%s: %lld ms, %s", rows[i].query, (long long)q.window_ms,
                     q.error ? q.error : "");
    }
}

static void a_regular_expression_that_all_match_selects_nothing(void **state)
{
    (void)state;
    static const char *const all[] = {
        "{}",
        "{a!=\"b\"}",
        "{a=\"\"}",
        "{a=~\".+\"}",
        "{a=~\".{1,}\"}",
        "{a=~\".{1,99}\"}",
        "{a=~\"\\\\d+\"}",
        "{a=~`\\d+`}",
        "{a=~\"\\\\w+\"}",
        "{a=~`\\w+`}",
        "{a=~`\\pL+`}",
        "{a=~`\\p{Greek}|\\P{Greek}`}",
        "{a=~\"\\\\p{L}.*\"}",
        "{a=~\"\\x2e+\"}",
        "{a=~\"a\\x7c.+\"}",
        "{a=~\"a\\u007c.+\"}",
        "{a=~\"a\\174.+\"}",
        "{a=~`\\Qa\\E*.+`}",
        "{a=~`[[:alpha:]]+`}",
        "{a=~`[^x]+`}",
        "{a=~`[]a]+`}",
        "{a=~`[\\]a]+`}",
        "{a=~`x*`}",
        "{a=~`x??.+`}",
        "{a=~`(ab)?.+`}",
        "{a=~`(ab){0}.+`}",
        "{a=~`(ab){0,3}.+`}",
        "{a=~`((ab)c)*.+`}",
        "{a=~`(a|).+`}",
        "{a=~`a|.+`}",
        "{a=~`(?i)(?:a|.+)`}",
        "{a=~`(?P<name>.+)`}",
        "{a=~`.+)`}",
        "{a=~`(.+`}",
        "{b!~`x`, a=~`.+` # =~`x`\n}",
        "{app=~#=\n\".+\"}",
        "{app!=#=\n\"x\",level=~#=\n\".+\"}",
        "{app!= # x =\n # =\n \"x\"}",
        "{app=~\"\xc3\xa9*.+\"}",
        "{app=~`\xc3\xa9?.+`}",
        "{app=~`\xe2\x82\xac{0,1}.+`}",
        "{app=~\"\\\\141*.+\"}",
        "{app=~`\\141?.+`}",
        "{app=~`\\0*.+`}",
        "{app=~`\\x61*.+`}",
        "{app=~`a(?i)*.+`}",
        "{app=~`a\\Q\\E*.+`}",
        "{app=~`[[:].+|]a`}",
    };
    static const char *const some[] = {
        "{a=\"b\"}",         "{a=~\"b.*\"}",         "{a=~`api(-v1|-v2)?`}", "{a=~`(x|y)+`}",
        "{a=~`(?i)shop.*`}", "{a=~`(?P<n>shop).+`}", "{a=~`x{1,3}`}",        "{a=~`a\\.b`}",
        "{a=~\"a\\\\.b\"}",  "{c!=\"\", a=~`.+b`}",  "{a=\"\\x2e\"}",        "{a=~`\xc3\xa4.*`}",
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (logql_selects(str_of(all[i])))
            fail_msg("%s is said to narrow", all[i]);
    for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++)
        if (!logql_selects(str_of(some[i])))
            fail_msg("%s is said to select all", some[i]);
}

static void a_template_that_multiplies_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{a=\"b\"} | line_format `{{ repeat 5000000 \"x\" }}`",
        "{a=\"b\"} | line_format \"{{ repeat 5 \\\"x\\\" }}\"",
        "{a=\"b\"} | line_format \"{{ \\x72epeat 5000000 `x` }}\"",
        "{a=\"b\"} | LINE_FORMAT `{{.x}} {{\"x\" | repeat 9}}`",
        "{a=\"b\"} | label_format y=z, x=`{{repeat 9 .y}}`",
        "sum(count_over_time({a=\"b\"} | line_format `{{- indent 9 .x}}` [5m]))",
        "{a=\"b\"} | line_format # |\n `{{nindent 9 .x}}`",
        "{a=\"b\"} | line_format `{{printf \"%5000000d\" 1}}`",
        "{a=\"b\"} | line_format `{{printf \"%*d\" 999999 1}}`",
        "{a=\"b\"} | line_format `{{alignLeft 5000000 .x}}`",
        "{a=\"b\"} | line_format `{{alignLeft 0xFFFFFF .x}}`",
        "{a=\"b\"} | line_format `{{range 5000000}}x{{end}}`",
        "{a=\"b\"} | line_format `{{define \"t\"}}{{template \"t\"}}{{end}}`",
        "{a=\"b\"} | line_format "
        "`{{.x}}{{.x}}{{.x}}{{.x}}{{.x}}{{.x}}{{.x}}{{.x}}{{.x}}{{.x}}{{.x}}`"
        " | label_format x=`{{.x}}{{.x}}{{.x}}{{.x}}{{.x}}{{.x}}{{.x}}{{.x}}{{.x}}{{.x}}{{.x}}`"
        " | label_format x=`{{.x}}{{.x}}{{.x}}{{.x}}{{.x}}{{.x}}{{.x}}{{.x}}{{.x}}{{.x}}{{.x}}`",
        /* variables, and with, hold what was made */
        "{a=\"b\"} | line_format `{{$a := printf \"%s%s%s%s%s\" .x .x .x .x .x}}"
        "{{$a = printf \"%s%s%s%s%s\" $a $a $a $a $a}}{{$a = printf \"%s%s%s%s%s\" $a $a $a $a "
        "$a}}{{$a}}`",
        "{a=\"b\"} | line_format `{{with printf \"%s%s\" .x .x}}{{with printf \"%s%s\" . "
        ".}}{{.}}{{end}}{{end}}`",
        /* constants, which a second one multiplies */
        "{a=\"b\"} | label_format x=`{{printf \"%999s\" \"\"}}` | label_format x=`{{.}}{{.}}`",
        "{a=\"b\"} | line_format `{{printf \"%[1]s%[1]s%[1]s\" .x}}`",
        "{a=\"b\"} | line_format `{{printf .x .y}}`",
        "{a=\"b\"} | line_format `{{alignLeft (int (mul 1000 1000)) .x}}`",
        "{a=\"b\"} | line_format `{{replace \"\" \""
        "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\" .x}}`",
        "{a=\"b\"} | line_format `{{replace \"o\" __line__ __line__}}`",
        "{a=\"b\"} | line_format `{{regexReplaceAll \"(.)\" __line__ .x}}`",
        "{a=\"b\"} | line_format `{{range $i := fromJson .x}}{{__line__}}{{end}}`",
        "{a=\"b\"} | line_format `{{range $i := fromJson .x}}{{$.y}}{{end}}`",
        "{a=\"b\"} | line_format `{{$y := .y}}{{range $i := fromJson .x}}{{$y}}{{end}}`",
        "{a=\"b\"} | line_format `{{range fromJson .x}}{{range fromJson .y}}x{{end}}{{end}}`",
        "{a=\"b\"} | line_format `{{range 1000}}x{{end}}`",
        "{a=\"b\"} | line_format `{{/* \" */}}{{.x}}{{/* \" */}}`",
        "count(label_replace(label_replace(sum(count_over_time({a=\"b\"}[5m])), `x`, "
        "`$1$1$1$1$1$1$1$1$1$1`, `x`, `(.*)`), `x`, `$1$1$1$1$1$1$1$1$1$1`, `x`, `(.*)`))",
    };
    static const char *const good[] = {
        ("label_replace(sum by (x) (count_over_time({a=\"b\"} |~ `a$` [5m])), \"y\", \"$1-$2\", "
         "\"x\", \"(.*):(.*)\")"),
        "{a=\"b\"} | line_format `{{$a := .x}}{{ if $a }}{{ $a | trunc 100 }}{{ end }}`",
        "{a=\"b\"} | line_format `{{alignRight 20 .x}} {{printf \"%.2f\" (div .y 1000)}}`",
        "{a=\"b\"} | line_format `{{.ts | toDate \"2006-01-02\" | date \"15:04:05\"}} {{.x.y}}`",
        "{a=\"b\"} | label_format d=`{{regexReplaceAll \"[0-9]+\" .path \"N\"}}`",
        "{a=\"b\"} | json | line_format \"{{.method}} {{.status}} {{.path}} {{ __line__ }}\"",
        "{a=\"b\"} | line_format `{{.repeat}} repeat {{ .x | replace \"a\" \"b\" | upper }}`",
        "{a=\"b\"} | label_format x=y, z=`{{ printf \"%-20s\" .z }}`",
        "{a=\"b\"} |= `{{ repeat 5000000 }}`",
        "{a=\"b\"} | line_format `{{.x}}` |= `{{ repeat 5000000 }}`",
        "{a=\"b\"} | line_format `{{ range $q := fromJson .queries }}{{ $q.query }} {{ end }}`",
        "{a=\"b\"} | line_format `{{ if eq .status \"500\" }}bad{{ else }}{{ .status }}{{ end }}`",
    };
    struct logql q;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (read(&q, bad[i]))
            fail_msg("%s", bad[i]);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (!read(&q, good[i]))
            fail_msg("%s: %s", good[i], q.error);
}

static void deep_nesting_is_bounded(void **state)
{
    (void)state;
    char text[9000];
    size_t at = (size_t)snprintf(text, sizeof(text), "{a=~`");
    memset(text + at, '(', 4000);
    snprintf(text + at + 4000, sizeof(text) - at - 4000, "a`}");
    assert_false(logql_selects(str_of(text)));
    struct logql q;
    memset(text, '(', 5000);
    text[5000] = '\0';
    assert_false(read(&q, text));
}

/* OpenTelemetry's names, as Loki's receiver of OTLP writes them. */
static void names_are_written_as_loki_has_them(void **state)
{
    (void)state;
    static const struct {
        const char *query, *wanted; /* NULL: there is none */
    } rows[] = {
        {"{service.name=\"a.b\"}", "{service_name=\"a.b\"}"},
        {"{\"service.name\"=\"a.b\", k8s.pod.name =~ `x.y`}",
         "{service_name=\"a.b\", k8s_pod_name =~ `x.y`}"},
        {"{a=\"b\",\"k8s/app\"!=\"c\"}", "{a=\"b\",k8s_app!=\"c\"}"},
        {"sum by (service.name) (rate({a=\"b\"} | json | http.status_code >= 500 [1m]))",
         "sum by (service_name) (rate({a=\"b\"} | json | http_status_code >= 500 [1m]))"},
        {"{a=\"b\"} | line_format \"{{.x.y}}\"", NULL},
        {"{a=\"b.c\"} |= \"d.e\" # f.g\n| x > 1.5 | y < .5", NULL},
        {"{a=\"b\"} | label_format x=\"y.z\"", NULL},
        {"rate({a=\"b\"}[1.5h]) * 2.5", NULL},
        {"{a=\"b\"} |= \"open.string", NULL},
        {"{a=\"b\"} | x=`open.string", NULL},
        {"", NULL},
        {"{.a}", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct str first;
        scoped_buf(out, 1000);
        bool any = logql_names(str_of(rows[i].query), &out, &first);
        const char *wanted = rows[i].wanted ? rows[i].wanted : rows[i].query;
        if (any != (rows[i].wanted != NULL) || strcmp(buf_cstr(&out), wanted) != 0)
            fail_msg("%s: %s", rows[i].query, buf_cstr(&out));
    }
    scoped_buf(name, 100);
    logql_name(&name, STR("2nd \xc3\xa4.b/c"));
    assert_string_equal(buf_cstr(&name), "_2nd___b_c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_server_reads_otherwise_is_refused),
        cmocka_unit_test(each_selector_is_found),
        cmocka_unit_test(it_is_known_how_far_back_a_query_reads),
        cmocka_unit_test(a_regular_expression_that_all_match_selects_nothing),
        cmocka_unit_test(a_template_that_multiplies_is_refused),
        cmocka_unit_test(deep_nesting_is_bounded),
        cmocka_unit_test(names_are_written_as_loki_has_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
