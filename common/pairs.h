/* common/pairs.h: name=value,name=value as OpenTelemetry's settings have it: values are
 * percent-encoded (W3C baggage, section 3.2.1). */
#ifndef COMMON_PAIRS_H
#define COMMON_PAIRS_H

#include <stdbool.h>
#include "common/buf.h"

enum { PAIRS_MAX = 8, PAIRS_BYTES_MAX = 4096 }; /* in one setting; of one value */

/* error says which is none. The values may be secrets: they are not repeated. */
bool pairs_ok(struct str pairs, char error[256]);
/* The next one, decoded. False: there is none, or it is no pair. */
bool pairs_next(struct str *rest, struct str *key, struct buf *value);

#endif
