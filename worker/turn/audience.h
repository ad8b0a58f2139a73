/* worker/turn/audience.h: which gateways hear a turn: the one that drives it, and each at which
 * somebody follows it (FOLLOW).
 *
 * A link that said HELLO anew since it was added hears nothing more: the gateway behind it has
 * forgotten what it asked for; one that drives on asks by FOLLOW. Holds its links.
 * Memory: embedded; audience_free. */
#ifndef WORKER_TURN_AUDIENCE_H
#define WORKER_TURN_AUDIENCE_H

#include "worker/hub.h"

struct ear {
    struct hub_link *link; /* held */
    unsigned life;         /* of the link, when it was added */
    bool told;             /* FOLLOWING was said */
    bool again;            /* the driver's: it asked by FOLLOW, after another HELLO */
};
struct audience {
    struct ear *ears; /* the first is the driver's */
    unsigned count, size;
};
void audience_init(struct audience *a, struct hub_link *driver);
void audience_free(struct audience *a);

/* Facts. Added twice it is there once, and is to be told anew. Removing the driver's does nothing,
 * unless it asked. */
void audience_add(struct audience *a, struct hub_link *link);
void audience_remove(struct audience *a, struct hub_link *link);

/* One that asked to follow and was not told from where on; NULL: none. It counts as told then. */
struct hub_link *audience_untold(struct audience *a);
/* To all that were told: who was not yet gets it with what there is by then. */
void audience_event(const struct audience *a, const struct frame_EVENT *e);
/* To all but the driver: the turn is not here any more. */
void audience_done(const struct audience *a, struct id turn, uint32_t epoch);

#endif
