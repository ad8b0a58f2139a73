/* Documents cut at their headings; variables put into queries. */
#include "tests/unit/unit.h"

#include <jansson.h>
#include <stdio.h>
#include "worker/tools/markdown.h"
#include "worker/tools/vars.h"

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
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        json_t *variable = json_loads(variables[i], 0, NULL);
        vars_read(&v, variable);
        json_decref(variable);
    }
    applied(&v, "up{env=\"$env\",job=~\"${job:regex}\",i=\"$host\",x=~\"$all\",y=\"${one}\"}",
            "up{env=\"test\",job=~\"(a|b)\",i=\"h1:9100\",x=~\".*\",y=\"x\"}", true);
    applied(&v, "rate(x[$__rate_interval]) and y[$__range]", "rate(x[60s]) and y[1h]", true);
    applied(&v, "up{a=\"$none\"}", "up{a=\"$none\"}", false);
    applied(&v, "label_replace(up, \"a\", \"$1\", \"b\", \"(.*)$\")",
            "label_replace(up, \"a\", \"$1\", \"b\", \"(.*)$\")", true);
    applied(&v, "${open", "${open", true);
    assert_false(vars_parse(&v, STR("nonsense")));
    assert_false(vars_parse(&v, STR("=x")));
    vars_free(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_section_has_the_headings_above_it),
        cmocka_unit_test(a_long_stretch_is_cut),
        cmocka_unit_test(variables_are_filled_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
