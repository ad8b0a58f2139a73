#include "worker/zone.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void use(struct str zone);

bool zone_known(struct str name)
{
    if (name.len == 0 || name.len > ZONE_NAME_MAX || !isalpha((unsigned char)name.at[0]))
        return false;
    for (size_t i = 0; i < name.len; i++) { /* no dots: it becomes part of a file's path */
        char c = name.at[i];
        if (!isalnum((unsigned char)c) && c != '/' && c != '_' && c != '-' && c != '+')
            return false;
    }
    char path[ZONE_NAME_MAX + 32];
    snprintf(path, sizeof(path), "/usr/share/zoneinfo/%.*s", (int)name.len, name.at);
    return access(path, R_OK) == 0;
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

bool zone_parse(struct str text, struct str zone, int64_t *unix_ms)
{
    uint64_t number;
    if (str_u64(text, INT64_MAX, &number)) {
        *unix_ms = (int64_t)number;
        return true;
    }
    char copy[48];
    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    struct tm tm = {.tm_isdst = -1};
    const char *rest = strptime(copy, "%Y-%m-%d", &tm);
    if (!rest)
        return false;
    if (*rest == 'T' || *rest == 't' || *rest == ' ') {
        const char *clock = rest + 1;
        rest = strptime(clock, "%H:%M:%S", &tm);
        if (!rest)
            rest = strptime(clock, "%H:%M", &tm);
        if (!rest)
            return false;
    }
    int64_t ms = 0;
    if (*rest == '.') {
        int64_t unit = 100;
        for (rest++; isdigit((unsigned char)*rest); rest++, unit /= 10)
            ms += (*rest - '0') * unit;
    }
    int64_t offset_s = 0;
    bool local = *rest == '\0';
    if (*rest == 'Z' || *rest == 'z') {
        rest++;
    } else if (*rest == '+' || *rest == '-') {
        int sign = *rest == '-' ? -1 : 1, hours, minutes, used = 0;
        if (sscanf(rest + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 || used != 5)
            return false;
        offset_s = sign * (hours * 3600 + minutes * 60);
        rest += 1 + used;
    }
    if (*rest != '\0')
        return false;
    time_t seconds;
    if (local) {
        use(zone);
        seconds = mktime(&tm);
        use((struct str){NULL, 0});
    } else {
        seconds = timegm(&tm);
    }
    *unix_ms = ((int64_t)seconds - offset_s) * 1000 + ms;
    return true;
}

/* The variable is put once and changed in place: environ itself, which other threads (resolvers)
 * read, stays as it is. */
static void use(struct str zone)
{
    static char variable[ZONE_NAME_MAX + 8] = "TZ=UTC0";
    static bool put;
    if (!put) {
        putenv(variable);
        put = true;
    }
    if (zone_known(zone))
        snprintf(variable + 3, sizeof(variable) - 3, "%.*s", (int)zone.len, zone.at);
    else
        memcpy(variable + 3, "UTC0", 5);
    tzset();
}
