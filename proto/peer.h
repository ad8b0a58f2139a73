/* proto/peer.h: a peer we hear from by beats: is it alive? Both ends of a link keep one.
 * Pure: the caller brings now_ms and acts on the answer. Plain data: embed it, nothing to free. */
#ifndef PROTO_PEER_H
#define PROTO_PEER_H

#include <stdint.h>

#define PEER_STATES(X)                                                                             \
    X(FRESH) /* connected, not heard from yet: gets no turns */                                    \
    X(ALIVE) /* heard from within dead_ms */                                                       \
    X(DEAD)  /* silent for longer, or known to be gone; final: one that comes back is a new peer */
enum peer_state {
#define X(name) PEER_##name,
    PEER_STATES(X)
#undef X
};

struct peer {
    enum peer_state state;
    int64_t heard_ms, beat_ms; /* when it was last heard; when we last sent it a beat */
    int64_t asked_ms;          /* when peer_at was last asked */
    int64_t silent_ms;         /* its silence, as far as we listened */
};

void peer_init(struct peer *p, int64_t now_ms);
void peer_heard(struct peer *p, int64_t now_ms); /* fact */
/* Decision, asked again and again. Silence counts while we listen: what one asking adds is at most
 * a quarter of dead_ms, so that a standstill of our own (a long pass, a process that was stopped)
 * is not taken for the peer's: what it said meanwhile waits to be read. */
enum peer_state peer_at(struct peer *p, int64_t now_ms, int64_t dead_ms);
/* Decision: is a beat of ours due? True at most once every_ms; notes that it was sent. */
int peer_beat_due(struct peer *p, int64_t now_ms, int64_t every_ms);

#endif
