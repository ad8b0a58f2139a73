#include "gateway/turn/stream.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/http.h"
#include "common/log.h"
#include "proto/store/events.h"
#include "proto/store/parting.h"
#include "proto/store/store.h"

enum {
    FOLLOWER_MAGIC = 0x464f4c57,
    READ_BYTES_MAX = 64 << 10, /* of one answer of the store: what a slow client holds in memory at
                                  most, one event aside */
    OUT_BYTES_KEEP = 64 << 10, /* of a door's words: kept for the next ones */
    /* Who waits for what no link brings asks ever less often: for a turn that is queued at another
     * gateway, which a worker has the next moment, or of which text is stored each second. */
    ASK_AGAIN_MS_MIN = 5,
    ASK_AGAIN_MS_MAX = 250,
    LOOK_AGAIN_MS = 50,    /* at one that waits for our own tail */
    SUSPECT_MS = 2000,     /* a worker that lives has stored what it said long before */
    AHEAD_MS = 10000,      /* as long as a store that was away may take to have it */
    AHEAD_AGAIN_MS = 1000, /* while a client is ahead it is asked ever less often, down to this */
    ASK_LATER_MS = 500,    /* the store did not answer, or the turn awaits a person */
};

struct follower {
    uint32_t magic;
    struct followed *turn;
    struct http_stream *stream;
    struct follow follow;
    struct list node;    /* of its turn */
    struct visit visit;  /* one that it makes itself */
    struct list reading; /* of turn.readers: while the store is asked for what is after: */
    struct event_at asked;
    struct list attention; /* of streams.attention: to be looked at in the decision phase */
    struct list all;
    uint64_t store_call;
    int64_t again_ms; /* how long it waits before it asks the store again */
    int64_t ahead_ms; /* since when its client is ahead of what Redis has; 0: not so */
    const struct stream_door *door; /* NULL: the events go out as they are */
    void *door_arg;
    struct buf out; /* of the door: sent of it is with the client */
    size_t sent;
    bool resumable, ended, whole;
};

static void collect(struct follower *f);
static void wake(struct follower *f);

static bool ahead_for(struct follower *f, int64_t most_ms, int64_t now_ms);
static void answered(struct follower *f, enum err err, const struct store_answer *a);
static void ask_instead(struct followed *t, struct event_at cursor);
static void ask_go(void *arg);

struct streams {
    struct gateway *gateway;
    struct list attention, all;
    unsigned count;
    struct loop_timer *timer; /* runs while somebody waits to ask again */
};

void followed_init(struct followed *t, struct gateway *g, struct id session, struct id turn,
                   struct str owner, const struct followed_handler *h)
{
    *t = (struct followed){.gateway = g, .session = session, .turn = turn, .handler = h};
    CHECK(owner.len < sizeof(t->owner));
    memcpy(t->owner, owner.at, owner.len);
    tail_init(&t->tail, g->settings.tail_bytes_max);
    list_init(&t->followers);
    list_init(&t->readers);
}

void followed_free(struct followed *t)
{
    CHECK(list_empty(&t->followers));
    tail_free(&t->tail);
}

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
        if (f->stream)
            http_stream_end(f->stream);
        else
            attend(f);
    }
}

/* ---- a door's words ---- */

static bool speak_next(struct follower *f)
{
    struct chunk *c = follow_next(&f->follow, &f->turn->tail);
    if (!c)
        return false;
    if (!event_is(chunk_payload(c), EVENT_turn_awaiting_input) ||
        follow_ends_with(&f->follow, &f->turn->tail, c))
        f->door->on_event(f->door_arg, chunk_payload(c), &f->out);
    follow_given(&f->follow, &f->turn->tail, c);
    f->whole = follow_over(&f->follow);
    return true;
}

static size_t speak(struct follower *f, char *dst, size_t cap)
{
    size_t filled = 0;
    while (filled < cap) {
        if (f->sent == f->out.len) {
            if (f->out.cap > OUT_BYTES_KEEP)
                buf_free(&f->out);
            buf_clear(&f->out);
            f->sent = 0;
            if (!speak_next(f))
                break;
        }
        size_t len = f->out.len - f->sent;
        if (len > cap - filled)
            len = cap - filled;
        if (len > 0)
            memcpy(dst + filled, f->out.at + f->sent, len);
        f->sent += len;
        filled += len;
    }
    return filled;
}

