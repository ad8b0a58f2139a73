/* proto/store/probe.h: for --check: does Redis answer, and is it fit to be the store? */
#ifndef PROTO_STORE_PROBE_H
#define PROTO_STORE_PROBE_H

#include "common/loop.h"
#include "common/report.h"

struct store_probe;
/* url: PERSAI_REDIS, durability: PERSAI_DURABILITY, as they were set. The report gets its lines
 * within 2 s, then done is called, once, never from inside. */
struct store_probe *store_probe_new(struct loop *l, const char *url, const char *durability,
                                    struct report *report, loop_fn *done, void *arg);
void store_probe_free(struct store_probe *p); /* not from inside of done; NULL is fine */

#endif
