/* gateway/turn/dispatch.h: which worker gets which turn (a brain: no socket, clock or Redis).
 *
 * Facts: workers come, report, leave; turns are submitted, end, are taken back. Decision:
 * dispatch_next(). Least-loaded first, within capacity; what finds no room waits in one bounded
 * queue, fair by owner: each gets one turn out in every round, so that one who asks for 200 delays
 * another by one. Turns and workers are embedded in their owners' structs, which outlive their
 * stay here.
 *
 * Quarantine: one of the turns of a worker that died may have killed it, and would kill the next
 * one with all that is beside it. Those that ran a tool then, or have seen a death since they last
 * passed a step, are suspects; so is one that was alone. (Of several without such a sign none is:
 * a worker that is killed from outside must not make all its turns wait.) Suspects are retried
 * before all others, apart from them: each is a cell of its own (of many, a few make one), and a
 * worker that runs a cell takes nothing else. Who passes a step, or lives for ALONE_MS, is no
 * suspect any more. A cell goes to a worker that has nothing, or only what was a suspect, one of an
 * owner's at a time, so that nobody's take all workers; a worker is set aside for it where there
 * are others; where there is none in time, it goes to the least busy
 * one, so that nobody waits for ever; one that has seen two deaths does not, and is given up. A
 * death is counted against the suspects only: three end a turn, and who was beside them loses its
 * step, nothing else. Who is beside a cell twice is a suspect as well.
 *
 * When a machine or a network goes, many workers do at once, and the next one may have gone with
 * the last: who has seen two deaths goes only to one that was heard since. A worker whose
 * connection ended and that says HELLO again did not die: it is nobody's death any more.
 *
 * Promises: while a turn is being accepted its worker is known already (the store is told, and
 * brings what that one needs), and keeps a place for it. */
#ifndef GATEWAY_TURN_DISPATCH_H
#define GATEWAY_TURN_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>
#include "common/list.h"
#include "proto/event.h"

enum {
    DISPATCH_ALONE_MS = 10000,   /* a step passes, or a tool ends, within it almost always */
    DISPATCH_WAIT_MS = 15000,    /* for an empty worker: one that died is back within this */
    DISPATCH_GIVE_UP_MS = 60000, /* the same of one that has seen more deaths than one */
    DISPATCH_CELLS = 8,          /* of one worker's suspects, whatever their number */
    DISPATCH_DEATHS = 3,         /* of one turn that are remembered: as many end it */
    DISPATCH_EXCUSES = 20,       /* of a step: each costs a call of the model */
};
struct dispatch {
    struct list workers; /* of dispatch_worker */
    struct list queue;   /* of dispatch_turn */
    struct list ready;   /* of dispatch_turn: accepted for their workers, to be sent */
    struct list bereft;  /* of dispatch_turn: those that have seen deaths */
    unsigned queued, queue_max, capacity, worker_count;
    uint64_t round;                /* of the turn that left the queue last */
    uint64_t cells;                /* numbers that were given to cells */
    struct dispatch_worker *aside; /* set aside for the cell that is next; NULL: none */
};
struct dispatch_worker {
    struct list node;
    struct list turns;    /* assigned to it */
    struct list promises; /* of dispatch_turn */
    unsigned capacity;
    unsigned assigned;  /* by this gateway */
    unsigned elsewhere; /* what it runs for other gateways, by its last report */
    unsigned plain;     /* assigned that never were suspects */
    unsigned promised;  /* how many are being accepted for it */
    uint64_t cell;      /* that it runs; 0: none */
    unsigned suspects;  /* of the cell */
    bool leaving;
    uint64_t name;    /* a hash, other in each process; 0: its end counts, whoever comes back */
    int64_t heard_ms; /* when it was last */
};
struct dispatch_turn {
    struct list node;
    struct dispatch_worker *worker;   /* NULL: queued, or not here at all */
    struct dispatch_worker *promised; /* that one gets it; NULL: any */
    struct list promise;
    bool queued;
    uint64_t owner, round; /* a hash; when it is to leave the queue */
    uint64_t cell;         /* of a suspect; 0: none */
    unsigned deaths;       /* that it has seen since it passed a step: */
    struct dispatch_death {
        uint64_t name; /* of the worker; 0: none */
        bool counted;  /* by the store */
    } seen[DISPATCH_DEATHS];
    unsigned excuses; /* deaths of this step that were none, */
    unsigned undone;  /* and of them those that the store counts: it need not count as many */
    struct list bereft;
    int64_t since_ms; /* a suspect's worker died, or it was sent */
    bool tool;        /* it runs one, or is about to */
    bool spared;      /* another's cell was to blame once */
    bool apart;       /* it was sent as a suspect */
};

