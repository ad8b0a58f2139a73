#include "gateway/visits.h"

#include <stdlib.h>
#include "common/check.h"
#include "common/map.h"

struct lane {            /* a person who reads */
    struct list ready;   /* in visits.ready while somebody waits here and may go */
    struct list waiting; /* of visit.node */
    unsigned running;
    char *user;
};
struct visits {
    struct loop *loop;
    struct map *lanes; /* name → lane */
    struct list ready; /* by rounds: who was given a turn goes to the end */
    unsigned running;
};

static struct lane *lane_of(struct visits *q, const char *user);
static void make_ready(struct visits *q, struct lane *l);

struct visits *visits_new(struct loop *l)
{
    struct visits *q = xcalloc(1, sizeof(*q));
    q->lanes = map_new();
    list_init(&q->ready);
    q->loop = l;
    loop_on_decide(l, visits_go, q);
    return q;
}

void visits_free(struct visits *q)
{
    if (!q)
        return;
    CHECK(map_size(q->lanes) == 0 && q->running == 0);
    loop_off(q->loop, q);
    map_free(q->lanes);
    free(q);
}

bool visit_pending(const struct visit *r) { return r->lane != NULL; }

void visits_ask(struct visits *q, struct visit *r, const char *user, void (*go)(void *arg),
                void *arg)
{
    CHECK(!visit_pending(r));
    *r = (struct visit){.lane = lane_of(q, user), .go = go, .arg = arg};
    list_init(&r->node);
    list_push(&r->lane->waiting, &r->node);
    make_ready(q, r->lane);
}

static struct lane *lane_of(struct visits *q, const char *user)
{
    struct lane *l = map_get(q->lanes, str_of(user));
    if (l)
        return l;
    l = xcalloc(1, sizeof(*l));
    list_init(&l->ready);
    list_init(&l->waiting);
    l->user = xstrdup(user);
    map_put(q->lanes, str_of(user), l);
    return l;
}

/* At the end of the round, unless it has its place in it. */
static void make_ready(struct visits *q, struct lane *l)
{
    if (!list_empty(&l->waiting) && l->running < VISITS_OF_ONE && list_empty(&l->ready)) {
        list_push(&q->ready, &l->ready);
        loop_again(q->loop); /* this may be past the pass's decisions */
    }
}

void visits_go(void *visits)
{
    struct visits *q = visits;
    while (q->running < VISITS_OF_ALL && !list_empty(&q->ready)) {
        struct lane *l = list_first(&q->ready, struct lane, ready);
        struct visit *r = list_first(&l->waiting, struct visit, node);
        list_remove(&l->ready);
        list_remove(&r->node);
        r->running = true;
        l->running++;
        q->running++;
        make_ready(q, l);
        r->go(r->arg);
    }
}

void visits_over(struct visits *q, struct visit *r)
{
    struct lane *l = r->lane;
    if (!l)
        return;
    list_remove(&r->node);
    l->running -= r->running;
    q->running -= r->running;
    *r = (struct visit){0};
    if (list_empty(&l->waiting))
        list_remove(&l->ready);
    if (list_empty(&l->waiting) && l->running == 0) {
        map_remove(q->lanes, str_of(l->user));
        free(l->user);
        free(l);
    } else {
        make_ready(q, l);
    }
    if (!list_empty(&q->ready))
        loop_again(q->loop); /* a place is free now */
}