static size_t on_fill(void *arg, char *dst, size_t cap)
{
    struct follower *f = arg;
    MAGIC_CHECK(f, FOLLOWER_MAGIC);
    size_t len = f->door ? speak(f, dst, cap) : follow_fill(&f->follow, &f->turn->tail, dst, cap);
    if (follow_over(&f->follow) && f->sent == f->out.len)
        end(f);
    else if (f->follow.state == FOLLOW_BEHIND)
        attend(f);
    return len;
}

static void on_closed(void *arg)
{
    struct follower *f = arg;
    MAGIC_CHECK(f, FOLLOWER_MAGIC);
    struct followed *t = f->turn;
    struct gateway *g = t->gateway;
    list_remove(&f->node);
    if (visit_pending(&f->visit)) {
        store_forget(g->store, f->store_call);
        visits_over(&f->visit);
        list_remove(&f->reading);
        ask_instead(t, f->asked);
    }
    follow_free(&f->follow);
    list_remove(&f->attention);
    list_remove(&f->all);
    of(g)->count--;
    if (f->door)
        f->door->on_end(f->door_arg, f->whole, &f->out);
    buf_free(&f->out);
    f->magic = 0;
    free(f);
    t->handler->on_left(t);
}

/* Does this event end the stream? A turn_awaiting_input that was decided does not: more of the turn
 * is stored behind it. */
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
    bool goes_past = a->turn.epoch > f->follow.cursor.epoch; /* whatever was not stored of it */
    if (!a->suspect && (goes_past || event_at_cmp(f->follow.cursor, a->turn.last) <= 0)) {
        f->ahead_ms = 0;
        return false;
    }
    /* Whoever had it is gone, with what was not stored yet: who takes it next goes on past that. */
    if (!a->suspect && a->turn.lease_ms <= 0) {
        f->ahead_ms = now_ms - AHEAD_AGAIN_MS;
        return false;
    }
    int64_t lease_ms = f->turn->gateway->settings.store.lease_ms;
    return ahead_for(f, a->suspect ? SUSPECT_MS : AHEAD_MS + lease_ms, now_ms);
}

static bool ahead_for(struct follower *f, int64_t most_ms, int64_t now_ms)
{
    if (f->ahead_ms == 0)
        f->ahead_ms = now_ms;
    return now_ms - f->ahead_ms >= most_ms;
}

/* The same of one that waits for our own tail to come to it. True: it waits on. */
static bool waits_for_tail(struct follower *f, int64_t now_ms)
{
    const struct tail *t = &f->turn->tail;
    if (!follow_is_ahead(&f->follow, t)) {
        f->ahead_ms = 0;
        return false;
    }
    bool ended = tail_last(t) && tail_last(t)->final;
    if (!ended && !ahead_for(f, AHEAD_MS, now_ms))
        return true;
    give_up(f, ERR_HISTORY_LOST);
    return false;
}

static int64_t again_ms(struct follower *f, bool came)
{
    int64_t most_ms = f->ahead_ms ? AHEAD_AGAIN_MS : ASK_AGAIN_MS_MAX;
    f->again_ms = came ? ASK_AGAIN_MS_MIN : 2 * f->again_ms;
    if (f->again_ms < ASK_AGAIN_MS_MIN)
        f->again_ms = ASK_AGAIN_MS_MIN;
    if (f->again_ms > most_ms)
        f->again_ms = most_ms;
    return f->again_ms;
}

/* Followers of a turn that others drive come to its end and stay there together: what one of them
 * is told by the store, all are who would ask the same. So they cost the store what one does. */
