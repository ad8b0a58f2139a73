/* Times and lengths of time as people and models write them: read within bounds or not at all, and
 * what we write ourselves is read as what it was. The first byte picks the zone. */
#include <stdint.h>
#include "common/check.h"
#include "common/duration.h"
#include "worker/tools/moment.h"

static const char *const zones[] = {"", "Europe/Berlin", "America/St_Johns", "Pacific/Apia",
                                    "no/zone"};
enum { ZONES = sizeof(zones) / sizeof(zones[0]), NOW_S = 1795900000, YEAR_S = 31556952 };

static void check_moment(struct str text, struct str zone)
{
    int64_t at, again;
    enum zone_remark remark;
    if (!moment_parse(text, (int64_t)NOW_S * 1000, zone, &at, &remark))
        return;
    CHECK(at >= 0 && at / 1000 <= (int64_t)YEAR_S * 8030); /* RFC 3339 has years of four digits */
    scoped_buf(written, 256);
    moment_rfc3339(&written, at);
    CHECK(moment_parse(buf_str(&written), 0, zone, &again, NULL) && again == at);
}

static void check_duration(struct str text)
{
    int64_t ms, again;
    if (moment_duration(text, &ms))
        CHECK(ms > 0 && ms / 1000 <= (int64_t)YEAR_S * 101);
    if (duration_parse(text, &ms))
        CHECK(ms >= 0 && duration_parse(str_of(duration_write(ms)), &again) && again == ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 4096)
        return 0;
    struct str text = {(const char *)data + 1, size - 1};
    check_moment(text, str_of(zones[data[0] % ZONES]));
    check_duration(text);
    return 0;
}
