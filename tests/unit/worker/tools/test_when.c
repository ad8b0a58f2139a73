/* Times as people say them. */
#include "tests/support/unit.h"

#include <stdio.h>
#include "worker/tools/moment.h"
#include "worker/tools/when.h"

/* Tuesday 2023-11-14 22:13:20 UTC; 23:13:20 in Berlin; Wednesday 2023-11-15 07:13:20 in Tokyo */
static const int64_t now = 1700000000000;

static void expect(const char *text, const char *zone, const char *wanted)
{
    struct buf b;
    int64_t ms = -1;
    enum zone_remark remark;
    bool ok = when_parse(str_of(text), now, str_of(zone), &ms, &remark);
    buf_init(&b, 64);
    if (ok)
        moment_rfc3339(&b, ms);
    if (strcmp(buf_cstr(&b), wanted) != 0)
        fail_msg("\"%s\" in %s: %s, wanted %s", text, zone, buf_cstr(&b), wanted);
    buf_free(&b);
}

static void times_are_the_persons(void **state)
{
    (void)state;
    expect("since 14:00", "", "2023-11-14T14:00:00Z");
    expect("since 14:00", "Europe/Berlin", "2023-11-14T13:00:00Z");
    expect("14:00", "Asia/Tokyo", "2023-11-14T05:00:00Z"); /* today's is still to come */
    expect("since 23:30", "", "2023-11-13T23:30:00Z");
    expect("yesterday", "", "2023-11-13T00:00:00Z");
    expect("yesterday", "Asia/Tokyo", "2023-11-13T15:00:00Z");
    expect("yesterday at 9am", "Europe/Berlin", "2023-11-13T08:00:00Z");
    expect("Yesterday, 21:05:30", "", "2023-11-13T21:05:30Z");
    expect("today", "", "2023-11-14T00:00:00Z");
    expect("today 23:00", "", "2023-11-14T23:00:00Z"); /* a day was said: also in the future */
    expect("noon", "", "2023-11-14T12:00:00Z");
    expect("midnight", "", "2023-11-14T00:00:00Z");
    expect("monday", "", "2023-11-13T00:00:00Z");
    expect("last Tuesday", "", "2023-11-07T00:00:00Z");
    expect("since Friday 12:30 pm", "", "2023-11-10T12:30:00Z");
    expect("wed 12am", "", "2023-11-08T00:00:00Z");
    expect("yesterday morning", "", "2023-11-13T06:00:00Z");
    expect("2023-10-29 at 3pm", "Europe/Berlin", "2023-10-29T14:00:00Z"); /* after the change */
    expect("3 days ago", "", "2023-11-11T22:13:20Z");
    expect("an hour ago", "", "2023-11-14T21:13:20Z");
    expect("half an hour ago", "", "2023-11-14T21:43:20Z");
    expect("90 minutes ago", "", "2023-11-14T20:43:20Z");
    expect("in 2 hours", "", "2023-11-15T00:13:20Z");
    expect("in half an hour", "", "2023-11-14T22:43:20Z");
    expect("10 minutes from now", "", "2023-11-14T22:23:20Z");
    expect("in the last 2 hours", "", "2023-11-14T20:13:20Z");
}

static void weeks_and_months_are_the_calendars(void **state)
{
    (void)state;
    expect("last week", "", "2023-11-06T00:00:00Z");
    expect("this week", "Europe/Berlin", "2023-11-12T23:00:00Z");
    expect("since the beginning of the week", "Asia/Tokyo", "2023-11-12T15:00:00Z");
    expect("last month", "Europe/Berlin", "2023-09-30T22:00:00Z"); /* it was summer time */
    expect("this month", "", "2023-11-01T00:00:00Z");
    expect("start of this year", "Asia/Kolkata", "2022-12-31T18:30:00Z");
    expect("last year", "", "2022-01-01T00:00:00Z");
    expect("this hour", "Asia/Kathmandu", "2023-11-14T21:15:00Z"); /* 03:58 there */
    expect("last hour", "", "2023-11-14T21:13:20Z");
    expect("the past 24 hours", "", "2023-11-13T22:13:20Z");
    expect("in the last seven days", "", "2023-11-07T22:13:20Z");
    expect("past week", "", "2023-11-07T22:13:20Z");
    expect("2 hours", "", "2023-11-14T20:13:20Z");
    expect("two hours ago", "", "2023-11-14T20:13:20Z");
    expect("last weekend", "", "2023-11-11T00:00:00Z");
    expect("tomorrow 9am", "", "2023-11-15T09:00:00Z");
    expect("start of yesterday", "", "2023-11-13T00:00:00Z");
}

static void dates_are_read_as_they_are_said(void **state)
{
    (void)state;
    expect("3 Nov", "", "2023-11-03T00:00:00Z");
    expect("November 3rd at 2pm", "Europe/Berlin", "2023-11-03T13:00:00Z");
    expect("28 Nov", "", "2022-11-28T00:00:00Z"); /* this year's is still to come */
    expect("on the 1st of may 2021", "", "2021-05-01T00:00:00Z");
    expect("Oct 29, 2023 02:30", "Europe/Berlin", "2023-10-29T00:30:00Z");
    expect("Fri, 03 Nov 2023 12:00:00 GMT", "Asia/Tokyo", "2023-11-03T12:00:00Z");
    expect("Fri, 3 Nov 2023 12:00:00 +0130", "Asia/Tokyo", "2023-11-03T10:30:00Z");
    expect("3 Nov 12:00 UTC", "Asia/Tokyo", "2023-11-03T12:00:00Z");
}

