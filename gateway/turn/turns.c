#include "gateway/turn/turns_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/log.h"
#include "common/map.h"
#include "gateway/api/audit.h"
#include "gateway/turn/bring.h"
#include "gateway/turn/cancels.h"
#include "proto/store/parting.h"
#include "proto/store/quota.h"
#include "proto/store/store.h"
#include "proto/store/turn.h"
#include "proto/traced.h"

struct turns {
    struct map *by_id;
    struct list all;       /* first those that await a worker: the janitor passes thousands over */
    struct list bringings; /* bring.c */
    struct list cancels;   /* cancels.c */
    struct buf sent;       /* the opening that is on its way */
    unsigned driven;
};

static const char *const place_names[] = {
#define X(name) #name,
    TURN_PLACES(X)
#undef X
};

bool turns_driven(enum turn_place p)
{
    return p == PLACE_BEGINNING || p == PLACE_QUEUED || p == PLACE_RUNNING || p == PLACE_CLAIMING;
}

static bool awaits_worker(enum turn_place p) { return p == PLACE_QUEUED || p == PLACE_CLAIMING; }

static void release_later(struct turn *t);
static void on_follower_left(struct followed *live);
static void on_told(struct followed *live, const struct store_turn *told);

void turns_move(struct turn *t, enum turn_place to)
{
    struct turns *all = t->gateway->turns;
    log_debug("turn.place", "turn=%s epoch=%u from=%s to=%s", traced_log(t->live.turn), t->epoch,
              place_names[t->place], place_names[to]);
    if (t->place == PLACE_QUEUED)
        spans_left_queue(&t->spans, t->gateway->otlp);
    if (to == PLACE_QUEUED)
        spans_queued(&t->spans);
    if (turns_driven(t->place) && !turns_driven(to)) {
        struct turn_facts facts = {t->live.session, t->live.turn, t->epoch};
        spans_end(&t->spans, t->gateway->otlp, &facts, place_names[to]);
        all->driven--;
        dispatch_forget(&t->gateway->dispatch, &t->entry);
        release_later(t);
    } else if (!turns_driven(t->place) && turns_driven(to)) {
        all->driven++;
        feeds_stop(&t->live);
    }
    t->place = to;
    list_remove(&t->node);
    (awaits_worker(to) ? list_unshift : list_push)(&all->all, &t->node);
    if (to == PLACE_ENDED)
        credentials_free(&t->credentials); /* nobody needs the token any more */
    metric_set(gateway_metric(METRIC_turns_live), all->driven);
}

/* ---- life ---- */

static struct turn *turn_new(struct gateway *g, struct id session, struct id turn, struct str owner)
{
    struct turn *t = xcalloc(1, sizeof(*t));
    t->magic = TURN_MAGIC;
    t->gateway = g;
    t->place = PLACE_FOLLOWED;
    static const struct followed_handler handler = {on_follower_left, on_told};
    followed_init(&t->live, g, session, turn, owner, &handler);
    dispatch_turn_init(&t->entry, t->live.owner);
    buf_init(&t->opening, STORE_OPENING_MAX);
    list_push(&g->turns->all, &t->node);
    CHECK(map_put(g->turns->by_id, id_key(&t->live.turn), t) == NULL);
    return t;
}

static void turn_free(struct turn *t)
{
    struct gateway *g = t->gateway;
    if (turns_driven(t->place))
        g->turns->driven--;
    traced_remove(t->live.turn);
    feeds_stop(&t->live);
    dispatch_forget(&g->dispatch, &t->entry);
    store_forget(g->store, t->store_call);
    identity_forget(g->identity, t->identity_id);
    credentials_free(&t->credentials);
    buf_free(&t->opening);
    list_remove(&t->node);
    map_remove(g->turns->by_id, id_key(&t->live.turn));
    followed_free(&t->live);
    t->magic = 0;
    free(t);
}

/* It is freed when it is no longer needed. */
static void release(struct turn *t)
{
    if (!turns_driven(t->place) && list_empty(&t->live.followers) && !t->asker.begun &&
        t->store_call == 0)
        turn_free(t);
}

static void on_follower_left(struct followed *live) { release(list_of(live, struct turn, live)); }

/* Not freed in the middle of what moved it; looked up again: a follower that left may have. */
struct pending_release {
    struct gateway *gateway;
    struct id turn;
};

