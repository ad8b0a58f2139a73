#include "gateway/auth/askers.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/map.h"

enum { SENDERS_MAX = 10000 }; /* remembered; those that ask or wait come on top */

struct asker {         /* a sender */
    struct list ready; /* in askers.ready while it has a line and room */
    struct list line;  /* of ask.node */
    uint32_t waiting, asking;
    int64_t paid_ms; /* when the last of its refusals is forgotten */
};

struct askers {
    uint32_t max, asking, strangers;
    struct map *senders; /* address → asker */
    struct list ready;   /* by rounds: who was asked for goes to the end */
    struct list waiting; /* ask.in_order, the longest there first */
    struct asker known;  /* those whose tokens Perses knew, together */
};

static struct address key_of(const struct address *sender);
static struct str bytes_of(const struct address *at);
static struct asker *asker_of(struct askers *a, const struct address *sender, int64_t now_ms);
static void make_ready(struct askers *a, struct asker *s);

static void asker_init(struct asker *s)
{
    list_init(&s->ready);
    list_init(&s->line);
}

struct askers *askers_new(uint32_t max)
{
    struct askers *a = xcalloc(1, sizeof(*a));
    a->max = max;
    a->senders = map_new();
    list_init(&a->ready);
    list_init(&a->waiting);
    asker_init(&a->known);
    return a;
}

static void free_sender(void *arg, struct str key, void *value)
{
    struct askers *a = arg;
    map_remove(a->senders, key);
    free(value);
}

void askers_free(struct askers *a)
{
    CHECK(a->asking == 0 && list_empty(&a->waiting));
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
    return !s || (s->waiting < ASKER_LINE_MAX &&
                  s->paid_ms - now_ms < (int64_t)ASKER_REFUSALS * ASKER_REFUSAL_MS);
}

void askers_enter(struct askers *a, struct ask *q, const struct address *sender, bool known,
                  int64_t now_ms)
{
    CHECK(!q->asker);
    struct asker *s = known || !sender ? &a->known : asker_of(a, sender, now_ms);
    q->asker = s;
    q->since_ms = now_ms;
    s->waiting++;
    list_push(&s->line, &q->node);
    list_push(&a->waiting, &q->in_order);
    make_ready(a, s);
}

static void make_ready(struct askers *a, struct asker *s)
{
    uint32_t each = a->max / 4 > 0 ? a->max / 4 : 1;
    list_remove(&s->ready);
    if (s != &a->known && s->waiting > 0 && s->asking < each)
        list_push(&a->ready, &s->ready);
}

struct ask *askers_next(struct askers *a)
{
    struct asker *s = NULL;
    if (a->asking >= a->max)
        return NULL;
    if (a->known.waiting > 0)
        s = &a->known;
    else if (a->strangers < a->max - a->max / 4)
        s = list_first(&a->ready, struct asker, ready);
    if (!s)
        return NULL;
    struct ask *q = list_head(&s->line, struct ask, node);
    list_remove(&q->node);
    list_remove(&q->in_order);
    q->asking = true;
    s->waiting--;
    s->asking++;
    a->asking++;
    a->strangers += s != &a->known;
    make_ready(a, s);
    return q;
}

void askers_leave(struct askers *a, struct ask *q, bool refused, int64_t now_ms)
{
    struct asker *s = q->asker;
    if (!s)
        return;
    if (q->asking) {
        s->asking--;
        a->asking--;
        a->strangers -= s != &a->known;
    } else {
        s->waiting--;
    }
    if (refused)
        s->paid_ms = (s->paid_ms > now_ms ? s->paid_ms : now_ms) + ASKER_REFUSAL_MS;
    list_remove(&q->node);
    list_remove(&q->in_order);
    ask_init(q);
    make_ready(a, s);
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
    if (s->waiting > 0 || s->asking > 0 || s->paid_ms > w->now_ms)
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
    asker_init(s);
    map_put(a->senders, bytes_of(&key), s);
    return s;
}
