#include "tests/sim/faults.h"

#include <stdio.h>
#include <stdlib.h>
#include "common/check.h"
#include "tests/sim/net.h"
#include "tests/sim/sides.h"

enum {
    FAULTS_MAX = 8,
    START_US = 1000000, /* by then all have found each other; those of before the world too */
    /* After what was broken is back: links are found dead and made again, Redis is asked again, and
     * who has lost a turn learns of it. */
    HEAL_US = 5000000,
};

#define FAULTS(X)                                                                                  \
    X(WORKER_KILL)                                                                                 \
    X(WORKER_FREEZE)                                                                               \
    X(WORKER_TERMINATE)                                                                            \
    X(GATEWAY_KILL)                                                                                \
    X(GATEWAY_FREEZE)                                                                              \
    X(GATEWAY_TERMINATE)                                                                           \
    X(BOTH_KILL)                /* a gateway and a worker at once */                               \
    X(BREAK)                    /* the connection of a worker and a gateway */                     \
    X(CUT)                      /* no frame passes between them for a while */                     \
    X(LANE)                     /* a process's connection to Redis breaks */                       \
    X(REDIS_CRASH)              /* nothing that it had acknowledged is lost */                     \
    X(REDIS_SLOW) X(REDIS_LOSS) /* it comes back without its last writes */
enum fault_kind {
#define X(name) FAULT_##name,
    FAULTS(X)
#undef X
        FAULT_KINDS
};
static const char *const fault_names[] = {
#define X(name) #name,
    FAULTS(X)
#undef X
};

struct fault {
    struct sim_event event; /* first */
    enum fault_kind kind;
};
static struct fault faults[FAULTS_MAX];
static unsigned fault_count, deadly;
static struct sim_event snapshot_event;
static struct redis *snapshot;

unsigned faults_deadly(void) { return deadly; }
bool faults_none(void) { return deadly == 0 && fault_count == 0; }

/* Something is broken for so long, from now on. */
static void ill(int64_t us)
{
    int64_t well_us = sim.now_us + us + HEAL_US;
    if (well_us > sim.well_us)
        sim.well_us = well_us;
}

/* ---- processes ---- */

static void proc_start(struct proc *p)
{
    p->up = true;
    p->life++;
    p->frozen_us = 0;
    list_init(&p->wires);
    snprintf(p->name, sizeof(p->name), "%c%u.%u", p->gateway ? 'g' : 'w', p->index, p->life);
    sim_note("%s starts", p->name);
    if (p->gateway)
        p->self = side_gateway_new(p);
    else
        p->self = side_worker_new(p, sim.gateway_count);
}

static void proc_close(struct proc *p)
{
    if (p->gateway)
        web_gateway_died(p);
    if (p->gateway)
        side_gateway_free(p->self);
    else
        side_worker_free(p->self);
    p->up = false;
    p->self = NULL;
}

static void start_later(struct proc *p)
{
    int64_t us = sim_chance(100) ? sim_between(1000000, 8000000) : sim_between(50000, 1000000);
    if (sim.now_us + us > sim.calm_us)
        us = 50000;
    ill(us);
    sim_in(&p->start, us);
}

static void proc_kill(struct proc *p)
{
    if (!p->up)
        return;
    sim_note("%s is killed", p->name);
    p->up = false;
    proc_close(p);
    sim_unset(&p->stop);
    sim_unset(&p->crash);
    start_later(p);
}

static struct proc *proc_of(struct sim_event *e, size_t offset)
{
    return (struct proc *)(void *)((char *)e - offset);
}

static void on_start(struct sim_event *e) { proc_start(proc_of(e, offsetof(struct proc, start))); }

/* It ends by itself: what it wrote leaves. */
static void on_stop(struct sim_event *e)
{
    struct proc *p = proc_of(e, offsetof(struct proc, stop));
    sim_note("%s ends", p->name);
    proc_close(p);
    sim_unset(&p->crash);
    sim_unset(&p->stop);
    start_later(p);
}

static void on_crash(struct sim_event *e)
{
    deadly++;
    proc_kill(proc_of(e, offsetof(struct proc, crash)));
}

static void each_proc(void (*fn)(struct proc *p))
{
    for (unsigned i = 0; i < sim.gateway_count; i++)
        fn(&sim.gateways[i]);
    for (unsigned i = 0; i < sim.worker_count; i++)
        fn(&sim.workers[i]);
}

static void init(struct proc *p)
{
    p->gateway = p < sim.workers;
    p->index = (unsigned)(p - (p->gateway ? sim.gateways : sim.workers));
    p->start.fn = on_start;
    p->stop.fn = on_stop;
    p->crash.fn = on_crash;
    sim_in(&p->start, sim_chance(800) ? 0 : sim_between(0, 400000));
}

static void end(struct proc *p)
{
    sim_unset(&p->start);
    sim_unset(&p->stop);
    sim_unset(&p->crash);
    if (!p->up)
        return;
    p->up = false;
    proc_close(p);
}

void procs_begin(void) { each_proc(init); }
void procs_end(void) { each_proc(end); }

/* ---- faults ---- */

