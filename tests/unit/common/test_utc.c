/* A moment as text. */
#include "tests/support/unit.h"

#include "common/utc.h"

static void a_moment_is_written_in_each_form(void **state)
{
    (void)state;
    static const struct {
        int64_t unix_ms;
        enum utc_form form;
        const char *text;
    } cases[] = {
        {0, UTC_SECONDS, "1970-01-01T00:00:00Z"},
        {1700000000999, UTC_SECONDS, "2023-11-14T22:13:20Z"},
        {1700000000007, UTC_MILLISECONDS, "2023-11-14T22:13:20.007Z"},
        {1700000000000, UTC_MILLISECONDS, "2023-11-14T22:13:20.000Z"},
        {1700000000999, UTC_FOR_PEOPLE, "2023-11-14 22:13:20 UTC"},
        {1709164800000, UTC_FOR_PEOPLE, "2024-02-29 00:00:00 UTC"},
        {253402300800000, UTC_SECONDS, "10000-01-01T00:00:00Z"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[UTC_TEXT_MAX];
        utc_write(cases[i].unix_ms, cases[i].form, text);
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_moment_is_written_in_each_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
