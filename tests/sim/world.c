#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/log.h"
#include "proto/id.h"

struct world sim;

enum { WALL_MS = 1700000000 }; /* seconds are of no interest: any day will do */

/* ---- chance ---- */

/* SplitMix64 (Steele, Lea, Flood 2014): any seed is a good one. */
uint64_t sim_random(void)
{
    uint64_t z = (sim.chance += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

unsigned sim_below(unsigned n) { return (unsigned)((sim_random() >> 32) * n >> 32); }

int64_t sim_between(int64_t low, int64_t high)
{
    return low + (int64_t)(sim_random() % (uint64_t)(high - low + 1));
}

bool sim_chance(unsigned of_thousand) { return sim_below(1000) < of_thousand; }

struct id id_new(void)
{
    struct id id;
    for (unsigned i = 0; i < sizeof(id.bytes); i += 8) {
        uint64_t r = sim_random();
        memcpy(id.bytes + i, &r, 8);
    }
    return id;
}

/* ---- what is seen of it ---- */

void sim_hash(const void *at, size_t len)
{
    const unsigned char *bytes = at;
    for (size_t i = 0; i < len; i++)
        sim.hash = (sim.hash ^ bytes[i]) * 0x100000001b3u;
}

static void print(const char *format, va_list args)
{
    printf("%10.3f  ", (double)sim.now_us / 1000);
    vprintf(format, args);
    putchar('\n');
}

void sim_note(const char *format, ...)
{
    if (!sim.tracing)
        return;
    va_list args;
    va_start(args, format);
    print(format, args);
    va_end(args);
}

void sim_fail(const char *format, ...)
{
    if (sim.failed)
        return;
    sim.failed = true;
    va_list args;
    va_start(args, format);
    vsnprintf(sim.failure, sizeof(sim.failure), format, args);
    va_end(args);
    sim_note("BROKEN %s", sim.failure);
}

bool log_enabled(enum log_level level) { return sim.tracing && level >= LOG_DEBUG; }

void log_write(enum log_level level, const char *event, const char *format, ...)
{
    (void)level;
    if (!sim.tracing)
        return;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    sim_note("    log %s %s", event, text);
}

/* ---- the heap ---- */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void put(struct sim_event *e, unsigned place)
{
    sim.heap[place - 1] = e;
    e->place = place;
}

static void sift(struct sim_event *e, unsigned place)
{
    while (place > 1 && before(e, sim.heap[place / 2 - 1])) {
        put(sim.heap[place / 2 - 1], place);
        place /= 2;
    }
    for (;;) {
        unsigned child = 2 * place;
        if (child > sim.heap_count)
            break;
        if (child < sim.heap_count && before(sim.heap[child], sim.heap[child - 1]))
            child++;
        if (!before(sim.heap[child - 1], e))
            break;
        put(sim.heap[child - 1], place);
        place = child;
    }
    put(e, place);
}

void sim_unset(struct sim_event *e)
{
    unsigned place = e->place;
    if (place == 0)
        return;
    e->place = 0;
    struct sim_event *last = sim.heap[--sim.heap_count];
    if (last != e)
        sift(last, place);
}

void sim_at(struct sim_event *e, int64_t at_us)
{
    sim_unset(e);
    e->at_us = at_us > sim.now_us ? at_us : sim.now_us;
    e->order = ++sim.orders;
    if (sim.heap_count == sim.heap_max) {
        sim.heap_max = sim.heap_max ? 2 * sim.heap_max : 256;
        sim.heap = xrealloc(sim.heap, sim.heap_max * sizeof(*sim.heap));
    }
    sim.heap_count++;
    sift(e, sim.heap_count);
}

void sim_in(struct sim_event *e, int64_t us) { sim_at(e, sim.now_us + us); }

bool sim_step(int64_t until_us)
{
    if (sim.heap_count == 0 || sim.heap[0]->at_us > until_us)
        return false;
    struct sim_event *e = sim.heap[0];
    sim_unset(e);
    sim.now_us = e->at_us;
    sim.happened++;
    sim_hash(&sim.now_us, sizeof(sim.now_us));
    fake_redis_time(sim.redis, sim_wall_ms());
    e->fn(e);
    return true;
}

/* ---- the world ---- */

int64_t sim_now_ms(void) { return sim.now_us / 1000; }
int64_t sim_wall_ms(void) { return (int64_t)WALL_MS * 1000 + sim.now_us / 1000; }

void sim_begin(uint64_t seed)
{
    struct sim_event **heap = sim.heap;
    unsigned heap_max = sim.heap_max;
    bool tracing = sim.tracing;
    enum fake_plant plant = sim.plant;
    memset(&sim, 0, sizeof(sim));
    sim.heap = heap;
    sim.heap_max = heap_max;
    sim.tracing = tracing;
    sim.plant = plant;
    sim.seed = sim.chance = seed;
    sim.hash = 0xcbf29ce484222325u;
    sim.now_us = 1000000;
    sim.redis = fake_redis_new();
    fake_redis_time(sim.redis, sim_wall_ms());
    fake_redis_plant(sim.redis, plant);
}

void sim_end(void)
{
    CHECK(sim.heap_count == 0);
    fake_redis_free(sim.redis);
    sim.redis = NULL;
}

bool proc_takes(struct proc *p, unsigned life, struct sim_event *e, bool *put_off)
{
    *put_off = false;
    if (!p->up || p->life != life)
        return false;
    if (p->frozen_us <= sim.now_us)
        return true;
    sim_at(e, p->frozen_us);
    *put_off = true;
    return false;
}

/* ---- common/loop.h over virtual time ---- */

struct loop_timer {
    struct sim_event event; /* first */
    struct loop *loop;
    loop_fn *fn;
    void *arg;
    int64_t repeat_ms;
};
struct later {
    struct list node;
    loop_fn *fn;
    void *arg;
};

static void run_later(struct loop *l)
{
    struct list now;
    list_init(&now);
    while (!list_empty(&l->later)) {
        struct list *node = l->later.next;
        list_remove(node);
        list_push(&now, node);
    }
    if (list_empty(&now))
        return;
    while (!list_empty(&now)) {
        struct later *f = list_first(&now, struct later, node);
        list_remove(&f->node);
        f->fn(f->arg);
        free(f);
    }
    if (l->proc->up)
        sim_wake(l);
}

static void on_pass(struct sim_event *e)
{
    struct loop *l = (struct loop *)(void *)((char *)e - offsetof(struct loop, pass));
    bool put_off;
    if (!proc_takes(l->proc, l->proc->life, e, &put_off))
        return;
    for (unsigned i = 0; i < l->decides; i++)
        l->decide[i].fn(l->decide[i].arg);
    for (unsigned i = 0; i < l->writes; i++)
        l->write[i].fn(l->write[i].arg);
    run_later(l);
}

void sim_loop_init(struct loop *l, struct proc *p)
{
    *l = (struct loop){.proc = p, .pass.fn = on_pass};
    list_init(&l->later);
}

void sim_loop_close(struct loop *l)
{
    while (!list_empty(&l->later))
        run_later(l);
    sim_unset(&l->pass);
}

/* Some facts meet in one pass, others don't. */
void sim_wake(struct loop *l)
{
    if (l->pass.place == 0)
        sim_in(&l->pass, sim_chance(700) ? 0 : sim_between(1, 1500));
}

int64_t loop_now_ms(const struct loop *l)
{
    (void)l;
    return sim_now_ms();
}
int64_t loop_wall_ms(void) { return sim_wall_ms(); }
uint64_t loop_hr_ns(void) { return (uint64_t)sim.now_us * 1000; }

static void hook_add(struct hook *hooks, unsigned *count, loop_fn *fn, void *arg)
{
    CHECK(*count < SIM_HOOKS_MAX);
    hooks[(*count)++] = (struct hook){fn, arg};
}
void loop_on_decide(struct loop *l, loop_fn *fn, void *arg)
{
    hook_add(l->decide, &l->decides, fn, arg);
}
void loop_on_write(struct loop *l, loop_fn *fn, void *arg)
{
    hook_add(l->write, &l->writes, fn, arg);
}

static void hooks_off(struct hook *hooks, unsigned *count, const void *arg)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < *count; i++)
        if (hooks[i].arg != arg)
            hooks[kept++] = hooks[i];
    *count = kept;
}
void loop_off(struct loop *l, const void *arg)
{
    hooks_off(l->decide, &l->decides, arg);
    hooks_off(l->write, &l->writes, arg);
}

