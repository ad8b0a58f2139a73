/* common/utc.h: a moment as text, in UTC. */
#ifndef COMMON_UTC_H
#define COMMON_UTC_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"

#define UTC_DAY_MS (INT64_C(24) * 3600 * 1000) /* Unix time has no leap seconds */
enum utc_form {
    UTC_SECONDS,      /* RFC 3339: 2026-01-02T03:04:05Z */
    UTC_MILLISECONDS, /* 2026-01-02T03:04:05.678Z */
    UTC_FOR_PEOPLE,   /* 2026-01-02 03:04:05 UTC */
};
enum { UTC_TEXT_MAX = 48 }; /* with its NUL; of any year that gmtime_r knows */
void utc_write(int64_t unix_ms, enum utc_form form, char out[static UTC_TEXT_MAX]);

/* A date as HTTP's headers have it, in any of its three forms (RFC 9110, 5.6.7), with what others
 * write for its GMT: UTC, UT, Z or an offset. */
bool utc_read_http(struct str text, int64_t *unix_ms);

/* A member of a JSON object. */
void utc_field(struct buf *b, const char *key, int64_t unix_ms, enum utc_form form);

#endif
