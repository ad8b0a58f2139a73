#include "worker/hub.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/buf.h"
#include "common/check.h"
#include "common/list.h"
#include "common/log.h"
#include "proto/frame.h"
#include "proto/peer.h"
#include "proto/wire.h"

enum {
    LINK_MAGIC = 0x117c0b00,
    ENTRIES_MAX = 64,
    LINKS_MAX = 256,
    GREET_MS = 1000, /* longest wait for a WELCOME, then a beat, which an unknowing gateway answers
                          by BYE hello */
    REFUSED_MS = 5000,  /* between HELLOs to a gateway of another version */
    FULL_LOG_MS = 1000, /* between two lines about a gateway that takes nothing */
    ENDPOINT_MAX = 128,
};

struct entry { /* of PERSAI_GATEWAYS */
    struct hub *hub;
    char host[ENDPOINT_MAX]; /* "": endpoint is numeric or ipc already */
    char endpoint[ENDPOINT_MAX];
    char port[8];
    uint64_t resolving; /* call, or 0 */
};

struct hub_link {
    unsigned magic;
    struct list node;
    struct hub *hub;
    char endpoint[ENDPOINT_MAX];
    char gateway[129]; /* its name, from WELCOME */
    enum hub_link_state state;
    struct wire *wire;
    struct peer peer;
    int64_t greeted_ms; /* when HELLO or a beat in its place was sent last */
    int64_t hello_ms;   /* when HELLO was */
    int64_t full_ms;    /* when a line said that it is full; 0: none did */
    unsigned entry;     /* that it came from */
    unsigned held;      /* by turns */
    unsigned told;      /* which of the hub's offers */
    unsigned life;
    bool unsaid; /* the last HELLO: it was full */
    bool wanted; /* its entry still resolves to it */
};

struct hub {
    struct hub_config config;
    struct hub_callbacks cb;
    void *arg;
    struct entry entries[ENTRIES_MAX];
    unsigned entry_count, link_count, offers; /* offers: that there were */
    struct list links;
    struct loop_timer *beat_timer, *resolve_timer;
    bool leaving;
};

static bool read_entries(struct hub *h, char error[256]);
static bool link_fixed(struct hub *h, char error[256]);
static void resolve_all(void *arg);
static void on_resolved(void *arg, const char *const *addresses, unsigned count);
static struct hub_link *link_for(struct hub *h, unsigned entry, const char *endpoint,
                                 char error[256]);
static void link_free(struct hub_link *l);
static void on_beat(void *arg);
static void look_after(struct hub_link *l, int64_t now_ms);
static void on_message(void *arg, struct wire_peer *p, struct str bytes);
static void on_frame(struct hub_link *l, struct frame *f);
static void on_welcome(struct hub_link *l, const struct frame_WELCOME *w);
static void on_bye(struct hub_link *l, struct str reason);
static void greet(struct hub_link *l);
static void change(struct hub_link *l, enum hub_link_state to);
static void send_offer(struct hub_link *l);
static bool send_frame(struct hub_link *l, const struct frame *f);
static void not_taken(struct hub_link *l, enum frame_code code);
static void tell_full(struct hub_link *l, enum frame_code code);

static const char *state_name(enum hub_link_state s)
{
    static const char *const names[] = {
#define X(name) #name,
        HUB_LINK_STATES(X)
#undef X
    };
    return names[s];
}

struct hub *hub_new(const struct hub_config *c, const struct hub_callbacks *cb, void *arg,
                    char error[256])
{
    struct hub *h = xcalloc(1, sizeof(*h));
    h->config = *c;
    h->cb = *cb;
    h->arg = arg;
    list_init(&h->links);
    h->beat_timer = loop_timer_new(c->loop, on_beat, h);
    h->resolve_timer = loop_timer_new(c->loop, resolve_all, h);
    if (!read_entries(h, error) || !link_fixed(h, error)) {
        hub_free(h);
        return NULL;
    }
    resolve_all(h);
    loop_timer_set(h->beat_timer, c->beat_ms, c->beat_ms);
    loop_timer_set(h->resolve_timer, c->resolve_ms, c->resolve_ms);
    return h;
}

