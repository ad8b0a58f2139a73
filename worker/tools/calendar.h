/* worker/tools/calendar.h: days, weeks, months and years in a person's zone. Pure.
 *
 * Weeks begin on Monday (ISO 8601). */
#ifndef WORKER_TOOLS_CALENDAR_H
#define WORKER_TOOLS_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"
#include "common/zone.h"

enum calendar_unit {
    CALENDAR_MINUTE,
    CALENDAR_HOUR,
    CALENDAR_DAY,
    CALENDAR_WEEK,
    CALENDAR_MONTH,
    CALENDAR_YEAR
};
/* "week", "weeks", "hrs"; false: it is none. *ms: how long one is (30 days, 365 days). */
bool calendar_unit(struct str word, enum calendar_unit *unit, int64_t *ms);
/* "january" or its beginning: 1 to 12; 0: it is none. */
unsigned calendar_month(struct str word);
/* The first moment of the period that unix_ms is in, `back` periods earlier. False: there is none.
 */
bool calendar_begin(int64_t unix_ms, enum calendar_unit unit, unsigned back, struct str zone,
                    int64_t *begin_ms, enum zone_remark *remark);
/* The same clock on the same day of an earlier month, or on the last that such a month has. */
bool calendar_months_back(int64_t unix_ms, unsigned months, struct str zone, int64_t *then_ms,
                          enum zone_remark *remark);

#endif
