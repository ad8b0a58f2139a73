#include "worker/tools/moment.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "common/duration.h"
#include "common/json.h"
#include "common/utc.h"
#include "common/zone.h"
#include "worker/tools/calendar.h"
#include "worker/tools/sax.h"
#include "worker/tools/when.h"

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

/* ISO 8601's, but for months and years: "PT1H30M", "P1D" */
static bool iso_duration(struct str text, int64_t *ms)
{
    char plain[32];
    size_t len = 0;
    bool time = false;
    if (text.len < 3 || text.len >= sizeof(plain) || text.at[0] != 'P')
        return false;
    for (size_t i = 1; i < text.len; i++) {
        char c = text.at[i];
        bool again = c == 'T' && time;
        time = time || c == 'T';
        if (again || (isalpha((unsigned char)c) && !strchr(time ? "THMS" : "DW", c)))
            return false;
        if (c != 'T')
            plain[len++] = (char)tolower((unsigned char)c);
    }
    return len > 0 && isalpha((unsigned char)plain[len - 1]) &&
           plain_duration((struct str){plain, len}, ms);
}

bool moment_duration(struct str text, int64_t *ms)
{
    return plain_duration(text, ms) || duration_in_words(str_trim(text), ms);
}

/* "now-1h" with its quotes, [5m] with its brackets */
static struct str unquoted(struct str text)
{
    static const char *const around[] = {"\"\"", "''", "[]", "``", "()"};
    text = str_trim(text);
    for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++)
        if (text.len > 2 && text.at[0] == around[i][0] && text.at[text.len - 1] == around[i][1])
            return str_trim((struct str){text.at + 1, text.len - 2});
    return text;
}

bool moment_said_duration(struct str text, int64_t *ms)
{
    char glued[16];
    text = unquoted(text);
    if (moment_duration(text, ms) || iso_duration(text, ms))
        return true;
    if (text.len < 3 || text.len >= sizeof(glued) || text.at[text.len - 2] != ' ')
        return false;
    memcpy(glued, text.at, text.len - 2); /* "5 m" */
    glued[text.len - 2] = text.at[text.len - 1];
    return plain_duration((struct str){glued, text.len - 1}, ms);
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
                 : offset.len > 0 && !moment_said_duration(much, &away))
        return false;
    if (offset.len > 0)
        *unix_ms += offset.at[0] == '-' ? -away : away;
    if (*unix_ms < 0 || *unix_ms > unix_ms_max)
        return false;
    return !rounded || (unit_of(str_trim(round), &unit) &&
                        calendar_begin(*unix_ms, unit, 0, zone, unix_ms, remark));
}

static bool starts(struct str text, const char *with)
{
    size_t len = strlen(with);
    return text.len >= len && strncasecmp(text.at, with, len) == 0;
}

static bool ends(struct str text, const char *with)
{
    size_t len = strlen(with);
    return text.len > len && strncasecmp(text.at + text.len - len, with, len) == 0;
}

/* Behind "now", "NOW()" or "time()"; "current time" is nothing else. False: it begins otherwise. */
static bool skip_now(struct str *text)
{
    static const char *const nows[] = {"now()",        "now",     "time()", "current_time",
                                       "current time", "current", "present"};
    for (size_t i = 0; i < sizeof(nows) / sizeof(nows[0]); i++) {
        if (!starts(*text, nows[i]))
            continue;
        *text = str_trim(str_skip(*text, strlen(nows[i])));
        return i < 3 || text->len == 0;
    }
    return false;
}

/* "1h", "-2d", "-3600", "last 24h", "60min ago", "2h before now": how long before now. */
static bool before_now(struct str text, int64_t *away)
{
    static const char *const firsts[] = {"-", "the ", "last ", "last_", "past ", "past_"};
    static const char *const lasts[] = {" ago", " before now", " before", " earlier"};
    for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++)
        if (starts(text, firsts[i]))
            text = str_trim(str_skip(text, strlen(firsts[i])));
    for (size_t i = 0; i < sizeof(lasts) / sizeof(lasts[0]); i++)
        if (ends(text, lasts[i])) {
            text = str_trim((struct str){text.at, text.len - strlen(lasts[i])});
            break;
        }
    return moment_said_duration(text, away);
}

/* "30.11.2026 02:00", with the day first wherever dots are between. */
static bool dotted(struct str text, char iso[40])
{
    char plain[40];
    unsigned day, month, year;
    int used = 0;
    if (text.len < 8 || text.len >= sizeof(plain) - 4)
        return false;
    memcpy(plain, text.at, text.len);
    plain[text.len] = '\0';
    if (sscanf(plain, "%2u.%2u.%4u%n", &day, &month, &year, &used) != 3 || used < 8 ||
        year < 1970 || (plain[used] != '\0' && plain[used] != ' ' && plain[used] != 'T'))
        return false;
    snprintf(iso, 40, "%04u-%02u-%02u%.24s", year % 10000, month % 100, day % 100, plain + used);
    return true;
}

/* Of any way to say it, whatever comes of it. */
static bool read(struct str text, int64_t now_ms, struct str zone, int64_t *unix_ms,
                 enum zone_remark *remark)
{
    double seconds;
    int64_t away;
    char date[11], iso[40];
    if (is_calendar(text, date))
        return zone_parse(str_of(date), zone, unix_ms, remark);
    if (dotted(text, iso))
        return zone_parse(str_of(iso), zone, unix_ms, remark);
    if (text.len > 1 && text.at[0] == '@')
        text = str_skip(text, 1);
    if (sax_double(text, &seconds) && (seconds >= 0 || seconds < -(double)duration_ms_max)) {
        /* More than the year 5138 in seconds: milliseconds were meant; micro-, nanoseconds. */
        double size = fabs(seconds);
        double ms = size > 1e17   ? seconds / 1e6
                    : size > 1e14 ? seconds / 1e3
                    : size > 1e11 ? seconds
                                  : seconds * 1e3;
        if (!(ms >= 0 && ms <= (double)unix_ms_max))
            return false;
        *unix_ms = (int64_t)llround(ms);
        return true;
    }
    struct str behind = text;
    if (skip_now(&behind))
        return of_now(behind, now_ms, zone, unix_ms, remark);
    if (before_now(text, &away)) {
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
    return read(unquoted(text), now_ms, zone, unix_ms, remark) && *unix_ms >= 0 &&
           *unix_ms <= unix_ms_max;
}

void moment_rfc3339(struct buf *b, int64_t unix_ms)
{
    char text[UTC_TEXT_MAX];
    utc_write(unix_ms, unix_ms % 1000 != 0 ? UTC_MILLISECONDS : UTC_SECONDS, text);
    buf_puts(b, text);
}

void moment_field(struct buf *b, const char *key, int64_t unix_ms)
{
    json_key(b, key);
    buf_putc(b, '"');
    moment_rfc3339(b, unix_ms);
    buf_putc(b, '"');
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
