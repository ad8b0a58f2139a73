/* worker/tools/when.h: times as people say them: "since 14:00", "yesterday", "last Monday at 9am",
 * "3 days ago", "last week", "past 24 hours", "28 Nov 2026", "Sat, 28 Nov 2026 12:00:00 GMT", in
 * the person's time zone. Pure but for the zone's data.
 *
 * A clock time alone is the latest one that is not in the future; a weekday the latest such day
 * before today; a day alone, and a week, month or year, is its first moment; weeks begin on Monday.
 * English only: the model writes the argument. */
#ifndef WORKER_TOOLS_WHEN_H
#define WORKER_TOOLS_WHEN_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"
#include "common/zone.h"

bool when_parse(struct str text, int64_t now_ms, struct str zone, int64_t *unix_ms,
                enum zone_remark *remark);

#endif