void hub_free(struct hub *h)
{
    if (!h)
        return;
    for (unsigned i = 0; i < h->entry_count; i++)
        if (h->entries[i].resolving)
            loop_resolve_forget(h->config.loop, h->entries[i].resolving);
    list_each (&h->links, node, tmp)
        link_free(list_of(node, struct hub_link, node));
    loop_timer_free(h->beat_timer);
    loop_timer_free(h->resolve_timer);
    free(h);
}

unsigned hub_open_links(const struct hub *h)
{
    unsigned count = 0;
    list_each (&h->links, node, tmp)
        count += list_of(node, struct hub_link, node)->state == LINK_OPEN;
    return count;
}

/* ---- which addresses there are ---- */

/* tcp://HOST:PORT, HOST a name, an address or [address]. */
static bool split_tcp(struct str text, struct entry *e)
{
    struct str rest = str_skip(text, 6);
    const char *colon = NULL;
    for (size_t i = 0; i < rest.len; i++)
        if (rest.at[i] == ':')
            colon = rest.at + i;
    uint64_t port;
    if (colon == NULL || colon == rest.at)
        return false;
    struct str host = {rest.at, (size_t)(colon - rest.at)};
    struct str digits = str_skip(rest, host.len + 1);
    if (!str_u64(digits, 65535, &port) || port == 0)
        return false;
    snprintf(e->port, sizeof(e->port), "%u", (unsigned)port);
    char name[ENDPOINT_MAX];
    bool bracketed = host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']';
    snprintf(name, sizeof(name), "%.*s", (int)(bracketed ? host.len - 2 : host.len),
             bracketed ? host.at + 1 : host.at);
    unsigned char address[16];
    if (inet_pton(AF_INET, name, address) != 1 && inet_pton(AF_INET6, name, address) != 1)
        snprintf(e->host, sizeof(e->host), "%s", name);
    return true;
}

static bool read_entries(struct hub *h, char error[256])
{
    struct str rest = str_of(h->config.gateways), piece;
    while (str_split(&rest, ',', &piece)) {
        piece = str_trim(piece);
        if (piece.len == 0)
            continue;
        struct entry *e = &h->entries[h->entry_count];
        bool tcp = str_starts(piece, STR("tcp://"));
        if (h->entry_count == ENTRIES_MAX || piece.len >= ENDPOINT_MAX ||
            !(tcp ? split_tcp(piece, e) : str_starts(piece, STR("ipc://")))) {
            snprintf(error, 256,
                     "PERSAI_GATEWAYS: %.100s is not tcp://HOST:PORT or ipc://PATH (at most %d)",
                     log_text(piece), ENTRIES_MAX);
            return false;
        }
        e->hub = h;
        snprintf(e->endpoint, sizeof(e->endpoint), "%.*s", (int)piece.len, piece.at);
        char why[256];
        if (!wire_endpoint_ok(e->endpoint, &h->config.wire, why)) {
            snprintf(error, 256, "PERSAI_GATEWAYS: %.230s", why);
            return false;
        }
        h->entry_count++;
    }
    if (h->entry_count == 0) {
        snprintf(error, 256, "PERSAI_GATEWAYS is empty");
        return false;
    }
    return true;
}

bool hub_check(const char *gateways, const struct wire_config *wire, char error[256])
{
    struct hub *h = xcalloc(1, sizeof(*h));
    h->config.gateways = gateways;
    h->config.wire = *wire;
    bool good = read_entries(h, error);
    free(h);
    return good;
}

/* What is wrong with a fixed address shows at start. */
static bool link_fixed(struct hub *h, char error[256])
{
    for (unsigned i = 0; i < h->entry_count; i++)
        if (h->entries[i].host[0] == '\0' && !link_for(h, i, h->entries[i].endpoint, error))
            return false;
    return true;
}