static struct proc *some_worker(void) { return &sim.workers[sim_below(sim.worker_count)]; }
static struct proc *some_gateway(void) { return &sim.gateways[sim_below(sim.gateway_count)]; }

/* One that is frozen thaws when it would have: what waits for that would come after what arrives
 * until a later thaw, and a connection keeps its order. */
static void freeze(struct proc *p)
{
    int64_t us = sim_chance(400) ? sim_between(SIDE_LEASE_MS, 2 * SIDE_LEASE_MS) * 1000
                                 : sim_between(10000, 2000000);
    sim_note("%s freezes for %lld ms", p->name, (long long)us / 1000);
    if (p->up && p->frozen_us <= sim.now_us)
        p->frozen_us = sim.now_us + us;
    ill(us);
}

static void crash(int64_t us, bool promoted)
{
    ill(us);
    net_redis_crash(us, promoted);
}

static void lose(void)
{
    crash(sim_between(1000, 1500000), sim_chance(500));
    if (!snapshot)
        return;
    fake_redis_restore(sim.redis, snapshot);
    fake_redis_free(snapshot);
    snapshot = NULL;
}

static void cut(void)
{
    struct proc *worker = some_worker();
    unsigned gateway = sim_below(sim.gateway_count);
    int64_t us = sim_between(50000, sim.tight ? 1000000 : 4000000);
    ill(us);
    net_cut(worker, gateway, us, sim_chance(500));
}

static void strike(enum fault_kind kind)
{
    ill(0);
    switch (kind) {
    case FAULT_BOTH_KILL:
        proc_kill(some_gateway());
        proc_kill(some_worker());
        break;
    case FAULT_WORKER_KILL:
        proc_kill(some_worker());
        break;
    case FAULT_GATEWAY_KILL:
        proc_kill(some_gateway());
        break;
    case FAULT_WORKER_FREEZE:
        freeze(some_worker());
        break;
    case FAULT_GATEWAY_FREEZE:
        freeze(some_gateway());
        break;
    case FAULT_WORKER_TERMINATE: {
        struct proc *p = some_worker();
        if (p->up && p->frozen_us <= sim.now_us)
            side_worker_terminate(p->self);
        break;
    }
    case FAULT_GATEWAY_TERMINATE: {
        struct proc *p = some_gateway();
        if (p->up && p->frozen_us <= sim.now_us)
            side_gateway_terminate(p->self);
        break;
    }
    case FAULT_BREAK:
        net_break(some_worker(), sim_below(sim.gateway_count));
        break;
    case FAULT_CUT:
        cut();
        break;
    case FAULT_LANE:
        net_lane_break(sim_chance(500) ? some_worker() : some_gateway());
        break;
    case FAULT_REDIS_CRASH:
        crash(sim_chance(100) ? sim_between(2000000, 7000000) : sim_between(1000, 1500000), false);
        break;
    case FAULT_REDIS_SLOW: {
        int64_t us = sim_between(10000, 2500000);
        if (sim.redis_slow_us <= sim.now_us) /* as freeze() */
            sim.redis_slow_us = sim.now_us + us;
        ill(us);
        break;
    }
    case FAULT_REDIS_LOSS:
        lose();
        break;
    case FAULT_KINDS:
        break;
    }
}

static void on_fault(struct sim_event *e)
{
    struct fault *f = (struct fault *)e;
    sim_note("FAULT %s", fault_names[f->kind]);
    deadly++; /* each may cost a turn its worker, as its gateway sees it */
    strike(f->kind);
}

static void on_snapshot(struct sim_event *e)
{
    (void)e;
    snapshot = fake_redis_copy(sim.redis);
}

static void plan_loss(struct fault *f)
{
    sim.lossy = true;
    snapshot_event.fn = on_snapshot;
    sim_at(&snapshot_event, f->event.at_us - sim_between(1000, 1000000));
}

void faults_begin(void)
{
    int64_t until_us = 0;
    deadly = 0;
    sim.well_us = sim.now_us + START_US;
    fault_count = sim_below(FAULTS_MAX / 2 + 1);
    if (sim_chance(100))
        fault_count = FAULTS_MAX;
    if (sim.smooth)
        fault_count = 0;
    for (unsigned i = 0; i < fault_count; i++) {
        struct fault *f = &faults[i];
        *f = (struct fault){.event.fn = on_fault};
        f->kind = (enum fault_kind)sim_below(FAULT_KINDS);
        if (sim.tight && sim_chance(500))
            f->kind = FAULT_CUT;
        if (f->kind == FAULT_REDIS_LOSS && (sim.lossy || !sim_chance(300)))
            f->kind = FAULT_WORKER_KILL;
        sim_in(&f->event, sim_between(1000, sim_chance(300) ? 4000000 : 900000));
        if (f->kind == FAULT_REDIS_LOSS)
            plan_loss(f);
        if (f->event.at_us > until_us)
            until_us = f->event.at_us;
    }
    sim.calm_us = until_us + 2500000;
}

void faults_end(void)
{
    for (unsigned i = 0; i < fault_count; i++)
        sim_unset(&faults[i].event);
    sim_unset(&snapshot_event);
    fault_count = 0;
    fake_redis_free(snapshot);
    snapshot = NULL;
}
