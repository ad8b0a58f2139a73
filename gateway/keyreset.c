#include "gateway/keyreset.h"

#include <stdio.h>
#include "gateway/gateway.h"
#include "proto/store/quota.h"
#include "proto/store/store.h"

enum { REDIS_WAIT_MS = 5000 };

struct keyreset {
    struct loop *loop;
    bool done;
};

static void on_reset(void *arg, enum err err, const struct store_answer *a)
{
    struct keyreset *k = arg;
    unsigned lifted = 0;
    k->done = err == ERR_NONE;
    for (unsigned i = 0; k->done && i < a->key_count; i++) {
        const struct quota_blocked *b = &a->keys[i];
        lifted += b->left_ms > 0;
        if (b->left_ms > 0)
            printf("ok    The key of %.*s was blocked for another %lld s; it is free now\n",
                   (int)b->model.len, b->model.at, (long long)(b->left_ms + 999) / 1000);
    }
    if (k->done && lifted == 0)
        printf("ok    No provider's key was blocked\n");
    if (!k->done)
        printf("FAIL  Redis: %s\n", err_sentence(err));
    loop_stop(k->loop);
}

int keyreset_run(struct gateway *g)
{
    char error[256];
    struct redis_config config = {
        .url = g->settings.redis.url, .timeout_ms = REDIS_WAIT_MS, .queue_bytes_max = 1 << 20};
    struct keyreset k = {.loop = loop_new()};
    g->loop = k.loop;
    g->redis = redis_new(g->loop, &config, error);
    if (!g->redis) {
        printf("FAIL  Redis: %s\n", error);
        return 1;
    }
    g->store = store_new(g->loop, g->redis, &g->settings.store);
    quota_keys_reset(g->store, on_reset, &k);
    loop_run(g->loop);
    return k.done ? 0 : 1;
}
