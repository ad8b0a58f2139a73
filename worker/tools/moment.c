#include "worker/tools/moment.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "common/duration.h"
#include "common/utc.h"
#include "worker/tools/calendar.h"
#include "worker/tools/sax.h"
#include "worker/tools/when.h"
#include "worker/zone.h"

static const int64_t day_ms = 86400000;
static const int64_t duration_ms_max = 100 * 365 * (int64_t)86400000;
static const int64_t unix_ms_max = 253402300799000; /* the year 9999 */

static bool plain_duration(struct str text, int64_t *ms)
{
    double seconds;
    text = str_trim(text);
    if (text.len == 0 || text.at[0] == '-' || text.at[0] == '+' || text.at[0] == '.')
        return false;
    if (sax_double(text, &seconds)) {
        if (!(seconds > 0 && seconds * 1000 <= (double)duration_ms_max))
            return false;
        *ms = (int64_t)llround(seconds * 1000);
        return *ms > 0;
    }
    return duration_parse(text, ms) && *ms > 0 && *ms <= duration_ms_max;
}

/* "5 minutes", "1 hour", "90 sec" */
static bool duration_in_words(struct str text, int64_t *ms)
{
    static const struct {
        const char *words;
        int64_t ms;
    } units[] = {{"sec secs second seconds", 1000},
                 {"min mins minute minutes", 60000},
                 {"hr hrs hour hours", 3600000},
                 {"day days", 86400000},
                 {"wk week weeks", 604800000}};
    double count;
    size_t digits = 0;
    while (digits < text.len && (isdigit((unsigned char)text.at[digits]) || text.at[digits] == '.'))
        digits++;
    struct str unit = str_trim(str_skip(text, digits)), word;
    if (digits == 0 || !sax_double((struct str){text.at, digits}, &count))
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        struct str rest = str_of(units[i].words);
        while (str_split(&rest, ' ', &word))
            if (word.len == unit.len && strncasecmp(word.at, unit.at, unit.len) == 0) {
                double all = count * (double)units[i].ms;
                *ms = all <= (double)duration_ms_max ? (int64_t)llround(all) : 0;
                return *ms > 0;
            }
    }
    return false;
}

bool moment_duration(struct str text, int64_t *ms)
{
    return plain_duration(text, ms) || duration_in_words(str_trim(text), ms);
}

/* 20261128 and 2026 are a day and a year, not moments of 1970. False: it is neither. */
static bool is_calendar(struct str text, char date[static 11])
{
    uint64_t number;
    unsigned of_year, of_month;
    char dashed[8] = "";
    if (text.len == 7 && text.at[4] == '-') { /* 2026-11 */
        memcpy(dashed, text.at, text.len);
        int used = 0;
        if (sscanf(dashed, "%4u-%2u%n", &of_year, &of_month, &used) != 2 || used != 7 ||
            of_month < 1 || of_month > 12)
            return false;
        snprintf(date, 11, "%04u-%02u-01", of_year % 10000, of_month % 100);
        return true;
    }
    if ((text.len != 8 && text.len != 4) || !str_u64(text, 99991231, &number))
        return false;
    uint64_t day = text.len == 4 ? number * 10000 + 101 : number;
    unsigned year = (unsigned)(day / 10000), month = (unsigned)(day / 100 % 100);
    if (year < 1970 || year > 2200 || month < 1 || month > 12)
        return false;
    snprintf(date, 11, "%04u-%02u-%02u", year, month, (unsigned)(day % 100));
    return true;
}

/* One letter, as Grafana and others have it: m is a minute, M a month. */
static bool unit_of(struct str text, enum calendar_unit *unit)
{
    static const char letters[] = "mhdwMy"; /* in the order of the units */
    const char *at = text.len == 1 && text.at[0] ? strchr(letters, text.at[0]) : NULL;
    if (at)
        *unit = (enum calendar_unit)(at - letters);
    return at != NULL;
}

