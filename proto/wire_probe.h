/* proto/wire_probe.h: for --check: does a gateway's broker take us? */
#ifndef PROTO_WIRE_PROBE_H
#define PROTO_WIRE_PROBE_H

#include "proto/wire.h"

/* Connects to one endpoint, as ZeroMQ takes it, with a worker's keys where there are some, and
 * leaves again after the handshake: nothing is said, so the gateway has met no worker. Blocks for
 * up to wait_ms. False and a sentence: what is wrong, and what to do. */
bool wire_probe(const char *endpoint, const struct wire_config *c, int64_t wait_ms,
                char error[256]) warn_unused;

#endif
