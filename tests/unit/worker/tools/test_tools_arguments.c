/* Every tool's every argument in every wrong type and shape, made from its schema: each run ends
 * once, in a result or in a sentence that says what is wrong; under ASAN nothing leaks. */
#include "tests/support/tools_fixture.h"

enum { TEXT_MAX = 200 * 1024, COMBINATIONS = 60 };

/* JSON texts, some of them broken ones. */
static const struct str values[] = {
    STR("null"),
    STR("true"),
    STR("false"),
    STR("0"),
    STR("-0"),
    STR("1"),
    STR("-1"),
    STR("1.5"),
    STR("1e308"),
    STR("-1e308"),
    STR("1e-320"),
    STR("1e999"),
    STR("9223372036854775807"),
    STR("-9223372036854775808"),
    STR("99999999999999999999"),
    STR("NaN"),
    STR("\"NaN\""),
    STR("\"+Inf\""),
    STR("\"-Infinity\""),
    STR("\"\""),
    STR("\" \\t\\n \""),
    STR("\"0\""),
    STR("\"10\""),
    STR("\"-1\""),
    STR("\"1e9\""),
    STR("\"99999999999999999999\""),
    STR("\"\\u0000\""),
    STR("\"a\\u0000b\""),
    STR("\"\\u0001\\u001f\\u007f\\u009b\""),
    STR("\"\\ud800\""),
    STR("\"\\udc00\\ud800\""),
    STR("\"\\u202e\\ufeff\\u00ad\\ue000\""),
    STR("\"\xff\xfe\""),
    STR("\"\xc3\""),
    STR("\"\xed\xa0\x80\""),
    STR("\"\xf8\x88\x80\x80\x80\""),
    STR("\"raw\ncontrol\x01\""),
    STR("\"nul\0inside\""),
    STR("\"{\""),
    STR("\"}\""),
    STR("\"{}\""),
    STR("\"{job=\\\"api\\\"}\""),
    STR("\"{job=\\\"api\\\"\""),
    STR("\"job=\\\"api\\\"}) or vector(1\""),
    STR("\"rate(x_bucket[5m])\""),
    STR("\"x[5m]\""),
    STR("\"5 minutes\""),
    STR("\"5m\""),
    STR("\"0s\""),
    STR("\"-5m\""),
    STR("\"99999999999y\""),
    STR("\"now\""),
    STR("\"now-99999999999999999999h\""),
    STR("\"1969-12-31T23:59:59Z\""),
    STR("\"9999-99-99T99:99:99Z\""),
    STR("\"%s%n%99999d\""),
    STR("\"'\\\"`\\\\\""),
    STR("\"# comment\""),
    STR("\"$__range ${x:regex} $\""),
    STR("\"../../etc/passwd\""),
    STR("\"/proxy/unsaved/x\""),
    STR("\"/proxy/globaldatasources/prom\""),
    STR("\"/proxy/globaldatasources/prom?x=\\r\\nHost: y\""),
    STR("\"__name__\""),
    STR("\"le\""),
    STR("[]"),
    STR("{}"),
    STR("[null]"),
    STR("[[[[[[[[]]]]]]]]"),
    STR("[\"\",1,{},[],null,true]"),
    STR("{\"a\":{\"b\":[{\"c\":null}]}}"),
    STR("{\"type\":\"string\",\"\":null}"),
    STR("\"[1,2\""),
    STR("\"[\\\"a\\\",\\\"b\\\"]\""),
    STR("{"),
    STR("\"open"),
    STR("nul"),
    STR(""),
};
enum { VALUES = sizeof(values) / sizeof(values[0]) };

/* What a datasource and Perses answer, by turns. */
static const struct answer scripts[][2] = {
    {{.path = "", .status = 200, .body = STR("{\"status\":\"success\",\"data\":[]}")}, {0}},
    {{.path = "",
      .status = 200,
      .body = STR("{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{"
                  "\"metric\":{\"i\":\"0\"},\"values\":[[1,\"3\"]]}]}}")},
     {0}},
    {{.path = "", .status = 200, .body = STR("[{\"metadata\":{\"name\":null},\"spec\":[]}]")}, {0}},
    {{.path = "", .status = 404, .body = STR("{\"error\":\"document not found\"}")}, {0}},
    {{.path = "", .status = 200, .body = STR("<html>\xff\0")}, {0}},
};
enum { SCRIPTS = sizeof(scripts) / sizeof(scripts[0]) };

struct tried {
    struct fixture *f;
    struct buf text;
    json_t *schema;
    const char *tool;
    unsigned runs;
};