static void resolve_all(void *arg)
{
    struct hub *h = arg;
    for (unsigned i = 0; i < h->entry_count; i++) {
        struct entry *e = &h->entries[i];
        if (e->host[0] != '\0' && e->resolving == 0)
            e->resolving = loop_resolve(h->config.loop, e->host, on_resolved, e);
    }
}

static void on_resolved(void *arg, const char *const *addresses, unsigned count)
{
    struct entry *e = arg;
    struct hub *h = e->hub;
    unsigned index = (unsigned)(e - h->entries);
    e->resolving = 0;
    if (count == 0) {
        log_warn("hub.unresolved", "host=%s", log_text(str_of(e->host)));
        return; /* a resolver that is down takes no link away */
    }
    list_each (&h->links, node, tmp) {
        struct hub_link *l = list_of(node, struct hub_link, node);
        if (l->entry == index)
            l->wanted = false;
    }
    for (unsigned i = 0; i < count; i++) {
        char endpoint[ENDPOINT_MAX], error[256];
        snprintf(endpoint, sizeof(endpoint),
                 strchr(addresses[i], ':') ? "tcp://[%s]:%s" : "tcp://%s:%s", addresses[i],
                 e->port);
        if (!link_for(h, index, endpoint, error))
            log_warn("hub.link_refused", "endpoint=%s why=%s", endpoint, log_text(str_of(error)));
    }
}

static struct hub_link *link_for(struct hub *h, unsigned entry, const char *endpoint,
                                 char error[256])
{
    list_each (&h->links, node, tmp) {
        struct hub_link *l = list_of(node, struct hub_link, node);
        if (strcmp(l->endpoint, endpoint) == 0) {
            l->wanted = true;
            return l;
        }
    }
    if (h->link_count == LINKS_MAX) {
        snprintf(error, 256, "more than %d gateways", LINKS_MAX);
        return NULL;
    }
    struct hub_link *l = xcalloc(1, sizeof(*l));
    l->magic = LINK_MAGIC;
    l->hub = h;
    l->entry = entry;
    l->wanted = true;
    snprintf(l->endpoint, sizeof(l->endpoint), "%s", endpoint);
    struct wire_callbacks cb = {.on_message = on_message};
    l->wire = wire_dealer_new(h->config.loop, &h->config.wire, endpoint, &cb, l, error);
    if (!l->wire) {
        free(l);
        return NULL;
    }
    list_push(&h->links, &l->node);
    h->link_count++;
    log_info("hub.link", "endpoint=%s", endpoint);
    greet(l);
    return l;
}

static void link_free(struct hub_link *l)
{
    CHECK(l->held == 0);
    list_remove(&l->node);
    l->hub->link_count--;
    wire_free(l->wire);
    l->magic = 0;
    free(l);
}

/* ---- is it alive ---- */

static void change(struct hub_link *l, enum hub_link_state to)
{
    if (l->state != to)
        log_info("hub.state", "endpoint=%s gateway=%s from=%s to=%s turns=%u", l->endpoint,
                 log_text(str_of(l->gateway)), state_name(l->state), state_name(to), l->held);
    l->state = to;
}

static void greet(struct hub_link *l)
{
    const struct hub_config *c = &l->hub->config;
    int64_t now_ms = loop_now_ms(c->loop);
    peer_init(&l->peer, now_ms);
    l->greeted_ms = l->hello_ms = now_ms;
    l->told = l->hub->offers;
    l->life++;
    change(l, LINK_GREETING);
    struct frame f = {.code = FRAME_HELLO,
                      .HELLO = {.version = PROTO_VERSION,
                                .name = str_of(c->name),
                                .capacity = l->hub->leaving ? 0 : c->capacity,
                                .running = l->hub->cb.running(l->hub->arg),
                                .models = c->models,
                                .tools = c->tools}};
    l->unsaid = !send_frame(l, &f);
}