static void release_pending(void *arg)
{
    struct pending_release *p = arg;
    struct turn *t = p->gateway->turns ? turns_get(p->gateway, p->turn) : NULL;
    if (t)
        release(t);
    free(p);
}

static void release_later(struct turn *t)
{
    struct pending_release *p = xmalloc(sizeof(*p));
    *p = (struct pending_release){t->gateway, t->live.turn};
    loop_later(t->gateway->loop, release_pending, p);
}

struct turn *turns_get(struct gateway *g, struct id turn)
{
    return map_get(g->turns->by_id, id_key(&turn));
}

struct turn *turns_followed(struct gateway *g, struct id session, struct id turn, struct str owner)
{
    struct turn *t = turns_get(g, turn);
    return t ? t : turn_new(g, session, turn, owner);
}

struct turns *turns_new(struct gateway *g)
{
    struct turns *t = xcalloc(1, sizeof(*t));
    dispatch_init(&g->dispatch, g->settings.queue_max);
    t->by_id = map_new();
    buf_init(&t->sent, STORE_OPENING_MAX);
    list_init(&t->all);
    list_init(&t->bringings);
    list_init(&t->cancels);
    return t;
}

void turns_free(struct turns *all)
{
    bring_stop(&all->bringings);
    cancels_stop(&all->cancels);
    buf_free(&all->sent);
    list_each (&all->all, node, next)
        turn_free(list_of(node, struct turn, node));
    map_free(all->by_id);
    free(all);
}

void turns_counts(const struct turns *t, unsigned *driven_now, unsigned *known)
{
    *driven_now = t->driven;
    *known = (unsigned)map_size(t->by_id);
}

/* ---- what workers say ---- */

static void on_send(void *arg, struct dispatch_turn *entry, struct frame_TURN *out)
{
    (void)arg;
    struct turn *t = list_of(entry, struct turn, entry);
    MAGIC_CHECK(t, TURN_MAGIC);
    CHECK(t->place == PLACE_QUEUED);
    buf_free(&t->gateway->turns->sent);
    t->gateway->turns->sent = t->opening;
    buf_init(&t->opening, STORE_OPENING_MAX);
    *out = (struct frame_TURN){.session = t->live.session,
                               .turn = t->live.turn,
                               .epoch = t->epoch,
                               .token = t->credentials.access,
                               .heard = t->given_at,
                               .opening = buf_str(&t->gateway->turns->sent)};
    t->asked = false;
    turns_move(t, PLACE_RUNNING);
    log_info("turn.sent", "turn=%s session=%s epoch=%u", traced_log(t->live.turn),
             id_log(t->live.session), t->epoch);
}

/* What this worker runs for us under that epoch; NULL: it was taken from it, its word is void. */
static struct turn *running(struct gateway *g, const struct dispatch_worker *from, struct id turn,
                            uint32_t epoch)
{
    struct turn *t = turns_get(g, turn);
    bool ok = t && t->place == PLACE_RUNNING && t->entry.worker == from && t->epoch == epoch;
    return ok ? t : NULL;
}

/* One that another gateway drives, and that this worker feeds here. */
static struct turn *fed(struct gateway *g, const struct dispatch_worker *from, struct id turn,
                        uint32_t epoch)
{
    struct turn *t = turns_get(g, turn);
    return t && feeds_event(&t->live, from, epoch) ? t : NULL;
}

bool turns_live(const struct turn *t)
{
    return turns_driven(t->place) ||
           (t->place == PLACE_FOLLOWED && t->live.feed.state == FEED_LIVE);
}

void turns_told(struct turn *t, const struct store_turn *told)
{
    if (t->place == PLACE_FOLLOWED)
        feeds_told(&t->live, told);
}

static void on_told(struct followed *live, const struct store_turn *told)
{
    turns_told(list_of(live, struct turn, live), told);
}

/* False: not new. What the link lost is asked for again: the worker has what is not stored. */
static bool add_event(struct turn *t, struct dispatch_worker *from, const struct frame_EVENT *e)
{
    struct tail *tail = &t->live.tail;
    struct event_at at = {e->epoch, e->seq};
    bool gap = e->seq > 1 && !tail_follows(tail, at);
    if (!tail_add(tail, chunk_new(at, e->final, e->payload)))
        return false;
    tail_stored(tail, (struct event_at){e->epoch, e->stored});
    tail_trim(tail, stream_given(&t->live));
    if (gap)
        broker_follow(from, e->turn);
    return true;
}

