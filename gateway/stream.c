#include "gateway/stream.h"

#include <stdlib.h>
#include "common/check.h"
#include "common/log.h"

enum {
    FOLLOWER_MAGIC = 0x464f4c57,
    READ_BYTES_MAX = 64 << 10, /* of one answer of the store: what a slow client holds in memory at
                                  most, one event aside */
    ASK_AGAIN_MS = 50,         /* provisional text is stored within about that time */
    SUSPECT_MS = 2000,         /* a worker that lives has stored what it said long before */
    AHEAD_MS = 10000,          /* as long as a store that was away may take to have it */
    AHEAD_AGAIN_MS = 1000, /* while a client is ahead it is asked ever less often, down to this */
    ASK_LATER_MS = 500,    /* the store did not answer, or the turn awaits a person */
};

struct follower {
    uint32_t magic;
    struct turn *turn;
    struct http_stream *stream;
    struct follow follow;
    struct list node;      /* of its turn */
    struct list attention; /* of streams.attention: to be looked at in the decision phase */
    struct list all;
    uint64_t store_call;
    int64_t ahead_ms; /* since when its client is ahead of what Redis has; 0: not so */
    bool resumable, ended;
};

struct streams {
    struct gateway *gateway;
    struct list attention, all;
    unsigned count;
    struct loop_timer *timer; /* runs while somebody waits to ask again */
};

static struct streams *of(const struct gateway *g) { return g->streams; }

unsigned streams_count(const struct gateway *g) { return of(g)->count; }

static void attend(struct follower *f)
{
    list_remove(&f->attention);
    list_push(&of(f->turn->gateway)->attention, &f->attention);
}

static void end(struct follower *f)
{
    if (!f->ended) {
        f->ended = true;
        http_stream_end(f->stream);
    }
}

static size_t on_fill(void *arg, char *dst, size_t cap)
{
    struct follower *f = arg;
    MAGIC_CHECK(f, FOLLOWER_MAGIC);
    size_t len = follow_fill(&f->follow, &f->turn->tail, dst, cap);
    if (follow_over(&f->follow))
        end(f);
    else if (f->follow.state == FOLLOW_BEHIND)
        attend(f);
    return len;
}

static void on_closed(void *arg)
{
    struct follower *f = arg;
    MAGIC_CHECK(f, FOLLOWER_MAGIC);
    struct turn *t = f->turn;
    struct gateway *g = t->gateway;
    store_forget(g->store, f->store_call);
    follow_free(&f->follow);
    list_remove(&f->node);
    list_remove(&f->attention);
    list_remove(&f->all);
    of(g)->count--;
    f->magic = 0;
    free(f);
    turns_release(t);
}

/* One behind which more is stored does not end the stream: turn_awaiting_input, once it was
 * decided. */
static bool ends(const struct store_answer *a, unsigned i)
{
    return a->events[i].final && event_at_cmp(a->events[i].at, a->turn.last) >= 0 &&
           a->turn.epoch == a->events[i].at.epoch;
}

static void take_events(struct follower *f, const struct store_answer *a)
{
    for (unsigned i = 0; i < a->event_count; i++)
        follow_got(&f->follow, chunk_new(a->events[i].at, ends(a, i), a->events[i].payload));
}

/* The client has the turn's final event already: it came back for what there is not. */
static bool nothing_comes(const struct store_answer *a)
{
    return turn_state_over(a->turn.state) && a->event_count == 0 && !a->more;
}

/* The stream can't go on truthfully: say why, as its last event, and end it. */
static void give_up(struct follower *f, enum err err)
{
    struct buf b;
    buf_init(&b, 4096);
    CHECK(event_error(&b, err, NULL));
    follow_got(&f->follow, chunk_new_last(buf_str(&b)));
    buf_free(&b);
}

/* Its client has seen more than the store has: what was said live is stored a moment later, or it
 * is lost, or the client made it up. Has it been so for too long? */
static bool is_ahead(struct follower *f, const struct store_answer *a, int64_t now_ms)
{
    if (!a->suspect && event_at_cmp(f->follow.cursor, a->turn.last) <= 0) {
        f->ahead_ms = 0;
        return false;
    }
    if (f->ahead_ms == 0)
        f->ahead_ms = now_ms;
    return now_ms - f->ahead_ms >= (a->suspect ? SUSPECT_MS : AHEAD_MS);
}

static int64_t again_ms(const struct follower *f, int64_t now_ms)
{
    int64_t ahead_ms = f->ahead_ms ? now_ms - f->ahead_ms : 0;
    return ahead_ms < ASK_AGAIN_MS     ? ASK_AGAIN_MS
           : ahead_ms > AHEAD_AGAIN_MS ? AHEAD_AGAIN_MS
                                       : ahead_ms;
}