static void send_beat(struct hub_link *l)
{
    struct frame f = {.code = FRAME_BEAT,
                      .BEAT = {.running = l->hub->cb.running(l->hub->arg),
                               .at = (uint64_t)loop_now_ms(l->hub->config.loop)}};
    send_frame(l, &f);
}

static void on_beat(void *arg)
{
    struct hub *h = arg;
    int64_t now_ms = loop_now_ms(h->config.loop);
    list_each (&h->links, node, tmp)
        look_after(list_of(node, struct hub_link, node), now_ms);
}

static bool twin_lives(const struct hub_link *l)
{
    list_each (&l->hub->links, node, tmp) {
        const struct hub_link *other = list_of(node, struct hub_link, node);
        if (other != l && (other->state == LINK_OPEN || other->state == LINK_LEAVING) &&
            strcmp(other->gateway, l->gateway) == 0)
            return true;
    }
    return false;
}

static void look_after(struct hub_link *l, int64_t now_ms)
{
    const struct hub_config *c = &l->hub->config;
    switch (l->state) {
    case LINK_OPEN:
    case LINK_LEAVING:
        if (peer_at(&l->peer, now_ms, c->dead_ms) == PEER_DEAD)
            change(l, LINK_LOST);
        else if (peer_beat_due(&l->peer, now_ms, c->beat_ms - c->beat_ms / 4))
            send_beat(l);
        break;
    case LINK_GREETING:
    case LINK_LOST: /* beats are small: what waits for a gateway that is away stays small too */
        if (now_ms - l->greeted_ms < GREET_MS)
            break;
        if (l->state == LINK_GREETING && l->unsaid) {
            greet(l);
        } else {
            l->greeted_ms = now_ms;
            send_beat(l);
        }
        break;
    case LINK_REFUSED:
        if (now_ms - l->greeted_ms >= REFUSED_MS)
            greet(l);
        break;
    case LINK_TWIN:
        if (!twin_lives(l))
            greet(l);
        break;
    }
    bool silent = l->state != LINK_OPEN && l->state != LINK_LEAVING;
    if (!l->wanted && silent && l->held == 0) {
        log_info("hub.unlink", "endpoint=%s", l->endpoint);
        link_free(l);
    }
}

/* ---- frames ---- */

static bool send_frame(struct hub_link *l, const struct frame *f)
{
    struct wire_peer *p = wire_gateway(l->wire);
    bool sent = frame_encode(f, wire_out(p));
    if (sent)
        wire_touch(p);
    else
        not_taken(l, f->code);
    return sent;
}

/* A gateway that misses events asks for them again. That a turn is over, or is given back, it would
 * never hear: it is lost until it is heard again, and asks at our HELLO then. */
static void not_taken(struct hub_link *l, enum frame_code code)
{
    tell_full(l, code);
    if (code == FRAME_DONE || code == FRAME_RELEASE || code == FRAME_NEED_TOKEN)
        change(l, LINK_LOST);
}

static void tell_full(struct hub_link *l, enum frame_code code)
{
    int64_t now_ms = loop_now_ms(l->hub->config.loop);
    if (l->full_ms != 0 && now_ms - l->full_ms < FULL_LOG_MS)
        return;
    l->full_ms = now_ms;
    log_warn("hub.full", "endpoint=%s frame=%s", l->endpoint, frame_name(code));
}

/* To who cancels it. One that does not fit is no loss: the turn's lease ends. */
static void send_absent(struct hub_link *l, struct id turn)
{
    struct frame f = {.code = FRAME_DONE, .DONE = {.turn = turn, .state = TURN_NONE}};
    if (hub_alive(l) && frame_encode(&f, wire_out(wire_gateway(l->wire))))
        wire_touch(wire_gateway(l->wire));
}

