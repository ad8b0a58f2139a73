/* tests/unit/worker/tools/mcp/test_schema.c: whatever schema a server has for a tool, models are
 * shown one that no provider refuses, or none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "common/buf.h"
#include "worker/tools/mcp/schema.h"

#define NO_ARGUMENTS "{\"type\":\"object\",\"properties\":{}}"
#define ARGUMENT(schema) "{\"type\":\"object\",\"properties\":{\"a\":" schema "}}"

static json_t *parse(const char *text)
{
    json_error_t at;
    json_t *v = json_loads(text, JSON_DECODE_ANY, &at);
    if (!v)
        fail_msg("%s: %s", at.text, text);
    return v;
}

static void expect(const char *schema, const char *wanted)
{
    const char *why;
    json_auto_t *v = parse(schema), *want = parse(wanted), *marks = json_array();
    json_auto_t *got = mcp_schema_read(v, marks, &why);
    char *text = got ? json_dumps(got, JSON_COMPACT) : NULL;
    if (!json_equal(got, want))
        fail_msg("%s\nwanted %s\ngot    %s", schema, wanted, text ? text : why);
    free(text);
}

static void expect_refused(const char *schema, const char *part)
{
    const char *why = "";
    json_auto_t *v = parse(schema), *marks = json_array();
    json_auto_t *got = mcp_schema_read(v, marks, &why);
    if (got || !strstr(why, part))
        fail_msg("%.200s: %s", schema, got ? "was taken" : why);
}

static void what_all_take_stays(void **state)
{
    (void)state;
    static const char *const fine[] = {
        NO_ARGUMENTS,
        ARGUMENT(
            "{\"type\":\"string\",\"description\":\"d\",\"enum\":[\"x\",\"y\"],\"default\":\"x\"}"),
        ARGUMENT("{\"type\":[\"integer\",\"null\"],\"minimum\":1,\"maximum\":9.5}"),
        ARGUMENT("{\"type\":\"array\",\"items\":{\"type\":\"string\",\"maxLength\":10}}"),
        ARGUMENT("{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}"),
        ARGUMENT("{\"type\":\"object\",\"properties\":{\"b\":{}},\"required\":[\"b\"],"
                 "\"additionalProperties\":{\"type\":\"number\"}}"),
    };
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
        expect(fine[i], fine[i]);
}

static void what_some_refuse_is_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *shown;
    } cases[] = {
        {"{\"type\":\"strnig\"}", "{}"},
        {"{\"type\":7}", "{}"},
        {"{\"type\":[]}", "{}"},
        {"{\"type\":[\"string\",\"string\",\"x\"]}", "{\"type\":[\"string\"]}"},
        {"true", "{}"},
        {"\"no schema\"", "{}"},
        {"{\"title\":{},\"description\":[1],\"format\":7}", "{}"},
        {"{\"enum\":[]}", "{}"},
        {"{\"enum\":\"x\"}", "{}"},
        {"{\"enum\":[1,1,{},\"x\"]}", "{\"enum\":[1,\"x\"]}"},
        {"{\"const\":\"x\"}", "{\"enum\":[\"x\"]}"},
        {"{\"const\":{}}", "{}"},
        {"{\"minimum\":\"1\",\"minLength\":-1,\"maxItems\":1.5}", "{}"},
        {"{\"minLength\":9,\"maxLength\":3}", "{}"},
        {"{\"maxLength\":1000000}", "{}"},
        {"{\"exclusiveMinimum\":true,\"uniqueItems\":1,\"multipleOf\":0}", "{}"},
        {"{\"type\":\"array\"}", "{\"type\":\"array\",\"items\":{}}"},
        {"{\"type\":\"array\",\"items\":[{},{}]}", "{\"type\":\"array\",\"items\":{}}"},
        {"{\"type\":[\"array\",\"null\"]}", "{\"type\":[\"array\",\"null\"],\"items\":{}}"},
        {"{\"anyOf\":[]}", "{}"},
        {"{\"anyOf\":{}}", "{}"},
        {"{\"oneOf\":[{\"type\":\"string\"},true]}", "{\"anyOf\":[{\"type\":\"string\"},{}]}"},
        {"{\"not\":{},\"if\":7,\"then\":[],\"patternProperties\":{\"[\":{}},\"x-own\":[]}", "{}"},
        {"{\"type\":\"string\",\"pattern\":\"^[\"}",
         "{\"type\":\"string\",\"description\":\"Pattern: ^[\"}"},
        {"{\"description\":\"An id.\",\"pattern\":\"^a$\"}",
         "{\"description\":\"An id. Pattern: ^a$\"}"},
        {"{\"pattern\":7}", "{}"},
        {"{\"properties\":[]}", "{\"properties\":{}}"},
        {"{\"required\":[\"b\",7,\"b\",\"z\"],\"properties\":{\"b\":{}}}",
         "{\"required\":[\"b\"],\"properties\":{\"b\":{}}}"},
        {"{\"required\":true,\"properties\":{\"b\":{}}}", "{\"properties\":{\"b\":{}}}"},
        {"{\"additionalProperties\":\"no\",\"default\":[]}", "{}"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        scoped_buf(schema, 4096);
        scoped_buf(shown, 4096);
        buf_printf(&schema, ARGUMENT("%s"), cases[i].schema);
        buf_printf(&shown, ARGUMENT("%s"), cases[i].shown);
        expect(buf_cstr(&schema), buf_cstr(&shown));
    }
}

static void what_is_referred_to_stands_there(void **state)
{
    (void)state;
#define WITH(defs, a) "{\"$defs\":" defs ",\"properties\":{\"a\":" a "}}"
    expect(WITH("{\"p/q\":{\"type\":\"string\",\"title\":\"P\"}}",
                "{\"$ref\":\"#/$defs/p~1q\",\"title\":\"A\"}"),
           ARGUMENT("{\"type\":\"string\",\"title\":\"A\"}"));
    expect(WITH("{\"P\":{\"type\":\"string\"}}", "{\"allOf\":[{\"$ref\":\"#/$defs/P\"}]}"),
           ARGUMENT("{\"type\":\"string\"}"));
    expect(WITH("{\"N\":{\"type\":\"object\",\"properties\":{\"next\":{\"$ref\":\"#/$defs/N\"}}}}",
                "{\"$ref\":\"#/$defs/N\"}"),
           ARGUMENT("{\"type\":\"object\",\"properties\":{\"next\":{}}}"));
    expect("{\"properties\":{\"a\":{\"$ref\":\"#\"}}}", ARGUMENT("{\"properties\":{\"a\":{}}}"));
    expect(
        "{\"$ref\":\"#/$defs/A\",\"$defs\":{\"A\":{\"type\":\"object\",\"properties\":{\"a\":{}},"
        "\"required\":[\"a\"]}},\"properties\":{\"b\":{}},\"required\":[\"b\"]}",
        "{\"type\":\"object\",\"properties\":{\"a\":{},\"b\":{}},\"required\":[\"a\",\"b\"]}");
    expect_refused(WITH("{}", "{\"$ref\":\"#/$defs/P\"}"), "not there");
    expect_refused(WITH("{}", "{\"$ref\":\"#P\"}"), "not there");
    expect_refused(WITH("{}", "{\"$ref\":\"https://x/y\"}"), "elsewhere");
    expect_refused(WITH("{}", "{\"$dynamicRef\":7}"), "elsewhere");
}

static void the_top_is_an_object(void **state)
{
    (void)state;
    expect("{}", NO_ARGUMENTS);
    expect("{\"$schema\":\"http://x\",\"$id\":\"y\",\"anyOf\":[{},{}],\"enum\":[{}],\"not\":{}}",
           NO_ARGUMENTS);
    expect("{\"type\":\"object\",\"properties\":null,\"required\":[\"a\"]}", NO_ARGUMENTS);
    expect_refused("{\"type\":\"array\"}", "not of an object");
    expect_refused("{\"type\":[\"object\"]}", "not of an object");
    expect_refused("{\"type\":\"any\"}", "not of an object");
    expect_refused("[]", "no schema");
    expect_refused("7", "no schema");
    expect_refused("{\"properties\":{\"a b\":{}}}", "name");
    expect_refused("{\"properties\":{\"\":{}}}", "name");
    expect_refused("{\"$ref\":\"#/$defs/A\",\"$defs\":{\"A\":{\"properties\":{\"a b\":{}}}}}",
                   "name");
}

static void what_is_huge_or_deep_is_refused_in_no_time(void **state)
{
    (void)state;
    enum { DEEP = 200, REFS = 60 };
    scoped_buf(deep, 1 << 20);
    scoped_buf(bomb, 1 << 20);
    scoped_buf(wide, 1 << 20);
    for (int i = 0; i < DEEP; i++)
        buf_puts(&deep, "{\"properties\":{\"a\":");
    buf_puts(&deep, "{}");
    for (int i = 0; i < DEEP; i++)
        buf_puts(&deep, "}}");
    expect_refused(buf_cstr(&deep), "nested");
    buf_puts(&bomb, "{\"properties\":{\"a\":{\"$ref\":\"#/$defs/d0\"}},\"$defs\":{");
    for (int i = 0; i < REFS; i++) /* 2^14 copies at the depth that is allowed */
        buf_printf(&bomb,
                   "%s\"d%d\":{\"properties\":{\"a\":{\"$ref\":\"#/$defs/d%d\"},"
                   "\"b\":{\"$ref\":\"#/$defs/d%d\"}}}",
                   i ? "," : "", i, (i + 1) % REFS, (i + 1) % REFS);
    buf_puts(&bomb, "}}");
    expect_refused(buf_cstr(&bomb), "nested");
    buf_puts(&wide, "{\"properties\":{\"a\":{\"enum\":[0");
    for (int i = 1; i < 100000; i++)
        buf_printf(&wide, ",%d", i);
    buf_puts(&wide, "]}}}");
    expect_refused(buf_cstr(&wide), "too large");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_all_take_stays),
        cmocka_unit_test(what_some_refuse_is_left_out),
        cmocka_unit_test(what_is_referred_to_stands_there),
        cmocka_unit_test(the_top_is_an_object),
        cmocka_unit_test(what_is_huge_or_deep_is_refused_in_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
