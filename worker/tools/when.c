#include "worker/tools/when.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/check.h"
#include "common/zone.h"
#include "worker/tools/calendar.h"

enum { WORDS_MAX = 10, WEEK = 7, SATURDAY = 6 };
static const int64_t day_ms = 86400000;

struct said {
    struct str words[WORDS_MAX];
    unsigned count, at;
    bool day, clock; /* which of them was said */
    int days_back, weekday;
    char date[11]; /* YYYY-MM-DD, when one was said */
    unsigned hour, minute, second;
    struct str offset; /* behind the clock: UTC, +0100; or empty */
};

static bool is(struct str word, const char *text)
{
    return word.len == strlen(text) && strncasecmp(word.at, text, word.len) == 0;
}

static bool one_of(struct str word, const char *const *words)
{
    for (; *words != NULL; words++)
        if (is(word, *words))
            return true;
    return false;
}

static struct str peek(const struct said *s)
{
    return s->at < s->count ? s->words[s->at] : (struct str){NULL, 0};
}

static bool split(struct str text, struct said *s)
{
    struct str word;
    while (str_split(&text, ' ', &word)) {
        while (word.len > 0 && (word.at[word.len - 1] == ',' || word.at[word.len - 1] == '.'))
            word.len--;
        if (word.len == 0)
            continue;
        if (s->count == WORDS_MAX)
            return false;
        s->words[s->count++] = word;
    }
    return s->count > 0;
}

/* "monday", "mon": 0 is Sunday. -1: none. */
static int weekday_of(struct str word)
{
    static const char *const days[] = {"sunday",   "monday", "tuesday", "wednesday",
                                       "thursday", "friday", "saturday"};
    for (int i = 0; i < WEEK; i++) {
        size_t len = strlen(days[i]);
        if (word.len >= 3 && word.len <= len && strncasecmp(word.at, days[i], word.len) == 0)
            return i;
    }
    return -1;
}

/* The calendar day in the zone, days_back days ago. */
static bool day_of(int64_t now_ms, int days_back, struct str zone, char date[11], int *weekday)
{
    char text[11];
    int64_t noon;
    scoped_buf(b, 128);
    if (!zone_write(&b, now_ms, zone)) /* "Monday 2026-11-23 10:12:44 +01:00" */
        return false;
    struct str rest = buf_str(&b), name;
    if (!str_split(&rest, ' ', &name) || rest.len < 10)
        return false;
    *weekday = weekday_of(name);
    memcpy(date, rest.at, 10);
    date[10] = '\0';
    if (days_back == 0)
        return true;
    char at_noon[20]; /* an hour more or less of a clock change stays in the day */
    snprintf(at_noon, sizeof(at_noon), "%sT12:00", date);
    if (!zone_parse(str_of(at_noon), zone, &noon, NULL))
        return false;
    memcpy(text, date, sizeof(text));
    return day_of(noon - days_back * day_ms, 0, zone, date, weekday);
}

/* "14:00", "14:00:30", "9am", "9:30pm", "noon", "midnight" */
static bool read_clock(struct said *s)
{
    struct str word = peek(s);
    char text[16];
    unsigned hour = 0, minute = 0, second = 0;
    int used = 0;
    if (is(word, "noon") || is(word, "midday") || is(word, "midnight")) {
        s->hour = is(word, "midnight") ? 0 : 12;
    } else {
        if (word.len == 0 || word.len >= sizeof(text) || !isdigit((unsigned char)word.at[0]))
            return false;
        memcpy(text, word.at, word.len);
        text[word.len] = '\0';
        if (sscanf(text, "%2u:%2u:%2u%n", &hour, &minute, &second, &used) != 3 &&
            sscanf(text, "%2u:%2u%n", &hour, &minute, &used) != 2 &&
            sscanf(text, "%2u%n", &hour, &used) != 1)
            return false;
        const char *half = text + used;
        bool glued = *half != '\0', colon = strchr(text, ':') != NULL;
        struct str next = s->at + 1 < s->count ? s->words[s->at + 1] : (struct str){NULL, 0};
        if (!glued && (is(next, "am") || is(next, "pm"))) {
            half = is(next, "am") ? "am" : "pm";
            s->at++;
        }
        bool am = strcasecmp(half, "am") == 0, pm = strcasecmp(half, "pm") == 0;
        if ((*half != '\0' && !am && !pm && strcasecmp(half, "h") != 0) ||
            ((am || pm) && (hour < 1 || hour > 12)) || (*half == '\0' && !colon))
            return false;
        if (am || pm)
            hour = hour % 12 + (pm ? 12 : 0);
        s->hour = hour;
        s->minute = minute;
        s->second = second;
    }
    s->at++;
    s->clock = true;
    return s->hour < 24 && s->minute < 60 && s->second < 60;
}

