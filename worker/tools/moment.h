/* worker/tools/moment.h: times and durations as a model writes them. Pure.
 *
 * A time is RFC 3339 (without an offset: local to the person's zone), Unix seconds (or milli-,
 * micro-, nanoseconds), or relative to the turn's now: "now", "now-1h30m", "now - 1 hour",
 * "now-1M", rounded as "now-1d/d", "1h", "-1h", "-3600", "PT1H" and "last 24h" (as long before
 * now), a date as 30.11.2026, or what tools/when.h understands. A duration is one of
 * common/duration.h, a number of seconds, or in words ("5 minutes"). */
#ifndef WORKER_TOOLS_MOMENT_H
#define WORKER_TOOLS_MOMENT_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"
#include "common/zone.h"

/* From 1970 to 9999. remark: what is to be said of a local time; may be NULL. */
bool moment_parse(struct str text, int64_t now_ms, struct str zone, int64_t *unix_ms,
                  enum zone_remark *remark);
bool moment_duration(struct str text, int64_t *ms); /* positive, at most 100 years */
/* Also as an argument: in quotes or brackets, "PT5M", "5 m". */
bool moment_said_duration(struct str text, int64_t *ms);
void moment_rfc3339(struct buf *b, int64_t unix_ms); /* UTC; milliseconds where they are not 0 */
void moment_field(struct buf *b, const char *key, int64_t unix_ms); /* the same, as a member */
/* The least of the usual steps (1 s, 2 s, 5 s, … 1 d, then whole days) that is ≥ ms. */
int64_t moment_step(int64_t ms);

#endif
