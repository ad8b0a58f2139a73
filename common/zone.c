#include "common/zone.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

static void use(struct str zone);
static bool find(struct str name, char found[static ZONE_NAME_MAX + 1]);
static time_t resolve(time_t local, bool date_alone, enum zone_remark *remark);

bool zone_named(struct str name)
{
    if (name.len == 0 || name.len > ZONE_NAME_MAX || !isalpha((unsigned char)name.at[0]))
        return false;
    for (size_t i = 0; i < name.len; i++) { /* no dots: it becomes part of a file's path */
        char c = name.at[i];
        if (!isalnum((unsigned char)c) && c != '/' && c != '_' && c != '-' && c != '+')
            return false;
    }
    return true;
}

bool zone_known(struct str name)
{
    char found[ZONE_NAME_MAX + 1];
    return zone_named(name) && find(name, found);
}

bool zone_write(struct buf *b, int64_t unix_ms, struct str zone)
{
    use(zone);
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm tm;
    localtime_r(&seconds, &tm);
    char text[64];
    size_t len = strftime(text, sizeof(text), "%A %Y-%m-%d %H:%M:%S %z", &tm);
    use((struct str){NULL, 0});
    if (len < 2)
        return false;
    return buf_printf(b, "%.*s:%s", (int)len - 2, text, text + len - 2);
}

/* YYYY-MM-DD. NULL: it is none, or there is no such day. Blanks in it, which strptime takes, make
 * it none. */
static const char *read_date(const char *text, struct tm *tm)
{
    const char *rest = strptime(text, "%Y-%m-%d", tm);
    struct tm day = {.tm_year = tm->tm_year, .tm_mon = tm->tm_mon, .tm_mday = tm->tm_mday};
    timegm(&day);
    bool whole = rest && rest - text == 10 && !memchr(text, ' ', 10);
    return whole && day.tm_mday == tm->tm_mday ? rest : NULL;
}

/* The clock after the T, if there is one; *ms its part of a second. NULL: it is none. */
static const char *read_clock(const char *rest, struct tm *tm, int64_t *ms)
{
    *ms = 0;
    if (*rest != 'T' && *rest != 't' && *rest != ' ')
        return rest;
    const char *clock = rest + 1;
    if (strncmp(clock, "24:00", 5) == 0) { /* ISO 8601: the end of the day */
        tm->tm_hour = 24;
        return strncmp(clock + 5, ":00", 3) == 0 ? clock + 8 : clock + 5;
    }
    rest = strptime(clock, "%H:%M:%S", tm);
    if (!rest)
        rest = strptime(clock, "%H:%M", tm);
    if (!rest || *rest != '.')
        return rest;
    int64_t unit = 100;
    for (rest++; isdigit((unsigned char)*rest); rest++, unit /= 10)
        *ms += (*rest - '0') * unit;
    return rest;
}

/* Two digits, less than `below`; -1: they are none. */
static int two_digits(const char *at, int below)
{
    if (!isdigit((unsigned char)at[0]) || !isdigit((unsigned char)at[1]))
        return -1;
    int number = (at[0] - '0') * 10 + at[1] - '0';
    return number < below ? number : -1;
}

/* Z, UTC, GMT, ±hh:mm, ±hhmm or ±hh, a blank before it. NULL: it is none. */
static const char *read_offset(const char *rest, int64_t *offset_s)
{
    *offset_s = 0;
    if (*rest == ' ')
        rest++;
    if (*rest == 'Z' || *rest == 'z')
        return rest + 1;
    if (strncasecmp(rest, "UTC", 3) == 0 || strncasecmp(rest, "GMT", 3) == 0)
        return rest + 3;
    int hours = *rest == '+' || *rest == '-' ? two_digits(rest + 1, 24) : -1, minutes = 0;
    if (hours < 0)
        return NULL;
    const char *end = rest + 3;
    if (*end != '\0') {
        end += *end == ':';
        minutes = two_digits(end, 60);
        end += 2;
    }
    *offset_s = (*rest == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    return minutes < 0 ? NULL : end;
}

/* Of 2026-10-25T02:30+01:00[Europe/Berlin] (RFC 9557, 4.1) what stands before the bracket; the zone
 * in it becomes *zone, which counts where there is no offset. Further brackets (a calendar) are
 * left out. */
static struct str zone_suffix(struct str text, struct str *zone)
{
    const char *open = text.len > 0 ? memchr(text.at, '[', text.len) : NULL;
    if (!open || text.at[text.len - 1] != ']')
        return text;
    struct str inside = str_skip(text, (size_t)(open - text.at) + 1), name;
    if (!str_split(&inside, ']', &name))
        return text;
    if (name.len > 0 && name.at[0] == '!') /* critical: it must be understood, and is */
        name = str_skip(name, 1);
    if (zone_named(name))
        *zone = name;
    text.len = (size_t)(open - text.at);
    return text;
}

static bool are_digits(const char *at, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isdigit((unsigned char)at[i]))
            return false;
    return true;
}

/* Other ways to write it, as the usual one: 20261128T120000Z (ISO 8601's basic format), 2026/11/28,
 * a comma before the part of a second. out: room for four bytes more and a NUL. */
static void unite(struct str text, char *out)
{
    const char *t = text.at;
    bool basic = text.len >= 13 && are_digits(t, 8) && (t[8] | 32) == 't' && are_digits(t + 9, 4);
    if (basic) {
        bool seconds = text.len >= 15 && are_digits(t + 13, 2);
        int len = snprintf(out, 20, "%.4s-%.2s-%.2sT%.2s:%.2s%s%.*s", t, t + 4, t + 6, t + 9,
                           t + 11, seconds ? ":" : "", seconds ? 2 : 0, t + 13);
        text = str_skip(text, seconds ? 15 : 13);
        out += len;
    }
    memcpy(out, text.len ? text.at : "", text.len);
    out[text.len] = '\0';
    if (!basic && text.len >= 10 && out[4] == '/' && out[7] == '/')
        out[4] = out[7] = '-';
    char *comma = strchr(out, ',');
    if (comma && comma > out && isdigit((unsigned char)comma[-1]) &&
        isdigit((unsigned char)comma[1]))
        *comma = '.';
}

