/* gateway/turn/places.h: a person's places among the turns that run (proto/store/quota.h), as this
 * gateway's settings limit them. */
#ifndef GATEWAY_TURN_PLACES_H
#define GATEWAY_TURN_PLACES_H

#include "gateway/gateway.h"
#include "proto/store/answer.h"

/* May this person begin a turn now? Asked before it is begun (it lies in another slot of a cluster
 * than the session): fn gets limit.verdict. 0: nothing is limited, and fn never comes. */
uint64_t places_begin(struct gateway *g, struct str owner, struct id quota_id, store_fn *fn,
                      void *arg);
/* May they have one go on that awaits their decision? The same, under an id of this request, but
 * that turns a minute are not counted: it was begun before. */
uint64_t places_resume(struct gateway *g, struct str owner, struct id quota_id, store_fn *fn,
                       void *arg);

#endif
