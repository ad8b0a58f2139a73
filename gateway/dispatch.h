/* gateway/dispatch.h: which worker gets which turn (a brain: no socket, clock or Redis).
 *
 * Facts: workers come, report, leave; turns are submitted, end, are taken back. Decision:
 * dispatch_next(). Least-loaded first, within capacity; what finds no room waits in one bounded
 * queue, fair by owner: each gets one turn out in every round, so that one who asks for 200 delays
 * another by one. Turns and workers are embedded in their owners' structs, which outlive their
 * stay here. */
#ifndef GATEWAY_DISPATCH_H
#define GATEWAY_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>
#include "common/list.h"

struct dispatch {
    struct list workers; /* of dispatch_worker */
    struct list queue;   /* of dispatch_turn */
    unsigned queued, queue_max, capacity, worker_count;
    uint64_t round; /* of the turn that left the queue last */
};
struct dispatch_worker {
    struct list node;
    struct list turns; /* assigned to it */
    unsigned capacity;
    unsigned assigned;  /* by this gateway */
    unsigned elsewhere; /* what it runs for other gateways, by its last report */
    bool leaving;
};
struct dispatch_turn {
    struct list node;
    struct dispatch_worker *worker; /* NULL: queued, or not here at all */
    bool queued;
    uint64_t owner, round; /* a hash; when it is to leave the queue */
};

void dispatch_init(struct dispatch *d, unsigned queue_max);
void dispatch_turn_init(struct dispatch_turn *t, const char *owner);

void dispatch_worker_add(struct dispatch *d, struct dispatch_worker *w, unsigned capacity);
void dispatch_worker_report(struct dispatch_worker *w,
                            unsigned running); /* in all, ours included */
void dispatch_worker_leaves(struct dispatch *d,
                            struct dispatch_worker *w); /* no new turns; what it has goes on */
/* The worker is gone. Its turns are no longer assigned: on_turn is called for each, and may submit
 * it again. */
void dispatch_worker_remove(struct dispatch *d, struct dispatch_worker *w,
                            void (*on_turn)(void *arg, struct dispatch_turn *t), void *arg);

bool dispatch_room(const struct dispatch *d);        /* one more turn would be run or queued */
bool dispatch_idle_worker(const struct dispatch *d); /* a worker has room now */
/* Behind all that its owner has in the queue, one a round. */
void dispatch_submit(struct dispatch *d, struct dispatch_turn *t);
void dispatch_submit_first(
    struct dispatch *d,
    struct dispatch_turn *t); /* one that had been running: before all new ones */
/* The next turn to send, now assigned to *worker; NULL: nothing to do. */
struct dispatch_turn *dispatch_next(struct dispatch *d, struct dispatch_worker **worker);
void dispatch_done(struct dispatch *d,
                   struct dispatch_turn *t); /* over or withdrawn, wherever it is; fine to repeat */

#endif
