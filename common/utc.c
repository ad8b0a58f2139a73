#include "common/utc.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include "common/json.h"

static bool zone(const char *text, int64_t *offset_s);

void utc_write(int64_t unix_ms, enum utc_form form, char out[static UTC_TEXT_MAX])
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm tm = {0};
    gmtime_r(&seconds, &tm);
    size_t len = strftime(out, UTC_TEXT_MAX,
                          form == UTC_FOR_PEOPLE ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%dT%H:%M:%S", &tm);
    if (form == UTC_MILLISECONDS)
        snprintf(out + len, UTC_TEXT_MAX - len, ".%03dZ", (int)(unix_ms % 1000));
    else
        snprintf(out + len, UTC_TEXT_MAX - len, "%s", form == UTC_SECONDS ? "Z" : " UTC");
}

void utc_field(struct buf *b, const char *key, int64_t unix_ms, enum utc_form form)
{
    char text[UTC_TEXT_MAX];
    utc_write(unix_ms, form, text);
    json_field(b, key, str_of(text));
}

bool utc_read_http(struct str text, int64_t *unix_ms)
{
    static const char *const formats[] = {"%a, %d %b %Y %H:%M:%S ", "%A, %d-%b-%y %H:%M:%S ",
                                          "%a %b %e %H:%M:%S %Y"};
    char copy[64];
    int64_t offset_s = 0;
    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        struct tm tm = {0};
        const char *end = strptime(copy, formats[i], &tm);
        if (end && (i == 2 ? *end == '\0' : zone(end, &offset_s))) {
            *unix_ms = ((int64_t)timegm(&tm) - offset_s) * 1000;
            return true;
        }
    }
    return false;
}

static bool zone(const char *text, int64_t *offset_s)
{
    static const char *const words[] = {"GMT", "UTC", "UT", "Z"};
    struct tm tm = {0};
    const char *end;
    *offset_s = 0;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    if ((text[0] != '+' && text[0] != '-') || !(end = strptime(text, "%z", &tm)) || *end != '\0')
        return false;
    *offset_s = tm.tm_gmtoff;
    return true;
}
