/* gateway/api/administrators.h: who administers this Perses: Perses says, of its own roles. It is
 * who may do everything everywhere: a permission of all actions on all scopes that holds for all
 * projects, by a GlobalRole or for guests. Asked for each request, with the caller's own token.
 * With PERSAI_AUTH=false the one user is. */
#ifndef GATEWAY_API_ADMINISTRATORS_H
#define GATEWAY_API_ADMINISTRATORS_H

#include "gateway/api/call.h"

/* then comes once, at once or later, unless the client leaves; where Perses does not say, the call
 * is failed instead. c->data and c->on_gone are its own until then. */
void administrators_ask(struct call *c, void (*then)(struct call *c, bool yes));

#endif
