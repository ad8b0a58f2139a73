#include "tests/sim/live.h"

#include "common/check.h"
#include "gateway/turn/turns.h"
#include "tests/sim/script.h"
#include "worker/turn/journal.h"

enum {
    ASKED_MAX = 64,
    /* What was under way may still come: one way and back of the slowest messages, and passes. */
    LATE_US = 150000,
    SMOOTH_LATE_US = 10000,
    CROSSED_US = 200000,
};

/* ---- who was asked for what ---- */

struct asked { /* of a worker since it said HELLO, by a gateway */
    const struct dispatch_worker *worker;
    struct id turn;
    bool follows;   /* FOLLOW was sent, and it was neither taken back nor answered by an end */
    bool drives;    /* TURN was sent: it may not know yet that it is another's now */
    int64_t let_us; /* when it last ceased to follow */
};
struct asks {
    struct asked at[ASKED_MAX];
    unsigned count;
};
static const struct id no_turn; /* its entry: when the worker said HELLO */
static struct asks of_gateways[SIM_GATEWAYS_MAX];

void live_gateway_begins(const struct proc *p) { of_gateways[p->index].count = 0; }

static struct asks *asks_of(const struct gateway *g)
{
    for (unsigned i = 0; i < sim.gateway_count; i++)
        if (sim.gateways[i].self == g) /* it is the side's first field */
            return &of_gateways[i];
    CHECK(false && "a gateway of no process");
    return NULL;
}

static struct asked *find(struct asks *a, const struct dispatch_worker *w, struct id turn)
{
    for (unsigned i = 0; i < a->count; i++)
        if (a->at[i].worker == w && id_eq(a->at[i].turn, turn))
            return &a->at[i];
    return NULL;
}

static struct asked *made(struct asks *a, const struct dispatch_worker *w, struct id turn)
{
    struct asked *e = find(a, w, turn);
    if (e)
        return e;
    CHECK(a->count < ASKED_MAX);
    e = &a->at[a->count++];
    *e = (struct asked){.worker = w, .turn = turn};
    return e;
}

static struct asks *asks_at(const struct dispatch_worker *w)
{
    for (unsigned i = 0; i < sim.gateway_count; i++) {
        struct gateway *g = sim.gateways[i].self;
        if (!g)
            continue;
        list_each (&g->dispatch.workers, node, next)
            if (list_of(node, struct dispatch_worker, node) == w)
                return &of_gateways[i];
    }
    CHECK(false && "a worker of no gateway");
    return NULL;
}

static void let_go(struct asked *e)
{
    if (e && e->follows) {
        e->follows = false;
        e->let_us = sim.now_us;
    }
}

void __real_dispatch_worker_add(struct dispatch *d, struct dispatch_worker *w, unsigned capacity);
void __wrap_dispatch_worker_add(struct dispatch *d, struct dispatch_worker *w, unsigned capacity);
void __wrap_dispatch_worker_add(struct dispatch *d, struct dispatch_worker *w, unsigned capacity)
{
    made(asks_of(list_of(d, struct gateway, dispatch)), w, no_turn)->let_us = sim.now_us;
    __real_dispatch_worker_add(d, w, capacity);
}

/* A worker said HELLO twice, the second time before the first was answered (one of them had frozen
 * for long): it takes the first WELCOME for the second, and what is asked in between for new. */
static void note_crossed(struct asks *a, const struct dispatch_worker *w)
{
    const struct asked *hello = find(a, w, no_turn);
    sim.strayed |= hello && sim.now_us - hello->let_us < CROSSED_US;
}

void __real_broker_follow(struct dispatch_worker *w, struct id turn);
void __wrap_broker_follow(struct dispatch_worker *w, struct id turn);
void __wrap_broker_follow(struct dispatch_worker *w, struct id turn)
{
    struct asks *a = asks_at(w);
    struct asked *e = made(a, w, turn);
    e->follows = !e->drives; /* its driver asks again for what was lost: that is no following */
    for (unsigned i = 0; i < a->count; i++)
        if (&a->at[i] != e && a->at[i].follows && id_eq(a->at[i].turn, turn))
            sim_fail("turn %.6s is followed at two workers", id_log(turn));
    __real_broker_follow(w, turn);
}

void __real_broker_unfollow(struct dispatch_worker *w, struct id turn);
void __wrap_broker_unfollow(struct dispatch_worker *w, struct id turn);
void __wrap_broker_unfollow(struct dispatch_worker *w, struct id turn)
{
    if (sim.plant == PLANT_UNFOLLOW_UNSAID)
        return;
    let_go(find(asks_at(w), w, turn));
    __real_broker_unfollow(w, turn);
}

/* ---- what is stored, and what events say of it ---- */

static int64_t late_us(void) { return sim.smooth ? SMOOTH_LATE_US : LATE_US; }

