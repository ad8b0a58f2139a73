#include "gateway/api/following.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "proto/store/events.h"
#include "proto/store/turn.h"

enum { READ_BYTES = 64 << 10 };

struct following { /* what it waits for */
    struct event_at after;
    following_fn *fn;
};

static void on_turn(void *arg, enum err err, const struct store_answer *a);
static void on_over_read(void *arg, enum err err, const struct store_answer *a);

static void free_data(struct call *c)
{
    free(c->data);
    c->data = NULL;
}

/* What it was waiting for has come. */
static struct following take(struct call *c)
{
    struct following f = *(struct following *)c->data;
    c->on_gone = NULL;
    free_data(c);
    return f;
}

void following_begin(struct call *c, struct event_at after, following_fn *fn)
{
    struct gateway *g = c->gateway;
    struct turn *t = turns_get(g, c->turn);
    if (t && turns_live(t) && !t->live.parted && id_eq(t->live.session, c->session) &&
        strcmp(t->live.owner, c->user) == 0) {
        if (!c->cross_site)
            turns_lend(t, &c->credentials);
        fn(c, ERR_NONE, t, after, NULL);
        return;
    }
    struct following *f = xcalloc(1, sizeof(*f));
    *f = (struct following){.after = after, .fn = fn};
    c->data = f;
    c->on_gone = free_data;
    c->store_call = store_turn_get(g->store, str_of(c->user), c->session, c->turn, on_turn, c);
}

static void on_turn(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    struct gateway *g = c->gateway;
    const struct following *waiting = c->data;
    c->store_call = 0;
    if (err == ERR_NONE && turn_state_over(a->turn.state)) {
        c->store_call = store_events_read(g->store, c->session, c->turn, waiting->after, READ_BYTES,
                                          on_over_read, c);
        return;
    }
    struct following f = take(c);
    if (err) {
        f.fn(c, err, NULL, f.after, NULL);
        return;
    }
    if (a->turn.state == TURN_RUNNING && a->turn.lease_ms <= 0 && !c->cross_site)
        turns_adopt(g, c->session, c->turn, a->turn.epoch, str_of(c->user), &c->credentials);
    struct turn *t = turns_followed(g, c->session, c->turn, str_of(c->user));
    if (!c->cross_site)
        turns_lend(t, &c->credentials);
    turns_told(t, &a->turn);
    f.fn(c, ERR_NONE, t, f.after, NULL);
}

static void on_over_read(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    struct following f = take(c);
    c->store_call = 0;
    struct turn *t = err ? NULL : turns_followed(c->gateway, c->session, c->turn, str_of(c->user));
    f.fn(c, err, t, f.after, err ? NULL : a);
}
