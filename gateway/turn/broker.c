#include "gateway/turn/broker.h"

#include <stdlib.h>
#include "common/check.h"
#include "common/log.h"
#include "proto/ipc.h"
#include "proto/peer.h"
#include "proto/wire.h"

enum { WORKER_MAGIC = 0x574f524b, RESTART_MS = 10000 };

struct worker {
    uint32_t magic;
    struct broker *broker;
    struct wire_peer *wire;
    struct peer peer;
    struct dispatch_worker place;
    uint64_t heard; /* `at` of its last BEAT; 0: none has come */
    char *name;     /* as logs may have it */
    char *holder;   /* as the store has it */
    struct list node;
};

struct broker {
    struct gateway *gateway;
    struct wire *wire;
    const struct broker_handler *handler;
    void *arg; /* of the handler */
    struct list workers;
    int64_t last_ms;          /* when there was a worker last; INT64_MIN: never yet */
    struct buf models, tools; /* of the latest worker that said HELLO */
    json_t *tool_list;        /* tools, read; NULL: not yet */
    bool ask_all;             /* one is gone: who else is? */
};

static struct worker *worker_of(struct dispatch_worker *place)
{
    struct worker *w = list_of(place, struct worker, place);
    MAGIC_CHECK(w, WORKER_MAGIC);
    return w;
}

static void show(struct broker *b)
{
    metric_set(gateway_metric(METRIC_workers), b->gateway->dispatch.worker_count);
    metric_set(gateway_metric(METRIC_capacity), b->gateway->dispatch.capacity);
}

static bool send(struct wire_peer *p, const struct frame *f)
{
    if (!frame_encode(f, wire_out(p)))
        return false;
    wire_touch(p);
    return true;
}

/* ---- workers come and go ---- */

static void worker_gone(struct worker *w, const char *why, bool died)
{
    struct broker *b = w->broker;
    if (w->place.leaving && w->place.assigned == 0) { /* as it said */
        log_info("worker.left", "worker=%s why=%s", w->name, why);
    } else {
        log_warn("worker.lost", "worker=%s why=%s turns=%u", w->name, why, w->place.assigned);
        if (died)
            metric_add(gateway_metric(METRIC_workers_lost), 1);
    }
    b->ask_all = true;
    wire_peer_set(w->wire, NULL);
    b->last_ms = loop_now_ms(b->gateway->loop);
    list_remove(&w->node);
    b->handler->on_gone(b->arg, &w->place);
    dispatch_worker_remove(&b->gateway->dispatch, &w->place, died, b->last_ms, b->handler->on_lost,
                           b->arg);
    show(b);
    free(w->name);
    free(w->holder);
    w->magic = 0;
    free(w);
}

/* Whatever ended it may have ended others: a connection that is gone shows when it is written to,
 * before what the lost one ran goes there. */
static void ask_all(struct broker *b)
{
    struct frame beat = {.code = FRAME_BEAT};
    list_each (&b->workers, node, next)
        send(list_of(node, struct worker, node)->wire, &beat);
    b->ask_all = false;
}

/* It hung, or its connection did: that it says HELLO again afterwards excuses nobody. */
static void worker_stuck(struct worker *w, const char *why)
{
    w->place.name = 0;
    worker_gone(w, why, true);
}

static void heard(struct worker *w)
{
    int64_t now_ms = loop_now_ms(w->broker->gateway->loop);
    peer_heard(&w->peer, now_ms);
    dispatch_worker_heard(&w->place, now_ms);
}

static void say_bye(struct wire_peer *p, const char *reason)
{
    struct frame bye = {.code = FRAME_BYE, .BYE = {.reason = str_of(reason)}};
    send(p, &bye);
}

static void take_tools(struct broker *b, struct str tools)
{
    buf_clear(&b->tools);
    buf_add_str(&b->tools, tools);
    json_decref(b->tool_list);
    b->tool_list = NULL;
}

