/* Documents cut at their headings; variables put into queries. */
#include "tests/support/unit.h"

#include <jansson.h>
#include <stdio.h>
#include "worker/tools/docs/markdown.h"
#include "worker/tools/perses/vars.h"

static void on_section(void *arg, const struct section *s)
{
    struct buf *b = arg;
    buf_printf(b, "[%lld|%.*s|%zu]", (long long)s->line, (int)s->heading.len,
               s->heading.len ? s->heading.at : "", s->body.len);
}

static void expect(const char *text, const char *wanted)
{
    struct buf b;
    buf_init(&b, 65536);
    markdown_sections(str_of(text), on_section, &b);
    assert_string_equal(buf_cstr(&b), wanted);
    buf_free(&b);
}

static void a_section_has_the_headings_above_it(void **state)
{
    (void)state;
    expect("", "");
    expect("\n \n", "");
    expect("just text\nand more", "[1||18]");
    expect("intro\n# A\ntext\n## B ##\nx\n### C\ny\n# D\n",
           "[1||6][2|A|9][4|A > B|10][6|A > B > C|8][8|D|4]");
    expect("# A\n```\n# no heading\n```\n#none\n####### none\n", "[1|A|44]");
}

static void a_long_stretch_is_cut(void **state)
{
    (void)state;
    struct buf text, b;
    buf_init(&text, 1 << 20);
    buf_init(&b, 1 << 20);
    buf_puts(&text, "# Long\n");
    for (int i = 0; i < 2000; i++)
        buf_puts(&text, "a line of words, and one more\n\n");
    markdown_sections(buf_str(&text), on_section, &b);
    unsigned count = 0;
    for (const char *c = buf_cstr(&b); (c = strstr(c, "|Long|")) != NULL; c++)
        count++;
    assert_in_range(count, 8, 12);
    buf_free(&text);
    buf_free(&b);
}

struct cover {
    const char *at;
    int64_t line;
    unsigned count;
};

static void on_covered(void *arg, const struct section *s)
{
    struct cover *c = arg;
    assert_ptr_equal(s->body.at, c->at); /* nothing is left out */
    assert_true(s->body.len <= MARKDOWN_SECTION_MAX);
    assert_true(str_utf8(s->body));
    assert_true(s->line >= c->line);
    *c = (struct cover){s->body.at + s->body.len, s->line, c->count + 1};
}

static void no_section_is_longer_than_its_bound(void **state)
{
    static const struct {
        const char *piece; /* repeated */
        unsigned times, least;
    } cases[] = {
        {"x", 3 * MARKDOWN_SECTION_MAX, 3},            /* one line without an end */
        {"\xe2\x82\xac", MARKDOWN_SECTION_MAX, 3},     /* of characters of three bytes */
        {"words\n", MARKDOWN_SECTION_MAX, 6},          /* lines, none of them blank */
        {"a paragraph\n\n", MARKDOWN_SECTION_MAX, 40}, /* each ends behind the soft bound */
        {"# T\n", MARKDOWN_SECTION_MAX, 20},           /* headings alone */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        scoped_buf(text, 1 << 20);
        for (unsigned n = 0; n < cases[i].times; n++)
            buf_puts(&text, cases[i].piece);
        struct cover c = {.at = text.at};
        markdown_sections(buf_str(&text), on_covered, &c);
        assert_ptr_equal(c.at, text.at + text.len);
        assert_true(c.count >= cases[i].least);
    }
}

static void applied(struct vars *v, const char *query, const char *wanted, bool all)
{
    struct buf b;
    struct str unknown = {NULL, 0};
    buf_init(&b, 4096);
    assert_int_equal(vars_apply(v, str_of(query), &b, &unknown), all);
    assert_string_equal(buf_cstr(&b), wanted);
    assert_int_equal(unknown.len > 0, !all);
    buf_free(&b);
}

