/* worker/turn/turns.h: the turns that run here, by id: started, told things, performed, forgotten.
 */
#ifndef WORKER_TURN_TURNS_H
#define WORKER_TURN_TURNS_H

#include "worker/turn/turn.h"

struct worker_turns;

struct worker_turns_config {
    struct turn_config turn; /* dirty and payload are filled in */
    uint32_t capacity;
    int64_t tick_ms;
};
struct worker_turns *worker_turns_new(const struct worker_turns_config *c);
void worker_turns_free(struct worker_turns *all);
/* New turns are made with it. Borrowed as long as it is this one, or a turn has it (users). */
void worker_turns_use(struct worker_turns *all, struct turn_config *c);
unsigned worker_turns_running(const struct worker_turns *all);

/* Facts, from the hub. */
void worker_turns_start(struct worker_turns *all, struct hub_link *from, const struct hub_turn *of,
                        struct secret *take_token);
bool worker_turns_cancel(struct worker_turns *all, struct id turn);
void worker_turns_follow(struct worker_turns *all, struct hub_link *from, struct id turn);
void worker_turns_unfollow(struct worker_turns *all, struct hub_link *from, struct id turn);
void worker_turns_token(struct worker_turns *all, struct id turn, uint32_t epoch,
                        struct secret *take_token);
/* Drain: takes no turn from now on. */
void worker_turns_close(struct worker_turns *all);
/* Drain: hands back what runs, as soon as what is being written is written. */
void worker_turns_leave(struct worker_turns *all);
/* The decision phase. */
void worker_turns_decide(struct worker_turns *all);

#endif
