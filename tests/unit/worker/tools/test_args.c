/* tests/unit/worker/tools/test_args.c: arguments against a JSON Schema that we did not write. */
#include "tests/support/unit.h"

#include <stdlib.h>
#include "common/check.h"
#include "worker/tools/args.h"

static const char schema_text[] =
    "{\"type\":\"object\",\"properties\":{"
    "\"name\":{\"type\":\"string\",\"maxLength\":4,\"minLength\":2},"
    "\"count\":{\"type\":\"integer\",\"minimum\":1},"
    "\"least\":{\"type\":\"number\",\"maximum\":2.5},"
    "\"list\":{\"type\":\"array\",\"maxItems\":2,\"items\":{\"type\":\"string\"}},"
    "\"box\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}}},"
    "\"either\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]},"
    "\"many\":{\"type\":[\"string\",\"null\"]},"
    "\"odd\":{\"type\":\"tuple\"},\"any\":true},\"required\":[\"name\"]}";

static char *read_as(bool own, const char *schema, const char *text)
{
    json_auto_t *tree = json_loads(schema, 0, NULL);
    scoped_buf(error, 1024);
    assert_non_null(tree);
    json_auto_t *args = args_read(tree, own, str_of(text), &error, NULL);
    return args ? json_dumps(args, JSON_COMPACT | JSON_SORT_KEYS) : str_dup(buf_str(&error));
}

static char *read_by(const char *schema, const char *text) { return read_as(false, schema, text); }

static void what_is_known_is_checked_and_the_rest_is_let_through(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{\"name\":\"ab\",\"count\":\"3\",\"list\":[1,\"x\"],\"box\":{\"a\":\"7\",\"b\":[]}}",
         "{\"box\":{\"a\":7,\"b\":[]},\"count\":3,\"list\":[\"1\",\"x\"],\"name\":\"ab\"}"},
        {"{\"name\":\"ab\",\"list\":\"[\\\"x\\\"]\"}", "{\"list\":[\"x\"],\"name\":\"ab\"}"},
        {"{\"name\":\"ab\",\"list\":[\"x\",{}]}", "The argument \"list[1]\" must be a string."},
        {"{\"name\":\"ab\",\"list\":[\"x\",\"y\",\"z\"]}",
         "The argument \"list\" must have 0 to 2 items."},
        {"{\"name\":\"ab\",\"box\":{\"a\":\"no\"}}", "The argument \"box.a\" must be an integer."},
        {"{\"name\":\"ab\",\"either\":null,\"many\":null,\"count\":null,\"odd\":[1],\"any\":{}}",
         "{\"any\":{},\"either\":null,\"many\":null,\"name\":\"ab\",\"odd\":[1]}"},
        {"{\"name\":\"ab\",\"unheard\":{\"of\":1}}", "{\"name\":\"ab\",\"unheard\":{\"of\":1}}"},
        {"{\"name\":\"\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\"}",
         "{\"name\":\"\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\"}"},
        {"{\"name\":\"abcde\"}", "The argument \"name\" is too long: at most 4 characters."},
        {"{\"name\":\"a\"}", "The argument \"name\" must be longer."},
        {"{\"name\":\"\"}", "The argument \"name\" must not be empty."},
        {"{}", "The argument \"name\" is missing."},
        {"{\"name\":\"ab\",\"count\":0}", "The argument \"count\" must be at least 1."},
        {"{\"name\":\"ab\",\"least\":3}", "The argument \"least\" must be at most 2.5."},
        {"{\"name\":\"ab\",\"list\":\"x\"}", "The argument \"list\" must be an array."},
        {"{\"name\":\"ab\",\"box\":[]}", "The argument \"box\" must be an object."},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *got = read_by(schema_text, cases[i][0]);
        assert_string_equal(got, cases[i][1]);
        free(got);
    }
}

static void a_closed_schema_takes_nothing_else(void **state)
{
    (void)state;
    char *got = read_by("{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"b\":1}");
    assert_string_equal(got, "There is no argument \"b\"; there are: a.");
    free(got);
    got = read_by("{}", "{\"b\":1}");
    assert_string_equal(got, "{\"b\":1}");
    free(got);
}

