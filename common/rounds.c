#include "common/rounds.h"

#include "common/check.h"

static void place(struct rounds *r, struct rounds_owner *o);

void rounds_init(struct rounds *r, uint32_t each)
{
    *r = (struct rounds){.each = each};
    list_init(&r->ready);
}

void rounds_owner_init(struct rounds_owner *o)
{
    *o = (struct rounds_owner){0};
    list_init(&o->ready);
    list_init(&o->line);
}

static void wait(struct rounds *r, struct rounds_owner *o)
{
    r->waiting++;
    o->waiting++;
    place(r, o);
}

void rounds_wait(struct rounds *r, struct rounds_owner *o, struct list *node)
{
    list_push(&o->line, node);
    wait(r, o);
}

void rounds_wait_first(struct rounds *r, struct rounds_owner *o, struct list *node)
{
    list_unshift(&o->line, node);
    wait(r, o);
}

struct rounds_owner *rounds_next(const struct rounds *r)
{
    return list_first(&r->ready, struct rounds_owner, ready);
}

void rounds_go(struct rounds *r, struct rounds_owner *o, struct list *node)
{
    CHECK(o->waiting > 0 && r->waiting > 0);
    list_remove(node);
    list_remove(&o->ready);
    r->waiting--;
    o->waiting--;
    r->going++;
    o->going++;
    place(r, o);
}

void rounds_leave(struct rounds *r, struct rounds_owner *o, struct list *node, bool goes)
{
    uint32_t *of_all = goes ? &r->going : &r->waiting, *own = goes ? &o->going : &o->waiting;
    CHECK(*of_all > 0 && *own > 0);
    list_remove(node);
    (*of_all)--;
    (*own)--;
    place(r, o);
}

bool rounds_idle(const struct rounds_owner *o) { return o->waiting == 0 && o->going == 0; }

/* At the end of the round, unless it has its place in it. */
static void place(struct rounds *r, struct rounds_owner *o)
{
    if (o->waiting == 0 || (r->each > 0 && o->going >= r->each))
        list_remove(&o->ready);
    else if (list_empty(&o->ready))
        list_push(&r->ready, &o->ready);
}