/* Has all been well that long? */
static bool well_since(int64_t us) { return us >= sim.well_us; }

static void check_stored(const struct frame_EVENT *e)
{
    struct event_at says = {e->epoch, e->stored};
    if (sim.lossy || sim.echoes)
        return;
    if (e->stored > 0 && event_at_cmp(says, script_stored(e->turn, sim.now_us)) > 0)
        sim_fail("event %u-%u says that %u is stored, and it is not", e->epoch, e->seq, e->stored);
    int64_t then_us = sim.now_us - late_us();
    struct event_at then = script_stored(e->turn, then_us);
    if (well_since(then_us) && then.epoch == e->epoch && then.seq > e->stored)
        sim_fail("event %u-%u says that only %u is stored, and %u was long before", e->epoch,
                 e->seq, e->stored, then.seq);
}

static bool wanted(const struct turn *t, const struct dispatch_worker *from)
{
    return t &&
           ((t->place == PLACE_RUNNING && t->entry.worker == from) || t->live.feed.worker == from);
}

static void check_asked(const struct gateway *g, const struct turn *t,
                        const struct dispatch_worker *from, const struct frame_EVENT *f)
{
    const struct asked *e = find(asks_of(g), from, f->turn);
    if (!e && !sim.strayed)
        sim_fail("%s gets %u-%u from a worker that it never asked", g->name, f->epoch, f->seq);
    else if (!e || wanted(t, from))
        return;
    else if (e->follows)
        sim_fail("%s follows %.6s no more and has not said so", g->name, id_log(f->turn));
    else if (!e->drives && well_since(e->let_us) && sim.now_us - e->let_us > late_us())
        sim_fail("%s gets %u-%u %lld ms after it ceased to follow", g->name, f->epoch, f->seq,
                 (long long)(sim.now_us - e->let_us) / 1000);
}

/* ---- frames ---- */

static void on_send(void *arg, struct dispatch_turn *entry, struct frame_TURN *out)
{
    struct gateway *g = arg;
    turns_of_workers.on_send(g, entry, out);
    struct asked *e = made(asks_of(g), entry->worker, out->turn);
    e->drives = true;
    e->follows = false;
}

/* It says nothing more of this turn, unless it is asked anew: or was, meanwhile. */
static void ended(struct gateway *g, const struct dispatch_worker *from, struct id turn)
{
    if (!wanted(turns_get(g, turn), from))
        let_go(find(asks_of(g), from, turn));
}

static struct event_at tail_end(struct gateway *g, struct id turn)
{
    const struct turn *t = turns_get(g, turn);
    const struct chunk *last = t ? tail_last(&t->live.tail) : NULL;
    return last ? last->at : (struct event_at){0, 0};
}

/* Of a turn that another drives: what it believes of its worker. */
struct belief {
    struct feed feed;
    struct event_at base;
};

static struct belief belief_of(struct gateway *g, struct id turn)
{
    const struct turn *t = turns_get(g, turn);
    if (!t || t->place != PLACE_FOLLOWED)
        return (struct belief){0};
    return (struct belief){t->live.feed, t->live.tail.base};
}

/* What was said of an epoch that is over changes nothing. */
static void check_belief(struct gateway *g, struct id turn, const struct belief *was,
                         uint32_t epoch)
{
    struct belief is = belief_of(g, turn);
    bool same = is.feed.state == was->feed.state && is.feed.worker == was->feed.worker &&
                event_at_cmp(is.base, was->base) == 0;
    if (was->feed.worker && epoch > 0 && epoch < was->feed.epoch && !same)
        sim_fail("%s believes what was said of epoch %u and follows %u", g->name, epoch,
                 was->feed.epoch);
}

static void on_event(void *arg, struct dispatch_worker *from, const struct frame_EVENT *e)
{
    struct gateway *g = arg;
    check_asked(g, turns_get(g, e->turn), from, e);
    check_stored(e);
    struct feed feed = belief_of(g, e->turn).feed;
    bool counts = feed.state == FEED_LIVE && feed.epoch == e->epoch;
    struct event_at before = tail_end(g, e->turn);
    turns_of_workers.on_event(g, from, e);
    if (feed.worker && !counts && event_at_cmp(tail_end(g, e->turn), before) != 0)
        sim_fail("%s takes %u-%u and does not follow that", g->name, e->epoch, e->seq);
    if (e->final)
        ended(g, from, e->turn);
}

static void on_following(void *arg, const struct dispatch_worker *from,
                         const struct frame_FOLLOWING *f)
{
    struct belief before = belief_of(arg, f->turn);
    turns_of_workers.on_following(arg, from, f);
    check_belief(arg, f->turn, &before, f->epoch);
}

