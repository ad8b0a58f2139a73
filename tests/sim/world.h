/* tests/sim/world.h: one simulated world: a virtual clock, chance by a seed, processes.
 *
 * Everything that happens is a struct sim_event on one heap; the earliest runs, of equal ones the
 * one that was set first. Chance comes from the seed alone and nothing looks at real time, memory
 * addresses or the kernel, so that a seed replays bit by bit: sim_hash takes in what happens, and
 * two runs of a seed have the same hash. A process is a struct proc with a loop of its own
 * (common/loop.h over virtual time); while it is frozen, what happens to it waits. */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include "common/list.h"
#include "common/loop.h"
#include "tests/sim/fake_store.h"

struct sim_event {
    int64_t at_us;
    uint64_t order;
    unsigned place; /* in the heap, from 1; 0: not set */
    void (*fn)(struct sim_event *e);
};
void sim_at(struct sim_event *e, int64_t at_us); /* sets it, or sets it anew */
void sim_in(struct sim_event *e, int64_t us);
void sim_unset(struct sim_event *e);

enum { SIM_GATEWAYS_MAX = 3, SIM_WORKERS_MAX = 4, SIM_HOOKS_MAX = 8 };

struct hook {
    loop_fn *fn;
    void *arg;
};
struct loop {
    struct proc *proc;
    struct hook decide[SIM_HOOKS_MAX], write[SIM_HOOKS_MAX];
    unsigned decides, writes;
    struct list later;
    struct sim_event pass;
};
void sim_loop_init(struct loop *l, struct proc *p);
void sim_loop_close(struct loop *l); /* runs what was put off, as loop_free does */
void sim_wake(struct loop *l);       /* a fact was told: a pass comes */

/* A process's connection to Redis. */
struct lane {
    int64_t last_us[2]; /* requests, answers: in order */
    unsigned number;    /* counts connections */
    bool down;
    struct sim_event retry;
};
struct proc {
    bool gateway, up;
    unsigned index;
    unsigned life;     /* counts its starts: what was meant for an earlier one is nobody's */
    int64_t frozen_us; /* until then */
    struct loop loop;
    struct lane lane;
    struct store *store;
    struct list wires; /* of struct wire */
    void *self;        /* its gateway or worker */
    struct sim_event start, stop, crash;
    char name[32];
};
/* May this happen to the process now? False: the process is gone (the caller frees the event) or
 * frozen (*put_off: the event was set anew). */
bool proc_takes(struct proc *p, unsigned life, struct sim_event *e, bool *put_off);

struct world {
    int64_t now_us;
    uint64_t seed, chance, orders, hash;
    bool tracing, failed, lossy; /* lossy: Redis may lose its last writes */
    char failure[320];
    struct sim_event **heap;
    unsigned heap_count, heap_max;
    uint64_t happened;
    struct redis *redis;
    struct proc gateways[SIM_GATEWAYS_MAX], workers[SIM_WORKERS_MAX];
    unsigned gateway_count, worker_count;
    bool auth;
    enum fake_plant plant;
    int64_t redis_down_us, redis_slow_us;              /* until then */
    int64_t cut_us[SIM_WORKERS_MAX][SIM_GATEWAYS_MAX]; /* no frame passes until then */
    int64_t calm_us;                                   /* no fault after that */
    int64_t well_us; /* since then nothing is broken, and what was has healed */
    bool strayed;    /* a worker took for new what its or its gateway's former life was sent */
    bool smooth;     /* nothing breaks here, and nothing takes long */
    bool tight;      /* a link that is cut holds little: what does not fit is lost */
    bool echoes;     /* what was said of an epoch that is over comes once more */
    bool crowd;      /* more turns than the workers take at once */
};
extern struct world sim;

void sim_begin(uint64_t seed);
void sim_end(void);
bool sim_step(int64_t until_us); /* false: nothing is left before that */
int64_t sim_now_ms(void);
int64_t sim_wall_ms(void);

uint64_t sim_random(void);
unsigned sim_below(unsigned n); /* n > 0 */
int64_t sim_between(int64_t low, int64_t high);
bool sim_chance(unsigned of_thousand);

void sim_hash(const void *at, size_t len);
void sim_note(const char *format, ...) __attribute__((format(printf, 1, 2))); /* the trace */
/* A rule is broken: the first one is kept. */
void sim_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
