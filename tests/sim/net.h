/* tests/sim/net.h: what lies between processes: frames by proto/wire.h, commands to the store.
 *
 * Frames travel as over ZeroMQ on TCP: in order within a connection, late when the way is cut, and
 * lost from some point on when the connection breaks; what was sent before may still arrive, even
 * behind what a new connection brings. Commands to Redis come in order too; when that connection
 * breaks each one under way may have been executed or not, may be executed later still, and is sent
 * again: so a command can be executed twice, in another order, and its answer be lost. */
#ifndef TESTS_SIM_NET_H
#define TESTS_SIM_NET_H

#include "tests/sim/world.h"

/* Faults. */
void net_break(struct proc *worker, unsigned gateway); /* the connection between them */
void net_cut(struct proc *worker, unsigned gateway, int64_t us, bool breaks); /* for a while */
void net_lane_break(struct proc *p); /* the process's connection to Redis */
/* Gone for a while; what is under way is cut off. promoted: its replica takes over. */
void net_redis_crash(int64_t us, bool promoted);

/* The process's store, over its connection. */
void net_store_open(struct proc *p, const struct store_config *c);
void net_store_close(struct proc *p);

#endif
