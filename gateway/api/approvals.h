/* gateway/api/approvals.h: POST …/resume: a person's decision on the calls that a turn awaits.
 *
 * The store applies it once, whoever asks it how often; the request that did has the turn run here.
 * Its client may leave meanwhile: what was sent to the store may have been applied, so that the
 * decision lives until the store has answered. */
#ifndef GATEWAY_API_APPROVALS_H
#define GATEWAY_API_APPROVALS_H

#include "gateway/gateway.h"

void decisions_init(struct gateway *g);
void decisions_free(struct gateway *g);
bool decisions_drained(const struct gateway *g); /* the store is asked to apply none */

#endif
