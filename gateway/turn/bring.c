#include "gateway/turn/bring.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "proto/store/session.h"
#include "proto/store/store.h"

struct bringing {
    struct gateway *gateway;
    struct list node;
    bring_fn *fn;
    char owner[USER_MAX_BYTES];
    struct credentials credentials;
    uint64_t store_call;
};

static void bringing_free(struct bringing *o)
{
    store_forget(o->gateway->store, o->store_call);
    list_remove(&o->node);
    credentials_free(&o->credentials);
    free(o);
}

static void on_brought(void *arg, enum err err, const struct store_answer *a)
{
    struct bringing *o = arg;
    o->store_call = 0;
    if (err == ERR_NONE)
        o->fn(o->gateway, &a->sessions[0], str_of(o->owner), &o->credentials);
    bringing_free(o);
}

void bring_token(struct gateway *g, struct list *all, struct id session, struct str owner,
                 const struct credentials *c, bring_fn *fn)
{
    struct bringing *o = xcalloc(1, sizeof(*o));
    *o = (struct bringing){.gateway = g, .fn = fn, .credentials = credentials_share(c)};
    CHECK(owner.len < sizeof(o->owner));
    memcpy(o->owner, owner.at, owner.len);
    list_push(all, &o->node);
    o->store_call = store_session_get(g->store, owner, session, on_brought, o);
}

void bring_stop(struct list *all)
{
    list_each (all, node, next)
        bringing_free(list_of(node, struct bringing, node));
}
