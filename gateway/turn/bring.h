/* gateway/turn/bring.h: a request of a person brings the token that a turn of theirs may wait for:
 * the store is asked for its session, and whoever has the turns is told. */
#ifndef GATEWAY_TURN_BRING_H
#define GATEWAY_TURN_BRING_H

#include "gateway/auth/identity.h"
#include "gateway/gateway.h"
#include "proto/store/answer.h"

/* fn: not called where the session is not the owner's, or the store does not answer. all: of those
 * that are under way. */
typedef void bring_fn(struct gateway *g, const struct store_session *s, struct str owner,
                      const struct credentials *c);
void bring_token(struct gateway *g, struct list *all, struct id session, struct str owner,
                 const struct credentials *c, bring_fn *fn);
void bring_stop(struct list *all);

#endif
