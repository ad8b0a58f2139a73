/* gateway/turn/broker.h: workers' frames in, TURN, CANCEL and TOKEN out. Owns the workers; what
 * they say of turns goes to whoever has the turns. */
#ifndef GATEWAY_TURN_BROKER_H
#define GATEWAY_TURN_BROKER_H

#include <jansson.h>
#include "common/secret.h"
#include "gateway/turn/dispatch.h"
#include "gateway/gateway.h"
#include "proto/frame.h"

struct broker;

/* Told with arg. A place is what was given to gateway.dispatch. */
struct broker_handler {
    /* The turn is on its way: what of it goes with it. out is zeroed; borrowed until the return. */
    void (*on_send)(void *arg, struct dispatch_turn *place, struct frame_TURN *out);
    void (*on_event)(void *arg, struct dispatch_worker *from, const struct frame_EVENT *e);
    void (*on_following)(void *arg, const struct dispatch_worker *from,
                         const struct frame_FOLLOWING *f);
    void (*on_news)(void *arg, struct id turn);
    void (*on_done)(void *arg, const struct dispatch_worker *from, const struct frame_DONE *d);
    void (*on_release)(void *arg, struct dispatch_worker *from, const struct frame_RELEASE *r);
    void (*on_need_token)(void *arg, struct dispatch_worker *from,
                          const struct frame_NEED_TOKEN *n);
    dispatch_lost_fn *on_lost;                                        /* its worker is gone */
    void (*on_gone)(void *arg, const struct dispatch_worker *worker); /* before that, once */
    /* It thought that we were gone (we had frozen, or the link had) and lives: what it has of ours
     * is to be asked, and what it was to send here to be asked for anew. */
    void (*on_back)(void *arg, struct dispatch_worker *worker);
};
struct broker *broker_new(struct gateway *g, const struct broker_handler *h, void *arg,
                          char error[256]);
void broker_free(struct broker *b); /* says BYE to all first */

void broker_cancel(struct broker *b, struct id turn); /* to every worker */
/* It ended before a worker had it: one of them passes that on to the other gateways. */
void broker_cancelled(struct broker *b, struct id turn);
void broker_token(struct dispatch_worker *w, struct id turn, uint32_t epoch,
                  const struct secret *token); /* NULL: there is none */
/* The worker of this name, as the store tells who holds a turn. NULL: it has no link to here. */
struct dispatch_worker *broker_worker(struct broker *b, struct str name);
struct str broker_name(const struct dispatch_worker *w); /* as the store has it */
/* The `at` of its last BEAT: what it is given now is younger than that. 0: none has come. */
uint64_t broker_heard(const struct dispatch_worker *w);
/* A turn that it runs for another gateway is followed here too, or no more. */
void broker_follow(struct dispatch_worker *w, struct id turn);
void broker_unfollow(struct dispatch_worker *w, struct id turn);
struct str
broker_models(const struct broker *b); /* JSON as the latest worker brought it; "[]" without one */
struct str broker_tools(const struct broker *b);
/* The same, read once for each that is brought. Borrowed; NULL where it is no JSON. */
const json_t *broker_tool_list(struct broker *b);
unsigned broker_workers(const struct broker *b);
/* One is there, or was within the last seconds (a restart) */
bool broker_expects_worker(const struct broker *b);
void broker_bye(struct broker *b);  /* drain: tell the workers that this gateway leaves */
void broker_tick(struct broker *b); /* janitor: beats, deaths */

#endif
