/* The time that a question is about, in all ways to say it. */
#include "tests/support/unit.h"

#include "proto/time_range.h"

#define NOW INT64_C(1764590400000) /* 2025-12-01T12:00:00Z */
enum { HOUR = 3600 * 1000 };

static const char *read(const char *text, const char *zone, struct time_range *r)
{
    json_auto_t *range = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(range);
    return time_range_read(range, str_of(zone), NOW, r);
}

static void every_way_to_say_it_is_read(void **state)
{
    static const struct {
        const char *text, *zone;
        int64_t start_ms, end_ms;
    } cases[] = {
        {"null", "", 0, 0},
        {"{}", "", 0, 0},
        {"{\"duration\":\"1h\"}", "", NOW - HOUR, NOW},
        {"{\"duration\":\" 1h30m \"}", "", NOW - HOUR - HOUR / 2, NOW},
        {"{\"pastDuration\":\"6h\"}", "", NOW - 6 * HOUR, NOW},
        {"{\"duration\":\"1h\",\"start\":null,\"end\":\"\"}", "", NOW - HOUR, NOW},
        {"{\"duration\":\"99y\"}", "", 0, NOW}, /* not before the clock began */
        {"{\"start\":\"2025-12-01T10:00:00Z\",\"end\":\"2025-12-01T11:00:00Z\"}", "",
         NOW - 2 * HOUR, NOW - HOUR},
        {"{\"start\":\"2025-12-01T10:00:00Z\"}", "", NOW - 2 * HOUR, NOW},
        {"{\"duration\":\"1h\",\"end\":\"2025-12-01T11:00:00Z\"}", "", NOW - 2 * HOUR, NOW - HOUR},
        {"{\"duration\":\"1h\",\"start\":\"2025-12-01T10:00:00Z\"}", "", NOW - 2 * HOUR,
         NOW - HOUR},
        {"{\"start\":\"now-3h\",\"end\":\"now\"}", "", NOW - 3 * HOUR, NOW},
        {"{\"start\":\"now - 3h\",\"end\":\"now+1h\"}", "", NOW - 3 * HOUR, NOW + HOUR},
        {"{\"start\":1764583200000,\"end\":1764586800000}", "", NOW - 2 * HOUR, NOW - HOUR},
        {"{\"start\":1764583200,\"end\":\"1764586800\"}", "", NOW - 2 * HOUR, NOW - HOUR},
        {"{\"start\":\"2025-12-01T11:00:00\",\"end\":\"2025-12-01T11:00:00Z\"}", "Europe/Berlin",
         NOW - 2 * HOUR, NOW - HOUR},
        {"{\"start\":\"2025-12-01T10:00:00Z\"}", "Mars/Olympus", NOW - 2 * HOUR, NOW},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct time_range r;
        const char *fault = read(cases[i].text, cases[i].zone, &r);
        if (fault || r.start_ms != cases[i].start_ms || r.end_ms != cases[i].end_ms)
            fail_msg("%s: %s, %lld to %lld", cases[i].text, fault ? fault : "read",
                     (long long)r.start_ms, (long long)r.end_ms);
    }
    struct time_range r;
    assert_null(time_range_read(NULL, STR(""), NOW, &r));
}

static void what_can_not_be_read_is_said(void **state)
{
    static const char *const cases[][2] = {
        {"[]", "time_range must be"},
        {"\"1h\"", "time_range must be"},
        {"{\"from\":\"now-1h\",\"to\":\"now\"}", "needs start and end"},
        {"{\"end\":\"now\"}", "needs start and end"},
        {"{\"start\":\"now-1h\",\"end\":\"now\",\"duration\":\"1h\"}", "not with both"},
        {"{\"duration\":\"3 hours\"}", "time_range.duration"},
        {"{\"duration\":\"PT3H\"}", "time_range.duration"},
        {"{\"duration\":\"180\"}", "time_range.duration"},
        {"{\"duration\":180}", "time_range.duration"},
        {"{\"duration\":\"-1h\"}", "time_range.duration"},
        {"{\"duration\":\"0\"}", "time_range.duration"},
        {"{\"duration\":\"0s\"}", "time_range.duration"},
        {"{\"duration\":\"100000y\"}", "time_range.duration"},
        {"{\"start\":\"yesterday\"}", "time_range.start must be RFC 3339"},
        {"{\"start\":\"now-\"}", "time_range.start must be RFC 3339"},
        {"{\"start\":\"nowhere\"}", "time_range.start must be RFC 3339"},
        {"{\"start\":\"now-1 hour\"}", "time_range.start must be RFC 3339"},
        {"{\"start\":\"now-100000y\"}", "time_range.start must be RFC 3339"},
        {"{\"start\":\"2025-02-30T00:00:00Z\"}", "time_range.start must be RFC 3339"},
        {"{\"start\":0}", "time_range.start must be RFC 3339"},
        {"{\"start\":-9223372036854775807}", "time_range.start must be RFC 3339"},
        {"{\"start\":1.5}", "time_range.start must be RFC 3339"},
        {"{\"start\":[]}", "time_range.start must be RFC 3339"},
        {"{\"start\":1,\"end\":9223372036854775807}", "time_range.end must be RFC 3339"},
        {"{\"start\":\"now-1h\",\"end\":\"soon\"}", "time_range.end must be RFC 3339"},
        {"{\"start\":\"now\",\"end\":\"now-1h\"}", "before its end"},
        {"{\"start\":\"now\",\"end\":\"now\"}", "before its end"},
        {"{\"start\":\"now+1h\"}", "before its end"},
    };
    (void)state;
    static const char *const zones[] = {"Mars/Olympus", "+02:00", "UTC+2"};
    for (size_t i = 0; i < 3; i++) {
        struct time_range r = {1, 1};
        const char *fault = read("{\"start\":\"2025-12-01T10:00:00\"}", zones[i], &r);
        assert_non_null(strstr(fault ? fault : "", "timezone is not known here"));
        assert_true(r.start_ms == 0 && r.end_ms == 0);
    }
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct time_range r = {1, 1};
        const char *fault = read(cases[i][0], "", &r);
        if (!fault || !strstr(fault, cases[i][1]) || r.start_ms != 0 || r.end_ms != 0)
            fail_msg("%s: %s", cases[i][0], fault ? fault : "read");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_to_say_it_is_read),
        cmocka_unit_test(what_can_not_be_read_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
