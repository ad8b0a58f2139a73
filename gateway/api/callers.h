/* gateway/api/callers.h: how many requests a person has under way, and what these hold of our
 * memory. Counted from when their sender is known until their answer was taken: one that reads
 * nothing holds memory, and streams count too. */
#ifndef GATEWAY_API_CALLERS_H
#define GATEWAY_API_CALLERS_H

#include "gateway/gateway.h"

struct callers *callers_new(void);
void callers_free(struct callers *c); /* after http_free: none is under way */
/* One of the user's is under way. NULL: they have max already. max 0: not limited. Valid until the
 * request is over. */
struct visitor *callers_enter(struct callers *c, const char *user, uint32_t max,
                              struct http_request *r);
/* It holds `bytes` more. False: its user's requests would hold more than max in all. */
bool callers_hold(struct visitor *v, uint64_t bytes, uint64_t max);

#endif
