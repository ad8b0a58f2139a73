#include "gateway/turn/feed.h"

#include <stddef.h>

/* An answer that takes longer was lost with a connection: of a dead worker beats would tell. */
enum { ASK_AGAIN_MS = 1000 };

static bool is_of(const struct feed *f, const struct dispatch_worker *worker);
static void follow(struct feed *f, struct dispatch_worker *worker, uint32_t epoch, int64_t now_ms);

const char *feed_state_name(enum feed_state s)
{
    static const char *const names[] = {
#define X(name) #name,
        FEED_STATES(X)
#undef X
    };
    return names[s];
}

struct feed_wish feed_held(struct feed *f, struct dispatch_worker *worker, uint32_t epoch,
                           int64_t now_ms)
{
    struct feed_wish wish = {0};
    if (epoch < f->epoch)
        return wish; /* an answer that was under way for long */
    if (is_of(f, worker)) {
        bool waits = f->state == FEED_ASKED && now_ms - f->asked_ms < ASK_AGAIN_MS;
        if (waits || (f->state == FEED_LIVE && epoch == f->epoch))
            return wish;
    } else {
        wish.unfollow = f->worker; /* fenced, and does not know it yet */
    }
    wish.follow = worker;
    follow(f, worker, epoch, now_ms);
    return wish;
}

static bool is_of(const struct feed *f, const struct dispatch_worker *worker)
{
    return f->state != FEED_NONE && f->worker == worker;
}

static void follow(struct feed *f, struct dispatch_worker *worker, uint32_t epoch, int64_t now_ms)
{
    *f = (struct feed){.state = worker ? FEED_ASKED : FEED_NONE,
                       .worker = worker,
                       .epoch = epoch,
                       .asked_ms = now_ms};
}

bool feed_following(struct feed *f, const struct dispatch_worker *from, uint32_t epoch)
{
    if (!is_of(f, from) || epoch < f->epoch)
        return false;
    f->state = FEED_LIVE;
    f->epoch = epoch;
    return true;
}

bool feed_event(const struct feed *f, const struct dispatch_worker *from, uint32_t epoch)
{
    return f->state == FEED_LIVE && f->worker == from && f->epoch == epoch;
}

/* The epoch is kept: the store may answer of an earlier one yet. */
static bool end(struct feed *f)
{
    f->state = FEED_NONE;
    f->worker = NULL;
    return true;
}

bool feed_done(struct feed *f, const struct dispatch_worker *from, uint32_t epoch)
{
    return is_of(f, from) && (epoch == 0 || epoch >= f->epoch) && end(f);
}

bool feed_lost(struct feed *f, const struct dispatch_worker *worker)
{
    return is_of(f, worker) && end(f);
}

struct dispatch_worker *feed_stop(struct feed *f)
{
    struct dispatch_worker *worker = f->worker;
    *f = (struct feed){.epoch = f->epoch};
    return worker;
}
