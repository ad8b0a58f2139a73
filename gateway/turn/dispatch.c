#include "gateway/turn/dispatch.h"

#include <stddef.h>
#include "common/check.h"
#include "common/str.h"

static void suspect(struct dispatch *d, const struct dispatch_worker *w, int64_t now_ms);
static void clear(struct dispatch_turn *t);

void dispatch_init(struct dispatch *d, unsigned queue_max)
{
    *d = (struct dispatch){.queue_max = queue_max};
    list_init(&d->workers);
    list_init(&d->queue);
    list_init(&d->ready);
    list_init(&d->bereft);
}

/* Two owners with one hash would share their turn in the round: no harm. */
void dispatch_turn_init(struct dispatch_turn *t, const char *owner)
{
    *t = (struct dispatch_turn){.owner = str_hash(STR_HASH_NONE, str_of(owner))};
    list_init(&t->node);
    list_init(&t->promise);
    list_init(&t->bereft);
}

void dispatch_worker_add(struct dispatch *d, struct dispatch_worker *w, unsigned capacity)
{
    *w = (struct dispatch_worker){.capacity = capacity};
    list_init(&w->turns);
    list_init(&w->promises);
    list_push(&d->workers, &w->node);
    d->capacity += capacity;
    d->worker_count++;
}

/* What it has, as far as is known here. */
static unsigned load(const struct dispatch_worker *w)
{
    return w->assigned + w->promised + w->elsewhere;
}

void dispatch_worker_report(struct dispatch_worker *w, unsigned running)
{
    /* A turn on its way to the worker is ours and not yet in its number: never below what we gave
     * it. */
    w->elsewhere = running > w->assigned ? running - w->assigned : 0;
}

void dispatch_worker_heard(struct dispatch_worker *w, int64_t now_ms) { w->heard_ms = now_ms; }

void dispatch_worker_full(struct dispatch_worker *w)
{
    unsigned taken = load(w);
    if (taken < w->capacity)
        w->elsewhere += w->capacity - taken;
}

void dispatch_worker_leaves(struct dispatch *d, struct dispatch_worker *w)
{
    if (w->leaving)
        return;
    w->leaving = true;
    d->capacity -= w->capacity;
    if (d->aside == w)
        d->aside = NULL;
}

void dispatch_worker_remove(struct dispatch *d, struct dispatch_worker *w, bool died,
                            int64_t now_ms, dispatch_lost_fn *on_turn, void *arg)
{
    uint64_t before = d->cells; /* what is given out behind it is of this death */
    dispatch_worker_leaves(d, w);
    list_remove(&w->node);
    d->worker_count--;
    if (died)
        suspect(d, w, now_ms);
    while (!list_empty(&w->turns)) {
        struct dispatch_turn *t = list_first(&w->turns, struct dispatch_turn, node);
        dispatch_done(d, t);
        on_turn(arg, t, t->cell > before);
    }
    while (!list_empty(&w->promises)) {
        struct dispatch_turn *t = list_first(&w->promises, struct dispatch_turn, promise);
        dispatch_done(d, t);
        on_turn(arg, t, false);
    }
}

/* ---- quarantine ---- */

static bool likely(const struct dispatch_worker *w, const struct dispatch_turn *t)
{
    if (w->assigned == 1)
        return true;
    return w->cell != 0 ? t->cell != 0 || t->spared : t->tool || t->deaths > 0;
}

static void note_death(struct dispatch *d, struct dispatch_turn *t, uint64_t name, bool counted)
{
    if (t->deaths++ == 0)
        list_push(&d->bereft, &t->bereft);
    for (unsigned i = DISPATCH_DEATHS - 1; i > 0; i--)
        t->seen[i] = t->seen[i - 1];
    t->seen[0] = (struct dispatch_death){name, counted};
}

static void undo_death(struct dispatch_turn *t, struct dispatch_death *seen)
{
    if (t->excuses == DISPATCH_EXCUSES)
        return;
    t->excuses++;
    seen->name = 0;
    t->undone += seen->counted;
    if (--t->deaths > 0)
        return;
    list_remove(&t->bereft);
    clear(t);
}

void dispatch_undo_deaths(struct dispatch *d, uint64_t name)
{
    list_each (&d->bereft, node, next) {
        struct dispatch_turn *t = list_of(node, struct dispatch_turn, bereft);
        for (unsigned i = 0; i < DISPATCH_DEATHS; i++)
            if (t->seen[i].name == name)
                undo_death(t, &t->seen[i]);
    }
}

bool dispatch_blame(struct dispatch_turn *t)
{
    bool counts = t->undone == 0;
    t->undone -= !counts;
    return counts;
}

/* The store counts from 0 again. */
static void forget_counts(struct dispatch_turn *t)
{
    t->undone = t->excuses = 0;
    for (unsigned i = 0; i < DISPATCH_DEATHS; i++)
        t->seen[i].counted = false;
}

