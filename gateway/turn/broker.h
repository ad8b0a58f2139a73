/* gateway/turn/broker.h: workers' frames in, TURN, CANCEL and TOKEN out. Owns the workers; gives
 * turns.c what they say of turns. */
#ifndef GATEWAY_TURN_BROKER_H
#define GATEWAY_TURN_BROKER_H

#include "common/secret.h"
#include "gateway/turn/dispatch.h"
#include "gateway/gateway.h"

struct broker;

struct broker *broker_new(struct gateway *g, char error[256]);
void broker_free(struct broker *b); /* says BYE to all first */
struct dispatch *broker_dispatch(struct broker *b);

void broker_cancel(struct broker *b, struct id turn); /* to every worker */
void broker_token(struct dispatch_worker *w, struct id turn, uint32_t epoch,
                  const struct secret *token); /* NULL: there is none */
struct str
broker_models(const struct broker *b); /* JSON as the latest worker brought it; "[]" without one */
struct str broker_tools(const struct broker *b);
unsigned broker_workers(const struct broker *b);
bool broker_expects_worker(
    const struct broker *b);        /* one is there, or was within the last seconds (a restart) */
void broker_bye(struct broker *b);  /* drain: tell the workers that this gateway leaves */
void broker_tick(struct broker *b); /* janitor: beats, deaths */

#endif