static void on_message(void *arg, struct wire_peer *p, struct str bytes)
{
    (void)p;
    struct hub_link *l = arg;
    MAGIC_CHECK(l, LINK_MAGIC);
    while (bytes.len > 0) {
        struct frame f;
        if (frame_decode(&bytes, FRAME_TO_WORKER, &f) != ERR_NONE) {
            log_warn("hub.bad_frame", "endpoint=%s bytes=%zu", l->endpoint, bytes.len);
            return;
        }
        on_frame(l, &f);
        frame_free(&f);
    }
}

static void on_frame(struct hub_link *l, struct frame *f)
{
    struct hub *h = l->hub;
    if (l->state == LINK_LOST) { /* it was only slow: as a new peer, then */
        greet(l);
        return;
    }
    peer_heard(&l->peer, loop_now_ms(h->config.loop));
    if (l->state == LINK_GREETING && (f->code == FRAME_TURN || f->code == FRAME_FOLLOW))
        return; /* asked of who we were: at our HELLO the gateway asks for it again */
    switch (f->code) {
    case FRAME_WELCOME:
        on_welcome(l, &f->WELCOME);
        break;
    case FRAME_BYE:
        on_bye(l, f->BYE.reason);
        break;
    case FRAME_TURN: {
        struct secret *token = f->TURN.token;
        f->TURN.token = NULL;
        struct hub_turn turn = {.session = f->TURN.session,
                                .turn = f->TURN.turn,
                                .epoch = f->TURN.epoch,
                                .given_ms = (int64_t)f->TURN.heard,
                                .opening = f->TURN.opening};
        h->cb.on_turn(h->arg, l, &turn, token);
        break;
    }
    case FRAME_CANCEL:
        if (!h->cb.on_cancel(h->arg, f->CANCEL.turn)) {
            send_absent(l, f->CANCEL.turn);
            hub_send_news(l, f->CANCEL.turn); /* it may be queued at another gateway */
        }
        break;
    case FRAME_FOLLOW:
        h->cb.on_follow(h->arg, l, f->FOLLOW.turn);
        break;
    case FRAME_UNFOLLOW:
        h->cb.on_unfollow(h->arg, l, f->UNFOLLOW.turn);
        break;
    case FRAME_TOKEN: {
        struct secret *token = f->TOKEN.token;
        f->TOKEN.token = NULL;
        h->cb.on_token(h->arg, f->TOKEN.turn, f->TOKEN.epoch, token);
        break;
    }
    case FRAME_BEAT:
        break;
    case FRAME_HELLO:
    case FRAME_EVENT:
    case FRAME_DONE:
    case FRAME_RELEASE:
    case FRAME_NEED_TOKEN:
    case FRAME_TOOLS:
    case FRAME_FOLLOWING:
    case FRAME_NEWS:
        break; /* not this way: frame_decode refuses them */
    }
}

static void on_welcome(struct hub_link *l, const struct frame_WELCOME *w)
{
    if (w->version != PROTO_VERSION) {
        log_error("hub.version", "endpoint=%s theirs=%u ours=%d", l->endpoint, w->version,
                  PROTO_VERSION);
        change(l, LINK_REFUSED);
        return;
    }
    snprintf(l->gateway, sizeof(l->gateway), "%.*s", (int)w->name.len, w->name.at);
    if (l->gateway[0] != '\0' && l->state != LINK_OPEN && twin_lives(l)) {
        struct frame f = {.code = FRAME_BYE, .BYE = {.reason = STR("twin")}};
        send_frame(l, &f);
        change(l, LINK_TWIN);
        return;
    }
    change(l, LINK_OPEN);
    if (l->told != l->hub->offers)
        send_offer(l);
    if (l->hub->leaving) {
        struct frame f = {.code = FRAME_BYE, .BYE = {.reason = STR("leaving")}};
        send_frame(l, &f);
    }
}

