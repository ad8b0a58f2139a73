/* gateway/api/audit.h: the audit's lines of requests: each that a signed-in person, a program or
 * the webhook sends is an act, and so is each decision on a tool call.
 *
 *     {"at", "program": "gateway", "act": the operation's name, "user", "account", "door", "key",
 *      "session_id", "turn_id", "datasource", "status", "outcome": "ok" or the error's word}
 */
#ifndef GATEWAY_API_AUDIT_H
#define GATEWAY_API_AUDIT_H

#include "gateway/api/call.h"
#include "proto/store/answer.h"

/* It is being answered with this status; 0: its client left before. */
void audit_call(const struct call *c, unsigned status);
/* An alert whose investigation was begun, or not. */
void audit_alert(struct str owner, const char *key, struct id session, struct id turn,
                 struct str datasource, enum err err);
/* What a person decided on tool calls. */
void audit_decisions(struct str owner, struct id session, struct id turn, const char *key,
                     const json_t *decisions, enum err err);

#endif
