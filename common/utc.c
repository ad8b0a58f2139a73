#include "common/utc.h"

#include <stdio.h>
#include <time.h>
#include "common/json.h"

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