static struct worker *worker_new(struct broker *b, struct wire_peer *p, const struct frame_HELLO *h)
{
    struct worker *w = xcalloc(1, sizeof(*w));
    w->magic = WORKER_MAGIC;
    w->broker = b;
    w->wire = p;
    w->name = xstrdup(log_text(h->name));
    w->holder = str_dup(h->name);
    list_push(&b->workers, &w->node);
    dispatch_worker_add(&b->gateway->dispatch, &w->place, h->capacity);
    w->place.name = str_hash(STR_HASH_NONE, h->name);
    wire_peer_set(p, w);
    return w;
}

/* The name has a word in it that is another in each process. */
static bool is_same(const struct worker *w, const struct frame_HELLO *h)
{
    return str_is(h->name, w->holder) && h->capacity == w->place.capacity && !w->place.leaving;
}

static void on_hello(struct broker *b, struct wire_peer *p, const struct frame_HELLO *h)
{
    struct gateway *g = b->gateway;
    struct worker *w = wire_peer_get(p);
    if (h->version != PROTO_VERSION) {
        log_error("worker.refused", "worker=%s version=%u ours=%u", log_text(h->name), h->version,
                  PROTO_VERSION);
        say_bye(p, "version");
        return;
    }
    if (h->capacity > WORKER_CAPACITY_MAX) {
        log_error("worker.refused", "worker=%s capacity=%u max=%d", log_text(h->name), h->capacity,
                  WORKER_CAPACITY_MAX);
        say_bye(p, "capacity");
        return;
    }
    /* On the same connection: it lives, and thought that we did not (a gateway that was frozen
     * meets one such worker after the other). It runs on what it ran for us. */
    bool back = w && is_same(w, h);
    if (w && !back)
        worker_gone(w, "hello_again", false);
    if (!back)
        w = worker_new(b, p, h);
    peer_init(&w->peer, loop_now_ms(g->loop));
    heard(w);
    dispatch_worker_report(&w->place, h->running);
    dispatch_undo_deaths(&g->dispatch, w->place.name);
    buf_clear(&b->models);
    buf_add_str(&b->models, h->models);
    take_tools(b, h->tools);
    struct frame welcome = {.code = FRAME_WELCOME,
                            .WELCOME = {.version = PROTO_VERSION, .name = str_of(g->name)}};
    send(p, &welcome);
    show(b);
    log_info("worker.hello", "worker=%s capacity=%u turns=%u", w->name, h->capacity,
             w->place.assigned);
    if (back)
        b->handler->on_back(b->arg, &w->place);
}

/* ---- frames ---- */

static void on_worker_frame(struct broker *b, struct worker *w, const struct frame *f)
{
    switch (f->code) {
    case FRAME_BEAT:
        dispatch_worker_report(&w->place, f->BEAT.running);
        w->heard = f->BEAT.at;
        break;
    case FRAME_EVENT:
        b->handler->on_event(b->arg, &w->place, &f->EVENT);
        break;
    case FRAME_FOLLOWING:
        b->handler->on_following(b->arg, &w->place, &f->FOLLOWING);
        break;
    case FRAME_NEWS:
        b->handler->on_news(b->arg, f->NEWS.turn);
        break;
    case FRAME_DONE:
        b->handler->on_done(b->arg, &w->place, &f->DONE);
        break;
    case FRAME_RELEASE:
        b->handler->on_release(b->arg, &w->place, &f->RELEASE);
        break;
    case FRAME_NEED_TOKEN:
        b->handler->on_need_token(b->arg, &w->place, &f->NEED_TOKEN);
        break;
    case FRAME_TOOLS:
        take_tools(b, f->TOOLS.tools);
        break;
    case FRAME_BYE:
        log_info("worker.leaves", "worker=%s turns=%u", w->name, w->place.assigned);
        dispatch_worker_leaves(&b->gateway->dispatch, &w->place);
        show(b);
        break;
    case FRAME_HELLO: /* on_message */
    case FRAME_TURN:  /* the other way: the decoder refuses them */
    case FRAME_CANCEL:
    case FRAME_TOKEN:
    case FRAME_WELCOME:
    case FRAME_FOLLOW:
    case FRAME_UNFOLLOW:
        break;
    }
}

