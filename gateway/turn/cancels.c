#include "gateway/turn/cancels.h"

#include <stdlib.h>
#include "common/check.h"
#include "common/log.h"
#include "proto/store/store.h"
#include "proto/store/turn.h"
#include "proto/traced.h"

enum {
    WAIT_MS = 5000,  /* for the worker's answer */
    ABSENT_MS = 500, /* a frame that is under way has come by then */
    ALL_MAX = 256,
};

struct cancelling {
    struct gateway *gateway;
    struct list node;
    cancels_fn *fn;
    struct id session, turn;
    uint32_t epoch;
    char *holder;
    int64_t asked_ms, absent_ms; /* absent: since its worker said so; 0: it did not */
    uint64_t store_call;
};

static void forget(struct cancelling *c)
{
    store_forget(c->gateway->store, c->store_call);
    list_remove(&c->node);
    free(c->holder);
    free(c);
}

void cancels_note(struct list *all, struct gateway *g, const struct store_turn *told,
                  cancels_fn *fn)
{
    unsigned count = 0;
    list_each (all, node, next)
        count++;
    if (count >= ALL_MAX)
        forget(list_first(all, struct cancelling, node));
    struct cancelling *c = xcalloc(1, sizeof(*c));
    *c = (struct cancelling){.gateway = g,
                             .fn = fn,
                             .session = told->session,
                             .turn = told->turn,
                             .epoch = told->epoch,
                             .holder = str_dup(told->holder),
                             .asked_ms = loop_now_ms(g->loop)};
    list_push(all, &c->node);
}

static void on_ended(void *arg, enum err err, const struct store_answer *a)
{
    struct cancelling *c = arg;
    c->store_call = 0;
    if (err == ERR_NONE) {
        log_info("turn.cancelled_unsent", "turn=%s epoch=%u", traced_log(c->turn), c->epoch);
        c->fn(c->gateway, &a->turn);
    }
    forget(c);
}

void cancels_absent(struct list *all, struct str worker, struct id turn)
{
    list_each (all, node, next) {
        struct cancelling *c = list_of(node, struct cancelling, node);
        if (id_eq(c->turn, turn) && str_is(worker, c->holder) && c->absent_ms == 0)
            c->absent_ms = loop_now_ms(c->gateway->loop);
    }
}

void cancels_tick(struct list *all)
{
    list_each (all, node, next) {
        struct cancelling *c = list_of(node, struct cancelling, node);
        int64_t now_ms = loop_now_ms(c->gateway->loop);
        if (c->store_call)
            continue;
        if (c->absent_ms == 0 && now_ms - c->asked_ms >= WAIT_MS)
            forget(c);
        else if (c->absent_ms != 0 && now_ms - c->absent_ms >= ABSENT_MS)
            c->store_call = store_turn_fail(c->gateway->store, c->session, c->turn, c->epoch,
                                            ERR_CANCELLED, on_ended, c);
    }
}

void cancels_stop(struct list *all)
{
    list_each (all, node, next)
        forget(list_of(node, struct cancelling, node));
}
