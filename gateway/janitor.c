#include "gateway/janitor.h"

#include <stdio.h>
#include <stdlib.h>
#include "common/check.h"
#include "common/log.h"
#include "gateway/api/audit.h"
#include "gateway/auth/keys.h"
#include "gateway/auth/service.h"
#include "gateway/turn/turns.h"
#include "proto/store/active.h"
#include "proto/store/parting.h"
#include "proto/store/store.h"
#include "proto/store/turn.h"
#include "proto/traced.h"

enum {
    SWEEP_MS = 5000, /* how often turns that nobody holds are looked for */
    SWEEP_MAX = 500,
    PARTED_MS = 500, /* how often it is asked whose conversations are theirs no more */
    CURSOR_BYTES = 64,
};

struct janitor {
    struct gateway *gateway;
    struct loop_timer *timer;
    int64_t swept_ms;
    int64_t asked_ms;
    uint64_t sweep, parted;    /* the store is being asked */
    char cursor[CURSOR_BYTES]; /* of store_owners_parted */
};

static void ignore(void *arg, enum err err, const struct store_answer *a)
{
    (void)arg, (void)err, (void)a;
}

struct unheld {
    struct gateway *gateway;
    struct id session;
};

static void bring_token(void *arg, struct service *s)
{
    const struct unheld *u = arg;
    struct str user;
    const struct credentials *c;
    if (service_known(s, &user, &c))
        turns_bring_token(u->gateway, u->session, user, c);
}

/* Is it a service user's? Then its token can be had. */
static void bring_service_tokens(struct gateway *g, struct id session)
{
    struct unheld u = {g, session};
    bring_token(&u, g->service);
    keys_each(g->keys, bring_token, &u);
}

/* A turn that awaits its person's decision does not do so for ever. One that nobody holds waits for
 * its owner's token, and not for ever: one who follows it here has brought it, and the service
 * user's can be had. Where nobody signs in, it needs none. */
static void on_active(void *arg, enum err err, const struct store_answer *a)
{
    struct janitor *j = arg;
    struct gateway *g = j->gateway;
    j->sweep = 0;
    for (unsigned i = 0; err == ERR_NONE && i < a->turn_count; i++) {
        const struct store_turn *t = &a->turns[i];
        if (t->state == TURN_AWAITING && t->decide_ms <= 0) {
            log_info("turn.decision_expired", "turn=%s", traced_log(t->turn));
            audit_turn_given_up(t->owner, t->session, t->turn, ERR_DECISION_EXPIRED);
            store_turn_fail(g->store, t->session, t->turn, t->epoch, ERR_DECISION_EXPIRED, ignore,
                            NULL);
        }
        if (t->state != TURN_RUNNING || t->lease_ms > 0)
            continue;
        if (!g->settings.auth) {
            turns_adopt(g, t->session, t->turn, t->epoch, STR("local"), &(struct credentials){0});
        } else if (turns_adopt_lent(g, t->turn, t->epoch)) {
            continue;
        } else if (t->waiting_ms > g->settings.token_wait_ms) {
            log_info("turn.token_expired", "turn=%s waited_ms=%lld", traced_log(t->turn),
                     (long long)t->waiting_ms);
            metric_add(gateway_metric(METRIC_turns_given_up), 1);
            audit_turn_given_up(t->owner, t->session, t->turn, ERR_TOKEN_EXPIRED);
            store_turn_fail(g->store, t->session, t->turn, t->epoch, ERR_TOKEN_EXPIRED, ignore,
                            NULL);
        } else {
            bring_service_tokens(g, t->session);
        }
    }
}

/* What is driven here is held, and looked after by its beats. */
static bool is_driven_here(void *arg, struct id turn)
{
    struct janitor *j = arg;
    const struct turn *t = turns_get(j->gateway, turn);
    return t && t->place != PLACE_FOLLOWED && t->place != PLACE_ENDED;
}

static void sweep(struct janitor *j, int64_t now_ms)
{
    struct gateway *g = j->gateway;
    int64_t every_ms =
        g->settings.store.lease_ms / 2 < SWEEP_MS ? g->settings.store.lease_ms / 2 : SWEEP_MS;
    if (!store_ready(g->store))
        j->swept_ms = now_ms; /* when it is back, holders renew their leases first */
    if (j->sweep || now_ms - j->swept_ms < every_ms)
        return;
    j->swept_ms = now_ms;
    j->sweep = store_turn_active(g->store, SWEEP_MAX, is_driven_here, on_active, j);
}

/* What was handed on or erased by another process is followed here no longer. */
static void on_parted(void *arg, enum err err, const struct store_answer *a)
{
    struct janitor *j = arg;
    j->parted = 0;
    if (err != ERR_NONE)
        return;
    for (unsigned i = 0; i < a->parted_count; i++)
        turns_part(j->gateway, a->parted[i]);
    if (a->cursor.len > 0 && a->cursor.len < sizeof(j->cursor))
        snprintf(j->cursor, sizeof(j->cursor), "%.*s", (int)a->cursor.len, a->cursor.at);
}

static void ask_parted(struct janitor *j, int64_t now_ms)
{
    if (j->parted || now_ms - j->asked_ms < PARTED_MS || !store_ready(j->gateway->store))
        return;
    j->asked_ms = now_ms;
    j->parted = store_owners_parted(j->gateway->store, str_of(j->cursor), on_parted, j);
}

static void on_timer(void *arg)
{
    struct janitor *j = arg;
    broker_tick(j->gateway->broker);
    turns_tick(j->gateway);
    sweep(j, loop_now_ms(j->gateway->loop));
    ask_parted(j, loop_now_ms(j->gateway->loop));
}

struct janitor *janitor_new(struct gateway *g)
{
    struct janitor *j = xcalloc(1, sizeof(*j));
    j->gateway = g;
    j->swept_ms = loop_now_ms(g->loop);
    j->timer = loop_timer_new(g->loop, on_timer, j);
    int64_t tick_ms = g->settings.beat_ms / 2 > 10 ? g->settings.beat_ms / 2 : 10;
    loop_timer_set(j->timer, tick_ms, tick_ms);
    return j;
}

void janitor_free(struct janitor *j)
{
    store_forget(j->gateway->store, j->sweep);
    store_forget(j->gateway->store, j->parted);
    loop_timer_free(j->timer);
    free(j);
}