static bool read_day(struct said *s)
{
    struct str word = peek(s);
    int year, month, day, used = 0;
    char text[16] = "";
    if (word.len > 0 && word.len < sizeof(text))
        memcpy(text, word.at, word.len);
    if (is(word, "today"))
        s->days_back = 0;
    else if (is(word, "yesterday"))
        s->days_back = 1;
    else if (is(word, "tomorrow"))
        s->days_back = -1;
    else if (is(word, "weekend"))
        s->weekday = SATURDAY;
    else if (weekday_of(word) >= 0)
        s->weekday = weekday_of(word);
    else if (word.len == 10 && sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &used) == 3 &&
             used == 10)
        memcpy(s->date, text, sizeof(s->date));
    else
        return false;
    s->at++;
    s->day = true;
    return true;
}

static bool is_offset(struct str word)
{
    bool digits = word.len > 2 && word.len <= 6 && (word.at[0] == '+' || word.at[0] == '-') &&
                  isdigit((unsigned char)word.at[1]);
    return digits || is(word, "UTC") || is(word, "GMT") || is(word, "Z");
}

/* "28", "28th" */
static bool read_day_number(struct str word, unsigned *day)
{
    uint64_t number;
    static const char *const ends[] = {"st", "nd", "rd", "th"};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (word.len > 2 && is(str_skip(word, word.len - 2), ends[i])) {
            word.len -= 2;
            break;
        }
    if (word.len > 2 || !str_u64(word, 31, &number) || number == 0)
        return false;
    *day = (unsigned)number;
    return true;
}

/* "28 Nov", "November 28th 2026", "28 of November"; without a year the latest that was. */
static bool read_date(struct said *s, int64_t now_ms, struct str zone)
{
    unsigned at = s->at, day = 0, month = calendar_month(s->words[at]);
    uint64_t year = 0;
    char today[11];
    int weekday;
    if (month == 0 && !read_day_number(s->words[at], &day))
        return false;
    at++;
    if (at < s->count && is(s->words[at], "of"))
        at++;
    if (at == s->count || (month > 0 ? !read_day_number(s->words[at], &day)
                                     : (month = calendar_month(s->words[at])) == 0))
        return false;
    at++;
    if (at < s->count && s->words[at].len == 4 && str_u64(s->words[at], 9999, &year))
        at++;
    if (!day_of(now_ms, 0, zone, today, &weekday))
        return false;
    unsigned now = (unsigned)strtoul(today, NULL, 10);
    snprintf(s->date, sizeof(s->date), "%04u-%02u-%02u",
             year ? (unsigned)year % 10000 : now % 10000, month % 100, day % 100);
    if (year == 0 && strcmp(s->date, today) > 0)
        snprintf(s->date, sizeof(s->date), "%04u-%02u-%02u", (now - 1) % 10000, month % 100,
                 day % 100);
    s->at = at;
    s->day = true;
    s->weekday = -1; /* "Sat, 28 Nov" */
    return true;
}

