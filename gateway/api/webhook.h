/* gateway/api/webhook.h: POST /webhook/alertmanager: alerts that fire are investigated, each in a
 * session of the service user's.
 *
 * Alertmanager repeats its notifications: an alert's key (alerts.h) makes its session and its turn
 * once, for a day. What can't be taken now is answered with 503, and comes again; what was begun
 * before that is found by its key then. The client may leave meanwhile: what it sent goes on. */
#ifndef GATEWAY_API_WEBHOOK_H
#define GATEWAY_API_WEBHOOK_H

#include "gateway/api/call.h"

struct webhook;
struct webhook *webhook_new(struct gateway *g);
void webhook_free(struct webhook *w);
/* What the settings of it and of the service user lack, a sentence; NULL: nothing. */
const char *webhook_lacks(const struct gateway_settings *s);
/* Is it the operator's Alertmanager? Asked before a body is read. False: the call was answered. */
bool webhook_allowed(struct call *c);

#endif