static void on_bye(struct hub_link *l, struct str reason)
{
    int64_t now_ms = loop_now_ms(l->hub->config.loop);
    if (str_is(reason, "hello")) {
        /* The gateway answers so to each frame that it can't place: to all that were under way when
         * it gave us up. One HELLO is the answer to all: at each it would ask us for
         * all that it gave us. */
        bool greeted = l->state == LINK_GREETING && now_ms - l->hello_ms < GREET_MS;
        if (!greeted && l->state != LINK_TWIN && l->state != LINK_REFUSED)
            greet(l);
    } else if (str_is(reason, "version")) {
        log_error("hub.version", "endpoint=%s ours=%d: the gateway speaks another version",
                  l->endpoint, PROTO_VERSION);
        l->greeted_ms = now_ms;
        change(l, LINK_REFUSED);
    } else if (l->state == LINK_OPEN) {
        change(l, LINK_LEAVING);
    }
}

void hub_bye(struct hub *h)
{
    h->leaving = true;
    list_each (&h->links, node, tmp) {
        struct hub_link *l = list_of(node, struct hub_link, node);
        struct frame f = {.code = FRAME_BYE, .BYE = {.reason = STR("leaving")}};
        if (hub_alive(l))
            send_frame(l, &f);
    }
}

static void send_offer(struct hub_link *l)
{
    struct frame f = {.code = FRAME_TOOLS, .TOOLS = {.tools = l->hub->config.tools}};
    send_frame(l, &f);
    l->told = l->hub->offers;
}

void hub_offer_models(struct hub *h, struct str models) { h->config.models = models; }

void hub_offer(struct hub *h, struct str tools)
{
    h->config.tools = tools;
    h->offers++;
    list_each (&h->links, node, tmp) {
        struct hub_link *l = list_of(node, struct hub_link, node);
        if (hub_alive(l))
            send_offer(l);
    }
}

void hub_hold(struct hub_link *l)
{
    MAGIC_CHECK(l, LINK_MAGIC);
    l->held++;
}

void hub_release(struct hub_link *l)
{
    MAGIC_CHECK(l, LINK_MAGIC);
    CHECK(l->held > 0);
    l->held--; /* look_after drops it when it is not wanted */
}

bool hub_alive(const struct hub_link *l)
{
    return l->state == LINK_OPEN || l->state == LINK_LEAVING;
}

unsigned hub_life(const struct hub_link *l) { return l->life; }

void hub_send_event(struct hub_link *l, const struct frame_EVENT *e)
{
    struct frame f = {.code = FRAME_EVENT, .EVENT = *e};
    if (hub_alive(l))
        send_frame(l, &f);
}

void hub_send_following(struct hub_link *l, struct id turn, struct event_at stored)
{
    struct frame f = {.code = FRAME_FOLLOWING,
                      .FOLLOWING = {.turn = turn, .epoch = stored.epoch, .seq = stored.seq}};
    if (hub_alive(l))
        send_frame(l, &f);
}

void hub_send_done(struct hub_link *l, struct id turn, uint32_t epoch, enum turn_state state)
{
    struct frame f = {.code = FRAME_DONE,
                      .DONE = {.turn = turn, .epoch = epoch, .state = (uint32_t)state}};
    if (hub_alive(l))
        send_frame(l, &f);
}

void hub_send_news(struct hub_link *but, struct id turn)
{
    struct frame f = {.code = FRAME_NEWS, .NEWS = {.turn = turn}};
    list_each (&but->hub->links, node, next) {
        struct hub_link *l = list_of(node, struct hub_link, node);
        if (l != but && hub_alive(l))
            send_frame(l, &f);
    }
}

void hub_send_release(struct hub_link *l, struct id turn, uint32_t epoch, const char *reason)
{
    struct frame f = {.code = FRAME_RELEASE,
                      .RELEASE = {.turn = turn, .epoch = epoch, .reason = str_of(reason)}};
    if (hub_alive(l))
        send_frame(l, &f);
}

void hub_send_need_token(struct hub_link *l, struct id turn, uint32_t epoch)
{
    struct frame f = {.code = FRAME_NEED_TOKEN, .NEED_TOKEN = {.turn = turn, .epoch = epoch}};
    if (hub_alive(l))
        send_frame(l, &f);
}
