#include "tests/support/unit.h"
#include "proto/switches.h"

static bool reads(const char *json, char error[256])
{
    struct switches s;
    bool fine = switches_read(str_of(json), &s, error);
    switches_free(&s);
    return fine;
}

static void names_are_of_known_kinds(void **state)
{
    (void)state;
    const char *const right[] = {"turns", "door:api", "door:webhook", "model:a/b:c", "tool:x"};
    const char *const wrong[] = {"",      "turn",  "turns:", "turns:x", "door:",   "door:x",
                                 "doors", "tool:", "tool: ", "x:y",     "tool:\n", "model:\xff"};
    for (unsigned i = 0; i < sizeof(right) / sizeof(*right); i++)
        assert_true(switch_name_ok(str_of(right[i])));
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_false(switch_name_ok(str_of(wrong[i])));
}

static void a_file_says_where_it_is_wrong(void **state)
{
    (void)state;
    char error[256] = "";
    assert_true(reads("{}", error));
    assert_true(
        reads("\xEF\xBB\xBF{\r\n\"turns\": \"later\"}\r\n", error)); /* by an editor of Windows */
    assert_true(reads("{\"turns\": \"later\",\n\"model:m\": \"x\"}", error));
    assert_false(reads("{\"turns\": \"later\",\n\n\"model:m\": 1}", error));
    assert_non_null(strstr(error, "line 3: a switch needs a sentence"));
    assert_false(reads("{\"turns\": \"later\",\n\"cellar\": \"x\"}", error));
    assert_non_null(strstr(error, "line 2: a switch is turns"));
    for (const char *const *bad = (const char *const[]){"", "[]", "{", "1", "{\"turns\":\"\"}",
                                                        "{\"turns\":\"a\",\"turns\":\"b\"}", NULL};
         *bad; bad++)
        assert_false(reads(*bad, error));
}

static void what_is_off_is_found_by_kind_and_name(void **state)
{
    (void)state;
    struct switched now = {0};
    assert_null(switched_off(NULL, "turns", STR("")));
    assert_true(switches_add(&now.of_store, STR("model:a:b"), STR("one"), STR(""), 0));
    assert_true(switches_add(&now.of_store, STR("turns"), STR("two"), STR(""), 0));
    assert_string_equal(switched_off(&now, "model", STR("a:b")), "one");
    assert_null(switched_off(&now, "model", STR("a")));
    assert_null(switched_off(&now, "tool", STR("a:b")));
    assert_string_equal(switched_off(&now, "turns", STR("")), "two");
    assert_true(switched_any(&now, "model") && !switched_any(&now, "tool"));
    assert_true(switches_add(&now.of_file, STR("turns"), STR("three"), STR(""), 0));
    assert_string_equal(switched_off(&now, "turns", STR("")), "three");
    while (switches_add(&now.of_store, STR("tool:x"), STR("y"), STR(""), 0))
        ;
    assert_int_equal(now.of_store.count, SWITCHES_MAX);
    switches_free(&now.of_file);
    switches_free(&now.of_store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_of_known_kinds),
        cmocka_unit_test(a_file_says_where_it_is_wrong),
        cmocka_unit_test(what_is_off_is_found_by_kind_and_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