/* Behind "now": "", "-1h30m", "+5m", "-1M", "/d", "-1w/w" */
static bool of_now(struct str text, int64_t now_ms, struct str zone, int64_t *unix_ms,
                   enum zone_remark *remark)
{
    struct str offset, round = text;
    enum calendar_unit unit;
    int64_t away = 0;
    uint64_t months;
    bool rounded = text.len > 0 && memchr(text.at, '/', text.len);
    *unix_ms = now_ms;
    if (!str_split(&round, '/', &offset))
        return true;
    offset = str_trim(offset);
    struct str much = offset.len > 0 ? str_trim(str_skip(offset, 1)) : offset, count = much;
    count.len -= count.len > 0;
    bool calendar = count.len > 0 && much.at[count.len] == 'M' && str_u64(count, 1200, &months);
    if (offset.len > 0 && offset.at[0] != '-' && (offset.at[0] != '+' || calendar))
        return false;
    if (calendar ? !calendar_months_back(now_ms, (unsigned)months, zone, unix_ms, remark)
                 : offset.len > 0 && !plain_duration(much, &away))
        return false;
    if (offset.len > 0)
        *unix_ms += offset.at[0] == '-' ? -away : away;
    if (*unix_ms < 0 || *unix_ms > unix_ms_max)
        return false;
    return !rounded || (unit_of(str_trim(round), &unit) &&
                        calendar_begin(*unix_ms, unit, 0, zone, unix_ms, remark));
}

/* Of any way to say it, whatever comes of it. */
static bool read(struct str text, int64_t now_ms, struct str zone, int64_t *unix_ms,
                 enum zone_remark *remark)
{
    double seconds;
    int64_t away;
    char date[11];
    if (is_calendar(text, date))
        return zone_parse(str_of(date), zone, unix_ms, remark);
    if (sax_double(text, &seconds)) {
        /* More than the year 5138 in seconds: milliseconds were meant. */
        double ms = fabs(seconds) > 1e11 ? seconds : seconds * 1000;
        if (!(ms >= 0 && ms <= (double)unix_ms_max))
            return false;
        *unix_ms = (int64_t)llround(ms);
        return true;
    }
    if (str_starts(text, STR("now")))
        return of_now(str_trim(str_skip(text, 3)), now_ms, zone, unix_ms, remark);
    struct str past = text.len > 0 && text.at[0] == '-' ? str_skip(text, 1) : text;
    if (past.len > 4 && str_is(str_skip(past, past.len - 4), " ago"))
        past.len -= 4;
    if (plain_duration(past, &away)) {
        *unix_ms = now_ms - away;
        return true;
    }
    return zone_parse(text, zone, unix_ms, remark) ||
           when_parse(text, now_ms, zone, unix_ms, remark);
}

bool moment_parse(struct str text, int64_t now_ms, struct str zone, int64_t *unix_ms,
                  enum zone_remark *remark)
{
    enum zone_remark ignored;
    if (!remark)
        remark = &ignored;
    *remark = ZONE_PLAIN;
    return read(str_trim(text), now_ms, zone, unix_ms, remark) && *unix_ms >= 0 &&
           *unix_ms <= unix_ms_max;
}

void moment_rfc3339(struct buf *b, int64_t unix_ms)
{
    char text[UTC_TEXT_MAX];
    utc_write(unix_ms, unix_ms % 1000 != 0 ? UTC_MILLISECONDS : UTC_SECONDS, text);
    buf_puts(b, text);
}

int64_t moment_step(int64_t ms)
{
    static const int64_t usual_s[] = {1,   2,   5,    10,   15,   30,    60,    120,   300,
                                      600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400};
    for (size_t i = 0; i < sizeof(usual_s) / sizeof(usual_s[0]); i++)
        if (usual_s[i] * 1000 >= ms)
            return usual_s[i] * 1000;
    return (ms + day_ms - 1) / day_ms * day_ms;
}
