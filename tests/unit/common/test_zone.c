/* Local times: what comes twice, what does not exist, zones by their former names. */
#include "tests/support/unit.h"

#include <stdio.h>
#include <unistd.h>
#include "common/utc.h"
#include "common/zone.h"

static void expect(const char *zone, const char *text, const char *wanted, enum zone_remark remark)
{
    enum zone_remark got = ZONE_UNKNOWN;
    int64_t ms = -1;
    char written[UTC_TEXT_MAX];
    if (!zone_parse(str_of(text), str_of(zone), &ms, &got))
        fail_msg("%s %s is no time", zone, text);
    utc_write(ms, UTC_SECONDS, written);
    if (strcmp(written, wanted) != 0 || got != remark)
        fail_msg("%s %s: %s, %d; wanted %s, %d", zone, text, written, got, wanted, remark);
}

/* By RFC 5545; as Python's zoneinfo has them with fold=0. */
static const struct {
    const char *zone, *text, *wanted;
    enum zone_remark remark;
} times[] = {
    {"Europe/Berlin", "2026-10-25T02:30:00", "2026-10-25T00:30:00Z", ZONE_TWICE},
    {"Europe/Berlin", "2026-03-29T02:30:00", "2026-03-29T01:30:00Z", ZONE_SKIPPED},
    {"Europe/Berlin", "2026-10-25T03:00:00", "2026-10-25T02:00:00Z", ZONE_PLAIN},
    {"Europe/Berlin", "2026-07-01T12:00:00", "2026-07-01T10:00:00Z", ZONE_PLAIN},
    {"Australia/Lord_Howe", "2026-04-05T01:45:00", "2026-04-04T14:45:00Z", ZONE_TWICE},
    {"Australia/Lord_Howe", "2026-10-04T02:15:00", "2026-10-03T15:45:00Z", ZONE_SKIPPED},
    {"Australia/Lord_Howe", "2026-10-04T02:30:00", "2026-10-03T15:30:00Z", ZONE_PLAIN},
    {"America/New_York", "2026-11-01T01:30:00", "2026-11-01T05:30:00Z", ZONE_TWICE},
    {"America/New_York", "2026-03-08T02:00:00", "2026-03-08T07:00:00Z", ZONE_SKIPPED},
    {"America/Santiago", "2026-04-04T23:30:00", "2026-04-05T02:30:00Z", ZONE_TWICE},
    {"America/Santiago", "2026-09-06T00:30:00", "2026-09-06T04:30:00Z", ZONE_SKIPPED},
    {"Australia/Sydney", "2026-04-05T02:59:59", "2026-04-04T15:59:59Z", ZONE_TWICE},
    {"Pacific/Apia", "2011-12-30T12:00:00", "2011-12-30T22:00:00Z", ZONE_SKIPPED},
    {"Pacific/Apia", "2011-12-29T23:59:00", "2011-12-30T09:59:00Z", ZONE_PLAIN},
    {"Pacific/Apia", "2011-12-31T00:00:00", "2011-12-30T10:00:00Z", ZONE_PLAIN},
    {"America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z", ZONE_PLAIN},
    {"America/Havana", "2026-11-01", "2026-11-01T04:00:00Z", ZONE_PLAIN},
    {"Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z", ZONE_SKIPPED},
    {"Asia/Kathmandu", "1986-01-01T00:05:00", "1985-12-31T18:35:00Z", ZONE_SKIPPED},
    {"Europe/Moscow", "2014-10-26T01:30:00", "2014-10-25T21:30:00Z", ZONE_TWICE},
    {"Europe/Moscow", "2011-03-27T02:30:00", "2011-03-26T23:30:00Z", ZONE_SKIPPED},
    {"Asia/Pyongyang", "2018-05-04T23:45:00", "2018-05-04T15:15:00Z", ZONE_SKIPPED},
    {"Africa/Casablanca", "2026-02-15T02:30:00", "2026-02-15T01:30:00Z", ZONE_TWICE},
    {"Europe/Dublin", "2026-10-25T01:15:00", "2026-10-25T00:15:00Z", ZONE_TWICE},
    {"Europe/Dublin", "2026-01-15T12:00:00", "2026-01-15T12:00:00Z", ZONE_PLAIN},
    {"America/Caracas", "2016-05-01T02:45:00", "2016-05-01T07:15:00Z", ZONE_SKIPPED},
    {"Asia/Tehran", "2022-09-21T23:30:00", "2022-09-21T19:00:00Z", ZONE_TWICE},
    {"", "2026-07-01T12:00:00[Europe/Berlin]", "2026-07-01T10:00:00Z", ZONE_PLAIN},
    {"UTC", "2026-10-25T02:30[!Europe/Berlin][u-ca=iso8601]", "2026-10-25T00:30:00Z", ZONE_TWICE},
    {"UTC", "2026-10-25T02:30:00.000+01:00[Europe/Berlin]", "2026-10-25T01:30:00Z", ZONE_PLAIN},
    {"UTC", "2026-07-01T12:00:00Z[America/Los_Angeles]", "2026-07-01T12:00:00Z", ZONE_PLAIN},
    {"Etc/GMT+5", "2026-07-01T12:00", "2026-07-01T17:00:00Z", ZONE_PLAIN},
    {"Etc/GMT-14", "2026-07-01T12:00", "2026-06-30T22:00:00Z", ZONE_PLAIN},
    {"Pacific/Chatham", "2026-04-05T03:15:00", "2026-04-04T13:30:00Z", ZONE_TWICE},
    {"Pacific/Chatham", "2026-09-27T03:00:00", "2026-09-26T14:15:00Z", ZONE_SKIPPED},
    {"Antarctica/Troll", "2026-03-29T02:00:00", "2026-03-29T02:00:00Z", ZONE_SKIPPED},
    {"Pacific/Kwajalein", "1993-08-21T12:00:00", "1993-08-22T00:00:00Z", ZONE_SKIPPED},
    {"Africa/Cairo", "2026-10-29T23:30:00", "2026-10-29T20:30:00Z", ZONE_TWICE},
    {"Asia/Beirut", "2026-03-29", "2026-03-28T22:00:00Z", ZONE_PLAIN},
    {"America/Scoresbysund", "2024-03-31T00:30:00", "2024-03-31T01:30:00Z", ZONE_PLAIN},
    {"Europe/Berlin", "2016-12-31T23:59:60", "2016-12-31T23:00:00Z", ZONE_PLAIN},
    {"Europe/Berlin", "2026-10-24T24:00", "2026-10-24T22:00:00Z", ZONE_PLAIN},
    {"Europe/Berlin", "2500-07-01T12:00", "2500-07-01T10:00:00Z", ZONE_PLAIN},
    {"Europe/London", "1970-01-01T12:00", "1970-01-01T11:00:00Z", ZONE_PLAIN},
    {"Africa/Monrovia", "1972-01-07T00:20:00", "1972-01-07T01:04:30Z", ZONE_SKIPPED},
};

