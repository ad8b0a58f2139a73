/* gateway/switch.h: --switch NAME SENTENCE switches something off for all gateways and workers, and
 * --switch NAME on switches it on again: proto/switches.h says what there is. */
#ifndef GATEWAY_SWITCH_H
#define GATEWAY_SWITCH_H

#include "gateway/gateway.h"

/* Prints what is off then. The process's exit code. */
int switch_run(struct gateway *g, const char *name, const char *sentence);

#endif
