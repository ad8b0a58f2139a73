#include "worker/tools/line.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/log.h"
#include "common/rounds.h"
#include "worker/breaker.h"

enum { LANES_REMEMBERED = 1024 }; /* that were silent and have no runs now */

struct asker {
    struct rounds_owner of; /* its line: of tickets that wait */
    struct list node;
    char *owner;
    uint64_t who; /* for the breaker */
};
struct lane {
    struct list node, going; /* going: tickets */
    char *name;
    uint32_t runs, goes;
    struct breaker breaker;
};
struct line {
    struct list askers, lanes;
    struct rounds rounds;
    uint32_t max, asker_max, lane_max, lane_count;
};

static struct asker *asker_of(struct line *l, const char *owner);
static struct lane *lane_of(struct line *l, const char *name, bool make);
static void tidy(struct line *l, struct asker *a, struct lane *lane);

struct line *line_new(uint32_t running_max)
{
    enum { SHARED_FROM = 8 }; /* of less room there are no parts */
    struct line *l = xcalloc(1, sizeof(*l));
    list_init(&l->askers);
    list_init(&l->lanes);
    rounds_init(&l->rounds, 0); /* has_room says how many of one owner go */
    l->max = running_max;
    l->asker_max = running_max < SHARED_FROM ? running_max : running_max / 2;
    l->lane_max = running_max < SHARED_FROM ? running_max : running_max / 4;
    return l;
}

static void lane_free(struct lane *lane)
{
    list_remove(&lane->node);
    free(lane->name);
    free(lane);
}

void line_free(struct line *l)
{
    if (!l)
        return;
    CHECK(list_empty(&l->askers));
    list_each (&l->lanes, node, tmp)
        lane_free(list_of(node, struct lane, node));
    free(l);
}

bool line_join(struct line *l, struct line_ticket *t, const char *owner, const char *lane,
               bool again)
{
    CHECK(!t->asker);
    struct asker *a = asker_of(l, owner);
    if (!again && (l->rounds.waiting >= LINE_MAX || a->of.waiting >= LINE_OWNER_MAX)) {
        tidy(l, a, NULL);
        return false;
    }
    *t = (struct line_ticket){.asker = a, .lane = lane ? lane_of(l, lane, true) : NULL};
    list_init(&t->node);
    if (t->lane)
        t->lane->runs++;
    if (again)
        rounds_wait_first(&l->rounds, &a->of, &t->node);
    else
        rounds_wait(&l->rounds, &a->of, &t->node);
    return true;
}

/* Is the lane closed to everybody, or to this owner? */
static bool closed(const struct line_ticket *t, int64_t now_ms)
{
    const struct lane *lane = t->lane;
    return lane && breaker_is_against(&lane->breaker, t->asker->who) &&
           now_ms < lane->breaker.until_ms;
}

/* For how long; 0: it goes, as the probe of a lane whose time is up. */
static int64_t closed_ms(struct line_ticket *t, int64_t now_ms)
{
    struct lane *lane = t->lane;
    if (!lane || !breaker_is_against(&lane->breaker, t->asker->who))
        return 0;
    int64_t wait_ms = breaker_wait_ms(&lane->breaker, t->asker->who, now_ms);
    t->probe = wait_ms == 0;
    return wait_ms;
}

static bool has_room(const struct line *l, const struct line_ticket *t)
{
    return l->rounds.going < l->max && t->asker->of.going < l->asker_max &&
           (!t->lane || t->lane->goes < l->lane_max);
}

static void go(struct line *l, struct line_ticket *t)
{
    rounds_go(&l->rounds, &t->asker->of, &t->node);
    if (t->lane) {
        t->lane->goes++;
        list_push(&t->lane->going, &t->node);
    }
    t->goes = true;
}

struct line_ticket *line_next(struct line *l, int64_t now_ms, int64_t *refused_ms)
{
    list_each (&l->rounds.ready, owner, owner_tmp) {
        list_each (&list_of(owner, struct rounds_owner, ready)->line, node, tmp) {
            struct line_ticket *t = list_of(node, struct line_ticket, node);
            if (!has_room(l, t) && !closed(t, now_ms))
                continue;
            *refused_ms = closed_ms(t, now_ms);
            go(l, t);
            return t;
        }
    }
    return NULL;
}

void line_leave(struct line *l, struct line_ticket *t, int64_t now_ms)
{
    struct asker *a = t->asker;
    struct lane *lane = t->lane;
    if (!a)
        return;
    rounds_leave(&l->rounds, &a->of, &t->node, t->goes);
    if (lane) {
        lane->runs--;
        lane->goes -= t->goes;
    }
    /* A probe that asked nothing (or was cancelled) tells nothing: the next one may. */
    if (lane && t->probe && lane->breaker.state == BREAKER_PROBE)
        lane->breaker.until_ms = now_ms;
    *t = (struct line_ticket){0};
    tidy(l, a, lane);
}

/* Whose calls go in this lane, where that is one owner; else 0. */
static uint64_t only_owner(const struct lane *lane)
{
    uint64_t owner = 0;
    list_each (&lane->going, node, tmp) {
        uint64_t other = list_of(node, struct line_ticket, node)->asker->who;
        if (owner != 0 && owner != other)
            return 0;
        owner = other;
    }
    return owner;
}

void line_heard(struct line *l, const char *name, bool answered, int64_t now_ms)
{
    struct lane *lane = lane_of(l, name, false);
    if (!lane)
        return; /* nobody waits for it any more */
    if (answered) {
        breaker_succeeded(&lane->breaker);
        return;
    }
    enum breaker_state before = lane->breaker.state;
    breaker_failed(&lane->breaker, only_owner(lane), now_ms);
    if (lane->breaker.state == BREAKER_OPEN && before != BREAKER_OPEN)
        log_warn("tools.silent", "datasource=%s left_alone_ms=%lld", log_text(str_of(name)),
                 (long long)lane->breaker.open_ms);
}

static struct asker *asker_of(struct line *l, const char *owner)
{
    list_each (&l->askers, node, tmp) {
        struct asker *a = list_of(node, struct asker, node);
        if (strcmp(a->owner, owner) == 0)
            return a;
    }
    struct asker *a = xcalloc(1, sizeof(*a));
    a->owner = xstrdup(owner);
    a->who = breaker_owner(str_of(owner));
    rounds_owner_init(&a->of);
    list_init(&a->node);
    list_push(&l->askers, &a->node);
    return a;
}

static struct lane *lane_of(struct line *l, const char *name, bool make)
{
    list_each (&l->lanes, node, tmp) {
        struct lane *lane = list_of(node, struct lane, node);
        if (strcmp(lane->name, name) == 0)
            return lane;
    }
    if (!make)
        return NULL;
    struct lane *lane = xcalloc(1, sizeof(*lane));
    lane->name = xstrdup(name);
    list_init(&lane->going);
    l->lane_count++;
    list_push(&l->lanes, &lane->node);
    return lane;
}

static void tidy(struct line *l, struct asker *a, struct lane *lane)
{
    if (lane && lane->runs == 0 &&
        (lane->breaker.failures == 0 || l->lane_count > LANES_REMEMBERED)) {
        l->lane_count--;
        lane_free(lane);
    }
    if (!rounds_idle(&a->of))
        return;
    list_remove(&a->node);
    free(a->owner);
    free(a);
}
