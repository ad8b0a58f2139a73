/* worker/turn/admits.h: what an answer says of data that was lacking. In English, German, Spanish,
 * Chinese or Japanese; that something is not so ("no gaps") says nothing of the data. Pure. */
#ifndef WORKER_TURN_ADMITS_H
#define WORKER_TURN_ADMITS_H

#include <stdbool.h>
#include "common/buf.h"

/* That some of it was cut, partial or not shown. */
bool admits_part(struct str answer);
/* That there was none. */
bool admits_none(struct str answer);

#endif