static void on_event(void *arg, struct dispatch_worker *from, const struct frame_EVENT *e)
{
    struct gateway *g = arg;
    struct turn *t = running(g, from, e->turn, e->epoch);
    bool drives = t != NULL;
    if (!drives)
        t = fed(g, from, e->turn, e->epoch);
    if (!t) {
        metric_add(gateway_metric(METRIC_events_dropped), 1);
        return;
    }
    metric_add(gateway_metric(METRIC_stream_events), 1);
    if (drives && !t->heard) {
        t->heard = true;
        metric_observe(gateway_metric(METRIC_first_event),
                       (double)(loop_hr_ns() - t->begun_ns) / 1e9);
    }
    if (!add_event(t, from, e))
        return;
    if (drives)
        dispatch_moment(&t->entry, event_moment(e->payload));
    if (e->final) {
        if (drives)
            metric_add(gateway_metric(METRIC_turns_ended), 1);
        feed_stop(&t->live.feed); /* the worker forgets it */
        turns_move(t, PLACE_ENDED);
    }
    stream_wake(&t->live);
}

/* It never had what it is asked for, or has ended or left it and the word was lost. */
static void absent(struct gateway *g, const struct dispatch_worker *from, struct id turn)
{
    struct turn *t = turns_get(g, turn);
    if (t && t->place == PLACE_RUNNING && t->entry.worker == from && t->asked)
        turns_claim(t, false, false);
}

static void on_following(void *arg, const struct dispatch_worker *from,
                         const struct frame_FOLLOWING *f)
{
    struct gateway *g = arg;
    struct turn *t = turns_get(g, f->turn);
    bool drives = t && t == running(g, from, f->turn, f->epoch);
    if (!drives)
        absent(g, from, f->turn); /* it has an older epoch of it, which is fenced */
    if (!t || (!drives && !feeds_following(&t->live, from, f)))
        return;
    t->asked = false;
    tail_from(&t->live.tail, (struct event_at){f->epoch, f->seq});
    stream_hurry(&t->live);
}

void turns_leave_to_store(struct turn *t)
{
    turns_move(t, PLACE_FOLLOWED);
    tail_reset(&t->live.tail); /* else who has read it to its end would wait there */
    stream_hurry(&t->live);
}

/* It is not at that worker any more, which fed it here. */
static void unfed(struct gateway *g, const struct dispatch_worker *from, struct id turn,
                  uint32_t epoch)
{
    struct turn *t = turns_get(g, turn);
    if (t)
        feeds_done(&t->live, from, epoch);
}

static void on_done(void *arg, const struct dispatch_worker *from, const struct frame_DONE *d)
{
    struct gateway *g = arg;
    struct turn *t = running(g, from, d->turn, d->epoch);
    if (d->epoch == 0)
        absent(g, from, d->turn);
    if (!t) {
        unfed(g, from, d->turn, d->epoch);
        if (d->epoch == 0)
            cancels_absent(&g->turns->cancels, broker_name(from), d->turn);
        return;
    }
    turns_leave_to_store(t); /* its final event would have ended it: that event did not reach us */
}

static void on_held(void *arg, enum err err, const struct store_answer *a)
{
    struct turn *t = arg;
    MAGIC_CHECK(t, TURN_MAGIC);
    t->store_call = 0;
    if (err == ERR_FENCED || err == ERR_TURN_OVER || err == ERR_SESSION_NOT_FOUND)
        turns_withdraw(t);
    else if (err == ERR_NONE && a->turn.cancel && t->place == PLACE_RUNNING)
        broker_cancel(t->gateway->broker, t->live.turn);
    release(t);
}

/* Is it still ours? */
static void look(struct turn *t)
{
    if (t->store_call) /* its lease is being renewed, which tells the same */
        return;
    t->store_call = store_turn_hold(t->gateway->store, t->live.session, t->live.turn, t->epoch,
                                    str_of(t->gateway->name), on_held, t);
}

/* A worker passes on that it was told to cancel what it does not run. It may be on its way there,
 * as that worker's already: then nobody else tells it. */
static void on_news(void *arg, struct id turn)
{
    struct turn *t = turns_get(arg, turn);
    if (t && t->place == PLACE_BEGINNING)
        t->news = true;
    else if (t && (t->place == PLACE_QUEUED || (t->place == PLACE_RUNNING && !t->heard)))
        look(t);
    else if (t && t->place == PLACE_FOLLOWED && t->live.feed.state == FEED_NONE)
        stream_hurry(&t->live);
}

