/* proto/store/switching.h: what is switched off, for all gateways and workers: see answer.h and
 * proto/switches.h. One hash, p:switches: a switch's name → what JSON says of it. */
#ifndef PROTO_STORE_SWITCHING_H
#define PROTO_STORE_SWITCHING_H

#include "proto/store/answer.h"

/* → switches */
uint64_t store_switches_get(struct store *s, store_fn *fn, void *arg);
/* sentence: what people see; empty: it is on again. by: who did it. ERR_INVALID: there is no such
 * switch. */
uint64_t store_switch_set(struct store *s, struct str name, struct str sentence, struct str by,
                          store_fn *fn, void *arg);
/* Who did it is said no longer of what this person switched off. → removed: how many that were */
uint64_t store_switches_forget(struct store *s, struct str by, store_fn *fn, void *arg);

#endif