static void variables_are_filled_in(void **state)
{
    (void)state;
    static const char *const variables[] = {
        "{\"kind\":\"TextVariable\",\"spec\":{\"name\":\"env\",\"value\":\"prod\"}}",
        "{\"kind\":\"ListVariable\",\"spec\":{\"name\":\"job\",\"defaultValue\":[\"a\",\"b\"]}}",
        "{\"kind\":\"ListVariable\",\"spec\":{\"name\":\"one\",\"defaultValue\":[\"x\"]}}",
        "{\"kind\":\"ListVariable\",\"spec\":{\"name\":\"all\",\"defaultValue\":\"$__all\"}}",
        "{\"kind\":\"ListVariable\",\"spec\":{\"name\":\"none\"}}",
        "{\"kind\":7}",
        "[]"};
    struct vars v = {.range_ms = 3600000, .step_ms = 15000};
    assert_true(vars_parse(&v, STR("env=test, $host = h1:9100 ,")));
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        json_t *variable = json_loads(variables[i], 0, NULL);
        vars_read(&v, variable);
        json_decref(variable);
    }
    applied(&v, "up{env=\"$env\",job=~\"${job:regex}\",i=\"$host\",x=~\"$all\",y=\"${one}\"}",
            "up{env=\"test\",job=~\"(a|b)\",i=\"h1:9100\",x=~\".*\",y=\"x\"}", true);
    applied(&v, "rate(x[$__rate_interval]) and y[$__range]", "rate(x[60s]) and y[1h]", true);
    /* as Perses's own: Unix milliseconds, and whose dashboard it is */
    v.end_ms = 1764288000000;
    applied(&v, "x @ ${__from} + $__to + $__range_s + $__range_ms",
            "x @ 1764284400000 + 1764288000000 + 3600 + 3600000", true);
    applied(&v, "up{p=\"$__project\"}", "up{p=\"$__project\"}", false);
    v.project = "shop";
    v.dashboard = "nodes";
    applied(&v, "up{p=\"$__project\",d=\"${__dashboard}\"}", "up{p=\"shop\",d=\"nodes\"}", true);
    applied(&v, "up{a=\"$none\"}", "up{a=\"$none\"}", false);
    applied(&v, "label_replace(up, \"a\", \"$1\", \"b\", \"(.*)$\")",
            "label_replace(up, \"a\", \"$1\", \"b\", \"(.*)$\")", true);
    applied(&v, "${open", "${open", true);
    assert_false(vars_parse(&v, STR("nonsense")));
    assert_false(vars_parse(&v, STR("=x")));
    vars_free(&v);
}

static void read_variable(struct vars *v, const char *text)
{
    json_t *variable = json_loads(text, 0, NULL);
    assert_non_null(variable);
    vars_read(v, variable);
    json_decref(variable);
}

/* The values are what Perses's own interpolate() makes of them. */
static void formats_are_those_of_perses(void **state)
{
    (void)state;
    static const struct {
        const char *format, *wanted, *single;
    } cases[] = {
        {"", "(a.b|it's)", "5"},
        {":csv", "a.b,it's", "5"},
        {":raw", "a.b,it's", "5"},
        {":distributed", "a.b,v=it's", "5"},
        {":doublequote", "\"a.b\",\"it's\"", "\"5\""},
        {":glob", "{a.b,it's}", "{5}"},
        {":json", "[\"a.b\",\"it's\"]", "[\"5\"]"},
        {":lucene", "(\"a.b\" OR \"it's\")", "(\"5\")"},
        {":percentencode", "a.b%2Cit's", "5"},
        {":pipe", "a.b|it's", "5"},
        {":prometheus", "(a.b|it's)", "(5)"},
        {":regex", "(a\\.b|it's)", "(5)"},
        {":RegexLiteral", "(a\\\\.b|it's)", "(5)"},
        {":singlequote", "'a.b','it's'", "'5'"},
        {":sqlstring", "'a.b','it''s'", "'5'"},
        {":text", "a.b + it's", "5"},
        {":queryparam", "v=a.b&v=it's", "s=5"},
        {":nonsense", "(a.b|it's)", "5"},
    };
    struct vars v = {.range_ms = 3600000, .step_ms = 15000};
    read_variable(&v, "{\"kind\":\"ListVariable\",\"spec\":{\"name\":\"v\",\"defaultValue\":"
                      "[\"a.b\",\"it's\"]}}");
    read_variable(&v, "{\"kind\":\"TextVariable\",\"spec\":{\"name\":\"s\",\"value\":\"5\"}}");
    read_variable(&v, "{\"kind\":\"TextVariable\",\"spec\":{\"name\":\"u\",\"value\":\"ä b&c\"}}");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char query[64];
        snprintf(query, sizeof(query), "${v%s}", cases[i].format);
        applied(&v, query, cases[i].wanted, true);
        snprintf(query, sizeof(query), "${s%s}", cases[i].format);
        applied(&v, query, cases[i].single, true);
    }
    applied(&v, "${u:percentencode}", "%C3%A4%20b%26c", true);
    applied(&v, "${v.field:csv} ${v.field} ${s.a.b:json}", "a.b,it's (a.b|it's) [\"5\"]", true);
    vars_free(&v);
}

static void all_is_what_the_variable_says(void **state)
{
    (void)state;
    struct vars v = {.range_ms = 3600000, .step_ms = 15000};
    assert_true(vars_parse(&v, STR("given=$__all,kept=x")));
#define LIST(name, rest) "{\"kind\":\"ListVariable\",\"spec\":{\"name\":\"" name "\"," rest "}}"
#define STATIC(values)                                                                             \
    "\"plugin\":{\"kind\":\"StaticListVariable\",\"spec\":{\"values\":" values "}}"
    read_variable(&v, LIST("own", "\"defaultValue\":\"$__all\",\"customAllValue\":\"shop-.*\""));
    read_variable(&v, LIST("array", "\"defaultValue\":[\"$__all\"],\"customAllValue\":\"a|b\""));
    read_variable(&v, LIST("given", "\"defaultValue\":\"q\",\"customAllValue\":\"mine\""));
    read_variable(&v, LIST("kept", "\"defaultValue\":\"$__all\",\"customAllValue\":\"mine\""));
    read_variable(&v, LIST("unset", "\"allowAllValue\":true,\"customAllValue\":\"mine\""));
    read_variable(&v, LIST("fixed", "\"defaultValue\":\"$__all\"," STATIC(
                                        "[\"a\",{\"value\":\"b\",\"label\":\"B\"}]")));
    read_variable(&v, LIST("open", "\"defaultValue\":\"$__all\""));
    applied(&v, "$own $array ${array:csv} $given $kept $unset", "shop-.* a|b a|b mine x mine",
            true);
    applied(&v, "$fixed ${fixed:csv} $open ${open:doublequote}", "(a|b) a,b .* .*", true);
    vars_free(&v);
}