static void on_news(void *arg, struct id turn)
{
    if (sim.plant != PLANT_NEWS_UNHEARD)
        turns_of_workers.on_news(arg, turn);
}

static void on_done(void *arg, const struct dispatch_worker *from, const struct frame_DONE *d)
{
    struct belief before = belief_of(arg, d->turn);
    struct turn *t = turns_get(arg, d->turn);
    if (t && sim.plant == PLANT_ABSENT_UNHEARD)
        t->asked = false;
    turns_of_workers.on_done(arg, from, d);
    check_belief(arg, d->turn, &before, d->epoch);
    ended(arg, from, d->turn);
}

static void on_release(void *arg, struct dispatch_worker *from, const struct frame_RELEASE *r)
{
    turns_of_workers.on_release(arg, from, r);
    ended(arg, from, r->turn);
}

static void on_need_token(void *arg, struct dispatch_worker *from, const struct frame_NEED_TOKEN *n)
{
    turns_of_workers.on_need_token(arg, from, n);
}

static void on_lost(void *arg, struct dispatch_turn *entry, bool blamed)
{
    turns_of_workers.on_lost(arg, entry, blamed);
}

static void on_gone(void *arg, const struct dispatch_worker *worker)
{
    struct asks *a = asks_of(arg);
    note_crossed(a, worker);
    for (unsigned i = a->count; i > 0; i--)
        if (a->at[i - 1].worker == worker)
            a->at[i - 1] = a->at[--a->count];
    turns_of_workers.on_gone(arg, worker);
}

/* It was asked for nothing since this HELLO but to go on with what it runs. */
static void on_back(void *arg, struct dispatch_worker *worker)
{
    struct asks *a = asks_of(arg);
    note_crossed(a, worker);
    for (unsigned i = a->count; i > 0; i--)
        if (a->at[i - 1].worker == worker && !a->at[i - 1].drives)
            a->at[i - 1] = a->at[--a->count];
    made(a, worker, no_turn)->let_us = sim.now_us;
    if (sim.plant == PLANT_BACK_UNASKED)
        turns_of_workers.on_gone(arg, worker); /* what it follows alone is asked for anew */
    else
        turns_of_workers.on_back(arg, worker);
}

const struct broker_handler live_of_workers = {.on_send = on_send,
                                               .on_event = on_event,
                                               .on_following = on_following,
                                               .on_news = on_news,
                                               .on_done = on_done,
                                               .on_release = on_release,
                                               .on_need_token = on_need_token,
                                               .on_lost = on_lost,
                                               .on_gone = on_gone,
                                               .on_back = on_back};

/* ---- the gateway's feed ---- */

struct feed_wish __real_feed_held(struct feed *f, struct dispatch_worker *worker, uint32_t epoch,
                                  int64_t now_ms);
struct feed_wish __wrap_feed_held(struct feed *f, struct dispatch_worker *worker, uint32_t epoch,
                                  int64_t now_ms);
struct feed_wish __wrap_feed_held(struct feed *f, struct dispatch_worker *worker, uint32_t epoch,
                                  int64_t now_ms)
{
    uint32_t before = f->epoch;
    if (sim.plant == PLANT_HELD_OLD && epoch < before)
        f->epoch = epoch;
    struct feed_wish wish = __real_feed_held(f, worker, epoch, now_ms);
    if (sim.plant == PLANT_FENCED_FOLLOWED)
        wish.unfollow = NULL;
    if (f->epoch < before)
        sim_fail("epoch %u was followed, and then %u", before, f->epoch);
    return wish;
}

bool __real_feed_following(struct feed *f, const struct dispatch_worker *from, uint32_t epoch);
bool __wrap_feed_following(struct feed *f, const struct dispatch_worker *from, uint32_t epoch);
bool __wrap_feed_following(struct feed *f, const struct dispatch_worker *from, uint32_t epoch)
{
    bool old = epoch < f->epoch && sim.plant == PLANT_FOLLOWING_OLD;
    return __real_feed_following(f, from, old ? f->epoch : epoch);
}

bool __real_feed_done(struct feed *f, const struct dispatch_worker *from, uint32_t epoch);
bool __wrap_feed_done(struct feed *f, const struct dispatch_worker *from, uint32_t epoch);
bool __wrap_feed_done(struct feed *f, const struct dispatch_worker *from, uint32_t epoch)
{
    return __real_feed_done(f, from, sim.plant == PLANT_DONE_OLD ? 0 : epoch);
}

bool __real_feed_event(const struct feed *f, const struct dispatch_worker *from, uint32_t epoch);
bool __wrap_feed_event(const struct feed *f, const struct dispatch_worker *from, uint32_t epoch);
bool __wrap_feed_event(const struct feed *f, const struct dispatch_worker *from, uint32_t epoch)
{
    if (sim.plant == PLANT_EVENT_UNFOLLOWED && f->state != FEED_NONE && f->worker == from)
        return true;
    return __real_feed_event(f, from, epoch);
}

