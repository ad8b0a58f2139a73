/* proto/wire.h: ZeroMQ by czmq: frames to and from peers, CURVE, ZMQ_FD's edges, drain budget. The
 * only module that knows czmq.
 *
 * A gateway has one router, a worker one dealer for each gateway address. What is sent in a pass is
 * gathered in one buffer a peer and leaves as one message in the write phase (loop_on_write):
 * waking is what costs. What is read in one pass is bounded by a budget, the rest comes in the next
 * pass. Nothing blocks: a peer whose queue is full keeps its bytes here up to out_bytes_max; past
 * that nothing can be added, and the owner treats the peer as dead. */
#ifndef PROTO_WIRE_H
#define PROTO_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"
#include "common/loop.h"

struct wire;
struct wire_peer; /* router: a connected worker, made when its first message comes. dealer: its
                     gateway */

struct wire_config {
    /* Folder of CURVE keys, or NULL: then only ipc endpoints are allowed. */
    const char *keys;
    /* Without keys: tcp on loopback too, where whoever has an account on this machine can connect.
     */
    bool open;
    uint64_t out_bytes_max; /* waiting for one peer; 0: 8 MiB */
};
struct wire_callbacks {
    void (*on_message)(void *arg, struct wire_peer *p,
                       struct str bytes); /* one or more frames; borrowed */
    /* Router: the peer's connection is known to be gone (EHOSTUNREACH on send), or its key was
     * taken off the list. It is freed after this returns unless already dropped. */
    void (*on_gone)(void *arg, struct wire_peer *p);
};

/* endpoints: comma-separated, tcp://ADDRESS:PORT (port 0 or * picks one), ipc://PATH. NULL and a
 * sentence: can't bind, a tcp endpoint without keys, keys that can't be read. */
struct wire *wire_router_new(struct loop *l, const struct wire_config *c, const char *endpoints,
                             const struct wire_callbacks *cb, void *arg, char error[256]);
/* One numeric endpoint. ZeroMQ reconnects by itself (100 ms to 1 s). */
struct wire *wire_dealer_new(struct loop *l, const struct wire_config *c, const char *endpoint,
                             const struct wire_callbacks *cb, void *arg, char error[256]);
void wire_free(struct wire *w);                 /* what was sent has up to 200 ms to leave */
struct wire_peer *wire_gateway(struct wire *w); /* of a dealer */
const char *
wire_bound(const struct wire *w);         /* of a router: the first endpoint with its real port */
bool wire_is_local(const char *endpoint); /* loopback address or ipc; no name but "localhost" */
/* May it be used with these keys? False and a sentence that says what to set. */
bool wire_endpoint_ok(const char *endpoint, const struct wire_config *c, char error[256]);

/* What a peer is sent goes into its buffer: frame_encode(&f, wire_out(p)), then wire_touch(p). A
 * frame that would go over out_bytes_max is refused there, and nothing is added. */
struct buf *wire_out(struct wire_peer *p);
void wire_touch(struct wire_peer *p);
/* A secret is among what was sent to a router's peer: libzmq's own buffer is written over after it.
 */
void wire_wipe_after(struct wire_peer *p);
void wire_peer_set(struct wire_peer *p, void *user);
void *wire_peer_get(const struct wire_peer *p);
/* Router: forget it; a later message of it makes a new peer */
void wire_peer_drop(struct wire_peer *p);

#endif
