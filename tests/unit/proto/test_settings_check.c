/* What is refused at start, and what an unknown variable was meant to be. */
#include "tests/unit/unit.h"

#include <string.h>
#include "proto/settings_check.h"

static void addresses(void **state)
{
    (void)state;
    char why[SETTINGS_WHY_MAX] = "";
    static const char *const good[] = {"", "http://h", "https://h:1/v1", "http://[::1]:8080/x"};
    static const char *const bad[] = {"h:80",      "ftp://h",    "http://",
                                      "http:///x", "http://a b", "http://h/#x"};
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_true(settings_url("URL", good[i], why));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_false(settings_url("URL", bad[i], why));
        assert_ptr_equal(strstr(why, "URL"), why);
    }
}

static void origins(void **state)
{
    (void)state;
    char why[SETTINGS_WHY_MAX] = "";
    static const char *const bad[] = {
        "a.example", "https://a/",  "https://a/app",         "https://",
        "://a",      "https://u@a", "https://a,https://b?x", "https://*"};
    assert_true(settings_origins("O", "", why));
    assert_true(settings_origins("O", "https://a:1, http://[::1]:3000,", why));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(settings_origins("O", bad[i], why));
}

static void folders_and_beats(void **state)
{
    (void)state;
    char why[SETTINGS_WHY_MAX] = "";
    assert_true(settings_folder("F", "", why) && settings_folder("F", "/", why));
    assert_false(settings_folder("F", "/nowhere/at/all", why));
    assert_false(settings_folder("F", "/dev/null", why));
    assert_true(settings_beats(200, 400, why));
    assert_false(settings_beats(200, 399, why));
    assert_non_null(strstr(why, "PERSAI_BEAT"));
}

static void names(void **state)
{
    (void)state;
    const char *nearest;
    static const char *const known[] = {"PATH",         "PERSAI_REDIS",  "PERSAI_REDIS_FILE",
                                        "PERSAI_STATE", "PERSAI_TEST_X", "PERSAI_MODELS"};
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        assert_true(settings_known(known[i], &nearest));
    assert_false(settings_known("PERSAI_REDSI", &nearest));
    assert_string_equal(nearest, "PERSAI_REDIS");
    assert_false(settings_known("PERSAI_MODEL_PATIENC", &nearest));
    assert_string_equal(nearest, "PERSAI_MODEL_PATIENCE");
    assert_false(settings_known("PERSAI_XYZZYPLUGH", &nearest));
    assert_null(nearest);
    char longest[300];
    memset(longest, 'A', sizeof(longest));
    memcpy(longest, "PERSAI_", 7);
    longest[299] = '\0';
    assert_false(settings_known(longest, &nearest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(addresses), cmocka_unit_test(origins),
                                       cmocka_unit_test(folders_and_beats),
                                       cmocka_unit_test(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
