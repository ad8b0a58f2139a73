/* gateway/parts.h: what a gateway consists of, made in order and unmade. */
#ifndef GATEWAY_PARTS_H
#define GATEWAY_PARTS_H

#include "gateway/gateway.h"

/* Both: the gateway has its settings, and its loop. */
bool parts_store(struct gateway *g, char error[256]); /* Redis alone: for what serves nobody */
/* All of them. NULL, or the setting that can't be used and in error why. */
const char *parts_open(struct gateway *g, char error[256]);
/* Those that there are, and the loop. */
void parts_close(struct gateway *g);

#endif