bool zone_parse(struct str text, struct str zone, int64_t *unix_ms, enum zone_remark *remark)
{
    uint64_t number;
    enum zone_remark ignored;
    char copy[48];
    text = zone_suffix(text, &zone);
    struct tm tm = {0};
    int64_t ms, offset_s = 0;
    if (!remark)
        remark = &ignored;
    *remark = ZONE_PLAIN;
    if (str_u64(text, INT64_MAX, &number)) {
        *unix_ms = (int64_t)number;
        return true;
    }
    if (text.len == 0 || text.len + 4 >= sizeof(copy))
        return false;
    unite(text, copy);
    const char *date = read_date(copy, &tm);
    const char *rest = date ? read_clock(date, &tm, &ms) : NULL;
    bool local = rest && *rest == '\0';
    if (rest && !local)
        rest = read_offset(rest, &offset_s);
    if (!rest || *rest != '\0')
        return false;
    time_t seconds = timegm(&tm);
    if (local && zone_known(zone)) {
        use(zone);
        seconds = resolve(seconds, rest == date, remark);
        use((struct str){NULL, 0});
    } else if (local && zone.len > 0) {
        *remark = ZONE_UNKNOWN;
    }
    *unix_ms = ((int64_t)seconds - offset_s) * 1000 + ms;
    return true;
}

/* ---- local times ---- */

/* Of the zone in use, at a moment. */
static int64_t offset_at(time_t moment)
{
    struct tm tm;
    localtime_r(&moment, &tm);
    return tm.tm_gmtoff;
}

/* The first moment of the next offset after `from`, up to `to`; `to`: there is none. */
static time_t next_change(time_t from, time_t to)
{
    enum { STEP_S = 1800 }; /* no zone has changed twice within so short a time */
    int64_t before = offset_at(from);
    while (from < to && offset_at(from + STEP_S) == before)
        from += STEP_S;
    if (from >= to)
        return to;
    time_t low = from, high = from + STEP_S; /* low: before the change, high: at it or after */
    while (high - low > 1) {
        time_t middle = low + (high - low) / 2;
        if (offset_at(middle) == before)
            low = middle;
        else
            high = middle;
    }
    return high;
}

/* The moment of a local time, that counts as if it were UTC, by the zone in use. Goes through all
 * offsets of the days around it, in their order: mktime() takes the one that it saw last. */
static time_t resolve(time_t local, bool date_alone, enum zone_remark *remark)
{
    enum { AROUND_S = 27 * 3600 }; /* more than any offset there ever was, and a day left out */
    time_t from = local - AROUND_S, to = local + AROUND_S, found = 0;
    int64_t offset = offset_at(from);
    unsigned count = 0;
    while (from < to) {
        time_t until = next_change(from, to);
        int64_t next = offset_at(until);
        if (local - offset >= from && local - offset < until && count++ == 0)
            found = local - offset;
        if (count == 0 && local - offset >= until && local - next < until) {
            bool whole_day = next - offset >= 86400;
            *remark = date_alone && !whole_day ? ZONE_PLAIN : ZONE_SKIPPED;
            return local - offset;
        }
        from = until;
        offset = next;
    }
    if (count > 1 && !date_alone)
        *remark = ZONE_TWICE;
    return found;
}

/* ---- the machine's data ---- */

static bool there(const char *name)
{
    const char *folder = getenv("TZDIR"); /* as the C library has it */
    char path[ZONE_NAME_MAX + 256];
    int len = snprintf(path, sizeof(path), "%s/%s", folder ? folder : "/usr/share/zoneinfo", name);
    FILE *file = len < (int)sizeof(path) ? fopen(path, "re") : NULL;
    char magic[4] = "";
    /* "Europe" is a folder, "leapseconds" a list: the C library takes both for UTC. */
    bool zone = file && fread(magic, 1, sizeof(magic), file) == sizeof(magic) &&
                memcmp(magic, "TZif", sizeof(magic)) == 0;
    if (file)
        fclose(file);
    return zone;
}

/* Under its own name, else under the one that it has now or had before. */
static bool find(struct str name, char found[static ZONE_NAME_MAX + 1])
{
    static const struct {
        const char *former, *now;
    } links[] = {
#define ZONE_LINK(former, now) {former, now},
#include "common/zones.def"
#undef ZONE_LINK
    };
    snprintf(found, ZONE_NAME_MAX + 1, "%.*s", (int)name.len, name.at);
    if (there(found))
        return true;
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        const char *other = str_is(name, links[i].former) ? links[i].now
                            : str_is(name, links[i].now)  ? links[i].former
                                                          : NULL;
        if (other && there(other)) {
            snprintf(found, ZONE_NAME_MAX + 1, "%s", other);
            return true;
        }
    }
    return false;
}

/* The variable is put once and changed in place: environ itself, which other threads (resolvers)
 * read, stays as it is. */
static void use(struct str zone)
{
    static char variable[ZONE_NAME_MAX + 8] = "TZ=UTC0";
    static bool put;
    char found[ZONE_NAME_MAX + 1];
    if (!put) {
        putenv(variable);
        put = true;
    }
    if (zone_named(zone) && find(zone, found))
        snprintf(variable + 3, sizeof(variable) - 3, "%s", found);
    else
        memcpy(variable + 3, "UTC0", 5);
    tzset();
}
