#include "gateway/auth/askers.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/map.h"
#include "common/rounds.h"

enum { SENDERS_MAX = 10000 }; /* remembered; those that ask or wait come on top */

struct asker {                 /* a sender */
    struct rounds_owner owner; /* its line: of ask.node */
    int64_t paid_ms;           /* when the last of its refusals is forgotten */
};

struct askers {
    uint32_t max;
    struct map *senders;     /* address → asker */
    struct rounds strangers; /* by senders */
    struct rounds familiar;  /* of one owner: */
    struct asker known;      /* those whose tokens Perses knew, together */
    struct list waiting;     /* ask.in_order, the longest there first */
};

static struct address key_of(const struct address *sender);
static struct str bytes_of(const struct address *at);
static struct asker *asker_of(struct askers *a, const struct address *sender, int64_t now_ms);

/* The round that this one's questions are in. */
static struct rounds *rounds_of(struct askers *a, const struct asker *s)
{
    return s == &a->known ? &a->familiar : &a->strangers;
}

struct askers *askers_new(uint32_t max)
{
    struct askers *a = xcalloc(1, sizeof(*a));
    a->max = max;
    a->senders = map_new();
    rounds_init(&a->strangers, max / 4 > 0 ? max / 4 : 1);
    rounds_init(&a->familiar, 0);
    list_init(&a->waiting);
    rounds_owner_init(&a->known.owner);
    return a;
}

static uint32_t asking(const struct askers *a) { return a->strangers.going + a->familiar.going; }

static void free_sender(void *arg, struct str key, void *value)
{
    struct askers *a = arg;
    map_remove(a->senders, key);
    free(value);
}

void askers_free(struct askers *a)
{
    CHECK(asking(a) == 0 && list_empty(&a->waiting));
    map_each(a->senders, free_sender, a);
    map_free(a->senders);
    free(a);
}

void ask_init(struct ask *q)
{
    *q = (struct ask){0};
    list_init(&q->node);
    list_init(&q->in_order);
}

bool askers_may(const struct askers *a, const struct address *sender, bool known, int64_t now_ms)
{
    if (known || !sender)
        return true;
    struct address key = key_of(sender);
    const struct asker *s = map_get(a->senders, bytes_of(&key));
    return !s || (s->owner.waiting < ASKER_LINE_MAX &&
                  s->paid_ms - now_ms < (int64_t)ASKER_REFUSALS * ASKER_REFUSAL_MS);
}

void askers_enter(struct askers *a, struct ask *q, const struct address *sender, bool known,
                  int64_t now_ms)
{
    CHECK(!q->asker);
    struct asker *s = known || !sender ? &a->known : asker_of(a, sender, now_ms);
    q->asker = s;
    q->since_ms = now_ms;
    rounds_wait(rounds_of(a, s), &s->owner, &q->node);
    list_push(&a->waiting, &q->in_order);
}

struct ask *askers_next(struct askers *a)
{
    struct rounds *r = rounds_next(&a->familiar) ? &a->familiar : &a->strangers;
    struct rounds_owner *o = rounds_next(r);
    if (!o || asking(a) >= a->max || (r == &a->strangers && r->going >= a->max - a->max / 4))
        return NULL;
    struct ask *q = list_head(&o->line, struct ask, node);
    rounds_go(r, o, &q->node);
    list_remove(&q->in_order);
    q->asking = true;
    return q;
}

void askers_leave(struct askers *a, struct ask *q, bool refused, int64_t now_ms)
{
    struct asker *s = q->asker;
    if (!s)
        return;
    rounds_leave(rounds_of(a, s), &s->owner, &q->node, q->asking);
    list_remove(&q->in_order);
    if (refused)
        s->paid_ms = (s->paid_ms > now_ms ? s->paid_ms : now_ms) + ASKER_REFUSAL_MS;
    ask_init(q);
}

bool askers_waiting(const struct askers *a) { return !list_empty(&a->waiting); }

struct ask *askers_overdue(const struct askers *a, int64_t now_ms)
{
    struct ask *q = list_first(&a->waiting, struct ask, in_order);
    return q && now_ms - q->since_ms >= ASKER_WAIT_MS ? q : NULL;
}

/* ---- senders ---- */

/* Who has an IPv6 address has a network of them (RFC 6177): the first 64 bits are the sender. */
static struct address key_of(const struct address *sender)
{
    struct address key = *sender;
    if (!address_is_v4(&key))
        memset(key.bytes + 8, 0, 8);
    return key;
}

static struct str bytes_of(const struct address *at)
{
    return (struct str){(const char *)at->bytes, sizeof(at->bytes)};
}

struct sweep {
    struct askers *askers;
    int64_t now_ms;
};

static void drop_idle(void *arg, struct str key, void *value)
{
    const struct sweep *w = arg;
    struct asker *s = value;
    if (!rounds_idle(&s->owner) || s->paid_ms > w->now_ms)
        return;
    map_remove(w->askers->senders, key);
    free(s);
}

static struct asker *asker_of(struct askers *a, const struct address *sender, int64_t now_ms)
{
    struct address key = key_of(sender);
    struct asker *s = map_get(a->senders, bytes_of(&key));
    if (s)
        return s;
    if (map_size(a->senders) >= SENDERS_MAX)
        map_each(a->senders, drop_idle, &(struct sweep){a, now_ms});
    if (map_size(a->senders) >= SENDERS_MAX) /* their refusals are forgotten */
        map_each(a->senders, drop_idle, &(struct sweep){a, INT64_MAX});
    s = xcalloc(1, sizeof(*s));
    rounds_owner_init(&s->owner);
    map_put(a->senders, bytes_of(&key), s);
    return s;
}
