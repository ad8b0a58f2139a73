/* common/zone.h: times as the people of a time zone read and write them (tzdata's zones).
 *
 * One thread only: the zone in use is the process's TZ for the length of a call. */
#ifndef COMMON_ZONE_H
#define COMMON_ZONE_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"

enum { ZONE_NAME_MAX = 64 };

/* Letters, digits and what IANA's names have beside them: it may become part of a file's path. */
bool zone_named(struct str name);
/* An IANA name ("Europe/Berlin") that this machine has data for, under this or its other name
 * (zones.def). Empty: no. */
bool zone_known(struct str name);
/* "Monday 2026-11-23 10:12:44 +01:00"; UTC when the zone is not known. */
bool zone_write(struct buf *b, int64_t unix_ms, struct str zone);

/* What is to be said of a local time. */
enum zone_remark {
    ZONE_PLAIN,
    ZONE_TWICE,   /* the clocks went back over it: the first of the two was taken */
    ZONE_SKIPPED, /* they went forward over it: by the offset before (RFC 5545, 3.3.5) */
    ZONE_UNKNOWN, /* a zone was named that is not known here: it was taken as UTC */
};
/* Unix milliseconds, or RFC 3339 with an offset or Z, or without one: then local to the zone (UTC
 * when unknown). A date alone is its first moment. A zone in brackets behind it (RFC 9557) counts
 * before the other. remark may be NULL. */
bool zone_parse(struct str text, struct str zone, int64_t *unix_ms, enum zone_remark *remark);

#endif