/* What the store refuses for good (a seal that is too large, say) would be run without end, with a
 * call of the model each time: it counts as a death. */
static void on_release(void *arg, struct dispatch_worker *from, const struct frame_RELEASE *r)
{
    struct gateway *g = arg;
    struct turn *t = running(g, from, r->turn, r->epoch);
    if (!t) {
        unfed(g, from, r->turn, r->epoch);
        return;
    }
    log_info("turn.released", "turn=%s epoch=%u reason=%s", traced_log(t->live.turn), t->epoch,
             log_text(r->reason));
    bool full = str_is(r->reason, "full") || str_is(r->reason, "leaving");
    bool away = str_is(r->reason, err_word(ERR_STORE_UNAVAILABLE));
    t->lost = str_is(r->reason, err_word(ERR_HISTORY_LOST));
    turns_claim(t, !full && !away && !t->lost, false);
    if (full) /* by other gateways, as its last report could not say: it would go back and forth */
        dispatch_worker_full(from);
}

static void on_lost(void *arg, struct dispatch_turn *entry, bool died)
{
    (void)arg;
    struct turn *t = list_of(entry, struct turn, entry);
    MAGIC_CHECK(t, TURN_MAGIC);
    if (t->place == PLACE_BEGINNING)
        return; /* on_begun finds that the promise is gone */
    log_warn("turn.worker_lost", "turn=%s epoch=%u", traced_log(t->live.turn), t->epoch);
    turns_claim(t, died, false);
}

static void on_gone(void *arg, const struct dispatch_worker *worker)
{
    struct gateway *g = arg;
    list_each (&g->turns->all, node, next)
        feeds_lost(&list_of(node, struct turn, node)->live, worker);
}

/* It answers FOLLOWING of what it runs, and sends what did not reach us; of the rest it says that
 * it has it not (any more). */
static void on_back(void *arg, struct dispatch_worker *worker)
{
    struct gateway *g = arg;
    on_gone(g, worker);
    list_each (&g->turns->all, node, next) {
        struct turn *t = list_of(node, struct turn, node);
        if (t->place != PLACE_RUNNING || t->entry.worker != worker)
            continue;
        t->asked = true;
        broker_follow(worker, t->live.turn);
    }
}

static void on_refreshed(void *arg, enum err err, struct secret *take_access, int64_t expires_ms)
{
    struct turn *t = arg;
    MAGIC_CHECK(t, TURN_MAGIC);
    t->identity_id = 0;
    if (err == ERR_NONE) {
        secret_free(t->credentials.access);
        t->credentials.access = take_access;
        t->credentials.expires_ms = expires_ms;
    }
    if (t->place == PLACE_RUNNING)
        broker_token(t->entry.worker, t->live.turn, t->epoch,
                     err == ERR_NONE ? t->credentials.access : NULL);
}

/* A Bearer can't be refreshed. One that Perses still takes goes again: what refused it was the
 * server behind a datasource, whose 401 Perses passes on. */
static void on_rechecked(void *arg, enum err err, struct str owner)
{
    struct turn *t = arg;
    MAGIC_CHECK(t, TURN_MAGIC);
    (void)owner;
    t->identity_id = 0;
    if (t->place == PLACE_RUNNING)
        broker_token(t->entry.worker, t->live.turn, t->epoch,
                     err == ERR_NONE ? t->credentials.access : NULL);
}

static void on_need_token(void *arg, struct dispatch_worker *from, const struct frame_NEED_TOKEN *n)
{
    struct gateway *g = arg;
    struct turn *t = running(g, from, n->turn, n->epoch);
    if (!t || t->identity_id)
        return;
    if (t->credentials.refresh)
        t->identity_id = identity_refresh(g->identity, t->credentials.refresh, on_refreshed, t);
    else if (t->credentials.access)
        t->identity_id = identity_check_anew(g->identity, t->credentials.access, on_rechecked, t);
    else
        broker_token(from, t->live.turn, t->epoch, NULL);
}

const struct broker_handler turns_of_workers = {.on_send = on_send,
                                                .on_event = on_event,
                                                .on_following = on_following,
                                                .on_done = on_done,
                                                .on_news = on_news,
                                                .on_release = on_release,
                                                .on_need_token = on_need_token,
                                                .on_lost = on_lost,
                                                .on_gone = on_gone,
                                                .on_back = on_back};

