/* proto/time_range.h: the time that a question is about, as its context has it: {"start", "end"},
 * {"duration"} (or Perses's "pastDuration") until now, or a duration that begins at start or stops
 * at end. A start alone lasts until now.
 *
 * A moment is RFC 3339 (without an offset: local to the zone), "now", "now-1h30m", or Unix time in
 * milliseconds; what would be before 1973 is taken as seconds. A duration is common/duration.h's.
 * The gateway refuses what can't be read, and the worker reads the rest: both by this. */
#ifndef PROTO_TIME_RANGE_H
#define PROTO_TIME_RANGE_H

#include <jansson.h>
#include "common/str.h"

struct time_range {
    int64_t start_ms, end_ms; /* Unix time, start < end; 0, 0: none was chosen */
};

/* range: NULL, null or {}: none was chosen. zone: an IANA name (one that is not known here is a
 * fault where it is needed), or empty for UTC. NULL, or what is
 * wrong, as a sentence without its end that begins with "time_range"; *r is 0, 0 then. */
const char *time_range_read(const json_t *range, struct str zone, int64_t now_ms,
                            struct time_range *r);

#endif
