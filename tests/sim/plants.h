/* tests/sim/plants.h: bugs that are planted on the wire: frames that say what they must not, or
 * never come; and, in some worlds, echoes of an epoch that is over, which nobody may believe. */
#ifndef TESTS_SIM_PLANTS_H
#define TESTS_SIM_PLANTS_H

#include "common/buf.h"

/* The frames of a message as the planted bug has them; without one of the wire, bytes. out: empty;
 * what is returned may borrow from it. */
struct str plants_frames(bool to_gateway, struct str bytes, struct buf *out);

#endif
