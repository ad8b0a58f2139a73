/* worker/zone.h: times as the people of a time zone read and write them (tzdata's zones).
 *
 * One thread only: the zone in use is the process's TZ for the length of a call. */
#ifndef WORKER_ZONE_H
#define WORKER_ZONE_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"

enum { ZONE_NAME_MAX = 64 };

/* An IANA name ("Europe/Berlin") that this machine has data for. Empty: no. */
bool zone_known(struct str name);
/* "Monday 2026-11-23 10:12:44 +01:00"; UTC when the zone is not known. */
bool zone_write(struct buf *b, int64_t unix_ms, struct str zone);
/* Unix milliseconds, or RFC 3339 with an offset or Z, or without one: then local to the zone (UTC
 * when unknown). A date alone is its first moment. */
bool zone_parse(struct str text, struct str zone, int64_t *unix_ms);

#endif