static void suspect(struct dispatch *d, const struct dispatch_worker *w, int64_t now_ms)
{
    unsigned count = 0, n = 0;
    list_each (&w->turns, node, next)
        count += likely(w, list_of(node, struct dispatch_turn, node));
    unsigned size = (count + DISPATCH_CELLS - 1) / DISPATCH_CELLS + (count == 0);
    uint64_t first = d->cells + 1;
    list_each (&w->turns, node, next) {
        struct dispatch_turn *t = list_of(node, struct dispatch_turn, node);
        bool is = likely(w, t);
        if (is || w->cell == 0) /* else the cell is to blame */
            note_death(d, t, w->name, is);
        if (!is) {
            t->spared = w->cell != 0;
            continue;
        }
        t->since_ms = now_ms;
        d->cells = t->cell = first + n++ / size;
    }
}

void dispatch_tool(struct dispatch_turn *t, bool runs) { t->tool = runs; }

void dispatch_passed(struct dispatch_turn *t)
{
    clear(t);
    list_remove(&t->bereft);
    forget_counts(t);
    t->deaths = 0;
    for (unsigned i = 0; i < DISPATCH_DEATHS; i++)
        t->seen[i].name = 0;
    t->tool = t->spared = false;
}

void dispatch_moment(struct dispatch_turn *t, enum event_moment m)
{
    switch (m) {
    case MOMENT_MODEL:
    case MOMENT_TOOL:
        dispatch_tool(t, m == MOMENT_TOOL);
        break;
    case MOMENT_REPLY:
        dispatch_tool(t, true);
        forget_counts(t);
        break;
    case MOMENT_PASSED:
        dispatch_passed(t);
        break;
    case MOMENT_NONE:
        break;
    }
}

/* Others may come beside it. */
static void clear(struct dispatch_turn *t)
{
    struct dispatch_worker *w = t->worker;
    if (w && t->cell != 0 && --w->suspects == 0)
        w->cell = 0;
    t->cell = 0;
}

static void clear_survivors(struct dispatch *d, int64_t now_ms)
{
    list_each (&d->workers, node, next) {
        struct dispatch_worker *w = list_of(node, struct dispatch_worker, node);
        if (w->cell == 0)
            continue;
        list_each (&w->turns, inner, after) {
            struct dispatch_turn *t = list_of(inner, struct dispatch_turn, node);
            if (t->cell != 0 && now_ms - t->since_ms >= DISPATCH_ALONE_MS)
                clear(t);
        }
    }
}

static bool has_room(const struct dispatch_worker *w)
{
    return !w->leaving && w->cell == 0 && load(w) < w->capacity;
}

bool dispatch_idle_worker(const struct dispatch *d)
{
    list_each (&d->workers, node, next)
        if (has_room(list_of(node, struct dispatch_worker, node)))
            return true;
    return false;
}

bool dispatch_room(const struct dispatch *d) { return d->queued < d->queue_max; }

static void put(struct dispatch *d, struct dispatch_turn *t)
{
    CHECK(!t->queued && t->worker == NULL);
    t->queued = true;
    d->queued++;
}

void dispatch_submit(struct dispatch *d, struct dispatch_turn *t)
{
    struct list *before = &d->queue; /* what it is put before: the first of a later round */
    put(d, t);
    t->round = d->round + 1; /* not the present one: who always comes back would always be first */
    list_each (&d->queue, node, next) {
        const struct dispatch_turn *other = list_of(node, struct dispatch_turn, node);
        if (other->owner == t->owner && other->round >= t->round)
            t->round = other->round + 1;
    }
    while (before->prev != &d->queue &&
           list_of(before->prev, struct dispatch_turn, node)->round > t->round)
        before = before->prev;
    list_push(before, &t->node);
}

void dispatch_submit_first(struct dispatch *d, struct dispatch_turn *t)
{
    struct list *before = d->queue.next;
    put(d, t);
    t->round = 0;
    while (t->cell == 0 && before != &d->queue && /* suspects first: they need the empty workers */
           list_of(before, struct dispatch_turn, node)->cell != 0)
        before = before->next;
    list_push(before, &t->node);
}

/* The share of its capacity that is taken decides: a worker of 10 with 5 is as busy as one of 100
 * with 50. */
static bool less_loaded(const struct dispatch_worker *a, const struct dispatch_worker *b)
{
    return (uint64_t)load(a) * b->capacity < (uint64_t)load(b) * a->capacity;
}

/* What would suffer from its death, other than what was a suspect itself. */
static unsigned others(const struct dispatch_worker *w)
{
    return w->plain + w->promised + w->elsewhere;
}

static struct dispatch_worker *worker_for(const struct dispatch *d)
{
    struct dispatch_worker *best = NULL;
    list_each (&d->workers, node, next) {
        struct dispatch_worker *w = list_of(node, struct dispatch_worker, node);
        if (has_room(w) && w != d->aside && (!best || less_loaded(w, best)))
            best = w;
    }
    return best;
}

