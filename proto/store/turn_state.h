/* proto/store/turn_state.h: the states of a turn, and their words in Redis and the API. */
#ifndef PROTO_STORE_TURN_STATE_H
#define PROTO_STORE_TURN_STATE_H

#include <stdbool.h>

#define TURN_STATES(X)                                                                             \
    X(NONE, "none")         /* there is no such turn */                                            \
    X(RUNNING, "running")   /* accepted: queued, or a worker has it, or it waits for one */        \
    X(AWAITING, "awaiting") /* waits for the person's decision; no process has it */               \
    X(DONE, "done")                                                                                \
    X(FAILED, "failed")                                                                            \
    X(CANCELLED, "cancelled")
enum turn_state {
#define X(name, word) TURN_##name,
    TURN_STATES(X)
#undef X
};
const char *turn_state_word(enum turn_state s);
bool turn_state_over(enum turn_state s); /* DONE, FAILED, CANCELLED */

#endif
