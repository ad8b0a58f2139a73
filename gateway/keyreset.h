/* gateway/keyreset.h: `persai-gateway --key-reset`: a provider's refusal that blocks its key for
 * hours (Retry-After: 7200) is lifted by hand, once it is known to be over. */
#ifndef GATEWAY_KEYRESET_H
#define GATEWAY_KEYRESET_H

struct gateway;
/* Prints a line for each key; the exit code. */
int keyreset_run(struct gateway *g);

#endif
