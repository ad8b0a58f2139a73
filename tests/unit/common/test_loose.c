/* JSON by hand: what has one meaning is read, all else is refused. */
#include "tests/support/unit.h"

#include "common/loose.h"

static void what_has_one_meaning_is_read(void **state)
{
    static const char *const cases[][3] = {
        {"{\"a\":1}", "{\"a\":1}", ""},
        {" {'a': 'it\\'s \"so\"'} tail", "{\"a\":\"it's \\\"so\\\"\"}", " tail"},
        {"{\"a\":[1,2,],}", "{\"a\":[1,2]}", ""},
        {"{a: True, b_1: None, 'c': False}", "{\"a\":true,\"b_1\":null,\"c\":false}", ""},
        {"{\"q\":\"sum(\n\tup)\"}", "{\"q\":\"sum(\\n\\tup)\"}", ""},
        {"[]", "[]", ""},
        {"[ { } ]}", "[{}]", "}"},
        {"{\"a\":-1.5e3,\"b\":\"\\u00e4\\\\\"}", "{\"a\":-1500.0,\"b\":\"\xc3\xa4\\\\\"}", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t used = 0;
        json_auto_t *root = loose_read((struct str){cases[i][0], strlen(cases[i][0])}, &used);
        if (!root)
            fail_msg("%s: refused", cases[i][0]);
        char *text = json_dumps(root, JSON_COMPACT);
        assert_string_equal(text, cases[i][1]);
        assert_string_equal(cases[i][0] + used, cases[i][2]);
        free(text);
    }
    size_t used;
    json_auto_t *word = loose_value((struct str){"'up', 3", 7}, &used);
    assert_string_equal(json_string_value(word), "up");
    assert_int_equal(used, 4);
}

static void all_else_is_refused(void **state)
{
    static const char *const cases[] = {"",
                                        "   ",
                                        "up",
                                        "\"up\"",
                                        "{",
                                        "{\"a\":",
                                        "{\"a\":1",
                                        "{\"a\"",
                                        "{a=1}",
                                        "{\"a\" 1}",
                                        "{\"a\":1 \"b\"}",
                                        "{,}",
                                        "[,]",
                                        "[1,,2]",
                                        "{1:2}",
                                        "{\"a\":x}",
                                        "{'a':'b}",
                                        "{\"a\":\"\\x\"}",
                                        "{\"a\":1.2.3}",
                                        "[\"\xff\"]",
                                        "{\"a\":1,\"a\":2}"};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t used;
        json_auto_t *root = loose_read((struct str){cases[i], strlen(cases[i])}, &used);
        if (root)
            fail_msg("%s: read", cases[i]);
    }
    char deep[1000];
    memset(deep, '[', sizeof(deep));
    size_t used;
    assert_null(loose_read((struct str){deep, sizeof(deep)}, &used));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_one_meaning_is_read),
        cmocka_unit_test(all_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
