/* worker/turn/turns.h: the turns that run here, by id: started, told things, performed, forgotten.
 */
#ifndef WORKER_TURN_TURNS_H
#define WORKER_TURN_TURNS_H

#include "worker/turn/turn.h"

struct turns;

struct turns_config {
    struct turn_config turn; /* dirty and payload are filled in */
    uint32_t capacity;
    int64_t tick_ms;
};
struct turns *turns_new(const struct turns_config *c);
void turns_free(struct turns *all);
unsigned turns_running(const struct turns *all);

/* Facts, from the hub. */
void turns_start(struct turns *all, struct hub_link *from, struct id session, struct id turn,
                 uint32_t epoch, struct secret *take_token);
void turns_cancel(struct turns *all, struct id turn);
void turns_follow(struct turns *all, struct hub_link *from, struct id turn);
void turns_unfollow(struct turns *all, struct hub_link *from, struct id turn);
void turns_token(struct turns *all, struct id turn, uint32_t epoch, struct secret *take_token);
/* Drain: takes no turn from now on. */
void turns_close(struct turns *all);
/* Drain: hands back what runs, as soon as what is being written is written. */
void turns_leave(struct turns *all);
/* The decision phase. */
void turns_decide(struct turns *all);

#endif
