#include "gateway/auth/user.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "common/json.h"

static bool read_created(const char *text, int64_t *created_ms);
static const char *read_offset(const char *at, int64_t *offset_s);

bool user_read(struct str whoami, struct user *out)
{
    json_t *all = json_loadb(whoami.at ? whoami.at : "", whoami.len, 0, NULL);
    json_t *metadata = json_object_get(all, "metadata");
    const char *created = json_string_value(json_object_get(metadata, "createdAt"));
    struct str name = json_text(json_object_get(metadata, "name"));
    *out = (struct user){.name_bytes = name.len};
    bool ok = name.len > 0 && name.len < USER_MAX_BYTES && created &&
              read_created(created, &out->created_ms);
    if (ok) {
        int len = snprintf(out->owner, sizeof(out->owner), "%.*s:%lld", (int)name.len, name.at,
                           (long long)out->created_ms);
        ok = len > 0 && (size_t)len < sizeof(out->owner);
    }
    json_decref(all);
    return ok;
}

/* RFC 3339, as Go writes times: in UTC, up to nine digits of a second; the year 1 for none. */
static bool read_created(const char *text, int64_t *created_ms)
{
    struct tm tm = {0};
    int64_t ms = 0, unit = 100, offset_s = 0;
    const char *at = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (at && *at == '.')
        for (at++; *at >= '0' && *at <= '9'; at++, unit /= 10)
            ms += (*at - '0') * unit;
    at = at ? read_offset(at, &offset_s) : NULL;
    if (!at || *at != '\0')
        return false;
    bool none = tm.tm_year == 1 - 1900;
    *created_ms = none ? 0 : ((int64_t)timegm(&tm) - offset_s) * 1000 + ms;
    return none || *created_ms > 0;
}

/* NULL: it is none. */
static const char *read_offset(const char *at, int64_t *offset_s)
{
    int hours, minutes, used = 0;
    if (*at == 'Z')
        return at + 1;
    if ((*at != '+' && *at != '-') || sscanf(at + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 ||
        used != 5)
        return NULL;
    *offset_s = (*at == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    return at + 1 + used;
}

bool user_split(struct str owner, struct str *name, int64_t *created_ms)
{
    const char *colon = owner.len > 0 ? memrchr(owner.at, ':', owner.len) : NULL;
    uint64_t created;
    if (!colon || colon == owner.at)
        return false;
    *name = (struct str){owner.at, (size_t)(colon - owner.at)};
    if (!str_u64(str_skip(owner, name->len + 1), INT64_MAX, &created))
        return false;
    *created_ms = (int64_t)created;
    return true;
}