static void a_local_time_is_the_first_that_is_meant(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        expect(times[i].zone, times[i].text, times[i].wanted, times[i].remark);
}

/* mktime() guesses by what it saw last. */
static void what_was_converted_before_changes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        int64_t ms;
        assert_true(zone_parse(STR("2026-07-01T12:00"), str_of(times[i].zone), &ms, NULL));
        expect(times[i].zone, times[i].text, times[i].wanted, times[i].remark);
        assert_true(zone_parse(STR("2026-01-01T12:00"), str_of(times[i].zone), &ms, NULL));
        expect(times[i].zone, times[i].text, times[i].wanted, times[i].remark);
    }
}

static void with_an_offset_nothing_is_guessed(void **state)
{
    (void)state;
    expect("Europe/Berlin", "2026-10-25T02:30:00+01:00", "2026-10-25T01:30:00Z", ZONE_PLAIN);
    expect("Europe/Berlin", "2026-03-29T02:30:00Z", "2026-03-29T02:30:00Z", ZONE_PLAIN);
    expect("No/Where", "2026-03-29T02:30:00Z", "2026-03-29T02:30:00Z", ZONE_PLAIN);
    expect("", "2026-03-29T02:30:00", "2026-03-29T02:30:00Z", ZONE_PLAIN);
    expect("No/Where", "2026-03-29T02:30:00", "2026-03-29T02:30:00Z", ZONE_UNKNOWN);
    int64_t ms;
    assert_false(zone_parse(STR("2026-02-30"), STR(""), &ms, NULL)); /* no such day */
    assert_false(zone_parse(STR("2026-02-30T12:00:00Z"), STR(""), &ms, NULL));
    static const char *const noon[] = {"2026-11-28T12:00:00+00:00", "2026-11-28T12:00:00.000-00:00",
                                       "2026-11-28T17:30:00+0530",  "2026-11-28 06:00:00-06",
                                       "2026-11-28 12:00 UTC",      "2026-11-28 12:00:00 GMT",
                                       "2026-11-28t12:00z",         "2026-11-28T14:00:00 +02:00"};
    for (size_t i = 0; i < sizeof(noon) / sizeof(noon[0]); i++)
        expect("Asia/Tokyo", noon[i], "2026-11-28T12:00:00Z", ZONE_PLAIN);
    static const char *const none[] = {"2026-W48",
                                       "2026-W48-6",
                                       "2026W486",
                                       "2026-332",
                                       "2026-11",
                                       "2026",
                                       "20261128",
                                       "2026-11-28T12:00:00+99:99",
                                       "2026-11-28T12Z",
                                       "2026-11-28T12:00:00+-1:30",
                                       "2026-11-28T12:00:00+2",
                                       "2026-11- 8",
                                       "2026-13-01",
                                       "2026-11-28T25:00",
                                       "2026-11-28T24:01",
                                       "12026-11-28",
                                       "-2026-11-28",
                                       "26-11-28",
                                       "2026-11-28T12:00:00 CEST",
                                       "2026-11-28T12:00:00[Europe/Berlin"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        if (zone_parse(str_of(none[i]), STR("Europe/Berlin"), &ms, NULL) && strlen(none[i]) != 4 &&
            strlen(none[i]) != 8)
            fail_msg("is a time: %s", none[i]);
}

static void copy(const char *folder, const char *from, const char *to)
{
    char command[600];
    snprintf(command, sizeof(command),
             "mkdir -p $(dirname %s/%s) && cp -L /usr/share/zoneinfo/%s %s/%s", folder, to, from,
             folder, to);
    assert_int_equal(system(command), 0);
}

/* A machine with tzdata, but without tzdata-legacy; and one whose data is old. */
static void former_names_are_known_without_their_files(void **state)
{
    (void)state;
    char folder[] = "/tmp/persai-zones-XXXXXX", command[64];
    assert_non_null(mkdtemp(folder));
    copy(folder, "Asia/Kolkata", "Asia/Kolkata");
    copy(folder, "America/Los_Angeles", "America/Los_Angeles");
    copy(folder, "Etc/UTC", "Etc/UTC");
    copy(folder, "Europe/Kyiv", "Europe/Kiev");
    static const char *const unknown[] = {"No/Where",    "Europe",         "America/Argentina",
                                          "leapseconds", "europe/berlin ", "+02:00",
                                          "Mars/Phobos"};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        if (zone_known(str_of(unknown[i])))
            fail_msg("known: %s", unknown[i]);
    assert_true(zone_known(STR("EST5EDT")) && zone_known(STR("Etc/GMT+12")));
    setenv("TZDIR", folder, 1);
    assert_true(zone_known(STR("Asia/Calcutta")));
    assert_false(zone_known(STR("Europe/Berlin")));
    expect("Asia/Calcutta", "2026-11-01T12:00", "2026-11-01T06:30:00Z", ZONE_PLAIN);
    expect("US/Pacific", "2026-11-01T01:59:59", "2026-11-01T08:59:59Z", ZONE_TWICE);
    expect("Zulu", "2026-11-01T12:00", "2026-11-01T12:00:00Z", ZONE_PLAIN);
    expect("Europe/Kyiv", "2026-07-01T12:00", "2026-07-01T09:00:00Z", ZONE_PLAIN);
    scoped_buf(b, 100);
    assert_true(zone_write(&b, 1700000000000, STR("Asia/Calcutta")));
    assert_string_equal(buf_cstr(&b), "Wednesday 2023-11-15 03:43:20 +05:30");
    unsetenv("TZDIR");
    snprintf(command, sizeof(command), "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

/* Each row leads to a zone that there is, under a name that is not itself a former one. */
static void the_table_of_links_is_whole(void **state)
{
    static const char *const links[][2] = {
#define ZONE_LINK(former, now) {former, now},
#include "common/zones.def"
#undef ZONE_LINK
    };
    (void)state;
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        if (!zone_known(str_of(links[i][1])))
            fail_msg("%s leads to %s, which is no zone", links[i][0], links[i][1]);
        for (size_t k = 0; k < sizeof(links) / sizeof(links[0]); k++)
            assert_string_not_equal(links[i][1], links[k][0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_local_time_is_the_first_that_is_meant),
        cmocka_unit_test(what_was_converted_before_changes_nothing),
        cmocka_unit_test(with_an_offset_nothing_is_guessed),
        cmocka_unit_test(former_names_are_known_without_their_files),
        cmocka_unit_test(the_table_of_links_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
