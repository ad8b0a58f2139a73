#include "gateway/errand.h"

#include <stdio.h>
#include "proto/store/store.h"

enum { REDIS_WAIT_MS = 5000, LOOK_MS = 20 };

static void on_look(void *arg);

int errand_run(struct errand *e)
{
    struct loop *loop = e->gateway->loop;
    e->code = 1;
    e->until_ms = loop_now_ms(loop) + REDIS_WAIT_MS;
    e->timer = loop_timer_new(loop, on_look, e);
    loop_timer_set(e->timer, LOOK_MS, LOOK_MS);
    loop_run(loop);
    loop_timer_free(e->timer);
    return e->code;
}

static void on_look(void *arg)
{
    struct errand *e = arg;
    struct gateway *g = e->gateway;
    if (e->over) {
        if (store_idle(g->store))
            loop_stop(g->loop);
    } else if (e->until_ms == 0) {
        return;
    } else if (store_ready(g->store)) {
        e->until_ms = 0;
        e->begin(e->arg);
    } else if (loop_now_ms(g->loop) >= e->until_ms) {
        fprintf(stderr, "Redis does not answer at %s\n", redis_where(g->redis));
        errand_end(e, 1);
    }
}

void errand_end(struct errand *e, int code)
{
    e->over = true;
    e->code = code;
}

bool errand_failed(struct errand *e, enum err err)
{
    if (err == ERR_NONE)
        return false;
    fprintf(stderr, "Redis could not do it: %s\n", err_word(err));
    errand_end(e, 1);
    return true;
}