static void on_read(void *arg, enum err err, const struct store_answer *a)
{
    struct follower *f = arg;
    MAGIC_CHECK(f, FOLLOWER_MAGIC);
    f->store_call = 0;
    visits_over(&f->visit);
    list_remove(&f->reading);
    struct followed *t = f->turn;
    answered(f, err, a);
    list_each (&f->turn->followers, node, next) {
        struct follower *other = list_of(node, struct follower, node);
        if (other == f || !follow_waits_at(&other->follow, f->asked))
            continue;
        follow_asked(&other->follow, f->follow.asked);
        answered(other, err, a);
    }
    if (err == ERR_NONE)
        t->handler->on_told(t, &a->turn);
}

static void answered(struct follower *f, enum err err, const struct store_answer *a)
{
    struct gateway *g = f->turn->gateway;
    int64_t now_ms = loop_now_ms(g->loop);
    if (err == ERR_NONE && is_ahead(f, a, now_ms))
        err = ERR_HISTORY_LOST;
    if (err == ERR_NONE && nothing_comes(a))
        end(f);
    else if (err == ERR_NONE)
        take_events(f, a);
    else if (err == ERR_HISTORY_LOST || err == ERR_EVENTS_EXPIRED || err == ERR_TURN_NOT_FOUND ||
             err == ERR_FENCED)
        give_up(f, err == ERR_FENCED ? ERR_TURN_NOT_FOUND : err);
    enum follow_answer how = err ? FOLLOW_FAILED : a->more ? FOLLOW_MORE : FOLLOW_WHOLE;
    struct event_at has = {0, 0};
    if (err == ERR_NONE)
        has = (struct event_at){a->turn.epoch,
                                a->turn.last.epoch == a->turn.epoch ? a->turn.last.seq : 0};
    follow_answered(&f->follow, &f->turn->tail, how, has, now_ms,
                    err != ERR_NONE || a->turn.state == TURN_AWAITING
                        ? ASK_LATER_MS
                        : again_ms(f, a->event_count > 0));
    attend(f);
    wake(f);
}

/* Another of its turn asks the store for the same? */
static bool is_being_asked(const struct follower *f)
{
    list_each (&f->turn->readers, node, next)
        if (event_at_cmp(list_of(node, struct follower, reading)->asked, f->follow.cursor) == 0)
            return true;
    return false;
}

/* One that asked has left: those who would have been told with it ask themselves. */
static void ask_instead(struct followed *t, struct event_at cursor)
{
    list_each (&t->followers, node, next) {
        struct follower *f = list_of(node, struct follower, node);
        if (follow_waits_at(&f->follow, cursor))
            attend(f);
    }
}

static void ask(struct follower *f)
{
    struct followed *t = f->turn;
    if (is_being_asked(f))
        return;
    metric_add(gateway_metric(METRIC_followers_behind), 1);
    follow_asked(&f->follow, tail_sound(&t->tail));
    f->asked = f->follow.cursor;
    list_push(&t->readers, &f->reading);
    visits_ask(t->gateway->visits, &f->visit, t->owner, ask_go, f);
}

static void ask_go(void *arg)
{
    struct follower *f = arg;
    MAGIC_CHECK(f, FOLLOWER_MAGIC);
    f->store_call = store_events_read(f->turn->gateway->store, f->turn->session, f->turn->turn,
                                      f->asked, READ_BYTES_MAX, on_read, f);
}

static int64_t sooner(int64_t a_ms, int64_t b_ms) { return a_ms < b_ms ? a_ms : b_ms; }

static void decide(void *arg)
{
    struct streams *s = arg;
    int64_t now_ms = loop_now_ms(s->gateway->loop);
    int64_t look_ms = INT64_MAX;
    list_each (&s->attention, node, next) {
        struct follower *f = list_of(node, struct follower, attention);
        if (!f->stream)
            collect(f);
        if (f->ended && !f->stream) {
            on_closed(f);
        } else if (f->follow.state == FOLLOW_READING || f->ended) {
            list_remove(&f->attention);
        } else if (follow_must_ask(&f->follow, &f->turn->tail, now_ms)) {
            list_remove(&f->attention);
            ask(f);
        } else if (f->follow.state == FOLLOW_LIVE) {
            if (waits_for_tail(f, now_ms)) {
                look_ms = sooner(look_ms, now_ms + LOOK_AGAIN_MS);
                continue;
            }
            list_remove(&f->attention);
            if (f->stream)
                http_stream_wake(f->stream);
        } else if (f->follow.current || !list_empty(&f->follow.read)) {
            list_remove(
                &f->attention); /* its client takes what it has first: on_fill comes back here */
        } else {
            look_ms = sooner(look_ms, f->follow.ask_ms);
        }
    }
    if (look_ms != INT64_MAX)
        loop_timer_set(s->timer, look_ms > now_ms ? look_ms - now_ms : 1, 0);
}