static void on_message(void *arg, struct wire_peer *p, struct str bytes)
{
    struct broker *b = arg;
    while (bytes.len > 0) {
        struct frame f;
        struct worker *w = wire_peer_get(p);
        if (frame_decode(&bytes, FRAME_TO_GATEWAY, &f) != ERR_NONE) {
            metric_add(gateway_metric(METRIC_frames_bad), 1);
            log_warn("frame.bad", "worker=%s bytes=%zu", w ? w->name : "unknown", bytes.len);
            if (!w)
                wire_peer_drop(p); /* nothing would ever be sent to it and find that it left */
            return;
        }
        if (w)
            heard(w);
        if (f.code == FRAME_HELLO)
            on_hello(b, p, &f.HELLO);
        else if (w)
            on_worker_frame(b, w, &f);
        else
            say_bye(p, "hello"); /* we don't know it (any more): it introduces itself anew */
        frame_free(&f);
    }
}

/* By another connection, on which it said HELLO before the end of this one was noticed. (One that
 * has two links here leaves the second.) */
static bool is_back(const struct worker *w)
{
    list_each (&w->broker->workers, node, next) {
        const struct worker *other = list_of(node, struct worker, node);
        if (other != w && other->place.name == w->place.name && !other->place.leaving &&
            other->place.heard_ms > w->place.heard_ms)
            return true;
    }
    return false;
}

static void on_gone(void *arg, struct wire_peer *p)
{
    (void)arg;
    struct worker *w = wire_peer_get(p);
    if (w)
        worker_gone(w, "gone", !is_back(w));
}

/* ---- decide: TURNs ---- */

static void decide(void *arg)
{
    struct broker *b = arg;
    struct dispatch_worker *place;
    struct dispatch_turn *next;
    int64_t now_ms = loop_now_ms(b->gateway->loop);
    if (b->ask_all)
        ask_all(b);
    while ((next = dispatch_next(&b->gateway->dispatch, now_ms, &place)) != NULL) {
        struct worker *w = worker_of(place);
        struct frame f = {.code = FRAME_TURN};
        b->handler->on_send(b->arg, next, &f.TURN);
        if (!send(w->wire, &f))
            worker_stuck(w, "queue_full");
        else
            wire_wipe_after(w->wire);
    }
}

void broker_cancel(struct broker *b, struct id turn)
{
    struct frame f = {.code = FRAME_CANCEL, .CANCEL = {.turn = turn}};
    list_each (&b->workers, node, next)
        send(list_of(node, struct worker, node)->wire, &f);
}

void broker_cancelled(struct broker *b, struct id turn)
{
    struct frame f = {.code = FRAME_CANCEL, .CANCEL = {.turn = turn}};
    if (!list_empty(&b->workers))
        send(list_head(&b->workers, struct worker, node)->wire, &f);
}

struct dispatch_worker *broker_worker(struct broker *b, struct str name)
{
    list_each (&b->workers, node, next) {
        struct worker *w = list_of(node, struct worker, node);
        if (str_is(name, w->holder))
            return &w->place;
    }
    return NULL;
}

struct str broker_name(const struct dispatch_worker *place)
{
    return str_of(list_of(place, struct worker, place)->holder);
}

uint64_t broker_heard(const struct dispatch_worker *place)
{
    return list_of(place, struct worker, place)->heard;
}

void broker_follow(struct dispatch_worker *place, struct id turn)
{
    struct frame f = {.code = FRAME_FOLLOW, .FOLLOW = {.turn = turn}};
    send(worker_of(place)->wire, &f);
}

void broker_unfollow(struct dispatch_worker *place, struct id turn)
{
    struct frame f = {.code = FRAME_UNFOLLOW, .UNFOLLOW = {.turn = turn}};
    send(worker_of(place)->wire, &f);
}