static bool runs_cell_of(const struct dispatch_worker *w, uint64_t owner)
{
    if (w->cell == 0)
        return false;
    list_each (&w->turns, node, next) {
        const struct dispatch_turn *t = list_of(node, struct dispatch_turn, node);
        if (t->cell != 0 && t->owner == owner)
            return true;
    }
    return false;
}

/* For a suspect: where its cell runs, else a worker of its own, else, when it has waited for long,
 * the one whose death would cost least. NULL: it waits; a worker is set aside for it, but not the
 * only one, and not while another one of its owner's has one: else who has several would have all
 * workers. */
static struct dispatch_worker *worker_alone(struct dispatch *d, const struct dispatch_turn *t,
                                            int64_t now_ms)
{
    bool late = t->deaths < 2 && now_ms - t->since_ms >= DISPATCH_WAIT_MS;
    struct dispatch_worker *least = NULL;
    unsigned staying = 0;
    bool another = false;
    list_each (&d->workers, node, next) {
        struct dispatch_worker *w = list_of(node, struct dispatch_worker, node);
        staying += !w->leaving;
        another = another || (w->cell != t->cell && runs_cell_of(w, t->owner));
        if (w->leaving || load(w) >= w->capacity || (w->cell != 0 && w->cell != t->cell) ||
            (t->deaths >= 2 && w->heard_ms <= t->since_ms))
            continue;
        if (w->cell == t->cell)
            return w;
        if (!least || others(w) < others(least))
            least = w;
    }
    if (!least || late || (others(least) == 0 && !another))
        return least;
    if (!another && !d->aside && staying > 1)
        d->aside = least;
    return NULL;
}

struct dispatch_worker *dispatch_promise(struct dispatch *d, struct dispatch_turn *t)
{
    struct dispatch_worker *w = d->queued > 0 ? NULL : worker_for(d);
    CHECK(!t->queued && !t->worker && !t->promised);
    if (!w)
        return NULL;
    t->promised = w;
    w->promised++;
    list_push(&w->promises, &t->promise);
    return w;
}

static void forget_promise(struct dispatch_turn *t)
{
    if (!t->promised)
        return;
    t->promised->promised--;
    t->promised = NULL;
    list_remove(&t->promise);
}

bool dispatch_redeem(struct dispatch *d, struct dispatch_turn *t)
{
    if (t->promised && t->promised->leaving)
        forget_promise(t);
    if (t->promised)
        list_push(&d->ready, &t->node);
    return t->promised != NULL;
}

static struct dispatch_turn *assign(struct dispatch *d, struct dispatch_turn *t,
                                    struct dispatch_worker *w, int64_t now_ms)
{
    list_remove(&t->node);
    forget_promise(t);
    if (t->round > d->round)
        d->round = t->round;
    d->queued -= t->queued;
    t->queued = false;
    t->worker = w;
    t->apart = t->cell != 0;
    w->assigned++;
    w->plain += !t->apart;
    list_push(&w->turns, &t->node);
    if (t->apart) {
        w->cell = t->cell;
        w->suspects++;
        t->since_ms = now_ms;
        if (d->aside == w)
            d->aside = NULL;
    }
    return t;
}

/* Suspects are in front. The first other one that finds no worker finds none for those behind it
 * either. */
struct dispatch_turn *dispatch_next(struct dispatch *d, int64_t now_ms,
                                    struct dispatch_worker **worker)
{
    bool waiting = false;
    if (!list_empty(&d->ready)) {
        struct dispatch_turn *t = list_first(&d->ready, struct dispatch_turn, node);
        *worker = t->promised;
        return assign(d, t, *worker, now_ms);
    }
    clear_survivors(d, now_ms);
    list_each (&d->queue, node, next) {
        struct dispatch_turn *t = list_of(node, struct dispatch_turn, node);
        waiting = waiting || t->cell != 0;
        if (!waiting)
            d->aside = NULL; /* who it was for has gone */
        *worker = t->cell != 0 ? worker_alone(d, t, now_ms) : worker_for(d);
        if (*worker)
            return assign(d, t, *worker, now_ms);
        if (t->cell == 0)
            break;
    }
    return NULL;
}

bool dispatch_overdue(const struct dispatch *d, struct dispatch_turn *t, int64_t now_ms)
{
    if (!t->queued || t->cell == 0 || t->deaths < 2 || d->worker_count == 0 ||
        now_ms - t->since_ms < DISPATCH_GIVE_UP_MS)
        return false;
    t->since_ms = now_ms;
    return true;
}

void dispatch_done(struct dispatch *d, struct dispatch_turn *t)
{
    struct dispatch_worker *w = t->worker;
    if (t->queued)
        d->queued--;
    forget_promise(t);
    if (w) {
        w->assigned--;
        w->plain -= !t->apart;
        if (t->cell != 0 && w->cell == t->cell && --w->suspects == 0)
            w->cell = 0;
    }
    list_remove(&t->node);
    t->queued = t->tool = false;
    t->worker = NULL;
}

void dispatch_forget(struct dispatch *d, struct dispatch_turn *t)
{
    dispatch_done(d, t);
    dispatch_passed(t);
}