static void on_timer(void *arg) { (void)arg; /* waking the loop is all: decide() looks */ }

void stream_wake(struct followed *t)
{
    list_each (&t->followers, node, next)
        wake(list_of(node, struct follower, node));
}

static void wake(struct follower *f)
{
    if (f->stream)
        http_stream_wake(f->stream);
    else
        attend(f); /* decide() collects */
}

/* Of one without a response: all that there is. */
static void collect(struct follower *f)
{
    while (!f->ended && speak_next(f)) {
    }
    if (follow_over(&f->follow))
        end(f);
}

void stream_hurry(struct followed *t)
{
    list_each (&t->followers, node, next) {
        struct follower *f = list_of(node, struct follower, node);
        f->again_ms = 0;
        f->follow.ask_ms = 0;
        attend(f);
    }
    stream_wake(t);
}

struct event_at stream_given(const struct followed *t)
{
    struct event_at given = {UINT32_MAX, UINT32_MAX};
    list_each (&t->followers, node, next) {
        const struct follower *f = list_of(node, struct follower, node);
        if (event_at_cmp(f->follow.cursor, given) < 0)
            given = f->follow.cursor;
    }
    return given;
}

void stream_lost(struct followed *t, struct event_at last)
{
    list_each (&t->followers, node, next) {
        struct follower *f = list_of(node, struct follower, node);
        if (event_at_cmp(f->follow.cursor, last) > 0)
            give_up(f, ERR_HISTORY_LOST);
    }
    stream_wake(t);
}

const struct http_stream_handler stream_handler = {.on_fill = on_fill, .on_closed = on_closed};

struct follower *stream_new(struct followed *t, struct event_at after, bool resumable)
{
    struct streams *s = of(t->gateway);
    struct follower *f = xcalloc(1, sizeof(*f));
    f->magic = FOLLOWER_MAGIC;
    f->turn = t;
    f->resumable = resumable;
    list_init(&f->attention);
    list_init(&f->reading);
    list_push(&t->followers, &f->node);
    list_push(&s->all, &f->all);
    s->count++;
    buf_init(&f->out, STREAM_DOOR_BYTES_MAX);
    follow_init(&f->follow, after, &t->tail);
    return f;
}

void stream_speak(struct follower *f, const struct stream_door *door, void *arg)
{
    f->door = door;
    f->door_arg = arg;
}

void stream_collect(struct follower *f, const struct store_answer *read)
{
    CHECK(f->door);
    if (read)
        take_events(f, read);
    attend(f);
    if (read && nothing_comes(read))
        end(f);
}

void stream_leave(struct follower *f)
{
    CHECK(!f->stream);
    on_closed(f);
}

void stream_begin(struct follower *f, struct http_stream *out, const struct store_answer *read)
{
    f->stream = out;
    if (read)
        take_events(f, read);
    attend(f);
    if (read && nothing_comes(read))
        end(f);
    else
        http_stream_wake(f->stream);
}

void stream_refuse(struct follower *f, struct http_stream *out, enum err why)
{
    f->stream = out;
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

void streams_end_of(struct gateway *g, struct str parted)
{
    list_each (&of(g)->all, node, next) {
        struct follower *f = list_of(node, struct follower, all);
        if (!store_owner_is(str_of(f->turn->owner), parted))
            continue;
        log_info("stream.cut", "turn=%s", id_log(f->turn->turn));
        end(f);
    }
}

struct streams *streams_new(struct gateway *g)
{
    struct streams *s = xcalloc(1, sizeof(*s));
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
