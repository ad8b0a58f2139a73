/* gateway/api/callers.h: how many requests a person has under way. Counted from when their sender
 * is known until their answer was taken: one that reads nothing holds memory, and streams count
 * too.
 */
#ifndef GATEWAY_API_CALLERS_H
#define GATEWAY_API_CALLERS_H

#include "gateway/gateway.h"

struct callers *callers_new(void);
void callers_free(struct callers *c); /* after http_free: none is under way */
/* False: this user has max under way already. max 0: not limited. */
bool callers_enter(struct callers *c, const char *user, uint32_t max, struct http_request *r);

#endif