enum err turns_refused(const struct gateway *g)
{
    bool off = switched_off(g->switched, "turns", STR("")) != NULL;
    return off || g->draining                  ? (off ? ERR_SWITCHED_OFF : ERR_DRAINING)
           : !dispatch_room(&g->dispatch)      ? ERR_QUEUE_FULL
           : !broker_expects_worker(g->broker) ? ERR_NO_WORKER
           : !store_ready(g->store)            ? ERR_STORE_UNAVAILABLE
                                               : ERR_NONE;
}

void turns_bring_token(struct gateway *g, struct id session, struct str owner,
                       const struct credentials *c)
{
    bring_token(g, &g->turns->bringings, session, owner, c, turns_adopt_of);
}

/* ---- begin ---- */

/* target: what was begun, t or what its key had begun before; NULL on an error. */
static void tell_asker(struct turn *t, enum err err, struct turn *target)
{
    struct turns_asker asker = t->asker;
    t->asker = (struct turns_asker){0};
    if (asker.begun)
        asker.begun(asker.arg, err, target, target == t);
}

static void add_turn_start(struct turn *t)
{
    struct buf payload;
    buf_init(&payload, 1024);
    CHECK(event_turn_start(&payload, t->live.turn, t->live.session));
    tail_add(&t->live.tail, chunk_new((struct event_at){1, 1}, false, buf_str(&payload)));
    buf_free(&payload);
}

/* The key had begun another turn before, or others took ours over while the answer was away: it is
 * only followed here. */
static void answer_duplicate(struct turn *t, const struct store_turn *older)
{
    struct turn *target =
        turns_followed(t->gateway, older->session, older->turn, str_of(t->live.owner));
    tell_asker(t, ERR_NONE, target);
    release(target);
    turns_move(t, PLACE_FOLLOWED); /* and freed: nobody follows it */
}

/* It was accepted. One that is a worker's already goes to that one, else to whichever has room. */
static void submit(struct turn *t, struct str opening)
{
    struct dispatch *d = &t->gateway->dispatch;
    bool redeemed = dispatch_redeem(d, &t->entry);
    if (t->given && !redeemed) { /* that worker has gone meanwhile, or goes */
        turns_claim(t, false, false);
        return;
    }
    turns_move(t, PLACE_QUEUED);
    if (redeemed)
        buf_add_str(&t->opening, opening);
    else
        dispatch_submit(d, &t->entry);
    if (t->news)
        look(t);
}

static void on_begun(void *arg, enum err err, const struct store_answer *a)
{
    struct turn *t = arg;
    MAGIC_CHECK(t, TURN_MAGIC);
    struct gateway *g = t->gateway;
    t->store_call = 0;
    spans_begun(&t->spans, g->otlp, err);
    if (err != ERR_NONE) {
        tell_asker(t, err, NULL);
        gateway_turn_refused(err);
        quota_turn_end(g->store, str_of(t->live.owner), t->quota_id);
        if (err == ERR_TURN_RUNNING)
            turns_bring_token(g, t->live.session, str_of(t->live.owner), &t->credentials);
        turns_move(t, PLACE_FOLLOWED);
        return;
    }
    bool moved_on = a->turn.epoch > 1 || turn_state_over(a->turn.state); /* a begin sent again */
    if (moved_on || (a->turn.duplicate && !id_eq(a->turn.turn, t->live.turn))) {
        if (turn_state_over(a->turn.state))
            quota_turn_end(g->store, str_of(t->live.owner), t->quota_id);
        answer_duplicate(t, &a->turn);
        return;
    }
    t->epoch = a->turn.epoch;
    t->held_ms = loop_now_ms(g->loop);
    add_turn_start(t);
    submit(t, a->opening);
    metric_add(gateway_metric(METRIC_turns_accepted), 1);
    log_info("turn.accepted", "turn=%s session=%s ms=%lld", traced_log(t->live.turn),
             id_log(t->live.session), (long long)((loop_hr_ns() - t->begun_ns) / 1000000));
    tell_asker(t, ERR_NONE, t);
}

