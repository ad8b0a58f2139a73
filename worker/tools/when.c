#include "worker/tools/when.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "common/check.h"
#include "worker/zone.h"

enum { WORDS_MAX = 10, WEEK = 7 };
static const int64_t day_ms = 86400000;

struct said {
    struct str words[WORDS_MAX];
    unsigned count, at;
    bool day, clock; /* which of them was said */
    int days_back, weekday;
    char date[11]; /* YYYY-MM-DD, when one was said */
    unsigned hour, minute, second;
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

/* "3 days ago", "an hour ago", "half an hour ago" */
static bool read_ago(const struct said *s, int64_t now_ms, int64_t *unix_ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"second", 1000},     {"sec", 1000},       {"minute", 60000},
                 {"min", 60000},       {"hour", 3600000},   {"hr", 3600000},
                 {"day", 86400000},    {"week", 604800000}, {"month", 2592000000},
                 {"year", 31536000000}};
    static const char *const ones[] = {"a", "an", "one", NULL};
    uint64_t count;
    bool half = s->count == 4 && is(s->words[0], "half");
    if (s->count != (half ? 4u : 3u) || !is(s->words[s->count - 1], "ago"))
        return false;
    struct str number = s->words[s->count - 3], unit = s->words[s->count - 2];
    if (one_of(number, ones))
        count = 1;
    else if (!str_u64(number, 100000, &count))
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t len = strlen(units[i].name);
        bool plural = unit.len == len + 1 && (unit.at[len] | 32) == 's';
        if ((unit.len != len && !plural) || strncasecmp(unit.at, units[i].name, len) != 0)
            continue;
        int64_t away = (int64_t)count * units[i].ms / (half ? 2 : 1);
        *unix_ms = now_ms - away;
        return *unix_ms >= 0;
    }
    return false;
}

/* The date and clock that were said, in the zone. */
static bool resolve(const struct said *s, int64_t now_ms, struct str zone, int64_t *unix_ms,
                    enum zone_remark *remark)
{
    char date[11], text[32];
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
            snprintf(text, sizeof(text), "%sT%02u:%02u:%02u", date, s->hour % 24, s->minute % 60,
                     s->second % 60);
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
    static const char *const fillers[] = {"since", "from", "at", "on",   "until",  "till",  "to",
                                          "last",  "the",  "of", "this", "around", "about", NULL};
    struct said s = {.weekday = -1};
    *remark = ZONE_PLAIN;
    if (text.len > 80 || !split(text, &s))
        return false;
    if (read_ago(&s, now_ms, unix_ms))
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
        } else if ((s.day || !read_day(&s)) && (s.clock || !read_clock(&s))) {
            return false;
        }
    }
    return (s.day || s.clock) && resolve(&s, now_ms, zone, unix_ms, remark) && *unix_ms >= 0;
}