void broker_token(struct dispatch_worker *place, struct id turn, uint32_t epoch,
                  const struct secret *token)
{
    struct frame f = {.code = FRAME_TOKEN, .TOKEN = {.turn = turn, .epoch = epoch}};
    struct secret *copy = token ? secret_new(secret_reveal(token)) : NULL;
    f.TOKEN.token = copy;
    send(worker_of(place)->wire, &f);
    wire_wipe_after(worker_of(place)->wire);
    secret_free(copy);
}

/* ---- periodic ---- */

void broker_tick(struct broker *b)
{
    struct gateway *g = b->gateway;
    int64_t now_ms = loop_now_ms(g->loop);
    struct frame beat = {.code = FRAME_BEAT};
    list_each (&b->workers, node, next) {
        struct worker *w = list_of(node, struct worker, node);
        if (peer_at(&w->peer, now_ms, g->settings.dead_ms) == PEER_DEAD) {
            struct wire_peer *p = w->wire;
            worker_stuck(w, "silent");
            wire_peer_drop(p);
        } else if (peer_beat_due(&w->peer, now_ms, g->settings.beat_ms) && !send(w->wire, &beat)) {
            struct wire_peer *p = w->wire;
            worker_stuck(w, "queue_full");
            wire_peer_drop(p);
        }
    }
}

void broker_bye(struct broker *b)
{
    list_each (&b->workers, node, next)
        say_bye(list_of(node, struct worker, node)->wire, "leaving");
}

/* ---- what others ask ---- */

struct str broker_models(const struct broker *b)
{
    return b->models.len ? buf_str(&b->models) : STR("[]");
}

struct str broker_tools(const struct broker *b)
{
    return b->tools.len ? buf_str(&b->tools) : STR("[]");
}

const json_t *broker_tool_list(struct broker *b)
{
    struct str text = broker_tools(b);
    if (!b->tool_list)
        b->tool_list = json_loadb(text.at, text.len, 0, NULL);
    return b->tool_list;
}

bool broker_expects_worker(const struct broker *b)
{
    return b->gateway->dispatch.worker_count > 0 ||
           (b->last_ms != INT64_MIN && loop_now_ms(b->gateway->loop) - b->last_ms < RESTART_MS);
}

unsigned broker_workers(const struct broker *b) { return b->gateway->dispatch.worker_count; }

struct broker *broker_new(struct gateway *g, const struct broker_handler *h, void *arg,
                          char error[256])
{
    static const struct wire_callbacks callbacks = {.on_message = on_message, .on_gone = on_gone};
    const char *keys = g->settings.keys;
    struct wire_config config = {.keys = keys && *keys ? keys : NULL,
                                 .open = g->settings.broker_open};
    struct broker *b = xcalloc(1, sizeof(*b));
    b->gateway = g;
    b->handler = h;
    b->arg = arg;
    b->last_ms = INT64_MIN;
    list_init(&b->workers);
    buf_init(&b->models, 65536);
    buf_init(&b->tools, 65536);
    b->wire =
        wire_router_new(g->loop, &config, ipc_or_default(g->settings.broker), &callbacks, b, error);
    if (!b->wire) {
        broker_free(b);
        return NULL;
    }
    loop_on_decide(g->loop, decide, b);
    log_info("broker.bound", "endpoint=%s curve=%s", wire_bound(b->wire),
             config.keys ? "on" : "off");
    return b;
}

void broker_free(struct broker *b)
{
    loop_off(b->gateway->loop, b);
    /* First: their turns are gone, should wire find that one of them is. */
    list_each (&b->workers, node, next) {
        struct worker *w = list_of(node, struct worker, node);
        wire_peer_set(w->wire, NULL);
        list_remove(&w->node);
        free(w->name);
        free(w->holder);
        free(w);
    }
    if (b->wire)
        wire_free(b->wire);
    buf_free(&b->models);
    buf_free(&b->tools);
    json_decref(b->tool_list);
    free(b);
}
