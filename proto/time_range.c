#include "proto/time_range.h"

#include "common/duration.h"
#include "common/json.h"
#include "common/zone.h"

static const int64_t moment_ms_max = 253402300799000; /* the year 9999 */
static const int64_t duration_ms_max = 100 * 365 * (int64_t)86400000;

/* What an end is read by. */
struct clock {
    struct str zone;
    int64_t now_ms;
    bool unknown_zone; /* which a time without an offset was to be read by */
};

static bool read_duration(struct str text, int64_t *ms)
{
    return duration_parse(text, ms) && *ms > 0 && *ms <= duration_ms_max;
}

/* What comes behind "now": "", "-1h30m", " + 5m". */
static bool read_from_now(struct str behind, int64_t now_ms, int64_t *ms)
{
    int64_t away;
    behind = str_trim(behind);
    *ms = now_ms;
    if (behind.len == 0)
        return true;
    if ((behind.at[0] != '-' && behind.at[0] != '+') ||
        !read_duration(str_trim(str_skip(behind, 1)), &away))
        return false;
    *ms += behind.at[0] == '-' ? -away : away;
    return true;
}

static bool read_number(int64_t number, int64_t *ms)
{
    static const int64_t seconds_below = 100000000000; /* as milliseconds: March 1973 */
    *ms = number < seconds_below ? number * 1000 : number;
    return number > 0;
}

static bool read_moment(const json_t *v, struct clock *clock, int64_t *ms)
{
    enum zone_remark remark = ZONE_PLAIN;
    struct str text = str_trim(json_text(v));
    uint64_t digits;
    bool read;
    if (json_is_integer(v))
        read = json_integer_value(v) > 0 && read_number(json_integer_value(v), ms);
    else if (str_u64(text, INT64_MAX, &digits))
        read = read_number((int64_t)digits, ms);
    else if (str_starts(text, STR("now")))
        read = read_from_now(str_skip(text, 3), clock->now_ms, ms);
    else
        read = zone_parse(text, clock->zone, ms, &remark);
    clock->unknown_zone |= remark == ZONE_UNKNOWN;
    return read && *ms > 0 && *ms <= moment_ms_max;
}

static const char *read_members(const json_t *range, struct clock *clock, struct time_range *r)
{
    const json_t *start = json_given(range, "start"), *end = json_given(range, "end");
    const json_t *duration = json_given(range, "duration");
    int64_t length = 0;
    if (!duration)
        duration = json_given(range, "pastDuration");
    if (!duration && !start)
        return "time_range needs start and end, or a duration";
    if (duration && start && end)
        return "time_range takes a duration with start or with end, not with both";
    if (duration && !read_duration(str_trim(json_text(duration)), &length))
        return "time_range.duration must be as 90s, 1h30m or 7d, and at most 100 years";
    if (start && !read_moment(start, clock, &r->start_ms))
        return "time_range.start must be RFC 3339 (2026-11-28T12:00:00Z), milliseconds of Unix "
               "time, or as now-1h";
    if (end && !read_moment(end, clock, &r->end_ms))
        return "time_range.end must be RFC 3339 (2026-11-28T12:00:00Z), milliseconds of Unix time, "
               "or as now-1h";
    if (clock->unknown_zone)
        return "time_range has a time without an offset, and the timezone is not known here";
    if (!end)
        r->end_ms = duration && start ? r->start_ms + length : clock->now_ms;
    if (!start) /* not before the clock began */
        r->start_ms = length < r->end_ms ? r->end_ms - length : 0;
    return r->start_ms < r->end_ms ? NULL : "time_range.start must be before its end";
}

const char *time_range_read(const json_t *range, struct str zone, int64_t now_ms,
                            struct time_range *r)
{
    *r = (struct time_range){0};
    if (!range || json_is_null(range) || (json_is_object(range) && json_object_size(range) == 0))
        return NULL;
    if (!json_is_object(range))
        return "time_range must be {start, end} or {duration}";
    const char *fault = read_members(range, &(struct clock){zone, now_ms, false}, r);
    if (fault)
        *r = (struct time_range){0};
    return fault;
}
