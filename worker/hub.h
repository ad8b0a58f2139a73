/* worker/hub.h: links to all gateways.
 *
 * PERSAI_GATEWAYS is a list of endpoints; names are resolved again and again, each address gets a
 * link (a ZeroMQ dealer), and one that vanished is dropped once it is silent and no turn uses it. A
 * link says HELLO, is WELCOMEd, and beats both ways tell whether the other end is alive. Two
 * addresses of one gateway (IPv4 and IPv6) are found by its name: one link is used.
 *
 *   GREETING  HELLO was sent; WELCOME → OPEN; BYE version → REFUSED. A TURN or FOLLOW that comes
 *             before was asked of our former life: the gateway has given it up at our HELLO
 *   OPEN      beats missing, or it takes no DONE → LOST; BYE hello → GREETING; BYE → LEAVING
 *   LEAVING   the gateway shuts down: it takes events still, sends no turns
 *   LOST      silent: events of its turns go to Redis only; anything heard → GREETING
 *   REFUSED   speaks another version; greeted again now and then
 *   TWIN      another link leads to the same gateway: silent as long as that one lives */
#ifndef WORKER_HUB_H
#define WORKER_HUB_H

#include <stdbool.h>
#include <stdint.h>
#include "common/loop.h"
#include "common/secret.h"
#include "proto/event.h"
#include "proto/frame.h"
#include "proto/store/turn_state.h"
#include "proto/wire.h"

struct hub;
struct hub_link;

#define HUB_LINK_STATES(X) X(GREETING) X(OPEN) X(LEAVING) X(LOST) X(REFUSED) X(TWIN)
enum hub_link_state {
#define X(name) LINK_##name,
    HUB_LINK_STATES(X)
#undef X
};

struct hub_config {
    struct loop *loop;
    const char *gateways;    /* PERSAI_GATEWAYS */
    struct wire_config wire; /* keys, and whether tcp may do without */
    const char *name;        /* this worker's */
    uint32_t capacity;
    struct str models, tools; /* JSON, for HELLO; borrowed, until others are offered */
    int64_t beat_ms, dead_ms, resolve_ms;
};
struct hub_turn { /* a turn to run */
    struct id session, turn;
    uint32_t epoch;
    /* What it would load (store_opening_read), of a turn that was accepted as this worker's; or
     * empty: load it. Borrowed. */
    struct str opening;
    int64_t given_ms; /* it became ours after this time of our loop's clock; 0: not known */
};
struct hub_callbacks {
    /* token: taken over; NULL: there is none. */
    void (*on_turn)(void *arg, struct hub_link *from, const struct hub_turn *t,
                    struct secret *take_token);
    bool (*on_cancel)(void *arg, struct id turn); /* false: it does not run here */
    /* A turn's events are wanted at that gateway too, or no more. */
    void (*on_follow)(void *arg, struct hub_link *from, struct id turn);
    void (*on_unfollow)(void *arg, struct hub_link *from, struct id turn);
    /* take_token NULL: there is none to be had. */
    void (*on_token)(void *arg, struct id turn, uint32_t epoch, struct secret *take_token);
    uint32_t (*running)(void *arg); /* how many turns run: for beats */
};
/* Can these endpoints be used? False and a sentence. */
bool hub_check(const char *gateways, const struct wire_config *wire, char error[256]);
/* NULL and a sentence. */
struct hub *hub_new(const struct hub_config *c, const struct hub_callbacks *cb, void *arg,
                    char error[256]);
void hub_free(struct hub *h); /* no link is held */
unsigned hub_open_links(const struct hub *h);
/* No new turns: tells every gateway. */
void hub_bye(struct hub *h);

/* Other tools are offered from now on: tells every gateway. Borrowed as those of the config. */
void hub_offer(struct hub *h, struct str tools);

/* Other models, from the next HELLO on: a HELLO in the midst of turns would lose them. */
void hub_offer_models(struct hub *h, struct str models);

/* A turn holds the link that it came by, so that the link outlives it. */
void hub_hold(struct hub_link *l);
void hub_release(struct hub_link *l);
bool hub_alive(const struct hub_link *l); /* there is a gateway that hears us */
/* Counts its HELLOs: what the gateway asked for before the last one it has forgotten. */
unsigned hub_life(const struct hub_link *l);
/* Frames of a turn. What goes to a link that is not alive is dropped: Redis has it, or will. */
void hub_send_event(struct hub_link *l, const struct frame_EVENT *e);
void hub_send_following(struct hub_link *l, struct id turn, struct event_at stored);
void hub_send_done(struct hub_link *l, struct id turn, uint32_t epoch, enum turn_state state);
/* To all gateways but this link's, that are alive. */
void hub_send_news(struct hub_link *but, struct id turn);
void hub_send_release(struct hub_link *l, struct id turn, uint32_t epoch, const char *reason);
void hub_send_need_token(struct hub_link *l, struct id turn, uint32_t epoch);

#endif
