#include "gateway/dispatch.h"

#include <stddef.h>
#include "common/check.h"

void dispatch_init(struct dispatch *d, unsigned queue_max)
{
    *d = (struct dispatch){.queue_max = queue_max};
    list_init(&d->workers);
    list_init(&d->queue);
}

/* Two owners with one hash (FNV-1a) would share their turn in the round: no harm. */
static uint64_t hash_of(const char *owner)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (; *owner; owner++)
        hash = (hash ^ (unsigned char)*owner) * UINT64_C(1099511628211);
    return hash;
}

void dispatch_turn_init(struct dispatch_turn *t, const char *owner)
{
    *t = (struct dispatch_turn){.owner = hash_of(owner)};
    list_init(&t->node);
}

void dispatch_worker_add(struct dispatch *d, struct dispatch_worker *w, unsigned capacity)
{
    *w = (struct dispatch_worker){.capacity = capacity};
    list_init(&w->turns);
    list_push(&d->workers, &w->node);
    d->capacity += capacity;
    d->worker_count++;
}

void dispatch_worker_report(struct dispatch_worker *w, unsigned running)
{
    /* A turn on its way to the worker is ours and not yet in its number: never below what we gave
     * it. */
    w->elsewhere = running > w->assigned ? running - w->assigned : 0;
}

void dispatch_worker_leaves(struct dispatch *d, struct dispatch_worker *w)
{
    if (w->leaving)
        return;
    w->leaving = true;
    d->capacity -= w->capacity;
}

void dispatch_worker_remove(struct dispatch *d, struct dispatch_worker *w,
                            void (*on_turn)(void *arg, struct dispatch_turn *t), void *arg)
{
    dispatch_worker_leaves(d, w);
    list_remove(&w->node);
    d->worker_count--;
    while (!list_empty(&w->turns)) {
        struct dispatch_turn *t = list_first(&w->turns, struct dispatch_turn, node);
        dispatch_done(d, t);
        on_turn(arg, t);
    }
}

static bool has_room(const struct dispatch_worker *w)
{
    return !w->leaving && w->assigned + w->elsewhere < w->capacity;
}

bool dispatch_idle_worker(const struct dispatch *d)
{
    list_each (&d->workers, node, next)
        if (has_room(list_of(node, struct dispatch_worker, node)))
            return true;
    return false;
}

bool dispatch_room(const struct dispatch *d) { return d->queued < d->queue_max; }

static void put(struct dispatch *d, struct dispatch_turn *t)
{
    CHECK(!t->queued && t->worker == NULL);
    t->queued = true;
    d->queued++;
}

void dispatch_submit(struct dispatch *d, struct dispatch_turn *t)
{
    struct list *before = &d->queue; /* what it is put before: the first of a later round */
    put(d, t);
    t->round = d->round + 1; /* not the present one: who always comes back would always be first */
    list_each (&d->queue, node, next) {
        const struct dispatch_turn *other = list_of(node, struct dispatch_turn, node);
        if (other->owner == t->owner && other->round >= t->round)
            t->round = other->round + 1;
    }
    while (before->prev != &d->queue &&
           list_of(before->prev, struct dispatch_turn, node)->round > t->round)
        before = before->prev;
    list_push(before, &t->node);
}

void dispatch_submit_first(struct dispatch *d, struct dispatch_turn *t)
{
    put(d, t);
    t->round = 0;
    list_unshift(&d->queue, &t->node);
}

/* The share of its capacity that is taken decides: a worker of 10 with 5 is as busy as one of 100
 * with 50. */
static bool less_loaded(const struct dispatch_worker *a, const struct dispatch_worker *b)
{
    uint64_t load_a = a->assigned + a->elsewhere, load_b = b->assigned + b->elsewhere;
    return load_a * b->capacity < load_b * a->capacity;
}

struct dispatch_turn *dispatch_next(struct dispatch *d, struct dispatch_worker **worker)
{
    struct dispatch_worker *best = NULL;
    if (list_empty(&d->queue))
        return NULL;
    list_each (&d->workers, node, next) {
        struct dispatch_worker *w = list_of(node, struct dispatch_worker, node);
        if (has_room(w) && (!best || less_loaded(w, best)))
            best = w;
    }
    if (!best)
        return NULL;
    struct dispatch_turn *t = list_first(&d->queue, struct dispatch_turn, node);
    list_remove(&t->node);
    if (t->round > d->round)
        d->round = t->round;
    t->queued = false;
    d->queued--;
    t->worker = best;
    best->assigned++;
    list_push(&best->turns, &t->node);
    *worker = best;
    return t;
}

void dispatch_done(struct dispatch *d, struct dispatch_turn *t)
{
    if (t->queued)
        d->queued--;
    if (t->worker)
        t->worker->assigned--;
    list_remove(&t->node);
    t->queued = false;
    t->worker = NULL;
}
