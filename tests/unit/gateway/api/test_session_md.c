/* A conversation as Markdown. */
#include "tests/support/unit.h"

#include "gateway/api/session_md.h"

static const char *written(const struct store_message *m)
{
    static struct buf b;
    buf_free(&b);
    buf_init(&b, 1 << 20);
    session_md_message(&b, m);
    return buf_cstr(&b);
}

static const char *response(const char *content, bool failed)
{
    static struct record_response r;
    r = (struct record_response){.tool_name = STR("execute_range_query"),
                                 .content = str_of(content),
                                 .failed = failed,
                                 .datasource = STR("/proxy/globaldatasources/prom")};
    struct store_message m = {.record = {.role = ROLE_TOOL, .responses = &r, .response_count = 1}};
    return written(&m);
}

static void a_head_says_what_it_is(void **state)
{
    (void)state;
    scoped_buf(b, 4096);
    struct store_session s = {.title = STR("CPU <b>\n# of `x`"),
                              .created_ms = 1700000000000,
                              .updated_ms = 1700000060000};
    session_md_head(&b, &s);
    assert_string_equal(buf_cstr(&b),
                        "# CPU \\<b\\> \\# of \\`x\\`\n\n"
                        "Begun 2023-11-14 22:13:20 UTC, last changed 2023-11-14 22:14:20 UTC.\n");
}

static void a_question_is_quoted_and_an_answer_stands_as_it_is(void **state)
{
    (void)state;
    struct store_message m = {.record = {.role = ROLE_USER,
                                         .at_ms = 1700000000000,
                                         .content = STR("which?\n# not a heading\n")}};
    assert_string_equal(written(&m), "\n## Question, 2023-11-14 22:13:20 UTC\n\n"
                                     "> which?\n> # not a heading\n");
    m.record.content = STR("which?\r# no heading either\rx");
    assert_null(strchr(written(&m), '\r'));
    m.record.role = ROLE_ASSISTANT;
    m.record.model = STR("openai/gpt_5");
    m.record.content = STR("**a** of `x`");
    assert_string_equal(written(&m), "\n## Answer, 2023-11-14 22:13:20 UTC (openai/gpt\\_5)\n\n"
                                     "**a** of `x`\n");
    m.record.content = STR("It is.\n\n```next\nSince when?\n```\n\n> A note.");
    assert_non_null(strstr(written(&m), ")\n\nIt is.\n\n\n> A note.\n"));
    m.record.content = STR("It is.\n```next\nSince");
    assert_non_null(strstr(written(&m), ")\n\nIt is.\n"));
    assert_null(strstr(written(&m), "Since"));
    /* An answer that was cut off holds nothing of what follows. */
    m.record.content = STR("So:\n ~~~~promql\nrate(\n~~~\n```next\nsum(");
    assert_non_null(strstr(written(&m), "rate(\n~~~\n```next\nsum(\n~~~~\n"));
    m.record.content = STR("So:\n```promql\nup\n```\nand `x` ```y```\n");
    assert_non_null(strstr(written(&m), ")\n\nSo:\n```promql\nup\n```\nand `x` ```y```\n"));
    assert_true(str_ends(str_of(written(&m)), STR("```y```\n")));
    m.record.content = STR("<!-- a\n> 1. <script>\n<https://x> 1 < 2\n```html\n<!--\n```");
    assert_non_null(strstr(written(&m), ")\n\n\\<!-- a\n> 1. \\<script>\n\\<https://x> 1 < 2\n"
                                        "```html\n<!--\n```\n"));
    /* Nor does it read other than it is. */
    m.record.content = STR("a\u202eb\u200bc\u2066d \x7f \u00e4 \u200d \u2764\ufe0f");
    assert_non_null(strstr(written(&m), ")\n\na\ufffdb\ufffdc\ufffdd \ufffd \u00e4 \u200d "
                                        "\u2764\ufe0f\n"));
    m.record.content = STR("```\nup");
    assert_true(str_ends(str_of(written(&m)), STR("```\nup\n```\n")));
    m.record.content = STR(" ");
    assert_string_equal(written(&m), "");
}

static void a_query_has_its_text_range_and_table(void **state)
{
    (void)state;
    assert_non_null(strstr(response("{\"start\":\"<img>\",\"step\":\"1\",\"series\":[]}", false),
                           "From \\<img"));
    assert_string_equal(
        response(
            "{\"kind\":\"range\",\"query\":\"rate(x[5m])\",\"start\":\"2026-01-01T00:00:00Z\","
            "\"end\":\"2026-01-01T01:00:00Z\",\"step\":\"30s\",\"series\":[{\"labels\":{\"a\":"
            "\"x|y\",\"b\":\"<i>\"},\"min\":1,\"max\":2.5,\"avg\":2,\"last\":2},{\"labels\":{},"
            "\"last\":7}],\"notes\":[\"A [note](x)\"]}",
            false),
        "\n### execute\\_range\\_query\n\n"
        "```\nrate(x[5m])\n```\n\n"
        "Datasource: `/proxy/globaldatasources/prom`\n\n"
        "From 2026-01-01T00:00:00Z to 2026-01-01T01:00:00Z, a point every 30s.\n\n"
        "| series | last | min | max | avg |\n| --- | ---: | ---: | ---: | ---: |\n"
        "| a=x\\|y, b=\\<i\\> | 2 | 1 | 2.5 | 2 |\n|  | 7 |  |  |  |\n\n"
        "- A \\[note\\](x)\n\n");
}

static void what_is_no_query_is_code(void **state)
{
    (void)state;
    const char *text = response("no ``` JSON", true);
    assert_non_null(strstr(text, "### execute\\_range\\_query (failed)\n"));
    assert_non_null(strstr(text, "````\nno ``` JSON\n````\n"));
    assert_non_null(strstr(response("{\"metrics\":[]}", false), "```\n{\"metrics\":[]}\n```"));
    assert_non_null(strstr(response("", false), "```\n\n```"));
    assert_non_null(strstr(response("{\"series\":[1,null,{\"labels\":[],\"value\":{}}]}", false),
                           "|  |  |\n|  |  |\n|  |  |\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_says_what_it_is),
        cmocka_unit_test(a_question_is_quoted_and_an_answer_stands_as_it_is),
        cmocka_unit_test(a_query_has_its_text_range_and_table),
        cmocka_unit_test(what_is_no_query_is_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
