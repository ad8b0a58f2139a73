/* gateway/api/following.h: a turn that was begun earlier, to be followed: its owner is checked, a
 * turn that waits for a sign-in gets this one, and of one that is over it is known before the
 * answer begins whether its events are still there. */
#ifndef GATEWAY_API_FOLLOWING_H
#define GATEWAY_API_FOLLOWING_H

#include "gateway/api/call.h"
#include "gateway/turn/turns.h"

/* Once, at once or later, unless the client leaves before: c is still to be answered. On an error t
 * is NULL. read: for stream_begin or stream_collect, or NULL. */
typedef void following_fn(struct call *c, enum err err, struct turn *t, struct event_at after,
                          const struct store_answer *read);
/* c->session and c->turn. c->data and c->on_gone are its own until then. */
void following_begin(struct call *c, struct event_at after, following_fn *fn);

#endif
