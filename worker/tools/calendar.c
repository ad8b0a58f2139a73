#include "worker/tools/calendar.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { DAY_S = 86400, WEEK = 7, YEAR_MIN = 1970 };

static bool is_unit(struct str word, const char *name);
static bool local_of(int64_t unix_ms, struct str zone, struct tm *tm);
static bool moment_of(const struct tm *tm, bool date_alone, struct str zone, int64_t *unix_ms,
                      enum zone_remark *remark);
static void month_back(struct tm *tm, unsigned months);

bool calendar_unit(struct str word, enum calendar_unit *unit, int64_t *ms)
{
    static const struct {
        const char *name;
        enum calendar_unit unit;
        int64_t ms;
    } units[] = {{"minute", CALENDAR_MINUTE, 60000},    {"min", CALENDAR_MINUTE, 60000},
                 {"hour", CALENDAR_HOUR, 3600000},      {"hr", CALENDAR_HOUR, 3600000},
                 {"day", CALENDAR_DAY, 86400000},       {"week", CALENDAR_WEEK, 604800000},
                 {"month", CALENDAR_MONTH, 2592000000}, {"year", CALENDAR_YEAR, 31536000000}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (is_unit(word, units[i].name)) {
            *unit = units[i].unit;
            *ms = units[i].ms;
            return true;
        }
    return false;
}

static bool is_unit(struct str word, const char *name)
{
    size_t len = strlen(name);
    bool plural = word.len == len + 1 && (word.at[len] | 32) == 's';
    return (word.len == len || plural) && strncasecmp(word.at, name, len) == 0;
}

unsigned calendar_month(struct str word)
{
    static const char *const names[] = {"january",   "february", "march",    "april",
                                        "may",       "june",     "july",     "august",
                                        "september", "october",  "november", "december"};
    for (unsigned i = 0; i < 12; i++)
        if (word.len >= 3 && word.len <= strlen(names[i]) &&
            strncasecmp(word.at, names[i], word.len) == 0)
            return i + 1;
    return 0;
}

bool calendar_begin(int64_t unix_ms, enum calendar_unit unit, unsigned back, struct str zone,
                    int64_t *begin_ms, enum zone_remark *remark)
{
    struct tm tm;
    if (!local_of(unix_ms, zone, &tm))
        return false;
    if (unit <= CALENDAR_HOUR) { /* by the local clock, of which some are half an hour off */
        int64_t past_s = tm.tm_sec + (unit == CALENDAR_HOUR ? tm.tm_min * 60 : 0);
        int64_t one_ms = unit == CALENDAR_HOUR ? 3600000 : 60000;
        *begin_ms = unix_ms - unix_ms % 1000 - past_s * 1000 - (int64_t)back * one_ms;
        return *begin_ms >= 0;
    }
    if (unit == CALENDAR_DAY)
        tm.tm_mday -= (int)back;
    else if (unit == CALENDAR_WEEK)
        tm.tm_mday -= (tm.tm_wday + WEEK - 1) % WEEK + WEEK * (int)back;
    else
        tm.tm_mday = 1;
    if (unit == CALENDAR_YEAR)
        tm.tm_mon = 0;
    if (unit >= CALENDAR_MONTH)
        month_back(&tm, unit == CALENDAR_YEAR ? 12 * back : back);
    return moment_of(&tm, true, zone, begin_ms, remark);
}

bool calendar_months_back(int64_t unix_ms, unsigned months, struct str zone, int64_t *then_ms,
                          enum zone_remark *remark)
{
    struct tm tm;
    if (!local_of(unix_ms, zone, &tm))
        return false;
    month_back(&tm, months);
    struct tm day = {.tm_year = tm.tm_year, .tm_mon = tm.tm_mon + 1, .tm_mday = 0};
    timegm(&day); /* the month's last */
    tm.tm_mday = tm.tm_mday > day.tm_mday ? day.tm_mday : tm.tm_mday;
    return moment_of(&tm, false, zone, then_ms, remark);
}

static void month_back(struct tm *tm, unsigned months)
{
    int month = tm->tm_year * 12 + tm->tm_mon - (int)months;
    tm->tm_year = month / 12;
    tm->tm_mon = month % 12;
}

static bool local_of(int64_t unix_ms, struct str zone, struct tm *tm)
{
    scoped_buf(b, 128);
    if (!zone_write(&b, unix_ms, zone)) /* "Monday 2026-11-23 10:12:44 +01:00" */
        return false;
    *tm = (struct tm){0};
    struct str rest = buf_str(&b), name;
    if (!str_split(&rest, ' ', &name) || !strptime(rest.at, "%Y-%m-%d %H:%M:%S", tm))
        return false;
    struct tm day = *tm;
    timegm(&day);
    tm->tm_wday = day.tm_wday;
    return true;
}

static bool moment_of(const struct tm *tm, bool date_alone, struct str zone, int64_t *unix_ms,
                      enum zone_remark *remark)
{
    struct tm day = *tm;
    char text[40];
    timegm(&day); /* the 0th is the last of the month before */
    if (day.tm_year + 1900 < YEAR_MIN)
        return false;
    size_t len = strftime(text, sizeof(text), date_alone ? "%Y-%m-%d" : "%Y-%m-%dT%H:%M:%S", &day);
    return len > 0 && zone_parse(str_of(text), zone, unix_ms, remark) && *unix_ms >= 0;
}