void loop_later(struct loop *l, loop_fn *fn, void *arg)
{
    struct later *f = xmalloc(sizeof(*f));
    *f = (struct later){.fn = fn, .arg = arg};
    list_push(&l->later, &f->node);
    if (l->proc->up)
        sim_wake(l);
}
void loop_again(struct loop *l) { sim_wake(l); }
void loop_stop(struct loop *l) { sim_in(&l->proc->stop, 0); }

static void on_timer(struct sim_event *e)
{
    struct loop_timer *t = (struct loop_timer *)e;
    struct proc *p = t->loop->proc;
    bool put_off;
    if (!proc_takes(p, p->life, e, &put_off))
        return;
    if (t->repeat_ms > 0)
        sim_in(e, t->repeat_ms * 1000);
    sim_wake(t->loop);
    t->fn(t->arg);
}

struct loop_timer *loop_timer_new(struct loop *l, loop_fn *fn, void *arg)
{
    struct loop_timer *t = xcalloc(1, sizeof(*t));
    *t = (struct loop_timer){.event.fn = on_timer, .loop = l, .fn = fn, .arg = arg};
    return t;
}
void loop_timer_set(struct loop_timer *t, int64_t after_ms, int64_t repeat_ms)
{
    t->repeat_ms = repeat_ms;
    sim_in(&t->event, after_ms * 1000 + sim_between(0, 999));
}
void loop_timer_stop(struct loop_timer *t)
{
    if (t)
        sim_unset(&t->event);
}
bool loop_timer_active(const struct loop_timer *t) { return t->event.place != 0; }
void loop_timer_free(struct loop_timer *t)
{
    if (!t)
        return;
    sim_unset(&t->event);
    free(t);
}

/* Endpoints here are no names. */
uint64_t loop_resolve(struct loop *l, const char *host, loop_resolve_fn *fn, void *arg)
{
    (void)l, (void)host, (void)fn, (void)arg;
    return 0;
}
void loop_resolve_forget(struct loop *l, uint64_t id) { (void)l, (void)id; }
