#include "worker/tools/line.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/log.h"
#include "worker/breaker.h"

enum { LANES_REMEMBERED = 1024 }; /* that were silent and have no runs now */

struct asker {
    struct list node, waiting; /* in the order of the rounds: who has waited longest comes first */
    char *owner;
    uint32_t runs, goes; /* that wait or go; that go */
};
struct lane {
    struct list node, going; /* going: tickets */
    char *name;
    uint32_t runs, goes;
    struct breaker breaker;
    char *blamed; /* the only owner whose calls were silent; NULL: several */
};
struct line {
    struct list askers, lanes;
    uint32_t max, asker_max, lane_max, waiting, goes, lane_count;
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
    l->max = running_max;
    l->asker_max = running_max < SHARED_FROM ? running_max : running_max / 2;
    l->lane_max = running_max < SHARED_FROM ? running_max : running_max / 4;
    return l;
}

static void lane_free(struct lane *lane)
{
    list_remove(&lane->node);
    free(lane->name);
    free(lane->blamed);
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
    if (!again && (l->waiting >= LINE_MAX || a->runs - a->goes >= LINE_OWNER_MAX))
        return false; /* a has runs: it stays */
    *t = (struct line_ticket){.asker = a, .lane = lane ? lane_of(l, lane, true) : NULL};
    a->runs++;
    if (t->lane)
        t->lane->runs++;
    l->waiting++;
    if (again)
        list_unshift(&a->waiting, &t->node);
    else
        list_push(&a->waiting, &t->node);
    return true;
}

/* Is the lane closed to everybody, or to this owner? */
static bool closed(const struct line_ticket *t, int64_t now_ms)
{
    const struct lane *lane = t->lane;
    return lane && lane->breaker.state != BREAKER_CLOSED && now_ms < lane->breaker.until_ms &&
           (!lane->blamed || strcmp(lane->blamed, t->asker->owner) == 0);
}

/* For how long; 0: it goes, as the probe of a lane whose time is up. */
static int64_t closed_ms(struct line_ticket *t, int64_t now_ms)
{
    struct lane *lane = t->lane;
    if (!lane || (lane->blamed && strcmp(lane->blamed, t->asker->owner) != 0))
        return 0;
    int64_t wait_ms = breaker_wait_ms(&lane->breaker, now_ms);
    t->probe = wait_ms == 0 && lane->breaker.state == BREAKER_PROBE;
    return wait_ms;
}

static bool has_room(const struct line *l, const struct line_ticket *t)
{
    return l->goes < l->max && t->asker->goes < l->asker_max &&
           (!t->lane || t->lane->goes < l->lane_max);
}

static void go(struct line *l, struct line_ticket *t)
{
    l->goes++;
    t->asker->goes++;
    if (t->lane) {
        t->lane->goes++;
        list_push(&t->lane->going, &t->node);
    }
    t->goes = true;
}

struct line_ticket *line_next(struct line *l, int64_t now_ms, int64_t *refused_ms)
{
    list_each (&l->askers, asker, asker_tmp) {
        struct asker *a = list_of(asker, struct asker, node);
        list_each (&a->waiting, node, tmp) {
            struct line_ticket *t = list_of(node, struct line_ticket, node);
            if (!has_room(l, t) && !closed(t, now_ms))
                continue;
            *refused_ms = closed_ms(t, now_ms);
            list_remove(&t->node);
            list_remove(&a->node); /* the round goes on with the others */
            list_push(&l->askers, &a->node);
            l->waiting--;
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
    list_remove(&t->node);
    a->runs--;
    if (lane)
        lane->runs--;
    if (t->goes) {
        l->goes--;
        a->goes--;
        if (lane)
            lane->goes--;
    } else {
        l->waiting--;
    }
    /* A probe that asked nothing (or was cancelled) tells nothing: the next one may. */
    if (lane && t->probe && lane->breaker.state == BREAKER_PROBE)
        lane->breaker.until_ms = now_ms;
    *t = (struct line_ticket){0};
    tidy(l, a, lane);
}

/* Whose calls go in this lane, where that is one owner. */
static const char *only_owner(const struct lane *lane)
{
    const char *owner = NULL;
    list_each (&lane->going, node, tmp) {
        const char *other = list_of(node, struct line_ticket, node)->asker->owner;
        if (owner && strcmp(owner, other) != 0)
            return NULL;
        owner = other;
    }
    return owner;
}

static void blame(struct lane *lane)
{
    const char *owner = only_owner(lane);
    bool first = lane->breaker.state == BREAKER_CLOSED && lane->breaker.failures == 0;
    if (first)
        lane->blamed = owner ? xstrdup(owner) : NULL;
    else if (lane->blamed && (!owner || strcmp(owner, lane->blamed) != 0)) {
        free(lane->blamed);
        lane->blamed = NULL;
    }
}

void line_heard(struct line *l, const char *name, bool answered, int64_t now_ms)
{
    struct lane *lane = lane_of(l, name, false);
    if (!lane)
        return; /* nobody waits for it any more */
    if (answered) {
        breaker_succeeded(&lane->breaker);
        free(lane->blamed);
        lane->blamed = NULL;
        return;
    }
    blame(lane);
    enum breaker_state before = lane->breaker.state;
    breaker_failed(&lane->breaker, now_ms);
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
    list_init(&a->waiting);
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
    if (a->runs > 0)
        return;
    list_remove(&a->node);
    free(a->owner);
    free(a);
}
