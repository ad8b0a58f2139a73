#include "gateway/visits.h"

#include <stdlib.h>
#include "common/check.h"
#include "common/map.h"
#include "common/rounds.h"

struct lane { /* a person who reads */
    struct visits *visits;
    struct rounds_owner owner; /* its line: of visit.node */
    char *user;
};
struct visits {
    struct loop *loop;
    struct map *lanes; /* name → lane */
    struct rounds rounds;
};

static struct lane *lane_of(struct visits *q, const char *user);

struct visits *visits_new(struct loop *l)
{
    struct visits *q = xcalloc(1, sizeof(*q));
    q->lanes = map_new();
    rounds_init(&q->rounds, VISITS_OF_ONE);
    q->loop = l;
    loop_on_decide(l, visits_go, q);
    return q;
}

void visits_free(struct visits *q)
{
    if (!q)
        return;
    CHECK(map_size(q->lanes) == 0 && q->rounds.going == 0);
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
    rounds_wait(&q->rounds, &r->lane->owner, &r->node);
    loop_again(q->loop); /* this may be past the pass's decisions */
}

static struct lane *lane_of(struct visits *q, const char *user)
{
    struct lane *l = map_get(q->lanes, str_of(user));
    if (l)
        return l;
    l = xcalloc(1, sizeof(*l));
    l->visits = q;
    rounds_owner_init(&l->owner);
    l->user = xstrdup(user);
    map_put(q->lanes, str_of(user), l);
    return l;
}

void visits_go(void *visits)
{
    struct visits *q = visits;
    struct rounds_owner *o;
    while (q->rounds.going < VISITS_OF_ALL && (o = rounds_next(&q->rounds)) != NULL) {
        struct visit *r = list_head(&o->line, struct visit, node);
        r->running = true;
        rounds_go(&q->rounds, o, &r->node);
        r->go(r->arg);
    }
}

void visits_over(struct visit *r)
{
    struct lane *l = r->lane;
    if (!l)
        return;
    struct visits *q = l->visits;
    rounds_leave(&q->rounds, &l->owner, &r->node, r->running);
    *r = (struct visit){0};
    if (rounds_idle(&l->owner)) {
        map_remove(q->lanes, str_of(l->user));
        free(l->user);
        free(l);
    }
    if (rounds_next(&q->rounds))
        loop_again(q->loop); /* a place is free now */
}