static void expect_moment(const char *text, const char *zone, const char *wanted)
{
    int64_t ms;
    scoped_buf(b, 64);
    if (moment_parse(str_of(text), 1700000000000, str_of(zone), &ms, NULL))
        moment_rfc3339(&b, ms);
    if (strcmp(buf_cstr(&b), wanted) != 0)
        fail_msg("\"%s\" in %s: %s, wanted %s", text, zone, buf_cstr(&b), wanted);
}

static void now_is_rounded_as_dashboards_do(void **state)
{
    (void)state;
    expect_moment("now/d", "Europe/Berlin", "2023-11-13T23:00:00Z");
    expect_moment("now-1d/d", "", "2023-11-13T00:00:00Z");
    expect_moment("now-1w/w", "", "2023-11-06T00:00:00Z");
    expect_moment("now/w", "", "2023-11-13T00:00:00Z");
    expect_moment("now-1M", "Europe/Berlin", "2023-10-14T21:13:20Z"); /* the same clock */
    expect_moment("now-1M/M", "", "2023-10-01T00:00:00Z");
    expect_moment("now-9M", "", "2023-02-14T22:13:20Z");
    expect_moment("now/y", "", "2023-01-01T00:00:00Z");
    expect_moment("now/h", "Asia/Kolkata", "2023-11-14T21:30:00Z");
    expect_moment("now-5m/m", "", "2023-11-14T22:08:00Z");
    expect_moment("2023-11", "Europe/Berlin", "2023-10-31T23:00:00Z");
    expect_moment("1969-12", "", ""); /* nothing was before 1970 */
    expect_moment("1211-11", "", "");
    expect_moment("1970-01", "Europe/Berlin", "");
    expect_moment("20231103T120000Z", "Asia/Tokyo", "2023-11-03T12:00:00Z");
    expect_moment("20231103T1200", "Asia/Tokyo", "2023-11-03T03:00:00Z");
    expect_moment("20231103T120000.5+0100", "", "2023-11-03T11:00:00.500Z");
    expect_moment("2023-11-03T12:00:00,25Z", "", "2023-11-03T12:00:00.250Z");
    expect_moment("2023/11/03 12:00", "", "2023-11-03T12:00:00Z");
    expect_moment("1700000000123", "", "2023-11-14T22:13:20.123Z");
    expect_moment("1700000000123456", "", "2023-11-14T22:13:20.123Z");
    expect_moment("1700000000123456789", "", "2023-11-14T22:13:20.123Z"); /* Loki's, Tempo's */
    expect_moment("17000000001234567890123", "", "");
    static const char *const none[] = {"now/",
                                       "now/x",
                                       "now-/d",
                                       "now-1M/q",
                                       "now/d/d",
                                       "now+1M",
                                       "2023-13",
                                       "2023-1x",
                                       "now-M",
                                       "nowd",
                                       "now-99999999999y/d",
                                       "2023/11",
                                       "20231303T1200",
                                       "last",
                                       "this",
                                       "week",
                                       "32 Nov",
                                       "30 Feb 2023",
                                       "start",
                                       "Nov",
                                       "3 4 Nov",
                                       "12:00 +9",
                                       "last 0x week"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        expect_moment(none[i], "", "");
}

static void what_is_no_time_is_none(void **state)
{
    (void)state;
    static const char *const none[] = {"",
                                       "soon",
                                       "14",
                                       "25:00",
                                       "12:60",
                                       "13pm",
                                       "ago",
                                       "x days ago",
                                       "3 apples ago",
                                       "yesterday tomorrow",
                                       "14:00 15:00",
                                       "mo",
                                       "since",
                                       "the last deploy",
                                       "2023-13-45x",
                                       "99999999 years ago",
                                       "1 2 3 4 5 6 7 8 9 10 11 12"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        expect(none[i], "", "");
}

static void a_number_may_be_a_date(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"20261128", "2026-11-27T23:00:00Z"},   {"2026", "2025-12-31T23:00:00Z"},
        {"1700000000", "2023-11-14T22:13:20Z"}, {"1700000000000", "2023-11-14T22:13:20Z"},
        {"0", "1970-01-01T00:00:00Z"},          {"99999999", "1973-03-03T09:46:39Z"},
        {"1e9", "2001-09-09T01:46:40Z"},        {"20261328", "1970-08-23T12:08:48Z"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ms = -1;
        scoped_buf(b, 64);
        assert_true(moment_parse(str_of(cases[i][0]), 0, STR("Europe/Berlin"), &ms, NULL));
        moment_rfc3339(&b, ms);
        assert_string_equal(buf_cstr(&b), cases[i][1]);
    }
    int64_t ms;
    assert_false(moment_parse(STR("20260230"), 0, STR(""), &ms, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_the_persons),
        cmocka_unit_test(weeks_and_months_are_the_calendars),
        cmocka_unit_test(dates_are_read_as_they_are_said),
        cmocka_unit_test(now_is_rounded_as_dashboards_do),
        cmocka_unit_test(what_is_no_time_is_none),
        cmocka_unit_test(a_number_may_be_a_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
