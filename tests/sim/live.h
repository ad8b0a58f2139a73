/* tests/sim/live.h: rules of the live path that no client can see, and bugs planted within it.
 *
 * Between gateways and workers: who sends a turn's events was asked for them since its last HELLO;
 * who no longer follows says so, and then gets no more; a gateway follows a turn at one worker at a
 * time; events say truly what is stored. Within: a worker's audience has each gateway once; a
 * gateway's tail keeps what Redis lacks or a follower was not given yet, and no more. live.c stands
 * around some of the programs' functions (the linker's --wrap) to see what they do. */
#ifndef TESTS_SIM_LIVE_H
#define TESTS_SIM_LIVE_H

#include "gateway/turn/broker.h"
#include "tests/sim/world.h"

/* What workers say goes through this to the gateway's turns. Its arg: the gateway. */
extern const struct broker_handler live_of_workers;
void live_gateway_begins(const struct proc *p); /* nothing was asked of anybody yet */

#endif