static void on_read(void *arg, enum err err, const struct store_answer *a)
{
    struct follower *f = arg;
    MAGIC_CHECK(f, FOLLOWER_MAGIC);
    struct gateway *g = f->turn->gateway;
    int64_t now_ms = loop_now_ms(g->loop);
    f->store_call = 0;
    if (err == ERR_NONE && is_ahead(f, a, now_ms))
        err = ERR_HISTORY_LOST;
    if (err == ERR_NONE && nothing_comes(a))
        end(f);
    else if (err == ERR_NONE)
        take_events(f, a);
    else if (err == ERR_HISTORY_LOST || err == ERR_EVENTS_EXPIRED || err == ERR_TURN_NOT_FOUND ||
             err == ERR_FENCED)
        give_up(f, err == ERR_FENCED ? ERR_TURN_NOT_FOUND : err);
    follow_answered(&f->follow, &f->turn->tail, err == ERR_NONE && a->more, now_ms,
                    err != ERR_NONE || a->turn.state == TURN_AWAITING ? ASK_LATER_MS
                                                                      : again_ms(f, now_ms));
    attend(f);
    http_stream_wake(f->stream);
}

static void ask(struct follower *f)
{
    struct turn *t = f->turn;
    metric_add(gateway_metric(METRIC_followers_behind), 1);
    follow_asked(&f->follow);
    f->store_call = store_events_read(t->gateway->store, t->session, t->turn, f->follow.cursor,
                                      READ_BYTES_MAX, on_read, f);
}

static void decide(void *arg)
{
    struct streams *s = arg;
    int64_t now_ms = loop_now_ms(s->gateway->loop);
    bool waiting = false;
    list_each (&s->attention, node, next) {
        struct follower *f = list_of(node, struct follower, attention);
        if (f->follow.state == FOLLOW_READING || f->ended) {
            list_remove(&f->attention);
        } else if (follow_must_ask(&f->follow, &f->turn->tail, now_ms)) {
            list_remove(&f->attention);
            ask(f);
        } else if (f->follow.state == FOLLOW_LIVE) {
            list_remove(&f->attention);
            http_stream_wake(f->stream);
        } else if (f->follow.current || !list_empty(&f->follow.read)) {
            list_remove(
                &f->attention); /* its client takes what it has first: on_fill comes back here */
        } else {
            waiting = true;
        }
    }
    if (waiting && !loop_timer_active(s->timer))
        loop_timer_set(s->timer, ASK_AGAIN_MS, 0);
}

static void on_timer(void *arg) { (void)arg; /* waking the loop is all: decide() looks */ }

void stream_wake(struct turn *t)
{
    list_each (&t->followers, node, next)
        http_stream_wake(list_of(node, struct follower, node)->stream);
}

struct event_at stream_given(const struct turn *t)
{
    struct event_at given = {UINT32_MAX, UINT32_MAX};
    list_each (&t->followers, node, next) {
        const struct follower *f = list_of(node, struct follower, node);
        if (event_at_cmp(f->follow.cursor, given) < 0)
            given = f->follow.cursor;
    }
    return given;
}

void stream_lost(struct turn *t, struct event_at last)
{
    list_each (&t->followers, node, next) {
        struct follower *f = list_of(node, struct follower, node);
        if (event_at_cmp(f->follow.cursor, last) > 0)
            give_up(f, ERR_HISTORY_LOST);
    }
    stream_wake(t);
}

static struct follower *follower_new(struct call *c, struct turn *t, struct event_at after,
                                     bool resumable)
{
    static const struct http_stream_handler handler = {.on_fill = on_fill, .on_closed = on_closed};
    struct streams *s = of(t->gateway);
    struct follower *f = xcalloc(1, sizeof *f);
    f->magic = FOLLOWER_MAGIC;
    f->turn = t;
    f->resumable = resumable;
    list_init(&f->attention);
    list_push(&t->followers, &f->node);
    list_push(&s->all, &f->all);
    s->count++;
    follow_init(&f->follow, after, &t->tail);
    f->stream = call_stream(c, "text/event-stream", &handler, f);
    return f;
}

void stream_open(struct call *c, struct turn *t, struct event_at after,
                 const struct store_answer *read, bool resumable)
{
    struct follower *f = follower_new(c, t, after, resumable);
    if (read)
        take_events(f, read);
    attend(f);
    if (read && nothing_comes(read))
        end(f);
    else
        http_stream_wake(f->stream);
}

void stream_refuse(struct call *c, enum err why)
{
    struct turn *t = turns_followed(c->gateway, c->session, c->turn, str_of(c->user));
    struct follower *f = follower_new(c, t, (struct event_at){0, 0}, true);
    give_up(f, why);
    http_stream_wake(f->stream);
}

void streams_end(struct gateway *g, bool all)
{
    list_each (&of(g)->all, node, next) {
        struct follower *f = list_of(node, struct follower, all);
        if (all || f->resumable)
            end(f);
    }
}

struct streams *streams_new(struct gateway *g)
{
    struct streams *s = xcalloc(1, sizeof *s);
    s->gateway = g;
    list_init(&s->attention);
    list_init(&s->all);
    s->timer = loop_timer_new(g->loop, on_timer, s);
    loop_on_decide(g->loop, decide, s);
    return s;
}

void streams_free(struct streams *s)
{
    CHECK(list_empty(&s->all)); /* http_free has closed them */
    loop_off(s->gateway->loop, s);
    loop_timer_free(s->timer);
    free(s);
}
