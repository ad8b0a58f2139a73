/* gateway/turn/feeds.h: FOLLOWs a turn that another gateway drives at its worker; performs what
 * feed.h decides. */
#ifndef GATEWAY_TURN_FEEDS_H
#define GATEWAY_TURN_FEEDS_H

#include "gateway/turn/broker.h"
#include "gateway/turn/stream.h"

/* Of a turn that is not driven here, and has a follower. */

/* An answer of the store about it: who holds it is asked to send its events. */
void feeds_told(struct followed *t, const struct store_turn *told);
/* These are true when they are of the worker that feeds it: others no longer count. */
bool feeds_following(struct followed *t, const struct dispatch_worker *from,
                     const struct frame_FOLLOWING *f);
bool feeds_event(const struct followed *t, const struct dispatch_worker *from, uint32_t epoch);
/* It runs it no more (epoch 0: it has no such turn): followers ask the store again. */
void feeds_done(struct followed *t, const struct dispatch_worker *from, uint32_t epoch);
void feeds_lost(struct followed *t, const struct dispatch_worker *from); /* its link has ended */
/* Nobody follows it any more, it is driven here from now on, or its final event has come. */
void feeds_stop(struct followed *t);

#endif
