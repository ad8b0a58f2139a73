#include "worker/turn/turns.h"

#include <stdlib.h>
#include "common/check.h"
#include "common/log.h"
#include "common/map.h"
#include "proto/traced.h"

enum {
    EVENT_BYTES_MAX = 1 << 20, /* of a payload: frames.def */
    /* Turns looked at in one tick: all of them in TICKS_ROUND ticks while they are few. With many a
     * batch takes longer, so that neither this loop nor Redis gets a burst of writes
     * (each costs Redis some 70 us, and each token that comes meanwhile waits): text is stored a
     * little later then. */
    TICKS_ROUND = 5,
    TICK_TURNS_MIN = 4,
    TICK_TURNS_MAX = 16,
    TOOL_BATCH_TICKS_MAX = 200, /* but each is looked at every 2 s: its lease must not run out */
    GATHER_MS = 5,              /* text that waits is looked at after this */
};

struct worker_turns {
    struct worker_turns_config config;
    const struct turn_config *turn; /* of new ones */
    struct map *by_id;
    struct list list, dirty, titlings;
    struct list gathering; /* turns whose text waits a little */
    struct buf payload;
    struct loop_timer *tick, *gathered;
    bool closed;
};

static void on_tick(void *arg);
static void on_gathered(void *arg);
static void perform(struct worker_turns *all, struct turn *t);
static void forget(struct worker_turns *all, struct turn *t);

struct worker_turns *worker_turns_new(const struct worker_turns_config *c)
{
    struct worker_turns *all = xcalloc(1, sizeof(*all));
    all->config = *c;
    all->by_id = map_new();
    list_init(&all->list);
    list_init(&all->dirty);
    list_init(&all->gathering);
    list_init(&all->titlings);
    buf_init(&all->payload, EVENT_BYTES_MAX);
    worker_turns_use(all, &all->config.turn);
    all->tick = loop_timer_new(c->turn.journal.loop, on_tick, all);
    all->gathered = loop_timer_new(c->turn.journal.loop, on_gathered, all);
    return all;
}

void worker_turns_free(struct worker_turns *all)
{
    if (!all)
        return;
    list_each (&all->list, node, tmp)
        forget(all, list_of(node, struct turn, node));
    turn_titles_stop(&all->titlings);
    map_free(all->by_id);
    buf_free(&all->payload);
    loop_timer_free(all->tick);
    loop_timer_free(all->gathered);
    free(all);
}

void worker_turns_use(struct worker_turns *all, struct turn_config *c)
{
    c->dirty = &all->dirty;
    c->titlings = &all->titlings;
    c->payload = &all->payload;
    all->turn = c;
}

unsigned worker_turns_running(const struct worker_turns *all)
{
    return (unsigned)map_size(all->by_id);
}

void worker_turns_close(struct worker_turns *all) { all->closed = true; }

void worker_turns_start(struct worker_turns *all, struct hub_link *from, const struct hub_turn *of,
                        struct secret *take_token)
{
    struct id id = of->turn;
    uint32_t epoch = of->epoch;
    struct turn *old = map_get(all->by_id, id_key(&id));
    if (old && old->epoch >= epoch) {
        secret_free(take_token);
        if (old->epoch > epoch)                        /* else said twice */
            hub_send_done(from, id, epoch, TURN_NONE); /* it is not that gateway's any more */
        return;
    }
    if (old) { /* it was given up for dead here, and now it comes back */
        turn_fenced(old);
        perform(all, old);
    }
    if (all->closed || worker_turns_running(all) >= all->config.capacity) {
        secret_free(take_token);
        metric_add(all->config.turn.meters->turns_refused, 1);
        hub_send_release(from, id, epoch, all->closed ? "leaving" : "full");
        return;
    }
    struct turn *t = turn_new(all->turn, from, of, take_token);
    list_push(&all->list, &t->node);
    map_put(all->by_id, id_key(&t->id), t);
    if (!loop_timer_active(all->tick))
        loop_timer_set(all->tick, all->config.tick_ms, all->config.tick_ms);
    log_debug("turn.start", "turn=%s epoch=%u", traced_log(id), epoch);
}

bool worker_turns_cancel(struct worker_turns *all, struct id id)
{
    struct turn *t = map_get(all->by_id, id_key(&id));
    if (t)
        turn_cancel(t);
    return t != NULL;
}

void worker_turns_follow(struct worker_turns *all, struct hub_link *from, struct id id)
{
    struct turn *t = map_get(all->by_id, id_key(&id));
    if (t)
        turn_follow(t, from);
    else
        hub_send_done(from, id, 0, TURN_NONE); /* it is not here (any more) */
}

void worker_turns_unfollow(struct worker_turns *all, struct hub_link *from, struct id id)
{
    struct turn *t = map_get(all->by_id, id_key(&id));
    if (t)
        turn_unfollow(t, from);
}

void worker_turns_token(struct worker_turns *all, struct id id, uint32_t epoch,
                        struct secret *take_token)
{
    struct turn *t = map_get(all->by_id, id_key(&id));
    if (t && t->epoch == epoch)
        turn_token(t, take_token);
    else
        secret_free(take_token);
}

void worker_turns_leave(struct worker_turns *all)
{
    worker_turns_close(all);
    list_each (&all->list, node, tmp)
        turn_leave(list_of(node, struct turn, node));
}

static void on_tick(void *arg)
{
    struct worker_turns *all = arg;
    if (list_empty(&all->list))
        loop_timer_stop(all->tick); /* an idle worker sleeps */
    unsigned count = worker_turns_running(all), some = (count + TICKS_ROUND - 1) / TICKS_ROUND;
    some = some < TICK_TURNS_MIN ? TICK_TURNS_MIN : some;
    some = some > TICK_TURNS_MAX ? TICK_TURNS_MAX : some;
    some = some < count / TOOL_BATCH_TICKS_MAX ? count / TOOL_BATCH_TICKS_MAX : some;
    for (unsigned i = 0; i < some && i < count; i++) {
        struct turn *t = list_first(&all->list, struct turn, node);
        list_remove(&t->node);
        list_push(&all->list, &t->node);
        turn_tick(t); /* marks it at most: it is still there afterwards */
    }
}

void worker_turns_decide(struct worker_turns *all)
{
    while (!list_empty(&all->dirty))
        perform(all, list_head(&all->dirty, struct turn, dirty));
}

static void perform(struct worker_turns *all, struct turn *t)
{
    list_remove(&t->dirty);
    if (!turn_perform(t)) {
        forget(all, t);
        return;
    }
    if (t->said.len == 0 || !list_empty(&t->dirty))
        return;
    list_push(&all->gathering, &t->dirty);
    if (!loop_timer_active(all->gathered))
        loop_timer_set(all->gathered, GATHER_MS, 0);
}

static void on_gathered(void *arg)
{
    struct worker_turns *all = arg;
    list_each (&all->gathering, node, tmp) {
        list_remove(node);
        list_push(&all->dirty, node);
    }
}

static void forget(struct worker_turns *all, struct turn *t)
{
    map_remove(all->by_id, id_key(&t->id));
    list_remove(&t->node);
    list_remove(&t->dirty);
    turn_free(t);
}