bool __real_feed_lost(struct feed *f, const struct dispatch_worker *worker);
bool __wrap_feed_lost(struct feed *f, const struct dispatch_worker *worker);
bool __wrap_feed_lost(struct feed *f, const struct dispatch_worker *worker)
{
    return __real_feed_lost(f, worker) && sim.plant != PLANT_LINK_END_UNSEEN;
}

/* ---- the gateway's tail ---- */

static const struct chunk *tail_first(const struct tail *t) { return t->ring[t->first]; }

static struct event_at earlier(struct event_at a, struct event_at b)
{
    return event_at_cmp(a, b) < 0 ? a : b;
}

/* What is not stored of an epoch that is over never will be. */
static void check_tail(const struct tail *t, struct event_at base, struct event_at given)
{
    struct id turn = list_of(t, struct followed, tail)->turn;
    struct event_at most = given, last = tail_last(t)->at;
    if (t->base.epoch == last.epoch)
        most = earlier(given, script_stored(turn, sim.now_us));
    if (event_at_cmp(t->base, base) > 0 && event_at_cmp(t->base, most) > 0)
        sim_fail("a tail has lost %u-%u: stored and given is only %u-%u", t->base.epoch,
                 t->base.seq, most.epoch, most.seq);
    int64_t then_us = sim.now_us - late_us();
    struct event_at least = earlier(given, script_stored(turn, then_us));
    if (well_since(then_us) && t->count > 1 && event_at_cmp(tail_first(t)->at, least) <= 0)
        sim_fail("a tail keeps %u-%u: given, and stored up to %u-%u", tail_first(t)->at.epoch,
                 tail_first(t)->at.seq, least.epoch, least.seq);
}

void __real_tail_trim(struct tail *t, struct event_at given);
void __wrap_tail_trim(struct tail *t, struct event_at given);
void __wrap_tail_trim(struct tail *t, struct event_at given)
{
    struct event_at base = t->base, stored = t->stored;
    if (sim.plant == PLANT_TAIL_TRIMS_ALL)
        t->stored = given;
    if (sim.plant != PLANT_TAIL_KEEPS_ALL)
        __real_tail_trim(t, given);
    t->stored = stored;
    if (!sim.lossy)
        check_tail(t, base, given);
}

/* ---- the worker's audience ---- */

/* As it would be without looking whether it is there already. */
static void add_anew(struct audience *a, struct hub_link *link)
{
    struct audience other;
    audience_init(&other, link);
    other.ears[0].told = false;
    a->ears = xrealloc(a->ears, (a->count + 1) * sizeof(*a->ears));
    a->size = a->count + 1;
    a->ears[a->count++] = other.ears[0];
    free(other.ears);
}

void __real_audience_add(struct audience *a, struct hub_link *link);
void __wrap_audience_add(struct audience *a, struct hub_link *link);
void __wrap_audience_add(struct audience *a, struct hub_link *link)
{
    if (sim.plant == PLANT_AUDIENCE_DOUBLES)
        add_anew(a, link);
    else
        __real_audience_add(a, link);
    unsigned times = 0;
    for (unsigned i = 1; i < a->count; i++) /* the first is the driver's */
        times += a->ears[i].link == link;
    if (times > 1)
        sim_fail("a gateway hears a turn %u times", times);
}

void __real_audience_remove(struct audience *a, struct hub_link *link);
void __wrap_audience_remove(struct audience *a, struct hub_link *link);
void __wrap_audience_remove(struct audience *a, struct hub_link *link)
{
    if (sim.plant != PLANT_UNFOLLOW_UNHEARD)
        __real_audience_remove(a, link);
}

unsigned __real_hub_life(const struct hub_link *l);
unsigned __wrap_hub_life(const struct hub_link *l);
unsigned __wrap_hub_life(const struct hub_link *l)
{
    return sim.plant == PLANT_ONE_LIFE ? 1 : __real_hub_life(l);
}

/* ---- what a worker tells one that begins to follow ---- */

static bool telling;

void __real_journal_tell(struct journal *j);
void __wrap_journal_tell(struct journal *j);
void __wrap_journal_tell(struct journal *j)
{
    telling = true;
    __real_journal_tell(j);
    telling = false;
}

void __real_hub_send_event(struct hub_link *l, const struct frame_EVENT *e);
void __wrap_hub_send_event(struct hub_link *l, const struct frame_EVENT *e);
void __wrap_hub_send_event(struct hub_link *l, const struct frame_EVENT *e)
{
    if (!telling || sim.plant != PLANT_FOLLOWING_BARE)
        __real_hub_send_event(l, e);
}