#define OF_LABEL(rest)                                                                             \
    "\"defaultValue\":\"$__all\",\"plugin\":{\"kind\":\"PrometheusLabelValuesVariable\",\"spec\":" \
    "{\"labelName\":\"job\"" rest "}}"

static void all_of_a_label_is_what_its_datasource_says(void **state)
{
    (void)state;
    struct vars v = {.range_ms = 3600000, .step_ms = 15000};
    assert_true(vars_parse(&v, STR("asked=$__all")));
    read_variable(&v, LIST("job", OF_LABEL(",\"matchers\":[\"up{env=~'$env'}\"]")));
    read_variable(&v, LIST("env", OF_LABEL("")));
    read_variable(&v, LIST("cut", OF_LABEL("") ",\"capturingRegexp\":\"(.).*\""));
    assert_non_null(vars_open(&v, STR("up{a='$cut'}")));
    assert_false(vars_lack(&v, STR("up{a='$job',b='$__range',c='$1'}")));
    assert_true(vars_lack(&v, STR("up{a='$asked'}"))); /* all of what? */
    applied(&v, "$asked", "$asked", false);
    struct var *first = vars_open(&v, STR("up{job=~'$job'}"));
    assert_non_null(first);
    assert_string_equal(first->name, "env"); /* what says which jobs there are */
    vars_close(first, json_pack("[s, s]", "a", "b"));
    struct var *then = vars_open(&v, STR("up{job=~'$job'}"));
    assert_non_null(then);
    assert_string_equal(then->name, "job");
    applied(&v, "$env $job", "(a|b) .*", true);
    vars_close(then, json_pack("[s]", "x"));
    assert_null(vars_open(&v, STR("up{job=~'$job',env=~'$env'}")));
    applied(&v, "$env ${env:csv} $job ${job:json}", "(a|b) a,b x [\"x\"]", true);
    /* one that leads back to itself ends */
    read_variable(&v, LIST("round", OF_LABEL(",\"matchers\":[\"up{a='$round'}\"]")));
    assert_false(vars_lack(&v, STR("$round")));
    assert_non_null(vars_open(&v, STR("$round")));
    read_variable(&v, LIST("lost", OF_LABEL(",\"matchers\":[\"up{a='$nothing'}\"]")));
    assert_true(vars_lack(&v, STR("$lost")));
    vars_free(&v);
}

/* Perses shows a dashboard that nobody has chosen values for with the first of each list. */
static void what_was_not_chosen_is_as_perses_chooses(void **state)
{
    (void)state;
    struct vars v = {.range_ms = 3600000, .step_ms = 15000};
    read_variable(&v, LIST("first", STATIC("[\"a\",\"b\"]")));
    read_variable(&v, LIST("labelled",
                           "\"defaultValue\":\"\"," STATIC("[{\"value\":\"b\",\"label\":\"B\"}]")));
    read_variable(
        &v, LIST("all", "\"allowAllValue\":true,\"defaultValue\":[]," STATIC("[\"a\",\"b\"]")));
    read_variable(&v, LIST("none", STATIC("[]")));
    read_variable(&v, LIST("asked", "\"plugin\":{\"kind\":\"PrometheusLabelValuesVariable\"}"));
    read_variable(&v, "{\"kind\":\"TextVariable\",\"spec\":{\"name\":\"filter\",\"value\":\"\"}}");
    applied(&v, "$first $labelled ${all:csv} x$filter.", "a b a,b x.", true);
    applied(&v, "$none", "$none", false);
    applied(&v, "$asked", "$asked", false);
    vars_free(&v);
}

static void a_model_may_give_several_values(void **state)
{
    (void)state;
    struct vars v = {.range_ms = 3600000, .step_ms = 15000};
    assert_true(vars_parse(&v, STR("job=a, b,pod=x,job=c,empty=,$own=q=r")));
    applied(&v, "${job:csv} $job $pod <$empty> $own", "a,b,c (a|b|c) x <> q=r", true);
    vars_free(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_not_chosen_is_as_perses_chooses),
        cmocka_unit_test(a_model_may_give_several_values),
        cmocka_unit_test(a_section_has_the_headings_above_it),
        cmocka_unit_test(a_long_stretch_is_cut),
        cmocka_unit_test(no_section_is_longer_than_its_bound),
        cmocka_unit_test(variables_are_filled_in),
        cmocka_unit_test(formats_are_those_of_perses),
        cmocka_unit_test(all_is_what_the_variable_says),
        cmocka_unit_test(all_of_a_label_is_what_its_datasource_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
