/* worker/turn/unit.h: units behind numbers, in five languages, and what they may stand for in the
 * base that results have. Pure. */
#ifndef WORKER_TURN_UNIT_H
#define WORKER_TURN_UNIT_H

#include <stdbool.h>
#include "common/buf.h"

struct unit {
    const char *words; /* by blanks, in lower case */
    double scales[3];  /* 0: no more */
};
/* The unit at a place, or behind a blank there; NULL: none. len: of both. */
const struct unit *unit_find(struct str text, size_t at, size_t *len);
const struct unit *unit_percent(void);
/* From *i = 0 on: how long each period is that a text names ("the last hour"). False: no more. */
bool unit_period(struct str text, unsigned *i, double *seconds);

#endif
