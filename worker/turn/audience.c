#include "worker/turn/audience.h"

#include <stdlib.h>
#include "common/check.h"

static struct ear *find(const struct audience *a, const struct hub_link *link);
static bool hears(const struct ear *e);
static void drop_deaf(struct audience *a);

void audience_init(struct audience *a, struct hub_link *driver)
{
    *a = (struct audience){0};
    audience_add(a, driver);
    a->ears[0].told = true;
}

void audience_free(struct audience *a)
{
    for (unsigned i = 0; i < a->count; i++)
        hub_release(a->ears[i].link);
    free(a->ears);
    *a = (struct audience){0};
}

void audience_add(struct audience *a, struct hub_link *link)
{
    drop_deaf(a); /* so that there is at most one of each link, and the driver's */
    if (a->count > 0 && a->ears[0].link == link && !hears(a->ears)) {
        a->ears[0].life = hub_life(link); /* it had lost sight of us, and drives on */
        a->ears[0].again = true;
    }
    struct ear *e = find(a, link);
    if (e) {
        e->told = false;
        return;
    }
    if (a->count == a->size) {
        a->size = a->size ? a->size * 2 : 1;
        a->ears = xrealloc(a->ears, a->size * sizeof(*a->ears));
    }
    hub_hold(link);
    a->ears[a->count++] = (struct ear){.link = link, .life = hub_life(link)};
}

void audience_remove(struct audience *a, struct hub_link *link)
{
    struct ear *e = find(a, link);
    if (e && e == a->ears && e->again)
        e->life--; /* it was another process of that gateway, which followed */
    if (!e || e == a->ears)
        return;
    hub_release(link);
    *e = a->ears[--a->count];
}

static void drop_deaf(struct audience *a)
{
    for (unsigned i = a->count; i > 1; i--) {
        struct ear *e = &a->ears[i - 1];
        if (hears(e))
            continue;
        hub_release(e->link);
        *e = a->ears[--a->count];
    }
}

/* In the link's present life. */
static struct ear *find(const struct audience *a, const struct hub_link *link)
{
    for (unsigned i = 0; i < a->count; i++)
        if (a->ears[i].link == link && hears(&a->ears[i]))
            return &a->ears[i];
    return NULL;
}

static bool hears(const struct ear *e) { return e->life == hub_life(e->link); }

struct hub_link *audience_untold(struct audience *a)
{
    for (unsigned i = 0; i < a->count; i++) {
        struct ear *e = &a->ears[i];
        if (e->told)
            continue;
        e->told = true;
        if (hears(e))
            return e->link;
    }
    return NULL;
}

void audience_event(const struct audience *a, const struct frame_EVENT *event)
{
    for (unsigned i = 0; i < a->count; i++)
        if (a->ears[i].told && hears(&a->ears[i]))
            hub_send_event(a->ears[i].link, event);
}

void audience_done(const struct audience *a, struct id turn, uint32_t epoch)
{
    for (unsigned i = 1; i < a->count; i++)
        if (hears(&a->ears[i]))
            hub_send_done(a->ears[i].link, turn, epoch, TURN_NONE);
}
