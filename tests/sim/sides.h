/* tests/sim/sides.h: the real gateway and the real worker, as the simulator sees them.
 *
 * Each side is its program's modules and its glue (gateway_side.c, worker_side.c), which stands in
 * for HTTP and sign-in, the model and the tools; world.c and net.c for the loop, ZeroMQ and Redis.
 */
#ifndef TESTS_SIM_SIDES_H
#define TESTS_SIM_SIDES_H

#include "tests/sim/web.h"

enum {
    SIDE_BEAT_MS = 200,
    SIDE_DEAD_MS = 1000,
    SIDE_LEASE_MS = 3000,
    SIDE_TOKEN_WAIT_MS = 8000,
    SIDE_DRAIN_MS = 1500,
    SIDE_EVENTS_KEEP_MS = 3600 * 1000,
};

void *side_gateway_new(struct proc *p);
void side_gateway_free(void *gateway);      /* the process is gone: p->up is false */
void side_gateway_terminate(void *gateway); /* drains, then p->stop comes */
unsigned side_gateway_driven(const void *gateway);
void side_web_request(struct web *w);
void side_web_gone(struct web *w);
void side_web_room(struct web *w); /* the client took some bytes */

void *side_worker_new(struct proc *p, unsigned gateways);
void side_worker_free(void *worker);
void side_worker_terminate(void *worker);
unsigned side_worker_running(const void *worker);

#endif
