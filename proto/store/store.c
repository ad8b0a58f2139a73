#include "proto/store/store.h"

#include <sodium.h>
#include <stdlib.h>
#include "common/check.h"
#include "proto/store/call.h"

struct store *store_new(struct loop *l, struct redis *borrowed, const struct store_config *c)
{
    struct store *s = xcalloc(1, sizeof(*s));
    s->loop = l;
    s->redis = borrowed;
    s->config = *c;
    CHECK(c->lease_ms > 0 && c->events_keep_ms > 0 && c->messages_max > 0);
    if (s->config.session_bytes_max == 0)
        s->config.session_bytes_max = 32 << 20;
    s->by_id = map_new();
    list_init(&s->calls);
    list_init(&s->late);
    list_init(&s->forks);
    s->timer = loop_timer_new(l, store_calls_late, s);
    unsigned char name[STORE_NAME_TEXT / 2];
    randombytes_buf(name, sizeof(name));
    sodium_bin2hex(s->name, sizeof(s->name), name, sizeof(name));
    return s;
}

bool store_ready(const struct store *s) { return redis_ready(s->redis); }

bool store_idle(const struct store *s) { return list_empty(&s->calls); }

void store_free(struct store *s)
{
    if (!s)
        return;
    list_each (&s->calls, n, tmp)
        store_call_drop(list_of(n, struct store_call, node));
    tally_free(s);
    free(s->trimmed);
    loop_timer_free(s->timer);
    map_free(s->by_id);
    free(s);
}

void store_forget(struct store *s, uint64_t call)
{
    struct store_call *c = map_get(s->by_id, (struct str){(const char *)&call, sizeof(call)});
    if (c)
        store_call_drop(c);
}
