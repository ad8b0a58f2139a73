/* gateway/turn/cancels.h: a cancel was asked for here of a turn that the store says a worker holds.
 * That one is told; should it answer that it has not got the turn (it became that worker's when it
 * was accepted, and its gateway died before it was sent), the turn is ended here: a moment later,
 * for it may be on its way there, and that worker ends it itself then. */
#ifndef GATEWAY_TURN_CANCELS_H
#define GATEWAY_TURN_CANCELS_H

#include "gateway/gateway.h"
#include "proto/store/answer.h"

/* The turn as it has ended. */
typedef void cancels_fn(struct gateway *g, const struct store_turn *ended);
/* all: of those that were asked for lately; told: RUNNING. */
void cancels_note(struct list *all, struct gateway *g, const struct store_turn *told,
                  cancels_fn *fn);
/* The worker of this name has not got it. */
void cancels_absent(struct list *all, struct str worker, struct id turn);
void cancels_tick(struct list *all); /* several times a second */
void cancels_stop(struct list *all);

#endif
