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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_the_persons),
        cmocka_unit_test(what_is_no_time_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