void turns_begin(struct gateway *g, const struct store_begin *begin,
                 struct credentials *take_credentials, const struct turns_asker *asker)
{
    struct turn *t = turn_new(g, begin->session, begin->turn, begin->owner);
    turns_move(t, PLACE_BEGINNING);
    t->begun_ns = asker->asked_ns;
    t->asker = *asker;
    t->asker.traceparent = (struct str){NULL, 0};
    t->credentials = *take_credentials;
    *take_credentials = (struct credentials){0};
    CHECK(begin->request->quota_id.len == sizeof(t->quota_id.bytes));
    memcpy(t->quota_id.bytes, begin->request->quota_id.at, sizeof(t->quota_id.bytes));
    char traceparent[TRACE_PARENT_TEXT + 1];
    spans_begin(&t->spans, g->otlp, begin->turn, asker->traceparent, traceparent);
    struct record_request request = *begin->request;
    request.traceparent = str_of(traceparent);
    struct store_begin traced = *begin;
    traced.request = &request;
    const struct dispatch_worker *worker = dispatch_promise(&g->dispatch, &t->entry);
    t->given = worker != NULL;
    if (worker) {
        traced.worker = broker_name(worker);
        t->given_at = broker_heard(worker);
    }
    t->store_call = store_turn_begin(g->store, &traced, on_begun, t);
}

void turns_asker_left(struct gateway *g, struct id turn)
{
    turns_asker_change(g, turn, &(struct turns_asker){0});
}

void turns_asker_change(struct gateway *g, struct id turn, const struct turns_asker *to)
{
    struct turn *t = turns_get(g, turn);
    if (t)
        t->asker = *to;
}

/* ---- periodic ---- */

static void ignore(void *arg, enum err err, const struct store_answer *a)
{
    (void)arg, (void)err, (void)a;
}

void turns_cancelled(struct gateway *g, const struct store_turn *told)
{
    struct turn *t = turns_get(g, told->turn);
    if (told->state == TURN_RUNNING) {
        cancels_note(&g->turns->cancels, g, told, turns_cancelled);
        broker_cancel(g->broker, told->turn); /* whichever worker has it, for whichever gateway */
        return;
    }
    broker_cancelled(g->broker, told->turn);
    if (t && t->place == PLACE_QUEUED)
        turns_withdraw(t);
    else if (t)
        stream_hurry(&t->live); /* who follows it here need not wait for its gateway's word */
}

void turns_withdraw(struct turn *t)
{
    if (t->place != PLACE_QUEUED)
        return;
    quota_turn_end(t->gateway->store, str_of(t->live.owner), t->quota_id);
    turns_leave_to_store(t);
}

static void tick_queued(struct turn *t, int64_t now_ms)
{
    struct gateway *g = t->gateway;
    if (t->store_call)
        return;
    if (dispatch_overdue(&g->dispatch, &t->entry, now_ms)) {
        log_warn("turn.not_alone", "turn=%s epoch=%u", traced_log(t->live.turn), t->epoch);
        turns_claim(t, true, false); /* the third ends it */
        return;
    }
    if (now_ms - t->held_ms < g->settings.store.lease_ms / 3)
        return;
    t->held_ms = now_ms;
    quota_turn_hold(g->store, str_of(t->live.owner), t->quota_id, g->settings.store.lease_ms);
    look(t);
}

void turns_tick(struct gateway *g)
{
    int64_t now_ms = loop_now_ms(g->loop);
    cancels_tick(&g->turns->cancels);
    list_each (&g->turns->all, node, next) {
        struct turn *t = list_of(node, struct turn, node);
        if (!awaits_worker(t->place))
            break;
        if (t->place == PLACE_QUEUED)
            tick_queued(t, now_ms);
        else if (!t->store_call && now_ms >= t->held_ms)
            turns_ask_claim(t);
    }
    metric_set(gateway_metric(METRIC_turns_queued), g->dispatch.queued);
}

/* Who follows one of them comes again elsewhere, and brings the token there. */
void turns_hand_over(struct gateway *g)
{
    list_each (&g->turns->all, node, next) {
        struct turn *t = list_of(node, struct turn, node);
        if (t->place != PLACE_QUEUED)
            continue;
        store_turn_release(g->store, t->live.session, t->live.turn, t->epoch, ignore, NULL);
        turns_leave_to_store(t);
    }
}

void turns_part(struct gateway *g, struct str parted)
{
    list_each (&g->turns->all, node, next) {
        struct turn *t = list_of(node, struct turn, node);
        t->live.parted = t->live.parted || store_owner_is(str_of(t->live.owner), parted);
    }
    streams_end_of(g, parted);
}

bool turns_drained(const struct gateway *g) { return g->turns->driven == 0; }
