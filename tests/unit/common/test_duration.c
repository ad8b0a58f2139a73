#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "common/duration.h"

static void durations_have_units_and_no_overflow(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"250ms", 250},
                {"30s", 30000},
                {"7d", 7 * 86400000LL},
                {"2w", 14 * 86400000LL},
                {"1y", 365 * 86400000LL},
                {"0", 0},
                {"0s", 0},
                {"1h30m", 5400000},
                {"1.5h", 5400000},
                {"0.1s", 100},
                {"0.0004s", 0},
                {"1h0.5s", 3600500},
                {"9223372036854775807ms", INT64_MAX}};
    static const char *const bad[] = {"",
                                      "s",
                                      "10",
                                      "-1s",
                                      "1s ",
                                      " 1s",
                                      "1week",
                                      "1.s",
                                      ".5s",
                                      "1h5",
                                      "1h0",
                                      "1hm",
                                      "1h-5m",
                                      "1e3s",
                                      "5M",
                                      "1h 5m",
                                      "00",
                                      "1 s",
                                      "NaN",
                                      "0x1s",
                                      "1.1.1s",
                                      "9223372036854775807s",
                                      "9223372036854775807ms1ms",
                                      "99999999999999999999s"};
    int64_t ms = -1;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        if (!duration_parse(str_of(good[i].text), &ms) || ms != good[i].ms)
            fail_msg("%s: %lld", good[i].text, (long long)ms);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (duration_parse(str_of(bad[i]), &ms))
            fail_msg("%s: %lld", bad[i], (long long)ms);
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } written[] = {{0, "0s"},         {15000, "15s"},           {90000, "90s"},  {5400000, "1h30m"},
                   {1500, "1s500ms"}, {120000, "2m"},           {3600000, "1h"}, {1, "1ms"},
                   {604800000, "7d"}, {90061001, "1d1h1m1s1ms"}};
    for (size_t i = 0; i < sizeof(written) / sizeof(*written); i++) {
        int64_t ms = -1;
        assert_string_equal(duration_write(written[i].ms), written[i].text);
        assert_true(duration_parse(str_of(written[i].text), &ms));
        assert_int_equal(ms, written[i].ms);
    }
}

static void four_texts_live_at_once(void **state)
{
    (void)state;
    const char *a = duration_write(1000), *b = duration_write(2000), *c = duration_write(3000),
               *d = duration_write(4000);
    assert_string_equal(a, "1s");
    assert_string_equal(b, "2s");
    assert_string_equal(c, "3s");
    assert_string_equal(d, "4s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_have_units_and_no_overflow),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(four_texts_live_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