/* "3", "a", "an", "two": up to twelve in words. */
static bool read_number(struct str word, uint64_t *count)
{
    static const char *const words[] = {"one",   "two",   "three", "four", "five",   "six",
                                        "seven", "eight", "nine",  "ten",  "eleven", "twelve"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (is(word, words[i])) {
            *count = i + 1;
            return true;
        }
    *count = 1;
    return is(word, "a") || is(word, "an") || str_u64(word, 100000, count);
}

/* "3 days ago", "half an hour ago"; "in 2 hours", "10 minutes from now" */
static bool read_away(const struct said *s, int64_t now_ms, int64_t *unix_ms)
{
    enum calendar_unit unit;
    int64_t one_ms;
    uint64_t count;
    const struct str *words = s->words;
    unsigned at = 0, end = s->count;
    bool ago = end > 2 && is(words[end - 1], "ago");
    bool from_now = end > 3 && is(words[end - 2], "from") && is(words[end - 1], "now");
    if (ago || from_now)
        end -= ago ? 1 : 2;
    else if (end > 2 && is(words[0], "in"))
        at++;
    else
        return false;
    bool half = end - at == 3 && is(words[at], "half");
    if (end - at != (half ? 3u : 2u) || !read_number(words[end - 2], &count))
        return false;
    struct str word = words[end - 1];
    if (is(word, "second") || is(word, "seconds") || is(word, "sec") || is(word, "secs"))
        one_ms = 1000;
    else if (!calendar_unit(word, &unit, &one_ms))
        return false;
    int64_t away = (int64_t)count * one_ms / (half ? 2 : 1);
    *unix_ms = now_ms + (ago ? -away : away);
    return *unix_ms >= 0;
}

/* "last week" (its first moment), "this month", "start of the year", "past hour", "last 2 hours" */
static bool read_period(const struct said *s, int64_t now_ms, struct str zone, int64_t *unix_ms,
                        enum zone_remark *remark)
{
    static const char *const before[] = {"since",  "from",   "the", "in",   "over", "for",
                                         "during", "within", "of",  "from", NULL};
    static const char *const begins[] = {"start", "beginning", "this", "current", NULL};
    static const char *const lasts[] = {"last", "previous", "past", NULL};
    enum calendar_unit unit;
    int64_t one_ms;
    uint64_t count = 0;
    bool begin = false, last = false, past = false;
    unsigned at = 0;
    for (; at < s->count; at++) {
        struct str word = s->words[at];
        begin = begin || one_of(word, begins);
        last = last || one_of(word, lasts);
        past = past || is(word, "past");
        if (!one_of(word, before) && !one_of(word, begins) && !one_of(word, lasts))
            break;
    }
    if (at + 2 == s->count && read_number(s->words[at], &count))
        at++;
    if (at + 1 != s->count || !calendar_unit(s->words[at], &unit, &one_ms) ||
        (!begin && !last && count == 0))
        return false;
    if (count == 0 && !past && (begin || unit >= CALENDAR_WEEK))
        return calendar_begin(now_ms, unit, last ? 1 : 0, zone, unix_ms, remark);
    *unix_ms = now_ms - (int64_t)(count ? count : 1) * one_ms;
    return *unix_ms >= 0;
}

/* The date and clock that were said, in the zone. */
static bool resolve(const struct said *s, int64_t now_ms, struct str zone, int64_t *unix_ms,
                    enum zone_remark *remark)
{
    char date[11], text[48];
    int weekday, back = s->days_back;
    if (!day_of(now_ms, 0, zone, date, &weekday))
        return false;
    if (s->weekday >= 0)
        back = (weekday - s->weekday + WEEK - 1) % WEEK + 1;
    for (int tries = 0; tries < 2; tries++, back++) {
        if (s->date[0] != '\0')
            memcpy(date, s->date, sizeof(date));
        else if (!day_of(now_ms, back, zone, date, &weekday))
            return false;
        if (s->clock)
            snprintf(text, sizeof(text), "%sT%02u:%02u:%02u%.*s", date, s->hour % 24,
                     s->minute % 60, s->second % 60, (int)s->offset.len,
                     s->offset.len ? s->offset.at : "");
        else /* its first moment */
            snprintf(text, sizeof(text), "%s", date);
        if (!zone_parse(str_of(text), zone, unix_ms, remark))
            return false;
        if (s->day || *unix_ms <= now_ms) /* a clock alone: the latest that was */
            return true;
    }
    return true;
}

bool when_parse(struct str text, int64_t now_ms, struct str zone, int64_t *unix_ms,
                enum zone_remark *remark)
{
    static const char *const fillers[] = {"since", "from",  "at",        "on", "until", "till",
                                          "to",    "last",  "the",       "of", "this",  "around",
                                          "about", "start", "beginning", NULL};
    struct said s = {.weekday = -1};
    *remark = ZONE_PLAIN;
    if (text.len > 80 || !split(text, &s))
        return false;
    if (read_away(&s, now_ms, unix_ms) || read_period(&s, now_ms, zone, unix_ms, remark))
        return true;
    while (s.at < s.count) {
        struct str word = peek(&s);
        if (one_of(word, fillers)) {
            s.at++;
        } else if (is(word, "morning") && !s.clock) {
            s.hour = 6, s.clock = true, s.at++;
        } else if (is(word, "afternoon") && !s.clock) {
            s.hour = 12, s.clock = true, s.at++;
        } else if ((is(word, "evening") || is(word, "night")) && !s.clock) {
            s.hour = 18, s.clock = true, s.at++;
        } else if (s.clock && s.offset.len == 0 && is_offset(word)) {
            s.offset = word, s.at++;
        } else if (s.weekday >= 0 && s.date[0] == '\0' && read_date(&s, now_ms, zone)) {
            continue; /* "Sat, 28 Nov 2026" */
        } else if ((s.day || (!read_day(&s) && !read_date(&s, now_ms, zone))) &&
                   (s.clock || !read_clock(&s))) {
            return false;
        }
    }
    return (s.day || s.clock) && resolve(&s, now_ms, zone, unix_ms, remark) && *unix_ms >= 0;
}