void dispatch_init(struct dispatch *d, unsigned queue_max);
void dispatch_turn_init(struct dispatch_turn *t, const char *owner);

void dispatch_worker_add(struct dispatch *d, struct dispatch_worker *w, unsigned capacity);
void dispatch_worker_report(struct dispatch_worker *w,
                            unsigned running);                         /* in all, ours included */
void dispatch_worker_heard(struct dispatch_worker *w, int64_t now_ms); /* something of it came */
/* It refused a turn: it gets none until its next report. */
void dispatch_worker_full(struct dispatch_worker *w);
void dispatch_worker_leaves(struct dispatch *d,
                            struct dispatch_worker *w); /* no new turns; what it has goes on */
/* The worker is gone. Its turns are no longer assigned: on_turn is called for each, and for each
 * that it was promised (never blamed), and may submit it again. died: it did not say so (else
 * nobody is suspect); blamed: the death counts as one of this turn's. */
typedef void dispatch_lost_fn(void *arg, struct dispatch_turn *t, bool blamed);
void dispatch_worker_remove(struct dispatch *d, struct dispatch_worker *w, bool died,
                            int64_t now_ms, dispatch_lost_fn *on_turn, void *arg);

/* A worker of this name (not 0) lives: that it was gone was nobody's death. */
void dispatch_undo_deaths(struct dispatch *d, uint64_t name);
/* One counts against this turn: is the store to count it? False: it has counted one that was none.
 */
bool dispatch_blame(struct dispatch_turn *t);

void dispatch_tool(struct dispatch_turn *t, bool runs); /* it runs one, or is about to */
void dispatch_passed(struct dispatch_turn *t);          /* a step is stored, or it is over */
void dispatch_moment(struct dispatch_turn *t, enum event_moment m); /* the same, by an event */

bool dispatch_room(const struct dispatch *d);        /* one more turn would be run or queued */
bool dispatch_idle_worker(const struct dispatch *d); /* a worker has room now */
/* The worker that a new turn would get now, where a place is kept for it until it is redeemed.
 * NULL: none has room, or others wait. */
struct dispatch_worker *dispatch_promise(struct dispatch *d, struct dispatch_turn *t);
/* It was accepted: its worker gets it next, whoever else waits: the place is its own. False: it has
 * no promise, or that worker leaves; nothing is changed but that the promise is void. */
bool dispatch_redeem(struct dispatch *d, struct dispatch_turn *t);
/* Behind all that its owner has in the queue, one a round. */
void dispatch_submit(struct dispatch *d, struct dispatch_turn *t);
/* One that had been running: before all new ones */
void dispatch_submit_first(struct dispatch *d, struct dispatch_turn *t);
/* The next turn to send, now assigned to *worker; NULL: nothing to do now (a suspect's wait may end
 * later: asked again within a second). */
struct dispatch_turn *dispatch_next(struct dispatch *d, int64_t now_ms,
                                    struct dispatch_worker **worker);
/* A suspect that has seen two deaths has had no worker of its own in time: its wait begins anew,
 * and its owner counts one more against it. */
bool dispatch_overdue(const struct dispatch *d, struct dispatch_turn *t, int64_t now_ms);
void dispatch_done(struct dispatch *d,
                   struct dispatch_turn *t); /* over or withdrawn, wherever it is; fine to repeat */
/* The same, and whatever was known of it. */
void dispatch_forget(struct dispatch *d, struct dispatch_turn *t);

#endif
