#include "gateway/turn/feeds.h"

#include "common/log.h"
#include "proto/traced.h"

static void ended(struct followed *t);

void feeds_told(struct followed *t, const struct store_turn *told)
{
    struct gateway *g = t->gateway;
    struct dispatch_worker *holder = NULL;
    if (told->state == TURN_RUNNING && told->lease_ms > 0)
        holder = broker_worker(g->broker, told->holder);
    struct feed_wish wish = feed_held(&t->feed, holder, told->epoch, loop_now_ms(g->loop));
    if (wish.unfollow)
        broker_unfollow(wish.unfollow, t->turn);
    if (wish.follow) {
        metric_add(gateway_metric(METRIC_follows), 1);
        log_debug("turn.follow", "turn=%s epoch=%u worker=%s", traced_log(t->turn), told->epoch,
                  log_text(told->holder));
        broker_follow(wish.follow, t->turn);
    }
    if (t->feed.state == FEED_NONE)
        ended(t);
}

bool feeds_following(struct followed *t, const struct dispatch_worker *from,
                     const struct frame_FOLLOWING *f)
{
    if (!feed_following(&t->feed, from, f->epoch))
        return false;
    log_debug("turn.following", "turn=%s from=%u-%u", traced_log(t->turn), f->epoch, f->seq);
    return true;
}

bool feeds_event(const struct followed *t, const struct dispatch_worker *from, uint32_t epoch)
{
    return feed_event(&t->feed, from, epoch);
}

void feeds_done(struct followed *t, const struct dispatch_worker *from, uint32_t epoch)
{
    if (feed_done(&t->feed, from, epoch))
        ended(t);
}

void feeds_lost(struct followed *t, const struct dispatch_worker *from)
{
    if (feed_lost(&t->feed, from))
        ended(t);
}

/* What is live comes from elsewhere now: the store says from where, and has all that counts. One
 * that never lived changes nothing: its followers ask already. */
static void ended(struct followed *t)
{
    if (!t->tail.based)
        return;
    log_debug("turn.unfed", "turn=%s epoch=%u", traced_log(t->turn), t->feed.epoch);
    tail_reset(&t->tail); /* else who has read it to its end would wait there */
    stream_hurry(t);
}

void feeds_stop(struct followed *t)
{
    struct dispatch_worker *from = feed_stop(&t->feed);
    if (from)
        broker_unfollow(from, t->turn);
}