static void a_word_is_taken_in_any_case_and_ours_has_a_default(void **state)
{
    (void)state;
    static const char schema[] =
        "{\"properties\":{\"u\":{\"type\":\"string\",\"enum\":[\"decimal\","
        "\"bytes\",\"Bytes\"],\"default\":\"decimal\"}}}";
    static const struct {
        bool own;
        const char *text, *read;
    } cases[] = {
        {true, "{\"u\":\"bytes\"}", "{\"u\":\"bytes\"}"},
        {true, "{\"u\":\"Bytes\"}", "{\"u\":\"Bytes\"}"},
        {true, "{\"u\":\" BYTES \"}", "{\"u\":\"bytes\"}"},
        {true, "{\"u\":\"furlongs\"}", "{\"u\":\"decimal\"}"},
        {true, "{\"u\":\"\"}", "{\"u\":\"decimal\"}"},
        {true, "{\"u\":7}", "{\"u\":\"decimal\"}"},
        {true, "{}", "{}"},
        {false, "{\"u\":\"DECIMAL\"}", "{\"u\":\"decimal\"}"},
        {false, "{\"u\":\"furlongs\"}",
         "The argument \"u\" must be one of [\"decimal\", \"bytes\", \"Bytes\"]."},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *got = read_as(cases[i].own, schema, cases[i].text);
        assert_string_equal(got, cases[i].read);
        free(got);
    }
}

/* Matchers as an object, a query in Markdown's quotes. */
static void ours_unwrap_a_text(void **state)
{
    (void)state;
    static const char schema[] =
        "{\"properties\":{\"query\":{\"type\":\"string\"},\"matchers\":{\"type\":\"string\"},"
        "\"quantile\":{\"type\":\"number\"}},\"additionalProperties\":false}";
    static const struct {
        const char *text, *read;
    } cases[] = {
        {"{\"query\":[\"up\"]}", "The argument \"query\" must be a string."},
        {"{\"query\":{\"expr\":\"up\"}}", "The argument \"query\" must be a string."},
        {"{\"query\":[\"up\",\"x\"]}", "The argument \"query\" must be a string."},
        {"{\"query\":[]}", "The argument \"query\" must be a string."},
        {"{\"query\":{}}", "The argument \"query\" must be a string."},
        {"{\"query\":{\"a\":\"up\",\"b\":\"x\"}}", "The argument \"query\" must be a string."},
        {"{\"query\":\"`up`\"}", "{\"query\":\"up\"}"},
        {"{\"query\":\"```promql\\nup\\n```\"}", "{\"query\":\"up\"}"},
        {"{\"query\":\"```\\nsum(\\nup)\\n```\"}", "{\"query\":\"sum(\\nup)\"}"},
        {"{\"query\":\"```up```\"}", "{\"query\":\"up\"}"},
        {"{\"query\":\"up;\"}", "{\"query\":\"up\"}"},
        {"{\"query\":\"up{a=`b`}\"}", "{\"query\":\"up{a=`b`}\"}"},
        {"{\"query\":\"`a` + `b`\"}", "{\"query\":\"`a` + `b`\"}"},
        {"{\"query\":\"``\"}", "{\"query\":\"``\"}"},
        {"{\"query\":\";\"}", "{\"query\":\";\"}"},
        {"{\"query\":\"\"}", "{\"query\":\"\"}"},
        {"{\"matchers\":{\"a\":\"b\\\"c\",\"d\":\"e\"}}",
         "{\"matchers\":\"a=\\\"b\\\\\\\"c\\\",d=\\\"e\\\"\"}"},
        {"{\"matchers\":{\"a\":1}}", "The argument \"matchers\" must be a string."},
        {"{\"quantile\":\"95th\"}", "{\"quantile\":95.0}"},
        {"{\"quantile\":\"th\"}", "The argument \"quantile\" must be a number."},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *got = read_as(true, schema, cases[i].text);
        assert_string_equal(got, cases[i].read);
        free(got);
    }
    char *theirs = read_as(false, schema, "{\"query\":\"`up`\"}");
    assert_string_equal(theirs, "{\"query\":\"`up`\"}");
    free(theirs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_is_taken_in_any_case_and_ours_has_a_default),
        cmocka_unit_test(ours_unwrap_a_text),
        cmocka_unit_test(what_is_known_is_checked_and_the_rest_is_let_through),
        cmocka_unit_test(a_closed_schema_takes_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