static void each_tool(struct fixture *f, void (*fn)(struct tried *));
static void run(struct tried *t, struct str arguments);
static void write_call(struct tried *t, const char *wrong, struct str value);

static int setup(void **state)
{
    *state = fixture_new();
    ((struct fixture *)*state)->approval = APPROVAL_GIVEN; /* so that those that ask run as well */
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

static void one_wrong_argument(struct tried *t)
{
    const char *name;
    json_t *property;
    json_object_foreach(json_object_get(t->schema, "properties"), name, property)
    {
        for (unsigned i = 0; i < VALUES; i++) {
            write_call(t, name, values[i]);
            run(t, buf_str(&t->text));
        }
    }
}

static void each_argument_in_each_wrong_shape_ends_once(void **state)
{
    each_tool(*state, one_wrong_argument);
}

/* As long as a call may be, and longer: of letters, of characters, of brackets. */
static void long_arguments(struct tried *t)
{
    static const char *const pieces[] = {"a", "\xc3\xa4", "[", "{\\\"", "\\u0000", "a,"};
    static const unsigned lengths[] = {300, 9000, 70000};
    scoped_buf(value, TEXT_MAX);
    const char *name;
    json_t *property;
    json_object_foreach(json_object_get(t->schema, "properties"), name, property)
    {
        for (unsigned i = 0; i < sizeof(pieces) / sizeof(pieces[0]) * 3; i++) {
            buf_clear(&value);
            buf_putc(&value, '"');
            while (value.len < lengths[i % 3])
                buf_puts(&value, pieces[i / 3]);
            buf_putc(&value, '"');
            write_call(t, name, buf_str(&value));
            run(t, buf_str(&t->text));
        }
    }
}

static void each_argument_too_long_ends_once(void **state) { each_tool(*state, long_arguments); }

static void wrong_wholes(struct tried *t)
{
    static const struct str wholes[] = {
        STR(""),
        STR(" "),
        STR("null"),
        STR("true"),
        STR("7"),
        STR("\"text\""),
        STR("[]"),
        STR("[{}]"),
        STR("{}"),
        STR("{"),
        STR("{}}"),
        STR("{\"\":\"\"}"),
        STR("{\"no_such_argument\":{\"deep\":[1]}}"),
        STR("{\"query\":\"up\",\"query\":7,\"metric\":[],\"metric\":\"x\"}"),
        STR("{\"datasource\":\"a\",\"datasource\":\"b\"}"),
        STR("{\"a\":1,}"),
        STR("\xef\xbb\xbf{}"),
        STR("\0"),
        STR("{}\0{}"),
        STR("\xff\xff\xff"),
    };
    for (unsigned i = 0; i < sizeof(wholes) / sizeof(wholes[0]); i++)
        run(t, wholes[i]);
    const char *name;
    json_t *property;
    json_object_foreach(json_object_get(t->schema, "properties"), name, property)
    {
        buf_clear(&t->text); /* it alone, twice; what is required besides is missing */
        buf_printf(&t->text, "{\"%s\":\"up\",\"%s\":null}", name, name);
        run(t, buf_str(&t->text));
        write_call(t, "unknown\\u0000", STR("\"x\""));
        run(t, buf_str(&t->text));
    }
    buf_clear(&t->text);
    for (unsigned i = 0; i < 5000; i++)
        buf_puts(&t->text, i % 2 ? "[" : "{\"a\":");
    run(t, buf_str(&t->text));
}

static void arguments_that_are_no_arguments_end_once(void **state)
{
    each_tool(*state, wrong_wholes);
}

static void combined(struct tried *t)
{
    uint64_t random = 88172645463325252u;
    for (unsigned i = 0; i < COMBINATIONS; i++) {
        const char *name;
        json_t *property;
        buf_clear(&t->text);
        buf_putc(&t->text, '{');
        json_object_foreach(json_object_get(t->schema, "properties"), name, property)
        {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            buf_printf(&t->text, "%s\"%s\":", t->text.len > 1 ? "," : "", name);
            buf_add_str(&t->text, values[random % (VALUES - 4)]); /* not those that break it all */
        }
        buf_putc(&t->text, '}');
        run(t, buf_str(&t->text));
    }
}

static void several_wrong_arguments_end_once(void **state) { each_tool(*state, combined); }

static void each_tool(struct fixture *f, void (*fn)(struct tried *))
{
    unsigned count;
    const struct tool_spec *specs = tools_specs(f->tools, &count);
    struct tried t = {.f = f};
    buf_init(&t.text, TEXT_MAX);
    for (unsigned i = 0; i < count; i++) {
        t.tool = specs[i].name;
        t.schema = json_loads(specs[i].schema_json, 0, NULL);
        assert_non_null(t.schema);
        fn(&t);
        json_decref(t.schema);
    }
    assert_true(t.runs >= count);
    buf_free(&t.text);
}

static void run(struct tried *t, struct str arguments)
{
    struct fixture *f = t->f;
    size_t len = strlen(t->tool);
    f->script = scripts[t->runs++ % SCRIPTS];
    f->done = f->asked_count = 0;
    char *copy = malloc(arguments.len + 1); /* of exactly that length */
    memcpy(copy, arguments.len ? arguments.at : "", arguments.len);
    tools_asks(f->tools, (struct str){t->tool, len}, (struct str){copy, arguments.len});
    fixture_start_bytes(f, t->tool, (struct str){copy, arguments.len});
    free(copy); /* borrowed until it returned */
    assert_int_equal(f->done, 0);
    if (!pump_within(f->pump, 20000, fixture_is_done, f))
        fail_msg("%s never ends with %.200s", t->tool, arguments.at);
    assert_int_equal(f->done, 1);
    if (f->content[0] == '\0' ||
        (f->failed && (fixture_text(f, "error")[0] == '\0' || fixture_text(f, "code")[0] == '\0')))
        fail_msg("%s with %.200s: %s", t->tool, arguments.at, f->content);
}

/* What the schema takes, of its kind. */
static const char *right_value(const json_t *property)
{
    const char *type = json_string_value(json_object_get(property, "type"));
    const json_t *words = json_object_get(property, "enum");
    static char word[128];
    if (json_array_size(words) > 0) {
        snprintf(word, sizeof(word), "\"%s\"", json_string_value(json_array_get(words, 0)));
        return word;
    }
    if (type && (strcmp(type, "integer") == 0 || strcmp(type, "number") == 0))
        return "1";
    if (type && strcmp(type, "boolean") == 0)
        return "true";
    if (type && strcmp(type, "array") == 0)
        return "[]";
    return type && strcmp(type, "object") == 0 ? "{}" : "\"up\"";
}

/* All that is required, of its kind, and the wrong one. */
static void write_call(struct tried *t, const char *wrong, struct str value)
{
    size_t i;
    json_t *required;
    buf_clear(&t->text);
    buf_printf(&t->text, "{\"%s\":", wrong);
    buf_add_str(&t->text, value);
    json_array_foreach(json_object_get(t->schema, "required"), i, required)
    {
        const char *name = json_string_value(required);
        const json_t *properties = json_object_get(t->schema, "properties");
        if (strcmp(name, wrong) != 0)
            buf_printf(&t->text, ",\"%s\":%s", name,
                       right_value(json_object_get(properties, name)));
    }
    buf_putc(&t->text, '}');
    assert_false(t->text.overflowed);
}

static void bad_arguments_of_a_histogram_are_answered(void **state)
{
    static const char *const bad[] = {
        "{\"metric\":\"x\",\"matchers\":\"{job=\\\"api\\\"\"}",
        "{\"metric\":\"x\",\"matchers\":\"job=\"}",
        "{\"metric\":\"x\",\"matchers\":\"job=\\\"a\\\"}) or on() (up{\"}",
        "{\"metric\":\"x\",\"window\":\"five minutes\"}",
        "{\"metric\":\"x\",\"window\":\"-5m\"}",
        "{\"metric\":\"x\",\"window\":\"5m])) or (up[5m\"}",
        "{\"metric\":\"rate(x_bucket[5m])\"}",
        "{\"metric\":\"x_bucket{job=\\\"a\\\"}[5m]\"}",
        "{\"metric\":\"_bucket_bucket or up\"}",
        "{\"metric\":\"\"}",
        "{\"metric\":\" \"}",
        "{\"metric\":\"x\",\"quantile\":950}",
        "{\"metric\":\"x\",\"quantile\":-0.1}",
        "{\"metric\":\"x\",\"quantile\":\"p95nd\"}",
        "{}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        fixture_run(*state, NULL, "histogram_quantile", bad[i]);
        fixture_expect_error(*state, "bad_arguments", "");
        assert_int_equal(((struct fixture *)*state)->asked_count, 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(bad_arguments_of_a_histogram_are_answered),
        TEST(each_argument_in_each_wrong_shape_ends_once),
        TEST(each_argument_too_long_ends_once),
        TEST(arguments_that_are_no_arguments_end_once),
        TEST(several_wrong_arguments_end_once),
    };
    return cmocka_run_group_tests_name("worker/tools_arguments", tests, NULL, NULL);
}
